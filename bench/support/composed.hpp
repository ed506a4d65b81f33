// SPDX-License-Identifier: MIT
// The composed kernels that are timed, and their formulas on one quantity.
#pragma once

#include <cmath>

#include "mmd/kernels/algebra.hpp"

namespace bench {

inline constexpr double epsilon = 0.01;
inline constexpr mmd::index_t feature_columns = 128;

inline auto five_gaussians(double h) {
  using mmd::gaussian;
  return mmd::mixture(gaussian(h / 2), gaussian(h / 1.4), gaussian(h), gaussian(1.4 * h), gaussian(2 * h));
}
inline auto five_formulas(double h) {
  return [=, a = mmd::gaussian(h / 2), b = mmd::gaussian(h / 1.4), c = mmd::gaussian(h), d = mmd::gaussian(1.4 * h),
          e = mmd::gaussian(2 * h)](auto q) { return (a(q) + b(q) + c(q) + d(q) + e(q)) * decltype(q)(0.2); };
}

// The deep kernel of MMD-MP on features that exist, with q on the samples themselves.
template <class T>
auto deep_on(const mmd::samples<T>& features, double h) {
  const double own = std::sqrt(2.0 * static_cast<double>(features.cols()));
  return ((1 - epsilon) * mmd::on(mmd::given(features), mmd::gaussian(own)) + epsilon) * mmd::gaussian(h);
}
inline auto deep_formula(double h) {
  return [phi = mmd::gaussian(1.3 * h), q = mmd::gaussian(h)](auto u) {
    using V = decltype(u);
    return (V(1 - epsilon) * phi(u) + V(epsilon)) * q(u);
  };
}

}  // namespace bench
