// SPDX-License-Identifier: MIT
// The CUDA backend: the CPU's statistics on an NVIDIA device. Kernels, reducers, draws and everything above are the same.
#pragma once

#include <concepts>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <type_traits>
#include <vector>

#include "mmd/backends/cuda/features.cuh"
#include "mmd/backends/cuda/gemm.cuh"
#include "mmd/backends/cuda/gradient.cuh"
#include "mmd/backends/cuda/pass.cuh"
#include "mmd/backends/cuda/precision.cuh"
#include "mmd/backends/cuda/reducers/all.cuh"
#include "mmd/backends/cuda/rows.cuh"
#include "mmd/core/progress.hpp"
#include "mmd/core/simd.hpp"
#include "mmd/engine/backend.hpp"
#include "mmd/engine/float_suffices.hpp"

namespace mmd {

struct CudaOptions {
  int device = 0;
  mmd::precision precision = mmd::precision::accurate;  // of inner products of float features; double is always double
  int threads = 0;                                      // of the host, for its loops; 0: as many as OpenMP offers
  std::uint64_t memory_limit = std::uint64_t{4} << 30;  // bytes of the host's memory, as cpu's
  std::uint64_t device_memory_limit = 0;  // bytes that one pass may take of the device's memory; 0: nine tenths of what is free
  progress_callback progress = {};
  product_by product = product_by::automatic;  // who takes inner products
};

inline namespace MMD_ISA {

// Owns streams, cuBLAS handles and memory of one device; copies share them. Calls wait for their results, but for those that return
// matrices on the device. Callers on several threads take turns. What was submitted to CUDA's default stream is waited for by the device;
// samples that other streams write must be ready.
//   mmd::cuda gpu({.device = 0});
//   const auto result = mmd::PermutationTest{{.permutations = 999}}(gpu, x, y, mmd::gaussian(1.5));
class cuda {
 public:
  mmd::precision precision;
  int threads;
  std::uint64_t memory_limit, device_memory_limit;
  progress_callback progress;
  product_by product;

  // Throws device_error where there is no such device: none at all, no driver or one too old, a compute capability below 8.0.
  explicit cuda(CudaOptions options = {})
      : precision(options.precision),
        threads(options.threads),
        memory_limit(options.memory_limit),
        device_memory_limit(options.device_memory_limit),
        progress(std::move(options.progress)),
        product(options.product),
        context_(std::make_shared<detail::device_context>(options.device)) {}
  // Whether the first device can be used; never throws for want of one. why: in words, where it cannot.
  static bool available(std::string* why = nullptr) {
    const std::string reason = detail::why_not(0);
    if (why) *why = reason;
    return reason.empty();
  }
  const detail::device_context& context() const { return *context_; }  // the device's name and sizes, bytes moved so far

  // What its loops on the host compute with.
  template <class T>
  using pack = detail::single_pack<T>;

  // One pass over all pairs of pooled rows, feeding every reducer; the rows' layout and k(z, z). As cpu's: the same cost, exactness and
  // errors, and the draws, labels and reducers above it. Samples lie on the host or on the device; device samples are gathered where they
  // are, and one that is not finite throws invalid_input with its group, row and column. Float samples are evaluated in double where
  // float does not suffice, as on the CPU.
  // Memory on the device: a packed copy of every feature space, N d values, and macros of tiles, as `plan` says; where less is free, or
  // device_memory_limit says less, macros are smaller. Traffic: the samples up, the reducers' results down, nothing that grows with N^2.
  // The same bits from run to run on one type of device; for other memory limits and settings of `precision` and `product` close, not
  // equal. Throws besides device_error, device_out_of_memory, memory_limit_exceeded: the reducers then hold nothing of use.
  template <class E, kernel K, reducer... R>
  layout reduce(const K& k, const pooled<E>& z, R&... reducers) const {
    const auto turn = context_->enter();
    const work<E, K> w(*this, k, z);
    layout lay = w.lay;
    if (!run_in<compute_type<E>>(w, lay, reducers...)) run_in<double>(w, lay, reducers...);
    return lay;
  }

  // What `reduce` with the same arguments will take, before it starts. Calls every map once, with one row. Does not count what maps
  // allocate while they run, nor the doubled features of float samples evaluated in double. Throws as `reduce` does where the arguments do
  // not fit or a limit is too low.
  template <class E, kernel K, reducer... R>
  memory_plan plan(const K& k, const pooled<E>& z, const R&... reducers) const {
    const auto turn = context_->enter();
    layout lay;
    const auto panels = detail::cut_groups(detail::group_sizes(z), panel_rows, lay);
    const detail::tile_list tiles(lay, panels, z.skip);
    const auto made = detail::space_widths(k, z, slots_of<K>{}, detail::convert_for_device{context_});
    std::vector<index_t> widths;
    for (const auto& p : detail::numbers_of(slots_of<K>{}).packings) widths.push_back(made.widths[detail::at(p.space)]);
    const auto p = plan_pass<compute_type<E>>(slots_of<K>{}, widths, lay, panels, on_device<E> ? made.made_bytes : 0, reducers...);
    memory_plan out;
    out.bytes = host_bytes(lay, panels) + (on_device<E> ? 0 : made.made_bytes);
    out.result_bytes = (detail::doubles(lay.rows) + ... + detail::reducer_bytes(reducers, lay));
    out.device_bytes = p.bytes;
    out.parts = static_cast<index_t>(detail::wanted_macros(panels, p.tiles.side, [&](int g, int h) { return tiles.holds(g, h); }).size());
    out.copies = std::min<index_t>(out.parts, detail::device_context::streams);
    return out;
  }

  // As cpu's gradient. Features of samples on the device stay there.
  template <class E, kernel K>
  kernel_gradient<computed<E>> gradient(const K& k, const pooled<E>& z, const pair_weights& weights, gradient_of wanted = {}) const {
    detail::require(z.order.empty(), "order.size()", z.order.size(), "no order: weights belong to rows and groups as given");
    const auto turn = context_->enter();
    const work<E, K> w(*this, k, z);
    detail::check_weights(weights, w.lay);
    using value = compute_type<E>;
    std::vector<bool> of_space;
    for (const auto& s : w.sources.spaces) of_space.push_back(s.raw ? wanted.raw : wanted.mapped);
    const auto as = [&]<class T>(const std::vector<detail::device_features<T>>& packed) {
      auto found = detail::weighted_gradient<value>(context_, {precision, product}, k, slots_of<K>{}, packed, of_space, w.lay, w.panels,
                                                    w.tiles, weights, device_memory_limit, reporter{*this, "gradient"});
      if constexpr (on_device<E>) {
        return found;
      } else {
        kernel_gradient<value> out{{}, std::move(found.scales), std::move(found.constants)};
        for (const auto& f : found.features) out.features.push_back(f.rows() == 0 ? matrix<value>() : download(f));
        return out;
      }
    };
    const auto packed = w.template pack<value>();
    if constexpr (std::same_as<value, float>) {
      if (!w.float_suffices(packed)) return as(w.template pack<double>());
    }
    return as(packed);
  }

  // Values in the memory that it computes in.
  template <class T>
  using element = device<T>;
  // A copy of the host's values on the device. They have been read on return.
  template <sample_matrix M>
  requires host_number<typename M::Scalar> DeviceMatrix<typename M::Scalar> upload(const M& x)
  const { return detail::upload(context_, threads, samples<typename M::Scalar>(x)); }
  // A copy of the device's values on the host.
  template <sample_matrix M>
  requires on_device<typename M::Scalar> matrix<host_value<typename M::Scalar>> download(const M& x)
  const {
    if constexpr (requires { x.context(); }) {
      return detail::download(x.context() ? x.context() : context_, samples<typename M::Scalar>(x));  // in the order of its own work
    } else {
      return detail::download(context_, samples<typename M::Scalar>(x));
    }
  }
  // The rows of the groups, or those that z.order names, one after the other.
  template <class T>
  DeviceMatrix<T> joined(const pooled<device<T>>& z) const {
    return detail::joined_on_device(context_, z);
  }
  // A new shape; the values are unspecified afterwards. Keeps its memory where that is large enough.
  template <class T>
  void resize(DeviceMatrix<T>& m, index_t rows, index_t cols) const {
    if (m.context() == context_) {
      m.resize(rows, cols);
    } else {
      m = DeviceMatrix<T>(context_, rows, cols);
    }
  }
  // memory = the values, in one row. Keeps its memory where that is large enough.
  template <class T>
  void put(std::span<const T> values, DeviceMatrix<T>& memory) const {
    const auto turn = context_->enter();
    resize(memory, 1, static_cast<index_t>(values.size()));
    context_->put(raw_pointer(memory.data()), values.data(), values.size_bytes(), context_->stream(0));
  }
  // Waits for all work that was submitted.
  void synchronize() const {
    const auto turn = context_->enter();
    for (int s = 0; s < detail::device_context::streams; ++s) context_->synchronize(context_->stream(s));
  }

  // C = alpha op(A) op(B) + beta C for matrices on the device, by cuBLAS, in the backend's precision; C is not read where beta = 0. Rows or
  // columns of each matrix must be contiguous, and C may not share memory with A or B. The same bits from run to run on one device. Throws
  // invalid_input for shapes or strides that do not fit.
  template <strided_matrix A, strided_matrix B, detail::writable_matrix C>
  requires std::same_as<typename A::Scalar, typename C::Scalar> && std::same_as<typename B::Scalar, typename C::Scalar> &&
      on_device<typename C::Scalar>
  void gemm(transposed of_a, transposed of_b, host_value<typename C::Scalar> alpha, const A& a, const B& b,
            host_value<typename C::Scalar> beta, C& c) const {
    const auto turn = context_->enter();
    detail::device_product<host_value<typename C::Scalar>>(*context_, precision, of_a, of_b, alpha, samples<typename C::Scalar>(a),
                                                           samples<typename C::Scalar>(b), beta, c);
  }

  // What a functor of learning/rows.hpp does to each row, to each row with sums, to each part of a vector: on the device, a warp each.
  template <class F>
  void for_each_row(index_t rows, const F& f) const {
    detail::run_rows(*context_, rows, f);
  }
  template <class T, class F>
  void sum_rows(index_t rows, index_t width, DeviceMatrix<T>& partials, const F& f) const {
    resize(partials, detail::row_chunks(rows).count, width);
    detail::run_sums(*context_, rows, width, raw_pointer(partials.data()), f);
  }
  template <class F>
  void for_each_part(index_t size, const F& f) const {
    detail::run_parts(*context_, size, f);
  }

  // f(0), ..., f(count - 1) in parallel on the host, as cpu's.
  void for_each(index_t count, detail::part_function f) const { detail::parallel_for(threads, count, f); }
  // Calls `progress`, if there is one and this is no parallel loop. Throws cancelled when it asks for that.
  void report(std::string_view stage, std::uint64_t done, std::uint64_t total) const {
    if (progress && !detail::in_parallel()) detail::report(progress, stage, done, total);
  }

 private:
  struct reporter {
    const cuda& on;
    std::string_view stage;
    bool wanted() const { return on.progress && !detail::in_parallel(); }
    void operator()(index_t done, index_t total) const {
      on.report(stage, static_cast<std::uint64_t>(done), static_cast<std::uint64_t>(total));
    }
  };

  // What a pass reads: the rows, how they are cut, and where they lie.
  template <class E, class K>
  struct work {
    using slots = slots_of<K>;
    const cuda& on;
    const decltype(without_maps(std::declval<const K&>())) k;
    layout lay;
    std::vector<panel> panels;
    detail::tile_list tiles;
    detail::space_sources<E, detail::convert_for_device> sources;
    detail::space_numbers numbers = detail::numbers_of(slots{});
    std::vector<index_t> widths;  // of each packing
    detail::buffer<panel> panels_there;

    work(const cuda& backend, const K& with_maps, const pooled<E>& z)
        : on(backend),
          k(without_maps(with_maps)),
          panels(detail::cut_groups(detail::group_sizes(z), panel_rows, lay)),
          tiles(lay, panels, z.skip),
          sources(with_maps, z, slots{}, {on.context_}),
          panels_there(*on.context_, static_cast<index_t>(panels.size()), on.context_->stream(0), "panels") {
      for (const auto& p : numbers.packings) widths.push_back(sources.spaces[detail::at(p.space)].parts.front().cols);
      panels_there.put(panels, on.context_->stream(0));
    }
    template <class T>
    std::vector<detail::device_features<T>> pack() const {
      return detail::pack_on_device<T>(detail::packer(*on.context_, on.threads, lay, panels, panels_there), sources, numbers);
    }
    bool float_suffices(const std::vector<detail::device_features<float>>& packed) const {
      return [&]<class... Q>(expression::list<Q...>) {
        const auto extent = [&](int packing) -> detail::slot_extent {
          return {packed[detail::at(packing)].largest_norm, packed[detail::at(packing)].d};
        };
        return detail::float_suffices(k, slots{}, {extent(detail::packing_index<Q>(slots{}))...});
      }(slots{});
    }
    // k(z, z) of every row.
    template <class T>
    std::vector<double> same_points(const std::vector<detail::device_features<T>>& packed) const {
      return [&]<class... Q>(expression::list<Q...>) {
        constexpr bool inner[] = {Q::quantity == pair::inner_product...};
        constexpr int packing[] = {detail::packing_index<Q>(slots{})...};
        std::vector<std::vector<T>> norm(packed.size());
        expression::values<number<double>, slots> at_row;
        for (std::size_t s = 0; s < sizeof...(Q); ++s) {
          at_row.v[s] = 0.0;
          const auto& f = packed[detail::at(packing[s])];
          auto& values = norm[detail::at(packing[s])];
          if (!inner[s] || !values.empty()) continue;
          values.resize(detail::at(f.rows));
          f.norm.get(values, on.context_->stream(0));
        }
        std::vector<double> out(detail::at(lay.rows), evaluate<number<double>>(k, at_row).v);
        if constexpr ((inner[0] || ... || (Q::quantity == pair::inner_product))) {
          for (const panel& p : panels) {
            for (int r = 0; r < p.rows; ++r) {
              for (std::size_t s = 0; s < sizeof...(Q); ++s) {
                if (inner[s]) at_row.v[s] = static_cast<double>(norm[detail::at(packing[s])][detail::at(p.packed + r)]);
              }
              out[detail::at(p.first + r)] = evaluate<number<double>>(k, at_row).v;
            }
          }
        }
        return out;
      }(slots{});
    }
  };

  template <class T, int slots>
  struct pass_on_device {
    detail::tile_plan<T, slots> tiles;
    std::uint64_t bytes;
  };
  // widths: of each packing; made_bytes: what maps made on the device. Throws where the pass does not fit even with the smallest macros.
  template <class T, class Slots, class... R>
  pass_on_device<T, Slots::size> plan_pass(Slots slots, const std::vector<index_t>& widths, const layout& lay,
                                           const std::vector<panel>& panels, std::uint64_t made_bytes, const R&... reducers) const {
    const index_t count = static_cast<index_t>(panels.size());
    std::uint64_t fixed = made_bytes + panels.size() * sizeof(panel) + detail::at(lay.groups() * lay.groups()), packing = 0;
    for (const index_t d : widths) {
      fixed += detail::device_features_bytes(count, d, sizeof(T));
      packing = std::max(packing, detail::packing_bytes(lay.rows, count, d));
    }
    const std::uint64_t free = context_->free_bytes(), limit = device_memory_limit > 0 ? device_memory_limit : free / 10 * 9;
    constexpr std::uint64_t workspaces = detail::device_context::streams * detail::device_context::workspace_bytes;
    const std::uint64_t taken = fixed + workspaces, room = taken < limit ? limit - taken : 0;
    const auto tiles = detail::plan_tiles<T>(*context_, {precision, product}, slots, widths, lay, count, room, reducers...);
    const std::uint64_t bytes = fixed + std::max(packing, tiles.bytes + (tiles.library_products() > 0 ? workspaces : 0));
    const std::string what = "a pass over " + std::to_string(lay.rows) + " rows";
    if (device_memory_limit > 0 && bytes > limit) throw memory_limit_exceeded("mmd: on the device, " + what, bytes, limit);
    if (bytes > free) throw device_out_of_memory(detail::on_current_device() + what, bytes, free, context_->total_bytes);
    return {tiles, bytes};
  }
  // The pass in T; false, and nothing done to the reducers, where T is float and does not suffice.
  template <class T, class E, class K, class... R>
  bool run_in(const work<E, K>& w, layout& lay, R&... reducers) const {
    const auto plan =
        plan_pass<T>(slots_of<K>{}, w.widths, lay, w.panels, on_device<E> ? w.sources.made_bytes : 0, std::as_const(reducers)...);
    const auto packed = w.template pack<T>();
    if constexpr (std::same_as<T, float>) {
      if (!w.float_suffices(packed)) return false;
    }
    lay.diagonal = w.same_points(packed);
    (reducers.prepare(lay), ...);
    detail::run_tiles<T>(*context_, {precision, product}, w.k, slots_of<K>{}, plan.tiles, packed, lay, w.panels, w.panels_there, w.tiles,
                         reporter{*this, "pairs"}, reducers...);
    return true;
  }
  static std::uint64_t host_bytes(const layout& lay, const std::vector<panel>& panels) {
    constexpr std::uint64_t slack = 1 << 16;  // small vectors
    return slack + panels.size() * (sizeof(panel) + 128 * sizeof(double)) + detail::doubles(lay.rows);
  }

  std::shared_ptr<detail::device_context> context_;
};

}  // namespace MMD_ISA
}  // namespace mmd
