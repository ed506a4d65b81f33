// SPDX-License-Identifier: MIT
// A view of a matrix that dies at the end of the statement would dangle.
// EXPECT: deleted
#include <Eigen/Core>

#include "mmd/core/samples.hpp"

int main() {
  const Eigen::MatrixXf x = Eigen::MatrixXf::Random(5, 2);
#ifdef MMD_FAILS
  const mmd::samples<float> view(Eigen::MatrixXf::Random(5, 2).eval());
#else
  const mmd::samples<float> view(x);
#endif
  return static_cast<int>(view.rows() - x.rows());
}
