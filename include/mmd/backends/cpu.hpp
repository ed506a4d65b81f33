// SPDX-License-Identifier: MIT
// The CPU backend: one pass over the tiles of the (symmetric) kernel matrix of the pooled samples. The matrix itself never exists.
#pragma once

#include <algorithm>
#include <cstdint>
#include <tuple>
#include <vector>

#include "mmd/backends/cpu/add.hpp"
#include "mmd/backends/cpu/add_weighted.hpp"
#include "mmd/backends/cpu/evaluator.hpp"
#include "mmd/backends/cpu/gemm.hpp"
#include "mmd/backends/cpu/gradient.hpp"
#include "mmd/backends/cpu/parallel.hpp"
#include "mmd/backends/cpu/spaces.hpp"
#include "mmd/core/progress.hpp"

namespace mmd {
namespace detail {
inline namespace MMD_ISA {

template <class R>
auto copy_or_pointer(R& r) {
  if constexpr (R::shared) {
    return &r;
  } else {
    return R(r);
  }
}
template <class R>
R& object(R& r) {
  return r;
}
template <class R>
R& object(R*& r) {
  return *r;
}

// The panels of the pooled rows; fills in the layout's sizes.
template <class T>
std::vector<panel> make_panels(const pooled<T>& z, layout& lay) {
  std::vector<index_t> sizes;
  for (const auto& g : z.groups) {
    require(g.rows() >= 1, "group.rows()", g.rows(), "at least 1");
    require(g.cols() == z.cols(), "group.cols()", g.cols(), "as many columns as the first group");
    sizes.push_back(g.rows());
  }
  require(!sizes.empty(), "groups", 0, "at least one group of rows");
  if (!z.order.empty()) {
    require(static_cast<index_t>(z.order.size()) == z.rows(), "order.size()", z.order.size(), "one position for each row");
    sizes = {z.rows()};
  }
  std::vector<panel> panels;
  index_t packed = 0;
  for (std::size_t g = 0; g < sizes.size(); ++g) {
    const index_t n = sizes[g], count = (n + panel_rows - 1) / panel_rows;
    for (index_t p = 0; p < count; ++p) {
      const index_t a = n * p / count, b = n * (p + 1) / count;
      const int padded = static_cast<int>((b - a + group_width<T> - 1) / group_width<T> * group_width<T>);
      panels.push_back({lay.rows + a, static_cast<int>(b - a), padded, static_cast<int>(g), packed});
      packed += padded;
    }
    lay.rows += n;
    lay.group_rows.push_back(n);
  }
  return panels;
}

}  // namespace MMD_ISA
}  // namespace detail

inline namespace MMD_ISA {

class cpu {
 public:
  int threads = 0;                                      // 0: as many as OpenMP offers
  std::uint64_t memory_limit = std::uint64_t{4} << 30;  // bytes that one call may take beyond its arguments and results
  progress_callback progress = {};

  // One pass over all pairs of pooled rows, feeding every reducer.
  template <class T, kernel K, cpu_reducer<T>... R>
  layout reduce(const K& k, const pooled<T>& z, R&... reducers) const {
    layout lay;
    const auto panels = detail::make_panels(z, lay);
    const detail::space_sources<T> sources(k, z, slots_of<K>{});
    const auto spaces = detail::pack_spaces<T>(threads, lay, panels, sources);
    const auto eval = detail::make_evaluator(k, spaces, slots_of<K>{});
    lay.diagonal.resize(detail::at(lay.rows));
    for (const panel& p : panels) {
      for (int r = 0; r < p.rows; ++r) lay.diagonal[detail::at(p.first + r)] = eval.at_same_point(p.packed + r);
    }
    const index_t np = static_cast<index_t>(panels.size()), tiles = np * (np + 1) / 2, parts = std::clamp<index_t>(tiles / 8, 1, 64);
    (reducers.prepare(lay), ...);
    using results = std::tuple<std::conditional_t<R::shared, R*, R>...>;
    std::vector<results> part(detail::at(parts), results(detail::copy_or_pointer(reducers)...));
    for_each(parts, [&](index_t p) {
      constexpr int slots = decltype(eval)::n, size = panel_rows * (panel_rows + detail::micro_columns<T>);
      const detail::aligned<T> buffer(std::size_t{slots} * size);
      T* out[slots];
      for (int s = 0; s < slots; ++s) out[s] = buffer.p + s * size;
      index_t n = tiles * p / parts, i = 0, before = 0;  // n-th tile of the upper triangle, by rows
      while (before + np - i <= n) before += np - i++;
      for (index_t j = i + n - before, end = tiles * (p + 1) / parts; n < end; ++n, ++j) {
        if (j == np) j = ++i;
        const panel &I = panels[detail::at(i)], &J = panels[detail::at(j)];
        if (std::find(z.skip.begin(), z.skip.end(), std::pair(I.group, J.group)) != z.skip.end()) continue;
        eval(I, J, i == j, out);
        const tile<T> t{out[0], panel_rows, I, J, i == j};
        std::apply([&](auto&... r) { (add(detail::object(r), t), ...); }, part[detail::at(p)]);
      }
    });
    for (auto& p : part) {
      [&]<std::size_t... r>(std::index_sequence<r...>) {
        (
            [&] {
              if constexpr (!R::shared) reducers.merge(std::get<r>(p));
            }(),
            ...);
      }
      (std::index_sequence_for<R...>{});
    }
    return lay;
  }

  // The gradient of sum(weights o K) with respect to the features that k reads, to its constants and to the scales of its quantities, by a
  // pass of its own that recomputes K: about three times the cost of `reduce` where the number of features dominates, O(N d) memory.
  // Pairs of groups with zero weights cost nothing. The same bits for any number of threads. z.order must be empty: weights belong to
  // groups. Throws invalid_input for weights whose sizes do not fit.
  template <class T, kernel K>
  kernel_gradient<T> gradient(const K& k, const pooled<T>& z, const pair_weights& weights, gradient_of wanted = {}) const {
    detail::require(z.order.empty(), "order.size()", z.order.size(), "no order: weights belong to rows and groups as given");
    layout lay;
    const auto panels = detail::make_panels(z, lay);
    const detail::packed_weights<T> packed(weights, lay, panels);
    const detail::space_sources<T> sources(k, z, slots_of<K>{});
    const auto spaces = detail::pack_spaces<T>(threads, lay, panels, sources);
    std::vector<bool> of_space;
    for (const auto& s : sources.all) of_space.push_back(s.raw ? wanted.raw : wanted.mapped);
    return detail::weighted_gradient<T>(
        threads, k, slots_of<K>{}, spaces, of_space, panels, packed, z.skip,
        [&](index_t done, index_t total) { report("gradient", static_cast<std::uint64_t>(done), static_cast<std::uint64_t>(total)); });
  }

  // C = alpha op(A) op(B) + beta C, op as `transposed` says; C is not read where beta = 0. Own product in fixed blocks: the same bits for
  // any number of threads, which Eigen's does not promise. 2 m n k flops; takes room for a copy of A and of B. C may be a `matrix` or
  // an Eigen matrix of any strides, and may not share memory with A or B. Throws invalid_input for shapes that do not fit.
  template <strided_matrix A, strided_matrix B, detail::writable_matrix C>
  requires std::same_as<typename A::Scalar, typename C::Scalar> && std::same_as<typename B::Scalar, typename C::Scalar>
  void gemm(transposed of_a, transposed of_b, typename C::Scalar alpha, const A& a, const B& b, typename C::Scalar beta, C& c) const {
    detail::product(threads, of_a, of_b, alpha, samples<typename C::Scalar>(a), samples<typename C::Scalar>(b), beta, c);
  }

  // f(0), ..., f(count - 1) in parallel; what the lowest of them throws is thrown again here.
  template <class F>
  void for_each(index_t count, F&& f) const {
    detail::parallel_for(threads, count, std::forward<F>(f));
  }
  void report(std::string_view stage, std::uint64_t done, std::uint64_t total) const { detail::report(progress, stage, done, total); }
};

}  // namespace MMD_ISA
}  // namespace mmd
