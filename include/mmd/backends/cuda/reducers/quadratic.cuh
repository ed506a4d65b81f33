// SPDX-License-Identifier: MIT
// Quadratic forms of labels on the device, by tensor cores: the tile stays in registers while all columns of labels stream past it.
#pragma once

#include <cstdint>
#include <vector>

#include "mmd/backends/cuda/mma.cuh"
#include "mmd/backends/cuda/reducers/part.cuh"

namespace mmd {
namespace detail {
inline namespace MMD_ISA {

// V'K for columns V of labels 0 and 1, then what the labels of K's other side choose of it. A thread's values of K lie as tensor cores take
// their right operand, if the columns 2 q and 2 q + 1 of every 8 are called q and q + 4; labels of 16 columns, made numbers, are the left
// one. Floats go in two parts of 11 significant bits, the lower first: 22 of 24 bits of K, an error below 2^-21 of each value. Tensor cores
// round sums towards zero: over the 4 C columns of a warp they are low by up to C 2^-23 of them. All else is rounded to nearest, in float
// inside a warp and in double outside. Every column of labels is summed in the same order wherever it stands.
template <class T, int C>
class label_forms {
  using F = fragment<T, C>;
  static constexpr int blocks = sizeof(T) == 4 ? 2 : 1;  // of 8 columns of labels at a time

 public:
  // out[c] = v' K v of this warp's part of the tile for 64 columns of labels: bits of rows[c] for its 64 rows, of columns[c] >> shift for
  // its 4 C columns.
  static __device__ void add(const F& k, const std::uint64_t* rows, const std::uint64_t* columns, int shift, T* out) {
    const int lane = static_cast<int>(threadIdx.x) % 32, r = lane / 4, q = lane % 4;
#pragma unroll 1
    for (int first = r; first < 64; first += 8 * blocks) {
      T one[blocks][C], sum[blocks];
      std::uint64_t chosen[blocks];
#pragma unroll
      for (int c = 0; c < blocks; ++c) {
        sum[c] = T(0);
        const auto labels = static_cast<std::uint32_t>(columns[first + 8 * c] >> (shift + 2 * q));
#pragma unroll
        for (int b = 0; b < C; ++b) one[c][b] = labels >> (b / 2 * 8 + b % 2) & 1u ? T(1) : T(0);
        chosen[c] = rows[first + 8 * c] >> 2 * q;
      }
      const std::uint32_t high = 0xffffe000u | unknown_zero();  // the parts of K are made anew for these labels
#pragma unroll
      for (int a = 0; a < 8; ++a) {
        T product[2 * blocks] = {};  // of columns r and r + 8 of the labels, with rows 2 q and 2 q + 1 of every 8
        multiply(k.v[a], one, high, product);
#pragma unroll
        for (int e = 0; e < 2 * blocks; ++e) {
          if (chosen[e / 2] >> (8 * a + e % 2) & 1u) sum[e / 2] += product[e];
        }
      }
      const int found = sum_over_lanes<4, blocks>(sum, 1);
      if (q < blocks) out[first + 8 * found] = sum[0];
    }
  }

 private:
  static __device__ void multiply(const float (&k)[C], const float (&one)[2][C], std::uint32_t high, float (&product)[4]) {
    const auto step = [&](int b, std::uint32_t first, std::uint32_t second) {
      const std::uint32_t labels[4] = {__float_as_uint(one[0][b]), __float_as_uint(one[1][b]), __float_as_uint(one[0][b + 1]),
                                       __float_as_uint(one[1][b + 1])};
      mma_tf32(product[0], product[1], product[2], product[3], labels, first, second);
    };
    const auto upper = [&](float v) { return __float_as_uint(v) & high; };
    const auto lower = [&](float v) { return __float_as_uint(v - __uint_as_float(upper(v))); };
#pragma unroll
    for (int b = 0; b < C; b += 2) step(b, lower(k[b]), lower(k[b + 1]));
#pragma unroll
    for (int b = 0; b < C; b += 2) step(b, upper(k[b]), upper(k[b + 1]));
  }
  static __device__ void multiply(const double (&k)[C], const double (&one)[1][C], std::uint32_t, double (&product)[2]) {
#pragma unroll
    for (int b = 0; b < C; ++b) mma_double(product[0], product[1], one[0][b], k[b]);
  }
};

// Labels as a label_matrix holds them. Every tile leaves one number a column: [slot_i][slot_j][64 blocks].
struct quadratic_view {
  const std::uint64_t* labels;
  index_t words;  // of a column
  int blocks;     // of 64 columns
  double* partial;
  int side;

  template <class T, int C>
  __device__ void add(const fragment<T, C>& k, const tile_place& p, unsigned char* shared) const {
    const int t = thread_of_block(), warp = t / 32, column = warp % 4 * (4 * C), half = t / 64 % 2 * 64;
    // Twice, so that one barrier a block is enough. bits: labels of the tile's rows, its first and second 64, and of its columns.
    auto* const bits = reinterpret_cast<std::uint64_t(*)[4][64]>(shared);
    auto* const of_warp = reinterpret_cast<T(*)[8][64]>(bits + 2);
    double* const out = partial + (index_t{p.slot_i} * side * fragment<T, C>::slices + p.slot_j) * (index_t{blocks} * 64);
    // This thread brings the labels of 64 rows, or fewer, in one column of every block; K is 0 beyond the last row.
    const bool exist = half < (t < 128 ? p.rows : p.cols);
    const index_t row = (t < 128 ? p.first_i : p.first_j) + half;
    const std::uint64_t* next = labels + row / 64 * 64 + t % 64;
    const auto shift = static_cast<int>(row % 64);
    for (int block = 0;; ++block, next += words * 64) {
      if (block < blocks) bits[block % 2][t / 64][t % 64] = exist ? next[0] >> shift | next[64] << 1 << (63 - shift) : 0;
      __syncthreads();
      if (block > 0 && t < 64) {
        const auto& of = of_warp[(block - 1) % 2];
        double sum = 0;
        for (int w = 0; w < 8; ++w) sum += static_cast<double>(of[w][t]);
        out[(block - 1) * 64 + t] = sum;
      }
      if (block == blocks) return;
      label_forms<T, C>::add(k, bits[block % 2][warp / 4], bits[block % 2][2 + column / 64], column % 64, of_warp[block % 2][warp]);
    }
  }
};

// A column for every thread and four threads for a column, which take the tiles in turn. Tiles off the diagonal count twice.
template <class S>
__global__ void __launch_bounds__(256) fold_quadratic(pass_view pass, macro m, int slices, int blocks, const S* partial, S* sums) {
  __shared__ S part[4][64];
  const int column = static_cast<int>(threadIdx.x) % 64, turn = static_cast<int>(threadIdx.x) / 64;
  const index_t c = static_cast<index_t>(blockIdx.x) * 64 + column;
  S sum = 0;
  for (int tile = turn; tile < m.panels_i * m.panels_j * slices; tile += 4) {
    const int slot_i = tile / (m.panels_j * slices), slot_j = tile % (m.panels_j * slices);
    const index_t i = m.i_panel + slot_i, j = m.j_panel + slot_j / slices;
    if (!pass.holds(i, j)) continue;
    const S of_tile = partial[(index_t{slot_i} * m.side * slices + slot_j) * (index_t{blocks} * 64) + c];
    sum += i == j ? of_tile : 2 * of_tile;
  }
  part[turn][column] = sum;
  __syncthreads();
  if (turn == 0) sums[c] += (part[0][column] + part[1][column]) + (part[2][column] + part[3][column]);
}

// Memory: the labels, N B / 8 bytes, 16 B bytes, and for a macro 8 B bytes a tile, twice.
template <>
class device_part<quadratic_forms> {
 public:
  using view = quadratic_view;

  device_part(device_context& on, quadratic_forms& r, const layout&, const std::vector<panel>&, int side, int slices)
      : r_(&r),
        blocks_(blocks(r)),
        side_(side),
        slices_(slices),
        sums_(on, partial(r, side, slices), index_t{blocks_} * 64),
        labels_(upload(on, r.labels->words(), "labels of rows")) {}
  static std::uint64_t bytes(const quadratic_forms& r, const layout&, int side, int slices) {
    return stream_sums::bytes(partial(r, side, slices), index_t{blocks(r)} * 64) + r.labels->words().size_bytes();
  }
  view on_stream(int s) const { return {labels_.data(), r_->labels->words_of_column(), blocks_, sums_.partial(s), side_}; }
  void fold(int s, const macro& m, const pass_view& pass) {
    launch(fold_quadratic<double>, static_cast<unsigned>(blocks_), 256, 0, sums_.stream(s), pass, m, slices_, blocks_,
           static_cast<const double*>(sums_.partial(s)), sums_.sums(s));
  }
  void finish() { sums_.finish(r_->value); }

 private:
  static int blocks(const quadratic_forms& r) { return static_cast<int>(blocks_for(r.labels->columns(), label_matrix::block)); }
  static index_t partial(const quadratic_forms& r, int side, int slices) { return index_t{side} * side * slices * blocks(r) * 64; }

  quadratic_forms* r_;
  int blocks_, side_, slices_;
  stream_sums sums_;
  buffer<std::uint64_t> labels_;
};

}  // namespace MMD_ISA
}  // namespace detail
}  // namespace mmd
