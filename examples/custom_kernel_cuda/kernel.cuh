// SPDX-License-Identifier: MIT
// A kernel of one's own, and what is done with it: one source for every backend.
#pragma once

#include "mmd/inference/permutation_test.hpp"

// -log(1 + |x - y|^2 / scale^2), which grows without end, but slower than any distance: it hears of the tails, and is not ruled by them.
struct log_distance {
  static constexpr auto reads = mmd::pair::squared_distance;
  double scale;
  template <class V>
  MMD_HD V operator()(V d2) const {
    return -log(V(1) + V(1 / (scale * scale)) * d2);
  }
};

template <mmd::backend B>
mmd::TestResult compare(const B& on, const mmd::samples<float>& x, const mmd::samples<float>& y) {
  return mmd::PermutationTest{{.permutations = 999, .seed = 1}}(on, x, y, log_distance{4});
}
