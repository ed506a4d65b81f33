// SPDX-License-Identifier: MIT
// What takes the inner products of a slot, and how large a macro is. All constants of this file come from a model of the hardware (rates of
// the units, bytes from the second cache), not from measurements.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <vector>

#include "mmd/backends/cuda/context.cuh"
#include "mmd/backends/cuda/precision.cuh"
#include "mmd/backends/cuda/product.cuh"

namespace mmd {
namespace detail {
inline namespace MMD_ISA {

struct product_choice {
  bool library;   // cuBLAS takes it, else the tile kernel does
  arithmetic by;  // in the tile kernel
};

// From how many features on cuBLAS is taken to be faster, product and way through the second cache together. It has the tensor cores' full
// rate, of which the tile kernel's instructions have some 60 %, but every tile of products is written and read once more: as much as some
// 300 features of TF32.
struct library_from {
  static constexpr index_t tf32 = 384, bf16 = 192, doubles = 256;
  // cuBLAS's fp32 runs on the ordinary units. Where tensor cores have eight times their rate or more, three TF32 products are faster at
  // any depth; elsewhere the tile kernel is on the ordinary units too, at a smaller share of their rate.
  static constexpr index_t accurate = 192;
};
// Data centres' devices (8.0, 9.0, 10.x): TF32 tensor cores of full width.
inline bool has_wide_tensor_cores(int capability) { return capability == 80 || capability == 90 || capability / 10 == 10; }

template <class T>
product_choice choose_product(int capability, precision p, product_by wanted, index_t d) {
  const bool wide = has_wide_tensor_cores(capability);
  product_choice c{};
  index_t from = 0;  // 0: at no depth
  if constexpr (sizeof(T) == 8) {
    c.by = arithmetic::multiply_add;
    from = wide ? library_from::doubles : 0;
  } else if (p == precision::accurate) {
    c.by = wide ? arithmetic::three_tf32 : arithmetic::multiply_add;
    from = wide ? 0 : library_from::accurate;
  } else {
    c.by = p == precision::tf32 ? arithmetic::tf32 : arithmetic::bf16;
    from = p == precision::tf32 ? library_from::tf32 : library_from::bf16;
  }
  c.library = wanted == product_by::library || (wanted == product_by::automatic && from != 0 && d >= from);
  return c;
}

// Panels on a side of a macro. Where cuBLAS's products pass through the second cache, both streams' take two thirds of it at most, and a
// product is 2048 rows square at most, 512 at least; else a macro is so large that its launches cost little beside it, and yet ends soon.
inline int macro_side(std::uint64_t l2_bytes, index_t panels, int library_products, std::uint64_t value_bytes, index_t widest) {
  constexpr double share = 2.0 / 3, work = 1 << 20;  // panels x panels x features of a macro
  constexpr double most_of_products = 16, least_of_products = 4, most = 64, least = 8;
  double side = 0;
  if (library_products > 0) {
    const double tile = static_cast<double>(panel_rows * panel_rows) * static_cast<double>(value_bytes);
    side = std::clamp(std::sqrt(share * static_cast<double>(l2_bytes) / (device_context::streams * library_products * tile)),
                      least_of_products, most_of_products);
  } else {
    side = std::clamp(std::sqrt(work / static_cast<double>(std::max<index_t>(1, widest))), least, most);
  }
  return static_cast<int>(std::min(side, static_cast<double>(panels)));
}

}  // namespace MMD_ISA
}  // namespace detail
}  // namespace mmd
