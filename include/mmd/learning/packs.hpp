// SPDX-License-Identifier: MIT
// Loops over the rows of matrices, a pack of the backend's numbers at a time. Rows are cut into chunks by their number alone, and what
// chunks add up is merged in order: the same bits for any number of threads.
#pragma once

#include <algorithm>
#include <span>
#include <vector>

#include "mmd/core/config.hpp"
#include "mmd/engine/backend.hpp"

namespace mmd {
namespace detail {
inline namespace MMD_ISA {

// What a loop over packs reads and writes through: a whole pack, or the first `count` values of one, beyond which it reads zeros.
template <class V>
struct whole_pack {
  template <class T>
  [[gnu::always_inline]] static V load(const T* p) {
    return V::load(p);
  }
  template <class T>
  [[gnu::always_inline]] static void store(V v, T* p) {
    v.store(p);
  }
  [[gnu::always_inline]] static V only(V v) { return v; }
};
template <class V, class T>
struct part_of_pack {
  index_t count;
  V load(const T* p) const {
    T x[V::width] = {};
    std::copy_n(p, count, x);
    return V::load(x);
  }
  void store(V v, T* p) const {
    T x[V::width];
    v.store(x);
    std::copy_n(x, count, p);
  }
  V only(V v) const {  // zeros beyond `count`
    T x[V::width];
    v.store(x);
    return load(x);
  }
};

// f(k, access) for the packs that start at k = 0, V::width, ... of `width` values.
template <class T, class V, class F>
[[gnu::always_inline]] inline void for_each_pack(index_t width, const F& f) {
  index_t k = 0;
  for (; k + V::width <= width; k += V::width) f(k, whole_pack<V>{});
  if (k < width) f(k, part_of_pack<V, T>{width - k});
}

inline constexpr index_t chunk_rows = 16;
inline index_t chunks_of(index_t rows) { return (rows + chunk_rows - 1) / chunk_rows; }

// f(i) for each row, in parallel by chunks.
template <backend B, class F>
void for_each_row(const B& on, index_t rows, const F& f) {
  on.for_each(chunks_of(rows), [&](index_t chunk) {
    for (index_t i = chunk * chunk_rows, end = std::min(rows, i + chunk_rows); i < end; ++i) f(i);
  });
}
// The same where every row adds to `width` sums: f(i, sums). All sums of a chunk start at 0; they are kept in `partials`.
template <backend B, class T, class F>
void sum_rows(const B& on, index_t rows, index_t width, std::vector<T>& partials, const F& f) {
  partials.resize(static_cast<std::size_t>(chunks_of(rows) * width));
  on.for_each(chunks_of(rows), [&](index_t chunk) {
    T* const sums = partials.data() + chunk * width;
    std::fill_n(sums, width, T(0));
    for (index_t i = chunk * chunk_rows, end = std::min(rows, i + chunk_rows); i < end; ++i) f(i, sums);
  });
}
// sums[k] = sum number first + k of all chunks together, `width` a chunk; added up in double.
template <class T>
void merge_chunks(const std::vector<T>& partials, index_t width, index_t first, std::span<T> sums) {
  constexpr std::size_t block = 64;
  for (std::size_t k = 0; k < sums.size(); k += block) {
    double total[block] = {};
    const std::size_t count = std::min(block, sums.size() - k);
    for (auto from = static_cast<std::size_t>(first) + k; from < partials.size(); from += static_cast<std::size_t>(width)) {
      for (std::size_t l = 0; l < count; ++l) total[l] += static_cast<double>(partials[from + l]);
    }
    for (std::size_t l = 0; l < count; ++l) sums[k + l] = static_cast<T>(total[l]);
  }
}

// Whether all values are finite: times 0 they are then 0.
template <class V, class T>
bool all_finite(std::span<const T> values) {
  V zero[4] = {V(T(0)), V(T(0)), V(T(0)), V(T(0))};
  std::size_t k = 0;
  const auto width = static_cast<std::size_t>(V::width);
  for (; k + 4 * width <= values.size(); k += 4 * width) {
    for (std::size_t l = 0; l < 4; ++l) zero[l] = fma(V::load(values.data() + k + l * width), V(T(0)), zero[l]);
  }
  T sum = ((zero[0] + zero[1]) + (zero[2] + zero[3])).sum();
  for (; k < values.size(); ++k) sum += values[k] * T(0);
  return sum == T(0);
}

}  // namespace MMD_ISA
}  // namespace detail
}  // namespace mmd
