// SPDX-License-Identifier: MIT
// Template of a reducer: something that one pass over the kernel matrix K can keep. Copy this file into include/mmd/engine/,
// reducer_cpu.hpp into include/mmd/backends/cpu/ and reducer_cuda.cuh into include/mmd/backends/cuda/reducers/ (or those that you need into
// your own program), rename `my_reducer`, and change the lines marked [1] to [7]. They compile and are tested as they stand.
#pragma once

#include <algorithm>
#include <vector>

#include "mmd/engine/reducers.hpp"

namespace mmd {
inline namespace MMD_ISA {

// [1] What it holds, in which shape, and how many bytes: largest[g * groups + h] is the largest |k(x, y)|, x != y, of group g against group
// h.
struct my_reducer {
  int groups = 0;
  std::vector<double> largest = {};

  // [2] False: each part of the work fills a copy of its own, and the copies are merged in order. True: the parts write disjoint entries of
  // one.
  static constexpr bool shared = false;
  // [3] Takes its shape from the layout and forgets everything.
  void prepare(const layout& l) {
    groups = l.groups();
    largest.assign(static_cast<std::size_t>(groups * groups), 0);
  }
  // [4] Takes in what another part found. The same order for any number of threads: a sum need not be exact to be reproducible.
  void merge(const my_reducer& other) {
    for (std::size_t i = 0; i < largest.size(); ++i) largest[i] = std::max(largest[i], other.largest[i]);
  }
};

}  // namespace MMD_ISA
}  // namespace mmd
