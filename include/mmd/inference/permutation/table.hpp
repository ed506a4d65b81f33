// SPDX-License-Identifier: MIT
// Splits evaluated from a table of sums between units (a Gram matrix, or block sums between bins): O(B a^2) look-ups for a chosen units,
// or O(B U^2) multiply-adds for U units, whichever costs less.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <vector>

#include "mmd/engine/backend.hpp"
#include "mmd/inference/permutation/statistic.hpp"

namespace mmd {
namespace detail {
inline namespace MMD_ISA {

// The sum of row[index[0]], ..., row[index[count - 1]], in four lanes. Sums are taken row by row and then over the rows: values that
// repeat, as in discrete data, would let the rounding of one long sum grow with its length, and ties would come apart.
template <class G, class Index>
double gathered_sum(const G* row, const Index* index, std::size_t count) {
  double lane[4] = {};
  std::size_t j = 0;
  for (; j + 4 <= count; j += 4) {
    for (std::size_t l = 0; l < 4; ++l) lane[l] += static_cast<double>(row[index[j + l]]);
  }
  for (; j < count; ++j) lane[j % 4] += static_cast<double>(row[index[j]]);
  return (lane[0] + lane[1]) + (lane[2] + lane[3]);
}

// Pairs of units in the order of their positions: entry (u, v), u > v, is read at values[u * stride + v].
template <class G>
struct table_pairs {
  const G* values;
  index_t stride;

  // 2 * the sum over pairs of chosen positions, which ascend.
  double inside(const std::vector<std::int32_t>& chosen) const {
    double sum = 0;
    for (std::size_t i = 1; i < chosen.size(); ++i) sum += gathered_sum(values + chosen[i] * stride, chosen.data(), i);
    return 2 * sum;
  }
};

// What the splits of a table need besides its pairs, one number a movable unit. `fixed` are the sums of the rows that always belong to the
// chosen side.
struct unit_table {
  pool_sums all = {};
  position_sums own = {};       // entries within a unit, and twice those against the chosen side's fixed rows
  position_sums entries = {};   // against everything
  position_sums diagonal = {};  // k(z, z)
  position_sums size = {};      // rows
  side_sums fixed = {};

  side_sums side(double pairs, const std::vector<std::int32_t>& chosen) const {
    return {fixed.size + size.over(chosen), fixed.inside + own.over(chosen) + pairs, fixed.entries + entries.over(chosen),
            fixed.diagonal + diagonal.over(chosen)};
  }
};

inline constexpr index_t dense_columns = 32;

// Which of the two ways costs less: a look-up costs about as much as twelve multiply-adds.
inline bool dense_is_cheaper(index_t units, index_t chosen) { return 12 * chosen * chosen > units * units; }

// The same sums as table_pairs::inside for up to 32 columns at once; every column has its own lane, so its place does not change its bits.
template <class G>
void dense_inside(const table_pairs<G>& pairs, const std::vector<double>& labels, index_t units, double* out) {
  double sum[dense_columns] = {};
  for (index_t u = 1; u < units; ++u) {
    const G* row = pairs.values + u * pairs.stride;
    const double* v = labels.data();
    double of_row[dense_columns] = {};
    for (index_t start = 0; start < u; start += sum_block) {
      double part[dense_columns] = {};
      for (index_t w = start; w < std::min(start + sum_block, u); ++w, v += dense_columns) {
        const auto g = static_cast<double>(row[w]);
        for (index_t c = 0; c < dense_columns; ++c) part[c] += g * v[c];
      }
      for (index_t c = 0; c < dense_columns; ++c) of_row[c] += part[c];
    }
    for (index_t c = 0; c < dense_columns; ++c) sum[c] += of_row[c] * v[c];
  }
  for (index_t c = 0; c < dense_columns; ++c) out[c] = 2 * sum[c];
}

// Statistics of columns first .. first + count - 1, on the calling thread, with pairs of its own: they may keep scratch memory.
template <class Pairs, class Columns>
void evaluate_columns(Pairs pairs, const unit_table& table, estimator which, const Columns& columns, index_t first, index_t count,
                      double* out) {
  position_set set(columns.units());
  std::vector<std::int32_t> chosen;
  const auto read = [&](index_t column) { columns.read(column, set, chosen); };
  constexpr bool has_dense = requires { dense_inside(pairs, std::vector<double>{}, index_t{}, out); };
  if constexpr (has_dense) {
    if (dense_is_cheaper(columns.units(), columns.chosen())) {
      std::vector<double> labels(static_cast<std::size_t>(columns.units() * dense_columns));
      std::vector<side_sums> sides(dense_columns);
      double inside[dense_columns];
      for (index_t start = 0; start < count; start += dense_columns) {
        const index_t width = std::min(dense_columns, count - start);
        std::fill(labels.begin(), labels.end(), 0);
        for (index_t c = 0; c < width; ++c) {
          read(first + start + c);
          for (const std::int32_t u : chosen) labels[static_cast<std::size_t>(u * dense_columns + c)] = 1;
          sides[static_cast<std::size_t>(c)] = table.side(0, chosen);
        }
        dense_inside(pairs, labels, columns.units(), inside);
        for (index_t c = 0; c < width; ++c) {
          sides[static_cast<std::size_t>(c)].inside += inside[c];
          out[start + c] = split_statistic(which, table.all, sides[static_cast<std::size_t>(c)]);
        }
      }
      return;
    }
  }
  for (index_t c = 0; c < count; ++c) {
    read(first + c);
    out[c] = split_statistic(which, table.all, table.side(pairs.inside(chosen), chosen));
  }
}

// All columns, in parallel over chunks of fixed size.
template <class B, class Pairs>
std::vector<double> evaluate_table(const B& on, const Pairs& pairs, const unit_table& table, estimator which,
                                   const split_columns& columns) {
  constexpr index_t chunk = 2 * dense_columns, slab = 256 * chunk;
  const index_t total = columns.columns();
  std::vector<double> out(static_cast<std::size_t>(total));
  on.report("permutations", 0, static_cast<std::uint64_t>(total));
  for (index_t first = 0; first < total; first += slab) {
    const index_t last = std::min(first + slab, total);
    on.for_each((last - first + chunk - 1) / chunk, [&](index_t part) {
      const index_t begin = first + part * chunk;
      evaluate_columns(pairs, table, which, columns, begin, std::min(chunk, last - begin), &out[static_cast<std::size_t>(begin)]);
    });
    on.report("permutations", static_cast<std::uint64_t>(last), static_cast<std::uint64_t>(total));
  }
  return out;
}

}  // namespace MMD_ISA
}  // namespace detail
}  // namespace mmd
