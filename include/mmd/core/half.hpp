// SPDX-License-Identifier: MIT
// float16 and bfloat16: numbers of two bytes that samples may be stored as. They are read and written, never computed with.
#pragma once

#include <concepts>
#include <cstdint>
#include <type_traits>

#include "mmd/core/config.hpp"

namespace mmd {

namespace detail {

// std::bit_cast, also on a device.
template <class To, class From>
[[gnu::always_inline]] MMD_HD constexpr To bits_as(From value) {
  return __builtin_bit_cast(To, value);
}

// The bits of the number nearest to `value`, ties to even, in a format of a sign, `exponent_bits` and `fraction_bits`. One rounding, also
// from double; what is too large becomes infinity. A NaN stays one of the same sign, made quiet, with the payload's upper bits.
template <int exponent_bits, int fraction_bits>
[[gnu::always_inline]] MMD_HD constexpr std::uint16_t nearest_bits(double value) {
  constexpr int bias = (1 << (exponent_bits - 1)) - 1, spare = 52 - fraction_bits;
  constexpr std::uint64_t one = 1, infinity = ((one << exponent_bits) - 1) << fraction_bits, quiet = one << (fraction_bits - 1);
  const auto bits = detail::bits_as<std::uint64_t>(value);
  const std::uint64_t sign = bits >> 48 & 0x8000u;
  const int exponent = static_cast<int>(bits >> 52 & 0x7ffu) - 1023;
  const std::uint64_t fraction = bits & ((one << 52) - 1), significand = fraction | one << 52;
  std::uint64_t magnitude = 0;
  if (exponent == 1024 && fraction != 0) {
    magnitude = infinity | quiet | fraction >> spare;
  } else if (exponent > bias) {
    magnitude = infinity;
  } else if (exponent >= -bias - fraction_bits) {
    // Biased exponent and fraction together, so that a carry out of the fraction raises the exponent, up to infinity.
    const bool subnormal = exponent < 1 - bias;
    const int dropped = subnormal ? spare + 1 - bias - exponent : spare;
    magnitude = (subnormal ? 0 : static_cast<std::uint64_t>(exponent + bias - 1) << fraction_bits) + (significand >> dropped);
    const std::uint64_t rest = significand & ((one << dropped) - 1), middle = one << (dropped - 1);
    magnitude += rest > middle || (rest == middle && (magnitude & 1));
  }
  return static_cast<std::uint16_t>(sign | magnitude);
}

}  // namespace detail

// IEEE 754 binary16, numpy's f2: 11 significant bits, 6e-8 (subnormal) to 65504. Made from float and double by one rounding to the nearest,
// ties to even; every float16 is a float exactly. Zero by default. Trivially copyable, two bytes; values that another type of this format
// left in memory (Eigen::half, a file's bytes) may be read through a pointer to it.
struct [[gnu::may_alias]] float16 {
  std::uint16_t bits = 0;

  float16() = default;
  template <std::floating_point F>
  requires(sizeof(F) <= sizeof(double)) [[gnu::always_inline]] MMD_HD explicit constexpr float16(F value)
      : bits(detail::nearest_bits<5, 10>(value)) {}
  template <std::floating_point F>
  [[gnu::always_inline]] MMD_HD explicit constexpr operator F() const {
    constexpr std::uint32_t raise = 112u << 23;  // the exponents' biases differ by 112
    const std::uint32_t magnitude = (bits & 0x7fffu) << 13, exponent = magnitude & 0x0f800000u;
    const std::uint32_t normal = magnitude + raise + (exponent == 0x0f800000u ? raise : 0);
    const float subnormal = detail::bits_as<float>(magnitude + raise + (1u << 23)) - 0x1p-14f;
    const std::uint32_t value = exponent == 0 ? detail::bits_as<std::uint32_t>(subnormal) : normal;
    return detail::bits_as<float>(value | static_cast<std::uint32_t>(bits & 0x8000u) << 16);
  }
  [[gnu::always_inline]] friend constexpr bool operator==(float16 a, float16 b) { return static_cast<float>(a) == static_cast<float>(b); }
};

// The upper half of a float ("brain float"): its range with 8 significant bits. Otherwise as float16.
struct [[gnu::may_alias]] bfloat16 {
  std::uint16_t bits = 0;

  bfloat16() = default;
  template <std::floating_point F>
  requires(sizeof(F) <= sizeof(double)) [[gnu::always_inline]] MMD_HD explicit constexpr bfloat16(F value)
      : bits(detail::nearest_bits<8, 7>(value)) {}
  template <std::floating_point F>
  [[gnu::always_inline]] MMD_HD explicit constexpr operator F() const {
    return detail::bits_as<float>(static_cast<std::uint32_t>(bits) << 16);
  }
  [[gnu::always_inline]] friend constexpr bool operator==(bfloat16 a, bfloat16 b) { return static_cast<float>(a) == static_cast<float>(b); }
};

// What values may be stored as in the host's memory; core/device.hpp names the same in a device's.
template <class T>
concept host_number = std::same_as<T, float> || std::same_as<T, double> || std::same_as<T, float16> || std::same_as<T, bfloat16>;

// The value as another type: the nearest where that does not hold it, ties to even, in one rounding.
template <host_number T, host_number S>
[[gnu::always_inline]] MMD_HD constexpr T number_as(S value) {
  if constexpr (std::same_as<T, S>) {
    return value;
  } else {
    return T(static_cast<double>(value));
  }
}

}  // namespace mmd
