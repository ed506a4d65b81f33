// SPDX-License-Identifier: MIT
// Many small samples against one fixed reference: its Gram matrix and row sums are kept, so that a test costs what is new in it.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <map>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "mmd/core/matrix.hpp"
#include "mmd/inference/multiple_testing.hpp"
#include "mmd/inference/permutation/table.hpp"

namespace mmd {

struct BatchOptions {
  index_t permutations = 999;
  std::uint64_t seed = 0;
  std::uint64_t first_test = 0;  // sample i of the call draws from the stream of test first_test + i
  mmd::estimator estimator = mmd::estimator::unbiased;
  bool shared_draws = false;  // one set of draws for all samples of equal size: faster, dependent, and permutations >= 9,999
};

namespace detail {
inline namespace MMD_ISA {

// Columns that are drawn once and read by many tests.
class stored_columns {
 public:
  explicit stored_columns(const split_columns& source) : units_(source.units()), chosen_(source.chosen()), columns_(source.columns()) {
    position_set scratch(units_);
    std::vector<std::int32_t> chosen;
    for (index_t c = 0; c < columns_; ++c) {
      source.read(c, scratch, chosen);
      positions_.insert(positions_.end(), chosen.begin(), chosen.end());
    }
  }
  index_t units() const { return units_; }
  index_t chosen() const { return chosen_; }
  index_t columns() const { return columns_; }
  void read(index_t column, position_set&, std::vector<std::int32_t>& chosen) const {
    const auto* first = positions_.data() + column * chosen_;
    chosen.assign(first, first + chosen_);
  }

 private:
  index_t units_, chosen_, columns_;
  std::vector<std::int32_t> positions_;
};

// A sample's rows against each other and against the reference, and the reference's Gram matrix.
template <class T>
struct reference_pairs {
  const T* sample;  // row i of the sample at i * stride: its own columns from `own`, the reference's from `reference`
  index_t stride, own, reference;
  const T* gram;  // R x R
  index_t n, r;
  const std::vector<index_t>* order;  // position -> row: the sample's n rows, then the reference's
  mutable std::vector<index_t> rows = {}, far = {};

  double inside(const std::vector<std::int32_t>& chosen) const {
    rows.clear();
    far.clear();
    for (const std::int32_t p : chosen) {
      const index_t row = (*order)[static_cast<std::size_t>(p)];
      if (row < n) {
        rows.push_back(row);
      } else {
        far.push_back(row - n);
      }
    }
    double sum = 0;
    for (std::size_t i = 0; i < rows.size(); ++i) {
      const T* row = sample + rows[i] * stride;
      sum += gathered_sum(row + own, rows.data(), i) + gathered_sum(row + reference, far.data(), far.size());
    }
    for (std::size_t i = 1; i < far.size(); ++i) sum += gathered_sum(gram + far[i] * r, far.data(), i);
    return 2 * sum;
  }
};

}  // namespace MMD_ISA
}  // namespace detail

inline namespace MMD_ISA {

// SubsetReference(on, reference, kernel).test(on, x) -> TestResult; .test(on, samples) -> one TestResult each.
//
// The test of PermutationTest with x against the reference, on the same draws, by `subset` look-ups: S_AB = sum of row sums over A - S_AA.
// Kept: a copy of the reference (R x d), its Gram matrix and row sums. A sample of n rows costs (n R + n^2) kernels and O(B n^2) look-ups,
// not O(B N^2); samples are tested in parallel. Memory: R^2 values, about as much again while samples are tested, 8 B bytes a result.
// Entries of the reference are computed once, without the sample: they can differ in the last bits from those of a pass over both, which
// the tolerance for ties covers. The same bits for any number of threads; a sample's last bits may depend on the samples tested with it.
//
// Validity: exact, on average over references and samples, if the rows of a sample and of the reference are exchangeable and the kernel was
// fixed before either was seen. Given one reference the level is alpha only on average: with n = 20 and R = 100 the false-positive rate of
// single references has a standard deviation of .023. P-values of samples tested against one reference are dependent: Bonferroni, Holm and
// Benjamini-Yekutieli hold; Benjamini-Hochberg does not without an argument of your own, and never with shared draws.
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
    rows_ = converted<T>(view);
    require_memory(on, 0);
    on.reduce(kernel_, pooled<T>{{samples<T>(rows_)}}, gram_);
    const index_t r = rows_.rows();
    sums_.resize(static_cast<std::size_t>(r));
    std::vector<double> sizes(sums_.size());
    on.for_each(r, [&](index_t i) {
      const value* row = &gram_.values[static_cast<std::size_t>(i * r)];
      const auto entry = [&](index_t j) { return j == i ? 0 : static_cast<double>(row[j]); };
      sums_[static_cast<std::size_t>(i)] = detail::blocked_sum(r, entry);
      sizes[static_cast<std::size_t>(i)] = detail::blocked_sum(r, [&](index_t j) { return std::abs(entry(j)); });
    });
    for (const double size : sizes) size_ += size;
  }

  index_t rows() const { return rows_.rows(); }
  const matrix<T>& reference() const { return rows_; }

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
    const bool single = each.size() == 1;
    std::map<index_t, detail::stored_columns> shared;
    if (options.shared_draws && !single) {
      for (const auto& x : each) {
        if (!shared.contains(x.rows()))
          shared.emplace(x.rows(), detail::stored_columns(draws(x.rows(), options, options.first_test).columns));
      }
    }
    std::vector<TestResult> out(each.size());
    if (!single) on.report("permutations", 0, each.size());
    for (std::size_t first = 0; first < each.size();) {
      const std::size_t last = end_of_chunk(on, each, first);
      index_t count = 0;
      for (std::size_t s = first; s < last; ++s) count += each[s].rows();
      matrix<T> joined(count, rows_.cols());
      std::vector<index_t> start;
      index_t row = 0;
      for (std::size_t s = first; s < last; ++s) {
        start.push_back(row);
        for (index_t i = 0; i < each[s].rows(); ++i, ++row) {
          for (index_t c = 0; c < rows_.cols(); ++c) joined(row, c) = each[s](i, c);
        }
      }
      gram<value> values;  // the reference's own block is known: not evaluated again
      on.reduce(kernel_, pooled<T>{{samples<T>(joined), samples<T>(rows_)}, {}, {{1, 1}}}, values);
      const auto run = [&](index_t i, const auto& statistics) {
        const std::size_t s = first + static_cast<std::size_t>(i);
        const index_t own = start[static_cast<std::size_t>(i)], n = each[s].rows();
        const detail::reference_pairs<value> pairs{
            values.values.data() + own * values.rows, values.rows, own, count, gram_.values.data(), n, rows(), nullptr};
        const plan p = draws(n, options, options.shared_draws ? options.first_test : options.first_test + s);
        out[s] = evaluate(pairs, p, options, statistics);
      };
      if (single) {  // in parallel over its draws, which are reported
        run(0, [&](const auto& pairs, const auto& table, const plan& p) {
          return detail::evaluate_table(on, pairs, table, options.estimator, p.columns);
        });
      } else {
        on.for_each(static_cast<index_t>(last - first), [&](index_t i) {
          run(i, [&](const auto& pairs, const auto& table, const plan& p) {
            std::vector<double> found(static_cast<std::size_t>(p.columns.columns()));
            const auto fill = [&](const auto& columns) {
              detail::evaluate_columns(pairs, table, options.estimator, columns, 0, columns.columns(), found.data());
            };
            options.shared_draws ? fill(shared.at(pairs.n)) : fill(p.columns);
            return found;
          });
        });
        on.report("permutations", last, each.size());
      }
      first = last;
    }
    return out;
  }

 private:
  struct plan {
    std::vector<index_t> order;
    detail::split_columns columns;
    bool enumerate;
  };
  plan draws(index_t n, const BatchOptions& options, std::uint64_t test) const {
    const index_t all = n + rows();
    auto order = random_stream(options.seed, purpose::row_order, test).permutation(all);
    detail::position_set observed(all);
    for (index_t p = 0; p < all; ++p) {
      if ((order[static_cast<std::size_t>(p)] < n) == (n <= rows())) observed.insert(p);
    }
    const std::uint64_t splits = detail::binomial_coefficient(static_cast<std::uint64_t>(all), static_cast<std::uint64_t>(n));
    const auto permutations = static_cast<std::uint64_t>(options.permutations);
    const bool enumerate = splits - 1 <= permutations;
    return {std::move(order),
            {std::move(observed), all, std::min(n, rows()), options.seed, test, enumerate ? splits : permutations + 1, enumerate},
            enumerate};
  }

  // statistics(pairs, table, p): those of all columns.
  template <class Statistics>
  TestResult evaluate(detail::reference_pairs<value> pairs, const plan& p, const BatchOptions& options,
                      const Statistics& statistics) const {
    pairs.order = &p.order;
    const index_t n = pairs.n, r = pairs.r, all = n + r;
    std::vector<double> sums(static_cast<std::size_t>(all)), diagonal(static_cast<std::size_t>(all));
    double within = 0, across = 0;
    for (index_t j = 0; j < r; ++j) {
      sums[static_cast<std::size_t>(n + j)] = sums_[static_cast<std::size_t>(j)] + detail::blocked_sum(n, [&](index_t i) {
                                                return static_cast<double>(pairs.sample[i * pairs.stride + pairs.reference + j]);
                                              });
      diagonal[static_cast<std::size_t>(n + j)] = static_cast<double>(gram_(j, j));
    }
    for (index_t i = 0; i < n; ++i) {
      const value* row = pairs.sample + i * pairs.stride;
      const auto near = [&](index_t j) { return j == i ? 0 : static_cast<double>(row[pairs.own + j]); };
      const auto far = [&](index_t j) { return static_cast<double>(row[pairs.reference + j]); };
      sums[static_cast<std::size_t>(i)] = detail::blocked_sum(n, near) + detail::blocked_sum(r, far);
      within += detail::blocked_sum(n, [&](index_t j) { return std::abs(near(j)); });
      across += detail::blocked_sum(r, [&](index_t j) { return std::abs(far(j)); });
      diagonal[static_cast<std::size_t>(i)] = static_cast<double>(row[pairs.own + i]);
    }
    std::vector<double> placed_sums, placed_diagonal;
    for (const index_t row : p.order) {
      placed_sums.push_back(sums[static_cast<std::size_t>(row)]);
      placed_diagonal.push_back(diagonal[static_cast<std::size_t>(row)]);
    }
    const auto count = static_cast<std::size_t>(all);
    detail::unit_table table;
    table.own = detail::position_sums(std::vector<double>(count));
    table.size = detail::position_sums(std::vector<double>(count, 1));
    table.entries = detail::position_sums(std::move(placed_sums));
    table.diagonal = detail::position_sums(std::move(placed_diagonal));
    table.all = {static_cast<double>(all), table.entries.total(), table.diagonal.total()};
    detail::evaluated_splits splits;
    splits.values = statistics(pairs, table, p);
    splits.tolerance = detail::tie_tolerance<T>(static_cast<double>(n), static_cast<double>(r), within, size_, across);
    TestResult out;
    out.method = p.enumerate ? method::enumerate : method::subset;
    out.estimator = options.estimator;
    out.seed = options.seed;
    out.n = n;
    out.m = r;
    out.mirrored = p.enumerate && n == r;
    out.shared_draws = options.shared_draws;
    conclude(out, std::move(splits));
    return out;
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
      detail::require(each[s].cols() == rows_.cols(), (name + ".cols()").c_str(), each[s].cols(),
                      ("as many columns as the reference, " + std::to_string(rows_.cols())).c_str());
    }
  }
  // Samples are taken together until they have about as many rows as the reference, so that its features are prepared once for all of them.
  template <class B>
  std::size_t end_of_chunk(const B& on, std::span<const samples<T>> each, std::size_t first) const {
    index_t count = each[first].rows();
    require_memory(on, count);
    std::size_t last = first + 1;
    while (last < each.size() && count + each[last].rows() <= std::max<index_t>(256, rows()) &&
           bytes(count + each[last].rows()) <= detail::memory_limit_of(on)) {
      count += each[last++].rows();
    }
    return last;
  }
  double bytes(index_t more) const {
    const auto all = static_cast<double>(rows() + more);
    return all * all * static_cast<double>(sizeof(value));
  }
  template <class B>
  void require_memory(const B& on, index_t more) const {
    const double limit = detail::memory_limit_of(on);
    if (bytes(more) > limit) {
      throw memory_limit_exceeded("the Gram matrix of a reference and a sample", static_cast<std::uint64_t>(bytes(more)),
                                  static_cast<std::uint64_t>(limit));
    }
  }

  K kernel_;
  matrix<T> rows_;
  gram<value> gram_;
  std::vector<double> sums_;  // of the rows of the Gram matrix, diagonal left out
  double size_ = 0;           // the sum of |k| over it
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
