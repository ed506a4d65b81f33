// SPDX-License-Identifier: MIT
// Scores of texts that lie on the device against a reference: a Gaussian on their features.
#include "cuda/support/kernel_sums.cuh"
#include "mmd/detection/reference_detector.hpp"

void bench::cases() {
  for (const index_t references : {300, 1000}) {
    for (const index_t d : {128, 768}) {
      if (tiny && d > 128) continue;
      add_case(at("scoring/gaussian", {{"texts", 100'000}, {"references", references}, {"d", d}}), [=](State& state) {
        const index_t texts = rows_or_few(100'000);
        const mmd::gaussian k(bandwidth_for(d));
        const mmd::ReferenceDetector detector(gpu(), k, rows<float>(references, d, 3));
        const auto& x = rows<float>(texts, d);
        const double time = measure(state, [&] { benchmark::DoNotOptimize(detector.scores(gpu(), x).data()); });
        const double pairs = static_cast<double>(texts) * static_cast<double>(references);
        rates(state, {.pairs = pairs, .flops = 2 * pairs * static_cast<double>(d), .exponentials = pairs}, time);
        state.counters["texts/s"] = static_cast<double>(texts) / time;
      });
    }
  }
}
