// SPDX-License-Identifier: MIT
// What a user writes first. Exits 0 if the test finds the shift between two samples and a bad argument arrives as an exception.
#include <Eigen/Dense>
#include <cstdio>

#include "mmd/mmd.hpp"

int main() {
  std::srand(1);
  const Eigen::MatrixXf x = Eigen::MatrixXf::Random(40, 3), y = Eigen::MatrixXf::Random(50, 3).array() + 0.5f;
  const mmd::TestResult result = mmd::PermutationTest{{.permutations = 199}}(x, y, mmd::gaussian(1));
  std::printf("mmd %s, %s: p = %g\n", MMD_VERSION, mmd::isa, result.p_value);
  try {
    mmd::gaussian(-1);
    return 1;
  } catch (const mmd::invalid_input& e) {
    std::printf("%s\n", e.what());
  }
  return result.p_value <= 0.01 ? 0 : 1;
}
