// SPDX-License-Identifier: MIT
// Tables for the splits of rows whose Gram matrix is at hand.
#pragma once

#include <cmath>
#include <cstdint>
#include <utility>
#include <vector>

#include "mmd/inference/permutation/table.hpp"

namespace mmd {
namespace detail {
inline namespace MMD_ISA {

// The table of a Gram matrix whose rows are in the order of their positions; the tolerance of the observed split from its own entries.
template <class T>
struct gram_splits {
  unit_table table;
  double tolerance;
};
template <class T>
gram_splits<T> tabulate(const table_pairs<T>& gram, index_t rows, const position_set& observed) {
  const auto count = static_cast<std::size_t>(rows);
  std::vector<double> sums(count), diagonal(count);
  double size[3] = {};  // sums of |k| within the chosen side, across, and within the other side, each pair once
  double chosen = 0;
  for (index_t block = 0; block < rows; block += sum_block) {
    std::vector<double> down(count);
    for (index_t i = block; i < std::min(block + sum_block, rows); ++i) {
      const T* row = gram.values + i * gram.stride;
      const bool side = observed.contains(i);
      double same = 0, other = 0;
      for (index_t j = 0; j < i; ++j) {
        const auto v = static_cast<double>(row[j]);
        down[static_cast<std::size_t>(j)] += v;
        (observed.contains(j) == side ? same : other) += std::abs(v);
      }
      sums[static_cast<std::size_t>(i)] += blocked_sum(i, [&](index_t j) { return static_cast<double>(row[j]); });
      size[side ? 0 : 2] += same;
      size[1] += other;
      chosen += side;
      diagonal[static_cast<std::size_t>(i)] = static_cast<double>(row[i]);
    }
    for (std::size_t j = 0; j < count; ++j) sums[j] += down[j];
  }
  const auto all = static_cast<double>(rows);
  gram_splits<T> out{{.all = {.size = all}}, tie_tolerance<T>(chosen, all - chosen, 2 * size[0], 2 * size[2], size[1])};
  out.table.own = position_sums(std::vector<double>(count));
  out.table.size = position_sums(std::vector<double>(count, 1));
  out.table.entries = position_sums(std::move(sums));
  out.table.diagonal = position_sums(std::move(diagonal));
  out.table.all.entries = out.table.entries.total();
  out.table.all.diagonal = out.table.diagonal.total();
  return out;
}

// Rows and columns of a caller's Gram matrix put in the order of positions, lower triangle and diagonal.
template <class T>
void gather(const samples<T>& gram, const std::vector<index_t>& order, std::vector<T>& out) {
  const std::size_t count = order.size();
  out.resize(count * count);
  for (std::size_t i = 0; i < count; ++i) {
    for (std::size_t j = 0; j <= i; ++j) out[i * count + j] = gram(order[i], order[j]);
  }
}

// Throws invalid_input unless the matrix is square, finite, and symmetric up to rounding. O(N^2).
template <class T>
void check_gram(const samples<T>& gram) {
  require(gram.rows() == gram.cols(), "gram.cols()", gram.cols(), "as many columns as rows");
  const auto at = [](index_t i, index_t j) { return "gram(" + std::to_string(i) + ", " + std::to_string(j) + ")"; };
  for (index_t i = 0; i < gram.rows(); ++i) {
    for (index_t j = 0; j <= i; ++j) {
      const T a = gram(i, j), b = gram(j, i);
      if (!std::isfinite(a)) reject(at(i, j).c_str(), a, "a finite number");
      if (!std::isfinite(b)) reject(at(j, i).c_str(), b, "a finite number");
      if (std::abs(a - b) > 16 * std::numeric_limits<T>::epsilon() * std::max(std::abs(a), std::abs(b))) {
        reject(at(i, j).c_str(), a, "the value of " + at(j, i) + ", " + shown(b) + ": a symmetric matrix");
      }
    }
  }
}

}  // namespace MMD_ISA
}  // namespace detail
}  // namespace mmd
