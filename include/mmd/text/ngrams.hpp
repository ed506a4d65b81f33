// SPDX-License-Identifier: MIT
// The features of a text: hashed n-grams of words, characters and grammar.
#pragma once

#include <array>
#include <cstdint>

#include "mmd/core/hash.hpp"
#include "mmd/text/function_words.hpp"
#include "mmd/text/tokens.hpp"

namespace mmd {

// Which n-grams are counted.
enum class ngram_form {
  words,  // words and pairs of words: 2 classes of at most 1,024 keys
  style   // characters, skeletons and shapes too: 8 classes of at most 512 keys
};

namespace detail {

inline constexpr int ngram_class_bits = 22;
inline constexpr std::uint32_t ngram_classes(ngram_form form) { return form == ngram_form::words ? 2 : 8; }
inline constexpr std::size_t keys_per_class(ngram_form form) { return form == ngram_form::words ? 1024 : 512; }

inline namespace MMD_ISA {

// A key in the making: FNV-1a from an offset of the class's own, finished by fmix64; the class stands above the low 22 bits.
class ngram_key {
 public:
  explicit constexpr ngram_key(std::uint32_t ngram_class)
      : class_(ngram_class), hash_(fnv1a::offset_basis ^ ngram_class * 0x9E3779B97F4A7C15ull) {}
  constexpr ngram_key& add(std::string_view text) {
    hash_.add(text);
    return *this;
  }
  constexpr std::uint32_t value() const {
    constexpr std::uint64_t low = (std::uint64_t{1} << ngram_class_bits) - 1;
    return class_ << ngram_class_bits | static_cast<std::uint32_t>(fmix64(hash_.value()) & low);
  }

 private:
  std::uint32_t class_;
  fnv1a hash_;
};

// visit(key) for all runs of n units, joined by one space.
template <class Unit, class F>
void visit_runs(const std::vector<Unit>& units, std::size_t n, std::uint32_t ngram_class, F&& visit) {
  for (std::size_t i = 0; i + n <= units.size(); ++i) {
    ngram_key key(ngram_class);
    for (std::size_t k = 0; k < n; ++k) {
      if (k > 0) key.add(" ");
      key.add(units[i + k]);
    }
    visit(key.value());
  }
}

// The last two characters of a word, after "^" where it begins with a capital and "-" where not: the ending, without the matter.
inline std::string skeleton_of(const text_token& word) {
  std::size_t at = word.lower.size();
  for (int characters = 0; at > 0 && characters < 2;) characters += begins_character(word.lower[--at]);
  std::string skeleton(1, word.capital ? '^' : '-');
  return skeleton.append(word.lower, at);
}

// ASCII lower case, digits 0, white space folded to one space, a space at each end; nothing for a text without characters.
inline std::string folded(std::string_view text) {
  std::string result(" ");
  for (const char c : text) {
    if (!is_space(c)) {
      result += is_digit(c) ? '0' : to_lower(c);
    } else if (result.back() != ' ') {
      result += ' ';
    }
  }
  if (result.back() != ' ') result += ' ';
  return result.size() > 1 ? result : std::string();
}

// Calls visit(key) for each n-gram of a text, as often as it occurs. Classes: 0, 1 words (1, 2); 2, 3 characters (3, 4);
// 4, 5 skeleton (1, 2); 6, 7 shape (2, 3).
template <class F>
void for_each_ngram(std::string_view text, ngram_form form, F&& visit) {
  const std::vector<text_token> tokens = tokenize(text);
  std::vector<std::string_view> words;
  for (const text_token& token : tokens) words.push_back(token.lower);
  visit_runs(words, 1, 0, visit);
  visit_runs(words, 2, 1, visit);
  if (form == ngram_form::words) return;

  const std::string characters = folded(text);
  std::vector<std::size_t> begins;
  for (std::size_t i = 0; i < characters.size(); ++i) {
    if (begins_character(characters[i])) begins.push_back(i);
  }
  begins.push_back(characters.size());
  for (const std::size_t n : {std::size_t{3}, std::size_t{4}}) {
    for (std::size_t i = 0; i + n < begins.size(); ++i) {
      const std::string_view gram = std::string_view(characters).substr(begins[i], begins[i + n] - begins[i]);
      visit(ngram_key(n == 3 ? 2 : 3).add(gram).value());
    }
  }

  std::vector<std::string> skeleton, shape;
  for (const text_token& token : tokens) {
    const bool kept = token.what != text_token::kind::word || is_function_word(token.lower);
    skeleton.push_back(kept ? token.lower : skeleton_of(token));
    shape.push_back(kept ? token.lower : token.capital ? "C" : "x");
  }
  visit_runs(skeleton, 1, 4, visit);
  visit_runs(skeleton, 2, 5, visit);
  visit_runs(shape, 2, 6, visit);
  visit_runs(shape, 3, 7, visit);
}

}  // namespace MMD_ISA
}  // namespace detail
}  // namespace mmd
