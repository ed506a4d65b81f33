// SPDX-License-Identifier: MIT
// One pass over the tiles on the device: the host walks through macros on two streams in turn; for each, cuBLAS takes what products are its
// own, one kernel evaluates all tiles and hands them to the reducers, and every reducer folds what the tiles left.
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <tuple>
#include <type_traits>
#include <utility>
#include <vector>

#include "mmd/backends/cuda/choice.cuh"
#include "mmd/backends/cuda/evaluate.cuh"
#include "mmd/backends/cuda/features.cuh"
#include "mmd/backends/cuda/gemm.cuh"
#include "mmd/backends/cuda/half_features.cuh"
#include "mmd/backends/cuda/macros.cuh"
#include "mmd/backends/cuda/reducers/part.cuh"
#include "mmd/engine/spaces.hpp"

namespace mmd {
namespace detail {
inline namespace MMD_ISA {

// How products are to be taken, as the backend's options say it.
struct product_options {
  precision exact = precision::accurate;
  product_by by = product_by::automatic;
};

// How a pass over the tiles is cut and what it takes on the device, beside packed features.
template <class T, int n>
struct tile_plan {
  int side = 1;
  std::array<product_choice, n> slots{};
  std::uint64_t bytes = 0;  // products of macros, features in bf16, and the reducers' device parts
  int library_products() const {
    int count = 0;
    for (const product_choice& c : slots) count += c.library;
    return count;
  }
};

inline constexpr bool is_product(pair quantity) { return quantity == pair::squared_distance || quantity == pair::inner_product; }

// Whether cuBLAS takes this slot's products from a copy of the features in bf16.
template <class T>
bool takes_bf16(precision exact, const product_choice& slot) {
  return sizeof(T) == 4 && exact == precision::bf16 && slot.library;
}

// widths: d of every packing. The side of a macro is halved until the pass fits in `room` bytes, or is 1. Reducers need not be prepared.
template <class T, class... Q, class... R>
tile_plan<T, sizeof...(Q)> plan_tiles(const device_context& on, product_options how, expression::list<Q...>,
                                      const std::vector<index_t>& widths, const layout& lay, index_t panels, std::uint64_t room,
                                      const R&... reducers) {
  constexpr int n = sizeof...(Q), slices = 8 / columns_of_pass<T, R...>(n);
  constexpr std::array<pair, n> quantity{Q::quantity...};
  constexpr std::array<int, n> packing{packing_index<Q>(expression::list<Q...>{})...};
  tile_plan<T, n> plan;
  index_t widest = 1;
  std::uint64_t fixed = 0;
  for (int s = 0; s < n; ++s) {
    const index_t d = widths[at(packing[at(s)])];
    plan.slots[at(s)] = choose_product<T>(on.capability, how.exact, how.by, d);
    if (!is_product(quantity[at(s)])) plan.slots[at(s)].library = false;
    if (takes_bf16<T>(how.exact, plan.slots[at(s)])) fixed += bf16_bytes(panels, d);
    widest = std::max(widest, d);
  }
  const auto bytes = [&](int side) {
    const std::uint64_t rows = static_cast<std::uint64_t>(side) * panel_rows;
    std::uint64_t sum = fixed + static_cast<std::uint64_t>(device_context::streams * plan.library_products()) * rows * rows * sizeof(T);
    ((sum += device_part<R>::bytes(reducers, lay, side, slices)), ...);
    return sum;
  };
  plan.side = macro_side(on.l2_bytes, panels, plan.library_products(), sizeof(T), widest);
  while (bytes(plan.side) > room && plan.side > 1) plan.side /= 2;
  plan.bytes = bytes(plan.side);
  return plan;
}

// Waits for both streams at the end of its life, whatever was thrown: what they used may then be freed.
struct streams_idle {
  device_context& on;
  ~streams_idle() {
    for (int s = 0; s < device_context::streams; ++s) cudaStreamSynchronize(on.stream(s));
  }
};

// The kernel's tiles, macro by macro, into the device's parts of the reducers. K: without maps.
template <class T, class K, class Slots, class... R>
class tile_pass;
template <class T, class K, class... Q, class... R>
class tile_pass<T, K, expression::list<Q...>, R...> {
  using slots = expression::list<Q...>;
  static constexpr int n = sizeof...(Q), C = columns_of_pass<T, R...>(n), slices = 8 / C;
  static constexpr bool products_only = (is_product(Q::quantity) && ...);
  static_assert(n > 0, "a constant is not a kernel between samples");
  static_assert(std::is_trivially_copyable_v<K>, "a kernel that the device evaluates is copied to it byte by byte");

 public:
  // Allocates what the plan says. The reducers are prepared. Throws device_out_of_memory, device_error.
  tile_pass(device_context& on, const K& k, const tile_plan<T, n>& plan, const std::vector<device_features<T>>& packed, const layout& lay,
            const std::vector<panel>& panels, const panel* panels_there, const unsigned char* skipped_there, precision exact,
            R&... reducers)
      : on_(on),
        k_(k),
        plan_(plan),
        exact_(exact),
        parts_{std::make_unique<device_part<R>>(on, reducers, lay, panels, plan.side, slices)...} {
    constexpr std::array<int, n> packing{packing_index<Q>(slots{})...};
    job_.pass = {panels_there, skipped_there, lay.groups()};
    for (int s = 0; s < n; ++s) {
      const device_features<T>& f = packed[at(packing[at(s)])];
      job_.slots[s] = {f.z.data(), f.norm.data(), f.d_padded, nullptr, ld(), plan.slots[at(s)].by};
      if (!plan.slots[at(s)].library) continue;
      if constexpr (sizeof(T) == 4) {
        if (takes_bf16<T>(exact, plan.slots[at(s)])) bf16_[at(s)] = in_bf16(on, f);
      }
      for (int stream = 0; stream < device_context::streams; ++stream)
        products_[at(stream)][at(s)] = buffer<T>(on, ld() * ld(), on.stream(stream), "inner products of a macro");
    }
  }

  // Submits all that a macro takes to one stream.
  void submit(const macro& m, int stream) {
    tile_job<T, n> job = job_;
    job.at = m;
    for (int s = 0; s < n; ++s) {
      const slot_source<T>& from = job.slots[s];
      T* const product = products_[at(stream)][at(s)].data();
      job.slots[s].product = product;
      if (!product) continue;
      const index_t first_i = m.i_panel * panel_rows, rows = index_t{m.panels_i} * panel_rows, first_j = m.j_panel * panel_rows,
                    columns = index_t{m.panels_j} * panel_rows;
      if constexpr (sizeof(T) == 4) {
        if (bf16_[at(s)].size() > 0) {
          bf16_product(on_, stream, bf16_[at(s)], from.width, first_i, rows, first_j, columns, product, ld());
          continue;
        }
      }
      // Row i of the product after row i - 1: to cuBLAS, which counts by columns, Z_J' times Z_I.
      blas_product(on_, stream, exact_, CUBLAS_OP_T, CUBLAS_OP_N, columns, rows, from.width, T(1), from.z + first_j * from.width,
                   from.width, from.z + first_i * from.width, from.width, T(0), product, ld());
    }
    if constexpr (products_only && sizeof(T) == 4) {
      plan_.library_products() == n ? evaluate<true>(job, stream) : evaluate<false>(job, stream);
    } else {
      evaluate<false>(job, stream);
    }
    std::apply([&](auto&... part) { (part->fold(stream, m, job.pass), ...); }, parts_);
  }
  // Brings everything into the reducers.
  void finish() {
    std::apply([](auto&... part) { (part->finish(), ...); }, parts_);
  }

 private:
  device_context& on_;
  K k_;
  tile_plan<T, n> plan_;
  precision exact_;
  tile_job<T, n> job_{};
  std::array<bf16_features, n> bf16_;
  std::array<std::array<buffer<T>, n>, device_context::streams> products_;
  std::tuple<std::unique_ptr<device_part<R>>...> parts_;

  template <bool library>
  void evaluate(const tile_job<T, n>& job, int stream) {
    using views = view_list<typename device_part<R>::view...>;
    const dim3 grid(static_cast<unsigned>(job.at.panels_j * slices), static_cast<unsigned>(job.at.panels_i));
    launch(tile_kernel<library, T, C, K, slots, views>, grid, tile_threads, tile_shared, on_.stream(stream), job, k_,
           std::apply([&](const auto&... part) { return views_of(part->on_stream(stream)...); }, parts_));
  }
  index_t ld() const { return index_t{plan_.side} * panel_rows; }
};

// The whole pass. The reducers are prepared; features, panels_there and all else lie in the order of stream 0. report(done, total) is
// called between macros, and where report.wanted(), one macro at most is submitted beyond the one that a stream works at. If the device
// runs out of memory, the pass is set up again with smaller macros. Deterministic: sums are taken in an order that the plan fixes. Traffic
// between host and device: the table of skipped groups, and what the reducers hold. Throws device_out_of_memory, device_error, cancelled.
template <class T, class K, class... Q, class Report, class... R>
void run_tiles(device_context& on, product_options how, const K& k, expression::list<Q...>, tile_plan<T, sizeof...(Q)> plan,
               const std::vector<device_features<T>>& packed, const layout& lay, const std::vector<panel>& panels,
               const buffer<panel>& panels_there, const tile_list& tiles, const Report& report, R&... reducers) {
  const int groups = lay.groups();
  std::vector<unsigned char> skipped(at(groups * groups));
  for (int g = 0; g < groups; ++g) {
    for (int h = 0; h < groups; ++h) skipped[at(g * groups + h)] = !tiles.holds(g, h);
  }
  buffer<unsigned char> skipped_there(on, static_cast<index_t>(skipped.size()), on.stream(0), "pairs of groups to skip");
  skipped_there.put(skipped, on.stream(0));
  using pass = tile_pass<T, K, expression::list<Q...>, R...>;
  std::unique_ptr<pass> work;
  const streams_idle before_memory_is_freed{on};
  while (!work) {
    try {
      work = std::make_unique<pass>(on, k, plan, packed, lay, panels, panels_there.data(), skipped_there.data(), how.exact, reducers...);
    } catch (const device_out_of_memory&) {
      if (plan.side == 1) throw;
      plan.side /= 2;
    }
  }
  for (int s = 1; s < device_context::streams; ++s) on.order(0, s);
  const auto macros = wanted_macros(panels, plan.side, [&](int g, int h) { return tiles.holds(g, h); });
  const index_t total = static_cast<index_t>(macros.size());
  for (index_t step = 0; step < total; ++step) {
    const int stream = static_cast<int>(step % device_context::streams);
    if (report.wanted()) on.synchronize(on.stream(stream));
    report(step, total);
    work->submit(macros[at(step)], stream);
  }
  work->finish();
  report(total, total);
}

}  // namespace MMD_ISA
}  // namespace detail
}  // namespace mmd
