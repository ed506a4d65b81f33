// SPDX-License-Identifier: MIT
// The n-grams of 20 texts against the counts of an independent program, tests/golden/text/make_counts.py.
#include <map>
#include <sstream>

#include "mmd/text/ngrams.hpp"
#include "support/catch2.hpp"
#include "support/temporary_folder.hpp"

namespace {
const std::string golden = MMD_TEST_DATA "/golden/text/";
using key_counts = std::map<std::uint32_t, int>;

key_counts counted(const std::string& text, mmd::ngram_form form) {
  key_counts counts;
  mmd::detail::for_each_ngram(text, form, [&](std::uint32_t key) { ++counts[key]; });
  return counts;
}
}  // namespace

TEST_CASE("keys and counts of 20 texts agree with the independent program, in both forms") {
  std::map<std::string, key_counts> words, style;
  std::istringstream lines(contents_of(golden + "counts.tsv"));
  std::size_t keys = 0;
  for (std::string line; std::getline(lines, line);) {
    std::istringstream cells(line);
    std::string text, cell;
    std::uint32_t ngram_class = 9;
    cells >> text >> ngram_class;
    REQUIRE(ngram_class < 8);
    while (cells >> cell) {
      const std::size_t colon = cell.find(':');
      const auto key = static_cast<std::uint32_t>(std::stoul(cell));
      const int count = std::stoi(cell.substr(colon + 1));
      CHECK(key >> 22 == ngram_class);
      if (ngram_class < 2) words[text][key] = count;
      style[text][key] = count;
      ++keys;
    }
    words[text];
    style[text];
  }
  CHECK(keys > 5000);
  REQUIRE(style.size() == 20);
  for (const auto& [name, expected] : style) {
    INFO("text " << name);
    const std::string text = contents_of(golden + "texts/" + name + ".txt");
    CHECK(counted(text, mmd::ngram_form::words) == words.at(name));
    CHECK(counted(text, mmd::ngram_form::style) == expected);
  }
}

TEST_CASE("a key from its definition: FNV-1a from the class's offset, fmix64, 22 bits and the class") {
  // By tests/golden/text/make_counts.py; the hashes of "foobar" and 1 are published test vectors.
  const auto key = [](std::uint32_t ngram_class, const char* text) { return mmd::detail::ngram_key(ngram_class).add(text).value(); };
  CHECK(key(0, "the") == 3261750u);
  CHECK(key(1, "of the") == 4353938u);
  CHECK(key(7, "x of x") == 32452102u);
  CHECK(mmd::detail::fnv1a(0xcbf29ce484222325ull).add("foobar").value() == 0x85944171f73967e8ull);
  CHECK(mmd::detail::fmix64(1) == 0xb456bcfc34c2cb2cull);
}
