// SPDX-License-Identifier: MIT
#include <Eigen/Core>
#include <iostream>
#include <mmd/mmd.hpp>

int main() {
  const Eigen::MatrixXf x = Eigen::MatrixXf::Random(500, 20);                 // 500 rows of 20 features
  const Eigen::MatrixXf y = Eigen::MatrixXf::Random(400, 20).array() * 1.1f;  // the same mean, 10 % wider

  const double h = mmd::median_heuristic<mmd::gaussian>(x, y);
  const mmd::MmdEstimate estimate = mmd::Mmd{mmd::gaussian(h)}(x, y);
  const mmd::TestResult test = mmd::PermutationTest{{.permutations = 999, .seed = 1}}(x, y, mmd::gaussian(h));

  std::cout << "MMD^2 = " << estimate.unbiased << ", p = " << test.p_value
            << (test.reject(0.05) ? ": different\n" : ": no difference seen\n");
}
