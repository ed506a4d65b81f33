// SPDX-License-Identifier: MIT
// From the sums of one split to its statistic, and from the statistics of all splits to the result of a test.
#pragma once

#include <algorithm>
#include <cmath>
#include <limits>
#include <string>
#include <utility>
#include <vector>

#include "mmd/core/device.hpp"
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

// What the sums within A, within B and across count in MMD^2, n and m rows on the sides.
struct split_weights {
  double chosen, other, across;
  split_weights(estimator e, double n, double m) : chosen(1 / (n * n)), other(1 / (m * m)), across(2 / (n * m)) {
    if (e == estimator::unbiased) {
      chosen = 1 / (n * (n - 1));
      other = 1 / (m * (m - 1));
    }
  }
};
// MMD^2 of a split, or of a pack of splits: A x B and B x B follow from A x A, A x everything and the total.
template <class V>
V split_statistic(estimator e, const split_weights& w, V all_entries, V all_diagonal, V inside, V entries, V diagonal) {
  const V across = entries - inside, other = all_entries - V(2) * entries + inside;
  if (e == estimator::unbiased) return V(w.chosen) * inside + V(w.other) * other - V(w.across) * across;
  return V(w.chosen) * (inside + diagonal) + V(w.other) * (other + all_diagonal - diagonal) - V(w.across) * across;
}
inline double split_statistic(estimator e, const pool_sums& all, const side_sums& a) {
  return split_statistic(e, split_weights(e, a.size, all.size - a.size), all.entries, all.diagonal, a.inside, a.entries, a.diagonal);
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

// The sum of f(v) in eight chains, so that the additions overlap.
template <class F>
double sum_in_lanes(const std::vector<double>& values, F&& f) {
  constexpr std::size_t lanes = 8;
  double lane[lanes] = {}, sum = 0;
  const std::size_t whole = values.size() / lanes * lanes;
  for (std::size_t i = 0; i < whole; i += lanes) {
    for (std::size_t l = 0; l < lanes; ++l) lane[l] += f(values[i + l]);
  }
  for (std::size_t i = whole; i < values.size(); ++i) sum += f(values[i]);
  for (const double part : lane) sum += part;
  return sum;
}

// The part of a result that follows from the statistics alone.
inline void conclude(TestResult& out, evaluated_splits splits) {
  const auto draws = static_cast<double>(splits.values.size() - 1), share = 1 / draws;
  out.statistic = splits.values.front();
  out.tolerance = splits.tolerance;
  out.null = std::move(splits.values);
  out.null.erase(out.null.begin());
  out.permutations = static_cast<index_t>(out.null.size());
  const double mean = sum_in_lanes(out.null, [=](double v) { return v * share; });  // finite where all draws are
  const auto check = [](double v) {
    require(std::isfinite(v), "statistic", v, "a finite number: some value of the kernel on these rows is not finite");
  };
  check(out.statistic);
  if (!std::isfinite(mean)) std::for_each(out.null.begin(), out.null.end(), check);
  const double bar = out.statistic - out.tolerance;
  const auto reached = std::count_if(out.null.begin(), out.null.end(), [bar](double v) { return v >= bar; });
  out.p_value = static_cast<double>(1 + reached) / (draws + 1);
  const double spread = std::sqrt(sum_in_lanes(out.null, [=](double v) { return (v - mean) * (v - mean) * share; }));
  if (out.tolerance < spread / 100) return;
  const auto [lowest, highest] = std::minmax_element(out.null.begin(), out.null.end());
  if (std::max(*highest, out.statistic) - std::min(*lowest, out.statistic) <= out.tolerance) {
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
  // The same number at each of `count` positions.
  position_sums(index_t count, double value) : total_(static_cast<double>(count) * value), mean_(value) {}
  explicit position_sums(std::vector<double> values) : deviation_(std::move(values)) {
    total_ = blocked_sum(static_cast<index_t>(deviation_.size()), [&](index_t i) { return deviation_[static_cast<std::size_t>(i)]; });
    constant_ = std::all_of(deviation_.begin(), deviation_.end(), [&](double v) { return v == deviation_.front(); });
    mean_ = constant_ ? deviation_.front() : total_ / static_cast<double>(deviation_.size());
    for (double& v : deviation_) v -= mean_;
  }
  double total() const { return total_; }
  double mean() const { return mean_; }
  bool constant() const { return constant_; }  // then no deviation need be read
  double deviation(std::size_t p) const { return deviation_[p]; }
  const double* deviations() const { return deviation_.data(); }

 private:
  std::vector<double> deviation_;
  double total_ = 0, mean_ = 0;
  bool constant_ = true;
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
