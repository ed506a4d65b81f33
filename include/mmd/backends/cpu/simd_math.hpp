// SPDX-License-Identifier: MIT
// exp and log of a pack. Own polynomials: the same bits on every machine of one instruction set, whatever its C library.
#pragma once

#include <limits>

#include "mmd/core/simd.hpp"

namespace mmd {
namespace detail {
inline namespace MMD_ISA {

// ((c0 r + c1) r + ...) r + last, last fixed where it has to be exact.
template <class T, class... C>
[[gnu::always_inline]] inline simd<T> polynomial_at(simd<T> r, T c0, C... c) {
  simd<T> p = c0;
  ((p = fma(p, r, simd<T>(static_cast<T>(c)))), ...);
  return p;
}
// a, kept apart from what is done to it afterwards even under -ffast-math.
template <class T>
[[gnu::always_inline]] inline simd<T> fence(simd<T> a) {
#if !defined(__FAST_MATH__)
  return a;
#elif __has_builtin(__builtin_assoc_barrier)
  return __builtin_assoc_barrier(a.v);
#else
  return __arithmetic_fence(a.v);
#endif
}

template <class T>
inline constexpr int mantissa_bits = std::numeric_limits<T>::digits - 1;
template <class T>
inline constexpr int exponent_bias = std::numeric_limits<T>::max_exponent - 1;
template <class T>
inline constexpr T round_to_integer = sizeof(T) == 4 ? T(12582912) : T(6755399441055744);  // 1.5 2^mantissa_bits: adding it rounds

#if MMD_SIMD_BYTES == 64
// 2^(i / count) for i < count: two packs, looked up by the lowest bits of a lane.
template <class T>
struct powers_of_two {
  static constexpr int count = 2 * simd<T>::width;
  alignas(64) T v[count];
  constexpr powers_of_two() {
    constexpr long double root = sizeof(T) == 4 ? 1.02189714865411667823448L : 1.04427378242741384032197L;
    long double power = 1;
    for (T& x : v) {
      x = static_cast<T>(power);
      power *= root;
    }
  }
};
template <class T>
inline constexpr powers_of_two<T> power_table{};
template <class T>
[[gnu::always_inline]] inline simd<T> look_up_power(simd<T> m) {
  const simd<T> low = simd<T>::load(power_table<T>.v), high = simd<T>::load(power_table<T>.v + simd<T>::width);
  if constexpr (sizeof(T) == 4) {
    return typename simd<T>::raw(_mm512_permutex2var_ps((__m512)low.v, (__m512i)m.v, (__m512)high.v));
  } else {
    return typename simd<T>::raw(_mm512_permutex2var_pd((__m512d)low.v, (__m512i)m.v, (__m512d)high.v));
  }
}
#endif

}  // namespace MMD_ISA
}  // namespace detail

inline namespace MMD_ISA {

// 2^t. Exactly 1 at 0; relative error within 2 ulp. NaN stays NaN. Below the smallest normal number the result may be 0, above half the
// largest number it may be infinite; -inf gives 0 and inf gives inf.
template <class T>
[[gnu::always_inline]] inline simd<T> exp2(simd<T> t) {
  using S = simd<T>;
#if MMD_SIMD_BYTES == 64
  S n, r;  // the nearest integer, and what is left: 0 for an infinite t
  if constexpr (sizeof(T) == 4) {
    n.v = typename S::raw(_mm512_maskz_roundscale_ps(0xffff, (__m512)t.v, 8));
    r.v = typename S::raw(_mm512_maskz_reduce_ps(0xffff, (__m512)t.v, 8));
  } else {
    n.v = typename S::raw(_mm512_maskz_roundscale_pd(0xff, (__m512d)t.v, 8));
    r.v = typename S::raw(_mm512_maskz_reduce_pd(0xff, (__m512d)t.v, 8));
  }
#else
  // The ends are the integers whose power of two has the bits of infinity and of 0.
  constexpr T bias = detail::exponent_bias<T>, magic = detail::round_to_integer<T> + bias;
  t = min(S(bias + 1), max(S(-bias), t));
  const S m = detail::fence(t + S(magic)), n = detail::fence(m - S(magic));
  const S two_n = (typename S::raw)((typename S::raw_integer)m.v << detail::mantissa_bits<T>);
  const S r = t - n;
#endif
  S p;
  if constexpr (sizeof(T) == 4) {
    p = detail::polynomial_at<T>(r, 0.0013264727f, 0.0096715127f, 0.0555073374f, 0.2402224209f, 0.6931469776f, 1.0f);
  } else {
    p = detail::polynomial_at<T>(r, 4.4348572438840777e-10, 7.0737946251094369e-09, 1.0178199295596901e-07, 1.3215435218982055e-06,
                                 1.525273349310537e-05, 0.00015403530457234292, 0.0013333558146775296, 0.0096181291075940257,
                                 0.055504108664820078, 0.24022650695910132, 0.69314718055994533, 1.0);
  }
#if MMD_SIMD_BYTES == 64
  if constexpr (sizeof(T) == 4) {
    return typename S::raw(_mm512_maskz_scalef_ps(0xffff, (__m512)p.v, (__m512)n.v));
  } else {
    return typename S::raw(_mm512_maskz_scalef_pd(0xff, (__m512d)p.v, (__m512d)n.v));
  }
#else
  return p * two_n;
#endif
}

// e^x, as 2^(x log2 e): relative error at most (2.5 + .6 |x|) eps. It grows with |x|, but what it is relative to shrinks as e^x.
template <class T>
[[gnu::always_inline]] inline simd<T> exp(simd<T> x) {
  return exp2(x * simd<T>(T(1.4426950408889634)));
}

// 2^(rate x); in float for |rate x| < 2^80: beyond that it may be anything. Exactly 1 where x is 0; relative error at most
// (2.5 + .8 |rate x|) eps. What kernels should call: with AVX-512 2^(n + i / 32) comes from a table (i / 16 in double), which leaves a
// short polynomial.
template <class T>
[[gnu::always_inline]] inline simd<T> exp2_product(simd<T> rate, simd<T> x) {
#if MMD_SIMD_BYTES == 64
  using S = simd<T>;
  const S magic = detail::round_to_integer<T> / detail::powers_of_two<T>::count;  // adding it rounds to a multiple of 1 / count
  S m, n, r, q;  // magic + n; the multiple; what is left; the power of what is left, less 1
  if constexpr (sizeof(T) == 4) {
    m = detail::fence(fma(x, rate, magic));
    n = detail::fence(m - magic);
    r = fma(x, rate, -n);
    q = r * detail::polynomial_at<T>(r, 0.2402265f, 0.69315734f);
  } else {
    const S t = x * rate;
    r.v = typename S::raw(_mm512_maskz_reduce_pd(0xff, (__m512d)t.v, 4 << 4 | 8));  // 0 for an infinite t
    n = t - r;
    m = n + magic;
    q = r * detail::polynomial_at<T>(r, 0.0001540372398074926, 0.001333378157678427, 0.009618129106919538, 0.05550410865663930,
                                     0.2402265069591008, 0.6931471805599458);
  }
  const S power = detail::look_up_power(m), p = fma(power, q, power);
  if constexpr (sizeof(T) == 4) {
    return typename S::raw(_mm512_maskz_scalef_ps(0xffff, (__m512)p.v, (__m512)n.v));
  } else {
    return typename S::raw(_mm512_maskz_scalef_pd(0xff, (__m512d)p.v, (__m512d)n.v));
  }
#else
  return exp2(x * rate);
#endif
}
// e^(c x), as 2^(c x log2 e): relative error at most (2.5 + 1.1 |c x|) eps.
template <class T>
[[gnu::always_inline]] inline simd<T> exp_product(double c, simd<T> x) {
  return exp2_product(simd<T>(static_cast<T>(c * 1.4426950408889634)), x);
}

// The natural logarithm: relative error within 2 ulp, subnormal numbers included. log(0) = -inf, log(x < 0) = NaN, log(inf) = inf.
// x = 2^n (1 + f), sqrt(1/2) <= 1 + f < sqrt(2); log(1 + f) = 2 atanh(s), s = f / (2 + f), as its series.
template <class T>
[[gnu::always_inline]] inline simd<T> log(simd<T> x) {
  using S = simd<T>;
  using raw = typename S::raw;
  using bits = typename S::raw_integer;
  using integer = typename S::integer;
  constexpr int mantissa = detail::mantissa_bits<T>;
  constexpr T tiny = std::numeric_limits<T>::min(), infinity = std::numeric_limits<T>::infinity();
  constexpr integer one = integer{detail::exponent_bias<T>} << mantissa;
  constexpr integer sqrt_half = sizeof(T) == 4 ? integer{0x3f3504f3} : static_cast<integer>(0x3fe6a09e667f3bcd);
  constexpr integer magic = (integer{detail::exponent_bias<T> + mantissa} << mantissa) | (integer{1} << (mantissa - 1));  // of the below

  const bits subnormal = x.v < tiny;
  const raw scaled = subnormal ? x.v * T(integer{1} << (mantissa + 2)) : x.v;
  const bits shifted = (bits)scaled + (one - sqrt_half);
  const bits exponent = (shifted >> mantissa) - detail::exponent_bias<T> - (subnormal & (mantissa + 2));
  const S n = (raw)(exponent + magic) - S(detail::round_to_integer<T>);  // the integer as a number
  const S f = (raw)((shifted & ((integer{1} << mantissa) - 1)) + sqrt_half) - S(T(1));
  const S s = f / (S(T(2)) + f), s2 = s * s;
  S series;
  if constexpr (sizeof(T) == 4) {
    series = detail::polynomial_at<T>(s2, T(2.0 / 11), 2.0 / 9, 2.0 / 7, 2.0 / 5, 2.0 / 3) * s2;
  } else {
    series =
        detail::polynomial_at<T>(s2, 2.0 / 21, 2.0 / 19, 2.0 / 17, 2.0 / 15, 2.0 / 13, 2.0 / 11, 2.0 / 9, 2.0 / 7, 2.0 / 5, 2.0 / 3) * s2;
  }
  constexpr T ln2_high = sizeof(T) == 4 ? T(0.693359375) : T(0.6931471803691238), ln2 = T(0.69314718055994530942);
  constexpr T ln2_low = sizeof(T) == 4 ? T(-2.12194440e-4) : T(1.9082149292705877e-10);
  static_assert(ln2_high + ln2_low == ln2);
  const S log_m = fma(-s, f - series, f);  // log(1 + f) = f - s (f - series)
  const S value = fma(n, S(ln2_high), fma(n, S(ln2_low), log_m));
  const raw special = x.v == 0 ? raw{} - infinity : (x.v < 0 ? raw{} + std::numeric_limits<T>::quiet_NaN() : x.v);
  const bits ordinary = (x.v > 0) & (x.v < infinity);
  return raw(ordinary ? value.v : special);
}

}  // namespace MMD_ISA
}  // namespace mmd
