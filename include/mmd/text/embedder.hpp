// SPDX-License-Identifier: MIT
// The built-in embedder: a text as standardised counts of n-grams. It needs no model, only texts to learn its vocabulary from.
#pragma once

#include <algorithm>
#include <bit>
#include <cmath>
#include <span>
#include <unordered_map>
#include <utility>

#include "mmd/core/matrix.hpp"
#include "mmd/text/ngrams.hpp"

namespace mmd {

// What the embedder learned, one entry per column: figures only, no texts.
struct Vocabulary {
  ngram_form form = ngram_form::words;
  std::vector<std::uint32_t> keys;  // ascending
  std::vector<float> means, deviations;
  friend bool operator==(const Vocabulary&, const Vocabulary&) = default;
};

inline namespace MMD_ISA {

// Embeds texts: value of a column = (√count − mean)/deviation, clipped to ±4, with the n-gram's count in the text and the moments of √count
// over the training texts. Counting is exact and the arithmetic fixed, so that equal texts give equal bits on every machine.
// docs/text.md has the recipe to the last byte.
//
//   const auto embedder = mmd::TextEmbedder::fit(training_texts);
//   const mmd::matrix<float> x = embedder.embed(texts);          // texts.size() x embedder.dimension()
class TextEmbedder {
 public:
  // Takes a vocabulary that was learned before. Throws invalid_input: lengths that differ, keys that do not ascend or belong to no class,
  // moments that are not finite, deviations that are not above 0.
  explicit TextEmbedder(Vocabulary vocabulary);

  // Learns the vocabulary from training texts: in each class the keys that occur in most texts, ties by key (the smaller first), at most
  // 1,024 a class for `words` and 512 for `style`; fewer where the texts have fewer. A column that is the same in all training texts gets
  // the deviation 1. Memory: a few bytes per n-gram of the texts. Throws invalid_input where the texts have no token at all.
  static TextEmbedder fit(std::span<const std::string> texts, ngram_form form = ngram_form::words);

  // One row a text. Cost: linear in the texts' length, plus n x dimension() values.
  matrix<float> embed(std::span<const std::string> texts) const;

  index_t dimension() const { return static_cast<index_t>(vocabulary_.keys.size()); }
  const Vocabulary& vocabulary() const { return vocabulary_; }
  // Equal for embedders that embed alike: "ngram-words-2048-" and 16 hexadecimal digits of a hash of recipe, keys and moments.
  std::string identity() const;

 private:
  using count_list = std::vector<std::pair<std::uint32_t, std::uint32_t>>;  // column, count
  static constexpr std::uint32_t no_column = 0xffffffffu;
  static constexpr double clip = 4;

  void index_keys();
  std::uint32_t column_of(std::uint32_t key) const {
    for (std::size_t slot = slot_of(key);; slot = (slot + 1) & (slots_.size() - 1)) {
      if (slots_[slot].second == no_column || slots_[slot].first == key) return slots_[slot].second;
    }
  }
  std::size_t slot_of(std::uint32_t key) const { return (key ^ (key >> detail::ngram_class_bits) * 0x9E3779B9u) & (slots_.size() - 1); }
  // The columns that occur in a text, ascending, with their counts.
  count_list counts(std::string_view text) const;
  float value(std::size_t column, std::uint32_t count) const {
    const double z = (std::sqrt(static_cast<double>(count)) - static_cast<double>(vocabulary_.means[column])) /
                     static_cast<double>(vocabulary_.deviations[column]);
    return static_cast<float>(z < -clip ? -clip : z > clip ? clip : z);
  }
  static std::vector<std::uint32_t> frequent_keys(std::span<const std::string> texts, ngram_form form);
  void learn_moments(std::span<const std::string> texts);

  Vocabulary vocabulary_;
  std::vector<std::pair<std::uint32_t, std::uint32_t>> slots_;  // key, column: open addressing, at most a quarter full
};

inline TextEmbedder::TextEmbedder(Vocabulary vocabulary) : vocabulary_(std::move(vocabulary)) {
  const auto& [form, keys, means, deviations] = vocabulary_;
  detail::require(!keys.empty(), "Vocabulary: keys.size()", keys.size(), "at least 1");
  detail::require(means.size() == keys.size(), "Vocabulary: means.size()", means.size(), "as many as there are keys");
  detail::require(deviations.size() == keys.size(), "Vocabulary: deviations.size()", deviations.size(), "as many as there are keys");
  for (std::size_t c = 0; c < keys.size(); ++c) {
    detail::require(c == 0 || keys[c - 1] < keys[c], "Vocabulary: keys", keys[c], "a key above the one before it");
    detail::require(keys[c] >> detail::ngram_class_bits < detail::ngram_classes(form), "Vocabulary: keys", keys[c],
                    "a key of the form's classes");
    detail::require(std::isfinite(means[c]), "Vocabulary: means", means[c], "a finite number");
    detail::require(std::isfinite(deviations[c]) && deviations[c] > 0, "Vocabulary: deviations", deviations[c], "a finite number above 0");
  }
  index_keys();
}

inline void TextEmbedder::index_keys() {
  const auto& keys = vocabulary_.keys;
  slots_.assign(std::bit_ceil(4 * keys.size()), {0, no_column});
  for (std::size_t c = 0; c < keys.size(); ++c) {
    std::size_t slot = slot_of(keys[c]);
    while (slots_[slot].second != no_column) slot = (slot + 1) & (slots_.size() - 1);
    slots_[slot] = {keys[c], static_cast<std::uint32_t>(c)};
  }
}

inline TextEmbedder::count_list TextEmbedder::counts(std::string_view text) const {
  std::vector<std::uint32_t> columns;
  detail::for_each_ngram(text, vocabulary_.form, [&](std::uint32_t key) {
    if (const std::uint32_t column = column_of(key); column != no_column) columns.push_back(column);
  });
  std::sort(columns.begin(), columns.end());
  count_list result;
  for (const std::uint32_t column : columns) {
    if (result.empty() || result.back().first != column) result.emplace_back(column, 0);
    ++result.back().second;
  }
  return result;
}

inline matrix<float> TextEmbedder::embed(std::span<const std::string> texts) const {
  std::vector<float> absent(vocabulary_.keys.size());
  for (std::size_t c = 0; c < absent.size(); ++c) absent[c] = value(c, 0);
  matrix<float> result(static_cast<index_t>(texts.size()), dimension());
  for (std::size_t i = 0; i < texts.size(); ++i) {
    const std::span<float> row = result.row(static_cast<index_t>(i));
    std::copy(absent.begin(), absent.end(), row.begin());
    for (const auto& [column, count] : counts(texts[i])) row[column] = value(column, count);
  }
  return result;
}

inline std::vector<std::uint32_t> TextEmbedder::frequent_keys(std::span<const std::string> texts, ngram_form form) {
  std::unordered_map<std::uint32_t, std::uint32_t> texts_with;
  std::vector<std::uint32_t> found;
  for (const std::string& text : texts) {
    found.clear();
    detail::for_each_ngram(text, form, [&](std::uint32_t key) { found.push_back(key); });
    std::sort(found.begin(), found.end());
    found.erase(std::unique(found.begin(), found.end()), found.end());
    for (const std::uint32_t key : found) ++texts_with[key];
  }
  std::vector<std::vector<std::pair<std::uint32_t, std::uint32_t>>> ranked(detail::ngram_classes(form));  // texts, key
  for (const auto& [key, frequency] : texts_with) ranked[key >> detail::ngram_class_bits].emplace_back(frequency, key);
  std::vector<std::uint32_t> keys;
  for (auto& candidates : ranked) {
    std::sort(candidates.begin(), candidates.end(),
              [](const auto& a, const auto& b) { return a.first != b.first ? a.first > b.first : a.second < b.second; });
    candidates.resize(std::min(candidates.size(), detail::keys_per_class(form)));
    for (const auto& candidate : candidates) keys.push_back(candidate.second);
  }
  std::sort(keys.begin(), keys.end());
  return keys;
}

// Two passes in a fixed order; products go into sums through std::fma, so that no compiler's contraction changes a bit.
inline void TextEmbedder::learn_moments(std::span<const std::string> texts) {
  const std::size_t columns = vocabulary_.keys.size();
  const double n = static_cast<double>(texts.size());
  std::vector<count_list> counted;
  std::vector<double> sums(columns), squares(columns), present(columns);
  for (const std::string& text : texts) counted.push_back(counts(text));
  for (const count_list& text : counted) {
    for (const auto& [column, count] : text) {
      sums[column] += std::sqrt(static_cast<double>(count));
      present[column] += 1;
    }
  }
  for (double& sum : sums) sum /= n;
  for (const count_list& text : counted) {
    for (const auto& [column, count] : text) {
      const double apart = std::sqrt(static_cast<double>(count)) - sums[column];
      squares[column] = std::fma(apart, apart, squares[column]);
    }
  }
  for (std::size_t c = 0; c < columns; ++c) {
    const double mean_square = sums[c] * sums[c];
    const double deviation = std::sqrt(std::fma(n - present[c], mean_square, squares[c]) / n);
    // Below this nothing but rounding is left of a column that is the same in all texts.
    constexpr double rounding = 1e-9;
    vocabulary_.means[c] = static_cast<float>(sums[c]);
    vocabulary_.deviations[c] = deviation > rounding * sums[c] ? static_cast<float>(deviation) : 1.0f;
  }
}

inline TextEmbedder TextEmbedder::fit(std::span<const std::string> texts, ngram_form form) {
  Vocabulary vocabulary{form, frequent_keys(texts, form), {}, {}};
  detail::require(!vocabulary.keys.empty(), "TextEmbedder::fit: texts", "no tokens in " + std::to_string(texts.size()) + " texts",
                  "at least one word, number or sign");
  vocabulary.means.assign(vocabulary.keys.size(), 0.0f);
  vocabulary.deviations.assign(vocabulary.keys.size(), 1.0f);
  TextEmbedder result(std::move(vocabulary));
  result.learn_moments(texts);
  return result;
}

inline std::string TextEmbedder::identity() const {
  constexpr std::uint64_t recipe = 1;  // raised whenever the same vocabulary would embed a text differently
  detail::fnv1a hash;
  hash.add_number(recipe).add_number(static_cast<std::uint64_t>(vocabulary_.form)).add_number(vocabulary_.keys.size());
  for (std::size_t c = 0; c < vocabulary_.keys.size(); ++c) {
    hash.add_number(vocabulary_.keys[c]);
    hash.add_number(std::bit_cast<std::uint32_t>(vocabulary_.means[c]));
    hash.add_number(std::bit_cast<std::uint32_t>(vocabulary_.deviations[c]));
  }
  return std::string("ngram-") + (vocabulary_.form == ngram_form::words ? "words" : "style") + "-" + std::to_string(dimension()) + "-" +
         detail::hexadecimal(detail::fmix64(hash.value()));
}

}  // namespace MMD_ISA
}  // namespace mmd
