// SPDX-License-Identifier: MIT
// From packed features to kernel values, one tile at a time.
#pragma once

#include <array>
#include <vector>

#include "mmd/backends/cpu/spaces.hpp"
#include "mmd/engine/float_suffices.hpp"

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

  // out[s] = the products or differences of slot s, before `read` makes the quantity of them, strip by strip: `done(first row)` is called
  // when a strip of all slots is complete and still near.
  template <class Done>
  void accumulate(const panel& I, const panel& J, T* const* out, Done&& done) const {
    constexpr int G = group_width<T>;
    [&]<std::size_t... s>(std::index_sequence<s...>) {
      (space[s]->template accumulate_first_blocks<step_for<Q::quantity>>(I, J, out[s]), ...);
      for (int i = 0; i < I.padded; i += G) {
        (space[s]->template accumulate<step_for<Q::quantity>>(I, J, i, space[s]->last_block(), out[s]), ...);
        done(i);
      }
    }
    (std::index_sequence_for<Q...>{});
  }
  // Fills out[0..n-1] (one tile each); the kernel values end up in out[0].
  void operator()(const panel& I, const panel& J, bool diagonal, T* const* out) const {
    accumulate(I, J, out, [&](int first) { evaluate_strip(I, J, first, out); });
    if (I.rows < I.padded) {
      for (int j = 0; j < J.rows; ++j) std::fill(out[0] + j * tile_ld + I.rows, out[0] + j * tile_ld + I.padded, T(0));
    }
    if (diagonal) {
      for (int i = 0; i < I.rows; ++i) out[0][i * tile_ld + i] = T(0);
    }
  }
  // What the slots hold for k(z, z).
  expression::values<number<double>, expression::list<Q...>> same_point(index_t packed) const {
    return [&]<std::size_t... s>(std::index_sequence<s...>) {
      return expression::values<number<double>, expression::list<Q...>>{
          (Q::quantity == pair::inner_product ? static_cast<double>(space[s]->norm.p[packed]) : 0.0)...};
    }
    (std::index_sequence_for<Q...>{});
  }
  // k(z, z) of every row.
  void same_points(const std::vector<panel>& panels, std::vector<double>& out) const {
    const auto value = [&](index_t packed) { return evaluate<number<double>>(k, same_point(packed)).v; };
    out.assign(at(panels.back().first + panels.back().rows), value(0));
    if constexpr (((Q::quantity == pair::inner_product) || ...)) {
      for (const panel& p : panels) {
        for (int r = 0; r < p.rows; ++r) out[at(p.first + r)] = value(p.packed + r);
      }
    }
  }

  // From the product or difference x of two rows to the quantity of a slot; n2: their squared norms.
  template <class Slot>
  static simd<T> read(simd<T> x, simd<T> n2_of_i, simd<T> n2_of_j) {
    if constexpr (Slot::quantity != pair::squared_distance) {
      return x;
    } else {
      return max(simd<T>(T(0)), fma(simd<T>(T(-2)), x, n2_of_i + n2_of_j));
    }
  }

 private:
  // Everything the loop reads is local: its stores could change anything else.
  [[gnu::noinline]] void evaluate_strip(const panel& I, const panel& J, int first, T* const* out) const {
    using S = simd<T>;
    constexpr int W = S::width;
    const K kernel = k;
    const int columns = J.rows;
    [&]<std::size_t... s>(std::index_sequence<s...>) {
      const S down[n][2] = {{S::load(space[s]->norm.p + I.packed + first), S::load(space[s]->norm.p + I.packed + first + W)}...};
      const T* const across[n] = {space[s]->norm.p + J.packed...};
      T* const x[n] = {out[s] + first...};
      for (int j = 0; j < columns; ++j) {
#pragma GCC unroll 2
        for (int p = 0; p < 2; ++p) {
          const expression::values<S, expression::list<Q...>> v{read<Q>(S::load(x[s] + j * tile_ld + p * W), down[s][p], across[s][j])...};
          evaluate<S>(kernel, v).store(x[0] + j * tile_ld + p * W);
        }
      }
    }
    (std::index_sequence_for<Q...>{});
  }
};

template <class T, class K, class... Q>
auto make_evaluator(const K& k, const std::vector<features<T>>& packed, expression::list<Q...> slots) {
  static_assert(sizeof...(Q) > 0, "a constant is not a kernel between samples");
  return evaluator<T, decltype(without_maps(k)), expression::list<Q...>>{without_maps(k), {&packed[at(packing_index<Q>(slots))]...}};
}

template <class K, class... Q>
bool float_suffices(const evaluator<float, K, expression::list<Q...>>& eval) {
  std::array<slot_extent, sizeof...(Q)> slots;
  for (std::size_t s = 0; s < slots.size(); ++s) slots[s] = {eval.space[s]->largest_norm, eval.space[s]->d};
  return float_suffices(eval.k, expression::list<Q...>{}, slots);
}

}  // namespace MMD_ISA
}  // namespace detail
}  // namespace mmd
