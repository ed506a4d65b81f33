// SPDX-License-Identifier: MIT
// An Eigen expression has no memory to look at: evaluate it first.
// EXPECT: sample_matrix
#include <Eigen/Core>

#include "mmd/backends/cpu.hpp"
#include "mmd/inference/permutation_test.hpp"

int main() {
  const Eigen::MatrixXf x = Eigen::MatrixXf::Random(5, 2);
  const mmd::PermutationTest test;
#ifdef MMD_FAILS
  return test(x, x + x, mmd::gaussian(1)).reject(0.05);
#else
  return test(x, (x + x).eval(), mmd::gaussian(1)).reject(0.05);
#endif
}
