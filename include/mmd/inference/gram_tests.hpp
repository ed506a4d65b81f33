// SPDX-License-Identifier: MIT
// Many small permutation tests between index sets of one stored Gram matrix: simulations and evaluations that draw groups and references
// again and again from one pool of texts.
#pragma once

#include <algorithm>
#include <cstdint>
#include <string>
#include <vector>

#include "mmd/inference/permutation/gram_table.hpp"

namespace mmd {

// Rows of the Gram matrix that one test compares; an index appears once in both together.
struct IndexSets {
  std::vector<index_t> group, reference;
};
struct GramTestOptions {
  index_t permutations = 999;
  std::uint64_t seed = 0;
  std::uint64_t first_test = 0;  // test i of the call draws from the stream of test first_test + i
  mmd::estimator estimator = mmd::estimator::unbiased;
};
struct GramTestResult {
  double statistic = 0, p_value = 1;
};

inline namespace MMD_ISA {

// One permutation test for each element of `tests`, in parallel over tests; gram: N x N, symmetric, with its true diagonal.
//
// Each result is that of PermutationTest{{.permutations, .seed, .test = first_test + i}} on the rows named: p = (1 + #{T_b >= T -
// tolerance}) / (B + 1), all splits where they are no more than B + 1. Cost for a group of g and a reference of r rows: (g + r)^2 to gather
// the entries, then O(B g^2) look-ups; (g + r)^2 values of memory a thread. The matrix is checked once a call, O(N^2). The same bits for
// any number of threads.
//
// Validity: each p-value is exact if the rows of its group and reference are exchangeable and the kernel was fixed without them. Tests that
// share rows have dependent p-values: over tests drawn from one pool the rejections are not binomial.
//
// Throws invalid_input unless the matrix is square, symmetric and finite, indices are rows of it and distinct within a test, and each set
// has at least 2 (biased: 1); cancelled.
template <backend B, floating_matrix G>
std::vector<GramTestResult> gram_subset_tests(const B& on, const G& gram, const std::vector<IndexSets>& tests,
                                              const GramTestOptions& options = {}) {
  using T = typename G::Scalar;
  const samples<T> view(gram);
  detail::check_gram(view);
  detail::check_permutations(options.permutations);
  const index_t least = options.estimator == estimator::unbiased ? 2 : 1;
  const auto run = [&](std::size_t t, std::vector<T>& entries) {
    const IndexSets& sets = tests[t];
    const auto argument = [t](const char* what) { return "tests[" + std::to_string(t) + "]" + what; };
    const auto g = static_cast<index_t>(sets.group.size()), r = static_cast<index_t>(sets.reference.size());
    const char* enough = least == 2 ? "at least 2" : "at least 1";
    if (g < least) detail::reject(argument(".group.size()").c_str(), g, enough);
    if (r < least) detail::reject(argument(".reference.size()").c_str(), r, enough);
    detail::position_set seen(view.rows());
    for (const auto* set : {&sets.group, &sets.reference}) {
      for (const index_t row : *set) {
        if (row < 0 || row >= view.rows()) detail::reject(argument(": index").c_str(), row, "a row of gram");
        if (seen.contains(row)) detail::reject(argument(": index").c_str(), row, "no index twice");
        seen.insert(row);
      }
    }
    const std::uint64_t number = options.first_test + t, draws = static_cast<std::uint64_t>(options.permutations);
    auto order = random_stream(options.seed, purpose::row_order, number).permutation(g + r);
    detail::position_set observed(g + r);
    for (index_t p = 0; p < g + r; ++p) {
      index_t& row = order[static_cast<std::size_t>(p)];
      if ((row < g) == (g <= r)) observed.insert(p);
      row = row < g ? sets.group[static_cast<std::size_t>(row)] : sets.reference[static_cast<std::size_t>(row - g)];
    }
    const std::uint64_t all = detail::binomial_coefficient(static_cast<std::uint64_t>(g + r), static_cast<std::uint64_t>(g));
    const bool enumerate = all - 1 <= draws;
    const detail::split_columns columns(observed, g + r, std::min(g, r), options.seed, number, enumerate ? all : draws + 1, enumerate);
    detail::gather(view, order, entries);
    const detail::table_pairs<T> pairs{entries.data(), g + r};
    const auto splits = detail::tabulate(pairs, g + r, columns.observed());
    const auto values = detail::table_evaluation(pairs, splits.table, options.estimator, columns).all();
    const double bar = values[0] - splits.tolerance;
    const auto reached = std::count_if(values.begin(), values.end(), [&](double v) { return v >= bar; });
    return GramTestResult{values[0], static_cast<double>(reached) / static_cast<double>(values.size())};
  };
  std::vector<GramTestResult> out(tests.size());
  constexpr std::size_t slab = 1024, part = 4;
  on.report("permutations", 0, tests.size());
  for (std::size_t first = 0; first < tests.size(); first += slab) {
    const std::size_t last = std::min(first + slab, tests.size());
    on.for_each(static_cast<index_t>((last - first + part - 1) / part), [&](index_t i) {
      const std::size_t begin = first + static_cast<std::size_t>(i) * part;
      std::vector<T> entries;
      for (std::size_t t = begin; t < std::min(begin + part, last); ++t) out[t] = run(t, entries);
    });
    on.report("permutations", last, tests.size());
  }
  return out;
}

}  // namespace MMD_ISA
}  // namespace mmd
