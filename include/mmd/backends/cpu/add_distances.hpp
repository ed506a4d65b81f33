// SPDX-License-Identifier: MIT
// How a tile is added to counts of distances.
#pragma once

#include <algorithm>
#include <atomic>
#include <functional>
#include <limits>

#include "mmd/backends/cpu/add.hpp"
#include "mmd/engine/distance_counts.hpp"

namespace mmd {
namespace detail {
inline namespace MMD_ISA {

inline void atomic_add(index_t& sum, index_t value) { std::atomic_ref(sum).fetch_add(value, std::memory_order_relaxed); }
// Writes `value` where `better(value, current)`.
template <class Better>
void atomic_improve(double& best, double value, Better better) {
  std::atomic_ref<double> target(best);
  double current = target.load(std::memory_order_relaxed);
  while (better(value, current) && !target.compare_exchange_weak(current, value, std::memory_order_relaxed)) {
  }
}

inline void count_inside(distance_counts& r, const double* value, index_t count) {
  const index_t first = std::atomic_ref(r.inside).fetch_add(count, std::memory_order_relaxed);
  const index_t room = std::clamp<index_t>(static_cast<index_t>(r.values.size()) - first, 0, count);
  std::copy(value, value + room, r.values.begin() + std::min(first, static_cast<index_t>(r.values.size())));
  for (index_t i = 0; i < count;) {  // runs of one bin at once: equal distances are common in discrete data
    const std::size_t bin = r.bin_of(value[i]);
    index_t run = 1;
    while (i + run < count && r.bin_of(value[i + run]) == bin) ++run;
    atomic_add(r.bins[bin], run);
    i += run;
  }
}

}  // namespace MMD_ISA
}  // namespace detail

inline namespace MMD_ISA {

// Order statistics are taken in double: there is no such function for tiles of float.
inline void add(distance_counts& r, const tile<double>& t) {
  using S = simd<double>;
  using mask = typename S::raw_integer;
  constexpr int W = S::width, step = 4 * W;
  constexpr index_t room = 1024;
  constexpr double infinity = std::numeric_limits<double>::infinity();
  double inside[room];
  index_t count = 0;
  const double low = r.low, high = r.high;
  const S lows = low, highs = high;
  mask below = {};
  S above = infinity, largest = 0.0;
  index_t below_rest = 0;
  double above_rest = infinity, largest_rest = 0;
  for (int j = 0; j < t.J.rows; ++j) {
    const int end = t.diagonal ? j : t.I.rows;  // every pair once
    if (count + end > room) {
      detail::count_inside(r, inside, count);
      count = 0;
    }
    const double* column = t.k + static_cast<index_t>(j) * t.ld;
    const auto take = [&](int from, int to) {
      for (int i = from; i < to; ++i) {
        inside[count] = column[i];
        count += column[i] >= low && column[i] <= high;
      }
    };
    if (t.diagonal) {
      for (int i = 0; i < end; ++i) {
        below_rest += column[i] < low;
        if (column[i] > high) above_rest = std::min(above_rest, column[i]);
        largest_rest = std::max(largest_rest, column[i]);
      }
      take(0, end);
      continue;
    }
    for (int i = 0; i < t.I.padded; i += step) {
      mask any = {};
      for (int s = i; s < std::min(i + step, t.I.padded); s += W) {
        const S v = S::load(column + s);
        const mask lower = v.v<lows.v, higher = v.v> highs.v;
        below -= lower;
        above = min(above, S((typename S::raw)((higher & (mask)v.v) | (~higher & (mask)S(infinity).v))));
        largest = max(largest, v);
        any |= ~(lower | higher);
      }
      for (int s = 1; s < W; ++s) any[0] |= any[s];
      if (any[0]) take(i, std::min(i + step, end));
    }
    if (low > 0) below_rest -= t.I.padded - t.I.rows;  // the padding's zeros
  }
  detail::count_inside(r, inside, count);
  for (int s = 0; s < W; ++s) {
    below_rest += below[s];
    above_rest = std::min(above_rest, above.v[s]);
    largest_rest = std::max(largest_rest, largest.v[s]);
  }
  detail::atomic_add(r.below, below_rest);
  detail::atomic_improve(r.above, above_rest, std::less<>{});
  detail::atomic_improve(r.largest, largest_rest, std::greater<>{});
}

}  // namespace MMD_ISA
}  // namespace mmd
