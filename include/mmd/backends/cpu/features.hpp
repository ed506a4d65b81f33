// SPDX-License-Identifier: MIT
// The features of one space, packed for the product.
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
// What packing d features of `rows` rows takes, its working space included; `packed` rows of values of `value_bytes`.
inline std::uint64_t packed_bytes(index_t rows, index_t packed, index_t d, std::uint64_t value_bytes) {
  const auto u = [](index_t i) { return static_cast<std::uint64_t>(i); };
  return u(packed) * u(d + 1) * value_bytes + u(d) * (1 + u(row_source::mean_chunks(rows))) * sizeof(double);
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

// The features of one space: centred on the pooled mean where the kernel allows it, packed as [row group][feature][row in group].
template <class T>
struct features {
  index_t d = 0;
  aligned<T> z;
  std::vector<T> norm;      // squared norms of the packed rows
  double largest_norm = 0;  // of them, before rounding to T; NaN if a value is
  static constexpr index_t depth_block = 512;

  features(int threads, const layout& lay, const std::vector<panel>& panels, const row_source& from, bool centre)
      : d(from.parts[0].cols), z(at(packed_rows(panels) * d)), norm(at(packed_rows(panels))) {
    const int team = lay.rows * d < 1 << 15 ? 1 : threads;
    const std::vector<double> mean = centre ? from.mean(team, lay.rows, d) : std::vector<double>(at(d));
    std::vector<double> largest(panels.size());
    parallel_for(team, static_cast<index_t>(panels.size()), [&](index_t p) { largest[at(p)] = pack(panels[at(p)], from, mean.data()); });
    for (double l : largest) {
      if (l > largest_norm || l != l) largest_norm = l;
    }
  }

  // out(i, j) = the quantity of rows i of I and j of J. Columns of out are `ld` apart; they are filled up to a multiple of micro_columns.
  template <class Step>
  void accumulate(const panel& I, const panel& J, T* out, int ld) const {
    constexpr int G = group_width<T>, C = micro_columns<T>;
    for (index_t k = 0; k < d || k == 0; k += depth_block) {
      const index_t depth = std::min(depth_block, d - k);
      for (int j = 0; j < J.rows; j += C) {
        const T* b = z.p + (J.packed + j / G * G) * d + k * G + j % G;
        for (int i = 0; i < I.padded; i += G) {
          micro<Step>(z.p + (I.packed + i) * d + k * G, G, b, G, depth, k > 0, out + static_cast<index_t>(j) * ld + i, ld);
        }
      }
    }
  }

 private:
  // Packs one panel; the largest squared norm in it.
  double pack(const panel& p, const row_source& from, const double* mean) {
    constexpr int G = group_width<T>;
    constexpr index_t block = row_source::block;
    using D = simd<double>;
    double largest = 0;
    for (int r = 0; r < p.padded; r += G) {
      T* out = z.p + (p.packed + r) * d;
      row_source::pointer row[G];
      double x[block];
      const int rows = std::min(G, p.rows - r);
      for (int l = 0; l < rows; ++l) row[l] = from.row(p.first + r + l);
      D n2[G / D::width];
      for (D& n : n2) n = D(0.0);
      for (index_t k = 0; k < d; k += block) {
        const index_t depth = std::min(block, d - k);
        if (rows < G) std::fill(out + k * G, out + (k + depth) * G, T(0));
        for (int l = 0; l < rows; ++l) {
          row[l].read(k, depth, x);
          centre_row(x, mean + k, depth, out + k * G + l, G);
        }
        for (index_t c = k; c < k + depth; ++c) {
          for (int l = 0; l < G; l += D::width) {
            const D v = D::load_from(out + c * G + l);
            n2[l / D::width] = fma(v, v, n2[l / D::width]);
          }
        }
      }
      for (int l = 0; l < G; l += D::width) n2[l / D::width].store_to(&norm[at(p.packed + r + l)]);
      for (int l = 0; l < G; ++l) {
        const double n = n2[l / D::width].v[l % D::width];
        if (n > largest || n != n) largest = n;
      }
    }
    return largest;
  }
};

}  // namespace MMD_ISA
}  // namespace detail
}  // namespace mmd
