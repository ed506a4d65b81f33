// SPDX-License-Identifier: MIT
// A kernel of inner products has no distance whose median could be its bandwidth.
// EXPECT: it has no bandwidth
#include "mmd/backends/cpu.hpp"
#include "mmd/estimators/bandwidth.hpp"

int main() {
  const mmd::matrix<double> x(3, 1, {0, 1, 2}), y(2, 1, {5, 7});
#ifdef MMD_FAILS
  return mmd::median_heuristic<mmd::polynomial>(x, y) > 0 ? 0 : 1;
#else
  return mmd::median_heuristic<mmd::gaussian>(x, y) > 0 ? 0 : 1;
#endif
}
