// SPDX-License-Identifier: MIT
// A reducer of a user's own that only the CPU knows how to feed.
// EXPECT: this reducer has no part for the device
#include "mmd/backends/cuda.cuh"
#include "mmd/core/matrix.hpp"

struct largest_value {
  static constexpr bool shared = false;
  double value = 0;
  void prepare(const mmd::layout&) {}
  void merge(const largest_value&) {}
  std::uint64_t bytes(const mmd::layout&) const { return sizeof value; }
};

int main() {
  const mmd::cuda on;
  const mmd::matrix<float> x(4, 3);
  const mmd::pooled<float> z{.groups = {mmd::samples<float>(x)}};
#ifdef MMD_FAILS
  largest_value reducer;
#else
  mmd::row_sums reducer;
#endif
  on.reduce(mmd::gaussian(1), z, reducer);
}
