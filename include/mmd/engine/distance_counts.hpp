// SPDX-License-Identifier: MIT
// Counts of the values of K, for order statistics of all pairs without a list of them.
#pragma once

#include <algorithm>
#include <bit>
#include <cstdint>
#include <limits>
#include <vector>

#include "mmd/engine/reducers.hpp"

namespace mmd {
inline namespace MMD_ISA {

// The values K_ij >= 0 of all pairs i < j, by place: how many lie below `low`, how many in [low, high] and in which of its bins, the
// smallest above `high`, the largest of all; and those inside themselves while no more than `capacity`. A bin is a range of neighbouring
// doubles: repeated passes narrow an interval down to a single value. Nothing depends on the order of the pairs, but that of `values` does.
struct distance_counts {
  double low = 0, high = std::numeric_limits<double>::infinity();
  index_t capacity = 0;
  index_t below = 0, inside = 0;
  double above = std::numeric_limits<double>::infinity(), largest = 0;
  std::vector<index_t> bins = {};
  std::vector<double> values = {};  // the first `inside` where inside <= capacity
  int shift = 0;                    // log2 of the doubles in a bin

  static constexpr std::size_t bin_count = 4096;                                           // 2^12
  static std::uint64_t bits(double value) { return std::bit_cast<std::uint64_t>(value); }  // ordered as the values, from 0 on
  std::size_t bin_of(double value) const { return static_cast<std::size_t>((bits(value) - bits(low)) >> shift); }
  // The smallest and the largest double of a bin.
  double first_of(std::size_t bin) const { return std::bit_cast<double>(bits(low) + (std::uint64_t{bin} << shift)); }
  double last_of(std::size_t bin) const {
    return std::bit_cast<double>(std::min(bits(high), bits(low) + ((std::uint64_t{bin} + 1) << shift) - 1));
  }

  static constexpr bool shared = true;  // the parts count with atomic operations
  void prepare(const layout& l) {
    below = inside = 0;
    above = std::numeric_limits<double>::infinity();
    largest = 0;
    shift = std::max(0, static_cast<int>(std::bit_width(bits(high) - bits(low))) - 12);
    bins.assign(bin_count, 0);
    values.resize(kept(l));
  }
  std::uint64_t bytes(const layout& l) const { return detail::doubles(static_cast<index_t>(bin_count + kept(l))); }
  void merge(const distance_counts&) {}

 private:
  std::size_t kept(const layout& l) const { return static_cast<std::size_t>(std::min(capacity, l.rows * (l.rows - 1) / 2)); }
};

}  // namespace MMD_ISA
}  // namespace mmd
