// SPDX-License-Identifier: MIT
// The basic kernels: small values, each a function of one quantity of a pair of samples, for every kind of number.
#pragma once

#include <cmath>
#include <concepts>
#include <type_traits>

#include "mmd/core/config.hpp"
#include "mmd/core/errors.hpp"
#include "mmd/kernels/number.hpp"

namespace mmd {

// What a kernel reads about a pair of samples: |x-y|_2^2, x'y, or |x-y|_1. The exact squared distance is summed from the differences
// themselves: for pairs far closer to each other than to the mean, and the same bits wherever a pair stands; about half the speed.
enum class pair { squared_distance, inner_product, l1_distance, exact_squared_distance };
constexpr bool is_squared(pair quantity) { return quantity == pair::squared_distance || quantity == pair::exact_squared_distance; }

// A kernel of one's own takes about eight lines:
//   struct cauchy {
//     static constexpr auto reads = mmd::pair::squared_distance;
//     static constexpr bool nonnegative = true;  // optional; false unless said
//     double scale = 1;
//     template <class V>
//     MMD_HD V operator()(V d2) const { return V(1) / (V(1) + V(1 / scale) * d2); }
//   };
template <class K>
concept basic_kernel = std::copyable<K> && std::same_as<std::remove_cv_t<decltype(K::reads)>, pair> &&
    requires(const K k, number<float> f, number<double> d) {
  { k(f) } -> std::same_as<number<float>>;
  { k(d) } -> std::same_as<number<double>>;
};

namespace detail {
inline double checked_bandwidth(double h) {
  require(std::isfinite(h) && h > 0, "bandwidth", h, "a finite number above 0");
  return h;
}
}  // namespace detail

// exp(-|x-y|^2 / (2 h^2)).
struct gaussian {
  static constexpr auto reads = pair::squared_distance;
  static constexpr bool nonnegative = true;
  double bandwidth;
  explicit gaussian(double h) : bandwidth(detail::checked_bandwidth(h)), rate_(0.5 / h / h) {}
  template <class V>
  MMD_HD V operator()(V d2) const {
    return exp_product(-rate_, d2);
  }

 private:
  double rate_;
};

// exp(-|x-y|_1 / h).
struct laplace {
  static constexpr auto reads = pair::l1_distance;
  static constexpr bool nonnegative = true;
  double bandwidth;
  explicit laplace(double h) : bandwidth(detail::checked_bandwidth(h)), rate_(1 / h) {}
  template <class V>
  MMD_HD V operator()(V d1) const {
    return exp_product(-rate_, d1);
  }

 private:
  double rate_;
};

// (1 + |x-y|^2 / h^2)^(-1/2).
struct inverse_multiquadric {
  static constexpr auto reads = pair::squared_distance;
  static constexpr bool nonnegative = true;
  double bandwidth;
  explicit inverse_multiquadric(double h) : bandwidth(detail::checked_bandwidth(h)), rate_(1 / h / h) {}
  template <class V>
  MMD_HD V operator()(V d2) const {
    return V(1) / sqrt(V(1) + V(rate_) * d2);
  }

 private:
  double rate_;
};

// (1 + |x-y|^2 / (2 a h^2))^(-a).
struct rational_quadratic {
  static constexpr auto reads = pair::squared_distance;
  static constexpr bool nonnegative = true;
  double bandwidth, alpha;
  explicit rational_quadratic(double h, double a = 1) : bandwidth(detail::checked_bandwidth(h)), alpha(a), rate_(0.5 / a / h / h) {
    detail::require(std::isfinite(a) && a > 0, "alpha", a, "a finite number above 0");
  }
  template <class V>
  MMD_HD V operator()(V d2) const {
    return exp_product(-alpha, log(V(1) + V(rate_) * d2));
  }

 private:
  double rate_;
};

// (1 + sqrt(3) r / h) exp(-sqrt(3) r / h), r = |x-y|.
struct matern32 {
  static constexpr auto reads = pair::squared_distance;
  static constexpr bool nonnegative = true;
  double bandwidth;
  explicit matern32(double h) : bandwidth(detail::checked_bandwidth(h)), rate_(1.7320508075688772 / h) {}
  template <class V>
  MMD_HD V operator()(V d2) const {
    const V s = V(rate_) * sqrt(d2);
    return (V(1) + s) * exp_product(-1, s);
  }

 private:
  double rate_;
};

// (1 + sqrt(5) r / h + 5 r^2 / (3 h^2)) exp(-sqrt(5) r / h), r = |x-y|.
struct matern52 {
  static constexpr auto reads = pair::squared_distance;
  static constexpr bool nonnegative = true;
  double bandwidth;
  explicit matern52(double h) : bandwidth(detail::checked_bandwidth(h)), rate_(2.23606797749979 / h) {}
  template <class V>
  MMD_HD V operator()(V d2) const {
    const V s = V(rate_) * sqrt(d2);
    return (V(1) + s + s * s * V(1.0 / 3)) * exp_product(-1, s);
  }

 private:
  double rate_;
};

// -|x-y|: MMD^2 with it is the energy distance (Szekely & Rizzo). Conditionally positive definite: the statistics here are right with it,
// but it is no kernel of an RKHS by itself.
struct energy {
  static constexpr auto reads = pair::squared_distance;
  template <class V>
  MMD_HD V operator()(V d2) const {
    return -sqrt(d2);
  }
};

// (scale x'y + offset)^degree.
struct polynomial {
  static constexpr auto reads = pair::inner_product;
  int degree;
  double scale, offset;
  explicit polynomial(int p = 3, double s = 1, double c = 1) : degree(p), scale(s), offset(c) {
    detail::require(p >= 1 && p <= 64, "degree", p, "1 to 64");
    detail::require(std::isfinite(s), "scale", s, "a finite number");
    detail::require(std::isfinite(c), "offset", c, "a finite number");
  }
  template <class V>
  MMD_HD V operator()(V xy) const {
    const V t = V(scale) * xy + V(offset);
    V power = t;
    for (int i = 1; i < degree; ++i) power = power * t;
    return power;
  }
};

// x'y.
struct linear {
  static constexpr auto reads = pair::inner_product;
  template <class V>
  MMD_HD V operator()(V xy) const {
    return xy;
  }
};

}  // namespace mmd
