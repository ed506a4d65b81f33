// SPDX-License-Identifier: MIT
// The objectives of kernel learning straight from their definitions, on a kernel matrix of any kind of number (complex: derivatives by the
// complex step). No formula here has been rearranged.
#pragma once

#include <cmath>
#include <complex>
#include <cstddef>
#include <vector>

namespace oracle {

template <class V>
struct square_matrix {
  std::size_t size;
  std::vector<V> values;
  explicit square_matrix(std::size_t n) : size(n), values(n * n) {}
  V& operator()(std::size_t i, std::size_t j) { return values[i * size + j]; }
  const V& operator()(std::size_t i, std::size_t j) const { return values[i * size + j]; }
};

template <class V>
struct objective {
  V statistic, variance, value;
};

// Weights w of the n rows of x and v of the others, each with sum 1; b = 1 with k(y, y'), 0 without.
template <class V>
objective<V> unpaired_objective(const square_matrix<V>& k, const std::vector<double>& w, const std::vector<double>& v, double b,
                                double lambda) {
  const std::size_t n = w.size(), m = v.size();
  V xx = 0, yy = 0, xy = 0;
  double wxx = 0, wyy = 0;
  for (std::size_t i = 0; i < n; ++i) {
    for (std::size_t j = 0; j < n; ++j) {
      if (i != j) xx += w[i] * w[j] * k(i, j), wxx += w[i] * w[j];
    }
    for (std::size_t j = 0; j < m; ++j) xy += w[i] * v[j] * k(i, n + j);
  }
  for (std::size_t i = 0; i < m; ++i) {
    for (std::size_t j = 0; j < m; ++j) {
      if (i != j) yy += v[i] * v[j] * k(n + i, n + j), wyy += v[i] * v[j];
    }
  }
  const V statistic = xx / wxx + b * yy / wyy - 2.0 * xy;
  std::vector<V> g(n), h(m);
  V g_mean = 0, h_mean = 0, g_square = 0, h_square = 0;
  for (std::size_t i = 0; i < n; ++i) {
    for (std::size_t j = 0; j < n; ++j) g[i] += w[j] * k(i, j);
    for (std::size_t j = 0; j < m; ++j) g[i] -= v[j] * k(i, n + j);
    g_mean += w[i] * g[i];
  }
  for (std::size_t i = 0; i < m; ++i) {
    for (std::size_t j = 0; j < m; ++j) h[i] += b * v[j] * k(n + i, n + j);
    for (std::size_t j = 0; j < n; ++j) h[i] -= w[j] * k(n + i, j);
    h_mean += v[i] * h[i];
  }
  for (std::size_t i = 0; i < n; ++i) g_square += w[i] * (g[i] - g_mean) * (g[i] - g_mean);
  for (std::size_t i = 0; i < m; ++i) h_square += v[i] * (h[i] - h_mean) * (h[i] - h_mean);
  const double total = static_cast<double>(n + m);
  const V variance = 4.0 * (2.0 * static_cast<double>(m) / total * g_square + 2.0 * static_cast<double>(n) / total * h_square);
  return {statistic, variance, statistic / std::sqrt(variance + lambda)};
}

// The paper's form: pairs (x_i, y_i) with weights w.
template <class V>
objective<V> paired_objective(const square_matrix<V>& k, const std::vector<double>& w, double b, double lambda) {
  const std::size_t n = w.size();
  auto h = [&](std::size_t i, std::size_t j) { return k(i, j) + b * k(n + i, n + j) - k(i, n + j) - k(n + i, j); };
  V statistic = 0, mean = 0, square = 0;
  double pairs = 0;
  std::vector<V> r(n);
  for (std::size_t i = 0; i < n; ++i) {
    for (std::size_t j = 0; j < n; ++j) {
      r[i] += w[j] * h(i, j);
      if (i != j) statistic += w[i] * w[j] * h(i, j), pairs += w[i] * w[j];
    }
    mean += w[i] * r[i];
  }
  for (std::size_t i = 0; i < n; ++i) square += w[i] * (r[i] - mean) * (r[i] - mean);
  const V variance = 4.0 * square;
  statistic /= pairs;
  return {statistic, variance, statistic / std::sqrt(variance + lambda)};
}

}  // namespace oracle
