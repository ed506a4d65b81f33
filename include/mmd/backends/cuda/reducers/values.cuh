// SPDX-License-Identifier: MIT
// Reducers that keep single values of K, on the device.
#pragma once

#include <cstddef>
#include <span>
#include <utility>
#include <vector>

#include "mmd/backends/cuda/mma.cuh"
#include "mmd/backends/cuda/reducers/part.cuh"

namespace mmd {
namespace detail {
inline namespace MMD_ISA {

// Writes one value to the places that a reducer names.
template <class U, class T>
struct put_value {
  U* values;
  T value;
  MMD_HD void operator()(index_t place) const { values[place] = static_cast<U>(value); }
};

// Every pair i < j once, wherever it stands in its tile.
template <class U, class Places>
struct values_view {
  U* values;
  [[no_unique_address]] Places places;

  template <class T, int C>
  __device__ void add(const fragment<T, C>& k, const tile_place& p, unsigned char*) const {
    using F = fragment<T, C>;
#pragma unroll
    for (int a = 0; a < 8; ++a) {
#pragma unroll
      for (int b = 0; b < C; ++b) {
        const int t = thread_of_block(), row = F::row(t, a), column = F::column(t, b);  // read anew: places of all would fill the registers
        // ints: pools whose values are kept singly are smaller
        const int i = static_cast<int>(p.first_i) + row, j = static_cast<int>(p.first_j) + column;
        if (row >= p.rows || column >= p.cols || i >= j) continue;
        places(p.group_i, i, p.group_j, j, put_value<U, T>{values, k.v[a][b]});
      }
    }
  }
};

// Gives the places of a reducer copies of its tables.
class device_tables {
 public:
  explicit device_tables(device_context& on) : on_(&on) {}
  template <class X>
  const X* operator()(const std::vector<X>& table) const {
    made_.push_back(upload(*on_, std::as_bytes(std::span(table)), "a table of a reducer"));
    return reinterpret_cast<const X*>(made_.back().data());
  }

 private:
  device_context* on_;
  mutable std::vector<buffer<std::byte>> made_;
};

// Memory: what the reducer holds.
template <keeps_values R>
class device_part<R> {
  using array = std::remove_reference_t<decltype(std::declval<R&>().stored())>;
  using value = typename array::value_type;
  using places = decltype(std::declval<const R&>().places(std::declval<const device_tables&>()));

 public:
  using view = values_view<value, places>;

  device_part(device_context& on, R& r, const layout& lay, const std::vector<panel>&, int, int)
      : on_(&on),
        r_(&r),
        layout_(&lay),
        tables_(on),
        places_(std::as_const(r).places(std::as_const(tables_))),
        values_(on, static_cast<index_t>(r.stored().size()), on.stream(0), "values of K") {
    values_.zero(on.stream(0));
    for (int s = 1; s < device_context::streams; ++s) on.order(0, s);
  }
  static std::uint64_t bytes(const R& r, const layout& lay, int, int) { return r.bytes(lay); }
  view on_stream(int) const { return {values_.data(), places_}; }
  void fold(int, const macro&, const pass_view&) {}
  void finish() {
    for (int s = 1; s < device_context::streams; ++s) on_->order(s, 0);
    values_.get(r_->stored(), on_->stream(0));
    if constexpr (requires { r_->set_diagonal(*layout_); }) r_->set_diagonal(*layout_);
  }

 private:
  device_context* on_;
  R* r_;
  const layout* layout_;
  device_tables tables_;
  places places_;
  buffer<value> values_;
};

}  // namespace MMD_ISA
}  // namespace detail
}  // namespace mmd
