// SPDX-License-Identifier: MIT
// The device's part of the weighted gradient, tile by tile: S = weight x dk/du of every slot, and the sums that are taken of it on the way.
#pragma once

#include <cuda_runtime.h>

#include <type_traits>
#include <utility>

#include "mmd/backends/cuda/evaluate.cuh"

namespace mmd {
namespace detail {
inline namespace MMD_ISA {

// pair_weights in the device's memory; w and p in packed rows, 0 in the padding.
template <class T>
struct weights_view {
  const T *w, *p, *ww, *wp, *paired;
  const double* diagonal;  // one each pooled row; nullptr: none
  index_t pairs;           // 0: none
  index_t groups;
};

// What the tiles of a macro leave. T: the type of the computation.
template <class T, int slots, int constants>
struct gradient_view {
  static constexpr int sums = slots + constants;
  weights_view<T> weights;
  // [slot] S = weight x dk/du, -2 times that for squared distances, row-major, `ld` apart. In a mirrored macro, one on the diagonal, both
  // orders of a pair are there. Where it is not wanted, it is memory to work in.
  T* S[slots];
  index_t ld;
  T* row_sums;     // [slot][slice of a panel of J][row of the macro]: of S over the columns of one tile
  T* column_sums;  // [slot][panel of I][column of the macro]: over its rows
  double* totals;  // [panel of I][slice of a panel of J][sums]: of weight x dk/du x u, then of weight x dk/dc
  int mirrored;
  unsigned wanted;  // a bit for each slot

  __device__ bool wants(int slot) const { return (wanted >> slot & 1) != 0; }
  // Rows and columns of the macro are numbered up to ld.
  __device__ T* rows_of(int slot, int slot_j, int slices) const { return row_sums + (slot * (ld / panel_rows * slices) + slot_j) * ld; }
  __device__ T* columns_of(int slot, int slot_i) const { return column_sums + (slot * (ld / panel_rows) + slot_i) * ld; }
  __device__ double* totals_of(int slot_i, int slot_j, int slices) const {
    return totals + (slot_i * (ld / panel_rows * slices) + slot_j) * sums;
  }
};

// The sum over the lanes of a warp that differ in the bits of `lanes`; in all of them.
template <class T>
__device__ inline T sum_over(T x, int lanes) {
  for (int bit = 1; bit < 32; bit *= 2) {
    if (lanes & bit) x += __shfl_xor_sync(0xffffffffu, x, bit);
  }
  return x;
}
// keep(i, the sum of sums[i] over the threads of the block), in a fixed order. `room`: `count` doubles of shared memory for each warp. Ends
// with a barrier.
template <int count, class Keep>
__device__ inline void sums_of_block(const double (&sums)[count], double* room, Keep&& keep) {
  const int warps = static_cast<int>(blockDim.x) / 32, thread = static_cast<int>(threadIdx.x);
#pragma unroll
  for (int i = 0; i < count; ++i) {
    const double sum = sum_over(sums[i], 31);
    if (thread % 32 == 0) room[thread / 32 * count + i] = sum;
  }
  __syncthreads();
  if (thread < count) {
    double sum = 0;
    for (int w = 0; w < warps; ++w) sum += room[w * count + thread];
    keep(thread, sum);
  }
  __syncthreads();
}

// Known at compile time, so that device functions may ask.
template <class Slot>
inline constexpr bool reads_squares = is_squared(Slot::quantity);

template <class T>
struct alignas(2 * sizeof(T)) two_of {
  T x, y;
};

// What a tile without weights leaves: zeros, where others will read.
template <int C, class T, int slots, int constants>
__device__ void gradient_of_no_tile(const tile_place& at, const gradient_view<T, slots, constants>& view) {
  constexpr int slices = 8 / C, columns = 16 * C;
  const int thread = static_cast<int>(threadIdx.x);
  if (thread < view.sums) view.totals_of(at.slot_i, at.slot_j, slices)[thread] = 0;
  const index_t row0 = index_t{at.slot_i} * panel_rows, column0 = index_t{at.slot_j} * columns;
  if (view.mirrored && column0 / panel_rows < at.slot_i) return;  // its mirror image has been here
  for (int s = 0; s < slots; ++s) {
    if (!view.wants(s)) continue;
    if (thread < panel_rows) view.rows_of(s, at.slot_j, slices)[row0 + thread] = T(0);
    if (thread < columns) view.columns_of(s, at.slot_i)[column0 + thread] = T(0);
    for (int e = thread; e < panel_rows * columns; e += tile_threads) {
      const int row = e / columns, column = e % columns;
      view.S[s][(row0 + row) * view.ld + column0 + column] = T(0);
      if (view.mirrored && !at.diagonal) view.S[s][(column0 + e / panel_rows) * view.ld + row0 + e % panel_rows] = T(0);
    }
  }
}

// The sums of a tile of S over its columns and over its rows.
template <class T, int C>
__device__ void sums_of_tile(const fragment<T, C>& S, T* rows, T* columns, T* room) {
  using F = fragment<T, C>;
  const int thread = static_cast<int>(threadIdx.x), lane = thread % 32, warp = thread / 32;
  T* const by_column = room + 4 * panel_rows;
#pragma unroll
  for (int a = 0; a < 8; ++a) {
    T sum = S.v[a][0];
#pragma unroll
    for (int b = 1; b < C; ++b) sum += S.v[a][b];
    sum = sum_over(sum, 3);
    if (lane % 4 == 0) room[warp % 4 * panel_rows + F::row(thread, a)] = sum;
  }
#pragma unroll
  for (int b = 0; b < C; ++b) {
    T sum = S.v[0][b];
#pragma unroll
    for (int a = 1; a < 8; ++a) sum += S.v[a][b];
    sum = sum_over(sum, 28);
    if (lane < 4) by_column[warp / 4 * F::tile_columns + F::column(thread, b)] = sum;
  }
  __syncthreads();
  if (thread < panel_rows)
    rows[thread] = (room[thread] + room[panel_rows + thread]) + (room[2 * panel_rows + thread] + room[3 * panel_rows + thread]);
  if (thread < F::tile_columns) columns[thread] = by_column[thread] + by_column[F::tile_columns + thread];
  __syncthreads();
}

// found = weight x dk/du of every slot, then weight x dk/dc of every constant; 0 without weight, whatever the derivative: it may not exist.
template <class Slots, class Constants, class T, class K, int all>
__device__ __forceinline__ void slopes_of_pair(const K& kernel, const T (&u)[Slots::size], T weight, T (&found)[all]) {
  using V = number<T>;
  constexpr int n = Slots::size;
  expression::values<V, Slots> at_pair;
#pragma unroll
  for (int s = 0; s < n; ++s) at_pair.v[s] = u[s];
#pragma unroll
  for (int i = 0; i < all; ++i) {
    const T slope = i < n ? derivative<V>(kernel, at_pair, i).v : constant_derivative<V>(kernel, at_pair, i - n).v;
    found[i] = weight == T(0) ? T(0) : weight * slope;
  }
}

// The thread's values of a tile of S, in memory.
template <class T, int C>
struct tile_of_S {
  using F = fragment<T, C>;
  T* first;  // the thread's
  index_t ld;
  __device__ tile_of_S(T* S, index_t row0, index_t column0, index_t ld_)
      : first(S + (row0 + F::row(static_cast<int>(threadIdx.x), 0)) * ld_ + column0 + F::column(static_cast<int>(threadIdx.x), 0)),
        ld(ld_) {}
  __device__ two_of<T>& two(int a, int b) const { return *reinterpret_cast<two_of<T>*>(first + 8 * a * ld + b / 2 * 8); }  // b is even
  __device__ T& one(int a, int b) const { return first[8 * a * ld + b / 2 * 8 + b % 2]; }
  __device__ void load(F& to) const {
#pragma unroll
    for (int a = 0; a < 8; ++a) {
#pragma unroll
      for (int b = 0; b < C; b += 2) {
        const two_of<T> x = two(a, b);
        to.v[a][b] = x.x, to.v[a][b + 1] = x.y;
      }
    }
  }
  __device__ void store(const F& from) const {
#pragma unroll
    for (int a = 0; a < 8; ++a) {
#pragma unroll
      for (int b = 0; b < C; b += 2) two(a, b) = {from.v[a][b], from.v[a][b + 1]};
    }
  }
};

// Whether the quantities of so many slots wait in memory, where S will be, as they would not fit in the registers beside what is made of
// them.
template <class T, int C, int slots>
inline constexpr bool in_memory = slots* C* static_cast<int>(sizeof(T)) > 32;

// A tile's quantities u, in registers or in the place of S, become S, whose sums are taken on the way. Needs 4 x 128 + 32 C values of
// shared memory, 8 doubles for each sum, and in double 256 for each; all threads call it, a barrier behind them.
template <class Constants, class K, class T, int C, int held, class... Q>
__device__ void gradient_of_tile(const K& kernel, expression::list<Q...>, fragment<T, C> (&u)[held], const tile_place& at,
                                 const gradient_view<T, sizeof...(Q), Constants::size>& view, unsigned char* shared) {
  using F = fragment<T, C>;
  constexpr int n = sizeof...(Q), constants = Constants::size, slices = 8 / C;
  const int thread = static_cast<int>(threadIdx.x);
  const weights_view<T>& weights = view.weights;
  const T ww = weights.ww[at.group_i * weights.groups + at.group_j], wp = weights.wp[at.group_i * weights.groups + at.group_j];
  const bool paired = weights.pairs > 0 && at.group_i == 0 && at.group_j == 1;

  constexpr bool apart = in_memory<T, C, n>;
  const index_t row0 = index_t{at.slot_i} * panel_rows, column0 = index_t{at.slot_j} * F::tile_columns;
  const auto place = [&](int s) { return tile_of_S<T, C>(view.S[s], row0, column0, view.ld); };
  // One column after the other, in double one pair after the other, its values always in the same registers: unrolled, the slopes of
  // several quantities would not fit.
  constexpr bool narrow = sizeof(T) == 4;
  [[maybe_unused]] constexpr int columns_together = narrow && n == 1 && constants == 0 ? C : 1, rows_together = narrow ? 8 : 1;
  const T *const w_i = weights.w + at.packed_i + F::row(thread, 0), *const p_i = weights.p + at.packed_i + F::row(thread, 0);
  // In double sums wait in shared memory, a column for each thread: registers are short.
  T registers[n + constants] = {};
  T* const waiting = reinterpret_cast<T*>(shared) + thread;
  const auto add = [&](int i, T x) {
    if constexpr (narrow) {
      registers[i] += x;
    } else {
      waiting[i * tile_threads] += x;
    }
  };
  if constexpr (!narrow) {
    for (int i = 0; i < n + constants; ++i) waiting[i * tile_threads] = T(0);
  }
#pragma unroll columns_together
  for (int b = 0; b < C; ++b) {
    const int column = F::column(thread, b);
    const T w_j = weights.w[at.packed_j + column], p_j = weights.p[at.packed_j + column];
    const T of_w = ww * w_j + wp * p_j, of_p = wp * w_j;
    // The row of the tile where the column's partner stands, less the thread's first row; 128 or more, or below 0: it stands elsewhere.
    const index_t partner = at.first_j + column - weights.pairs - at.first_i;
    const int pair_row =
        paired && column < at.cols && partner < at.rows ? static_cast<int>(max(partner, index_t{-1})) - F::row(thread, 0) : -1;
    const int same_row = at.diagonal ? at.column + column - F::row(thread, 0) : -1;
#pragma unroll rows_together
    for (int a = 0; a < 8; ++a) {
      T weight = of_p * p_i[8 * a] + of_w * w_i[8 * a];
      if (8 * a == same_row) weight = T(0);
      if (8 * a == pair_row) weight += weights.paired[at.first_j + column - weights.pairs];
      T of_pair[n], found[n + constants];
#pragma unroll
      for (int s = 0; s < n; ++s) of_pair[s] = apart ? place(s).one(a, b) : u[apart ? 0 : s].v[0][0];
      slopes_of_pair<expression::list<Q...>, Constants>(kernel, of_pair, weight, found);
#pragma unroll
      for (int s = 0; s < n; ++s) {
        add(s, weight == T(0) ? T(0) : found[s] * of_pair[s]);
        if constexpr (apart) {
          place(s).one(a, b) = found[s];
        } else {
#pragma unroll
          for (int next = 1; next < 8; ++next) u[s].v[next - 1][0] = u[s].v[next][0];
          u[s].v[7][0] = found[s];
        }
      }
#pragma unroll
      for (int c = 0; c < constants; ++c) add(n + c, found[n + c]);
    }
    if constexpr (!apart) {
#pragma unroll
      for (int s = 0; s < n; ++s) {
#pragma unroll
        for (int a = 0; a < 8; ++a) {
          const T first = u[s].v[a][0];
#pragma unroll
          for (int next = 1; next < C; ++next) u[s].v[a][next - 1] = u[s].v[a][next];
          u[s].v[a][C - 1] = first;
        }
      }
    }
  }

  double total[n + constants];
#pragma unroll
  for (int i = 0; i < n + constants; ++i) {
    const T sum = narrow ? registers[i] : waiting[i * tile_threads];
    total[i] = (at.diagonal ? 0.5 : 1.0) * static_cast<double>(sum);  // it holds every pair twice
  }
  __syncthreads();
  double* const totals = view.totals_of(at.slot_i, at.slot_j, slices);
  sums_of_block(total, reinterpret_cast<double*>(shared), [&](int i, double x) { totals[i] = x; });

  const auto keep = [&]<class Slot>(expression::list<Slot>, int s, F& S) {
    if (!view.wants(s)) return;
    if constexpr (apart) place(s).load(S);
    if constexpr (reads_squares<Slot>) {
#pragma unroll
      for (int a = 0; a < 8; ++a) {
#pragma unroll
        for (int b = 0; b < C; ++b) S.v[a][b] *= T(-2);
      }
      sums_of_tile(S, view.rows_of(s, at.slot_j, slices) + row0, view.columns_of(s, at.slot_i) + column0, reinterpret_cast<T*>(shared));
    }
    if constexpr (!apart || reads_squares<Slot>) place(s).store(S);
    if (!view.mirrored || at.diagonal) return;
    T* const image = view.S[s] + (column0 + F::column(thread, 0)) * view.ld + row0 + F::row(thread, 0);
#pragma unroll
    for (int b = 0; b < C; ++b) {
#pragma unroll
      for (int a = 0; a < 8; ++a) image[(b / 2 * 8 + b % 2) * view.ld + 8 * a] = S.v[a][b];
    }
  };
  [&]<std::size_t... s>(std::index_sequence<s...>) { (keep(expression::list<Q>{}, static_cast<int>(s), u[apart ? 0 : s]), ...); }
  (std::make_index_sequence<n>{});
}

// One macro: block (slot_j, slot_i) leaves S and the sums of its tile; a tile that is not wanted leaves zeros.
template <class T, class Slots, class Constants>
struct gradient_job {
  tile_job<T, Slots::size> tiles;
  gradient_view<T, Slots::size, Constants::size> view;
};
template <bool library, class T, int C, class Slots, class Constants, class K>
__global__ void __launch_bounds__(tile_threads, 1)
    gradient_kernel(const __grid_constant__ gradient_job<T, Slots, Constants> job, const __grid_constant__ K k) {
  const int slot_i = static_cast<int>(blockIdx.y), slot_j = static_cast<int>(blockIdx.x);
  const pass_view& pass = job.tiles.pass;
  const macro& m = job.tiles.at;
  if (!pass.holds(m.i_panel + slot_i, m.j_panel + slot_j / (8 / C))) {
    gradient_of_no_tile<C>(pass.template place<C>(m, slot_i, slot_j), job.view);
    return;
  }
  unsigned char* const shared = dynamic_shared<unsigned char>();
  constexpr bool apart = in_memory<T, C, Slots::size>;
  fragment<T, C> u[apart ? 1 : Slots::size];
  if constexpr (apart) {
    const tile_place at = pass.template place<C>(m, slot_i, slot_j);
    const auto fill = [&]<class Slot>(expression::list<Slot>, int s) {
      tile_quantity<Slot::quantity, library>(job.tiles.slots[s], at, shared, u[0]);
      tile_of_S<T, C>(job.view.S[s], index_t{slot_i} * panel_rows, index_t{slot_j} * (16 * C), job.view.ld).store(u[0]);
    };
    [&]<class... Q>(expression::list<Q...>) {
      int s = 0;
      (fill(expression::list<Q>{}, s++), ...);
    }(Slots{});
  } else {
    tile_quantities<library>(Slots{}, job.tiles.slots, pass.template place<C>(m, slot_i, slot_j), shared, u);
  }
  __syncthreads();
  gradient_of_tile<Constants>(k, Slots{}, u, pass.template place<C>(m, slot_i, slot_j), job.view, shared);
}

}  // namespace MMD_ISA
}  // namespace detail
}  // namespace mmd
