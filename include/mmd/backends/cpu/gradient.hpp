// SPDX-License-Identifier: MIT
// The weighted gradient of the kernel matrix: a pass that recomputes the tiles. Blocks of panels are taken pair by pair; in each, first the
// tiles of S = weight x dk/du are filled (one part a tile), then every row of the gradient takes its sum over the block (one part a panel
// and some features): nothing is merged, so the bits do not depend on the number of threads.
#pragma once

#include <array>
#include <vector>

#include "mmd/backends/cpu/evaluator.hpp"
#include "mmd/engine/gradient.hpp"

namespace mmd {
namespace detail {
inline namespace MMD_ISA {

inline constexpr index_t gradient_panels = 8;      // panels of a block
inline constexpr index_t gradient_features = 128;  // features of a part

// out(r, f) += sum_k b(k, r) sign(own(r, f) - a(k, f)) for micro_columns rows r, one group of features f.
template <index_t b_column, class T>
[[gnu::noinline]] void sign_sums(const T* own, const T* a, const T* b, index_t b_stride, index_t depth, T* out) {
  using S = simd<T>;
  constexpr int G = group_width<T>, C = micro_columns<T>;
  for (int half = 0; half < G; half += S::width) {
    S sum[C], mine[C];
    for (int r = 0; r < C; ++r) sum[r] = S::load(out + r * G + half), mine[r] = S::load(own + r * G + half);
    for (index_t k = 0; k < depth; ++k) {
      const S other = S::load(a + k * G + half);
      for (int r = 0; r < C; ++r) {
        const S s = b[k * b_stride + r * b_column], difference = mine[r] - other;
        sum[r] += where_positive(difference, s) - where_positive(-difference, s);
      }
    }
    for (int r = 0; r < C; ++r) sum[r].store(out + r * G + half);
  }
}

// The weights in packed rows (zero in the padding), and their tables.
template <class T>
struct packed_weights {
  const pair_weights& from;
  std::size_t groups;
  std::vector<T> w, p;

  packed_weights(const pair_weights& weights, const layout& lay, const std::vector<panel>& panels)
      : from(weights), groups(at(lay.groups())), w(at(packed_rows(panels))), p(w.size()) {
    for (const panel& q : panels) {
      for (int r = 0; r < q.rows; ++r) {
        w[at(q.packed + r)] = static_cast<T>(from.w[at(q.first + r)]);
        p[at(q.packed + r)] = static_cast<T>(from.p[at(q.first + r)]);
      }
    }
  }
  double ww(const panel& I, const panel& J) const { return from.ww[at(I.group) * groups + at(J.group)]; }
  double wp(const panel& I, const panel& J) const { return from.wp[at(I.group) * groups + at(J.group)]; }
  bool paired(const panel& I, const panel& J) const { return !from.paired.empty() && I.group == 0 && J.group == 1; }
  bool none(const panel& I, const panel& J) const { return ww(I, J) == 0 && wp(I, J) == 0 && !paired(I, J); }

  // Weights of column j of the tile, for all padded rows.
  void column(const panel& I, const panel& J, bool diagonal, int j, T* out) const {
    using S = simd<T>;
    const T *wi = &w[at(I.packed)], *pi = &p[at(I.packed)], wj = w[at(J.packed + j)], pj = p[at(J.packed + j)];
    const T of_w = static_cast<T>(ww(I, J)) * wj + static_cast<T>(wp(I, J)) * pj, of_p = static_cast<T>(wp(I, J)) * wj;
    for (int i = 0; i < I.padded; i += S::width) fma(S(of_p), S::load(pi + i), S(of_w) * S::load(wi + i)).store(out + i);
    if (diagonal) out[j] = T(0);
    if (paired(I, J)) {
      const index_t pair_number = J.first + j - static_cast<index_t>(from.paired.size()), i = pair_number - I.first;
      if (i >= 0 && i < I.rows) out[i] += static_cast<T>(from.paired[at(pair_number)]);
    }
  }
};

// The sums that a tile gives: for each slot weight x dk/du x u, for each constant weight x dk/dc.
template <int slots, int constants>
struct tile_sums {
  std::array<double, slots> scales{};
  std::array<double, constants == 0 ? 1 : constants> constant{};
};

template <class T, class K, class Slots, class Constants>
struct gradient_tile;
template <class T, class K, class... Q, class Constants>
struct gradient_tile<T, K, expression::list<Q...>, Constants> {
  static constexpr int n = sizeof...(Q), constants = Constants::size;
  using sums = tile_sums<n, constants>;
  const evaluator<T, K, expression::list<Q...>>& eval;
  const packed_weights<T>& weights;

  // Fills S[s] of every slot; squared distances are scaled by -2, so that S Z is their part of the gradient but for the row's own term.
  [[gnu::noinline]] sums operator()(const panel& I, const panel& J, bool diagonal, T* const* S) const {
    using V = simd<T>;
    const K kernel = eval.k;
    sums total;
    eval.accumulate(I, J, S, [](int) {});
    alignas(64) T weight[panel_rows];
    for (int j = 0; j < J.rows; ++j) {
      weights.column(I, J, diagonal, j, weight);
      V scale[n], constant[constants == 0 ? 1 : constants];
      for (V& x : scale) x = V(T(0));
      for (V& x : constant) x = V(T(0));
      for (int i = 0; i < I.padded; i += V::width) {
        const V w = V::load(weight + i);
        [&]<std::size_t... s, std::size_t... c>(std::index_sequence<s...>, std::index_sequence<c...>) {
          const expression::values<V, expression::list<Q...>> at_pair{eval.template read<Q>(
              V::load(S[s] + j * tile_ld + i), V::load(eval.space[s]->norm.p + I.packed + i), eval.space[s]->norm.p[J.packed + j])...};
          const V slope[] = {where_nonzero(w, w * derivative<V>(kernel, at_pair, static_cast<int>(s)))...};
          ((scale[s] = fma(slope[s], at_pair.v[s], scale[s])), ...);
          ((constant[c] += where_nonzero(w, w * constant_derivative<V>(kernel, at_pair, static_cast<int>(c)))), ...);
          ((slope[s] * V(is_squared(Q::quantity) ? T(-2) : T(1))).store(S[s] + j * tile_ld + i), ...);
        }
        (std::make_index_sequence<n>{}, std::make_index_sequence<constants>{});
      }
      const double share = diagonal ? 0.5 : 1;  // a diagonal tile holds every pair twice
      for (int s = 0; s < n; ++s) total.scales[at(s)] += share * static_cast<double>(scale[s].sum());
      for (int c = 0; c < constants; ++c) total.constant[at(c)] += share * static_cast<double>(constant[c].sum());
    }
    return total;
  }
};

// The features of one space for the second product, and what it sums: [feature group][packed row][feature in group].
template <class T>
struct feature_sums {
  static constexpr index_t G = group_width<T>;
  index_t d, rows, groups;
  aligned<T> z, sum;
  std::vector<double> own;  // what row i takes of its own features

  feature_sums(int threads, const features<T>& f, const std::vector<panel>& panels)
      : d(f.d), rows(packed_rows(panels)), groups((d + G - 1) / G), z(at(groups * rows * G)), sum(at(groups * rows * G)), own(at(rows)) {
    parallel_for(threads, static_cast<index_t>(panels.size()), [&](index_t p) {
      const panel& P = panels[at(p)];
      for (index_t g = 0; g < groups; ++g) {
        T *to = z.p + (g * rows + P.packed) * G, *zero = sum.p + (g * rows + P.packed) * G;
        std::fill(zero, zero + P.padded * G, T(0));
        const index_t depth = std::min(G, d - g * G);
        if (depth < G) std::fill(to, to + P.padded * G, T(0));
        for (index_t r = 0; r < P.padded; r += G) {
          const T* block = f.z.p + (P.packed + r) * d + g * G * G;
          for (index_t l = 0; l < G; ++l) {
            for (index_t k = 0; k < depth; ++k) to[(r + l) * G + k] = block[k * G + l];
          }
        }
      }
    });
  }
  // Adds S Z_Q to the rows of P for the features of groups first .. last - 1; S(k, r) lies at s[k * stride + r * column].
  template <index_t stride, index_t column>
  void add(pair quantity, const panel& P, const panel& Q, const T* s, index_t first, index_t last) {
    for (index_t g = first; g < last; ++g) {
      const T* a = z.p + (g * rows + Q.packed) * G;
      for (index_t r = 0; r < P.rows; r += micro_columns<T>) {
        T* out = sum.p + (g * rows + P.packed + r) * G;
        if (quantity == pair::l1_distance) {
          sign_sums<column>(z.p + (g * rows + P.packed + r) * G, a, s + r * column, stride, Q.rows, out);
        } else {
          micro<multiply, column>(a, G, s + r * column, stride, Q.rows, true, out, G);
        }
      }
    }
    if (is_squared(quantity) && first == 0) {
      for (index_t r = 0; r < P.rows; ++r) own[at(P.packed + r)] -= row_sum<stride>(s + r * column, Q.rows);
    }
  }
  template <class R>
  void add_to(matrix<R>& out, int threads, const std::vector<panel>& panels) const {
    parallel_for(threads, static_cast<index_t>(panels.size()), [&](index_t p) {
      const panel& P = panels[at(p)];
      for (index_t r = 0; r < P.rows; ++r) {
        const double of_own = own[at(P.packed + r)];
        for (index_t k = 0; k < d; ++k) {
          const index_t i = (k / G * rows + P.packed + r) * G + k % G;
          out(P.first + r, k) += static_cast<R>(static_cast<double>(sum.p[i]) + of_own * static_cast<double>(z.p[i]));
        }
      }
    });
  }

 private:
  template <index_t stride>
  static double row_sum(const T* s, index_t count) {
    T lane[8] = {};  // eight chains, so that the additions overlap
    index_t k = 0;
    for (; k + 8 <= count; k += 8) {
      for (index_t l = 0; l < 8; ++l) lane[l] += s[(k + l) * stride];
    }
    double total = 0;
    for (; k < count; ++k) total += static_cast<double>(s[k * stride]);
    for (T l : lane) total += static_cast<double>(l);
    return total;
  }
};

// The whole gradient, computed in T and returned as R. `wanted` says so for every feature space; `report(done, total)` is called between
// blocks.
template <class R, class T, class K, class... Q, class Report>
kernel_gradient<R> weighted_gradient(int threads, const K& k, expression::list<Q...> slots, const std::vector<features<T>>& packed,
                                     const std::vector<bool>& wanted, const std::vector<panel>& panels, const tile_list& tiles,
                                     const packed_weights<T>& weights, Report&& report) {
  const auto eval = make_evaluator(k, packed, slots);
  using tile_of = gradient_tile<T, decltype(eval.k), expression::list<Q...>, constants_of<K>>;
  constexpr int n = tile_of::n, constants = tile_of::constants;
  constexpr index_t tile_size = panel_rows * tile_ld;
  constexpr std::array<int, n> packing_of_slot{packing_index<Q>(expression::list<Q...>{})...};
  constexpr std::array<pair, n> quantity{Q::quantity...};
  const tile_of evaluate_tile{eval, weights};

  std::vector<std::size_t> space;  // of each packing
  [&]<class... P>(expression::list<P...>) {
    (space.push_back(at(expression::position<typename P::space>(expression::spaces_of(slots)))), ...);
  }(packings_of(slots));
  std::vector<std::unique_ptr<feature_sums<T>>> sums;
  for (std::size_t p = 0; p < packed.size(); ++p)
    sums.push_back(wanted[space[p]] ? std::make_unique<feature_sums<T>>(threads, packed[p], panels) : nullptr);

  const index_t np = static_cast<index_t>(panels.size()), side = std::min(np, gradient_panels), blocks = (np + side - 1) / side;
  const aligned<T> storage(at(side * side * n * tile_size));
  std::vector<typename tile_of::sums> of_tile(at(side * side));
  std::vector<char> filled(at(side * side));
  typename tile_of::sums total;
  const auto slot_of = [&](index_t t, int s) { return storage.p + (t * n + s) * tile_size; };

  for (index_t A = 0, step = 0; A < blocks; ++A) {
    for (index_t B = A; B < blocks; ++B, ++step) {
      report(step, blocks * (blocks + 1) / 2);
      const index_t a0 = A * side, a1 = std::min(np, a0 + side), b0 = B * side, b1 = std::min(np, b0 + side), nb = b1 - b0;
      parallel_for(threads, (a1 - a0) * nb, [&](index_t t) {
        const index_t i = a0 + t / nb, j = b0 + t % nb;
        const panel &I = panels[at(i)], &J = panels[at(j)];
        filled[at(t)] = i <= j && !weights.none(I, J) && tiles.holds(I.group, J.group);
        if (!filled[at(t)]) return;
        T* S[n];
        for (int s = 0; s < n; ++s) S[s] = slot_of(t, s);
        of_tile[at(t)] = evaluate_tile(I, J, i == j, S);
      });
      for (index_t t = 0; t < (a1 - a0) * nb; ++t) {
        if (!filled[at(t)]) continue;
        for (std::size_t s = 0; s < n; ++s) total.scales[s] += of_tile[at(t)].scales[s];
        for (std::size_t c = 0; c < constants; ++c) total.constant[c] += of_tile[at(t)].constant[c];
      }
      for (int s = 0; s < n; ++s) {
        feature_sums<T>* const to = sums[at(packing_of_slot[at(s)])].get();
        if (!to) continue;
        const index_t step_groups = std::max<index_t>(1, gradient_features / to->G), chunks = (to->groups + step_groups - 1) / step_groups;
        const index_t rows_of_a = a1 - a0, rows = rows_of_a + (A == B ? 0 : nb);
        parallel_for(threads, rows * chunks, [&](index_t part) {
          const index_t r = part / chunks, p = r < rows_of_a ? a0 + r : b0 + (r - rows_of_a);
          const index_t first = part % chunks * step_groups, last = std::min(to->groups, first + step_groups);
          const auto take = [&]<index_t stride, index_t column>(index_t i, index_t j, index_t other) {
            const index_t t = (i - a0) * nb + (j - b0);
            if (filled[at(t)])
              to->template add<stride, column>(quantity[at(s)], panels[at(p)], panels[at(other)], slot_of(t, s), first, last);
          };
          if (p >= b0) {
            for (index_t i = a0; i < std::min(p, a1); ++i) take.template operator()<1, tile_ld>(i, p, i);
          }
          if (p < a1) {
            for (index_t j = std::max(p, b0); j < b1; ++j) take.template operator()<tile_ld, 1>(p, j, j);
          }
        });
      }
    }
  }

  if (!weights.from.diagonal.empty()) {
    using N = number<double>;
    for (const panel& P : panels) {
      for (index_t r = 0; r < P.rows; ++r) {
        const double w = weights.from.diagonal[at(P.first + r)];
        if (w == 0) continue;
        const auto point = eval.same_point(P.packed + r);
        for (int s = 0; s < n; ++s) {
          if (quantity[at(s)] != pair::inner_product) continue;
          const double slope = w * derivative<N>(eval.k, point, s).v;
          total.scales[at(s)] += slope * point.v[s].v;
          if (const auto& to = sums[at(packing_of_slot[at(s)])]) to->own[at(P.packed + r)] += 2 * slope;
        }
        for (int c = 0; c < constants; ++c) total.constant[at(c)] += w * constant_derivative<N>(eval.k, point, c).v;
      }
    }
  }
  kernel_gradient<R> out;
  out.features.resize(wanted.size());
  for (std::size_t p = 0; p < sums.size(); ++p) {
    if (!sums[p]) continue;
    matrix<R>& to = out.features[space[p]];
    if (to.rows() == 0) to = matrix<R>(panels.back().first + panels.back().rows, sums[p]->d);
    sums[p]->add_to(to, threads, panels);
  }
  out.scales.assign(total.scales.begin(), total.scales.end());
  out.constants.assign(total.constant.begin(), total.constant.begin() + constants);
  return out;
}

}  // namespace MMD_ISA
}  // namespace detail
}  // namespace mmd
