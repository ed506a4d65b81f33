// SPDX-License-Identifier: MIT
// Kernels that pack rows: gathered where they lie on the device, centred on their mean, with their norms. Every sum has one order, fixed by
// the sizes.
#pragma once

#include <cmath>
#include <cstdint>

#include "mmd/backends/cuda/runtime.cuh"
#include "mmd/core/half.hpp"
#include "mmd/engine/panels.hpp"

namespace mmd {
namespace detail {
inline namespace MMD_ISA {

inline constexpr int row_tile = 32;      // rows and columns that a block gathers
inline constexpr int row_threads = 256;  // of every block here

// A group's rows on the device.
template <class S>
struct device_rows {
  const S* data;
  index_t rows, row_stride, col_stride;
};
// The rows of a space as a kernel reads them: those of `many`, in the pooled order where there is one, or, where `many` is null, `one`,
// which holds the positions from `first` on. by_columns: values of one column lie nearer than those of one row.
template <class S>
struct row_reader {
  device_rows<S> one;
  const device_rows<S>* many;
  const index_t* order;
  index_t first;
  bool by_columns;

  // The first value of the row at a position, and the way to the next value.
  __device__ const S* row(index_t position, index_t& step) const {
    device_rows<S> part = one;
    index_t r = position - first;
    if (many) {
      if (order) r = order[r];
      int g = 0;
      for (part = many[0]; r >= part.rows; part = many[++g]) r -= part.rows;
    }
    step = part.col_stride;
    return part.data + r * part.row_stride;
  }
};

// z(packed row, column + k) = value `k` of the row, for k < exist; 0 for other k < write, and in packed rows that no row fills. A block
// holds row_tile rows of a panel, the first of which is row_tile * blockIdx.x of panel `first_panel`, and row_tile columns.
template <class S, class T>
__global__ void __launch_bounds__(row_threads) gather_rows(row_reader<S> from, const panel* panels, index_t first_panel, index_t column,
                                                           index_t exist, index_t write, T* z, index_t ld) {
  __shared__ const S* row[row_tile];
  __shared__ index_t step[row_tile];
  __shared__ T value[row_tile][row_tile + 1];
  const int thread = static_cast<int>(threadIdx.x);
  const index_t packed = first_panel * panel_rows + static_cast<index_t>(blockIdx.x) * row_tile,
                k0 = static_cast<index_t>(blockIdx.y) * row_tile;
  if (thread < row_tile) {
    const panel p = panels[packed / panel_rows];
    const index_t r = packed % panel_rows + thread;
    row[thread] = nullptr;
    if (r < p.rows) row[thread] = from.row(p.first + r, step[thread]);
  }
  __syncthreads();
  for (int v = thread; v < row_tile * row_tile; v += row_threads) {
    const int i = from.by_columns ? v % row_tile : v / row_tile, k = from.by_columns ? v / row_tile : v % row_tile;
    value[i][k] = row[i] && k0 + k < exist ? number_as<T>(row[i][(k0 + k) * step[i]]) : T(0);
  }
  __syncthreads();
  for (int v = thread; v < row_tile * row_tile; v += row_threads) {
    const int i = v / row_tile, k = v % row_tile;
    if (k0 + k < write) z[(packed + i) * ld + column + k0 + k] = value[i][k];
  }
}

// sums(c, k): of column k over chunk c, `chunk` packed rows. A block holds row_tile columns of one chunk.
template <class T>
__global__ void __launch_bounds__(row_threads) sum_columns(const T* z, index_t ld, index_t d, index_t rows, index_t chunk, double* sums) {
  constexpr int lanes = row_threads / row_tile;
  __shared__ double part[lanes][row_tile];
  const int lane = static_cast<int>(threadIdx.x) / row_tile, column = static_cast<int>(threadIdx.x) % row_tile;
  const index_t k = static_cast<index_t>(blockIdx.x) * row_tile + column, c = static_cast<index_t>(blockIdx.y),
                last = rows < (c + 1) * chunk ? rows : (c + 1) * chunk;
  double sum = 0;
  if (k < d) {
    for (index_t r = c * chunk + lane; r < last; r += lanes) sum += static_cast<double>(z[r * ld + k]);
  }
  part[lane][column] = sum;
  __syncthreads();
  if (lane == 0 && k < d) {
    for (int l = 1; l < lanes; ++l) sum += part[l][column];
    sums[c * d + k] = sum;
  }
}
template <class T>
__global__ void __launch_bounds__(row_threads) mean_of_chunks(const T* sums, index_t chunks, index_t d, T rows, T* mean) {
  const index_t k = static_cast<index_t>(blockIdx.x) * row_threads + static_cast<index_t>(threadIdx.x);
  if (k >= d) return;
  T sum = 0;
  for (index_t c = 0; c < chunks; ++c) sum += sums[c * d + k];
  mean[k] = sum / rows;
}

// The larger, or NaN where one is.
MMD_HD inline double larger(double a, double b) { return a > b || a != a ? a : b; }

// Takes the mean away, where there is one, and gives the squared norms: a warp each row. largest[block]: of the block's rows.
template <class T>
__global__ void __launch_bounds__(row_threads)
    centre_rows(T* z, index_t ld, index_t d, const panel* panels, const double* mean, T* norm, double* largest) {
  constexpr int warps = row_threads / 32;
  __shared__ double of_row[warps];
  const int warp = static_cast<int>(threadIdx.x) / 32, lane = static_cast<int>(threadIdx.x) % 32;
  const index_t r = static_cast<index_t>(blockIdx.x) * warps + warp;
  const bool filled = r % panel_rows < panels[r / panel_rows].rows;
  double sum = 0;
  if (filled) {
    for (index_t k = lane; k < d; k += 32) {
      T x = z[r * ld + k];
      if (mean) z[r * ld + k] = x = static_cast<T>(static_cast<double>(x) - mean[k]);
      sum += static_cast<double>(x) * static_cast<double>(x);
    }
  }
  for (int step = 16; step > 0; step /= 2) sum += __shfl_xor_sync(0xffffffffu, sum, step);
  if (lane == 0) {
    norm[r] = static_cast<T>(sum);
    of_row[warp] = sum;
  }
  __syncthreads();
  if (threadIdx.x == 0) {
    for (int w = 1; w < warps; ++w) sum = larger(sum, of_row[w]);
    largest[blockIdx.x] = sum;
  }
}
// values[count] = the largest of values[0], ..., values[count - 1], or NaN. One block.
template <class T>
__global__ void __launch_bounds__(row_threads) largest_of(T* values, index_t count) {
  __shared__ T part[row_threads];
  const int thread = static_cast<int>(threadIdx.x);
  T best = 0;
  for (index_t i = thread; i < count; i += row_threads) best = larger(best, values[i]);
  part[thread] = best;
  __syncthreads();
  for (int half = row_threads / 2; half > 0; half /= 2) {
    if (thread < half) part[thread] = larger(part[thread], part[thread + half]);
    __syncthreads();
  }
  if (thread == 0) values[count] = part[0];
}

// Row after row to `to`.
template <class S, class T>
__global__ void __launch_bounds__(row_threads) copy_values(device_rows<S> x, index_t cols, T* to) {
  const index_t step = static_cast<index_t>(gridDim.x) * row_threads;
  for (index_t v = static_cast<index_t>(blockIdx.x) * row_threads + static_cast<index_t>(threadIdx.x); v < x.rows * cols; v += step) {
    to[v] = number_as<T>(x.data[v / cols * x.row_stride + v % cols * x.col_stride]);
  }
}
// The rows at positions 0, ..., rows - 1, one after the other.
template <class S>
__global__ void __launch_bounds__(row_threads) join_rows(row_reader<S> from, index_t rows, index_t cols, S* to) {
  const index_t threads = static_cast<index_t>(gridDim.x) * row_threads;
  for (index_t v = static_cast<index_t>(blockIdx.x) * row_threads + static_cast<index_t>(threadIdx.x); v < rows * cols; v += threads) {
    index_t step = 0;
    const S* const row = from.row(v / cols, step);
    to[v] = row[v % cols * step];
  }
}
// Lowers *first to row * cols + column of the first value that is not finite.
template <class S>
__global__ void __launch_bounds__(row_threads) first_invalid(device_rows<S> x, index_t cols, unsigned long long* first) {
  const index_t step = static_cast<index_t>(gridDim.x) * row_threads;
  for (index_t v = static_cast<index_t>(blockIdx.x) * row_threads + static_cast<index_t>(threadIdx.x); v < x.rows * cols; v += step) {
    const auto value = number_as<double>(x.data[v / cols * x.row_stride + v % cols * x.col_stride]);
    if (value - value != 0) {
      atomicMin(first, static_cast<unsigned long long>(v));
      return;
    }
  }
}

}  // namespace MMD_ISA
}  // namespace detail
}  // namespace mmd
