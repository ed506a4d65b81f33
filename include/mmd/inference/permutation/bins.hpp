// SPDX-License-Identifier: MIT
// The binned test: rows move in bins, and one pass over the pairs leaves the sums between bins (Domingo-Enrich, Dwivedi and Mackey,
// "Cheap permutation testing", arXiv 2502.07672; remainders and unequal samples are ours).
#pragma once

#include <algorithm>
#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "mmd/inference/permutation/blocks.hpp"

namespace mmd {
namespace detail {
inline namespace MMD_ISA {

// Bins of ceil(N / s) rows; what is left of each sample keeps its label.
struct bin_plan {
  index_t n, m, size, x, y;  // rows of the samples and of a bin, bins of the samples
  bin_plan(index_t rows_x, index_t rows_y, index_t bins)
      : n(rows_x), m(rows_y), size((n + m + bins - 1) / bins), x(n / size), y(m / size) {}
  index_t bins() const { return x + y; }
  BinLayout layout() const { return {bins(), size, n % size + m % size}; }
  bool few() const { return x < 8 || y < 8; }
  std::uint64_t splits() const { return binomial_coefficient(static_cast<std::uint64_t>(x + y), static_cast<std::uint64_t>(x)); }
  bool has_splits(double alpha) const { return static_cast<double>(splits()) >= 10 / alpha; }
  void require_splits(double alpha) const {
    require(has_splits(alpha), "method", "binned",
            ("at least 10 / alpha = " + shown(10 / alpha) + " splits of the bins, but bins of " + std::to_string(size) + " rows, " +
             std::to_string(x) + " of x and " + std::to_string(y) + " of y, have " + std::to_string(splits()))
                .c_str());
  }
};

// Rows are shuffled within each sample, so that a bin is a random part of its sample whatever the order of the data; the bins stand in
// random order, so that nothing depends on their labels; the rows left over come last.
template <class T, class B, class K>
evaluated_splits evaluate_bins(const B& on, const K& k, const pooled<T>& z, const bin_plan& plan, estimator which, std::uint64_t seed,
                               std::uint64_t test, index_t permutations) {
  const index_t bins = plan.bins(), left_x = plan.n % plan.size, left_y = plan.m % plan.size;
  const auto in_x = random_stream(seed, purpose::bin_shuffle, test, 0).permutation(plan.n);
  const auto in_y = random_stream(seed, purpose::bin_shuffle, test, 1).permutation(plan.m);
  const auto place = random_stream(seed, purpose::row_order, test).permutation(bins);
  std::vector<index_t> order, unit_rows(static_cast<std::size_t>(bins), plan.size);
  position_set observed(bins);
  const auto append = [&](index_t x_rows, index_t from_x, index_t y_rows, index_t from_y) {
    for (index_t i = 0; i < x_rows; ++i) order.push_back(in_x[static_cast<std::size_t>(from_x + i)]);
    for (index_t i = 0; i < y_rows; ++i) order.push_back(plan.n + in_y[static_cast<std::size_t>(from_y + i)]);
  };
  const bool x_chosen = plan.x <= plan.y;
  for (index_t p = 0; p < bins; ++p) {
    const index_t bin = place[static_cast<std::size_t>(p)];
    if (bin < plan.x) {
      append(plan.size, bin * plan.size, 0, 0);
    } else {
      append(0, 0, plan.size, (bin - plan.x) * plan.size);
    }
    if ((bin < plan.x) == x_chosen) observed.insert(p);
  }
  append(left_x, plan.x * plan.size, left_y, plan.y * plan.size);
  std::vector<bool> held_in;
  for (const auto& [rows, is_x] : {std::pair{left_x, true}, std::pair{left_y, false}}) {
    if (rows == 0) continue;
    unit_rows.push_back(rows);
    held_in.push_back(is_x == x_chosen);
  }
  const split_columns columns(std::move(observed), bins, std::min(plan.x, plan.y), seed, test, static_cast<std::uint64_t>(permutations) + 1,
                              false);
  return evaluate_blocks(on, k, shuffled_pool<T>(on, k, z, std::move(order), std::move(unit_rows), which), held_in, columns);
}

}  // namespace MMD_ISA
}  // namespace detail
}  // namespace mmd
