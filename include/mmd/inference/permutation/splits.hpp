// SPDX-License-Identifier: MIT
// Splits of a pool in two: subsets of positions, drawn or enumerated. A split is a function of (seed, test, draw) and the sizes alone.
#pragma once

#include <algorithm>
#include <bit>
#include <cstdint>
#include <limits>
#include <numeric>
#include <vector>

#include "mmd/core/philox.hpp"

namespace mmd {
// Most permutations of one test: 800 MB of null draws.
inline constexpr index_t most_permutations = 100'000'000;

namespace detail {
inline namespace MMD_ISA {

inline void check_permutations(index_t permutations) {
  require(permutations >= 1, "permutations", permutations, "1 or more");
  require(permutations <= most_permutations, "permutations", permutations, (std::to_string(most_permutations) + " or fewer").c_str());
}

// n over k, or 2^64 - 1 where it is larger.
inline std::uint64_t binomial_coefficient(std::uint64_t n, std::uint64_t k) {
  if (k > n) return 0;
  k = std::min(k, n - k);
  std::uint64_t value = 1;
  for (std::uint64_t i = 1; i <= k; ++i) {
    const std::uint64_t common = std::gcd(value, i), factor = (n - k + i) / (i / common);
    value /= common;
    if (value > std::numeric_limits<std::uint64_t>::max() / factor) return std::numeric_limits<std::uint64_t>::max();
    value *= factor;
  }
  return value;
}

// A set of positions 0 .. size - 1, kept as bits so that it is always read in ascending order.
class position_set {
 public:
  explicit position_set(index_t size) : words_(static_cast<std::size_t>((size + 63) / 64)) {}
  void clear() { std::fill(words_.begin(), words_.end(), 0); }
  // Inserts i, or, if it is there, `instead`; without a branch, which nobody could predict.
  void insert_or(index_t i, index_t instead) { insert(i + (instead - i) * contains(i)); }
  void insert(index_t i) { words_[static_cast<std::size_t>(i / 64)] |= std::uint64_t{1} << (i % 64); }
  const std::vector<std::uint64_t>& words() const { return words_; }  // position 64 w + k is bit k of word w
  bool contains(index_t i) const { return words_[static_cast<std::size_t>(i / 64)] >> (i % 64) & 1; }
  template <class F>
  void for_each(F&& f) const {
    for (std::size_t w = 0; w < words_.size(); ++w) {
      for (std::uint64_t left = words_[w]; left; left &= left - 1) f(static_cast<index_t>(64 * w) + std::countr_zero(left));
    }
  }

 private:
  std::vector<std::uint64_t> words_;
};

// The columns of one test: column 0 is the observed split; the others are iid uniform draws, or all the other splits, each once.
class split_columns {
 public:
  // `observed` holds the `chosen` positions of the smaller sample among `units` (of x where they are equal).
  split_columns(position_set observed, index_t units, index_t chosen, std::uint64_t seed, std::uint64_t test, std::uint64_t columns,
                bool enumerate)
      : observed_(std::move(observed)), units_(units), chosen_(chosen), seed_(seed), test_(test), columns_(columns), enumerate_(enumerate) {
    if (enumerate_) {
      std::uint64_t k = 0;
      observed_.for_each([&](index_t p) { observed_rank_ += binomial_coefficient(static_cast<std::uint64_t>(p), ++k); });
    }
  }
  index_t units() const { return units_; }
  index_t chosen() const { return chosen_; }
  index_t columns() const { return static_cast<index_t>(columns_); }
  const position_set& observed() const { return observed_; }
  std::uint64_t seed() const { return seed_; }
  std::uint64_t test() const { return test_; }
  bool enumerated() const { return enumerate_; }

  // The chosen positions of a column.
  void get(index_t column, position_set& out) const {
    if (column == 0) {
      out = observed_;
      return;
    }
    out.clear();
    if (enumerate_) {
      unrank(static_cast<std::uint64_t>(column) - (static_cast<std::uint64_t>(column) <= observed_rank_), out);
    } else {
      draw(static_cast<std::uint64_t>(column) - 1, out);
    }
  }

 private:
  // Floyd's algorithm (Bentley and Floyd, Comm. ACM 30, 1987): a uniform subset from `chosen` random numbers.
  void draw(std::uint64_t b, position_set& out) const {
    random_stream stream(seed_, purpose::permutation, test_, b);
    for (index_t j = units_ - chosen_; j < units_; ++j) {
      const auto p = static_cast<index_t>(stream.below(static_cast<std::uint64_t>(j) + 1));
      out.insert_or(p, j);
    }
  }
  // The subset of that rank in colexicographic order: rank = sum over its ascending positions p_1 < p_2 < ... of p_k over k.
  void unrank(std::uint64_t rank, position_set& out) const {
    std::uint64_t above = static_cast<std::uint64_t>(units_);
    for (auto k = static_cast<std::uint64_t>(chosen_); k > 0; --k) {
      std::uint64_t low = k - 1, high = above;  // the largest p with p over k <= rank is in [low, high)
      while (high - low > 1) {
        const std::uint64_t middle = low + (high - low) / 2;
        (binomial_coefficient(middle, k) <= rank ? low : high) = middle;
      }
      out.insert(static_cast<index_t>(low));
      rank -= binomial_coefficient(low, k);
      above = low;
    }
  }

  position_set observed_;
  index_t units_, chosen_;
  std::uint64_t seed_, test_, columns_, observed_rank_ = 0;
  bool enumerate_;
};

}  // namespace MMD_ISA
}  // namespace detail
}  // namespace mmd
