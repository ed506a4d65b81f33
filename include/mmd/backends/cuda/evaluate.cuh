// SPDX-License-Identifier: MIT
// From products to kernel values in the registers of a block, and on to the reducers.
#pragma once

#include <cuda_runtime.h>

#include <utility>

#include "mmd/backends/cuda/lanes.cuh"
#include "mmd/backends/cuda/product.cuh"
#include "mmd/backends/cuda/runtime.cuh"
#include "mmd/kernels/plan.hpp"

namespace mmd {
namespace detail {
inline namespace MMD_ISA {

// Where a tile stands: given, or asked for anew at every use, so that it takes no registers from what lies between.
__device__ inline const tile_place& place_of(const tile_place& p) { return p; }
template <class F>
__device__ inline tile_place place_of(const F& ask) {
  return ask();
}

// out = one slot's quantity of every pair of the tile; of pairs outside rows x cols it is finite or not, as the zeros there give. Squared
// distances are clamped at 0 without hiding NaN. `library`: cuBLAS has taken the product, and nothing else is compiled. Uses `shared`
// between its own barriers; no barrier where the product is cuBLAS's. `where`: a tile_place, or a function that gives it.
template <pair quantity, bool library, class T, int C, class Place>
__device__ inline void tile_quantity(const slot_source<T>& s, const Place& where, unsigned char* shared, fragment<T, C>& out) {
  constexpr bool of_product = quantity == pair::squared_distance || quantity == pair::inner_product;
  if constexpr (of_product && library) {
    read_product(s, place_of(where), out);
  } else if constexpr (of_product) {
    if (s.product != nullptr) {
      read_product(s, place_of(where), out);
    } else {
      fused_product<quantity>(s, place_of(where), shared, out);
    }
  } else {
    fused_product<quantity>(s, place_of(where), shared, out);
  }
  if constexpr (quantity == pair::squared_distance) {
    using F = fragment<T, C>;
    const tile_place p = place_of(where);
    const int t = thread_of_block();
    T across[C];
#pragma unroll
    for (int b = 0; b < C; ++b) across[b] = s.norm[p.packed_j + F::column(t, b)];
#pragma unroll
    for (int a = 0; a < 8; ++a) {
      const T down = s.norm[p.packed_i + F::row(t, a)];
#pragma unroll
      for (int b = 0; b < C; ++b) out.v[a][b] = not_below_zero(fma(T(-2), out.v[a][b], down + across[b]));
    }
  }
}

// out[s] = the quantity of slot s, as above, for all slots of a kernel, one after the other.
template <bool library, class T, int C, class Place, class... Q>
__device__ inline void tile_quantities(expression::list<Q...>, const slot_source<T> (&from)[sizeof...(Q)], const Place& where,
                                       unsigned char* shared, fragment<T, C> (&out)[sizeof...(Q)]) {
  [&]<std::size_t... s>(std::index_sequence<s...>) { (tile_quantity<Q::quantity, library>(from[s], where, shared, out[s]), ...); }
  (std::index_sequence_for<Q...>{});
}

// Whether entry (a, b) of a thread is one of the tile's: inside it, and not on the diagonal of the pool.
template <class F>
__device__ inline bool in_tile(const tile_place& p, int thread, int a, int b) {
  const int row = F::row(thread, a), column = F::column(thread, b);
  return row < p.rows && column < p.cols && !(p.diagonal && row == column + p.column);
}

// Kernel values, from the slots' quantities; they end up in the first slot's place. 0 outside the tile and on the diagonal.
template <class K, class... Q, class T, int C>
__device__ inline void tile_values(const K& k, expression::list<Q...>, const tile_place& p, fragment<T, C> (&q)[sizeof...(Q)]) {
  using F = fragment<T, C>;
  constexpr int n = sizeof...(Q);
#pragma unroll
  for (int a = 0; a < 8; ++a) {
    expression::values<lanes<T, C>, expression::list<Q...>> at;
#pragma unroll
    for (int s = 0; s < n; ++s) {
#pragma unroll
      for (int b = 0; b < C; ++b) at.v[s].v[b] = q[s].v[a][b];
    }
    const lanes<T, C> row = evaluate<lanes<T, C>>(k, at);
#pragma unroll
    for (int b = 0; b < C; ++b) q[0].v[a][b] = row.v[b];
  }
  if (p.diagonal || p.rows < panel_rows || p.cols < F::tile_columns) {
    const int t = thread_of_block();
#pragma unroll
    for (int a = 0; a < 8; ++a) {
#pragma unroll
      for (int b = 0; b < C; ++b) {
        if (!in_tile<F>(p, t, a, b)) q[0].v[a][b] = T(0);
      }
    }
  }
}

// Two blocks a multiprocessor, 128 registers a thread, where a thread's values leave room; else one.
template <class T, int C>
constexpr int blocks_of_tiles(int slots) {
  return slots * C * static_cast<int>(sizeof(T)) <= 32 ? 2 : 1;
}

// The views of all reducers as one argument of a kernel.
template <class... View>
struct view_list {
  template <class F>
  __device__ void each(F&&) const {}
};
template <class View, class... More>
struct view_list<View, More...> : view_list<More...> {
  View first;
  template <class F>
  __device__ void each(F&& f) const {
    f(first);
    view_list<More...>::each(f);
  }
};

inline view_list<> views_of() { return {}; }
template <class View, class... More>
view_list<View, More...> views_of(View first, More... more) {
  return {views_of(more...), first};
}

// One macro: block (slot_j, slot_i) evaluates its tile and hands it to every reducer in turn, with a barrier before each. The reducers'
// views add(values, place, shared): all threads of the block call it, and have the tile_shared bytes to themselves.
template <class T, int n>
struct tile_job {
  pass_view pass;
  macro at;
  slot_source<T> slots[n];
};
template <bool library, class T, int C, class K, class Slots, class Views>
__global__ void __launch_bounds__(tile_threads, blocks_of_tiles<T, C>(Slots::size))
    tile_kernel(const __grid_constant__ tile_job<T, Slots::size> job, const __grid_constant__ K k, const __grid_constant__ Views views) {
  const int slot_i = static_cast<int>(blockIdx.y), slot_j = static_cast<int>(blockIdx.x);
  if (!job.pass.holds(job.at.i_panel + slot_i, job.at.j_panel + slot_j / (8 / C))) return;
  unsigned char* const shared = dynamic_shared<unsigned char>();
  // Where the tile stands is read again whenever it is needed: held meanwhile, it would take registers from the products and the reducers.
  const auto place = [&] { return job.pass.template place<C>(job.at, slot_i, slot_j); };
  fragment<T, C> value[Slots::size];
  tile_quantities<library>(Slots{}, job.slots, place, shared, value);
  tile_values(k, Slots{}, place(), value);
  const fragment<T, C>& values = value[0];
  views.each([&](const auto& view) {
    __syncthreads();
    view.add(values, place(), shared);
  });
}

}  // namespace MMD_ISA
}  // namespace detail
}  // namespace mmd
