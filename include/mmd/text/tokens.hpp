// SPDX-License-Identifier: MIT
// Text as tokens and characters: bytes in, no locale, the same everywhere.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

#include "mmd/core/config.hpp"

namespace mmd {

// A word, a number or a single sign.
struct text_token {
  enum class kind { word, number, sign };
  kind what = kind::sign;
  bool capital = false;  // a word that begins with an ASCII capital
  std::string lower;     // ASCII lower case; numbers are "0"
};

namespace detail {
inline namespace MMD_ISA {

constexpr bool is_space(char c) { return c == ' ' || (c >= '\t' && c <= '\r'); }
constexpr bool is_digit(char c) { return c >= '0' && c <= '9'; }
constexpr bool is_capital(char c) { return c >= 'A' && c <= 'Z'; }
constexpr char to_lower(char c) { return is_capital(c) ? static_cast<char>(c - 'A' + 'a') : c; }
// ASCII letters and all bytes from 0x80 on, so that no character of UTF-8 is ever cut.
constexpr bool is_letter(char c) { return (to_lower(c) >= 'a' && to_lower(c) <= 'z') || static_cast<unsigned char>(c) >= 0x80; }
// Whether a byte begins a character of UTF-8. In text that is not UTF-8 stray continuation bytes belong to the character before them.
constexpr bool begins_character(char c) { return (static_cast<unsigned char>(c) & 0xc0) != 0x80; }

}  // namespace MMD_ISA
}  // namespace detail

inline namespace MMD_ISA {

// Words are runs of letters (ASCII, or bytes from 0x80 on) with at most one inner part after an apostrophe ("don't"; "rock'n'roll" is
// "rock'n", "'", "roll"); runs of digits are "0"; any other byte but white space stands alone. Any bytes will do, UTF-8 or not.
inline std::vector<text_token> tokenize(std::string_view text) {
  std::vector<text_token> tokens;
  const auto run = [&](std::size_t from, auto&& belongs) {
    while (from < text.size() && belongs(text[from])) ++from;
    return from;
  };
  for (std::size_t i = 0; i < text.size();) {
    const char c = text[i];
    if (detail::is_space(c)) {
      ++i;
    } else if (detail::is_letter(c)) {
      std::size_t end = run(i, detail::is_letter);
      if (end + 1 < text.size() && text[end] == '\'' && detail::is_letter(text[end + 1])) end = run(end + 1, detail::is_letter);
      text_token word{text_token::kind::word, detail::is_capital(c), std::string(text.substr(i, end - i))};
      for (char& letter : word.lower) letter = detail::to_lower(letter);
      tokens.push_back(std::move(word));
      i = end;
    } else if (detail::is_digit(c)) {
      tokens.push_back({text_token::kind::number, false, "0"});
      i = run(i, detail::is_digit);
    } else {
      tokens.push_back({text_token::kind::sign, false, std::string(1, c)});
      ++i;
    }
  }
  return tokens;
}

}  // namespace MMD_ISA
}  // namespace mmd
