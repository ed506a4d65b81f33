// SPDX-License-Identifier: MIT
// How a sum of Gaussians on one space is evaluated: terms whose rates 1 / (2 h^2) are as 1 : 2 or 1 : 4, as in every grid of bandwidths
// with factor sqrt 2 or 2, are squares of one another.
#pragma once

#include <algorithm>
#include <cmath>
#include <type_traits>
#include <utility>

#include "mmd/kernels/algebra.hpp"

namespace mmd {

// The number of terms of a sum of Gaussians and nothing else; 0 for any other kernel.
template <class K>
inline constexpr int gaussian_terms = 0;
template <>
inline constexpr int gaussian_terms<gaussian> = 1;
template <class A, class B>
inline constexpr int gaussian_terms<sum_of<A, B>> =
    gaussian_terms<A> == 0 || gaussian_terms<B> == 0 ? 0 : gaussian_terms<A> + gaussian_terms<B>;

// sum_i exp(-d2 / (2 h_i^2)). A term is a power of its own, or the square or fourth power of the term before it, never more than the fourth
// of a power of its own: at most (12 + 1.1 |x|) eps from e^x in relative terms, where a power of its own has (2.5 + 1.1 |x|) eps.
template <int terms>
class gaussian_sum {
 public:
  static constexpr auto reads = pair::squared_distance;

  template <class K>
  explicit gaussian_sum(const K& k) {
    double free[terms];
    collect(k, free);
    std::sort(free, free + terms);
    for (int i = 0, left = terms, power = 4; i < terms; ++i) {
      int next = 0, squares = 0;
      for (int s = 1; squares == 0 && (power << s) <= 4; ++s) {
        for (int f = 0; f < left; ++f) {
          if (std::abs(free[f] - (rate_[i - 1] * (1 << s))) <= 1e-12 * free[f]) next = f, squares = s;
        }
      }
      rate_[i] = free[next];
      squares_[i] = squares;
      power = squares == 0 ? 1 : power << squares;
      std::copy(free + next + 1, free + left--, free + next);
    }
    for (int i = 0; i < terms; ++i) {
      exponent_[i] = rate_[i] * -1.4426950408889634;
      exponent_as_float_[i] = static_cast<float>(exponent_[i]);
    }
  }
  template <class V>
  MMD_HD V operator()(V d2) const {
    return add<V>(d2, std::make_integer_sequence<int, terms - 1>{});
  }

 private:
  double rate_[terms], exponent_[terms];  // of 2
  float exponent_as_float_[terms];
  int squares_[terms];

  static double* collect(const gaussian& k, double* out) {
    *out = 0.5 / k.bandwidth / k.bandwidth;
    return out + 1;
  }
  template <class A, class B>
  static double* collect(const sum_of<A, B>& k, double* out) {
    return collect(k.b, collect(k.a, out));
  }
  template <class V>
  MMD_HD V exponent_of(int i) const {
    if constexpr (floats_of_device<V>) {
      return V(exponent_as_float_[i]);
    } else {
      return V(exponent_[i]);
    }
  }
  template <class V, int... i>
  MMD_HD V add(V d2, std::integer_sequence<int, i...>) const {
    const V exponent[] = {exponent_of<V>(0), exponent_of<V>(i + 1)...};
    V term = exp2_product(exponent[0], d2), sum = term;
    const auto next = [&](int t) {
      if (squares_[t] == 0) {
        term = exp2_product(exponent[t], d2);
      } else {
        term = term * term;
        if (squares_[t] == 2) term = term * term;
      }
      sum = sum + term;
    };
    (next(i + 1), ...);
    return sum;
  }
};

}  // namespace mmd
