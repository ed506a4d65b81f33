// SPDX-License-Identifier: MIT
// Splits evaluated as label columns: v' K v in passes over the pairs. The kernel matrix is never stored.
#pragma once

#include <algorithm>
#include <cmath>
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

// How many columns one pass takes: as few passes as half the memory limit allows, in whole blocks of eight.
template <class B>
index_t columns_of_a_pass(const B& on, index_t rows, index_t columns) {
  const double column = static_cast<double>(rows) + 64 * sizeof(double), budget = memory_limit_of(on) / 2;
  const double blocks = std::floor(budget / (8 * column));
  if (blocks < 1) {
    throw memory_limit_exceeded("a permutation test's label columns", static_cast<std::uint64_t>(16 * column),
                                static_cast<std::uint64_t>(2 * budget));
  }
  const index_t needed = (columns + 7) / 8;
  const index_t most = blocks >= static_cast<double>(needed) ? needed : static_cast<index_t>(blocks);
  const index_t passes = (needed + most - 1) / most;
  return (needed + passes - 1) / passes * 8;
}

// O(N^2 (d + B)) flops, halved by symmetry; N bytes a column, in passes that obey the memory limit.
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
    const index_t blocks = (labels.columns() + 7) / 8;
    on.for_each(blocks, [&](index_t block) {
      position_set side(columns.units());
      for (index_t c = 8 * block; c < std::min(8 * block + 8, labels.columns()); ++c) {
        columns.get(first + c, side);
        side.for_each([&](index_t u) {
          const auto unit = static_cast<std::size_t>(u);
          const index_t begin = first_row.empty() ? u : first_row[unit], end = first_row.empty() ? u + 1 : first_row[unit + 1];
          for (index_t i = begin; i < end; ++i) labels(i, c) = 1;
        });
      }
    });
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
    std::vector<side_sums> sides(static_cast<std::size_t>(8 * blocks));
    on.for_each(blocks, [&](index_t block) {
      side_sums* side = &sides[static_cast<std::size_t>(8 * block)];
      for (index_t start = 0; start < rows; start += sum_block) {
        double size[8] = {}, row[8] = {}, same[8] = {};
        for (index_t i = start; i < std::min(start + sum_block, rows); ++i) {
          const std::int8_t* v = labels.at(i, 8 * block);
          const double e = entries.deviation(static_cast<std::size_t>(i)), d = diagonal.deviation(static_cast<std::size_t>(i));
          for (int c = 0; c < 8; ++c) {
            const double label = v[c];
            size[c] += label;
            row[c] += label * e;
            same[c] += label * d;
          }
        }
        for (int c = 0; c < 8; ++c) {
          side[c].size += size[c];
          side[c].entries += row[c];
          side[c].diagonal += same[c];
        }
      }
    });
    for (index_t c = 0; c < labels.columns(); ++c) {
      side_sums& side = sides[static_cast<std::size_t>(c)];
      side.inside = inside.value[static_cast<std::size_t>(c)];
      side.entries += side.size * entries.mean();
      side.diagonal += side.size * diagonal.mean();
      out.values[static_cast<std::size_t>(first + c)] = split_statistic(pool.which, all, side);
    }
    if (first == 0) out.tolerance = observed_tolerance<T>(on, k, pool.samples_as_given, one_sign, all, sides[0]);
    on.report("permutations", static_cast<std::uint64_t>(std::min(first + step, total)), static_cast<std::uint64_t>(total));
  }
  return out;
}

}  // namespace MMD_ISA
}  // namespace detail
}  // namespace mmd
