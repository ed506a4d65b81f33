// SPDX-License-Identifier: MIT
// The sums of a two-sample kernel matrix, and the estimates of MMD^2 that they give.
#pragma once

#include "mmd/engine/reducers.hpp"

namespace mmd {

// Sums over ordered pairs, each row with every other row; a row with itself is apart. xx, yy: within x and y, xy: one row of each.
struct mmd_sums {
  double n = 0, m = 0;            // rows of x and y
  double xx = 0, yy = 0, xy = 0;  // sums of k(z, z'), z and z' different rows
  double dx = 0, dy = 0;          // sums of k(z, z) over x and over y

  // V form: every pair counts, a row with itself too. Never negative for a positive definite kernel; biased upwards by O(1/n + 1/m).
  double biased() const { return (xx + dx) / (n * n) + (yy + dy) / (m * m) - 2 * xy / (n * m); }
  // U form: unbiased, any n, m >= 2.
  double unbiased() const { return xx / (n * (n - 1)) + yy / (m * (m - 1)) - 2 * xy / (n * m); }
  // The multi-population proxy of MMD-MP: the U form without the y-y term.
  double mpp() const { return xx / (n * (n - 1)) - 2 * xy / (n * m); }
};

inline namespace MMD_ISA {

// The sums of the first group (x) and the second (y) from one pass over both.
inline mmd_sums sums_of(const layout& l, const row_sums& r) {
  mmd_sums s;
  const index_t n = l.group_rows[0];
  s.n = static_cast<double>(n);
  s.m = static_cast<double>(l.group_rows[1]);
  for (index_t i = 0; i < n; ++i) {
    s.xx += r(i, 0);
    s.xy += r(i, 1);
    s.dx += l.diagonal[static_cast<std::size_t>(i)];
  }
  for (index_t i = n; i < l.rows; ++i) {
    s.yy += r(i, 1);
    s.dy += l.diagonal[static_cast<std::size_t>(i)];
  }
  return s;
}

}  // namespace MMD_ISA
}  // namespace mmd
