// SPDX-License-Identifier: MIT
// dual<V>: a number with its derivative. A kernel is generic in its numbers, so its derivatives need no code from its author.
#pragma once

#include <type_traits>

#include "mmd/core/config.hpp"

namespace mmd {

inline namespace MMD_ISA {

template <class V>
struct dual {
  V v, d;

  template <class S>
  requires std::is_arithmetic_v<S> MMD_HD dual(S s) : v(s), d(0) {}
  MMD_HD dual(V value, V derivative) : v(value), d(derivative) {}
  friend MMD_HD dual operator+(dual a, dual b) { return {a.v + b.v, a.d + b.d}; }
  friend MMD_HD dual operator-(dual a, dual b) { return {a.v - b.v, a.d - b.d}; }
  friend MMD_HD dual operator*(dual a, dual b) { return {a.v * b.v, a.d * b.v + a.v * b.d}; }
  friend MMD_HD dual operator/(dual a, dual b) {
    const V q = a.v / b.v;
    return {q, (a.d - q * b.d) / b.v};
  }
  friend MMD_HD dual operator-(dual a) { return {-a.v, -a.d}; }
  friend MMD_HD dual fma(dual a, dual b, dual c) { return {fma(a.v, b.v, c.v), a.d * b.v + a.v * b.d + c.d}; }
  friend MMD_HD dual exp(dual a) {
    const V e = exp(a.v);
    return {e, e * a.d};
  }
  friend MMD_HD dual exp_product(double c, dual a) {
    const V e = exp_product(c, a.v);
    return {e, V(c) * e * a.d};
  }
  friend MMD_HD dual exp2_product(dual rate, dual a) {  // the rate is a constant
    const V e = exp2_product(rate.v, a.v);
    return {e, V(0.6931471805599453) * rate.v * e * a.d};
  }
  friend MMD_HD dual log(dual a) { return {log(a.v), a.d / a.v}; }
  // The derivative at 0 is taken as 0: there the pair coincides, and every derivative by its coordinates vanishes or does not exist.
  friend MMD_HD dual sqrt(dual a) {
    const V s = sqrt(a.v);
    return {s, where_positive(s, a.d / (s + s))};
  }
};

}  // namespace MMD_ISA
}  // namespace mmd
