// SPDX-License-Identifier: MIT
// Sums over the rows of K on the device: plain, absolute, weighted, or of any function of its values.
#pragma once

#include <algorithm>
#include <concepts>
#include <vector>

#include "mmd/backends/cuda/reducers/part.cuh"
#include "mmd/engine/weighted_sums.hpp"

namespace mmd {
namespace detail {
inline namespace MMD_ISA {

// Every tile leaves 128 sums of its rows, [slot_i][slot_j][128], and 16 C sums of its columns, [slot_i][slot_j][16 C]. Inside a tile sums
// are in T: of a thread's values, then across the four threads (eight, for columns) that share a row, then across warps.
template <class Function, bool weighted>
struct row_sums_view {
  double *rows, *columns;
  const double* weights;  // of every pooled row, if weighted
  int side;
  Function value;

  template <class T, int C>
  __device__ void add(const fragment<T, C>& k, const tile_place& p, unsigned char* shared) const {
    using F = fragment<T, C>;
    constexpr int width = F::tile_columns;
    T(*const of_rows)[panel_rows] = reinterpret_cast<T(*)[panel_rows]>(shared);  // of each of the four warps across
    T(*const of_columns)[width] = reinterpret_cast<T(*)[width]>(of_rows + 4);    // of each of the two warps down
    const int t = thread_of_block();
    {
      T across[C], sum[8];
#pragma unroll
      for (int b = 0; b < C; ++b) across[b] = weight<T>(p.first_j, F::column(t, b), p.cols);
#pragma unroll
      for (int a = 0; a < 8; ++a) {
        sum[a] = across[0] * value(k.v[a][0]);
#pragma unroll
        for (int b = 1; b < C; ++b) sum[a] += across[b] * value(k.v[a][b]);
      }
      const int first = sum_over_lanes<4, 8>(sum, 1);
      of_rows[t / 32 % 4][F::row(t, first)] = sum[0];
      of_rows[t / 32 % 4][F::row(t, first + 1)] = sum[1];
    }
    if (!p.diagonal) {  // a diagonal tile is symmetric: its row sums hold everything
      T down[8], sum[C];
#pragma unroll
      for (int a = 0; a < 8; ++a) down[a] = weight<T>(p.first_i, F::row(t, a), p.rows);
#pragma unroll
      for (int b = 0; b < C; ++b) {
        sum[b] = down[0] * value(k.v[0][b]);
#pragma unroll
        for (int a = 1; a < 8; ++a) sum[b] += down[a] * value(k.v[a][b]);
      }
      const int first = sum_over_lanes<8, C>(sum, 4);
      if (t % 32 < 4 * C) of_columns[t / 128][F::column(t, first)] = sum[0];
    }
    __syncthreads();
    const index_t tile = index_t{p.slot_i} * side * F::slices + p.slot_j;
    if (t < panel_rows) {
      rows[tile * panel_rows + t] = static_cast<double>((of_rows[0][t] + of_rows[1][t]) + (of_rows[2][t] + of_rows[3][t]));
    } else if (!p.diagonal && t - panel_rows < width) {
      columns[tile * width + t - panel_rows] = static_cast<double>(of_columns[0][t - panel_rows] + of_columns[1][t - panel_rows]);
    }
  }

 private:
  template <class T>
  __device__ T weight([[maybe_unused]] index_t first, [[maybe_unused]] int row, [[maybe_unused]] int count) const {
    if constexpr (weighted) {
      return row < count ? static_cast<T>(weights[first + row]) : T(0);
    } else {
      return T(1);
    }
  }
};

// Adds to the sums of one row of panel `to`, by groups, what `count` tiles left: group(s) is that of the tile's other side, or -1 where
// there is no tile s. Values of several tiles are on their way at a time.
template <class S, class Group, class Value>
__device__ void fold_row(const panel& to, int row, index_t pooled_rows, S* sums, int count, const Group& group, const Value& value) {
  constexpr int ahead = 8;
  S sum = 0;
  int of = -1;
  const auto write = [&] {
    if (of >= 0 && row < to.rows) sums[of * pooled_rows + to.first + row] += sum;
    sum = 0;
  };
  for (int first = 0; first < count; first += ahead) {
    S next[ahead];
    int from[ahead];
#pragma unroll
    for (int u = 0; u < ahead; ++u) {
      from[u] = first + u < count ? group(first + u) : -1;
      next[u] = from[u] >= 0 ? value(first + u) : S(0);
    }
#pragma unroll
    for (int u = 0; u < ahead; ++u) {
      if (from[u] < 0) continue;
      if (from[u] != of) write();
      of = from[u];
      sum += next[u];
    }
  }
  write();
}

// A block for every panel of rows and of columns of the macro, a thread for every row. Where these are the same panels one block does both,
// so that no sum is written by two.
template <class S>
__global__ void fold_row_sums(pass_view pass, macro m, int slices, const S* rows, const S* columns, S* sums, index_t pooled_rows) {
  const int t = static_cast<int>(threadIdx.x), block = static_cast<int>(blockIdx.x);
  const bool same = m.i_panel == m.j_panel;
  if (block < m.panels_i) {
    const index_t i = m.i_panel + block;
    fold_row(
        pass.panels[i], t, pooled_rows, sums, m.panels_j,
        [&](int s) { return pass.holds(i, m.j_panel + s) ? pass.panels[m.j_panel + s].group : -1; },
        [&](int s) {
          S sum = 0;
          for (int slice = 0; slice < slices; ++slice) sum += rows[((index_t{block} * m.side + s) * slices + slice) * panel_rows + t];
          return sum;
        });
  }
  const int slot = same ? block : block - m.panels_i;
  if (slot < 0 || slot >= m.panels_j) return;
  const index_t j = m.j_panel + slot;
  fold_row(
      pass.panels[j], t, pooled_rows, sums, m.panels_i,
      [&](int s) { return m.i_panel + s != j && pass.holds(m.i_panel + s, j) ? pass.panels[m.i_panel + s].group : -1; },
      [&](int s) { return columns[(index_t{s} * m.side + slot) * panel_rows + t]; });
}

// The device's part of a reducer R whose `sums`, N x groups, are those of mmd::row_sums for the values of a function of K: T operator()(T
// k) for T float and double, with f(0) = 0. Memory: 16 N groups bytes, and for a macro 2 KB a tile (3, 5 with panels in 2, 4 slices),
// twice.
template <class R, class Function>
class row_sums_part {
  static constexpr bool weighted = requires(const R& r) { r.weights->data(); };

 public:
  using view = row_sums_view<Function, weighted>;

  row_sums_part(device_context& on, R& r, const layout& lay, const std::vector<panel>&, int side, int slices, Function value = {})
      : r_(&r), rows_(lay.rows), side_(side), slices_(slices), value_(value), sums_(on, partial(side, slices), sums(lay)) {
    if constexpr (weighted) weights_ = upload(on, std::span<const double>(*r.weights), "weights of rows");
  }
  static std::uint64_t bytes(const R&, const layout& lay, int side, int slices) {
    return stream_sums::bytes(partial(side, slices), sums(lay)) + (weighted ? doubles(lay.rows) : 0);
  }
  view on_stream(int s) const { return {sums_.partial(s), columns(s), weights_.data(), side_, value_}; }
  void fold(int s, const macro& m, const pass_view& pass) {
    const int blocks = m.i_panel == m.j_panel ? std::max(m.panels_i, m.panels_j) : m.panels_i + m.panels_j;
    launch(fold_row_sums<double>, static_cast<unsigned>(blocks), panel_rows, 0, sums_.stream(s), pass, m, slices_,
           static_cast<const double*>(sums_.partial(s)), static_cast<const double*>(columns(s)), sums_.sums(s), rows_);
  }
  void finish() { sums_.finish(r_->sums); }

 private:
  static index_t partial(int side, int slices) { return index_t{side} * side * panel_rows * (slices + 1); }
  static index_t sums(const layout& lay) { return lay.rows * lay.groups(); }
  double* columns(int s) const { return sums_.partial(s) + index_t{side_} * side_ * panel_rows * slices_; }

  R* r_;
  index_t rows_;
  int side_, slices_;
  Function value_;
  stream_sums sums_;
  buffer<double> weights_;
};

struct value_itself {
  template <class T>
  __device__ T operator()(T k) const {
    return k;
  }
};
struct value_or_size {
  bool absolute;
  template <class T>
  __device__ T operator()(T k) const {
    return absolute && k < T(0) ? -k : k;
  }
};

template <>
struct device_part<row_sums> : row_sums_part<row_sums, value_or_size> {
  device_part(device_context& on, row_sums& r, const layout& lay, const std::vector<panel>& panels, int side, int slices)
      : row_sums_part(on, r, lay, panels, side, slices, {r.absolute}) {}
};
template <>
struct device_part<weighted_row_sums> : row_sums_part<weighted_row_sums, value_itself> {
  using row_sums_part::row_sums_part;
};

}  // namespace MMD_ISA
}  // namespace detail
}  // namespace mmd
