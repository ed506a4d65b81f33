// SPDX-License-Identifier: MIT
// The algebra of kernels: constants, sums, products, mixtures, and kernels on mapped samples. Expressions are values; their structure is a
// type.
#pragma once

#include <concepts>
#include <type_traits>
#include <utility>

#include "mmd/core/samples.hpp"
#include "mmd/kernels/basic.hpp"

namespace mmd {

struct constant {
  double value;
};
template <class A, class B>
struct sum_of {
  A a;
  B b;
};
template <class A, class B>
struct product_of {
  A a;
  B b;
};
// k(map(x), map(y)).
template <class F, class A>
struct mapped {
  F map;
  A a;
};
// Features that exist already, one row for each pooled row: `on(given(f), k)` reads them instead of calling a map.
template <class T>
struct given {
  samples<T> features;
  explicit given(samples<T> f) : features(f) {}
};
template <strided_matrix M>
given(const M&) -> given<typename M::Scalar>;

template <class K>
struct is_kernel_node : std::false_type {};
template <>
struct is_kernel_node<constant> : std::true_type {};
template <class A, class B>
struct is_kernel_node<sum_of<A, B>> : std::true_type {};
template <class A, class B>
struct is_kernel_node<product_of<A, B>> : std::true_type {};
template <class F, class A>
struct is_kernel_node<mapped<F, A>> : std::true_type {};

// What every statistic accepts: a basic kernel, or an expression of kernels. In two steps, so that a compiler's message names the one that
// fails: a kernel says what it reads, and it takes every kind of number, not only float.
template <class K>
concept says_what_it_reads = is_kernel_node<K>::value || requires {
  { K::reads } -> std::convertible_to<pair>;
};
template <class K>
concept takes_every_number = is_kernel_node<K>::value || basic_kernel<K>;
template <class K>
concept kernel = says_what_it_reads<K> && takes_every_number<K>;

template <kernel A, kernel B>
sum_of<A, B> operator+(A a, B b) {
  return {std::move(a), std::move(b)};
}
template <kernel A, kernel B>
product_of<A, B> operator*(A a, B b) {
  return {std::move(a), std::move(b)};
}
template <kernel A>
sum_of<A, constant> operator+(A a, double c) {
  return {std::move(a), {c}};
}
template <kernel A>
sum_of<A, constant> operator+(double c, A a) {
  return {std::move(a), {c}};
}
template <kernel A>
product_of<A, constant> operator*(double c, A a) {
  return {std::move(a), {c}};
}
template <kernel A>
product_of<A, constant> operator*(A a, double c) {
  return {std::move(a), {c}};
}
template <class F, kernel A>
mapped<F, A> on(F map, A a) {
  return {std::move(map), std::move(a)};
}
// The mean of the kernels.
template <kernel A, kernel... B>
auto mixture(A a, B... b) {
  return (1.0 / (1 + sizeof...(B))) * (a + ... + b);
}

// ---- Facts about an expression.
template <class K>
struct kernel_facts {
  static constexpr bool reads_inner_product = K::reads == pair::inner_product;
  static bool nonnegative(const K&) {
    if constexpr (requires { K::nonnegative; }) {
      return K::nonnegative;
    } else {
      return false;
    }
  }
};
template <>
struct kernel_facts<constant> {
  static constexpr bool reads_inner_product = false;
  static bool nonnegative(const constant& k) { return k.value >= 0; }
};
template <class A, class B>
struct kernel_facts<sum_of<A, B>> {
  static constexpr bool reads_inner_product = kernel_facts<A>::reads_inner_product || kernel_facts<B>::reads_inner_product;
  static bool nonnegative(const sum_of<A, B>& k) { return kernel_facts<A>::nonnegative(k.a) && kernel_facts<B>::nonnegative(k.b); }
};
template <class A, class B>
struct kernel_facts<product_of<A, B>> {
  static constexpr bool reads_inner_product = kernel_facts<A>::reads_inner_product || kernel_facts<B>::reads_inner_product;
  static bool nonnegative(const product_of<A, B>& k) { return kernel_facts<A>::nonnegative(k.a) && kernel_facts<B>::nonnegative(k.b); }
};
template <class F, class A>
struct kernel_facts<mapped<F, A>> {
  static constexpr bool reads_inner_product = kernel_facts<A>::reads_inner_product;
  static bool nonnegative(const mapped<F, A>& k) { return kernel_facts<A>::nonnegative(k.a); }
};
// k(z, z) is the same for all z: the kernel reads distances only.
template <kernel K>
inline constexpr bool constant_diagonal = !kernel_facts<K>::reads_inner_product;
// No value of the kernel is below 0 (false when that is not known).
template <kernel K>
bool is_nonnegative(const K& k) {
  return kernel_facts<K>::nonnegative(k);
}

}  // namespace mmd
