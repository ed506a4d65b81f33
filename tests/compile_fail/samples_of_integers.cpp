// SPDX-License-Identifier: MIT
// Samples are floating-point numbers: convert integers first.
// EXPECT: sample_matrix
#include "mmd/backends/cpu.hpp"
#include "mmd/core/matrix.hpp"
#include "mmd/estimators/mmd.hpp"

int main() {
  const mmd::matrix<float> x(5, 2);
#ifdef MMD_FAILS
  const mmd::matrix<int> y(5, 2);
#else
  const mmd::matrix<float> y(5, 2);
#endif
  return mmd::Mmd{mmd::gaussian(1)}(x, y).biased > 1;
}
