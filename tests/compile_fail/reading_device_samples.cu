// SPDX-License-Identifier: MIT
// The host cannot read what lies on a device: download it.
// EXPECT: on_device|constraints not satisfied|no match for call
#include "mmd/backends/cuda.cuh"
#include "mmd/core/matrix.hpp"

int main() {
  const mmd::cuda on;
  const auto there = on.upload(mmd::matrix<float>(2, 3));
#ifdef MMD_FAILS
  return mmd::device_samples<float>(there)(0, 0) > 0;
#else
  return on.download(mmd::device_samples<float>(there))(0, 0) > 0;
#endif
}
