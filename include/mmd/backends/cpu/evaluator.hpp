// SPDX-License-Identifier: MIT
// From packed features to kernel values, one tile at a time.
#pragma once

#include <array>
#include <vector>

#include "mmd/backends/cpu/features.hpp"
#include "mmd/kernels/plan.hpp"

namespace mmd {
namespace detail {
inline namespace MMD_ISA {

template <class T, class K, class Slots>
struct evaluator;
template <class T, class K, class... Q>
struct evaluator<T, K, expression::list<Q...>> {
  static constexpr int n = sizeof...(Q);
  K k;
  std::array<const features<T>*, n> space;  // of each slot

  // Fills out[0..n-1] (one tile each); the kernel values end up in out[0].
  [[gnu::noinline]] void operator()(const panel& I, const panel& J, bool diagonal, T* const* out) const {
    constexpr int ld = panel_rows, W = simd<T>::width;
    const K kernel = k;  // a local copy: stores through T* cannot change it, so its parameters stay in registers
    [&]<std::size_t... s>(std::index_sequence<s...>) {
      (space[s]->template accumulate<std::conditional_t<Q::quantity == pair::l1_distance, absolute_difference, multiply>>(I, J, out[s], ld),
       ...);
      for (int j = 0; j < J.rows; ++j) {
        for (int i = 0; i < I.padded; i += W) {
          expression::values<simd<T>, expression::list<Q...>> v{
              read<Q>(*space[s], I.packed + i, J.packed + j, simd<T>::load(out[s] + j * ld + i))...};
          evaluate<simd<T>>(kernel, v).store(out[0] + j * ld + i);
        }
      }
    }
    (std::index_sequence_for<Q...>{});
    if (I.rows < I.padded) {
      for (int j = 0; j < J.rows; ++j) std::fill(out[0] + j * ld + I.rows, out[0] + j * ld + I.padded, T(0));
    }
    if (diagonal) {
      for (int i = 0; i < I.rows; ++i) out[0][i * ld + i] = T(0);
    }
  }
  double at_same_point(index_t packed) const {
    return [&]<std::size_t... s>(std::index_sequence<s...>) {
      expression::values<number<double>, expression::list<Q...>> v{
          (Q::quantity == pair::inner_product ? static_cast<double>(space[s]->norm[static_cast<std::size_t>(packed)]) : 0.0)...};
      return evaluate<number<double>>(k, v).v;
    }
    (std::index_sequence_for<Q...>{});
  }

 private:
  template <class S>
  static simd<T> read(const features<T>& f, index_t i, index_t j, simd<T> x) {
    if constexpr (S::quantity != pair::squared_distance) {
      return x;
    } else {
      return max(simd<T>(T(0)), fma(simd<T>(T(-2)), x, simd<T>::load(f.norm.data() + i) + simd<T>(f.norm[static_cast<std::size_t>(j)])));
    }
  }
};

template <class T>
struct is_given : std::false_type {};
template <class T>
struct is_given<given<T>> : std::true_type {};

// One `features` for each space that the kernel reads; a map is applied once to each group.
template <class T, class K, class... Q>
std::vector<features<T>> make_spaces(const K& k, const layout& lay, const std::vector<panel>& panels, const pooled<T>& z,
                                     expression::list<Q...> slots) {
  std::vector<features<T>> made;
  auto make = [&]<class Space>(expression::list<Space>) {
    constexpr bool centre = !((std::is_same_v<typename Q::space, Space> && Q::quantity == pair::inner_product) || ...);
    if constexpr (std::is_same_v<Space, expression::raw>) {
      made.emplace_back(lay, panels, z.groups, z.order, centre);
    } else {
      expression::plan<K>::maps(k, [&]<class Place>(const auto& map) {
        if constexpr (std::is_same_v<Place, Space>) {
          if constexpr (is_given<std::decay_t<decltype(map)>>::value) {
            require(map.features.rows() == lay.rows, "given: features.rows()", map.features.rows(), "one row for each pooled row");
            made.emplace_back(lay, panels, std::vector<samples<T>>{map.features}, z.order, centre);
          } else {
            std::vector<decltype(map(z.groups[0]))> mapped;
            for (const auto& g : z.groups) mapped.push_back(map(g));
            made.emplace_back(lay, panels, std::vector<samples<T>>(mapped.begin(), mapped.end()), z.order, centre);
          }
        }
      });
    }
  };
  [&]<class... S>(expression::list<S...>) {
    made.reserve(sizeof...(S));
    (make(expression::list<S>{}), ...);
  }(expression::spaces_of(slots));
  return made;
}
template <class T, class K, class... Q>
auto make_evaluator(const K& k, const std::vector<features<T>>& spaces, expression::list<Q...> slots) {
  static_assert(sizeof...(Q) > 0, "a constant is not a kernel between samples");
  return evaluator<T, decltype(without_maps(k)), expression::list<Q...>>{
      without_maps(k), {&spaces[static_cast<std::size_t>(expression::position<typename Q::space>(expression::spaces_of(slots)))]...}};
}

}  // namespace MMD_ISA
}  // namespace detail
}  // namespace mmd
