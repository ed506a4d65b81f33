// SPDX-License-Identifier: MIT
// A step of training a deep kernel on the device (batches, network, the objective of MMD-MP, its gradient, Adam), and the network alone.
#include <vector>

#include "cuda/support/limits.cuh"
#include "mmd/learning/perceptron.hpp"
#include "mmd/learning/trainer.hpp"

namespace {

using bench::index_t;
using bench::State;
constexpr index_t hidden = 256, output = 128;

// A step's time is what more steps take longer: the start (standardiser, medians, uploads) is in both runs.
void add_step(index_t d, index_t batch) {
  bench::add_case(bench::at("training_step/float", {{"d", d}, {"batch", batch}}), [=](State& state) {
    const index_t count = bench::tiny ? 40 : 2048, columns = bench::tiny ? 9 : d;
    const auto &x = bench::rows<float>(count, columns, 1), &y = bench::rows<float>(count, columns, 2);
    const auto run = [&](index_t steps) {
      const mmd::MmdMpTrainer trainer{{.steps = steps,
                                       .batch = bench::tiny ? 8 : batch,
                                       .hidden = {bench::tiny ? 8 : hidden},
                                       .output = bench::tiny ? 4 : output,
                                       .input_dropout = 0}};
      return bench::device_seconds([&] { benchmark::DoNotOptimize(trainer.fit(bench::gpu(), x, y).history.objective.data()); });
    };
    bench::warm_up();
    double step = 0;
    const index_t few = bench::tiny ? 1 : 20, more = bench::tiny ? 2 : bench::quick ? 120 : 320;
    for ([[maybe_unused]] auto _ : state) {
      run(few);
      std::vector<double> steps;
      for (int round = 0; round < (bench::tiny ? 1 : 5); ++round) {
        const double less = run(few);
        steps.push_back((run(more) - less) / static_cast<double>(more - few));
      }
      step = bench::median_of(steps);
      state.SetIterationTime(step);
    }
    // Of the products with the network's weights: forward, and backward by weights and, but for the first layer, by inputs.
    bench::rates(state, {.flops = 2.0 * 2 * static_cast<double>(batch) * static_cast<double>(2 * d * hidden + 3 * hidden * output)}, step);
  });
}

void add_forward(index_t d) {
  bench::add_case(bench::at("perceptron_forward/float", {{"rows", 100'000}, {"d", d}}), [=](State& state) {
    const index_t n = bench::rows_or_few(100'000);
    const mmd::Perceptron<float> network({d, hidden, output}, 1);
    const auto& x = bench::rows<float>(n, d);
    const double time =
        bench::measure(state, [&] { benchmark::DoNotOptimize(network(bench::gpu(), bench::device_samples<float>(x)).data()); });
    bench::rates(state, {.flops = 2 * static_cast<double>(n) * static_cast<double>(d * hidden + hidden * output)}, time);
    state.counters["texts/s"] = static_cast<double>(n) / time;
  });
}

}  // namespace

void bench::cases() {
  for (const index_t d : {669, 768}) {
    for (const index_t batch : {200, 1024}) add_step(d, batch);
    if (!tiny) add_forward(d);
  }
}
