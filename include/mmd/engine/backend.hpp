// SPDX-License-Identifier: MIT
// What the statistics ask of a backend, and the one they use when none is given.
#pragma once

#include <concepts>
#include <cstdint>
#include <string_view>

#include "mmd/core/matrix.hpp"
#include "mmd/engine/pooled.hpp"
#include "mmd/engine/reducers.hpp"
#include "mmd/kernels/plan.hpp"

namespace mmd {

// What a product reads of an operand: the matrix as it is, or its transpose.
enum class transposed { no, yes };

// What a pass will take, known before it starts.
struct memory_plan {
  std::uint64_t bytes = 0;         // beyond its arguments and results
  std::uint64_t result_bytes = 0;  // what the reducers and the layout will hold
  index_t parts = 0;               // the work is cut into, by the sizes alone
  index_t copies = 0;              // of the reducers, alive at a time; 0 where there is one part
  std::uint64_t device_bytes = 0;  // of a device's memory, of which `bytes` and `result_bytes` count nothing
};

namespace detail {
struct any_part {  // nvcc takes no lambda in a concept
  void operator()(index_t) const {}
};
}  // namespace detail

// Evaluates all pairs of pooled rows once and feeds the reducers, runs independent parts in parallel, and reports progress.
template <class B>
concept backend = requires(const B& on, const pooled<float>& z, const gaussian& k, row_sums& r, const detail::any_part& part) {
  { on.reduce(k, z, r) } -> std::same_as<layout>;
  on.for_each(index_t{}, part);
  on.report(std::string_view{}, std::uint64_t{}, std::uint64_t{});
};

inline namespace MMD_ISA {
class cpu;
}  // namespace MMD_ISA

namespace detail {
inline namespace MMD_ISA {
// What a copy of the reducer takes; one that owns memory says so by `bytes(layout)`.
template <class R>
std::uint64_t reducer_bytes(const R& r, const layout& lay) {
  if constexpr (requires {
                  { r.bytes(lay) } -> std::convertible_to<std::uint64_t>;
                }) {
    return sizeof(R) + static_cast<std::uint64_t>(r.bytes(lay));
  } else {
    return sizeof(R);
  }
}
}  // namespace MMD_ISA

// The pooled rows, or those that z.order names, one after the other, in the memory that they lie in. O(N d).
template <class B, class E>
matrix_of<E> joined_rows(const B& on, const pooled<E>& z) {
  if constexpr (on_device<E>) {
    return on.joined(z);
  } else {
    const bool all = z.order.empty();
    matrix<E> out(all ? z.rows() : static_cast<index_t>(z.order.size()), z.cols());
    for (index_t p = 0; p < out.rows(); ++p) {
      index_t row = all ? p : z.order[static_cast<std::size_t>(p)];
      std::size_t g = 0;
      while (row >= z.groups[g].rows()) row -= z.groups[g++].rows();
      for (index_t c = 0; c < z.cols(); ++c) out(p, c) = z.groups[g](row, c);
    }
    return out;
  }
}

// cpu, but looked up only where it is used: the floors above the engine need no backend's header.
template <class>
struct default_backend_for {
  using type = cpu;
};
template <class Dependent>
using default_backend = typename default_backend_for<Dependent>::type;
}  // namespace detail

}  // namespace mmd
