// SPDX-License-Identifier: MIT
// Splits of units that hold several rows each: one pass leaves the sums between the units, everything else is arithmetic on these.
#pragma once

#include <utility>
#include <vector>

#include "mmd/inference/permutation/labels.hpp"
#include "mmd/inference/permutation/table.hpp"

namespace mmd {
namespace detail {
inline namespace MMD_ISA {

// The block sums of units as a table: the first `movable` units move, the others belong to the chosen side where `held_in` says so.
inline unit_table tabulate(const block_sums& blocks, index_t movable, const std::vector<bool>& held_in) {
  const auto count = static_cast<std::size_t>(movable);
  unit_table out;
  std::vector<double> own(count), entries(count), diagonal(count), size(count);
  for (index_t u = 0; u < blocks.bins(); ++u) {
    double sum = 0, held = 0;
    for (index_t v = 0; v < blocks.bins(); ++v) {
      sum += blocks(u, v);
      if (v >= movable && held_in[static_cast<std::size_t>(v - movable)]) held += blocks(u, v);
    }
    const auto i = static_cast<std::size_t>(u);
    const auto rows = static_cast<double>(blocks.bin_rows[i]);
    out.all.size += rows;
    out.all.entries += sum;
    out.all.diagonal += blocks.diagonal[i];
    if (u < movable) {
      own[i] = blocks(u, u) + 2 * held;
      entries[i] = sum;
      diagonal[i] = blocks.diagonal[i];
      size[i] = rows;
    } else if (held_in[i - count]) {
      out.fixed.size += rows;
      out.fixed.inside += held;
      out.fixed.entries += sum;
      out.fixed.diagonal += blocks.diagonal[i];
    }
  }
  out.own = position_sums(std::move(own));
  out.entries = position_sums(std::move(entries));
  out.diagonal = position_sums(std::move(diagonal));
  out.size = position_sums(std::move(size));
  return out;
}

// The chosen side of one split.
inline side_sums side_of(const table_pairs<double>& pairs, const unit_table& table, const position_set& chosen) {
  side_sums out = table.fixed;
  std::vector<index_t> before;
  chosen.for_each([&](index_t u) {
    const auto p = static_cast<std::size_t>(u);
    double inside = 0;
    for (const index_t v : before) inside += pairs.row(u)[v];
    const auto value = [p](const position_sums& of) { return of.mean() + (of.constant() ? 0 : of.deviation(p)); };
    out.size += value(table.size);
    out.inside += value(table.own) + 2 * inside;
    out.entries += value(table.entries);
    out.diagonal += value(table.diagonal);
    before.push_back(u);
  });
  return out;
}

// One pass for the sums between the units of a pool (rows.order and unit_rows), then every column from the table.
template <class T, class B, class K>
evaluated_splits evaluate_blocks(const B& on, const K& k, const shuffled_pool<T>& pool, const std::vector<bool>& held_in,
                                 const split_columns& columns) {
  block_sums blocks{.bin_rows = pool.unit_rows};
  bool one_sign = is_nonnegative(k);
  if (one_sign) {
    on.reduce(k, pool.rows, blocks);
  } else {
    row_sums values, sizes{.absolute = true};
    on.reduce(k, pool.rows, blocks, values, sizes);
    one_sign = have_one_sign(values, sizes);
  }
  const index_t movable = columns.units();
  const unit_table table = tabulate(blocks, movable, held_in);
  const table_pairs<double> pairs{blocks.sums.data(), blocks.bins()};
  const side_sums observed = side_of(pairs, table, columns.observed());
  return {evaluate_table(on, pairs, table, pool.which, columns),
          observed_tolerance<T>(on, k, pool.samples_as_given, one_sign, table.all, observed)};
}

}  // namespace MMD_ISA
}  // namespace detail
}  // namespace mmd
