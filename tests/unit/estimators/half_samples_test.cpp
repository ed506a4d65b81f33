// SPDX-License-Identifier: MIT
// Estimates of half samples: the bits of the same values stored as float.
#include "mmd/backends/cpu.hpp"
#include "mmd/estimators/bandwidth.hpp"
#include "mmd/estimators/energy_distance.hpp"
#include "mmd/estimators/mmd_mp.hpp"
#include "support/catch2.hpp"
#include "support/halves.hpp"

using namespace mmd;

TEMPLATE_TEST_CASE("estimates of half samples are those of the same floats", "", float16, bfloat16) {
  const support::half_and_float<TestType> s(140, 140, 9);
  const gaussian k(2);
  const auto half = Mmd{k}(s.x, s.y), wide = Mmd{k}(s.float_x, s.float_y);
  CHECK(half.unbiased == wide.unbiased);
  CHECK(half.biased == wide.biased);
  CHECK(half.variance == wide.variance);
  CHECK(half.paired == wide.paired);
  CHECK(half.paired_variance == wide.paired_variance);
  CHECK(Mmd{k}.biased(s.x, s.y) == wide.biased);
  const auto half_mp = MmdMp{k}(s.x, s.y), wide_mp = MmdMp{k}(s.float_x, s.float_y);
  CHECK(half_mp.mpp == wide_mp.mpp);
  CHECK(half_mp.variance == wide_mp.variance);
  CHECK(energy_distance(s.x, s.y).unbiased == energy_distance(s.float_x, s.float_y).unbiased);
  CHECK(median_heuristic(s.x, s.y) == median_heuristic(s.float_x, s.float_y));
  CHECK(median_heuristic<laplace>(s.x, s.y, {.max_rows = 100}) == median_heuristic<laplace>(s.float_x, s.float_y, {.max_rows = 100}));
  CHECK(bandwidth_grid(s.x, s.y) == bandwidth_grid(s.float_x, s.float_y));
}

TEMPLATE_TEST_CASE("the objective of half samples and its gradient are those of the same floats", "", float16, bfloat16) {
  const support::half_and_float<TestType> s(60, 45, 7);
  const auto half = mmd_mp_gradient(gaussian(2), s.x, s.y);
  const auto wide = mmd_mp_gradient(gaussian(2), s.float_x, s.float_y);
  CHECK(half.value.objective == wide.value.objective);
  CHECK(half.gradient.features[0] == wide.gradient.features[0]);
  CHECK(mmd_mp_objective(gaussian(2), s.x, s.y).variance == wide.value.variance);
}
