// SPDX-License-Identifier: MIT
// Whether float samples can be evaluated in float.
#pragma once

#include <algorithm>
#include <array>
#include <cmath>

#include "mmd/kernels/plan.hpp"

namespace mmd {
namespace detail {
inline namespace MMD_ISA {

// A float that is not a number where the exponential functions of a backend may not be right.
struct float_of_packs {
  float x;
  float_of_packs() = default;
  template <class S>
  MMD_HD float_of_packs(S value) : x(static_cast<float>(value)) {}
  MMD_HD operator float() const { return x; }
};
MMD_HD inline number<float_of_packs> exp_product(double c, number<float_of_packs> x) {
  const double t = c * static_cast<double>(x.v);
  return ::fabs(t) < 0x1p80 ? ::exp(t) : static_cast<double>(NAN);
}

// What a slot reads, in numbers: the largest squared norm of its features, and how many there are.
struct slot_extent {
  double largest_norm;
  index_t d;
};

// Whether float does for the kernel (without maps): no largest norm leaves [1e-15, 1e15] (its square then still has all its digits), and
// where the quantities are 0 or largest the kernel is as finite in float as in double, and not all but 0.
template <class K, class... Q>
bool float_suffices(const K& k, expression::list<Q...>, const std::array<slot_extent, sizeof...(Q)>& slots) {
  for (const slot_extent& s : slots) {
    if (s.largest_norm != 0 && (s.largest_norm < 1e-30 || s.largest_norm > 1e30)) return false;
  }
  const std::array<pair, sizeof...(Q)> quantity{Q::quantity...};
  double largest = 0;
  for (const double share : {0.0, 1.0, -1.0}) {
    expression::values<number<double>, expression::list<Q...>> exact;
    expression::values<number<float_of_packs>, expression::list<Q...>> rounded;
    for (std::size_t s = 0; s < sizeof...(Q); ++s) {
      const auto [end, d] = slots[s];
      double u = share * end;
      if (is_squared(quantity[s])) u = std::abs(4 * u);
      if (quantity[s] == pair::l1_distance) u = std::abs(share) * 2 * std::sqrt(end * static_cast<double>(d));
      exact.v[s] = u;
      rounded.v[s] = u;
    }
    const double value = evaluate<number<double>>(k, exact).v;
    if (std::isfinite(value) && (std::abs(value) > 1e30 || !std::isfinite(evaluate<number<float_of_packs>>(k, rounded).v.x))) return false;
    if (std::isfinite(value)) largest = std::max(largest, std::abs(value));
  }
  return largest == 0 || largest >= 1e-30;
}

}  // namespace MMD_ISA
}  // namespace detail
}  // namespace mmd
