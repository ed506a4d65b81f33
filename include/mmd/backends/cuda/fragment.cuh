// SPDX-License-Identifier: MIT
// How a tile lies in the registers of a block: one mapping for every product, so that what reads kernel values is written once.
#pragma once

#include <cuda_runtime.h>

#include "mmd/backends/cuda/mma.cuh"
#include "mmd/engine/panels.hpp"

namespace mmd {
namespace detail {
inline namespace MMD_ISA {

inline constexpr int tile_threads = 256;       // of a block; it holds one tile
inline constexpr int tile_shared = 40 * 1024;  // bytes of a block's shared memory that products and reducers use in turn

// A thread's values of a tile of panel_rows x 16 C values, panel_rows = 128: C = 8 is a whole panel across, 4 and 2 a half and a quarter of
// one, where several quantities or doubles have to fit in the registers. It is what mma.m16n8 leaves in the registers of a warp; the eight
// warps stand two down and four across. Four threads that follow one another hold a run of 8 columns of one row.
template <class T, int C>
struct fragment {
  static constexpr int rows = 8, columns = C;  // of one thread
  static constexpr int tile_columns = 16 * C, slices = 8 / C;
  T v[rows][columns];

  // Where v[a][b] of a thread stands in the tile.
  static __device__ int row(int thread, int a) { return thread / 128 * 64 + thread % 32 / 4 + 8 * a; }
  static __device__ int column(int thread, int b) { return thread / 32 % 4 * (4 * C) + b / 2 * 8 + thread % 4 * 2 + b % 2; }
};

// Which tile a block holds. Values outside rows x cols are 0. On a diagonal tile (I and J are one panel) both orders of a pair are there
// and the entries with i == j are 0: reducers use its row side alone. The two orders may differ in their last bit: what keeps single values
// keeps those with i < j, for both orders.
struct tile_place {
  index_t first_i, first_j;    // pooled rows of the tile's first row and first column
  index_t packed_i, packed_j;  // the same in the packed features
  int rows, cols;              // that exist, of 128 x 16 C
  int group_i, group_j;
  int column;  // of the tile's first column inside panel J: 0 unless panels are cut into slices
  bool diagonal;
  int slot_i, slot_j;  // inside the macro: the panel of I; the panel of J times 8 / C, plus the slice
};

// A rectangle of panels_i x panels_j panels, of at most side x side, whose tiles one kernel evaluates.
struct macro {
  index_t i_panel, j_panel;
  int panels_i, panels_j, side;
};

// What a device function knows of the pass. All pointers are to the device's memory.
struct pass_view {
  const panel* panels;
  const unsigned char* skipped;  // groups x groups
  int groups;
  // Whether the tile of panels i and j is wanted: the upper triangle, without skipped pairs of groups.
  __device__ bool holds(index_t i, index_t j) const { return j >= i && !skipped[panels[i].group * groups + panels[j].group]; }

  // The tile of 16 C columns that a block of a macro holds: slot_i < panels_i, slot_j < panels_j * 8 / C. Where the panel ends before its
  // slice begins cols is 0; such a tile is added all the same, all zeros.
  template <int C>
  __device__ tile_place place(const macro& m, int slot_i, int slot_j) const {
    constexpr int slices = 8 / C;
    const index_t i = m.i_panel + slot_i, j = m.j_panel + slot_j / slices;
    const panel I = panels[i], J = panels[j];
    tile_place p;
    p.column = slot_j % slices * (16 * C);
    p.first_i = I.first;
    p.first_j = J.first + p.column;
    p.packed_i = I.packed;
    p.packed_j = J.packed + p.column;
    p.rows = I.rows;
    p.cols = max(0, min(J.rows - p.column, 16 * C));
    p.group_i = I.group;
    p.group_j = J.group;
    p.diagonal = i == j;
    p.slot_i = slot_i;
    p.slot_j = slot_j;
    return p;
  }
};

// The columns of a thread for `slots` quantities of type T, so that they and what makes them fit in 128 registers.
template <class T>
constexpr int fragment_columns(int slots) {
  return sizeof(T) == 4 ? (slots == 1 ? 8 : slots == 2 ? 4 : 2) : (slots == 1 ? 4 : 2);
}

}  // namespace MMD_ISA
}  // namespace detail
}  // namespace mmd
