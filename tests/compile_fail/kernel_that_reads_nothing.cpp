// SPDX-License-Identifier: MIT
// A kernel says which quantity of a pair it reads.
// EXPECT: says_what_it_reads
#include "mmd/kernels/algebra.hpp"

struct cauchy {
#ifndef MMD_FAILS
  static constexpr auto reads = mmd::pair::squared_distance;
#endif
  template <class V>
  V operator()(V d2) const {
    return V(1) / (V(1) + d2);
  }
};

int main() { [[maybe_unused]] const auto k = mmd::mixture(cauchy{}, mmd::gaussian(1)); }
