// SPDX-License-Identifier: MIT
// Kernels as plain functions of two rows, in long double, and everything a pass keeps by the naive double loop.
#pragma once

#include <cmath>
#include <cstddef>
#include <functional>
#include <utility>
#include <vector>

namespace oracle::kernels {

using real = long double;
using row = std::vector<double>;
using rows = std::vector<row>;
using kernel_function = std::function<real(const row&, const row&)>;

inline real squared_distance(const row& x, const row& y) {
  real s = 0;
  for (std::size_t k = 0; k < x.size(); ++k) s += (static_cast<real>(x[k]) - y[k]) * (static_cast<real>(x[k]) - y[k]);
  return s;
}
inline real l1_distance(const row& x, const row& y) {
  real s = 0;
  for (std::size_t k = 0; k < x.size(); ++k) s += std::fabs(static_cast<real>(x[k]) - y[k]);
  return s;
}
inline real inner_product(const row& x, const row& y) {
  real s = 0;
  for (std::size_t k = 0; k < x.size(); ++k) s += static_cast<real>(x[k]) * y[k];
  return s;
}

inline kernel_function gaussian(real h) {
  return [=](const row& x, const row& y) { return std::exp(-squared_distance(x, y) / (2 * h * h)); };
}
inline kernel_function laplace(real h) {
  return [=](const row& x, const row& y) { return std::exp(-l1_distance(x, y) / h); };
}
inline kernel_function inverse_multiquadric(real h) {
  return [=](const row& x, const row& y) { return 1 / std::sqrt(1 + squared_distance(x, y) / (h * h)); };
}
inline kernel_function rational_quadratic(real h, real a) {
  return [=](const row& x, const row& y) { return std::pow(1 + squared_distance(x, y) / (2 * a * h * h), -a); };
}
inline kernel_function matern32(real h) {
  return [=](const row& x, const row& y) {
    const real t = std::sqrt(real(3) * squared_distance(x, y)) / h;
    return (1 + t) * std::exp(-t);
  };
}
inline kernel_function matern52(real h) {
  return [=](const row& x, const row& y) {
    const real d2 = squared_distance(x, y), t = std::sqrt(real(5) * d2) / h;
    return (1 + t + 5 * d2 / (3 * h * h)) * std::exp(-t);
  };
}
inline kernel_function energy() {
  return [](const row& x, const row& y) { return -std::sqrt(squared_distance(x, y)); };
}
inline kernel_function polynomial(int degree, real scale, real offset) {
  return [=](const row& x, const row& y) { return std::pow(scale * inner_product(x, y) + offset, degree); };
}
inline kernel_function linear() { return inner_product; }
inline kernel_function scaled(real c, kernel_function k) {
  return [=](const row& x, const row& y) { return c * k(x, y); };
}
inline kernel_function constant(real c) {
  return [=](const row&, const row&) { return c; };
}
inline kernel_function sum(kernel_function a, kernel_function b) {
  return [=](const row& x, const row& y) { return a(x, y) + b(x, y); };
}
inline kernel_function product(kernel_function a, kernel_function b) {
  return [=](const row& x, const row& y) { return a(x, y) * b(x, y); };
}
inline kernel_function on(std::function<row(const row&)> map, kernel_function k) {
  return [=](const row& x, const row& y) { return k(map(x), map(y)); };
}

// K of all rows, its true diagonal included.
inline std::vector<std::vector<double>> gram(const rows& z, const kernel_function& k) {
  std::vector<std::vector<double>> K(z.size(), row(z.size()));
  for (std::size_t i = 0; i < z.size(); ++i) {
    for (std::size_t j = 0; j < z.size(); ++j) K[i][j] = static_cast<double>(k(z[i], z[j]));
  }
  return K;
}

}  // namespace oracle::kernels
