// SPDX-License-Identifier: MIT
// The features of one space, packed for the product.
#pragma once

#include <algorithm>
#include <vector>

#include "mmd/backends/cpu/rows.hpp"

namespace mmd {
namespace detail {
inline namespace MMD_ISA {

// What packing d features of `rows` rows takes, its working space included; `packed` rows of values of `value_bytes`.
inline std::uint64_t packed_bytes(index_t rows, index_t packed, index_t d, std::uint64_t value_bytes) {
  const auto u = [](index_t i) { return static_cast<std::uint64_t>(i); };
  return u(packed) * u(d + 1) * value_bytes + u(d) * (1 + u(row_source::mean_chunks(rows))) * sizeof(double);
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
