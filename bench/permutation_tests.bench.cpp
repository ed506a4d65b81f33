// SPDX-License-Identifier: MIT
// Permutation tests by every method, over the number of draws B.
#include <span>

#include "mmd/inference/clustered_permutation_test.hpp"
#include "mmd/inference/permutation_test.hpp"
#include "support/kernel_sums.hpp"

namespace {

using bench::index_t;
using bench::State;

// flops: of the products, two a multiply-add; 0 where the work is look-ups.
void add(mmd::method how, index_t n, index_t m, index_t d, index_t draws, double flops) {
  bench::add(bench::at("permutation_test/" + std::string(mmd::to_string(how)), {{"n", n}, {"m", m}, {"d", d}, {"B", draws}}),
             [=](State& state) {
               const auto x = bench::rows<float>(n, d), y = bench::rows<float>(m, d, n * d);
               const mmd::PermutationTest test({.permutations = draws, .method = how});
               const mmd::gaussian k(bench::bandwidth_for(d));
               const double time = bench::measure(state, [&] { benchmark::DoNotOptimize(test(x, y, k).p_value); });
               bench::work w{.pairs = bench::pairs_of(n + m)};
               if (flops > 0) {
                 w.flops = flops;
                 w.value_seconds = w.pairs / bench::value_rate<float>(k);
               }
               bench::rates<float>(state, w, time);
               state.counters["draws/s"] = static_cast<double>(draws) / time;
             });
}
void full(index_t n, index_t d, index_t draws) {
  add(mmd::method::full, n / 2, n / 2, d, draws, 2 * bench::pairs_of(n) * static_cast<double>(d + draws + 1));
}
void binned(index_t n, index_t d, index_t draws) {
  add(mmd::method::binned, n / 2, n / 2, d, draws,
      2 * bench::pairs_of(n) * static_cast<double>(d) + 2 * 128.0 * 256 * static_cast<double>(draws));
}

}  // namespace

void bench::cases() {
  for (const index_t draws : {199, 999, 9999, 100'000}) {
    full(1000, 64, draws);
    if (draws <= 9999) full(4000, 64, draws);
    if (draws <= 999) full(10000, 64, draws);
  }
  full(10000, 768, 999);
  for (const index_t draws : {199, 999, 9999, 100'000, 1'000'000}) {
    binned(10000, 64, draws);
    if (draws <= 999) binned(10000, 768, draws);
  }
  for (const index_t draws : {199, 999, 9999, 100'000}) {
    ::add(mmd::method::subset, 20, 500, 64, draws, 0);
    if (draws <= 9999) ::add(mmd::method::subset, 200, 4000, 64, draws, 0);
  }
  ::add(mmd::method::enumerate, 8, 8, 64, 12'869, 0);
  ::add(mmd::method::enumerate, 10, 10, 64, 184'755, 0);
  ::add(mmd::method::full, 10, 12, 20, 199, 0);  // what a small test costs beside its work

  bench::add("permutation_test/clustered/clusters:200/n:1000/m:1000/d:64/B:999", [](State& state) {
    const auto x = rows<float>(1000, 64), y = rows<float>(1000, 64, 64000);
    std::vector<index_t> of_x, of_y;
    for (index_t i = 0; i < 1000; ++i) {
      of_x.push_back(i / 10);
      of_y.push_back(100 + i / 10);
    }
    const mmd::ClusteredPermutationTest test({.permutations = 999});
    const double time = measure(state, [&] {
      benchmark::DoNotOptimize(test(x, y, std::span<const index_t>(of_x), std::span<const index_t>(of_y), mmd::gaussian(8)).p_value);
    });
    state.counters["draws/s"] = 999 / time;
  });
}
