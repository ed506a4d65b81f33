// SPDX-License-Identifier: MIT
// The rows of the samples, or of what a map made of them, as packing reads them.
#pragma once

#include <algorithm>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <vector>

#include "mmd/backends/cpu/panels.hpp"
#include "mmd/core/parallel.hpp"
#include "mmd/engine/spaces.hpp"

namespace mmd {
namespace detail {
inline namespace MMD_ISA {

// widen: out[k] = x[k], exactly, for the next `widened` values.
inline constexpr int widened = MMD_SIMD_BYTES >= 32 ? 8 : 4;
typedef std::uint16_t stored_halves __attribute__((vector_size(2 * widened)));
typedef std::uint32_t wide_words __attribute__((vector_size(4 * widened)));
typedef float wide_floats __attribute__((vector_size(4 * widened)));

inline void widen(const double* x, double* out) { __builtin_memcpy(out, x, widened * sizeof(double)); }
inline void widen(const float* x, double* out) {
  using D = simd<double>;
  for (int k = 0; k < widened; k += D::width) D::load_from(x + k).store(out + k);
}
inline void widen(const bfloat16* x, double* out) {
  stored_halves bits;
  __builtin_memcpy(&bits, x, sizeof bits);
  const wide_words values = __builtin_convertvector(bits, wide_words) << 16;
  float floats[widened];
  __builtin_memcpy(floats, &values, sizeof values);
  widen(floats, out);
}
inline void widen(const float16* x, double* out) {
  float floats[widened];
#if defined(__F16C__) && MMD_SIMD_BYTES >= 32
  __m128i bits;
  __builtin_memcpy(&bits, x, sizeof bits);
  const __m256 values = _mm256_cvtph_ps(bits);
#else
  constexpr std::uint32_t raise = 112u << 23;  // see float16
  stored_halves half;
  __builtin_memcpy(&half, x, sizeof half);
  const wide_words bits = __builtin_convertvector(half, wide_words);
  const wide_words magnitude = (bits & 0x7fffu) << 13, exponent = magnitude & 0x0f800000u;
  const wide_words normal = magnitude + raise + ((wide_words)(exponent == 0x0f800000u) & raise);
  const auto subnormal = (wide_words)((wide_floats)(magnitude + (raise + (1u << 23))) - 0x1p-14f);
  const auto small = (wide_words)(exponent == 0);
  const wide_words values = (small & subnormal) | (~small & normal) | (bits & 0x8000u) << 16;
#endif
  __builtin_memcpy(floats, &values, sizeof values);
  widen(floats, out);
}

// The rows of one feature space where they lie: one view for each group, read in the pooled order, and as double: what is done with them
// is compiled once, not for every number type of the samples.
struct row_source {
  using storage = stored_rows::storage;
  std::vector<stored_rows> parts;
  const std::vector<index_t>* order;
  static constexpr index_t block = 64;  // features at a time: what is written stays in the nearest cache
  static index_t mean_chunks(index_t rows) { return std::clamp<index_t>(rows / panel_rows, 1, 64); }

  // Of all rows, in chunks fixed by their number.
  std::vector<double> mean(int threads, index_t rows, index_t d) const;

  struct pointer {
    const void* p;
    index_t stride;
    storage type;
    // out[k] = value first + k of the row, k < n.
    void read(index_t first, index_t n, double* out) const {
      switch (type) {
        case storage::f64:
          return read_as<double>(first, n, out);
        case storage::f32:
          return read_as<float>(first, n, out);
        case storage::f16:
          return read_as<float16>(first, n, out);
        case storage::bf16:
          return read_as<bfloat16>(first, n, out);
      }
    }
    // Brings values first ... first + n - 1 nearer, where they lie side by side: rows in a random order are not foreseen by the processor.
    void prefetch(index_t first, index_t n) const {
      if (stride != 1) return;
      const index_t width = stored_rows::value_bytes(type), line = 64 / width;
      for (index_t k = 0; k < n; k += line) __builtin_prefetch(static_cast<const std::byte*>(p) + (first + k) * width);
    }

   private:
    template <class S>
    void read_as(index_t first, index_t n, double* out) const {
      const S* x = static_cast<const S*>(p) + first * stride;
      index_t k = 0;
      if (stride == 1) {
        for (; k + widened <= n; k += widened) widen(x + k, out + k);
      }
      for (; k < n; ++k) out[k] = static_cast<double>(x[k * stride]);
    }
  };
  pointer row(index_t position) const {
    index_t r = order->empty() ? position : (*order)[at(position)];
    std::size_t g = 0;
    while (r >= parts[g].rows) r -= parts[g++].rows;
    const stored_rows& from = parts[g];
    return {static_cast<const std::byte*>(from.data) + r * from.row_stride * stored_rows::value_bytes(from.type), from.col_stride,
            from.type};
  }
};

// sum[k] += x[k], k < n.
inline void add_row(const double* x, index_t n, double* sum) {
  using D = simd<double>;
  index_t k = 0;
  for (; k + D::width <= n; k += D::width) (D::load(sum + k) + D::load(x + k)).store(sum + k);
  for (; k < n; ++k) sum[k] += x[k];
}
inline std::vector<double> row_source::mean(int threads, index_t rows, index_t d) const {
  const index_t chunks = mean_chunks(rows);
  std::vector<double> sums(at(chunks * d)), mean(at(d));
  parallel_for(threads, chunks, [&](index_t c) {
    double x[block];
    for (index_t p = rows * c / chunks; p < rows * (c + 1) / chunks; ++p) {
      const pointer from = row(p), next = row(std::min(p + 1, rows - 1));
      for (index_t k = 0; k < d; k += block) {
        const index_t depth = std::min(block, d - k);
        next.prefetch(k, depth);
        from.read(k, depth, x);
        add_row(x, depth, sums.data() + at(c * d + k));
      }
    }
  });
  for (index_t c = 0; c < chunks; ++c) add_row(sums.data() + at(c * d), d, mean.data());
  for (double& m : mean) m /= static_cast<double>(rows);
  return mean;
}
// out[k * step] = x[k] - mean[k], k < n.
template <class T>
void centre_row(const double* x, const double* mean, index_t n, T* out, index_t step) {
  using D = simd<double>;
  index_t k = 0;
  T v[D::width];
  for (; k + D::width <= n; k += D::width) {
    (D::load(x + k) - D::load(mean + k)).store_to(v);
    for (int l = 0; l < D::width; ++l) out[(k + l) * step] = v[l];
  }
  for (; k < n; ++k) out[k * step] = static_cast<T>(x[k] - mean[k]);
}

}  // namespace MMD_ISA
}  // namespace detail
}  // namespace mmd
