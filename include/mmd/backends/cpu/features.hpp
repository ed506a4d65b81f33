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
  index_t d = 0, rows = 0;  // packed rows
  aligned<T> z;
  aligned<T> norm;          // squared norms of the packed rows
  double largest_norm = 0;  // of them, before rounding to T; NaN if a value is
  static constexpr index_t depth_block = 256;

  features(int threads, const layout& lay, const std::vector<panel>& panels, const row_source& from, bool centre)
      : d(from.parts[0].cols), rows(packed_rows(panels)), z(at(rows * d)), norm(at(rows)) {
    const int team = lay.rows * d < 1 << 15 ? 1 : threads;
    const std::vector<double> mean = centre ? from.mean(team, lay.rows, d) : std::vector<double>(at(d));
    std::vector<double> largest(panels.size());
    parallel_for(team, static_cast<index_t>(panels.size()), [&](index_t p) { largest[at(p)] = pack(panels[at(p)], from, mean.data()); });
    for (double l : largest) {
      if (l > largest_norm || l != l) largest_norm = l;
    }
  }

  // A strip of a tile: out(i, j) (+)= the quantity of rows first + i of I (group_width of them) and j of J, from the block of features that
  // begins with `k`. Columns are filled up to a multiple of micro_columns. Meanwhile the rows of the next block, or of the next tile's J,
  // come nearer.
  template <class Step>
  [[gnu::noinline]] void accumulate(const panel& I, const panel& J, int first, index_t k, T* tile) const {
    constexpr int G = group_width<T>, C = micro_columns<T>;
    const index_t depth = std::min(depth_block, d - k);
    const T *a = z.p + (I.packed + first) * d + k * G, *b = z.p + J.packed * d + k * G;
    const bool last = k + depth == d;
    const index_t next = J.packed + J.padded + first, soon_k = last ? 0 : (k + depth) * G;
    const auto address = [&](index_t row) { return reinterpret_cast<std::uintptr_t>(z.p + row * d + soon_k); };
    std::uintptr_t soon_a = address(I.packed + first), soon_b = address(!last ? J.packed + first : next < rows ? next : 0);
    const auto share = static_cast<std::uintptr_t>(micro_share<T>(depth)) * sizeof(T);
    for (int j = 0; j < J.rows; j += C, soon_a += share, soon_b += share) {
      micro<Step>(a, G, b + j / G * G * d + j % G, G, depth, k > 0, tile + j * tile_ld + first, tile_ld, soon_a, soon_b);
    }
  }
  // All strips, all blocks but the last.
  template <class Step>
  void accumulate_first_blocks(const panel& I, const panel& J, T* tile) const {
    for (index_t k = 0; k < last_block(); k += depth_block) {
      for (int i = 0; i < I.padded; i += group_width<T>) accumulate<Step>(I, J, i, k, tile);
    }
  }
  index_t last_block() const { return d == 0 ? 0 : (d - 1) / depth_block * depth_block; }

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
      const int filled = std::min(G, p.rows - r);
      for (int l = 0; l < filled; ++l) row[l] = from.row(p.first + r + l);
      D n2[G / D::width];
      for (D& n : n2) n = D(0.0);
      for (index_t k = 0; k < d; k += block) {
        const index_t depth = std::min(block, d - k);
        if (filled < G) std::fill(out + k * G, out + (k + depth) * G, T(0));
        for (int l = 0; l < filled; ++l) {
          row[l].prefetch(k + depth, std::min(block, d - k - depth));
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
      for (int l = 0; l < G; l += D::width) n2[l / D::width].store_to(norm.p + p.packed + r + l);
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
