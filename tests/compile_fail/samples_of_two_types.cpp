// SPDX-License-Identifier: MIT
// The samples of a test have one type: convert one of them.
// EXPECT: same_as
#include "mmd/backends/cpu.hpp"
#include "mmd/core/matrix.hpp"
#include "mmd/estimators/mmd.hpp"

int main() {
  const mmd::matrix<float> x(5, 2);
#ifdef MMD_FAILS
  const mmd::matrix<double> y(5, 2);
#else
  const mmd::matrix<float> y(5, 2);
#endif
  return mmd::Mmd{mmd::gaussian(1)}(x, y).biased > 1;
}
