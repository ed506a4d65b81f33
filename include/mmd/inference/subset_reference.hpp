// SPDX-License-Identifier: MIT
// Many small samples against one fixed reference: its Gram matrix and row sums are kept, so that a test costs what is new in it.
#pragma once

#include <algorithm>
#include <cstdint>
#include <numeric>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "mmd/core/matrix.hpp"
#include "mmd/engine/reducers.hpp"
#include "mmd/inference/multiple_testing.hpp"
#include "mmd/inference/permutation/gram_table.hpp"
#include "mmd/inference/permutation/sample_values.hpp"
#include "mmd/inference/permutation/shared_draws.hpp"

namespace mmd {

struct BatchOptions {
  index_t permutations = 999;
  std::uint64_t seed = 0;
  std::uint64_t first_test = 0;  // sample i of the call draws from the stream of test first_test + i
  mmd::estimator estimator = mmd::estimator::unbiased;
  bool shared_draws = false;  // one set of draws for all samples of equal size: faster, dependent, and permutations >= 9,999
  bool keep_null = true;      // false: results without their draws, and so without threshold(): 8 bytes a draw and result less
};

inline namespace MMD_ISA {

// SubsetReference(on, reference, kernel).test(on, x) -> TestResult; .test(on, samples) -> one TestResult each.
//
// The test of PermutationTest with x against the reference, on the same draws, by `subset` look-ups: S_AB = sum of row sums over A - S_AA.
// Kept: a copy of the reference (R x d), half its Gram matrix and the row sums. A sample of n rows costs n R + n^2/2 kernels and O(B a^2)
// look-ups, a = min(n, R), or O(B (n + R)^2) multiply-adds where that is less; samples are tested in parallel. With shared draws the sums
// over reference rows are made once for all samples of one size, and O(B a) additions a sample are left, and O(B a) more for each of its
// own rows that a draw holds (of n, n a / (n + R) on average). Memory: R^2/2 values (three times that while the reference is read), the
// values of two thousand rows against it, 8 B bytes a result unless keep_null is false; with shared draws as much for 128 samples.
// The reference's entries are computed once, without the sample, and sums run in the order of the rows, the reference's first: both can
// differ in the last bits from those of a pass over both in random order, which the tolerance for ties covers (sums are made in double, of
// no more than 64 numbers at a time). The same bits for any number of threads; a sample's last bits may depend on the samples tested with
// it.
//
// Validity: exact, on average over references and samples, if the rows of a sample and of the reference are exchangeable and the kernel was
// fixed before either was seen. Given one reference the level is alpha only on average: with n = 20 and R = 100 the false-positive rate of
// single references has a standard deviation of .023. P-values of samples tested against one reference are dependent: Bonferroni, Holm and
// Benjamini-Yekutieli hold; Benjamini-Hochberg does not without an argument of your own, and never with shared draws. These give every
// sample the row order and the splits of test `first_test`: each p-value is that of a test with this number, and as exact.
//
// Throws invalid_input as PermutationTest does (a sample of one row has no unbiased MMD^2), naming the sample, and for shared draws with
// fewer than 9,999 permutations; memory_limit_exceeded where the Gram matrix does not fit; cancelled.
template <kernel K, sample_number T>
class SubsetReference {
  using value = compute_type<T>;

 public:
  template <backend B, sample_matrix R>
  SubsetReference(const B& on, const R& reference, K k) : kernel_(std::move(k)) {
    const samples<T> view(reference);
    check_sample(view, "reference");
    rows_ = detail::joined_rows(on, pooled<T>{{view}});
    const auto r = static_cast<double>(rows());
    require_memory(on, 1.5 * r * r * sizeof(value));
    gram<value> all;
    diagonal_ = on.reduce(kernel_, pooled<T>{{samples<T>(rows_)}}, all).diagonal;
    sums_.resize(diagonal_.size());
    std::vector<double> sizes(diagonal_.size());
    triangle_.reserve(diagonal_.size() * (diagonal_.size() - 1) / 2);
    for (index_t i = 0; i < rows(); ++i) {
      const value* row = &all.values[static_cast<std::size_t>(i * rows())];
      triangle_.insert(triangle_.end(), row, row + i);
      const detail::value_sums of_row = detail::add_row(row, i, sums_.data(), sizes.data());
      sums_[static_cast<std::size_t>(i)] += of_row.sum;
      size_ += 2 * of_row.size;
    }
  }

  index_t rows() const { return rows_.rows(); }
  const matrix_of<T>& reference() const { return rows_; }

  template <backend B, sample_matrix X>
  requires std::same_as<typename X::Scalar, T> TestResult test(const B& on, const X& x, const BatchOptions& options = {})
  const {
    const samples<T> one[] = {samples<T>(x)};
    return std::move(test(on, std::span<const samples<T>>(one), options).front());
  }
  template <backend B>
  std::vector<TestResult> test(const B& on, const std::vector<samples<T>>& each, const BatchOptions& options = {}) const {
    return test(on, std::span<const samples<T>>(each), options);
  }
  template <backend B>
  std::vector<TestResult> test(const B& on, std::span<const samples<T>> each, const BatchOptions& options = {}) const {
    check(each, options);
    std::vector<std::size_t> order(each.size());
    std::iota(order.begin(), order.end(), std::size_t{0});
    if (options.shared_draws) {
      std::stable_sort(order.begin(), order.end(), [&](std::size_t s, std::size_t t) { return each[s].rows() < each[t].rows(); });
    }
    std::vector<TestResult> out(each.size());
    const bool single = each.size() == 1;
    if (!single) on.report("permutations", 0, each.size());
    detail::sample_values<value> values;
    std::vector<std::vector<double>> found;  // of tests with shared draws: memory that the chunks use in turn
    for (std::size_t first = 0; first < each.size();) {
      const auto chunk = chunk_from(on, each, std::span<const std::size_t>(order).subspan(first), options);
      const matrix_of<T> joined = join(on, each, chunk, values.first);
      const pooled<T> against{{samples<T>(rows_)}, {}, {{0, 0}}};  // the reference's own values are known
      const layout lay =
          on.reduce(kernel_, detail::with_samples(against, samples<T>(joined), std::span<const index_t>(values.first)), values);
      if (single) {  // in parallel over its draws, which are reported
        const split_plan plan(values.rows(0), rows(), options, options.first_test);
        out[0] = result(tabulate(values, 0, lay), plan, options, [&](const auto& pairs, const auto& table) {
          return detail::evaluate_table(on, pairs, table, options.estimator, plan.columns, plan.entry_of.data());
        });
      } else if (options.shared_draws) {
        for (std::size_t s = 0, end = 0; s < chunk.size(); s = end) {
          while (end < chunk.size() && values.rows(end) == values.rows(s)) ++end;
          test_shared(on, values, s, end, lay, options, found, [&](std::size_t t) -> TestResult& { return out[chunk[t]]; });
        }
      } else {
        on.for_each(static_cast<index_t>(chunk.size()), [&](index_t i) {
          const auto s = static_cast<std::size_t>(i);
          const split_plan plan(values.rows(s), rows(), options, options.first_test + chunk[s]);
          out[chunk[s]] = result(tabulate(values, s, lay), plan, options, [&](const auto& pairs, const auto& table) {
            return detail::table_evaluation(pairs, table, options.estimator, plan.columns, plan.entry_of.data()).all();
          });
        });
      }
      first += chunk.size();
      if (!single) on.report("permutations", first, each.size());
    }
    return out;
  }

 private:
  using tested_sample = detail::tested_sample<value>;

  // The splits of one test. Entries are numbered with the reference first, positions in the random order of the test.
  struct split_plan {
    bool enumerate;
    std::vector<std::int32_t> entry_of;  // position -> entry
    detail::split_columns columns;

    split_plan(index_t n, index_t r, const BatchOptions& options, std::uint64_t test)
        : split_plan(n, r, options, test, detail::binomial_coefficient(static_cast<std::uint64_t>(n + r), static_cast<std::uint64_t>(n))) {}

   private:
    split_plan(index_t n, index_t r, const BatchOptions& options, std::uint64_t test, std::uint64_t splits)
        : enumerate(splits - 1 <= static_cast<std::uint64_t>(options.permutations)),
          columns(observed(n, r, options, test), n + r, std::min(n, r), options.seed, test,
                  enumerate ? splits : static_cast<std::uint64_t>(options.permutations) + 1, enumerate) {}
    detail::position_set observed(index_t n, index_t r, const BatchOptions& options, std::uint64_t test) {
      detail::position_set out(n + r);
      for (const index_t row : random_stream(options.seed, purpose::row_order, test).permutation(n + r)) {
        if ((row < n) == (n <= r)) out.insert(static_cast<index_t>(entry_of.size()));
        entry_of.push_back(static_cast<std::int32_t>(row < n ? r + row : row - n));
      }
      return out;
    }
  };

  template <class B>
  matrix_of<T> join(const B& on, std::span<const samples<T>> each, std::span<const std::size_t> which, std::vector<index_t>& first) const {
    first = {0};
    pooled<T> chosen;
    for (const std::size_t s : which) {
      first.push_back(first.back() + each[s].rows());
      chosen.groups.push_back(each[s]);
    }
    return detail::joined_rows(on, chosen);
  }
  tested_sample tabulate(const detail::sample_values<value>& values, std::size_t s, const layout& lay) const {
    const index_t first = values.first[s], n = values.rows(s), r = rows(), all = r + n;
    tested_sample out;
    std::vector<double> sums = sums_, sizes(static_cast<std::size_t>(all)), diagonal = diagonal_;
    sums.resize(sizes.size());
    double within = 0, across = 0;
    for (index_t i = 0; i < n; ++i) {
      const value* row = values.row(first + i);
      out.rows.push_back(row);
      const detail::value_sums far = detail::add_row(row, r, sums.data(), sizes.data());
      const detail::value_sums near = detail::add_row(row + r, i, sums.data() + r, sizes.data() + r);
      sums[static_cast<std::size_t>(r + i)] += far.sum + near.sum;
      across += far.size;
      within += 2 * near.size;
      diagonal.push_back(lay.diagonal[static_cast<std::size_t>(r + first + i)]);
    }
    out.tolerance = detail::tie_tolerance<T>(static_cast<double>(n), static_cast<double>(r), within, size_, across);
    out.table.own = detail::position_sums(all, 0);
    out.table.size = detail::position_sums(all, 1);
    out.table.entries = detail::position_sums(std::move(sums));
    out.table.diagonal = detail::position_sums(std::move(diagonal));
    out.table.all = {static_cast<double>(all), out.table.entries.total(), out.table.diagonal.total()};
    return out;
  }

  // `unused` takes the memory of draws that are not kept.
  TestResult conclusion(const split_plan& plan, index_t n, const BatchOptions& options, detail::evaluated_splits splits,
                        std::vector<double>& unused) const {
    TestResult out;
    out.method = plan.enumerate ? method::enumerate : method::subset;
    out.estimator = options.estimator;
    out.seed = options.seed;
    out.n = n;
    out.m = rows();
    out.mirrored = plan.enumerate && n == rows();
    out.shared_draws = options.shared_draws;
    conclude(out, std::move(splits));
    if (!options.keep_null) unused = std::exchange(out.null, {});
    return out;
  }
  // statistics(pairs, table): those of all columns.
  template <class Statistics>
  TestResult result(const tested_sample& sample, const split_plan& plan, const BatchOptions& options, const Statistics& statistics) const {
    std::vector<const value*> row_of;
    for (index_t u = 0; u < rows(); ++u) row_of.push_back(triangle_.data() + u * (u - 1) / 2);
    row_of.insert(row_of.end(), sample.rows.begin(), sample.rows.end());
    const detail::row_pairs<value> pairs{row_of.data()};
    std::vector<double> unused;
    return conclusion(plan, static_cast<index_t>(sample.rows.size()), options, {statistics(pairs, sample.table), sample.tolerance}, unused);
  }
  // Samples first ... last - 1 of a chunk, all of one size; result(t): where that of sample t goes.
  template <class B, class Result>
  void test_shared(const B& on, const detail::sample_values<value>& values, std::size_t first, std::size_t last, const layout& lay,
                   const BatchOptions& options, std::vector<std::vector<double>>& found, const Result& result) const {
    const index_t n = values.rows(first);
    const split_plan plan(n, rows(), options, options.first_test);
    std::vector<tested_sample> each(last - first);
    if (found.size() < each.size()) found.resize(each.size());
    on.for_each(static_cast<index_t>(each.size()), [&](index_t i) {
      const auto s = static_cast<std::size_t>(i);
      each[s] = tabulate(values, first + s, lay);
      found[s].resize(static_cast<std::size_t>(plan.columns.columns()));
    });
    detail::evaluate_shared(on, std::span<const tested_sample>(each), triangle_.data(), rows(), options.estimator, plan.columns,
                            plan.entry_of.data(), std::span(found).first(each.size()));
    on.for_each(static_cast<index_t>(each.size()), [&](index_t i) {
      const auto s = static_cast<std::size_t>(i);
      result(first + s) = conclusion(plan, n, options, {std::move(found[s]), each[s].tolerance}, found[s]);
    });
  }

  void check(std::span<const samples<T>> each, const BatchOptions& options) const {
    detail::check_permutations(options.permutations);
    detail::require(!options.shared_draws || options.permutations >= 9999, "permutations", options.permutations,
                    "9999 or more where a batch shares its draws");
    const index_t least = options.estimator == estimator::unbiased ? 2 : 1;
    detail::require(rows() >= least, "reference.rows()", rows(), "at least 2");
    for (std::size_t s = 0; s < each.size(); ++s) {
      const std::string name = each.size() == 1 ? "x" : "samples[" + std::to_string(s) + "]";
      check_sample(each[s], name.c_str(), least);
      if (each[s].cols() != rows_.cols()) {
        detail::reject((name + ".cols()").c_str(), each[s].cols(), "as many columns as the reference, " + std::to_string(rows_.cols()));
      }
    }
  }
  // The samples to take together, so that the reference's features are prepared, and shared draws made, once for all of them: no more than
  // two thousand rows, with shared draws 128 samples, and fewer where the memory limit is near.
  template <class B>
  std::span<const std::size_t> chunk_from(const B& on, std::span<const samples<T>> each, std::span<const std::size_t> order,
                                          const BatchOptions& options) const {
    constexpr index_t most_rows = 2048;
    const std::size_t most = options.shared_draws ? 128 : order.size();
    const double null = options.shared_draws ? static_cast<double>(options.permutations) * sizeof(double) : 0;
    index_t count = 0;
    double bytes = 0;
    std::size_t taken = 0;
    for (; taken < std::min(most, order.size()); ++taken) {
      const index_t n = each[order[taken]].rows();
      const double more = static_cast<double>(n) * static_cast<double>(rows() + n) * sizeof(value);
      if (taken == 0) require_memory(on, more);
      if (taken > 0 && (count + n > most_rows || bytes + more + null > detail::memory_limit_of(on) / 2)) break;
      count += n;
      bytes += more + null;
    }
    return order.first(taken);
  }
  template <class B>
  void require_memory(const B& on, double bytes) const {
    const double limit = detail::memory_limit_of(on);
    if (bytes > limit) {
      throw memory_limit_exceeded("the kernel values of a reference and a sample", static_cast<std::uint64_t>(bytes),
                                  static_cast<std::uint64_t>(limit));
    }
  }

  K kernel_;
  matrix_of<T> rows_;
  std::vector<value> triangle_;          // of the Gram matrix: its strict lower part, row after row
  std::vector<double> diagonal_, sums_;  // of the Gram matrix; of its rows, diagonal left out
  double size_ = 0;                      // the sum of |k| over it
};
template <class B, sample_matrix R, kernel K>
SubsetReference(const B&, const R&, K) -> SubsetReference<K, typename R::Scalar>;

// What is known of the dependence of these p-values: benjamini_hochberg refuses both answers.
inline dependence dependence_of(const std::vector<TestResult>& batch) {
  const bool shared = std::any_of(batch.begin(), batch.end(), [](const TestResult& r) { return r.shared_draws; });
  return shared ? dependence::shared_draws : dependence::arbitrary;
}
inline std::vector<double> p_values(const std::vector<TestResult>& batch) {
  std::vector<double> p;
  for (const TestResult& r : batch) p.push_back(r.p_value);
  return p;
}

}  // namespace MMD_ISA
}  // namespace mmd
