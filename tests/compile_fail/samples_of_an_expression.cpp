// SPDX-License-Identifier: MIT
// x + x has no memory to look at: evaluate it into a matrix first.
// EXPECT: strided_matrix
#include <Eigen/Core>

#include "mmd/core/samples.hpp"

int main() {
  const Eigen::MatrixXf x = Eigen::MatrixXf::Random(5, 2);
#ifdef MMD_FAILS
  const mmd::samples<float> view(x + x);
#else
  const Eigen::MatrixXf sum = x + x;
  const mmd::samples<float> view(sum);
#endif
  return static_cast<int>(view.rows() - x.rows());
}
