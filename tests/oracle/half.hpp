// SPDX-License-Identifier: MIT
// binary16 and bfloat16 from their definitions, by arithmetic alone.
#pragma once

#include <cmath>
#include <cstdint>
#include <limits>

namespace oracle {

// A format of two bytes: a sign, 15 - fraction_bits of exponent, and the fraction.
struct half_format {
  int fraction_bits;
  int fractions() const { return 1 << fraction_bits; }
  int exponents() const { return 1 << (15 - fraction_bits); }
  int bias() const { return exponents() / 2 - 1; }
  int infinity() const { return (exponents() - 1) * fractions(); }

  double value(std::uint16_t bits) const {
    const int exponent = bits / fractions() % exponents(), fraction = bits % fractions();
    const double sign = bits < 32768 ? 1 : -1;
    if (exponent == exponents() - 1) {
      return fraction == 0 ? sign * std::numeric_limits<double>::infinity() : std::numeric_limits<double>::quiet_NaN();
    }
    const int lowest = 1 - bias() - fraction_bits;  // of the last place of subnormal numbers, as a power of two
    return sign * (exponent == 0 ? std::ldexp(fraction, lowest) : std::ldexp(fractions() + fraction, exponent - 1 + lowest));
  }
  // Infinity counts as the next power of two, as IEEE 754 has it.
  double magnitude(int bits) const { return bits == infinity() ? std::ldexp(1, bias() + 1) : value(static_cast<std::uint16_t>(bits)); }

  // The nearest of all, found by bisection over the magnitudes 0 .. infinity; of two equally near ones the even.
  std::uint16_t nearest(double number) const {
    const double size = std::fabs(number);
    int low = 0, high = infinity();
    if (size >= magnitude(high)) low = high;
    while (high - low > 1) {
      const int middle = (low + high) / 2;
      (magnitude(middle) <= size ? low : high) = middle;
    }
    int nearest = low;
    if (low < high) {
      const double below = size - magnitude(low), above = magnitude(high) - size;
      if (above < below || (above == below && low % 2 == 1)) nearest = high;
    }
    return static_cast<std::uint16_t>(nearest + (std::signbit(number) ? 0x8000 : 0));
  }
};
inline constexpr half_format binary16{10}, bfloat16{7};

}  // namespace oracle
