// SPDX-License-Identifier: MIT
// What a safetensors file holds: named arrays of numbers.
#pragma once

#include <concepts>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "mmd/core/config.hpp"
#include "mmd/core/half.hpp"

namespace mmd {

enum class tensor_type { f64, i64, u64, f32, i32, u32, bf16, f16, u8 };  // large elements first: the order in which files store tensors

// An array of any shape (none: a single number), row-major, little-endian.
struct tensor {
  tensor_type type = tensor_type::f32;
  std::vector<std::uint64_t> shape;
  std::vector<std::byte> bytes;
  friend bool operator==(const tensor&, const tensor&) = default;
};

namespace detail {

struct tensor_type_name {
  tensor_type type;
  std::string_view name;
  std::size_t bytes;
};
inline constexpr tensor_type_name tensor_types[] = {
    {tensor_type::f64, "F64", 8},   {tensor_type::i64, "I64", 8}, {tensor_type::u64, "U64", 8},
    {tensor_type::f32, "F32", 4},   {tensor_type::i32, "I32", 4}, {tensor_type::u32, "U32", 4},
    {tensor_type::bf16, "BF16", 2}, {tensor_type::f16, "F16", 2}, {tensor_type::u8, "U8", 1}};
inline constexpr const tensor_type_name& facts_of(tensor_type type) { return tensor_types[static_cast<std::size_t>(type)]; }

template <class T>
inline constexpr tensor_type type_of = [] {
  if constexpr (std::same_as<T, double>) return tensor_type::f64;
  if constexpr (std::same_as<T, float>) return tensor_type::f32;
  if constexpr (std::same_as<T, float16>) return tensor_type::f16;
  if constexpr (std::same_as<T, bfloat16>) return tensor_type::bf16;
  if constexpr (std::same_as<T, std::int64_t>) return tensor_type::i64;
  if constexpr (std::same_as<T, std::uint64_t>) return tensor_type::u64;
  if constexpr (std::same_as<T, std::int32_t>) return tensor_type::i32;
  if constexpr (std::same_as<T, std::uint32_t>) return tensor_type::u32;
  if constexpr (std::same_as<T, std::uint8_t>) return tensor_type::u8;
}();

// Numbers that a tensor may be read as and made of, bit by bit.
template <class T>
concept tensor_number = host_number<T> || std::same_as<T, std::int64_t> || std::same_as<T, std::uint64_t> ||
    std::same_as<T, std::int32_t> || std::same_as<T, std::uint32_t> || std::same_as<T, std::uint8_t>;

inline namespace MMD_ISA {

// Bytes of a tensor, nothing where they do not fit 63 bits.
inline std::optional<std::uint64_t> tensor_bytes(tensor_type type, const std::vector<std::uint64_t>& shape) {
  constexpr std::uint64_t limit = std::numeric_limits<std::int64_t>::max();
  std::uint64_t product = facts_of(type).bytes;
  bool empty = false;
  for (const std::uint64_t size : shape) {
    if (size == 0) {
      empty = true;
    } else if (size > limit / product) {
      return std::nullopt;
    } else {
      product *= size;
    }
  }
  return empty ? 0 : product;
}
// "[3, 4]"
inline std::string shown_shape(const std::vector<std::uint64_t>& shape) {
  std::string text = "[";
  for (const std::uint64_t size : shape) text += (text.size() > 1 ? ", " : "") + std::to_string(size);
  return text + "]";
}

}  // namespace MMD_ISA
}  // namespace detail
}  // namespace mmd
