// SPDX-License-Identifier: MIT
// What a kernel computes with on the device: several numbers of one thread at a time.
#pragma once

#include <type_traits>

#include "mmd/kernels/number.hpp"

namespace mmd {
namespace detail {
inline namespace MMD_ISA {

// n values of T. What is the same for all of them, constants and choices of the kernel's, is found once.
template <class T, int n>
struct lanes {
  T v[n];

  lanes() = default;
  template <class S>
  requires std::is_arithmetic_v<S> MMD_HD lanes(S s) {
    const T x = static_cast<T>(s);
    for (int i = 0; i < n; ++i) v[i] = x;
  }
  friend MMD_HD lanes operator+(lanes a, lanes b) {
    return each([&](int i) { return number<T>(a.v[i]) + number<T>(b.v[i]); });
  }
  friend MMD_HD lanes operator-(lanes a, lanes b) {
    return each([&](int i) { return number<T>(a.v[i]) - number<T>(b.v[i]); });
  }
  friend MMD_HD lanes operator*(lanes a, lanes b) {
    return each([&](int i) { return number<T>(a.v[i]) * number<T>(b.v[i]); });
  }
  friend MMD_HD lanes operator/(lanes a, lanes b) {
    return each([&](int i) { return number<T>(a.v[i]) / number<T>(b.v[i]); });
  }
  friend MMD_HD lanes operator-(lanes a) {
    return each([&](int i) { return -number<T>(a.v[i]); });
  }
  friend MMD_HD lanes fma(lanes a, lanes b, lanes c) {
    return each([&](int i) { return fma(number<T>(a.v[i]), number<T>(b.v[i]), number<T>(c.v[i])); });
  }
  friend MMD_HD lanes max(lanes a, lanes b) {
    return each([&](int i) { return max(number<T>(a.v[i]), number<T>(b.v[i])); });
  }
  friend MMD_HD lanes min(lanes a, lanes b) {
    return each([&](int i) { return min(number<T>(a.v[i]), number<T>(b.v[i])); });
  }
  friend MMD_HD lanes abs(lanes a) {
    return each([&](int i) { return abs(number<T>(a.v[i])); });
  }
  friend MMD_HD lanes where_positive(lanes a, lanes b) {
    return each([&](int i) { return where_positive(number<T>(a.v[i]), number<T>(b.v[i])); });
  }
  friend MMD_HD lanes sqrt(lanes a) {
    return each([&](int i) { return sqrt(number<T>(a.v[i])); });
  }
  friend MMD_HD lanes log(lanes a) {
    return each([&](int i) { return log(number<T>(a.v[i])); });
  }
  friend MMD_HD lanes exp(lanes a) {
    return each([&](int i) { return exp(number<T>(a.v[i])); });
  }
  friend MMD_HD lanes exp_product(double c, lanes x) {
    return each([&](int i) { return exp_product(c, number<T>(x.v[i])); });
  }
  friend MMD_HD lanes exp2_product(lanes rate, lanes x) {
    return each([&](int i) { return exp2_product(number<T>(rate.v[i]), number<T>(x.v[i])); });
  }

 private:
  template <class F>
  static MMD_HD lanes each(F f) {
    lanes out;
    for (int i = 0; i < n; ++i) out.v[i] = f(i).v;
    return out;
  }
};

}  // namespace MMD_ISA
}  // namespace detail

inline namespace MMD_ISA {
template <class T, int n>
inline constexpr bool floats_of_device<detail::lanes<T, n>> = floats_of_device<number<T>>;
}  // namespace MMD_ISA
}  // namespace mmd
