// SPDX-License-Identifier: MIT
// The rows of the samples, or of what a map made of them, as packing reads them.
#pragma once

#include <algorithm>
#include <vector>

#include "mmd/backends/cpu/panels.hpp"
#include "mmd/backends/cpu/parallel.hpp"

namespace mmd {
namespace detail {
inline namespace MMD_ISA {

// The rows of one feature space where they lie: one view for each group, read in the pooled order, and as double: what is done with them
// is compiled once, not for every number type of the samples.
struct row_source {
  struct part {
    const void* data;
    bool wide;  // double, not float
    index_t rows, cols, row_stride, col_stride;
    template <class S>
    part(const samples<S>& x)
        : data(x.data()),
          wide(sizeof(S) == sizeof(double)),
          rows(x.rows()),
          cols(x.cols()),
          row_stride(x.rowStride()),
          col_stride(x.colStride()) {}
  };
  std::vector<part> parts;
  const std::vector<index_t>* order;
  static constexpr index_t block = 64;  // features at a time: what is written stays in the nearest cache
  static index_t mean_chunks(index_t rows) { return std::clamp<index_t>(rows / panel_rows, 1, 64); }

  // Of all rows, in chunks fixed by their number.
  std::vector<double> mean(int threads, index_t rows, index_t d) const;

  struct pointer {
    const void* p;
    index_t stride;
    bool wide;
    // out[k] = value first + k of the row, k < n.
    void read(index_t first, index_t n, double* out) const { wide ? read_as<double>(first, n, out) : read_as<float>(first, n, out); }

   private:
    template <class S>
    void read_as(index_t first, index_t n, double* out) const {
      using D = simd<double>;
      const S* x = static_cast<const S*>(p) + first * stride;
      index_t k = 0;
      if (stride == 1) {
        for (; k + D::width <= n; k += D::width) D::load_from(x + k).store(out + k);
      }
      for (; k < n; ++k) out[k] = static_cast<double>(x[k * stride]);
    }
  };
  pointer row(index_t position) const {
    index_t r = order->empty() ? position : (*order)[at(position)];
    std::size_t g = 0;
    while (r >= parts[g].rows) r -= parts[g++].rows;
    const part& from = parts[g];
    const index_t offset = r * from.row_stride;
    return {from.wide ? static_cast<const void*>(static_cast<const double*>(from.data) + offset)
                      : static_cast<const float*>(from.data) + offset,
            from.col_stride, from.wide};
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
      const pointer from = row(p);
      for (index_t k = 0; k < d; k += block) {
        const index_t depth = std::min(block, d - k);
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
