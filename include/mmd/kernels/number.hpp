// SPDX-License-Identifier: MIT
// The numbers a kernel computes with are always of class type, so that exp(x), sqrt(x), ... find their friends without any `using`:
// number<T> (one value: the device, reference values), simd<T> (the CPU), dual<V> (derivatives of either).
#pragma once

#include <cmath>
#include <type_traits>

#include "mmd/core/config.hpp"

namespace mmd {

namespace detail {
inline namespace MMD_ISA {

// Floats on a device: one or two instructions each where C++ asks for correct rounding.
#if defined(__CUDA_ARCH__) || defined(CUSHIM)
template <class T>
inline constexpr bool by_instruction = std::is_same_v<T, float>;
#else
template <class T>
inline constexpr bool by_instruction = false;
#endif
// 2^x within 2 eps relative; what is below the smallest normal number is 0.
MMD_HD inline float power_of_two(float x) {
#if defined(__CUDA_ARCH__)
  float y;
  asm("ex2.approx.ftz.f32 %0, %1;" : "=f"(y) : "f"(x));
  return y;
#else
  const float y = ::exp2f(x);
  return y < 0x1p-126f ? 0.0f : y;
#endif
}
// a / b within 2 ulp, numbers below the smallest normal one taken as 0.
MMD_HD inline float quotient(float a, float b) {
#if defined(__CUDA_ARCH__)
  float q;
  asm("div.full.ftz.f32 %0, %1, %2;" : "=f"(q) : "f"(a), "f"(b));
  return q;
#else
  return a / b;
#endif
}
// sqrt(x) within 1 ulp, x below the smallest normal number taken as 0.
MMD_HD inline float square_root(float x) {
#if defined(__CUDA_ARCH__)
  float s;
  asm("sqrt.approx.ftz.f32 %0, %1;" : "=f"(s) : "f"(x));
  return s;
#else
  return ::sqrtf(x);
#endif
}

}  // namespace MMD_ISA
}  // namespace detail

inline namespace MMD_ISA {

template <class T>
struct number {
  T v;

  number() = default;
  template <class S>
  requires std::is_arithmetic_v<S> MMD_HD number(S s) : v(static_cast<T>(s)) {}
  friend MMD_HD number operator+(number a, number b) { return a.v + b.v; }
  friend MMD_HD number operator-(number a, number b) { return a.v - b.v; }
  friend MMD_HD number operator*(number a, number b) { return a.v * b.v; }
  friend MMD_HD number operator/(number a, number b) {
    if constexpr (detail::by_instruction<T>) {
      return detail::quotient(a.v, b.v);
    } else {
      return a.v / b.v;
    }
  }
  friend MMD_HD number operator-(number a) { return -a.v; }
  friend MMD_HD number fma(number a, number b, number c) { return a.v * b.v + c.v; }
  friend MMD_HD number max(number a, number b) { return a.v > b.v ? a.v : b.v; }  // b if either is NaN
  friend MMD_HD number min(number a, number b) { return a.v < b.v ? a.v : b.v; }  // b if either is NaN
  friend MMD_HD number abs(number a) { return a.v < 0 ? -a.v : a.v; }
  friend MMD_HD number where_positive(number a, number b) { return a.v > 0 ? b.v : T(0); }  // b where a > 0, else 0
  friend MMD_HD number sqrt(number a) {
    if constexpr (detail::by_instruction<T>) {
      return detail::square_root(a.v);
    } else if constexpr (sizeof(T) == 4) {
      return ::sqrtf(a.v);
    } else {
      return ::sqrt(a.v);
    }
  }
  friend MMD_HD number log(number a) {
    if constexpr (sizeof(T) == 4) {
      return ::logf(a.v);
    } else {
      return ::log(a.v);
    }
  }
  friend MMD_HD number exp(number a) {
    if constexpr (sizeof(T) == 4) {
      return ::expf(a.v);
    } else {
      return ::exp(a.v);
    }
  }
};

// Whether V holds floats of a device, which turns a double into a float slowly: constants are then kept as floats too.
template <class V>
inline constexpr bool floats_of_device = std::is_same_v<V, number<float>>&& detail::by_instruction<float>;

// e^(c x) and 2^(rate x), for exponents below 2^80. Numbers that can do better than this have functions of their own. Floats on a device:
// one multiplication and one instruction, within (2 + 1.1 |c x|) eps relative and 0 below the smallest normal number.
template <class V>
MMD_HD V exp_product(double c, V x) {
  if constexpr (floats_of_device<V>) {
    return detail::power_of_two(static_cast<float>(c * 1.4426950408889634) * x.v);
  } else {
    return exp(V(c) * x);
  }
}
template <class V>
MMD_HD V exp2_product(V rate, V x) {
  if constexpr (floats_of_device<V>) {
    return detail::power_of_two(rate.v * x.v);
  } else {
    return exp(V(0.6931471805599453) * rate * x);
  }
}

}  // namespace MMD_ISA
}  // namespace mmd
