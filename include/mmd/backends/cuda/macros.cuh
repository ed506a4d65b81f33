// SPDX-License-Identifier: MIT
// The rectangles of tiles that a pass takes one after the other.
#pragma once

#include <algorithm>
#include <vector>

#include "mmd/backends/cuda/fragment.cuh"

namespace mmd {
namespace detail {
inline namespace MMD_ISA {

// The macros that hold a wanted tile, in order. holds(g, h): whether the pairs of groups g <= h are wanted.
template <class Holds>
std::vector<macro> wanted_macros(const std::vector<panel>& panels, int side, Holds&& holds) {
  std::vector<macro> out;
  const index_t count = static_cast<index_t>(panels.size());
  for (index_t i = 0; i < count; i += side) {
    for (index_t j = i; j < count; j += side) {
      const macro m{i, j, static_cast<int>(std::min<index_t>(side, count - i)), static_cast<int>(std::min<index_t>(side, count - j)), side};
      bool wanted = false;
      for (int g = panels[at(i)].group; g <= panels[at(i + m.panels_i - 1)].group; ++g) {
        for (int h = std::max(g, panels[at(j)].group); h <= panels[at(j + m.panels_j - 1)].group; ++h) wanted = wanted || holds(g, h);
      }
      if (wanted) out.push_back(m);
    }
  }
  return out;
}

}  // namespace MMD_ISA
}  // namespace detail
}  // namespace mmd
