// SPDX-License-Identifier: MIT
// The layers of a perceptron, one value at a time in double.
#pragma once

#include <cmath>
#include <cstddef>
#include <functional>
#include <vector>

namespace oracle {

using rows = std::vector<std::vector<double>>;

// x W' + b, W as outputs x inputs.
inline rows linear(const rows& x, const rows& weight, const std::vector<double>& bias) {
  rows out;
  for (const auto& row : x) {
    out.emplace_back();
    for (std::size_t o = 0; o < weight.size(); ++o) {
      double sum = bias.empty() ? 0 : bias[o];
      for (std::size_t k = 0; k < row.size(); ++k) sum += weight[o][k] * row[k];
      out.back().push_back(sum);
    }
  }
  return out;
}

inline double gelu(double z) { return z / 2 * std::erfc(-z / std::sqrt(2.0)); }

// GELU, then LayerNorm with gains and shifts.
inline rows gelu_norm(const rows& z, const std::vector<double>& gain, const std::vector<double>& shift, double epsilon) {
  rows out;
  for (const auto& row : z) {
    const double width = static_cast<double>(row.size());
    double mean = 0, variance = 0;
    for (const double v : row) mean += gelu(v) / width;
    for (const double v : row) variance += (gelu(v) - mean) * (gelu(v) - mean) / width;
    out.emplace_back();
    for (std::size_t k = 0; k < row.size(); ++k) {
      out.back().push_back(gain[k] * (gelu(row[k]) - mean) / std::sqrt(variance + epsilon) + shift[k]);
    }
  }
  return out;
}

// The derivative of f by one number, from f at four places around it: error of order h^4.
inline double derivative(const std::function<double()>& f, double& at, double h = 1e-3) {
  const double x = at;
  const auto value = [&](double moved) {
    at = x + moved;
    return f();
  };
  const double slope = (8 * (value(h) - value(-h)) - (value(2 * h) - value(-2 * h))) / (12 * h);
  at = x;
  return slope;
}

// Adam: the parameters after each step, for gradients that are given one a step.
inline rows adam(std::vector<double> p, const rows& gradients, double rate, double b1 = 0.9, double b2 = 0.999, double epsilon = 1e-8) {
  std::vector<double> m(p.size()), v(p.size());
  rows out;
  for (std::size_t t = 1; t <= gradients.size(); ++t) {
    for (std::size_t i = 0; i < p.size(); ++i) {
      const double g = gradients[t - 1][i];
      m[i] = b1 * m[i] + (1 - b1) * g;
      v[i] = b2 * v[i] + (1 - b2) * g * g;
      const double mean = m[i] / (1 - std::pow(b1, static_cast<double>(t))), square = v[i] / (1 - std::pow(b2, static_cast<double>(t)));
      p[i] -= rate * mean / (std::sqrt(square) + epsilon);
    }
    out.push_back(p);
  }
  return out;
}

}  // namespace oracle
