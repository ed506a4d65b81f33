// SPDX-License-Identifier: MIT
// The dense product. Each value is summed over the inner dimension in one fixed order, whatever the shape around it: the same bits for any
// number of threads, and for a row whatever rows are beside it.
#pragma once

#include <algorithm>

#include "mmd/backends/cpu/product.hpp"
#include "mmd/core/parallel.hpp"
#include "mmd/core/samples.hpp"
#include "mmd/engine/dense.hpp"

namespace mmd {
namespace detail {

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
};

// Transposes a square of packs: lane l of x[i] changes places with lane i of x[l].
template <class T, int half = simd<T>::width / 2>
[[gnu::always_inline]] inline void transpose(simd<T>* x) {
  constexpr int W = simd<T>::width;
#pragma GCC unroll 16
  for (int i = 0; i < W; ++i) {
    if (i & half) continue;
    const auto a = x[i].v, b = x[i + half].v;
    [&]<int... l>(std::integer_sequence<int, l...>) {
      x[i].v = __builtin_shufflevector(a, b, (l & half ? W + l - half : l)...);
      x[i + half].v = __builtin_shufflevector(a, b, (l & half ? W + l : l + half)...);
    }
    (std::make_integer_sequence<int, W>{});
  }
  if constexpr (half > 1) transpose<T, half / 2>(x);
}

// Lines first, first + 1, ... of `from`, k = k0 ... k0 + depth - 1, as out[k][line]. What stands for lines that do not exist is
// unspecified.
template <class T>
void pack_lines(const operand<T>& from, index_t first, index_t k0, index_t depth, T* out) {
  using S = simd<T>;
  constexpr int G = group_width<T>, W = S::width;
  const index_t count = std::min<index_t>(G, from.lines - first), step = from.depth_stride;
  const T* line[G];
  for (int l = 0; l < G; ++l) line[l] = from.p + (first + std::min<index_t>(l, count - 1)) * from.line_stride + k0 * step;
  index_t k = 0;
  if (from.line_stride == 1 && count == G) {
    for (; k < depth; ++k) {
      const T* const p = line[0] + k * step;
      S::load(p).store(out + k * G);
      S::load(p + W).store(out + k * G + W);
    }
  } else if (step == 1) {
    for (; k + W <= depth; k += W) {
      for (int l = 0; l < G; l += W) {
        S x[W];
#pragma GCC unroll 16
        for (int i = 0; i < W; ++i) x[i] = S::load(line[l + i] + k);
        transpose<T>(x);
#pragma GCC unroll 16
        for (int i = 0; i < W; ++i) x[i].store(out + (k + i) * G + l);
      }
    }
  }
  for (; k < depth; ++k) {
    for (int l = 0; l < G; ++l) out[k * G + l] = line[l][k * step];
  }
}

// out[j][0 ... group_width - 1] (+)= sum over k of packed[k] line_j[k step], for micro_columns lines where they lie.
template <class T>
[[gnu::noinline]] void multiply_lines(const T* packed, const T* const* line, index_t step, index_t depth, bool add, T* out) {
  using S = simd<T>;
  constexpr int W = S::width, C = micro_columns<T>, G = group_width<T>;
  const T* p[C];
  S c0[C], c1[C];
#pragma GCC unroll 8
  for (int j = 0; j < C; ++j) {
    p[j] = line[j];
    c0[j] = c1[j] = S(T(0));
  }
  for (index_t at = 0; depth > 0; --depth, at += step, packed += G) {
    const S x0 = S::load(packed), x1 = S::load(packed + W);
#pragma GCC unroll 8
    for (int j = 0; j < C; ++j) {
      const S y = p[j][at];
      c0[j] = fma(x0, y, c0[j]);
      c1[j] = fma(x1, y, c1[j]);
    }
  }
  if (add) {
#pragma GCC unroll 8
    for (int j = 0; j < C; ++j) {
      c0[j] += S::load(out + j * G);
      c1[j] += S::load(out + j * G + W);
    }
  }
#pragma GCC unroll 8
  for (int j = 0; j < C; ++j) {
    c0[j].store(out + j * G);
    c1[j].store(out + j * G + W);
  }
}

inline constexpr index_t product_depth = 256, product_rows = 416;  // of a part's working space
template <class T>
struct product_space {
  alignas(64) T packed[product_depth * group_width<T>];
  alignas(64) T sums[(product_rows + micro_columns<T>)*group_width<T>];
};

// A part of the product is one group of columns and some rows: it packs its columns of B, a block of the depth at a time, and takes the
// rows of A as they lie. Everything a part needs is on its stack.
template <class T, class C>
void product(int threads, transposed of_a, transposed of_b, T alpha, const samples<T>& a, const samples<T>& b, T beta, C& c) {
  constexpr int G = group_width<T>, R = micro_columns<T>;
  const operand<T> A(a, of_a == transposed::no), B(b, of_b == transposed::yes);
  const product_sizes sizes = check_product(of_a, of_b, a, b, c);
  const index_t m = sizes.rows, n = sizes.cols, depth = sizes.depth;
  if (m == 0 || n == 0) return;

  const int team = static_cast<double>(m) * static_cast<double>(n) * static_cast<double>(depth) < 1e6 ? 1 : threads;
  const index_t groups = (m + R - 1) / R, down = (m + product_rows - 1) / product_rows, across = (n + G - 1) / G;
  parallel_for(team, down * across, [&](index_t part) {
    const index_t first = part / down * G, width = std::min<index_t>(G, n - first);
    const index_t r0 = groups * (part % down) / down * R, r1 = std::min(m, groups * (part % down + 1) / down * R);
    product_space<T> space;
    for (index_t k = 0; k < depth || k == 0; k += product_depth) {
      const index_t now = std::min(product_depth, depth - k);
      pack_lines(B, first, k, now, space.packed);
      for (index_t r = r0; r < r1; r += R) {
        const T* line[R];
        for (int j = 0; j < R; ++j) line[j] = A.p + std::min(r + j, m - 1) * A.line_stride + k * A.depth_stride;
        multiply_lines(space.packed, line, A.depth_stride, now, k > 0, space.sums + (r - r0) * G);
      }
    }
    const index_t column_stride = c.colStride();
    for (index_t i = r0; i < r1; ++i) {
      const T* const sum = space.sums + (i - r0) * G;
      T* const out = c.data() + i * c.rowStride() + first * column_stride;
      if (alpha == T(1) && beta == T(0) && column_stride == 1) {
        std::copy_n(sum, width, out);
        continue;
      }
      for (index_t l = 0; l < width; ++l) {
        T& to = out[l * column_stride];
        to = beta == T(0) ? alpha * sum[l] : alpha * sum[l] + beta * to;
      }
    }
  });
}

}  // namespace MMD_ISA
}  // namespace detail
}  // namespace mmd
