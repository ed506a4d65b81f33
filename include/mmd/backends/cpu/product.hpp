// SPDX-License-Identifier: MIT
// The micro-kernel of every product in the library, and panels of rows packed for it.
#pragma once

#include <cstdint>
#include <memory>
#include <new>
#include <type_traits>
#include <utility>

#include "mmd/backends/cpu/simd_math.hpp"
#include "mmd/engine/panels.hpp"
#include "mmd/kernels/basic.hpp"

namespace mmd {
namespace detail {
inline namespace MMD_ISA {

template <class T>
struct aligned {
  T* p = nullptr;
  explicit aligned(std::size_t n = 0) : p(static_cast<T*>(::operator new (n * sizeof(T), std::align_val_t{64}))) {}
  aligned(aligned&& o) noexcept : p(std::exchange(o.p, nullptr)) {}
  aligned& operator=(aligned&&) = delete;
  ~aligned() { ::operator delete (p, std::align_val_t{64}); }
};
template <class T>
inline constexpr int group_width = 2 * simd<T>::width;  // rows interleaved in a packed copy
template <class T>
inline constexpr int micro_columns = MMD_SIMD_REGISTERS == 32 && group_width<T> >= 8 ? 8 : 4;  // of one group; two packs of sums each

struct multiply {
  template <class V>
  static V step(V c, V x, V y) {
    return fma(x, y, c);
  }
};
struct absolute_difference {
  template <class V>
  static V step(V c, V x, V y) {
    return c + abs(x - y);
  }
};
struct squared_difference {
  template <class V>
  static V step(V c, V x, V y) {
    const V difference = x - y;
    return fma(difference, difference, c);
  }
};
template <pair quantity>
using step_for = std::conditional_t<quantity == pair::l1_distance, absolute_difference,
                                    std::conditional_t<quantity == pair::exact_squared_distance, squared_difference, multiply>>;

// The share of one call in as many values as the strip that it helps to fill has: group_width rows of `depth` features.
template <class T>
constexpr index_t micro_share(index_t depth) {
  return depth * group_width<T> * micro_columns<T> / panel_rows;
}

// c(i, j) (+)= sum_k step(a_i[k], b_j[k]) for two packs of i and `micro_columns` j. Successive j of b lie `b_column` values apart.
// Meanwhile micro_share(depth) values from the addresses soon_a and soon_b on are brought into the second cache.
template <class Step, index_t b_column = 1, class T>
[[gnu::noinline]] void micro(const T* a, index_t a_stride, const T* b, index_t b_stride, index_t depth, bool add, T* out, index_t ld,
                             std::uintptr_t soon_a, std::uintptr_t soon_b) {
  using S = simd<T>;
  constexpr int W = S::width, C = micro_columns<T>;
  S c0[C], c1[C];
#pragma GCC unroll 8
  for (int j = 0; j < C; ++j) c0[j] = c1[j] = S(T(0));
  const auto step = [&](const T* ak, const T* bk) __attribute__((always_inline)) {
    const S x0 = S::load(ak), x1 = S::load(ak + W);
#pragma GCC unroll 8
    for (int j = 0; j < C; ++j) {
      const S y = bk[j * b_column];
      c0[j] = Step::step(c0[j], x0, y);
      c1[j] = Step::step(c1[j], x1, y);
    }
  };
  for (index_t turn = 0; depth >= 2; depth -= 2, a += 2 * a_stride, b += 2 * b_stride, ++turn) {
    const auto ahead = static_cast<std::uintptr_t>(micro_share<T>(2 * turn)) * sizeof(T);
    __builtin_prefetch(reinterpret_cast<const void*>(soon_a + ahead), 0, 2);
    __builtin_prefetch(reinterpret_cast<const void*>(soon_b + ahead), 0, 2);
    step(a, b);
    step(a + a_stride, b + b_stride);
  }
  if (depth > 0) step(a, b);
  if (add) {
#pragma GCC unroll 8
    for (int j = 0; j < C; ++j) {
      c0[j] += S::load(out + j * ld);
      c1[j] += S::load(out + j * ld + W);
    }
  }
#pragma GCC unroll 8
  for (int j = 0; j < C; ++j) {
    c0[j].store(out + j * ld);
    c1[j].store(out + j * ld + W);
  }
}
template <class Step, index_t b_column = 1, class T>
void micro(const T* a, index_t a_stride, const T* b, index_t b_stride, index_t depth, bool add, T* out, index_t ld) {
  micro<Step, b_column>(a, a_stride, b, b_stride, depth, add, out, ld, reinterpret_cast<std::uintptr_t>(a),
                        reinterpret_cast<std::uintptr_t>(b));
}

}  // namespace MMD_ISA
}  // namespace detail
}  // namespace mmd
