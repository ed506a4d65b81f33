// SPDX-License-Identifier: MIT
// A pointer to the host's memory is no pointer to a device's: upload the samples, or say that the pointer is a device's.
// EXPECT: device<float>
#include <vector>

#include "mmd/backends/cuda.cuh"

int main() {
  const std::vector<float> values(6);
#ifdef MMD_FAILS
  const mmd::device_samples<float> x(values.data(), 2, 3, 3, 1);
#else
  const mmd::device_samples<float> x(mmd::device_pointer(values.data()), 2, 3, 3, 1);
#endif
  return x.rows() == 2 ? 0 : 1;
}
