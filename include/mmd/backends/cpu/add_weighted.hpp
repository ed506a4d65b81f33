// SPDX-License-Identifier: MIT
// How a tile is added to weighted row sums.
#pragma once

#include "mmd/backends/cpu/add.hpp"
#include "mmd/engine/weighted_sums.hpp"

namespace mmd {
inline namespace MMD_ISA {

template <class T>
void add(weighted_row_sums& r, const tile<T>& t) {
  using S = simd<T>;
  constexpr int W = S::width;
  const double *wi = r.weights->data() + t.I.first, *wj = r.weights->data() + t.J.first;
  T weight[panel_rows], sum[panel_rows];
  for (int i = 0; i < t.I.padded; ++i) weight[i] = i < t.I.rows ? static_cast<T>(wi[i]) : T(0);
  S row[panel_rows / W];
  for (int i = 0; i < t.I.padded; i += W) row[i / W] = S(T(0));
  double *to_i = &r.sums[detail::at(t.J.group * r.rows + t.I.first)], *to_j = &r.sums[detail::at(t.I.group * r.rows + t.J.first)];
  for (int j = 0; j < t.J.rows; ++j) {
    const S across = static_cast<T>(wj[j]);
    S c = T(0);
    for (int i = 0; i < t.I.padded; i += W) {
      const S k = S::load(t.k + j * t.ld + i);
      row[i / W] = fma(across, k, row[i / W]);
      c = fma(S::load(weight + i), k, c);
    }
    if (!t.diagonal) to_j[j] += static_cast<double>(c.sum());  // a diagonal tile is symmetric: its row sums hold everything
  }
  for (int i = 0; i < t.I.padded; i += W) row[i / W].store(sum + i);
  for (int i = 0; i < t.I.rows; ++i) to_i[i] += static_cast<double>(sum[i]);
}

}  // namespace MMD_ISA
}  // namespace mmd
