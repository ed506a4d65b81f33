// SPDX-License-Identifier: MIT
// Samples on a device are for the backend of that device.
// EXPECT: device<float>
#include "mmd/backends/cpu.hpp"
#include "mmd/estimators/mmd.hpp"

int main() {
  const float* const p = nullptr;
#ifdef MMD_FAILS
  const mmd::device_samples<float> x(mmd::device_pointer(p), 2, 3, 3, 1);
#else
  const mmd::samples<float> x(p, 2, 3, 3, 1);
#endif
  return mmd::Mmd{mmd::gaussian(1)}(mmd::cpu{}, x, x).n == 2 ? 0 : 1;
}
