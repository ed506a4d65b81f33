// SPDX-License-Identifier: MIT
// A kernel of one's own on the CPU and on a device: the same draws, and so the same p-value.
#include <iostream>
#include <mmd/mmd.hpp>

#include "kernel.cuh"

mmd::TestResult compare_on_device(const mmd::samples<float>& x, const mmd::samples<float>& y);

namespace {

// Normal rows, every tenth of them `wider` times as wide.
mmd::matrix<float> rows(mmd::index_t n, mmd::index_t d, std::uint64_t seed, double wider) {
  mmd::random_stream draw(seed, mmd::purpose::user);
  mmd::matrix<float> x(n, d);
  for (mmd::index_t i = 0; i < n; ++i) {
    for (mmd::index_t k = 0; k < d; ++k) x(i, k) = static_cast<float>(draw.normal() * (i % 10 == 0 ? wider : 1));
  }
  return x;
}

}  // namespace

int main() {
  const auto x = rows(200, 20, 1, 1), y = rows(250, 20, 2, 3);
  const auto show = [](const char* where, const mmd::TestResult& test) {
    std::cout << where << ": MMD^2 = " << test.statistic << ", p = " << test.p_value << '\n';
  };
  try {
    show("cpu ", compare(mmd::cpu{}, x, y));
    show("cuda", compare_on_device(x, y));
  } catch (const mmd::error& e) {
    std::cerr << "custom_kernel_cuda: " << e.what() << '\n';
    return 3;
  }
}
