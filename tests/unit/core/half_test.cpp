// SPDX-License-Identifier: MIT
#include "mmd/core/half.hpp"

#include <bit>
#include <cmath>
#include <cstring>
#include <limits>
#include <random>
#include <type_traits>

#include "mmd/core/matrix.hpp"
#include "oracle/half.hpp"
#include "support/catch2.hpp"

namespace {

template <class H>
constexpr oracle::half_format format_of = std::is_same_v<H, mmd::float16> ? oracle::binary16 : oracle::bfloat16;

template <class H>
H of_bits(int bits) {
  H half;
  half.bits = static_cast<std::uint16_t>(bits);
  return half;
}

template <class H>
void check_type() {
  STATIC_REQUIRE(sizeof(H) == 2);
  STATIC_REQUIRE(std::is_trivially_copyable_v<H>);
  STATIC_REQUIRE(std::is_constructible_v<H, float>);
  STATIC_REQUIRE(std::is_constructible_v<H, double>);
  STATIC_REQUIRE(std::is_constructible_v<float, H>);
  STATIC_REQUIRE(std::is_constructible_v<double, H>);
  STATIC_REQUIRE(!std::is_constructible_v<H, int>);
  STATIC_REQUIRE(!std::is_convertible_v<float, H>);
  STATIC_REQUIRE(!std::is_convertible_v<H, float>);
  STATIC_REQUIRE(static_cast<float>(H(1.5f)) == 1.5f);
}
}  // namespace

TEMPLATE_TEST_CASE("half types are two plain bytes that convert only where asked to", "", mmd::float16, mmd::bfloat16) {
  check_type<TestType>();
  CHECK(TestType().bits == 0);
  CHECK(TestType(0.0f) == TestType(-0.0f));
  CHECK(TestType(2.0f) == TestType(2.0));
  CHECK_FALSE(TestType(1.0f) == TestType(2.0f));
  const TestType nan(std::numeric_limits<float>::quiet_NaN());
  CHECK_FALSE(nan == nan);
  STATIC_REQUIRE(!std::is_constructible_v<mmd::float16, mmd::bfloat16>);
}

TEMPLATE_TEST_CASE("all 65536 halves have the value of their definition, and come back to the same bits", "", mmd::float16, mmd::bfloat16) {
  const auto format = format_of<TestType>;
  int wrong_values = 0, wrong_bits = 0;
  for (int i = 0; i < 65536; ++i) {
    const auto half = of_bits<TestType>(i);
    const auto value = static_cast<float>(half);
    const double expected = format.value(half.bits);
    wrong_values += std::signbit(value) != (i >= 32768) || std::signbit(static_cast<double>(half)) != (i >= 32768);
    if (std::isnan(expected)) {
      const TestType back(value);
      wrong_values += !std::isnan(value) || !std::isnan(static_cast<double>(half));
      wrong_bits += (back.bits | format.fractions() / 2) != (i | format.fractions() / 2);  // but for the quiet bit
    } else {
      wrong_values += static_cast<double>(value) != expected || static_cast<double>(half) != expected;
      wrong_bits += TestType(value).bits != i || TestType(expected).bits != i;
    }
  }
  CHECK(wrong_values == 0);
  CHECK(wrong_bits == 0);
}

TEMPLATE_TEST_CASE("numbers between two halves go to the nearer one, in the middle to the even one", "", mmd::float16, mmd::bfloat16) {
  const auto format = format_of<TestType>;
  int wrong = 0;
  const auto check = [&](double value) {
    wrong += TestType(value).bits != format.nearest(value);
    const auto rounded = static_cast<float>(value);
    wrong += TestType(rounded).bits != format.nearest(static_cast<double>(rounded));
  };
  const double infinity = std::numeric_limits<double>::infinity();
  const float far = std::numeric_limits<float>::infinity();
  for (int i = 0; i < format.infinity(); ++i) {
    const double low = format.magnitude(i), high = format.magnitude(i + 1), middle = low / 2 + high / 2;
    const auto tie = static_cast<float>(middle);
    for (const double sign : {1.0, -1.0}) {
      check(sign * middle);
      check(sign * std::nextafter(middle, 0.0));
      check(sign * std::nextafter(middle, infinity));
      check(sign * static_cast<double>(std::nextafter(tie, 0.0f)));
      check(sign * static_cast<double>(std::nextafter(tie, far)));
      check(sign * std::nextafter(low, infinity));
      check(sign * std::nextafter(high, 0.0));
    }
  }
  std::mt19937_64 bits(7);
  for (int i = 0; i < 200000; ++i) {
    const double value = std::bit_cast<double>(bits());
    if (!std::isnan(value)) check(value);
    check(std::ldexp(1 + static_cast<double>(bits() % (1u << 20)) / (1 << 20), static_cast<int>(bits() % 50) - 30));
    const float single = std::bit_cast<float>(static_cast<std::uint32_t>(bits()));
    if (!std::isnan(single)) check(static_cast<double>(single));
  }
  CHECK(wrong == 0);
}

TEST_CASE("the edges of the half types") {
  using mmd::bfloat16, mmd::float16;
  CHECK(float16(65504.0).bits == 0x7bff);
  CHECK(float16(std::nextafter(65520.0, 0.0)).bits == 0x7bff);
  CHECK(float16(65520.0).bits == 0x7c00);
  CHECK(float16(-65520.0f).bits == 0xfc00);
  CHECK(float16(1e300).bits == 0x7c00);
  CHECK(float16(0x1p-24).bits == 1);
  CHECK(float16(0x1p-25).bits == 0);
  CHECK(float16(std::nextafter(0x1p-25, 1.0)).bits == 1);
  CHECK(float16(-0.0).bits == 0x8000);
  CHECK(float16(std::numeric_limits<double>::denorm_min()).bits == 0);
  CHECK(bfloat16(std::numeric_limits<float>::max()).bits == 0x7f80);
  CHECK(bfloat16(0x1.fep127).bits == 0x7f7f);
  CHECK(bfloat16(0x1.ffp127).bits == 0x7f80);
  CHECK(bfloat16(0x1p-133).bits == 1);
  CHECK(bfloat16(0x1p-134).bits == 0);
  // One rounding, not two: to float first these are ties, which would go down to 1.
  CHECK(float16(1 + 0x1p-11 + 0x1p-40).bits == 0x3c01);
  CHECK(bfloat16(1 + 0x1p-8 + 0x1p-40).bits == 0x3f81);
  const double nan = std::numeric_limits<double>::quiet_NaN();
  CHECK(float16(nan).bits == 0x7e00);
  CHECK(bfloat16(-nan).bits == 0xffc0);
}

TEST_CASE("converted matrices are rounded once, whatever the two types") {
  const double close = 1 + 0x1p-11 + 0x1p-40;
  const mmd::matrix<double> x(1, 2, {close, -3});
  CHECK(mmd::converted<mmd::float16>(x)(0, 0).bits == 0x3c01);
  CHECK(mmd::converted<float>(x)(0, 1) == -3);
  const auto half = mmd::converted<mmd::float16>(x);
  CHECK(mmd::converted<mmd::float16>(half) == half);
  CHECK(mmd::converted<mmd::bfloat16>(half)(0, 0).bits == 0x3f80);
  CHECK(mmd::converted<double>(half)(0, 0) == 1 + 0x1p-10);
}
