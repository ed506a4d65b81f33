// SPDX-License-Identifier: MIT
#include "mmd/text/tokens.hpp"

#include <algorithm>
#include <clocale>

#include "mmd/text/function_words.hpp"
#include "mmd/text/ngrams.hpp"
#include "support/catch2.hpp"
#include "support/temporary_folder.hpp"

namespace {
// All tokens, joined by "|".
std::string joined(const std::string& text) {
  std::string result;
  for (const mmd::text_token& token : mmd::tokenize(text)) result += (result.empty() ? "" : "|") + token.lower;
  return result;
}
}  // namespace

TEST_CASE("words, numbers and signs") {
  CHECK(joined("The cat, 12 dogs (and I).") == "the|cat|,|0|dogs|(|and|i|)|.");
  CHECK(joined("don't o'clock rock'n'roll 'tis dogs' ''") == "don't|o'clock|rock'n|'|roll|'|tis|dogs|'|'|'");
  CHECK(joined("3.14 1e10 x2y 007") == "0|.|0|0|e|0|x|0|y|0");
  CHECK(joined("café ÜBER") == "café|Über");
  CHECK(joined("a\tb\nc\rd\ve\ff g") == "a|b|c|d|e|f|g");
  CHECK(joined("") == "");
  CHECK(joined(" \n ") == "");
  CHECK(joined("x'\xff'y") == "x'\xff|'|y");
  CHECK(joined(std::string("a\0b", 3)) == std::string("a|\0|b", 5));
  const auto tokens = mmd::tokenize("Cat 5 !");
  REQUIRE(tokens.size() == 3);
  CHECK(tokens[0].what == mmd::text_token::kind::word);
  CHECK(tokens[0].capital);
  CHECK(tokens[1].what == mmd::text_token::kind::number);
  CHECK(tokens[2].what == mmd::text_token::kind::sign);
  CHECK_FALSE(tokens[2].capital);
}

TEST_CASE("the locale changes nothing") {
  const std::string text = "ÏI Iİ \xa0 \xc0 TITLE 1,5";
  const std::string before = joined(text);
  const std::string old = std::setlocale(LC_ALL, nullptr);
  for (const char* name : {"tr_TR.UTF-8", "de_DE.ISO-8859-1", "C.UTF-8", ""}) {
    std::setlocale(LC_ALL, name);
    CHECK(joined(text) == before);
  }
  std::setlocale(LC_ALL, old.c_str());
}

TEST_CASE("skeletons are the last two characters, whole ones also beyond ASCII") {
  const auto skeleton = [](const std::string& word) { return mmd::detail::skeleton_of(mmd::tokenize(word).at(0)); };
  CHECK(skeleton("walking") == "-ng");
  CHECK(skeleton("Walking") == "^ng");
  CHECK(skeleton("x") == "-x");
  CHECK(skeleton("fermé") == "-mé");
  CHECK(skeleton("渡し舟") == "-し舟");
  CHECK(skeleton("farmer's") == "-'s");
  CHECK(skeleton("\x80\x80") == "-\x80\x80");
}

TEST_CASE("folding leaves lower case, zeros and single spaces") {
  CHECK(mmd::detail::folded("  The  12\n\tÄPFEL ") == " the 00 Äpfel ");
  CHECK(mmd::detail::folded("a") == " a ");
  CHECK(mmd::detail::folded(" \n ").empty());
  CHECK(mmd::detail::folded("").empty());
}

TEST_CASE("the function words are sorted, and those that the golden counts were made with") {
  const auto& words = mmd::detail::function_words;
  CHECK(std::is_sorted(std::begin(words), std::end(words)));
  CHECK(std::adjacent_find(std::begin(words), std::end(words)) == std::end(words));
  std::string list;
  for (const std::string_view word : words) list += std::string(word) + "\n";
  CHECK(list == contents_of(MMD_TEST_DATA "/golden/text/function_words.txt"));
  CHECK(mmd::detail::is_function_word("the"));
  CHECK_FALSE(mmd::detail::is_function_word("The"));
  CHECK_FALSE(mmd::detail::is_function_word("lighthouse"));
}
