// SPDX-License-Identifier: MIT
// GELU by the normal distribution function, for every kind of number.
#pragma once

#include <concepts>
#include <cstddef>
#include <utility>

#include "mmd/kernels/number.hpp"

namespace mmd {
namespace detail {
inline namespace MMD_ISA {

// Phi(-u) exp(u^2/2) = p((u - c)/(u + c)) / (u + c) for all u >= 0: a Chebyshev series in that quotient, as powers, highest first. Relative
// error 1.3e-8 and 1.4e-17 before rounding.
template <class T>
struct normal_tail;
template <>
struct normal_tail<float> {
  static constexpr float c = 3.5f;
  static constexpr float p[] = {-4.79235704e-05f, 3.47670766e-05f, 0.000448069056f, -0.00041806758f, -0.00317492041f, 0.00646546061f,
                                0.0174045978f,    -0.116049109f,   0.315425242f,    -0.565561904f,   0.744416072f};
};
template <>
struct normal_tail<double> {
  static constexpr double c = 4;
  static constexpr double p[] = {
      3.4033123086494947e-10,  -1.1997782031253095e-10, -3.7306450818683704e-09, -5.8736267649871908e-10, 2.1427603843452355e-08,
      1.7844927772981415e-08,  -8.686647015997893e-08,  -1.597739614223922e-07,  2.7246296951145873e-07,  1.0247851016552774e-06,
      -6.2983673384923686e-07, -5.9216110459239778e-06, 7.1665876411951209e-07,  3.5145111902837653e-05,  -1.9082463514145709e-06,
      -0.00023109501736277426, 0.00013334430941183256,  0.0016308184674099085,   -0.0034796923670479736,  -0.0075401889673863123,
      0.060396574890917876,    -0.18652185795963661,    0.38713740074221492,     -0.6078966419718923,     0.75528513041575152};
};

template <class T, std::size_t i>
inline constexpr T tail_coefficient = normal_tail<T>::p[i];
template <class T>
inline constexpr std::size_t tail_degree = sizeof(normal_tail<T>::p) / sizeof(T) - 1;

// p(t)
template <class T, class V, std::size_t... i>
[[gnu::always_inline]] MMD_HD inline V tail_polynomial(V t, std::index_sequence<i...>) {
  V p = V(tail_coefficient<T, 0>);
  ((p = fma(p, t, V(tail_coefficient<T, i + 1>))), ...);
  return p;
}

}  // namespace MMD_ISA
}  // namespace detail

inline namespace MMD_ISA {

// gelu(z) = z Phi(z), Phi the normal distribution function; slope receives its derivative Phi(z) + z phi(z). V: a number<T> or a pack of T.
// Absolute error of Phi about eps(T).
template <class T, class V>
MMD_HD V gelu(V z, V& slope) {
  constexpr T c = detail::normal_tail<T>::c;
  const V u = abs(z), density = exp(V(T(-0.5)) * z * z), scale = V(T(1)) / (u + V(c)), t = (u - V(c)) * scale;
  const V p = detail::tail_polynomial<T>(t, std::make_index_sequence<detail::tail_degree<T>>{});
  const V below = p * scale * density;  // Phi(-|z|)
  const V probability = below + where_positive(z, V(T(1)) - below - below);
  slope = fma(z * V(T(0.39894228040143267794)), density, probability);
  return z * probability;
}
template <std::floating_point T>
MMD_HD T gelu(T z, T& slope) {
  number<T> s;
  const T value = gelu<T>(number<T>(z), s).v;
  slope = s.v;
  return value;
}

}  // namespace MMD_ISA
}  // namespace mmd
