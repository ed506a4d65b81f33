// SPDX-License-Identifier: MIT
#include "mmd/io/half.hpp"

#include <bit>
#include <cmath>
#include <limits>
#include <random>

#include "oracle/half.hpp"
#include "support/catch2.hpp"

TEST_CASE("all 65536 halves have the value of their definition, and come back to the same bits") {
  int wrong_values = 0, wrong_bits = 0;
  for (int i = 0; i < 65536; ++i) {
    const auto half = static_cast<std::uint16_t>(i);
    const float value = mmd::half_to_float(half);
    const double expected = oracle::half_value(half);
    if (std::isnan(expected)) {
      wrong_values += !std::isnan(value) || std::signbit(value) != (i >= 32768);
      const std::uint16_t back = mmd::half_from(value);
      wrong_bits += !std::isnan(mmd::half_to_float(back)) || (back >= 32768) != (i >= 32768);
    } else {
      wrong_values += static_cast<double>(value) != expected || std::signbit(value) != std::signbit(expected);
      wrong_bits += mmd::half_from(value) != half;
    }
  }
  CHECK(wrong_values == 0);
  CHECK(wrong_bits == 0);
}

TEST_CASE("numbers between two halves go to the nearer one, in the middle to the even one") {
  int wrong = 0;
  const auto check = [&](double value) { wrong += mmd::half_from(value) != oracle::nearest_half(value); };
  const double infinity = std::numeric_limits<double>::infinity();
  for (int i = 0; i < 0x7c00; ++i) {
    const double low = oracle::half_value(static_cast<std::uint16_t>(i));
    const double high = i + 1 == 0x7c00 ? 65536.0 : oracle::half_value(static_cast<std::uint16_t>(i + 1));
    const double middle = (low + high) / 2;
    for (const double sign : {1.0, -1.0}) {
      check(sign * middle);
      check(sign * std::nextafter(middle, 0.0));
      check(sign * std::nextafter(middle, infinity));
      check(sign * std::nextafter(low, infinity));
      check(sign * std::nextafter(high, 0.0));
    }
  }
  std::mt19937_64 bits(7);
  for (int i = 0; i < 200000; ++i) {
    const double value = std::bit_cast<double>(bits());
    if (!std::isnan(value)) check(value);
    check(std::ldexp(1 + static_cast<double>(bits() % (1u << 20)) / (1 << 20), static_cast<int>(bits() % 50) - 30));
  }
  CHECK(wrong == 0);
}

TEST_CASE("the edges of half") {
  CHECK(mmd::half_from(65504) == 0x7bff);
  CHECK(mmd::half_from(std::nextafter(65520.0, 0.0)) == 0x7bff);
  CHECK(mmd::half_from(65520) == 0x7c00);
  CHECK(mmd::half_from(-65520) == 0xfc00);
  CHECK(mmd::half_from(1e300) == 0x7c00);
  CHECK(mmd::half_from(0x1p-24) == 1);
  CHECK(mmd::half_from(0x1p-25) == 0);
  CHECK(mmd::half_from(std::nextafter(0x1p-25, 1.0)) == 1);
  CHECK(mmd::half_from(-0.0) == 0x8000);
  CHECK(mmd::half_from(std::numeric_limits<double>::denorm_min()) == 0);
  // One rounding, not two: to float first this is the tie 1 + 2^-11, which would go down to 1.
  CHECK(mmd::half_from(1 + 0x1p-11 + 0x1p-40) == 0x3c01);
  CHECK(mmd::half_from(std::numeric_limits<double>::quiet_NaN()) == 0x7e00);
}
