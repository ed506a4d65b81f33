// SPDX-License-Identifier: MIT
// Tables for the splits of rows whose Gram matrix is at hand.
#pragma once

#include <algorithm>
#include <cmath>
#include <limits>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>

#include "mmd/inference/permutation/table.hpp"

namespace mmd {
namespace detail {
inline namespace MMD_ISA {

// Sums over values and over their absolute values.
struct value_sums {
  double sum = 0, size = 0;
};
// Of row[0] ... row[count - 1], which are added to `down`, their absolute values to `down_size`.
template <class T>
value_sums add_row(const T* row, index_t count, double* down, double* down_size) {
  using S = simd<double>;
  constexpr index_t width = S::width;
  value_sums out;
  index_t j = 0;
  while (j + width <= count) {
    S sum = 0.0, size = 0.0;
    for (const index_t end = std::min(j + sum_block * width, count); j + width <= end; j += width) {
      const S value = S::load_from(row + j), absolute = abs(value);
      sum += value;
      size += absolute;
      (S::load(down + j) + value).store(down + j);
      (S::load(down_size + j) + absolute).store(down_size + j);
    }
    out.sum += sum.sum();
    out.size += size.sum();
  }
  for (; j < count; ++j) {
    const auto value = static_cast<double>(row[j]);
    out.sum += value;
    out.size += std::abs(value);
    down[j] += value;
    down_size[j] += std::abs(value);
  }
  return out;
}

// The table of a Gram matrix whose rows are in the order of their positions; the tolerance of the observed split from its own entries.
template <class T>
struct gram_splits {
  unit_table table;
  double tolerance;
};
template <class T>
gram_splits<T> tabulate(const table_pairs<T>& gram, index_t rows, const position_set& observed) {
  const auto count = static_cast<std::size_t>(rows);
  std::vector<double> sums(count), sizes(count), down(count), down_size(count), diagonal(count);
  for (index_t block = 0; block < rows; block += sum_block) {
    const index_t end = std::min(block + sum_block, rows);
    std::fill_n(down.begin(), end, 0.0);
    std::fill_n(down_size.begin(), end, 0.0);
    for (index_t i = block; i < end; ++i) {
      const auto p = static_cast<std::size_t>(i);
      const value_sums of_row = add_row(gram.row(i), i, down.data(), down_size.data());
      sums[p] += of_row.sum;
      sizes[p] += of_row.size;
      diagonal[p] = static_cast<double>(gram.row(i)[i]);
    }
    for (std::size_t j = 0; j < static_cast<std::size_t>(end); ++j) {
      sums[j] += down[j];
      sizes[j] += down_size[j];
    }
  }
  double chosen = 0, inside = 0, touching = 0, total = 0;  // sums of |k|, every pair in both orders
  std::vector<index_t> before;
  observed.for_each([&](index_t i) {
    for (const index_t j : before) inside += 2 * std::abs(static_cast<double>(gram.row(i)[j]));
    before.push_back(i);
    touching += sizes[static_cast<std::size_t>(i)];
    ++chosen;
  });
  for (const double size : sizes) total += size;
  const auto all = static_cast<double>(rows);
  gram_splits<T> out{{.all = {.size = all}},
                     tie_tolerance<T>(chosen, all - chosen, inside, total - 2 * touching + inside, touching - inside)};
  out.table.own = position_sums(rows, 0);
  out.table.size = position_sums(rows, 1);
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
  const auto fill = [&](const auto step) {
    for (std::size_t i = 0; i < count; ++i) {
      const T* row = gram.data() + order[i] * gram.rowStride();
      for (std::size_t j = 0; j <= i; ++j) out[i * count + j] = row[order[j] * index_t{step}];
    }
  };
  if (gram.colStride() == 1) {
    fill(std::integral_constant<index_t, 1>{});
  } else {
    fill(gram.colStride());
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
