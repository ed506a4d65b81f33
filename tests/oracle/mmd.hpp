// SPDX-License-Identifier: MIT
// MMD^2 and its kin from their definitions: rows as vectors of double, a kernel as any function of two rows, two nested loops.
#pragma once

#include <cmath>
#include <cstddef>
#include <vector>

namespace oracle {

using row = std::vector<double>;
using sample = std::vector<row>;

inline double squared_distance(const row& a, const row& b) {
  double sum = 0;
  for (std::size_t i = 0; i < a.size(); ++i) sum += (a[i] - b[i]) * (a[i] - b[i]);
  return sum;
}
inline double l1_distance(const row& a, const row& b) {
  double sum = 0;
  for (std::size_t i = 0; i < a.size(); ++i) sum += std::abs(a[i] - b[i]);
  return sum;
}
inline double inner_product(const row& a, const row& b) {
  double sum = 0;
  for (std::size_t i = 0; i < a.size(); ++i) sum += a[i] * b[i];
  return sum;
}

// The mean of k over pairs of rows of a and b; with `same`, over pairs of different rows of one sample.
template <class K>
double mean_kernel(const K& k, const sample& a, const sample& b, bool different_rows) {
  double sum = 0, pairs = 0;
  for (std::size_t i = 0; i < a.size(); ++i) {
    for (std::size_t j = 0; j < b.size(); ++j) {
      if (different_rows && i == j) continue;
      sum += k(a[i], b[j]);
      pairs += 1;
    }
  }
  return sum / pairs;
}
template <class K>
double mean_absolute_kernel(const K& k, const sample& x, const sample& y) {
  auto size = [&](const row& a, const row& b) { return std::abs(k(a, b)); };
  return mean_kernel(size, x, x, false) + mean_kernel(size, y, y, false) + 2 * mean_kernel(size, x, y, false);
}
template <class K>
double biased_mmd(const K& k, const sample& x, const sample& y) {
  return mean_kernel(k, x, x, false) + mean_kernel(k, y, y, false) - 2 * mean_kernel(k, x, y, false);
}
template <class K>
double unbiased_mmd(const K& k, const sample& x, const sample& y) {
  return mean_kernel(k, x, x, true) + mean_kernel(k, y, y, true) - 2 * mean_kernel(k, x, y, false);
}
template <class K>
double mpp(const K& k, const sample& x, const sample& y) {
  return mean_kernel(k, x, x, true) - 2 * mean_kernel(k, x, y, false);
}

// H_ij of the paired forms; with_y = 0 leaves k(y, y') out.
template <class K>
double h(const K& k, const sample& x, const sample& y, double with_y, std::size_t i, std::size_t j) {
  return k(x[i], x[j]) + (with_y != 0 ? with_y * k(y[i], y[j]) : 0) - k(x[i], y[j]) - k(y[i], x[j]);
}
template <class K>
double paired_mmd(const K& k, const sample& x, const sample& y, double with_y) {
  double sum = 0;
  const std::size_t n = x.size();
  for (std::size_t i = 0; i < n; ++i) {
    for (std::size_t j = 0; j < n; ++j) sum += i == j ? 0 : h(k, x, y, with_y, i, j);
  }
  return sum / static_cast<double>(n * (n - 1));
}

inline double population_variance(const std::vector<double>& v) {
  double mean = 0, sum = 0;
  for (double e : v) mean += e / static_cast<double>(v.size());
  for (double e : v) sum += (e - mean) * (e - mean);
  return sum / static_cast<double>(v.size());
}
// Asymptotic variance of sqrt(n) times the paired statistic: 4 Var_i(mean_j H_ij).
template <class K>
double paired_variance(const K& k, const sample& x, const sample& y, double with_y) {
  std::vector<double> r(x.size());
  for (std::size_t i = 0; i < x.size(); ++i) {
    for (std::size_t j = 0; j < x.size(); ++j) r[i] += h(k, x, y, with_y, i, j) / static_cast<double>(x.size());
  }
  return 4 * population_variance(r);
}
// Asymptotic variance of sqrt(n0) times the unpaired statistic, n0 = 2nm/(n+m).
template <class K>
double unpaired_variance(const K& k, const sample& x, const sample& y, double with_y) {
  const double n = static_cast<double>(x.size()), m = static_cast<double>(y.size());
  std::vector<double> g, q;
  for (const row& a : x) g.push_back(mean_kernel(k, {a}, x, false) - mean_kernel(k, {a}, y, false));
  for (const row& a : y) q.push_back((with_y != 0 ? with_y * mean_kernel(k, {a}, y, false) : 0) - mean_kernel(k, {a}, x, false));
  return 4 * (2 * m / (n + m) * population_variance(g) + 2 * n / (n + m) * population_variance(q));
}

}  // namespace oracle
