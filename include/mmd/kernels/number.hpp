// SPDX-License-Identifier: MIT
// The numbers a kernel computes with are always of class type, so that exp(x), sqrt(x), ... find their friends without any `using`:
// number<T> (one value: the device, reference values), simd<T> (the CPU), dual<V> (derivatives of either).
#pragma once

#include <cmath>
#include <type_traits>

#include "mmd/core/config.hpp"

namespace mmd {

inline namespace MMD_ISA {

template <class T>
struct number {
  T v;

  number() = default;
  template <class S>
  requires std::is_arithmetic_v<S> MMD_HD number(S s) : v(static_cast<T>(s)) {}
  friend MMD_HD number operator+(number a, number b) { return a.v + b.v; }
  friend MMD_HD number operator-(number a, number b) { return a.v - b.v; }
  friend MMD_HD number operator*(number a, number b) { return a.v * b.v; }
  friend MMD_HD number operator/(number a, number b) { return a.v / b.v; }
  friend MMD_HD number operator-(number a) { return -a.v; }
  friend MMD_HD number fma(number a, number b, number c) { return a.v * b.v + c.v; }
  friend MMD_HD number max(number a, number b) { return a.v > b.v ? a.v : b.v; }  // b if either is NaN
  friend MMD_HD number min(number a, number b) { return a.v < b.v ? a.v : b.v; }  // b if either is NaN
  friend MMD_HD number abs(number a) { return a.v < 0 ? -a.v : a.v; }
  friend MMD_HD number where_positive(number a, number b) { return a.v > 0 ? b.v : T(0); }  // b where a > 0, else 0
  friend MMD_HD number sqrt(number a) {
    if constexpr (sizeof(T) == 4) {
      return ::sqrtf(a.v);
    } else {
      return ::sqrt(a.v);
    }
  }
  friend MMD_HD number log(number a) {
    if constexpr (sizeof(T) == 4) {
      return ::logf(a.v);
    } else {
      return ::log(a.v);
    }
  }
  friend MMD_HD number exp(number a) {
    if constexpr (sizeof(T) == 4) {
      return ::expf(a.v);
    } else {
      return ::exp(a.v);
    }
  }
};

// e^(c x) and 2^(rate x), for exponents below 2^80. Numbers that can do better than this have functions of their own.
template <class V>
MMD_HD V exp_product(double c, V x) {
  return exp(V(c) * x);
}
template <class V>
MMD_HD V exp2_product(V rate, V x) {
  return exp(V(0.6931471805599453) * rate * x);
}

}  // namespace MMD_ISA
}  // namespace mmd
