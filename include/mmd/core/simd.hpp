// SPDX-License-Identifier: MIT
// simd<T>: a pack of float or double, as wide as the compile flags allow. Compiler vector extensions (GCC, Clang), no loops left to
// auto-vectorisation. A kernel sees it as "a number": + - * /, fma, sqrt, abs, max, min here, exp and log in
// backends/cpu/simd_math.hpp.
#pragma once

#include <concepts>
#include <cstdint>
#include <limits>
#include <type_traits>
#include <utility>

#include "mmd/core/config.hpp"
#if defined(__SSE2__)
#include <immintrin.h>
#elif defined(__aarch64__)
#include <arm_neon.h>
#endif

namespace mmd {
inline namespace MMD_ISA {

template <class T>
struct simd {
  static_assert(std::same_as<T, float> || std::same_as<T, double>);
  static constexpr int width = MMD_SIMD_BYTES / sizeof(T);
  using integer = std::conditional_t<sizeof(T) == 4, std::int32_t, std::int64_t>;
  typedef T raw __attribute__((vector_size(MMD_SIMD_BYTES)));
  typedef integer raw_integer __attribute__((vector_size(MMD_SIMD_BYTES)));
  raw v;

  simd() = default;
  simd(raw r) : v(r) {}
  template <class S>
  requires std::is_arithmetic_v<S> simd(S s) : v(T(s) - raw{}) {}  // x - 0 is x, also for -0: folds to a broadcast
  [[gnu::always_inline]] static simd load(const T* p) {
    simd r;
    __builtin_memcpy(&r.v, p, sizeof r.v);
    return r;
  }
  void store(T* p) const { __builtin_memcpy(p, &v, sizeof v); }
  // `width` values of the other type, converted.
  template <class U>
  [[gnu::always_inline]] static simd load_from(const U* p) {
    if constexpr (std::same_as<U, T>) {
      return load(p);
    } else {
      typedef U other __attribute__((vector_size(width * sizeof(U))));
      other o;
      __builtin_memcpy(&o, p, sizeof o);
      return simd(__builtin_convertvector(o, raw));
    }
  }
  template <class U>
  [[gnu::always_inline]] void store_to(U* p) const {
    if constexpr (std::same_as<U, T>) {
      store(p);
    } else {
      typedef U other __attribute__((vector_size(width * sizeof(U))));
      const other o = __builtin_convertvector(v, other);
      __builtin_memcpy(p, &o, sizeof o);
    }
  }

  [[gnu::always_inline]] friend simd operator+(simd a, simd b) { return a.v + b.v; }
  [[gnu::always_inline]] friend simd operator-(simd a, simd b) { return a.v - b.v; }
  [[gnu::always_inline]] friend simd operator*(simd a, simd b) { return a.v * b.v; }
  [[gnu::always_inline]] friend simd operator/(simd a, simd b) { return a.v / b.v; }
  [[gnu::always_inline]] friend simd operator-(simd a) { return -a.v; }
  [[gnu::always_inline]] friend simd fma(simd a, simd b, simd c) {
    return a.v * b.v + c.v;
  }  // one expression: Clang contracts nothing across function calls
  simd& operator+=(simd b) {
    v += b.v;
    return *this;
  }

  // Full-mask forms: the plain AVX-512 intrinsics make GCC 12 warn about an uninitialised value that is never used.
  // max(a, b) is b if either is NaN (the x86 rule), so max(0, x) and min(c, x) let NaN through.
#if MMD_SIMD_BYTES == 64
#define MMD_OP(name)                                                          \
  [[gnu::always_inline]] friend simd name(simd a, simd b) {                   \
    if constexpr (sizeof(T) == 4)                                             \
      return raw(_mm512_maskz_##name##_ps(0xffff, (__m512)a.v, (__m512)b.v)); \
    else                                                                      \
      return raw(_mm512_maskz_##name##_pd(0xff, (__m512d)a.v, (__m512d)b.v)); \
  }
#define MMD_SQRT                                           \
  if constexpr (sizeof(T) == 4)                            \
    return raw(_mm512_maskz_sqrt_ps(0xffff, (__m512)a.v)); \
  else                                                     \
    return raw(_mm512_maskz_sqrt_pd(0xff, (__m512d)a.v))
#elif MMD_SIMD_BYTES == 32
#define MMD_OP(name)                                              \
  [[gnu::always_inline]] friend simd name(simd a, simd b) {       \
    if constexpr (sizeof(T) == 4)                                 \
      return raw(_mm256_##name##_ps((__m256)a.v, (__m256)b.v));   \
    else                                                          \
      return raw(_mm256_##name##_pd((__m256d)a.v, (__m256d)b.v)); \
  }
#define MMD_SQRT                             \
  if constexpr (sizeof(T) == 4)              \
    return raw(_mm256_sqrt_ps((__m256)a.v)); \
  else                                       \
    return raw(_mm256_sqrt_pd((__m256d)a.v))
#elif defined(__SSE2__)
#define MMD_OP(name)                                           \
  [[gnu::always_inline]] friend simd name(simd a, simd b) {    \
    if constexpr (sizeof(T) == 4)                              \
      return raw(_mm_##name##_ps((__m128)a.v, (__m128)b.v));   \
    else                                                       \
      return raw(_mm_##name##_pd((__m128d)a.v, (__m128d)b.v)); \
  }
#define MMD_SQRT                          \
  if constexpr (sizeof(T) == 4)           \
    return raw(_mm_sqrt_ps((__m128)a.v)); \
  else                                    \
    return raw(_mm_sqrt_pd((__m128d)a.v))
#endif
#ifdef MMD_OP
  MMD_OP(max) MMD_OP(min) [[gnu::always_inline]] friend simd sqrt(simd a) { MMD_SQRT; }
#undef MMD_OP
#undef MMD_SQRT
#else  // Arm's own max and min have another rule for NaN: a comparison and a selection are two instructions
  [[gnu::always_inline]] friend simd max(simd a, simd b) { return a.v > b.v ? a.v : b.v; }
  [[gnu::always_inline]] friend simd min(simd a, simd b) { return a.v < b.v ? a.v : b.v; }
  [[gnu::always_inline]] friend simd sqrt(simd a) {
#if defined(__aarch64__)
    if constexpr (sizeof(T) == 4)
      return raw(vsqrtq_f32((float32x4_t)a.v));
    else
      return raw(vsqrtq_f64((float64x2_t)a.v));
#else
    for (int i = 0; i < width; ++i) a.v[i] = static_cast<T>(__builtin_sqrt(static_cast<double>(a.v[i])));
    return a;
#endif
  }
#endif
  [[gnu::always_inline]] friend simd where_nonzero(simd a, simd b) { return (raw)(raw_integer(a.v != 0) & (raw_integer)b.v); }
  [[gnu::always_inline]] friend simd where_positive(simd a, simd b) { return (raw)(raw_integer(a.v > 0) & (raw_integer)b.v); }
  [[gnu::always_inline]] friend simd abs(simd a) { return (raw)((raw_integer)a.v & (raw_integer{} + std::numeric_limits<integer>::max())); }
  T sum() const {  // lanes in a fixed tree
    raw s = v;
#if defined(__CUDACC__)  // whose front end loses the packs of a builtin's arguments
    for (int half = width / 2; half > 0; half /= 2) {
      const raw before = s;
      for (int i = 0; i < width; ++i) s[i] = before[i] + before[(i + half) % width];
    }
#else
    for_halves([&]<int... i>(std::integer_sequence<int, i...>, auto half) {
      s += __builtin_shufflevector(s, s, ((i + decltype(half)::value) % width)...);
    });
#endif
    return s[0];
  }

 private:
  template <int half = width / 2>
  static void for_halves(auto f) {
    f(std::make_integer_sequence<int, width>{}, std::integral_constant<int, half>{});
    if constexpr (half > 1) for_halves<half / 2>(f);
  }
};

}  // namespace MMD_ISA
}  // namespace mmd
