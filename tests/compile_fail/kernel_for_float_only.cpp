// SPDX-License-Identifier: MIT
// A kernel computes with every kind of number: packs on the CPU, dual numbers for derivatives.
// EXPECT: takes_every_number
#include "mmd/kernels/algebra.hpp"

struct cauchy {
  static constexpr auto reads = mmd::pair::squared_distance;
#ifdef MMD_FAILS
  float operator()(float d2) const { return 1 / (1 + d2); }
#else
  template <class V>
  V operator()(V d2) const {
    return V(1) / (V(1) + d2);
  }
#endif
};

int main() { [[maybe_unused]] const auto k = mmd::mixture(cauchy{}, mmd::gaussian(1)); }
