// SPDX-License-Identifier: MIT
// Scores and document statistics by their formulas: double loops over rows, in double.
#pragma once

#include <cmath>
#include <cstddef>
#include <functional>
#include <vector>

namespace oracle {

using row = std::vector<double>;
using kernel_function = std::function<double(const row&, const row&)>;

inline double squared_distance(const row& a, const row& b) {
  double sum = 0;
  for (std::size_t k = 0; k < a.size(); ++k) sum += (a[k] - b[k]) * (a[k] - b[k]);
  return sum;
}
inline kernel_function gaussian(double h) {
  return [h](const row& a, const row& b) { return std::exp(-squared_distance(a, b) / (2 * h * h)); };
}
inline kernel_function polynomial(double scale, double offset) {
  return [=](const row& a, const row& b) {
    double sum = 0;
    for (std::size_t k = 0; k < a.size(); ++k) sum += a[k] * b[k];
    return std::pow(scale * sum + offset, 3);
  };
}

// Biased MMD^2 of {reference} against the single row y.
inline double score(const kernel_function& k, const std::vector<row>& reference, const row& y) {
  double within = 0, across = 0;
  for (const auto& a : reference) {
    across += k(a, y);
    for (const auto& b : reference) within += k(a, b);
  }
  const auto n = static_cast<double>(reference.size());
  return within / (n * n) - 2 * across / n + k(y, y);
}

// Unbiased MMD^2 of two samples.
inline double unbiased(const kernel_function& k, const std::vector<row>& x, const std::vector<row>& y) {
  const auto within = [&](const std::vector<row>& z) {
    double sum = 0;
    for (std::size_t i = 0; i < z.size(); ++i) {
      for (std::size_t j = 0; j < z.size(); ++j) sum += i == j ? 0 : k(z[i], z[j]);
    }
    return sum / (static_cast<double>(z.size()) * static_cast<double>(z.size() - 1));
  };
  double across = 0;
  for (const auto& a : x) {
    for (const auto& b : y) across += k(a, b);
  }
  return within(x) + within(y) - 2 * across / (static_cast<double>(x.size()) * static_cast<double>(y.size()));
}

}  // namespace oracle
