// SPDX-License-Identifier: MIT
// What the statistics ask of a backend, and the one they use when none is given.
#pragma once

#include <concepts>
#include <cstdint>
#include <string_view>

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
};

// Evaluates all pairs of pooled rows once and feeds the reducers, runs independent parts in parallel, and reports progress.
template <class B>
concept backend = requires(const B& on, const pooled<float>& z, const gaussian& k, row_sums& r) {
  { on.reduce(k, z, r) } -> std::same_as<layout>;
  on.for_each(index_t{}, [](index_t) {});
  on.report(std::string_view{}, std::uint64_t{}, std::uint64_t{});
};

inline namespace MMD_ISA {
class cpu;
}  // namespace MMD_ISA

namespace detail {
// cpu, but looked up only where it is used: the floors above the engine need no backend's header.
template <class>
struct default_backend_for {
  using type = cpu;
};
template <class Dependent>
using default_backend = typename default_backend_for<Dependent>::type;
}  // namespace detail

}  // namespace mmd
