// SPDX-License-Identifier: MIT
// The device's part of the weighted gradient, row by row: sums over tiles, a row's own terms, l1 distances, the result.
#pragma once

#include "mmd/backends/cuda/gradient_tile.cuh"
#include "mmd/engine/spaces.hpp"

namespace mmd {
namespace detail {
inline namespace MMD_ISA {

// Adds a macro's sums to those of its stream. Block b takes the rows of its panel b, of I and then, where J's are others, of J; the block
// behind them the totals. own.of[s]: what packed rows take of their own features through slot s; nullptr where there is no such thing.
template <int slots>
struct own_rows {
  double* of[slots];
};
template <int slices, class T, int slots, int constants>
__global__ void __launch_bounds__(panel_rows) fold_gradient(const __grid_constant__ gradient_view<T, slots, constants> view, const macro m,
                                                            const __grid_constant__ own_rows<slots> own, double* totals) {
  constexpr int sums = slots + constants;
  __shared__ double room[panel_rows / 32 * sums];
  const int block = static_cast<int>(blockIdx.x), thread = static_cast<int>(threadIdx.x), across = m.panels_j * slices;
  if (block == m.panels_i + (view.mirrored ? 0 : m.panels_j)) {
    double total[sums] = {};
    for (int tile = thread; tile < m.panels_i * across; tile += panel_rows) {
      const double* const of_tile = view.totals_of(tile / across, tile % across, slices);
#pragma unroll
      for (int i = 0; i < sums; ++i) total[i] += of_tile[i];
    }
    sums_of_block(total, room, [&](int i, double x) { totals[i] += x; });
    return;
  }
  const bool of_i = block < m.panels_i;
  const int number = of_i ? block : block - m.panels_i, row = number * panel_rows + thread;
  for (int s = 0; s < slots; ++s) {
    if (!own.of[s]) continue;
    double sum = 0;
    if (!of_i || view.mirrored) {
      for (int i = 0; i < (of_i ? number : m.panels_i); ++i) sum += static_cast<double>(view.columns_of(s, i)[row]);
    }
    if (of_i) {
      for (int j = view.mirrored ? number * slices : 0; j < across; ++j) sum += static_cast<double>(view.rows_of(s, j, slices)[row]);
    }
    own.of[s][(of_i ? m.i_panel : m.j_panel) * panel_rows + row] -= sum;
  }
}

// What k(z_i, z_i) adds, and the zeros that all else is added to: block b for panel b. own: [stream][packing][packed row]; of_points:
// [panel][sums]; totals: [stream][sums].
template <class Slots, class Constants, class T, class K>
struct same_points;
template <class... Q, class Constants, class T, class K>
struct same_points<expression::list<Q...>, Constants, T, K> {
  static constexpr int n = sizeof...(Q), constants = Constants::size, sums = n + constants;
  static constexpr int packings = decltype(packings_of(expression::list<Q...>{}))::size;
  K kernel;
  const panel* panels;
  const T* norm[n];       // of each slot
  const double* weights;  // one each pooled row; nullptr: none
  index_t rows;           // packed
  double *own, *of_points, *totals;
  int streams;

  __device__ void run(double* room) const {
    const panel p = panels[blockIdx.x];
    const int row = static_cast<int>(threadIdx.x);
    const double weight = weights != nullptr && row < p.rows ? weights[p.first + row] : 0.0;
    double sum[sums] = {}, of_own[packings] = {};
    if (weight != 0) {
      using V = number<double>;
      [&]<std::size_t... s, std::size_t... c>(std::index_sequence<s...>, std::index_sequence<c...>) {
        const expression::values<V, expression::list<Q...>> point{
            V(Q::quantity == pair::inner_product ? static_cast<double>(norm[s][p.packed + row]) : 0.0)...};
        const auto of_product = [&](auto slot, int number, double& to) {
          if constexpr (decltype(slot)::quantity == pair::inner_product) {
            const double slope = weight * derivative<V>(kernel, point, number).v;
            sum[number] = slope * point.v[number].v;
            to += 2 * slope;
          }
        };
        (of_product(Q{}, static_cast<int>(s), of_own[packing_index<Q>(expression::list<Q...>{})]), ...);
        ((sum[n + c] = weight * constant_derivative<V>(kernel, point, static_cast<int>(c)).v), ...);
      }
      (std::make_index_sequence<n>{}, std::make_index_sequence<constants>{});
    }
#pragma unroll
    for (int q = 0; q < packings; ++q) {
      own[q * rows + p.packed + row] = of_own[q];
      if (streams == 2) own[(packings + q) * rows + p.packed + row] = 0;
    }
    if (blockIdx.x == 0 && row < streams * sums) totals[row] = 0;
    sums_of_block(sum, room, [&](int i, double x) { of_points[index_t{blockIdx.x} * sums + i] = x; });
  }
};
template <class Points>
__global__ void __launch_bounds__(panel_rows) same_points_kernel(const __grid_constant__ Points points) {
  __shared__ double room[panel_rows / 32 * Points::sums];
  points.run(room);
}

// sum(r, f) (+)= sum_k S(r, k) sign(own(r, f) - other(k, f)): block (y, x) for 64 rows r and 32 features f. `turned`: S(r, k) lies at
// [k][r].
inline constexpr int sign_rows = 64, sign_features = 32, sign_depth = 32, sign_threads = 256;
template <bool turned, class T>
__global__ void __launch_bounds__(sign_threads, 2)
    sign_sums(const T* S, index_t ld, index_t depth, const T* own, const T* other, index_t width, bool add, T* sum) {
  __shared__ T weights[sign_depth][sign_rows + 1], features[sign_depth][sign_features];
  constexpr int each = sign_rows * sign_features / sign_threads;  // rows of a thread
  const int thread = static_cast<int>(threadIdx.x), lane = thread % sign_features, first = thread / sign_features * each;
  const index_t row0 = index_t{blockIdx.y} * sign_rows, feature = index_t{blockIdx.x} * sign_features + lane;
  const bool real = feature < width;
  T mine[each], total[each];
#pragma unroll
  for (int a = 0; a < each; ++a) {
    const index_t at = (row0 + first + a) * width + feature;
    mine[a] = real ? own[at] : T(0);
    total[a] = real && add ? sum[at] : T(0);
  }
  for (index_t k0 = 0; k0 < depth; k0 += sign_depth) {
    __syncthreads();
    for (int e = thread; e < sign_depth * sign_rows; e += sign_threads) {
      const int k = turned ? e / sign_rows : e % sign_depth, r = turned ? e % sign_rows : e / sign_depth;
      weights[k][r] = turned ? S[(k0 + k) * ld + row0 + r] : S[(row0 + r) * ld + k0 + k];
    }
    for (int k = thread / sign_features; k < sign_depth; k += sign_threads / sign_features)
      features[k][lane] = real ? other[(k0 + k) * width + feature] : T(0);
    __syncthreads();
#pragma unroll 4
    for (int k = 0; k < sign_depth; ++k) {
      const T theirs = features[k][lane];
#pragma unroll
      for (int a = 0; a < each; ++a) {
        const T s = weights[k][first + a];
        total[a] += mine[a] > theirs ? s : mine[a] < theirs ? -s : T(0);
      }
    }
  }
#pragma unroll
  for (int a = 0; a < each; ++a) {
    if (real) sum[(row0 + first + a) * width + feature] = total[a];
  }
}

// out(i, f) of one feature space: the streams' and packings' sums, and what the row takes of its own features. Block (y, x) for some of the
// rows of panel x.
template <class T>
struct space_sums {
  struct part {
    const T *z, *sum[2];
    const double* own[2];
  } parts[2];
  int packings, streams;
  index_t width, d;
};
inline constexpr int finish_rows = 16, finish_threads = 256;
template <class T, class R>
__global__ void __launch_bounds__(finish_threads) finish_gradient(const panel* panels, const __grid_constant__ space_sums<T> from, R* out) {
  const panel p = panels[blockIdx.x];
  const int first = static_cast<int>(blockIdx.y) * finish_rows, rows = min(p.rows - first, finish_rows);
  for (index_t e = threadIdx.x; e < rows * from.d; e += finish_threads) {
    const index_t row = p.packed + first + e / from.d, at = row * from.width + e % from.d;
    double total = 0;
    for (int q = 0; q < from.packings; ++q) {
      const auto& part = from.parts[q];
      for (int s = 0; s < from.streams; ++s)
        total += static_cast<double>(part.sum[s][at]) + part.own[s][row] * static_cast<double>(part.z[at]);
    }
    out[(p.first + first) * from.d + e] = static_cast<R>(total);
  }
}

}  // namespace MMD_ISA
}  // namespace detail
}  // namespace mmd
