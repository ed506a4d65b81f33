// SPDX-License-Identifier: MIT
// From the sums of one split to its statistic, and from the statistics of all splits to the result of a test.
#pragma once

#include <algorithm>
#include <cmath>
#include <limits>
#include <string>
#include <utility>
#include <vector>

#include "mmd/core/half.hpp"
#include "mmd/inference/permutation/splits.hpp"
#include "mmd/inference/result.hpp"

namespace mmd {
namespace detail {
inline namespace MMD_ISA {

// Sums over the pool (zero diagonal): rows, entries, and k(z, z) apart.
struct pool_sums {
  double size = 0, entries = 0, diagonal = 0;
};
// The same for the chosen side A of one split: its rows, the entries of A x A, of A x everything, and its k(z, z).
struct side_sums {
  double size = 0, inside = 0, entries = 0, diagonal = 0;
};

// MMD^2 of the split: A x B and B x B follow from A x A, A x everything and the total.
inline double split_statistic(estimator e, const pool_sums& all, const side_sums& a) {
  const double n = a.size, m = all.size - a.size, across = a.entries - a.inside, other = all.entries - 2 * a.entries + a.inside;
  if (e == estimator::unbiased) return a.inside / (n * (n - 1)) + other / (m * (m - 1)) - 2 * across / (n * m);
  return (a.inside + a.diagonal) / (n * n) + (other + all.diagonal - a.diagonal) / (m * m) - 2 * across / (n * m);
}

// The tie tolerance: 32 eps (S_xx / (n (n-1)) + S_yy / (m (m-1)) + 2 S_xy / (n m)), S the sums of |k| over the observed split.
// eps is that of what is computed in, float for half samples: their values are exact as stored.
template <class T>
double tie_tolerance(double n, double m, double xx, double yy, double xy) {
  const double mean_xx = n > 1 ? xx / (n * (n - 1)) : 0, mean_yy = m > 1 ? yy / (m * (m - 1)) : 0;
  return 32 * static_cast<double>(std::numeric_limits<compute_type<T>>::epsilon()) * (mean_xx + mean_yy + 2 * xy / (n * m));
}

// Splits that have been evaluated: values[0] is the observed one.
struct evaluated_splits {
  std::vector<double> values;
  double tolerance = 0;
};

// The part of a result that follows from the statistics alone.
inline void conclude(TestResult& out, evaluated_splits splits) {
  out.statistic = splits.values.front();
  out.tolerance = splits.tolerance;
  for (const double v : splits.values) {
    require(std::isfinite(v), "statistic", v, "a finite number: some value of the kernel on these rows is not finite");
  }
  out.null.assign(splits.values.begin() + 1, splits.values.end());
  out.permutations = static_cast<index_t>(out.null.size());
  const double bar = out.statistic - out.tolerance, draws = static_cast<double>(out.permutations);
  index_t reached = 1;
  double mean = 0, squares = 0, lowest = out.statistic, highest = out.statistic;
  for (const double v : out.null) {
    reached += v >= bar;
    mean += v / draws;
    lowest = std::min(lowest, v);
    highest = std::max(highest, v);
  }
  for (const double v : out.null) squares += (v - mean) * (v - mean) / draws;
  out.p_value = static_cast<double>(reached) / (draws + 1);
  const double spread = std::sqrt(squares);
  if (highest - lowest <= out.tolerance) {
    out.warnings.push_back(
        "every split has the same statistic within rounding: the samples are constant, or the kernel cannot tell their "
        "rows apart");
  } else if (out.tolerance > spread / 100) {
    out.warnings.push_back("the arithmetic cannot resolve the test: the tolerance for ties, " + shown(out.tolerance) +
                           ", is more than a hundredth of the null draws' standard deviation, " + shown(spread) +
                           "; p is valid, but larger than it need be (double samples have a smaller tolerance)");
  }
}

// Long sums are sums of sums of this many numbers, so that their rounding stays far below the tolerance for ties.
inline constexpr index_t sum_block = 64;
template <class Value>
double blocked_sum(index_t count, Value&& value) {
  double sum = 0;
  for (index_t start = 0; start < count; start += sum_block) {
    double part = 0;
    for (index_t i = start; i < std::min(start + sum_block, count); ++i) part += value(i);
    sum += part;
  }
  return sum;
}

// A number for every position, to be summed over the chosen ones. Kept as deviations from the mean: a sum over many positions then loses
// nothing to the mean, and is exact where all numbers are the same.
class position_sums {
 public:
  position_sums() = default;
  explicit position_sums(std::vector<double> values) : deviation_(std::move(values)) {
    total_ = blocked_sum(static_cast<index_t>(deviation_.size()), [&](index_t i) { return deviation_[static_cast<std::size_t>(i)]; });
    const bool equal = std::all_of(deviation_.begin(), deviation_.end(), [&](double v) { return v == deviation_.front(); });
    mean_ = equal ? deviation_.front() : total_ / static_cast<double>(deviation_.size());
    for (double& v : deviation_) v -= mean_;
  }
  double total() const { return total_; }
  double mean() const { return mean_; }
  double deviation(std::size_t p) const { return deviation_[p]; }
  // Over these positions, in this order.
  double over(const std::vector<std::int32_t>& chosen) const {
    const auto sum = blocked_sum(static_cast<index_t>(chosen.size()),
                                 [&](index_t i) { return deviation_[static_cast<std::size_t>(chosen[static_cast<std::size_t>(i)])]; });
    return static_cast<double>(chosen.size()) * mean_ + sum;
  }

 private:
  std::vector<double> deviation_;
  double total_ = 0, mean_ = 0;
};

// What one call may take: the backend's limit where it has one.
template <class B>
double memory_limit_of(const B& on) {
  if constexpr (requires { on.memory_limit; }) {
    return static_cast<double>(on.memory_limit);
  } else {
    return std::numeric_limits<double>::infinity();
  }
}

}  // namespace MMD_ISA
}  // namespace detail
}  // namespace mmd
