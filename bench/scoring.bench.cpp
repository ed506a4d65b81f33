// SPDX-License-Identifier: MIT
// Scores of 10,000 texts against a reference: a Gaussian on their features as they are, and a deep kernel, whose network runs first.
#include "mmd/detection/reference_detector.hpp"
#include "mmd/learning/deep_kernel.hpp"
#include "support/limits.hpp"

namespace {

using bench::index_t;
using bench::State;
constexpr index_t texts = 10000;

void add_gaussian(index_t references, index_t d) {
  bench::add(bench::at("scoring/gaussian", {{"texts", texts}, {"references", references}, {"d", d}}), [=](State& state) {
    const mmd::gaussian k(std::sqrt(2.0 * static_cast<double>(d)));
    const mmd::cpu on;
    const mmd::ReferenceDetector detector(on, k, bench::rows<float>(references, d));
    const auto x = bench::rows<float>(texts, d, references * d);
    const double time = bench::measure(state, [&] { benchmark::DoNotOptimize(detector.scores(on, x).data()); });
    const double pairs = static_cast<double>(texts * references);
    bench::rates<float>(state,
                        {.pairs = pairs,
                         .flops = 2 * pairs * static_cast<double>(d),
                         .value_seconds = pairs / bench::value_rate<float>(k),
                         .bytes = static_cast<double>(texts * d) * sizeof(float)},
                        time);
    state.counters["texts/s"] = static_cast<double>(texts) / time;
  });
}

void add_deep(index_t references, index_t d) {
  bench::add(bench::at("scoring/deep_kernel", {{"texts", texts}, {"references", references}, {"d", d}}), [=](State& state) {
    const index_t hidden = 256, output = 128;
    const mmd::cpu on;
    mmd::DeepKernel<float> model;
    const auto r = bench::rows<float>(references, d), x = bench::rows<float>(texts, d, references * d);
    model.standardizer = mmd::Standardizer::fit(r, x.middle_rows(0, 1000));
    model.network = mmd::Perceptron<float>({d, hidden, output}, 1);
    const mmd::ReferenceDetector detector(on, model.feature_kernel(), model.features(on, r));
    const double time = bench::measure(state, [&] {
      const auto features = model.features(on, x);
      benchmark::DoNotOptimize(detector.scores(on, features).data());
    });
    const double pairs = static_cast<double>(texts * references);
    const double network = 2 * static_cast<double>(texts) * static_cast<double>(d * hidden + hidden * output);
    bench::rates<float>(state,
                        {.pairs = pairs,
                         .flops = network + 2 * pairs * static_cast<double>(output),
                         .value_seconds = pairs / bench::value_rate<float>(mmd::gaussian(1)),
                         .bytes = static_cast<double>(texts * d) * sizeof(float)},
                        time);
    state.counters["texts/s"] = static_cast<double>(texts) / time;
  });
}

}  // namespace

void bench::cases() {
  for (const index_t references : {300, 1000}) {
    for (const index_t d : {128, 768}) add_gaussian(references, d);
    for (const index_t d : {669, 768}) add_deep(references, d);
  }
}
