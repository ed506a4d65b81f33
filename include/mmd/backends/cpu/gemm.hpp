// SPDX-License-Identifier: MIT
// The dense product, on the micro-kernel of the pairs. Blocks are fixed by the sizes: the same bits for any number of threads.
#pragma once

#include <algorithm>
#include <string>

#include "mmd/backends/cpu/features.hpp"
#include "mmd/engine/backend.hpp"

namespace mmd {
namespace detail {

// A matrix whose values can be written through data().
template <class M>
concept writable_matrix = strided_matrix<M> && requires(M& m) {
  { m.data() } -> std::same_as<typename M::Scalar*>;
};

inline namespace MMD_ISA {

// An operand as (line, k): op(A) by rows, op(B) by columns.
template <class T>
struct operand {
  const T* p;
  index_t lines, depth, line_stride, depth_stride;
  operand(const samples<T>& m, bool by_rows)
      : p(m.data()),
        lines(by_rows ? m.rows() : m.cols()),
        depth(by_rows ? m.cols() : m.rows()),
        line_stride(by_rows ? m.rowStride() : m.colStride()),
        depth_stride(by_rows ? m.colStride() : m.rowStride()) {}

  // Lines first .. first + width - 1 as [k][line]; lines that do not exist are zero.
  template <int width>
  void pack(index_t first, T* out) const {
    const index_t count = std::min<index_t>(width, lines - first);
    const T* from = p + first * line_stride;
    if (count < width) std::fill(out, out + depth * width, T(0));
    if (line_stride == 1 && count == width) {
      for (index_t k = 0; k < depth; ++k) std::copy_n(from + k * depth_stride, width, out + k * width);
      return;
    }
    constexpr int lines_at_once = 8;  // read side by side, so that what is written fills whole cache lines
    index_t first_line = 0;
    for (; first_line + lines_at_once <= count; first_line += lines_at_once) {
      const T* line[lines_at_once];
      for (int l = 0; l < lines_at_once; ++l) line[l] = from + (first_line + l) * line_stride;
      T* to = out + first_line;
      for (index_t k = 0; k < depth; ++k, to += width) {
        for (int l = 0; l < lines_at_once; ++l) to[l] = line[l][k * depth_stride];
      }
    }
    for (; first_line < count; ++first_line) {
      const T* line = from + first_line * line_stride;
      for (index_t k = 0; k < depth; ++k) out[k * width + first_line] = line[k * depth_stride];
    }
  }
};

template <class T, class C>
void product(int threads, transposed of_a, transposed of_b, T alpha, const samples<T>& a, const samples<T>& b, T beta, C& c) {
  constexpr int G = group_width<T>, R = micro_columns<T>;
  constexpr index_t row_block = 64, column_block = 256, depth_block = 256;
  const operand<T> A(a, of_a == transposed::no), B(b, of_b == transposed::yes);
  const index_t m = A.lines, n = B.lines, depth = A.depth;
  require(B.depth == depth, of_b == transposed::yes ? "gemm: B.cols()" : "gemm: B.rows()", B.depth,
          ("the inner dimension of op(A), " + std::to_string(depth)).c_str());
  require(c.rows() == m, "gemm: C.rows()", c.rows(), ("the rows of op(A), " + std::to_string(m)).c_str());
  require(c.cols() == n, "gemm: C.cols()", c.cols(), ("the columns of op(B), " + std::to_string(n)).c_str());
  if (m == 0 || n == 0) return;

  const int team = static_cast<double>(m) * static_cast<double>(n) * static_cast<double>(depth) < 1e6 ? 1 : threads;
  const index_t row_groups = (m + R - 1) / R, column_groups = (n + G - 1) / G;
  const aligned<T> rows(at(row_groups * R * depth)), columns(at(column_groups * G * depth));
  const index_t row_packs = (row_groups + 7) / 8;
  parallel_for(team, row_packs + column_groups, [&](index_t i) {
    if (i >= row_packs) {
      B.template pack<G>((i - row_packs) * G, columns.p + (i - row_packs) * G * depth);
      return;
    }
    for (index_t r = i * 8; r < std::min(row_groups, i * 8 + 8); ++r) A.template pack<R>(r * R, rows.p + r * R * depth);
  });

  const index_t down = (m + row_block - 1) / row_block, across = (n + column_block - 1) / column_block;
  parallel_for(team, down * across, [&](index_t part) {
    const index_t r0 = row_groups * (part / across) / down, r1 = row_groups * (part / across + 1) / down;
    const index_t c0 = column_groups * (part % across) / across, c1 = column_groups * (part % across + 1) / across;
    const aligned<T> sums(at((c1 - c0) * (r1 - r0) * R * G));  // [column group][row][column]
    for (index_t k = 0; k < depth || k == 0; k += depth_block) {
      const index_t now = std::min(depth_block, depth - k);
      for (index_t g = c0; g < c1; ++g) {
        for (index_t r = r0; r < r1; ++r) {
          micro<multiply>(columns.p + (g * depth + k) * G, G, rows.p + (r * depth + k) * R, R, now, k > 0,
                          sums.p + ((g - c0) * (r1 - r0) + r - r0) * R * G, G);
        }
      }
    }
    const index_t row_stride = c.rowStride(), column_stride = c.colStride();
    for (index_t i = r0 * R; i < std::min(m, r1 * R); ++i) {
      for (index_t g = c0; g < c1; ++g) {
        const T* sum = sums.p + ((g - c0) * (r1 - r0) * R + i - r0 * R) * G;
        T* out = c.data() + i * row_stride + g * G * column_stride;
        for (index_t l = 0; l < std::min<index_t>(G, n - g * G); ++l) {
          T& to = out[l * column_stride];
          to = beta == T(0) ? alpha * sum[l] : alpha * sum[l] + beta * to;
        }
      }
    }
  });
}

}  // namespace MMD_ISA
}  // namespace detail
}  // namespace mmd
