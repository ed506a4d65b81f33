// SPDX-License-Identifier: MIT
// The feature spaces of a kernel, packed.
#pragma once

#include <cmath>
#include <vector>

#include "mmd/backends/cpu/features.hpp"
#include "mmd/engine/spaces.hpp"

namespace mmd {
namespace detail {
inline namespace MMD_ISA {

// Packs every space as T, as the slots read it. Names the first value of a map that is not finite.
template <class T, class S>
std::vector<features<T>> pack_spaces(int threads, const layout& lay, const std::vector<panel>& panels, const space_sources<S>& sources,
                                     const space_numbers& numbers) {
  std::vector<features<T>> packed;
  packed.reserve(numbers.packings.size());
  for (const auto& p : numbers.packings) {
    const space_rows& rows = sources.spaces[at(p.space)];
    packed.emplace_back(threads, lay, panels, row_source{rows.parts, rows.order}, p.centre);
    if (rows.raw || std::isfinite(packed.back().largest_norm)) continue;
    for (const stored_rows& part : rows.parts) check_sample(part.as<compute_type<S>>(), "mapped features");
  }
  return packed;
}

}  // namespace MMD_ISA
}  // namespace detail
}  // namespace mmd
