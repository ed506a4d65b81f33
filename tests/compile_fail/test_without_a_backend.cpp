// SPDX-License-Identifier: MIT
// Statistics know no hardware: the header of the backend has to be included, mmd.hpp does.
// EXPECT: incomplete
#ifndef MMD_FAILS
#include "mmd/backends/cpu.hpp"
#endif
#include "mmd/core/matrix.hpp"
#include "mmd/estimators/mmd.hpp"

int main() {
  const mmd::matrix<float> x(5, 2);
  return mmd::Mmd{mmd::gaussian(1)}(x, x).biased > 1;
}
