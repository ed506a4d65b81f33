// SPDX-License-Identifier: MIT
// The objective of the deep kernel of MMD-MP, with its gradient by the features that a network made and by the kernel's own parameters:
// what one needs to train a network of one's own.
#pragma once

#include <cmath>
#include <utility>

#include "mmd/estimators/objective.hpp"

namespace mmd {

// k(a, b) = [(1 - epsilon) exp(-|f(a) - f(b)|^2 / sigma_phi) + epsilon] [exp(-|a - b|^2 / sigma_q)], the last factor with use_q only.
// A sigma is 2 h^2 of the bandwidth h.
struct DeepKernelParameters {
  double epsilon = 0, sigma_phi = 1, sigma_q = 1;
  bool use_q = false;
};

// E: float or double, or device<float>, device<double> for features in a device's memory: their gradients are there too.
template <class E>
struct DeepObjective {
  double objective = 0, statistic = 0, variance = 0;
  matrix_of<E> grad_features;  // N x d of the features, rows of x first
  matrix_of<E> grad_raw;       // N x d of the raw rows; 0 x 0 without q, and where it is not wanted
  double grad_epsilon = 0, grad_sigma_phi = 0, grad_sigma_q = 0;
};

namespace detail {
inline void check_parameters(const DeepKernelParameters& p) {
  require(p.epsilon >= 0 && p.epsilon <= 1, "epsilon", p.epsilon, "a number from 0 to 1");
  require(std::isfinite(p.sigma_phi) && p.sigma_phi > 0, "sigma_phi", p.sigma_phi, "a finite number above 0");
  require(!p.use_q || (std::isfinite(p.sigma_q) && p.sigma_q > 0), "sigma_q", p.sigma_q, "a finite number above 0");
}
}  // namespace detail

// The deep kernel without q, as a kernel between rows of features.
inline auto deep_kernel(const DeepKernelParameters& p) {
  detail::check_parameters(p);
  return (1 - p.epsilon) * gaussian(std::sqrt(p.sigma_phi / 2)) + p.epsilon;
}
// The deep kernel with q, as a kernel between raw rows whose features are given: one row of features for each pooled row.
template <class T>
auto deep_kernel(const DeepKernelParameters& p, const samples<T>& features) {
  detail::check_parameters(p);
  return ((1 - p.epsilon) * on(given(features), gaussian(std::sqrt(p.sigma_phi / 2))) + p.epsilon) * gaussian(std::sqrt(p.sigma_q / 2));
}

inline namespace MMD_ISA {

// J of the deep kernel and its gradient. features: N x d, the n rows of x first, then those of y; raw: N x d_q, the samples themselves,
// only read with use_q (pass {} otherwise). Raw rows that are data need no gradient: wanted = {.raw = false} saves its work. Two passes
// over the pairs, O(N d) memory, the same bits for any number of threads. Throws invalid_input for parameters out of range, fewer than two
// rows in either sample, rows that do not fit, and values that are not finite.
template <backend B, class E>
DeepObjective<E> deep_objective(const B& on, const samples<E>& features, const samples<E>& raw, index_t n, const DeepKernelParameters& p,
                                const ObjectiveOptions& options = {}, gradient_of wanted = {}) {
  detail::check_parameters(p);
  detail::require(n >= 2 && n <= features.rows() - 2, "n", n, "at least 2, and at least 2 fewer than the rows of features");
  DeepObjective<E> out;
  auto finish = [&](ObjectiveGradient<E> g) {
    out.objective = g.value.objective;
    out.statistic = g.value.statistic;
    out.variance = g.value.variance;
    out.grad_features = std::move(g.gradient.features[0]);
    out.grad_epsilon = g.gradient.constants[1] - g.gradient.constants[0];
    out.grad_sigma_phi = -g.gradient.scales[0] / p.sigma_phi;
    if (p.use_q) {
      out.grad_raw = std::move(g.gradient.features[1]);
      out.grad_sigma_q = -g.gradient.scales[1] / p.sigma_q;
    }
  };
  auto halves = [n](const samples<E>& z) { return std::pair(z.middle_rows(0, n), z.middle_rows(n, z.rows() - n)); };
  if (p.use_q) {
    detail::require(raw.rows() == features.rows(), "raw.rows()", raw.rows(), "as many rows as features");
    check_sample(features, "features");
    const auto [x, y] = halves(raw);
    finish(mmd_mp_gradient(on, deep_kernel(p, features), x, y, options, wanted));
  } else {
    const auto [x, y] = halves(features);
    finish(mmd_mp_gradient(on, deep_kernel(p), x, y, options));  // here the features are the samples
  }
  return out;
}
template <class T>
DeepObjective<T> deep_objective(const samples<T>& features, const samples<T>& raw, index_t n, const DeepKernelParameters& p,
                                const ObjectiveOptions& options = {}, gradient_of wanted = {}) {
  return deep_objective(detail::default_backend<T>{}, features, raw, n, p, options, wanted);
}

}  // namespace MMD_ISA
}  // namespace mmd
