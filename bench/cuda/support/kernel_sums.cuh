// SPDX-License-Identifier: MIT
// One pass over all pairs of N pooled rows with the row sums that every estimator needs, on the device, for any kernel.
#pragma once

#include <cmath>
#include <string>
#include <vector>

#include "cuda/support/limits.cuh"
#include "mmd/kernels/algebra.hpp"

namespace bench {

inline double bandwidth_for(index_t d) { return std::sqrt(2.0 * static_cast<double>(d)); }

template <class T, class K>
void sums(const mmd::cuda& on, const K& k, const mmd::DeviceMatrix<T>& x) {
  mmd::row_sums sums;
  benchmark::DoNotOptimize(on.reduce(k, mmd::pooled<mmd::device<T>>{{device_samples<T>(x)}}, sums));
  benchmark::DoNotOptimize(sums.sums.data());
}

struct sums_case {
  std::string kernel;
  index_t n, d;
  precision arithmetic = precision::accurate;
  product_by product = product_by::automatic;
  double flops_of_pair = 0;  // two a multiply-add
  double exponentials_of_pair = 1;
};

// make(x): the kernel for the rows x. The case is named kernel_sums/KERNEL/TYPE/PRECISION/PRODUCT/N:../d:..
template <class T, class Make>
void add_sums(const sums_case& c, const char* type, Make make) {
  const std::string name = "kernel_sums/" + c.kernel + "/" + type + "/" + to_string(c.arithmetic) + "/" + to_string(c.product);
  add_case(at(name, {{"N", c.n}, {"d", c.d}}), [=](State& state) {
    const auto& x = rows<T>(rows_or_few(c.n), c.d);
    const auto k = make(x);
    const mmd::cuda& on = gpu(c.arithmetic, c.product);
    const double time = measure(state, [&] { sums(on, k, x); });
    const double pairs = pairs_of(x.rows());
    rates(state, {.pairs = pairs, .flops = pairs * c.flops_of_pair, .exponentials = sizeof(T) <= 4 ? pairs * c.exponentials_of_pair : 0},
          time);
    mmd::row_sums taken;
    const auto plan = on.plan(k, mmd::pooled<mmd::device<T>>{{device_samples<T>(x)}}, taken);
    state.counters["planned_bytes"] = static_cast<double>(plan.bytes + plan.result_bytes);
  });
}

inline std::vector<index_t> sums_rows() { return tiny ? std::vector<index_t>{100'000} : std::vector<index_t>{10'000, 100'000}; }
inline std::vector<index_t> sums_columns() { return tiny ? std::vector<index_t>{16, 64} : std::vector<index_t>{16, 64, 384, 768}; }
constexpr product_by both_products[] = {product_by::fused, product_by::library};
constexpr precision every_precision[] = {precision::accurate, precision::tf32, precision::bf16};

// The grid of sizes in float at every precision, and in double, by both products. cost.flops_of_pair: of one feature, times d.
template <class Make>
void add_grid(const std::string& kernel, double flops_of_feature, double other_flops, double exponentials, Make make) {
  for (const index_t n : sums_rows()) {
    for (const index_t d : sums_columns()) {
      const double flops = flops_of_feature * static_cast<double>(d) + other_flops;
      for (const product_by by : both_products) {
        for (const precision p : every_precision) add_sums<float>({kernel, n, d, p, by, flops, exponentials}, "float", make);
        if (n <= 10'000 || tiny) add_sums<double>({kernel, n, d, precision::accurate, by, flops, exponentials}, "double", make);
      }
    }
  }
}

}  // namespace bench
