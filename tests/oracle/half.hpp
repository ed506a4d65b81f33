// SPDX-License-Identifier: MIT
// binary16 from its definition, by arithmetic alone.
#pragma once

#include <cmath>
#include <cstdint>
#include <limits>

namespace oracle {

inline double half_value(std::uint16_t half) {
  const int exponent = half / 1024 % 32, fraction = half % 1024;
  const double sign = half < 32768 ? 1 : -1;
  if (exponent == 31) return fraction == 0 ? sign * std::numeric_limits<double>::infinity() : std::numeric_limits<double>::quiet_NaN();
  return sign * (exponent == 0 ? std::ldexp(fraction, -24) : std::ldexp(1024 + fraction, exponent - 25));
}

// The nearest of all halves, found by bisection over the magnitudes 0 .. infinity; of two equally near ones the even. Infinity counts as
// the next power of two, 65536, as IEEE 754 has it.
inline std::uint16_t nearest_half(double value) {
  const double magnitude = std::fabs(value);
  const auto at = [](int half) { return half == 0x7c00 ? 65536.0 : half_value(static_cast<std::uint16_t>(half)); };
  int low = 0, high = 0x7c00;
  if (magnitude >= at(high)) low = high;
  while (high - low > 1) {
    const int middle = (low + high) / 2;
    (at(middle) <= magnitude ? low : high) = middle;
  }
  int nearest = low;
  if (low < high) {
    const double below = magnitude - at(low), above = at(high) - magnitude;
    if (above < below || (above == below && low % 2 == 1)) nearest = high;
  }
  return static_cast<std::uint16_t>(nearest + (std::signbit(value) ? 0x8000 : 0));
}

}  // namespace oracle
