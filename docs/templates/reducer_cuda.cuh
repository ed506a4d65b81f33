// SPDX-License-Identifier: MIT
// The device's part of the template of a reducer (reducer.hpp). Two kinds of reducers need none of it: one that keeps single values of K
// has the members `places` and `stored`, as paired_values in mmd/engine/reducers.hpp, and works on every device; one that keeps sums of a
// function of K for every row derives from row_sums_part in mmd/backends/cuda/reducers/row_sums.cuh.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "mmd/backends/cuda/reducers/part.cuh"
#include "templates/reducer.hpp"

namespace mmd {
namespace detail {
inline namespace MMD_ISA {

// [6] Takes in a tile, on the device: all 256 threads of a block call it, each with its values (fragment.cuh says which), 0 outside the
// tile and for k(z, z). What is found is left in memory of its own, a place a tile: no atomics, so that there is one order.
struct my_reducer_view {
  double* of_tiles;  // [slot_i][slot_j]
  int side;

  template <class T, int C>
  __device__ void add(const fragment<T, C>& k, const tile_place& p, unsigned char* shared) const {
    const int t = static_cast<int>(threadIdx.x);
    T found = 0;
#pragma unroll
    for (int a = 0; a < 8; ++a) {
#pragma unroll
      for (int b = 0; b < C; ++b) found = max(found, k.v[a][b] < 0 ? -k.v[a][b] : k.v[a][b]);
    }
    for (int step = 16; step > 0; step /= 2) found = max(found, __shfl_xor_sync(all_lanes, found, step));
    T* const of_warps = reinterpret_cast<T*>(shared);
    if (t % 32 == 0) of_warps[t / 32] = found;
    __syncthreads();
    if (t > 0) return;
    for (int warp = 1; warp < 8; ++warp) found = max(found, of_warps[warp]);
    of_tiles[index_t{p.slot_i} * side * fragment<T, C>::slices + p.slot_j] = static_cast<double>(found);
  }
};

// [7] Adds what the tiles of a macro left to what was found before; a thread a pair of groups.
inline __global__ void my_reducer_fold(pass_view pass, macro m, int slices, const double* of_tiles, double* largest) {
  const int entry = static_cast<int>(blockIdx.x * blockDim.x + threadIdx.x), g = entry / pass.groups, h = entry % pass.groups;
  if (g >= pass.groups) return;
  for (int slot_i = 0; slot_i < m.panels_i; ++slot_i) {
    for (int slot_j = 0; slot_j < m.panels_j; ++slot_j) {
      const index_t i = m.i_panel + slot_i, j = m.j_panel + slot_j;
      const int of_i = pass.panels[i].group, of_j = pass.panels[j].group;
      if (!pass.holds(i, j) || !((of_i == g && of_j == h) || (of_i == h && of_j == g))) continue;
      for (int slice = 0; slice < slices; ++slice) {
        largest[entry] = max(largest[entry], of_tiles[(index_t{slot_i} * m.side + slot_j) * slices + slice]);
      }
    }
  }
}

// Each of the two streams has memory of its own; `finish` merges them.
template <>
class device_part<my_reducer> {
 public:
  using view = my_reducer_view;

  device_part(device_context& on, my_reducer& r, const layout& lay, const std::vector<panel>&, int side, int slices)
      : on_(&on), r_(&r), entries_(index_t{lay.groups()} * lay.groups()), side_(side), slices_(slices) {
    for (int s = 0; s < device_context::streams; ++s) {
      of_tiles_[s] = buffer<double>(on, index_t{side} * side * slices, on.stream(s), "what tiles found");
      largest_[s] = buffer<double>(on, entries_, on.stream(s), "the largest values");
      largest_[s].zero(on.stream(s));
    }
  }
  static std::uint64_t bytes(const my_reducer&, const layout& lay, int side, int slices) {
    return device_context::streams * doubles(index_t{side} * side * slices + index_t{lay.groups()} * lay.groups());
  }
  view on_stream(int s) const { return {of_tiles_[s].data(), side_}; }
  void fold(int s, const macro& m, const pass_view& pass) {
    launch(my_reducer_fold, blocks_for(entries_, 256), 256, 0, on_->stream(s), pass, m, slices_,
           static_cast<const double*>(of_tiles_[s].data()), largest_[s].data());
  }
  void finish() {
    my_reducer of_stream = *r_;
    for (int s = 0; s < device_context::streams; ++s) {
      largest_[s].get(of_stream.largest, on_->stream(s));
      r_->merge(of_stream);
    }
  }

 private:
  device_context* on_;
  my_reducer* r_;
  index_t entries_;
  int side_, slices_;
  buffer<double> of_tiles_[device_context::streams], largest_[device_context::streams];
};

}  // namespace MMD_ISA
}  // namespace detail
}  // namespace mmd
