// SPDX-License-Identifier: MIT
// Two small hashes: FNV-1a over bytes, and the finishing mixer of MurmurHash3. Not cryptographic.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>

#include "mmd/core/config.hpp"

namespace mmd {
namespace detail {
inline namespace MMD_ISA {

// FNV-1a, 64 bits (Fowler, Noll, Vo): h = (h xor byte) * prime for each byte, so that strings may be hashed piece by piece. As each step
// is invertible, texts of one length that differ in a single byte never collide.
class fnv1a {
 public:
  // Where the n-gram recipe starts; the published basis has one digit more (14695981039346656037).
  static constexpr std::uint64_t offset_basis = 1469598103934665603ull;
  static constexpr std::uint64_t prime = 1099511628211ull;

  explicit constexpr fnv1a(std::uint64_t start = offset_basis) : state_(start) {}
  constexpr fnv1a& add(unsigned char byte) {
    state_ = (state_ ^ byte) * prime;
    return *this;
  }
  constexpr fnv1a& add(std::string_view text) {
    for (const char c : text) add(static_cast<unsigned char>(c));
    return *this;
  }
  fnv1a& add(std::span<const std::byte> bytes) {
    for (const std::byte b : bytes) add(static_cast<unsigned char>(b));
    return *this;
  }
  // The eight bytes of a number, lowest first, on every machine.
  constexpr fnv1a& add_number(std::uint64_t number) {
    for (int shift = 0; shift < 64; shift += 8) add(static_cast<unsigned char>(number >> shift & 0xff));
    return *this;
  }
  constexpr std::uint64_t value() const { return state_; }

 private:
  std::uint64_t state_;
};

// fmix64 of MurmurHash3 (Appleby, public domain): every input bit reaches every output bit.
constexpr std::uint64_t fmix64(std::uint64_t h) {
  h = (h ^ h >> 33) * 0xff51afd7ed558ccdull;
  h = (h ^ h >> 33) * 0xc4ceb9fe1a85ec53ull;
  return h ^ h >> 33;
}

// 16 hexadecimal digits.
inline std::string hexadecimal(std::uint64_t number) {
  std::string digits(16, '0');
  for (std::size_t i = digits.size(); i-- > 0; number >>= 4) digits[i] = "0123456789abcdef"[number & 15];
  return digits;
}

}  // namespace MMD_ISA
}  // namespace detail

}  // namespace mmd
