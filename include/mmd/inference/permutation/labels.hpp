// SPDX-License-Identifier: MIT
// Splits evaluated as label columns: v' K v in passes over the pairs. The kernel matrix is never stored.
#pragma once

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstdint>
#include <utility>
#include <vector>

#include "mmd/engine/backend.hpp"
#include "mmd/inference/permutation/arrange.hpp"
#include "mmd/inference/permutation/statistic.hpp"

namespace mmd {
namespace detail {
inline namespace MMD_ISA {

// The tolerance for ties needs the sums of |k| over the observed split. Where all values have one sign they are known; else one more pass.
template <class T, class B, class K>
double observed_tolerance(const B& on, const K& k, const pooled<T>& z, bool one_sign, const pool_sums& all, const side_sums& a) {
  if (one_sign) {
    const double across = a.entries - a.inside, other = all.entries - 2 * a.entries + a.inside;
    return tie_tolerance<T>(a.size, all.size - a.size, std::abs(a.inside), std::abs(other), std::abs(across));
  }
  row_sums sizes{.absolute = true};
  on.reduce(k, z, sizes);
  const index_t n = z.groups[0].rows(), m = z.groups[1].rows();
  double xx = 0, xy = 0, yy = 0;
  for (index_t i = 0; i < n; ++i) {
    xx += sizes(i, 0);
    xy += sizes(i, 1);
  }
  for (index_t i = n; i < n + m; ++i) yy += sizes(i, 1);
  return tie_tolerance<T>(static_cast<double>(n), static_cast<double>(m), xx, yy, xy);
}

// Whether all values of a kernel matrix have one sign, from its row sums and those of its absolute values.
inline bool have_one_sign(const row_sums& values, const row_sums& sizes) {
  double sum = 0, size = 0;
  for (const double v : values.sums) sum += v;
  for (const double v : sizes.sums) size += v;
  return std::abs(sum) == size;
}

// How many columns one pass takes: as few passes as half the memory limit allows, in whole blocks of the label matrix.
template <class B>
index_t columns_of_a_pass(const B& on, index_t rows, index_t columns) {
  constexpr index_t block = label_matrix::block;
  const double bytes = static_cast<double>(block * ((rows / 64 + 2) * 8 + 64 * static_cast<index_t>(sizeof(double))));
  const double budget = memory_limit_of(on) / 2, blocks = std::floor(budget / bytes);
  if (blocks < 1) {
    throw memory_limit_exceeded("a permutation test's label columns", static_cast<std::uint64_t>(2 * bytes),
                                static_cast<std::uint64_t>(2 * budget));
  }
  const index_t needed = (columns + block - 1) / block;
  const index_t most = blocks >= static_cast<double>(needed) ? needed : static_cast<index_t>(blocks);
  const index_t passes = (needed + most - 1) / most;
  return (needed + passes - 1) / passes * block;
}

// Columns first, first + 1, ... as labels of rows; unit u of a split is rows first_row[u] ... first_row[u + 1] - 1 (row u where it is
// empty).
template <class B>
void draw_labels(const B& on, const split_columns& columns, const std::vector<index_t>& first_row, index_t first, label_matrix& out) {
  constexpr index_t at_once = 16;
  on.for_each((out.columns() + at_once - 1) / at_once, [&](index_t part) {
    position_set side(columns.units());
    for (index_t c = part * at_once; c < std::min((part + 1) * at_once, out.columns()); ++c) {
      columns.get(first + c, side);
      if (first_row.empty()) {
        for (std::size_t w = 0; w < side.words().size(); ++w) *out.word(static_cast<index_t>(w), c) = side.words()[w];
        continue;
      }
      side.for_each([&](index_t u) {
        const auto unit = static_cast<std::size_t>(u);
        for (index_t i = first_row[unit]; i < first_row[unit + 1]; ++i) out.set(i, c);
      });
    }
  });
}

// The sums of numbers of 64 rows over the bits of a word, from tables of the sums over all subsets of four rows.
class subset_sums {
 public:
  subset_sums(const position_sums& numbers, index_t first, index_t rows) {
    for (auto& table : tables_) {
      for (int l = 0; l < 4; ++l, ++first) {
        const double v = first < rows ? numbers.deviation(static_cast<std::size_t>(first)) : 0;
        for (int e = 0; e < 1 << l; ++e) table[e + (1 << l)] = table[e] + v;
      }
    }
  }
  double operator()(std::uint64_t word) const {
    double even = 0, odd = 0;
    for (int g = 0; g < 16; g += 2, word >>= 8) {
      even += tables_[g][word & 15];
      odd += tables_[g + 1][word >> 4 & 15];
    }
    return even + odd;
  }

 private:
  double tables_[16][16] = {};
};

// The sums over the chosen rows of every column: sizes, entries and k(z, z).
template <class B>
std::vector<side_sums> sum_sides(const B& on, const label_matrix& labels, const position_sums& entries, const position_sums& diagonal) {
  const index_t rows = labels.rows();
  std::vector<side_sums> sides(static_cast<std::size_t>(labels.columns()));
  on.for_each((labels.columns() + label_matrix::block - 1) / label_matrix::block, [&](index_t part) {
    const index_t first = part * label_matrix::block, last = std::min(first + label_matrix::block, labels.columns());
    for (index_t row = 0; row < rows; row += 64) {
      const std::uint64_t* word = labels.word(row / 64, first);
      const subset_sums of_entries(entries, row, rows);
      for (index_t c = first; c < last; ++c) {
        sides[static_cast<std::size_t>(c)].size += std::popcount(word[c - first]);
        sides[static_cast<std::size_t>(c)].entries += of_entries(word[c - first]);
      }
      if (diagonal.constant()) continue;
      const subset_sums of_diagonal(diagonal, row, rows);
      for (index_t c = first; c < last; ++c) sides[static_cast<std::size_t>(c)].diagonal += of_diagonal(word[c - first]);
    }
  });
  for (side_sums& side : sides) {
    side.entries += side.size * entries.mean();
    side.diagonal += side.size * diagonal.mean();
  }
  return sides;
}

// O(N^2 (d + B / 4)) flops, halved by symmetry; N / 8 bytes a column, in passes that obey the memory limit.
template <class T, class B, class K>
evaluated_splits evaluate_labels(const B& on, const K& k, const shuffled_pool<T>& pool, const split_columns& columns) {
  const index_t rows = pool.rows.rows(), total = columns.columns();
  std::vector<index_t> first_row;  // of each unit, and the end
  for (index_t u = 0, row = 0; !pool.unit_rows.empty() && u <= columns.units(); ++u) {
    first_row.push_back(row);
    if (u < columns.units()) row += pool.unit_rows[static_cast<std::size_t>(u)];
  }
  evaluated_splits out;
  out.values.resize(static_cast<std::size_t>(total));
  pool_sums all{.size = static_cast<double>(rows)};
  position_sums entries, diagonal;
  const index_t step = columns_of_a_pass(on, rows, total);
  on.report("permutations", 0, static_cast<std::uint64_t>(total));
  for (index_t first = 0; first < total; first += step) {
    label_matrix labels(rows, std::min(step, total - first));
    draw_labels(on, columns, first_row, first, labels);
    quadratic_forms inside(labels);
    bool one_sign = is_nonnegative(k);
    if (first == 0) {
      row_sums values, sizes{.absolute = true};
      const layout lay = one_sign ? on.reduce(k, pool.rows, inside, values) : on.reduce(k, pool.rows, inside, values, sizes);
      one_sign = one_sign || have_one_sign(values, sizes);
      entries = position_sums(std::move(values.sums));
      diagonal = position_sums(lay.diagonal);
      all.entries = entries.total();
      all.diagonal = diagonal.total();
    } else {
      on.reduce(k, pool.rows, inside);
    }
    std::vector<side_sums> sides = sum_sides(on, labels, entries, diagonal);
    for (std::size_t c = 0; c < sides.size(); ++c) {
      sides[c].inside = inside.value[c];
      out.values[static_cast<std::size_t>(first) + c] = split_statistic(pool.which, all, sides[c]);
    }
    if (first == 0) out.tolerance = observed_tolerance<T>(on, k, pool.samples_as_given, one_sign, all, sides[0]);
    on.report("permutations", static_cast<std::uint64_t>(std::min(first + step, total)), static_cast<std::uint64_t>(total));
  }
  return out;
}

}  // namespace MMD_ISA
}  // namespace detail
}  // namespace mmd
