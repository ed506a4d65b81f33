// SPDX-License-Identifier: MIT
// Compiled once for each machine; MMD_PART is the name of the function that hands it out.
#include "part.hpp"

namespace {
results run(const mmd::samples<float>& x, const mmd::samples<float>& y) {
  return {mmd::Mmd{mmd::gaussian(1)}(x, y), mmd::PermutationTest{{.permutations = 99, .seed = 1}}(x, y, mmd::gaussian(1))};
}
}  // namespace

part MMD_PART() { return {mmd::isa, run}; }
