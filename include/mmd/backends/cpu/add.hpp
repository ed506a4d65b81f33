// SPDX-License-Identifier: MIT
// How a tile is added to each reducer.
#pragma once

#include <algorithm>

#include "mmd/backends/cpu/add_quadratic.hpp"
#include "mmd/backends/cpu/features.hpp"
#include "mmd/engine/reducers.hpp"

namespace mmd {
inline namespace MMD_ISA {

// Four columns at a time: their sums do not wait for one another, and the sums of the rows are loaded a quarter as often.
template <bool absolute, class T>
void add_row_sums(row_sums& r, const tile<T>& t) {
  using S = simd<T>;
  constexpr int W = S::width, C = 4;
  const auto value = [](const T* p) { return absolute ? abs(S::load(p)) : S::load(p); };
  S row[panel_rows / W];
  for (int i = 0; i < t.I.padded; i += W) row[i / W] = S(T(0));
  double *to_i = &r.sums[detail::at(t.J.group * r.rows + t.I.first)], *to_j = &r.sums[detail::at(t.I.group * r.rows + t.J.first)];
  int j = 0;
  for (; j + C <= t.J.rows; j += C) {
    S c0 = T(0), c1 = T(0), c2 = T(0), c3 = T(0);
    const T* k = t.k + j * t.ld;
    for (int i = 0; i < t.I.padded; i += W) {
      const S k0 = value(k + i), k1 = value(k + t.ld + i), k2 = value(k + 2 * t.ld + i), k3 = value(k + 3 * t.ld + i);
      row[i / W] += (k0 + k1) + (k2 + k3);
      c0 += k0;
      c1 += k1;
      c2 += k2;
      c3 += k3;
    }
    if (t.diagonal) continue;  // a diagonal tile is symmetric: its row sums hold everything
    to_j[j] += static_cast<double>(c0.sum());
    to_j[j + 1] += static_cast<double>(c1.sum());
    to_j[j + 2] += static_cast<double>(c2.sum());
    to_j[j + 3] += static_cast<double>(c3.sum());
  }
  for (; j < t.J.rows; ++j) {
    S c = T(0);
    for (int i = 0; i < t.I.padded; i += W) {
      const S k = value(t.k + j * t.ld + i);
      row[i / W] += k;
      c += k;
    }
    if (!t.diagonal) to_j[j] += static_cast<double>(c.sum());
  }
  T sum[panel_rows];
  for (int i = 0; i < t.I.padded; i += W) row[i / W].store(sum + i);
  for (int i = 0; i < t.I.rows; ++i) to_i[i] += static_cast<double>(sum[i]);
}
template <class T>
void add(row_sums& r, const tile<T>& t) {
  r.absolute ? add_row_sums<true>(r, t) : add_row_sums<false>(r, t);
}

template <class T>
void add(block_sums& r, const tile<T>& t) {
  using S = simd<T>;
  constexpr int W = S::width;
  const int *bi = r.bin.data() + t.I.first, *bj = r.bin.data() + t.J.first;
  const index_t bins = r.bins();
  for (int j = 0; j < t.J.rows;) {
    S row[panel_rows / W];
    const int b = bj[j];
    for (int i = 0; i < t.I.padded; i += W) row[i / W] = S(T(0));
    for (; j < t.J.rows && bj[j] == b; ++j) {
      for (int i = 0; i < t.I.padded; i += W) row[i / W] += S::load(t.k + j * t.ld + i);
    }
    T sum[panel_rows];
    for (int i = 0; i < t.I.padded; i += W) row[i / W].store(sum + i);
    for (int i = 0; i < t.I.rows;) {
      const int a = bi[i];
      double v = 0;
      for (; i < t.I.rows && bi[i] == a; ++i) v += static_cast<double>(sum[i]);
      r.sums[detail::at(a * bins + b)] += v;
      if (!t.diagonal) r.sums[detail::at(b * bins + a)] += v;  // a diagonal tile holds both orders
    }
  }
}

template <class T>
void add(paired_values& r, const tile<T>& t) {
  if (t.I.group != 0 || t.J.group != 1) return;
  const index_t shift = static_cast<index_t>(r.pairs.size()) + t.I.first - t.J.first;  // row i of I is paired with row i + shift of J
  for (index_t i = std::max<index_t>(0, -shift); i < std::min<index_t>(t.I.rows, t.J.rows - shift); ++i) {
    r.pairs[detail::at(t.I.first + i)] = static_cast<double>(t.k[(i + shift) * t.ld + i]);
  }
}

// Every entry belongs to one tile.
template <class U, class T>
void add(gram<U>& r, const tile<T>& t) {
  for (int j = 0; j < t.J.rows; ++j) {
    for (int i = 0; i < t.I.rows; ++i) {
      const index_t a = t.I.first + i, b = t.J.first + j;
      if (a != b)
        r.values[detail::at(a * r.rows + b)] = r.values[detail::at(b * r.rows + a)] =
            static_cast<U>(t.k[static_cast<index_t>(j) * t.ld + i]);
    }
  }
}

// Float samples may have to be evaluated in double: a reducer takes tiles of both.
template <class R, class T>
concept cpu_reducer = reducer<R> && requires(R& r, const tile<T>& t, const tile<double>& d) {
  add(r, t);
  add(r, d);
};

}  // namespace MMD_ISA
}  // namespace mmd
