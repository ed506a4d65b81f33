// SPDX-License-Identifier: MIT
// Gaussian kernel sums at every precision and by both products, and over d alone, where the two products change places.
#include "cuda/support/kernel_sums.cuh"

void bench::cases() {
  const auto make = [](const auto& x) { return mmd::gaussian(bandwidth_for(x.cols())); };
  add_grid("gaussian", 2, 0, 1, make);
  for (const index_t n : sums_rows()) {  // as a caller has it who asks for nothing
    for (const index_t d : sums_columns()) {
      add_sums<float>({"gaussian", n, d, precision::accurate, product_by::automatic, 2 * static_cast<double>(d)}, "float", make);
    }
  }
  for (const index_t d : {8, 32, 96, 128, 192, 256, 512, 1024}) {
    if (tiny && d > 32) continue;
    for (const product_by by : both_products) {
      for (const precision p : every_precision) add_sums<float>({"gaussian", 32'768, d, p, by, 2 * static_cast<double>(d)}, "float", make);
    }
  }
  for (const index_t d : {64, 768}) {
    if (tiny && d > 64) continue;
    add_sums<mmd::float16>({"gaussian", 100'000, d, precision::accurate, product_by::automatic, 2 * static_cast<double>(d)}, "float16",
                           make);
    add_sums<mmd::bfloat16>({"gaussian", 100'000, d, precision::bf16, product_by::automatic, 2 * static_cast<double>(d)}, "bfloat16", make);
  }
}
