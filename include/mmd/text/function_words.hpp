// SPDX-License-Identifier: MIT
// English words that carry grammar rather than matter.
#pragma once

#include <algorithm>
#include <iterator>
#include <string_view>

#include "mmd/core/config.hpp"

namespace mmd {
namespace detail {

// Articles, pronouns, prepositions, conjunctions, auxiliaries, their contractions, and common adverbs of degree, time and place; sorted.
inline constexpr std::string_view function_words[] = {
    "a",         "about",      "above",      "across",     "after",     "again",     "against",   "ain't",       "all",        "almost",
    "along",     "already",    "also",       "although",   "always",    "am",        "among",     "an",          "and",        "another",
    "any",       "anybody",    "anyone",     "anything",   "anywhere",  "are",       "aren't",    "around",      "as",         "at",
    "away",      "back",       "be",         "because",    "been",      "before",    "behind",    "being",       "below",      "beneath",
    "beside",    "between",    "beyond",     "both",       "but",       "by",        "can",       "can't",       "cannot",     "could",
    "couldn't",  "despite",    "did",        "didn't",     "do",        "does",      "doesn't",   "doing",       "don't",      "done",
    "down",      "during",     "each",       "either",     "else",      "enough",    "even",      "ever",        "every",      "everybody",
    "everyone",  "everything", "everywhere", "except",     "few",       "for",       "from",      "furthermore", "had",        "hadn't",
    "has",       "hasn't",     "have",       "haven't",    "having",    "he",        "he'd",      "he'll",       "he's",       "hence",
    "her",       "here",       "here's",     "hers",       "herself",   "him",       "himself",   "his",         "how",        "however",
    "i",         "i'd",        "i'll",       "i'm",        "i've",      "if",        "in",        "inside",      "instead",    "into",
    "is",        "isn't",      "it",         "it'll",      "it's",      "its",       "itself",    "just",        "least",      "less",
    "let's",     "like",       "many",       "may",        "maybe",     "me",        "meanwhile", "might",       "mine",       "more",
    "moreover",  "most",       "much",       "must",       "mustn't",   "my",        "myself",    "near",        "neither",    "never",
    "no",        "nobody",     "none",       "nor",        "not",       "nothing",   "now",       "nowhere",     "of",         "off",
    "often",     "oh",         "ok",         "okay",       "on",        "once",      "one",       "only",        "onto",       "or",
    "other",     "otherwise",  "ought",      "our",        "ours",      "ourselves", "out",       "outside",     "over",       "own",
    "past",      "per",        "perhaps",    "quite",      "rather",    "really",    "same",      "several",     "shall",      "she",
    "she'd",     "she'll",     "she's",      "should",     "shouldn't", "since",     "so",        "some",        "somebody",   "someone",
    "something", "sometimes",  "somewhere",  "soon",       "still",     "such",      "than",      "that",        "that's",     "the",
    "their",     "theirs",     "them",       "themselves", "then",      "there",     "there's",   "therefore",   "these",      "they",
    "they'd",    "they'll",    "they're",    "they've",    "this",      "those",     "though",    "through",     "throughout", "thus",
    "to",        "too",        "toward",     "towards",    "under",     "unless",    "until",     "up",          "upon",       "us",
    "usually",   "very",       "via",        "was",        "wasn't",    "we",        "we'd",      "we'll",       "we're",      "we've",
    "well",      "were",       "weren't",    "what",       "what's",    "whatever",  "when",      "whenever",    "where",      "whereas",
    "wherever",  "whether",    "which",      "whichever",  "while",     "who",       "who's",     "whoever",     "whom",       "whose",
    "why",       "will",       "with",       "within",     "without",   "won't",     "would",     "wouldn't",    "yes",        "yet",
    "you",       "you'd",      "you'll",     "you're",     "you've",    "your",      "yours",     "yourself",    "yourselves",
};

inline namespace MMD_ISA {
inline bool is_function_word(std::string_view lower) {
  return std::binary_search(std::begin(function_words), std::end(function_words), lower);
}
}  // namespace MMD_ISA

}  // namespace detail
}  // namespace mmd
