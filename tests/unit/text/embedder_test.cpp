// SPDX-License-Identifier: MIT
#include "mmd/text/embedder.hpp"

#include <cmath>
#include <limits>
#include <map>
#include <set>

#include "support/catch2.hpp"
#include "support/failures.hpp"

namespace {
const std::vector<std::string> training = {
    "the cat sat on the mat",    "the dog sat, and the cat ran", "a dog ran to the door", "nobody sat on the door yesterday", "",
    "Cats and dogs: 12 of them!"};

// Texts of words drawn from a few thousand, by a linear congruence.
std::vector<std::string> many_texts(int count) {
  std::vector<std::string> texts;
  std::uint64_t state = 42;
  for (int i = 0; i < count; ++i) {
    std::string text;
    for (int k = 0; k < 40; ++k) {
      state = state * 6364136223846793005ull + 1442695040888963407ull;
      const std::uint64_t word = (state >> 33) % 60 * ((state >> 50) % 60);
      for (const char letter :
           {'w', static_cast<char>('a' + word % 26), static_cast<char>('a' + word / 26 % 26), static_cast<char>('a' + word / 676), ' '})
        text += letter;
    }
    texts.push_back(text);
  }
  return texts;
}

std::map<std::uint32_t, int> counted(const std::string& text, mmd::ngram_form form) {
  std::map<std::uint32_t, int> counts;
  mmd::detail::for_each_ngram(text, form, [&](std::uint32_t key) { ++counts[key]; });
  return counts;
}
}  // namespace

TEST_CASE("the vocabulary is the keys of highest document frequency of each class, ties by key") {
  const auto texts = many_texts(300);
  for (const auto form : {mmd::ngram_form::words, mmd::ngram_form::style}) {
    const std::size_t limit = form == mmd::ngram_form::words ? 1024 : 512;
    std::map<std::uint32_t, int> frequency;
    for (const auto& text : texts) {
      for (const auto& [key, count] : counted(text, form)) ++frequency[key];
    }
    std::set<std::uint32_t> expected;
    for (std::uint32_t c = 0; c < 8; ++c) {
      std::set<std::pair<int, std::uint32_t>> ranked;
      for (const auto& [key, texts_with] : frequency) {
        if (key >> 22 == c) ranked.insert({-texts_with, key});
      }
      std::size_t taken = 0;
      for (const auto& [rank, key] : ranked) {
        if (taken++ < limit) expected.insert(key);
      }
    }
    const auto embedder = mmd::TextEmbedder::fit(texts, form);
    const auto& keys = embedder.vocabulary().keys;
    CHECK(std::vector<std::uint32_t>(expected.begin(), expected.end()) == keys);
    CHECK(embedder.dimension() == static_cast<mmd::index_t>(keys.size()));
  }
}

TEST_CASE("values are standardised roots of counts, clipped to 4") {
  for (const auto form : {mmd::ngram_form::words, mmd::ngram_form::style}) {
    const auto embedder = mmd::TextEmbedder::fit(training, form);
    const auto& vocabulary = embedder.vocabulary();
    std::vector<std::string> others = training;
    others.push_back("the the the the the the the the the the the the the the the the the the the the cat");
    const auto embedded = embedder.embed(others);
    REQUIRE(embedded.rows() == 7);
    REQUIRE(embedded.cols() == embedder.dimension());
    bool clipped = false;
    for (std::size_t c = 0; c < vocabulary.keys.size(); ++c) {
      std::vector<double> roots;
      for (const auto& text : others) {
        const auto counts = counted(text, form);
        const auto found = counts.find(vocabulary.keys[c]);
        roots.push_back(found == counts.end() ? 0 : std::sqrt(found->second));
      }
      double mean = 0, square = 0;
      for (std::size_t i = 0; i < 6; ++i) mean += roots[i] / 6;
      for (std::size_t i = 0; i < 6; ++i) square += (roots[i] - mean) * (roots[i] - mean) / 6;
      CHECK(static_cast<double>(vocabulary.means[c]) == Approx(mean).epsilon(1e-6));
      CHECK(static_cast<double>(vocabulary.deviations[c]) == Approx(std::sqrt(square)).epsilon(1e-6));
      for (std::size_t i = 0; i < others.size(); ++i) {
        const double z = (roots[i] - mean) / std::sqrt(square);
        clipped = clipped || std::fabs(z) > 4;
        const float value = embedded(static_cast<mmd::index_t>(i), static_cast<mmd::index_t>(c));
        CHECK(static_cast<double>(value) == Approx(std::min(4.0, std::max(-4.0, z))).epsilon(1e-5));
      }
    }
    CHECK(clipped);
  }
}

TEST_CASE("a column that is the same in all training texts has the deviation 1") {
  const std::vector<std::string> texts(7, "the end of the road and the end of the day");
  const auto embedder = mmd::TextEmbedder::fit(texts);
  const auto embedded = embedder.embed(texts);
  for (std::size_t c = 0; c < embedder.vocabulary().keys.size(); ++c) {
    CHECK(embedder.vocabulary().deviations[c] == 1.0f);
    CHECK(std::fabs(embedded(3, static_cast<mmd::index_t>(c))) < 1e-6f);
  }
}

TEST_CASE("embedding is the same for every batch, any bytes and a state that was carried over") {
  const auto texts = many_texts(50);
  for (const auto form : {mmd::ngram_form::words, mmd::ngram_form::style}) {
    const auto embedder = mmd::TextEmbedder::fit(texts, form);
    const mmd::TextEmbedder carried(embedder.vocabulary());
    CHECK(carried.identity() == embedder.identity());
    const auto all = embedder.embed(texts);
    CHECK(carried.embed(texts) == all);
    const auto alone = embedder.embed(std::span(texts).subspan(17, 1));
    for (mmd::index_t c = 0; c < embedder.dimension(); ++c) CHECK(alone(0, c) == all(17, c));
    CHECK(embedder.embed({}).rows() == 0);
    std::string bytes;
    for (int b = 0; b < 256; ++b) bytes += static_cast<char>(b);
    const std::vector<std::string> odd = {"", " ", bytes, std::string(100000, '\xff'), std::string(100000, '\'')};
    const auto rows = embedder.embed(odd);
    for (const float value : rows.values()) CHECK((std::isfinite(value) && std::fabs(value) <= 4));
  }
}

TEST_CASE("the identity names form and dimension, and changes with each part of the state") {
  const auto embedder = mmd::TextEmbedder::fit(training);
  const std::string identity = embedder.identity();
  CHECK(identity.starts_with("ngram-words-" + std::to_string(embedder.dimension()) + "-"));
  CHECK(mmd::TextEmbedder::fit(training, mmd::ngram_form::style).identity().starts_with("ngram-style-"));
  CHECK(mmd::TextEmbedder::fit(training).identity() == identity);
  const auto changed = [&](auto&& change) {
    mmd::Vocabulary vocabulary = embedder.vocabulary();
    change(vocabulary);
    return mmd::TextEmbedder(vocabulary).identity() != identity;
  };
  CHECK(changed([](auto& v) { v.form = mmd::ngram_form::style; }));
  CHECK(changed([](auto& v) { v.keys.back() += 1; }));
  CHECK(changed([](auto& v) { v.means[3] = std::nextafter(v.means[3], 9.0f); }));
  CHECK(changed([](auto& v) { v.deviations[3] = std::nextafter(v.deviations[3], 9.0f); }));
}

TEST_CASE("the state of a fit is the same on every machine") {
  // A change of these means that model files no longer fit their embedder: raise the recipe's number with it.
  CHECK(mmd::TextEmbedder::fit(training).identity() == "ngram-words-46-0c3b761b09064701");
  CHECK(mmd::TextEmbedder::fit(training, mmd::ngram_form::style).identity() == "ngram-style-288-40d81a1554500be3");
}

TEST_CASE("texts without tokens and vocabularies that are none are refused") {
  const auto fitting = [](const std::vector<std::string>& texts) {
    return message_of<mmd::invalid_input>([&] { static_cast<void>(mmd::TextEmbedder::fit(texts)); });
  };
  CHECK(mentions(fitting({}), "TextEmbedder::fit: texts = no tokens in 0 texts, expected at least one word, number or sign"));
  CHECK(mentions(fitting({"", " \n"}), "no tokens in 2 texts"));
  const auto taking = [](mmd::Vocabulary vocabulary) {
    return message_of<mmd::invalid_input>([&] { static_cast<void>(mmd::TextEmbedder(std::move(vocabulary))); });
  };
  const auto words = mmd::ngram_form::words;
  const float infinity = std::numeric_limits<float>::infinity();
  CHECK(taking({words, {1, 2}, {0, 0}, {1, 1}}) == "(nothing was thrown)");
  CHECK(mentions(taking({words, {}, {}, {}}), "Vocabulary: keys.size() = 0, expected at least 1"));
  CHECK(mentions(taking({words, {1, 2}, {0}, {1, 1}}), "Vocabulary: means.size() = 1, expected as many as there are keys"));
  CHECK(mentions(taking({words, {1, 2}, {0, 0}, {1}}), "Vocabulary: deviations.size() = 1, expected as many as there are keys"));
  CHECK(mentions(taking({words, {2, 2}, {0, 0}, {1, 1}}), "Vocabulary: keys = 2, expected a key above the one before it"));
  CHECK(mentions(taking({words, {2u << 22}, {0}, {1}}), "Vocabulary: keys = 8388608, expected a key of the form's classes"));
  CHECK(mentions(taking({words, {1}, {infinity}, {1}}), "Vocabulary: means = inf, expected a finite number"));
  CHECK(mentions(taking({words, {1}, {0}, {0}}), "Vocabulary: deviations = 0, expected a finite number above 0"));
  CHECK(mentions(taking({words, {1}, {0}, {-infinity}}), "Vocabulary: deviations = -inf, expected a finite number above 0"));
}
