// SPDX-License-Identifier: MIT
// IEEE 754 binary16 ("half", numpy's f2) to and from wider numbers, by their bits.
#pragma once

#include <bit>
#include <cstdint>

#include "mmd/core/config.hpp"

namespace mmd {
inline namespace MMD_ISA {

// The value of a half, exactly: subnormals, signed zeros and infinities included; a NaN keeps its sign and payload.
inline float half_to_float(std::uint16_t half) {
  const std::uint32_t sign = static_cast<std::uint32_t>(half & 0x8000u) << 16;
  const std::uint32_t exponent = half >> 10 & 0x1fu;
  const std::uint32_t fraction = half & 0x3ffu;
  if (exponent == 0x1f) return std::bit_cast<float>(sign | 0x7f800000u | fraction << 13);
  if (exponent != 0) return std::bit_cast<float>(sign | (exponent + 112) << 23 | fraction << 13);
  const float magnitude = static_cast<float>(fraction) * 0x1p-24f;
  return sign ? -magnitude : magnitude;
}

// The nearest half, ties to even, in one rounding also from double: 65520 and above become infinity, below 2^-25 (and at it) zero.
// A NaN stays a NaN of the same sign, made quiet, with the payload's upper bits.
inline std::uint16_t half_from(double value) {
  const std::uint64_t bits = std::bit_cast<std::uint64_t>(value);
  const std::uint16_t sign = static_cast<std::uint16_t>(bits >> 48 & 0x8000u);
  const int exponent = static_cast<int>(bits >> 52 & 0x7ffu) - 1023;
  std::uint64_t fraction = bits & 0xfffffffffffffull;
  const auto result = [&](std::uint64_t magnitude) { return static_cast<std::uint16_t>(sign | magnitude); };
  if (exponent == 1024 && fraction != 0) return result(0x7e00u | (fraction >> 42 & 0x1ffu));
  if (exponent >= 16) return result(0x7c00u);
  if (exponent < -25) return result(0);
  // The bits that are kept: biased exponent and fraction, so that a carry out of the fraction raises the exponent, up to infinity.
  const bool subnormal = exponent < -14;
  const int dropped = subnormal ? 28 - exponent : 42;
  fraction |= 0x10000000000000ull;
  const std::uint64_t kept = (subnormal ? 0 : static_cast<std::uint64_t>(exponent + 14) << 10) + (fraction >> dropped);
  const std::uint64_t rest = fraction & ((std::uint64_t{1} << dropped) - 1);
  const std::uint64_t half_way = std::uint64_t{1} << (dropped - 1);
  return result(kept + (rest > half_way || (rest == half_way && (kept & 1))));
}

}  // namespace MMD_ISA
}  // namespace mmd
