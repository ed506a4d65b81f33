// SPDX-License-Identifier: MIT
// The pooled rows in panels, and the features of one space packed for the product.
#pragma once

#include <algorithm>
#include <vector>

#include "mmd/backends/cpu/product.hpp"
#include "mmd/engine/pooled.hpp"

namespace mmd {
inline namespace MMD_ISA {

inline constexpr int panel_rows = 128;

// At most `panel_rows` consecutive rows of one group. padded: rows rounded up to whole packs; packed: the first padded row.
struct panel {
  index_t first;
  int rows, padded, group;
  index_t packed;
};

// Kernel values of panel I (down, contiguous) against panel J (across). Rows beyond I.rows up to I.padded are zero.
template <class T>
struct tile {
  const T* k;
  int ld;
  const panel &I, &J;
  bool diagonal;  // I and J are the same panel
};

}  // namespace MMD_ISA

namespace detail {
inline namespace MMD_ISA {

// Calls f(source, row) for positions first .. first + rows - 1 of the pooled order.
template <class T>
const samples<T>& row_of(const std::vector<samples<T>>& parts, index_t& row) {
  std::size_t g = 0;
  while (row >= parts[g].rows()) row -= parts[g++].rows();
  return parts[g];
}

// The features of one space: centred on the pooled mean where the kernel allows it, packed as [row group][feature][row in group].
template <class T>
struct features {
  index_t d = 0;
  aligned<T> z;
  std::vector<T> norm;
  static constexpr index_t depth_block = 512;

  features(const layout& lay, const std::vector<panel>& panels, const std::vector<samples<T>>& parts, const std::vector<index_t>& order,
           bool centre)
      : d(parts[0].cols()),
        z(static_cast<std::size_t>((panels.back().packed + panels.back().padded) * d)),
        norm(static_cast<std::size_t>(panels.back().packed + panels.back().padded)) {
    constexpr int G = group_width<T>;
    std::vector<double> mean(static_cast<std::size_t>(d));
    if (centre) {
      for (index_t p = 0; p < lay.rows; ++p) {
        index_t row = order.empty() ? p : order[static_cast<std::size_t>(p)];
        const samples<T>& x = row_of(parts, row);
        for (index_t k = 0; k < d; ++k) mean[static_cast<std::size_t>(k)] += static_cast<double>(x(row, k));
      }
      for (double& m : mean) m /= static_cast<double>(lay.rows);
    }
    for (const panel& p : panels) {
      for (int r = 0; r < p.padded; r += G) {
        T* out = z.p + (p.packed + r) * d;
        double n2[G] = {};
        for (int l = 0; l < G; ++l) {
          if (r + l >= p.rows) {
            for (index_t k = 0; k < d; ++k) out[k * G + l] = T(0);
            continue;
          }
          index_t row = order.empty() ? p.first + r + l : order[static_cast<std::size_t>(p.first + r + l)];
          const samples<T>& x = row_of(parts, row);
          for (index_t k = 0; k < d; ++k) {
            const T v = static_cast<T>(static_cast<double>(x(row, k)) - mean[static_cast<std::size_t>(k)]);
            out[k * G + l] = v;
            n2[l] += static_cast<double>(v) * static_cast<double>(v);
          }
        }
        for (int l = 0; l < G; ++l) norm[static_cast<std::size_t>(p.packed + r + l)] = static_cast<T>(n2[l]);
      }
    }
  }
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
};

}  // namespace MMD_ISA
}  // namespace detail
}  // namespace mmd
