// SPDX-License-Identifier: MIT
// The two-sample permutation test: is MMD^2 of the observed split among the largest of all splits of the pooled rows?
#pragma once

#include <algorithm>
#include <cstdint>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "mmd/inference/permutation/bins.hpp"
#include "mmd/inference/permutation/gram_table.hpp"
#include "mmd/inference/permutation/labels.hpp"

namespace mmd {

struct PermutationOptions {
  index_t permutations = 999;
  std::uint64_t seed = 0;
  mmd::estimator estimator = mmd::estimator::unbiased;
  mmd::method method = mmd::method::automatic;
  index_t bins = 256;      // of a binned test, over both samples
  double alpha = 0.05;     // the level that is meant: a binned test refuses to run with fewer than 10 / alpha splits of its bins
  std::uint64_t test = 0;  // number of this test among those of one seed: each has draws of its own
};

inline namespace MMD_ISA {

// PermutationTest{{.permutations = 999, .seed = 1}}(on, x, y, kernel) -> TestResult. x: n x d, y: m x d.
//
// T = MMD^2 of the named estimator; p = (1 + #{T_b >= T - tolerance}) / (B + 1) over B iid uniform splits of the pooled rows (Phipson and
// Smyth, Stat. Appl. Genet. Mol. Biol. 9, 2010), or over all splits. Before anything is computed the rows are put in a random order: the
// observed split is column 0 of the same computation as the draws.
//
// Methods, and what `automatic` chooses, in this order:
//   enumerate  all C(N, n) splits, where they are at most B + 1 (asked for by name: at most ten million); p is a multiple of 1 / C(N, n)
//   subset     the N x N Gram matrix once, then O(B a^2) look-ups, a = min(n, m): where a <= N / 8 and the matrix fits in half the
//              backend's memory limit. The same draws as `full`, so the same p-value
//   binned     O(N^2 d) once, then O(B s^2) for s bins of rows that move together: where N > 20,000, with 8 bins a sample or more
//   full       O(N^2 (d + B / 4)) flops, halved by symmetry; N / 8 bytes a draw, in as few passes as the memory limit allows: otherwise
// Reproducibility: the same bits for any number of threads; draws depend on (seed, test, number of the draw) alone.
//
// Validity: exact. If all rows are exchangeable under the null hypothesis (iid from one distribution, say), P(p <= alpha) <= alpha for
// samples of any size, over data and draws, whatever the rounding. It breaks when rows depend on each other (ClusteredPermutationTest), or
// when the kernel was chosen with the labels of these rows (a bandwidth from x alone, training on them).
//
// Throws invalid_input for samples that are empty, of one row (unbiased), of different widths or not finite, for options out of range, and
// for kernel values that are not finite; memory_limit_exceeded; cancelled.
class PermutationTest {
 public:
  static constexpr index_t binned_above = 20000;  // rows
  static constexpr std::uint64_t most_enumerated = 10'000'000;

  PermutationTest() = default;
  explicit PermutationTest(const PermutationOptions& options) : options_(options) {
    detail::check_permutations(options.permutations);
    detail::require(options.bins >= 2, "bins", options.bins, "2 or more");
    detail::require(options.alpha > 0 && options.alpha < 1, "alpha", options.alpha, "a number between 0 and 1, such as 0.05");
  }
  const PermutationOptions& options() const { return options_; }

  template <backend B, sample_matrix X, sample_matrix Y, kernel K>
  requires std::same_as<typename X::Scalar, typename Y::Scalar> TestResult operator()(const B& on, const X& x, const Y& y,
                                                                                      const K& k) const {
    using T = typename X::Scalar;
    const pooled<T> z = pool(x, y);
    check_samples(z.groups[0], z.groups[1], least_rows());
    const index_t n = x.rows(), m = y.rows();
    const method how = choose(n, m, static_cast<double>(sizeof(compute_type<T>)), detail::memory_limit_of(on));
    TestResult out = prepared(how, n, m);
    if (how == method::binned) {
      const detail::bin_plan plan(n, m, options_.bins);
      plan.require_splits(options_.alpha);
      out.bins = plan.layout();
      if (plan.few()) out.warnings.push_back("fewer than 8 bins in a sample: the test is exact, but has little power");
      conclude(out, detail::evaluate_bins(on, k, z, plan, options_.estimator, options_.seed, options_.test, options_.permutations));
      return out;
    }
    auto order = row_order(n + m);
    const auto columns = columns_of(order, n, m, how == method::enumerate, [&](index_t row) { return row < n; });
    const detail::shuffled_pool<T> shuffled(on, k, z, std::move(order), {}, options_.estimator);
    if (how == method::subset) {
      const double bytes = static_cast<double>(n + m) * static_cast<double>(n + m) * static_cast<double>(sizeof(compute_type<T>));
      if (bytes > detail::memory_limit_of(on)) {
        throw memory_limit_exceeded("the Gram matrix of method subset", static_cast<std::uint64_t>(bytes),
                                    static_cast<std::uint64_t>(detail::memory_limit_of(on)));
      }
      gram<compute_type<T>> matrix;
      on.reduce(k, shuffled.rows, matrix);
      conclude(out, on_ordered_gram(on, matrix.values, n + m, columns));
    } else {
      conclude(out, evaluate_labels(on, k, shuffled, columns));
    }
    return out;
  }
  template <sample_matrix X, sample_matrix Y, kernel K>
  TestResult operator()(const X& x, const Y& y, const K& k) const {
    return (*this)(detail::default_backend<K>{}, x, y, k);
  }

  // The same test on a caller's own Gram matrix, N x N with its true diagonal: rows with labels[i] = 0 are x, with 1 are y. Only the lower
  // triangle is used. `method` is full or enumerate. O(N^2) memory. Besides the above throws invalid_input unless the matrix is square,
  // symmetric and finite and every label is 0 or 1.
  //
  // Validity: as above, if the entries do not depend on the labels.
  template <backend B, floating_matrix G>
  TestResult on_gram(const B& on, const G& matrix, std::span<const int> labels) const {
    using T = typename G::Scalar;
    const samples<T> view(matrix);
    detail::check_gram(view);
    detail::require(static_cast<index_t>(labels.size()) == view.rows(), "labels.size()", labels.size(), "one label for each row of gram");
    index_t n = 0;
    for (std::size_t i = 0; i < labels.size(); ++i) {
      if (labels[i] != 0 && labels[i] != 1) detail::reject(("labels[" + std::to_string(i) + "]").c_str(), labels[i], "0 (x) or 1 (y)");
      n += labels[i] == 0;
    }
    const index_t m = view.rows() - n;
    const char* least = least_rows() == 2 ? "at least 2 labels of each kind" : "at least 1 label of each kind";
    detail::require(n >= least_rows(), "labels: rows of x", n, least);
    detail::require(m >= least_rows(), "labels: rows of y", m, least);
    detail::require(options_.method != method::binned, "method", to_string(options_.method),
                    "automatic, full, enumerate or subset on a Gram matrix");
    const method how = options_.method == method::automatic ? (few_splits(n, m) ? method::enumerate : method::full) : options_.method;
    check_enumerable(how, n, m);
    TestResult out = prepared(how, n, m);
    const auto order = row_order(n + m);
    const auto columns =
        columns_of(order, n, m, how == method::enumerate, [&](index_t row) { return labels[static_cast<std::size_t>(row)] == 0; });
    std::vector<T> ordered;
    detail::gather(view, order, ordered);
    conclude(out, on_ordered_gram(on, ordered, n + m, columns));
    return out;
  }
  // The first n rows are x.
  template <backend B, floating_matrix G>
  TestResult on_gram(const B& on, const G& matrix, index_t n) const {
    detail::require(n >= 0 && n <= matrix.rows(), "n", n, "no more than the rows of gram");
    std::vector<int> labels(static_cast<std::size_t>(matrix.rows()), 1);
    std::fill(labels.begin(), labels.begin() + n, 0);
    return on_gram(on, matrix, std::span<const int>(labels));
  }

 private:
  index_t least_rows() const { return options_.estimator == estimator::unbiased ? 2 : 1; }
  static std::uint64_t splits(index_t n, index_t m) {
    return detail::binomial_coefficient(static_cast<std::uint64_t>(n + m), static_cast<std::uint64_t>(n));
  }
  bool few_splits(index_t n, index_t m) const { return splits(n, m) - 1 <= static_cast<std::uint64_t>(options_.permutations); }
  void check_enumerable(method how, index_t n, index_t m) const {
    if (how != method::enumerate || splits(n, m) <= most_enumerated) return;
    detail::reject(
        "method", "enumerate",
        "at most " + std::to_string(most_enumerated) + " splits; " + std::to_string(n) + " and " + std::to_string(m) + " rows have more");
  }
  method choose(index_t n, index_t m, double bytes, double memory_limit) const {
    const index_t rows = n + m;
    check_enumerable(options_.method, n, m);
    if (options_.method != method::automatic) return options_.method;
    if (few_splits(n, m)) return method::enumerate;
    const double gram_bytes = bytes * static_cast<double>(rows) * static_cast<double>(rows);
    if (8 * std::min(n, m) <= rows && gram_bytes <= memory_limit / 2) return method::subset;
    if (rows > binned_above) {
      const detail::bin_plan plan(n, m, options_.bins);
      if (!plan.few() && plan.has_splits(options_.alpha)) return method::binned;
    }
    return method::full;
  }
  TestResult prepared(method how, index_t n, index_t m) const {
    TestResult out;
    out.method = how;
    out.estimator = options_.estimator;
    out.seed = options_.seed;
    out.n = n;
    out.m = m;
    out.mirrored = how == method::enumerate && n == m;
    return out;
  }
  std::vector<index_t> row_order(index_t rows) const {
    return random_stream(options_.seed, purpose::row_order, options_.test).permutation(rows);
  }
  template <class InX>
  detail::split_columns columns_of(const std::vector<index_t>& order, index_t n, index_t m, bool enumerate, InX&& in_x) const {
    detail::position_set observed(n + m);
    for (index_t p = 0; p < n + m; ++p) {
      if (in_x(order[static_cast<std::size_t>(p)]) == (n <= m)) observed.insert(p);
    }
    const std::uint64_t columns = enumerate ? splits(n, m) : static_cast<std::uint64_t>(options_.permutations) + 1;
    return {std::move(observed), n + m, std::min(n, m), options_.seed, options_.test, columns, enumerate};
  }
  template <class B, class T>
  detail::evaluated_splits on_ordered_gram(const B& on, const std::vector<T>& matrix, index_t rows,
                                           const detail::split_columns& columns) const {
    const detail::table_pairs<T> pairs{matrix.data(), rows};
    const auto splits = detail::tabulate(pairs, rows, columns.observed());
    return {detail::evaluate_table(on, pairs, splits.table, options_.estimator, columns), splits.tolerance};
  }

  PermutationOptions options_;
};

}  // namespace MMD_ISA
}  // namespace mmd
