// SPDX-License-Identifier: MIT
// Tiles of kernel values in the memory of the host.
#pragma once

#include <cstdint>

#include "mmd/backends/cpu/product.hpp"
#include "mmd/engine/panels.hpp"

namespace mmd {
inline namespace MMD_ISA {

inline constexpr int tile_ld = panel_rows + 16;  // between columns of a tile: they begin in different sets of the cache
inline constexpr std::uint64_t tile_values = std::uint64_t{panel_rows} * tile_ld;

// Kernel values of panel I (down, contiguous) against panel J (across): k(row i of I, row j of J) = k[j * ld + i]. Rows from I.rows up to
// I.padded are zero.
template <class T>
struct tile {
  const T* k;
  int ld;
  const panel &I, &J;
  bool diagonal;  // I and J are the same panel
};

}  // namespace MMD_ISA
}  // namespace mmd
