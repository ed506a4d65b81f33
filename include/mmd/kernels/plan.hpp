// SPDX-License-Identifier: MIT
// The compile-time plan of a kernel expression: the distinct (feature space, quantity) slots that it reads, so that equal quantities of one
// space are computed once, and its evaluation for any kind of number. A space is named by the place of its `mapped` node.
#pragma once

#include <type_traits>

#include "mmd/kernels/algebra.hpp"
#include "mmd/kernels/dual.hpp"
#include "mmd/kernels/gaussian_sum.hpp"

namespace mmd {
namespace expression {

struct top;
template <class P>
struct left;
template <class P>
struct right;
struct raw;  // the space of the samples themselves

template <class Space, pair Q>
struct slot {
  using space = Space;
  static constexpr pair quantity = Q;
};
template <class... S>
struct list {
  static constexpr int size = sizeof...(S);
};
template <class S, class... L>
inline constexpr bool contains = (std::is_same_v<S, L> || ...);
template <class... L>
consteval auto unite(list<L...> a, list<>) {
  return a;
}
template <class... L, class S, class... R>
consteval auto unite(list<L...>, list<S, R...>) {
  if constexpr (contains<S, L...>) {
    return unite(list<L...>{}, list<R...>{});
  } else {
    return unite(list<L..., S>{}, list<R...>{});
  }
}
template <class S, class... L>
consteval int position(list<L...>) {
  int i = 0;
  bool found = false;
  ((found = found || std::is_same_v<S, L>, i += !found), ...);
  return i;
}
consteval auto unite_all(auto a) { return a; }
consteval auto unite_all(auto a, auto b, auto... more) { return unite_all(unite(a, b), more...); }
template <class... Q>
consteval auto spaces_of(list<Q...>) {
  return unite_all(list<>{}, list<typename Q::space>{}...);
}

// One number for each slot. `constant<Place>` is the value of the constant at that place of the expression.
template <class V, class L>
struct values;
template <class V, class... S>
struct values<V, list<S...>> {
  V v[sizeof...(S) ? sizeof...(S) : 1];
  template <class Q>
  MMD_HD V get() const {
    constexpr int i = position<Q>(list<S...>{});
    return v[i];
  }
  template <class Place>
  MMD_HD V constant(double c) const {
    return V(c);
  }
};

template <class K, class Space, class Place>
struct node {  // a basic kernel
  using slots = list<slot<Space, K::reads>>;
  using constants = list<>;
  template <class V, class Values>
  static MMD_HD V eval(const K& k, const Values& v) {
    return k(v.template get<slot<Space, K::reads>>());
  }
  template <class Visit>
  static void maps(const K&, Visit&&) {}
};
template <class Space, class Place>
struct node<constant, Space, Place> {
  using slots = list<>;
  using constants = list<Place>;
  template <class V, class Values>
  static MMD_HD V eval(const constant& k, const Values& v) {
    return v.template constant<Place>(k.value);
  }
  template <class Visit>
  static void maps(const constant&, Visit&&) {}
};
template <class A, class B, class Space, class Place>
struct two {
  using na = node<A, Space, left<Place>>;
  using nb = node<B, Space, right<Place>>;
  using slots = decltype(unite(typename na::slots{}, typename nb::slots{}));
  using constants = decltype(unite(typename na::constants{}, typename nb::constants{}));
  template <class K, class Visit>
  static void maps(const K& k, Visit&& visit) {
    na::maps(k.a, visit);
    nb::maps(k.b, visit);
  }
};
template <class A, class B, class Space, class Place>
struct node<sum_of<A, B>, Space, Place> : two<A, B, Space, Place> {
  using t = two<A, B, Space, Place>;
  template <class V, class Values>
  static MMD_HD V eval(const sum_of<A, B>& k, const Values& v) {
    return t::na::template eval<V>(k.a, v) + t::nb::template eval<V>(k.b, v);
  }
};
template <class A, class B, class Space, class Place>
struct node<product_of<A, B>, Space, Place> : two<A, B, Space, Place> {
  using t = two<A, B, Space, Place>;
  template <class V, class Values>
  static MMD_HD V eval(const product_of<A, B>& k, const Values& v) {
    return t::na::template eval<V>(k.a, v) * t::nb::template eval<V>(k.b, v);
  }
};
template <class F, class A, class Space, class Place>
struct node<mapped<F, A>, Space, Place> {
  static_assert(std::is_same_v<Space, raw>, "a mapped kernel inside a mapped kernel: compose the maps instead");
  using na = node<A, Place, left<Place>>;  // the place of this node names the space
  using slots = typename na::slots;
  using constants = typename na::constants;
  template <class V, class Values>
  static MMD_HD V eval(const mapped<F, A>& k, const Values& v) {
    return na::template eval<V>(k.a, v);
  }
  template <class Visit>
  static void maps(const mapped<F, A>& k, Visit&& visit) {
    visit.template operator()<Place>(k.map);
  }
};
template <class K>
using plan = node<K, raw, top>;

// Values for derivatives: slot `slot` (if >= 0) or the constant number `constant_index` (if >= 0) is the variable.
template <class V, class L, class Constants>
struct seeded;
template <class V, class... S, class Constants>
struct seeded<V, list<S...>, Constants> {
  values<V, list<S...>> at;
  int slot = -1, constant_index = -1;
  template <class Q>
  MMD_HD dual<V> get() const {
    constexpr int i = position<Q>(list<S...>{});
    return {at.v[i], V(i == slot ? 1 : 0)};
  }
  template <class Place>
  MMD_HD dual<V> constant(double c) const {
    return {V(c), V(position<Place>(Constants{}) == constant_index ? 1 : 0)};
  }
};

}  // namespace expression

template <kernel K>
using slots_of = typename expression::plan<K>::slots;
// The constants of an expression in reading order, left to right: ((1-e) * on(map, k) + e) has two, for k(map(x), map(y)) first.
template <kernel K>
using constants_of = typename expression::plan<K>::constants;

// The kernel at the given values of its slots.
template <class V, kernel K, class Values>
MMD_HD V evaluate(const K& k, const Values& v) {
  return expression::plan<K>::template eval<V>(k, v);
}
// d k / d (the quantity of slot q), at the given values.
template <class V, kernel K>
MMD_HD V derivative(const K& k, const expression::values<V, slots_of<K>>& at, int q) {
  return evaluate<dual<V>>(k, expression::seeded<V, slots_of<K>, constants_of<K>>{at, q, -1}).d;
}
// d k / d (constant number c of the expression), at the given values.
template <class V, kernel K>
MMD_HD V constant_derivative(const K& k, const expression::values<V, slots_of<K>>& at, int c) {
  return evaluate<dual<V>>(k, expression::seeded<V, slots_of<K>, constants_of<K>>{at, -1, c}).d;
}

// The same expression with the maps taken out (they have done their work once the features exist) and sums of Gaussians gathered: small and
// trivially copyable, so that it can be passed to a device function. The places of what is left, and so the slots, do not change.
struct no_map {};
template <basic_kernel K>
K without_maps(const K& k) {
  return k;
}
inline constant without_maps(const constant& k) { return k; }
template <class A, class B>
auto without_maps(const sum_of<A, B>& k);
template <class A, class B>
auto without_maps(const product_of<A, B>& k);
template <class F, class A>
auto without_maps(const mapped<F, A>& k) {
  return mapped<no_map, decltype(without_maps(k.a))>{{}, without_maps(k.a)};
}
template <class A, class B>
auto without_maps(const sum_of<A, B>& k) {
  if constexpr (gaussian_terms < sum_of < A, B >>> 1) {
    return gaussian_sum<gaussian_terms<sum_of<A, B>>>(k);
  } else {
    return sum_of<decltype(without_maps(k.a)), decltype(without_maps(k.b))>{without_maps(k.a), without_maps(k.b)};
  }
}
template <class A, class B>
auto without_maps(const product_of<A, B>& k) {
  return product_of<decltype(without_maps(k.a)), decltype(without_maps(k.b))>{without_maps(k.a), without_maps(k.b)};
}

}  // namespace mmd
