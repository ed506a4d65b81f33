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

// The rows of one feature space where they lie: one view for each group, read in the pooled order.
template <class S>
struct row_source {
  std::vector<samples<S>> parts;
  const std::vector<index_t>* order;

  struct pointer {
    const S* p;
    index_t stride;
  };
  pointer row(index_t position) const {
    index_t r = order->empty() ? position : (*order)[at(position)];
    std::size_t g = 0;
    while (r >= parts[g].rows()) r -= parts[g++].rows();
    return {parts[g].data() + r * parts[g].rowStride(), parts[g].colStride()};
  }
};

// sum[k] += x[k], k < n.
template <class S>
void add_row(typename row_source<S>::pointer x, index_t n, double* sum) {
  using D = simd<double>;
  index_t k = 0;
  if (x.stride == 1) {
    for (; k + D::width <= n; k += D::width) (D::load(sum + k) + D::load_from(x.p + k)).store(sum + k);
  }
  for (; k < n; ++k) sum[k] += static_cast<double>(x.p[k * x.stride]);
}
// out[k * step] = x[k] - mean[k], k < n.
template <class T, class S>
void centre_row(typename row_source<S>::pointer x, const double* mean, index_t n, T* out, index_t step) {
  using D = simd<double>;
  index_t k = 0;
  if (x.stride == 1) {
    T v[D::width];
    for (; k + D::width <= n; k += D::width) {
      (D::load_from(x.p + k) - D::load(mean + k)).store_to(v);
      for (int l = 0; l < D::width; ++l) out[(k + l) * step] = v[l];
    }
  }
  for (; k < n; ++k) out[k * step] = static_cast<T>(static_cast<double>(x.p[k * x.stride]) - mean[k]);
}

// The features of one space: centred on the pooled mean where the kernel allows it, packed as [row group][feature][row in group].
template <class T>
struct features {
  index_t d = 0;
  aligned<T> z;
  std::vector<T> norm;      // squared norms of the packed rows
  double largest_norm = 0;  // of them, before rounding to T; NaN if a value is
  static constexpr index_t depth_block = 512;

  // What the constructor takes, its working space included.
  static std::uint64_t bytes(index_t rows, index_t packed, index_t d) {
    const auto u = [](index_t i) { return static_cast<std::uint64_t>(i); };
    return u(packed) * u(d + 1) * sizeof(T) + u(d) * (1 + u(mean_chunks(rows))) * sizeof(double);
  }
  static index_t mean_chunks(index_t rows) { return std::clamp<index_t>(rows / panel_rows, 1, 64); }

  template <class S>
  features(int threads, const layout& lay, const std::vector<panel>& panels, const row_source<S>& from, bool centre)
      : d(from.parts[0].cols()), z(at(packed_rows(panels) * d)), norm(at(packed_rows(panels))) {
    const int team = lay.rows * d < 1 << 15 ? 1 : threads;
    std::vector<double> mean(at(d));
    if (centre) {
      const index_t chunks = mean_chunks(lay.rows);
      std::vector<double> sums(at(chunks * d));
      parallel_for(team, chunks, [&](index_t c) {
        for (index_t p = lay.rows * c / chunks; p < lay.rows * (c + 1) / chunks; ++p) add_row<S>(from.row(p), d, sums.data() + at(c * d));
      });
      for (index_t c = 0; c < chunks; ++c) add_row<double>({sums.data() + at(c * d), 1}, d, mean.data());
      for (double& m : mean) m /= static_cast<double>(lay.rows);
    }
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
  template <class S>
  double pack(const panel& p, const row_source<S>& from, const double* mean) {
    constexpr int G = group_width<T>;
    constexpr index_t block = 64;  // features at a time: what is written stays in the nearest cache
    using D = simd<double>;
    double largest = 0;
    for (int r = 0; r < p.padded; r += G) {
      T* out = z.p + (p.packed + r) * d;
      typename row_source<S>::pointer x[G];
      const int rows = std::min(G, p.rows - r);
      for (int l = 0; l < rows; ++l) x[l] = from.row(p.first + r + l);
      D n2[G / D::width];
      for (D& n : n2) n = D(0.0);
      for (index_t k = 0; k < d; k += block) {
        const index_t depth = std::min(block, d - k);
        if (rows < G) std::fill(out + k * G, out + (k + depth) * G, T(0));
        for (int l = 0; l < rows; ++l) centre_row<T, S>({x[l].p + k * x[l].stride, x[l].stride}, mean + k, depth, out + k * G + l, G);
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
