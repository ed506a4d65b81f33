// SPDX-License-Identifier: MIT
// The ratios that the device backend is held to: in each case the two sides run in turn.
#include "cuda/support/kernel_sums.cuh"
#include "mmd/inference/permutation_test.hpp"

namespace bench {
namespace {
std::vector<double> ratio_of(State& state, const std::vector<std::function<void()>>& each) { return in_turn(state, each, 5 * budget()); }
}  // namespace
}  // namespace bench

void bench::cases() {
  const index_t n = 100'000;
  // own/half_product: the sums, kernel values included, over half of cuBLAS's time for all N^2 inner products in the same arithmetic.
  for (const index_t d : {384, 768}) {
    if (tiny && d > 384) continue;
    for (const precision p : every_precision) {
      add_case(at(std::string("aims/half_product/") + to_string(p), {{"N", n}, {"d", d}}), [=](State& state) {
        const index_t count = rows_or_few(n), columns = tiny ? 16 : d;
        const auto& x = rows<float>(count, columns);
        const full_product<float> product(count, columns, p);
        const mmd::gaussian k(bandwidth_for(columns));
        const auto times = ratio_of(state, {[&] { sums(gpu(p), k, x); }, [&] { product.run(); }});
        rates(state, {.pairs = pairs_of(count), .flops = pairs_of(count) * 2 * static_cast<double>(columns)}, times[0]);
        state.counters["cublas_s"] = times[1];
        state.counters["own/half_product"] = times[0] / (times[1] / 2);
      });
    }
  }
  for (const precision p : every_precision) {  // of_exp: the time of one exponential a pair at their limit, over the time taken
    add_case(at(std::string("aims/exponentials/") + to_string(p), {{"N", n}, {"d", 16}}), [=](State& state) {
      const auto& x = rows<float>(rows_or_few(n), 16);
      const double time = measure(state, [&] { sums(gpu(p), mmd::gaussian(bandwidth_for(16)), x); });
      rates(state, {.pairs = pairs_of(x.rows()), .exponentials = pairs_of(x.rows())}, time);
    });
  }
  for (const index_t rows_of_both : {10'000, 100'000}) {
    for (const index_t d : {64, 768}) {
      if (tiny && d > 64) continue;
      add_case(at("aims/binned_test", {{"N", rows_of_both}, {"d", d}, {"B", 999}}), [=](State& state) {
        const index_t half = rows_or_few(rows_of_both / 2);
        const auto &x = rows<float>(half, d, 1), &y = rows<float>(half, d, 2), &z = rows<float>(2 * half, d, 3);
        const mmd::gaussian k(bandwidth_for(d));
        const mmd::PermutationTest test(
            {.permutations = tiny ? 9 : 999, .method = mmd::method::binned, .bins = tiny ? 16 : 256, .alpha = 0.2});
        const auto times = ratio_of(state, {[&] { benchmark::DoNotOptimize(test(gpu(), x, y, k).p_value); }, [&] { sums(gpu(), k, z); }});
        state.counters["own/sums"] = times[0] / times[1];
      });
    }
  }
}
