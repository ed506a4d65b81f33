// SPDX-License-Identifier: MIT
// Results of the authors' code, read by the host's compiler.
#pragma once

#include <string>
#include <vector>

#include "mmd/core/matrix.hpp"
#include "mmd/estimators/deep_objective.hpp"

namespace golden {

struct objective {
  mmd::matrix<double> features, raw;  // the rows of x, then those of y
  mmd::index_t n = 0;                 // of x
  mmd::DeepKernelParameters parameters;
  double statistic = 0, variance = 0, value = 0, by_epsilon = 0, by_sigma_phi = 0, by_sigma_q = 0;
  std::vector<double> by_features, by_raw;
};
// size: "n5", "n37", "n128"; name: "mpp" or "mmd".
objective read_objective(const std::string& size, const std::string& name);

}  // namespace golden
