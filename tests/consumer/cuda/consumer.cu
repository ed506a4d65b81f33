// SPDX-License-Identifier: MIT
// What a user of the device writes first. Exits 0 if the test finds the shift between two samples, or if there is no device and that is
// said.
#include <cstdio>
#include <string>

#include "mmd/cuda.cuh"

int main() {
  std::string why;
  if (!mmd::cuda::available(&why)) {
    std::printf("mmd %s: %s\n", MMD_VERSION, why.c_str());
    try {
      const mmd::cuda gpu;
      return 1;
    } catch (const mmd::device_error& e) {
      std::printf("%s\n", e.what());
      return why.empty() ? 1 : 0;
    }
  }
  const mmd::cuda gpu({.device = 0});
  mmd::matrix<float> x(40, 3), y(50, 3);
  for (mmd::index_t i = 0; i < 150; ++i) {
    if (i < 120) x(i / 3, i % 3) = static_cast<float>(i * 37 % 101) / 100;
    y(i / 3, i % 3) = static_cast<float>(i * 53 % 101) / 100 + 0.5f;
  }
  const auto result = mmd::Mmd{mmd::gaussian(1)}(gpu, mmd::samples<float>(x), mmd::samples<float>(y));
  std::printf("mmd %s: %g\n", MMD_VERSION, result.biased);
  return result.biased > 0.05 ? 0 : 1;
}
