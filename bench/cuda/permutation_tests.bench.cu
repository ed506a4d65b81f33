// SPDX-License-Identifier: MIT
// Permutation tests on the device, full and binned, over the number of draws.
#include "cuda/support/kernel_sums.cuh"
#include "mmd/inference/permutation_test.hpp"

namespace {

using bench::index_t;

void add(mmd::method how, index_t rows, index_t d, index_t draws, bench::precision p = bench::precision::accurate) {
  const index_t n = rows / 2;
  bench::add_case(bench::at("permutation_test/" + std::string(mmd::to_string(how)) + "/" + bench::to_string(p),
                            {{"n", n}, {"m", n}, {"d", d}, {"B", draws}}),
                  [=](bench::State& state) {
                    const index_t few = bench::rows_or_few(n), count = bench::tiny ? 9 : draws;
                    const auto &x = bench::rows<float>(few, d, 1), &y = bench::rows<float>(few, d, 2);
                    const mmd::PermutationTest test({.permutations = count, .method = how, .bins = bench::tiny ? 16 : 256, .alpha = 0.2});
                    const mmd::gaussian k(bench::bandwidth_for(d));
                    const mmd::cuda& on = bench::gpu(p);
                    const double time = bench::measure(state, [&] { benchmark::DoNotOptimize(test(on, x, y, k).p_value); });
                    bench::rates(state, {.pairs = bench::pairs_of(2 * few)}, time);
                    state.counters["draws/s"] = static_cast<double>(count) / time;
                  });
}

}  // namespace

void bench::cases() {
  for (const index_t d : {64, 768}) {
    if (tiny && d > 64) continue;
    for (const index_t rows : {10'000, 50'000}) {
      ::add(mmd::method::full, rows, d, 999);
      ::add(mmd::method::binned, rows, d, 999);
    }
    ::add(mmd::method::binned, 100'000, d, 999);
    ::add(mmd::method::binned, 100'000, d, 999, precision::tf32);
  }
  ::add(mmd::method::full, 10'000, 64, 9999);
  ::add(mmd::method::subset, 2'000, 64, 999);
}
