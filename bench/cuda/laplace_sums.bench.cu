// SPDX-License-Identifier: MIT
// Laplace kernel sums: l1 distances are no inner products, and have one way to be taken.
#include "cuda/support/kernel_sums.cuh"

void bench::cases() {
  const auto make = [](const auto& x) { return mmd::laplace(static_cast<double>(x.cols())); };
  for (const index_t n : sums_rows()) {
    for (const index_t d : sums_columns()) {
      const double flops = 2 * static_cast<double>(d);
      add_sums<float>({"laplace", n, d, precision::accurate, product_by::automatic, flops}, "float", make);
      if (n <= 10'000 || tiny) add_sums<double>({"laplace", n, d, precision::accurate, product_by::automatic, flops}, "double", make);
    }
  }
}
