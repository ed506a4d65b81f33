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

template <class T>
void add(distance_counts& r, const tile<T>& t) {
  constexpr index_t room = 1024;
  double inside[room], above = std::numeric_limits<double>::infinity(), largest = 0;
  index_t below = 0, count = 0;
  const double low = r.low, high = r.high;
  for (int j = 0; j < t.J.rows; ++j) {
    const int end = t.diagonal ? j : t.I.rows;  // every pair once
    if (count + end > room) {
      detail::count_inside(r, inside, count);
      count = 0;
    }
    for (int i = 0; i < end; ++i) {
      const double v = static_cast<double>(t.k[j * t.ld + i]);
      below += v < low;
      largest = std::max(largest, v);
      above = v > high ? std::min(above, v) : above;
      inside[count] = v;
      count += v >= low && v <= high;
    }
  }
  detail::count_inside(r, inside, count);
  detail::atomic_add(r.below, below);
  detail::atomic_improve(r.above, above, std::less<>{});
  detail::atomic_improve(r.largest, largest, std::greater<>{});
}

}  // namespace MMD_ISA
}  // namespace mmd
