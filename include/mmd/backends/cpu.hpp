// SPDX-License-Identifier: MIT
// The CPU backend: one pass over the tiles of the (symmetric) kernel matrix of the pooled samples. The matrix itself never exists.
#pragma once

#include <concepts>
#include <cstdint>
#include <string_view>
#include <vector>

#include "mmd/backends/cpu/add.hpp"
#include "mmd/backends/cpu/add_distances.hpp"
#include "mmd/backends/cpu/add_weighted.hpp"
#include "mmd/backends/cpu/gemm.hpp"
#include "mmd/backends/cpu/gradient.hpp"
#include "mmd/backends/cpu/pass.hpp"
#include "mmd/core/progress.hpp"

namespace mmd {
inline namespace MMD_ISA {

// Options as an aggregate, no state: a `cpu` may be used by several threads at once. Inside a part of `for_each` its functions
// report nothing, and run on one thread where the loop has several.
class cpu {
 public:
  int threads = 0;                                      // 0: as many as OpenMP offers
  std::uint64_t memory_limit = std::uint64_t{4} << 30;  // bytes that one pass may take beyond its arguments and results
  progress_callback progress = {};

  // What it computes with, several values at a time: numbers of a kernel, with load, store and `width`.
  template <class T>
  using pack = simd<T>;

  // One pass over all pairs of pooled rows, feeding every reducer; the rows' layout and k(z, z).
  // Cost: N^2/2 kernel values and their quantities (d multiply-adds each). Memory: a packed copy of every feature space, O(N d), and a few
  // copies of the reducers; `plan` says how much. Tiles of 128 x 128 values are summed in T, everything larger in double.
  // Half samples are evaluated as the floats that they are.
  // Exact in this sense: features are centred on the pooled mean where only distances are read; float samples whose magnitudes leave
  // [1e-15, 1e15], or whose kernel values leave float's range, are evaluated in double.
  // Reproducible: the same bits for any number of threads and any memory limit, for one binary on one type of machine. Not so for other
  // orders of the groups' rows: what must not depend on labels gives z.order.
  // Throws invalid_input (no group, an empty group, groups of different widths, a map whose result does not fit or is not finite; NaN in
  // the samples themselves is not looked for and gives NaN), memory_limit_exceeded, cancelled, and what maps and reducers throw: then the
  // reducers hold nothing of use.
  template <class T, kernel K, cpu_reducer<compute_type<T>>... R>
  layout reduce(const K& k, const pooled<T>& z, R&... reducers) const {
    return [&](auto&&... r) { return run(k, z, detail::reducer_list{&r...}); }(detail::reducer_of<R, compute_type<T>>(reducers)...);
  }

  // What `reduce` with the same arguments will take, before it starts: the packed copy is of float for half samples too. Calls every map
  // once, with one row, to learn how many features it makes. Does not count what maps allocate while they run, nor the doubled features of
  // float samples evaluated in double. Throws as `reduce` does where the arguments do not fit or the limit is too low.
  template <class T, kernel K, cpu_reducer<compute_type<T>>... R>
  memory_plan plan(const K& k, const pooled<T>& z, const R&... reducers) const {
    using value = compute_type<T>;
    layout lay;
    const auto panels = detail::cut_groups(detail::group_sizes(z), detail::group_width<value>, lay);
    const detail::tile_list tiles(lay, panels, z.skip);
    const auto made = detail::space_widths(k, z, slots_of<K>{});
    detail::reducers_bytes results;
    (results.add(R::shared, detail::reducer_bytes(reducers, lay)), ...);
    const auto p = detail::plan_pass(sizeof(value), threads, memory_limit, lay, panels, tiles, detail::numbers_of(slots_of<K>{}),
                                     made.widths, made.made_bytes, results);
    return {p.bytes(), p.result_bytes, p.parts, p.copies};
  }

  // The gradient of sum(weights o K) with respect to the features that k reads, to its constants and to the scales of its quantities, by a
  // pass of its own that recomputes K. Costs about three times `reduce` where all features are wanted (the products of the second half are
  // left out for features that are not); O(N d) memory. Pairs of groups with zero weights cost nothing. The same bits for any number of
  // threads. z.order must be empty: weights belong to rows and groups as given. Throws invalid_input as `reduce` does, and for weights
  // whose sizes do not fit; cancelled.
  template <class T, kernel K>
  kernel_gradient<compute_type<T>> gradient(const K& k, const pooled<T>& z, const pair_weights& weights, gradient_of wanted = {}) const {
    detail::require(z.order.empty(), "order.size()", z.order.size(), "no order: weights belong to rows and groups as given");
    using value = compute_type<T>;
    layout lay;
    const auto panels = detail::cut_groups(detail::group_sizes(z), detail::group_width<value>, lay);
    const detail::tile_list tiles(lay, panels, z.skip);
    detail::check_weights(weights, lay);
    const detail::space_sources<T> sources(k, z, slots_of<K>{});
    std::vector<bool> of_space;
    for (const auto& s : sources.spaces) of_space.push_back(s.raw ? wanted.raw : wanted.mapped);
    const auto as = [&]<class E>(std::type_identity<E>, const std::vector<panel>& of_width,
                                 const std::vector<detail::features<E>>& packed) {
      return detail::weighted_gradient<value>(threads, k, slots_of<K>{}, packed, of_space, of_width, tiles,
                                              detail::packed_weights<E>(weights, lay, of_width), reporter{*this, "gradient"});
    };
    const auto numbers = detail::numbers_of(slots_of<K>{});
    const auto packed = detail::pack_spaces<value>(threads, lay, panels, sources, numbers);
    if constexpr (std::same_as<value, float>) {
      if (!detail::float_suffices(detail::make_evaluator(k, packed, slots_of<K>{}))) {
        layout again;
        const auto wide = detail::cut_groups(lay.group_rows, detail::group_width<double>, again);
        return as(std::type_identity<double>{}, wide, detail::pack_spaces<double>(threads, lay, wide, sources, numbers));
      }
    }
    return as(std::type_identity<value>{}, panels, packed);
  }

  // C = alpha op(A) op(B) + beta C, op as `transposed` says; C is not read where beta = 0. Own product in fixed blocks: the same bits for
  // any number of threads, which Eigen's does not promise, and for a row of A whatever rows are beside it. 2 m n k flops; no memory but
  // some 90 kB on each thread's stack. C may be a `matrix` or an Eigen matrix of any strides, and may not share memory with A or B. Throws
  // invalid_input for shapes that do not fit.
  template <strided_matrix A, strided_matrix B, detail::writable_matrix C>
  requires std::same_as<typename A::Scalar, typename C::Scalar> && std::same_as<typename B::Scalar, typename C::Scalar>
  void gemm(transposed of_a, transposed of_b, typename C::Scalar alpha, const A& a, const B& b, typename C::Scalar beta, C& c) const {
    detail::product(threads, of_a, of_b, alpha, samples<typename C::Scalar>(a), samples<typename C::Scalar>(b), beta, c);
  }

  // Values in the memory that it computes in, which is the host's: a backend of a device has `device<T>` for T, and moves them.
  template <class T>
  using element = T;
  // A copy of the values there, and of values there.
  template <sample_matrix M>
  matrix<typename M::Scalar> upload(const M& x) const {
    return converted<typename M::Scalar>(x);
  }
  template <sample_matrix M>
  matrix<typename M::Scalar> download(const M& x) const {
    return converted<typename M::Scalar>(x);
  }
  // A new shape; the values are unspecified afterwards.
  template <class T>
  void resize(matrix<T>& m, index_t rows, index_t cols) const {
    m.resize(rows, cols);
  }

  // f(0), ..., f(count - 1) in parallel, in any order. What the lowest of those that throw throws is thrown again here, the same for any
  // number of threads; parts above it may be left out.
  void for_each(index_t count, detail::part_function f) const { detail::parallel_for(threads, count, f); }
  // Calls `progress`, if there is one and this is no parallel loop. Throws cancelled when it asks for that.
  void report(std::string_view stage, std::uint64_t done, std::uint64_t total) const {
    if (progress && !detail::in_parallel()) detail::report(progress, stage, done, total);
  }

 private:
  struct reporter {
    const cpu& on;
    std::string_view stage;
    bool wanted() const { return on.progress && !detail::in_parallel(); }
    void operator()(index_t done, index_t total) const {
      on.report(stage, static_cast<std::uint64_t>(done), static_cast<std::uint64_t>(total));
    }
  };

  template <class T, class K>
  layout run(const K& k, const pooled<T>& z, const detail::reducer_list& reducers) const {
    using value = compute_type<T>;
    layout lay;
    const auto panels = detail::cut_groups(detail::group_sizes(z), detail::group_width<value>, lay);
    const detail::tile_list tiles(lay, panels, z.skip);
    const detail::space_sources<T> sources(k, z, slots_of<K>{});
    if (run_in<value>(k, panels, tiles, sources, lay, reducers)) return lay;
    layout wide;
    const auto wide_panels = detail::cut_groups(lay.group_rows, detail::group_width<double>, wide);
    run_in<double>(k, wide_panels, tiles, sources, wide, reducers);
    return wide;
  }
  // The pass in E; false, and nothing done to the reducers, where E is float and does not suffice.
  template <class E, class T, class K>
  bool run_in(const K& k, const std::vector<panel>& panels, const detail::tile_list& tiles, const detail::space_sources<T>& sources,
              layout& lay, const detail::reducer_list& reducers) const {
    const auto numbers = detail::numbers_of(slots_of<K>{});
    std::vector<index_t> widths;
    for (const auto& s : sources.spaces) widths.push_back(s.parts.front().cols);
    detail::reducers_bytes results;
    for (const auto* r : reducers) results.add(r->shared, r->bytes(lay));
    const auto plan = detail::plan_pass(sizeof(E), threads, memory_limit, lay, panels, tiles, numbers, widths, sources.made_bytes, results);
    const auto packed = detail::pack_spaces<E>(threads, lay, panels, sources, numbers);
    const auto eval = detail::make_evaluator(k, packed, slots_of<K>{});
    if constexpr (std::same_as<E, float>) {
      if (!detail::float_suffices(eval)) return false;
    }
    eval.same_points(panels, lay.diagonal);
    for (auto* r : reducers) r->prepare(lay);
    detail::run_pass(threads, plan, panels, tiles, detail::tiles_of(eval), reporter{*this, "pairs"}, reducers);
    return true;
  }
};

}  // namespace MMD_ISA
}  // namespace mmd
