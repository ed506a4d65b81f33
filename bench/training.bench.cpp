// SPDX-License-Identifier: MIT
// A step of training a deep kernel (batches, network, the objective of MMD-MP, its gradient, Adam), and the network alone.
#include "support/training.hpp"

#include "mmd/learning/perceptron.hpp"
#include "support/limits.hpp"

namespace {

using bench::index_t;
using bench::State;

template <class T>
void add_steps() {
  for (const index_t d : {669, 768}) {
    for (const index_t batch : {64, 200, 256, 512, 1024}) {
      bench::add(bench::at(std::string("training_step/") + bench::name_of<T>, {{"d", d}, {"batch", batch}}), [=](State& state) {
        const bench::training_run<T> run(d, batch);
        double step = 0;
        bench::reset_peak();
        const auto before = bench::memory_now();
        for ([[maybe_unused]] auto _ : state) {
          step = run.step_seconds(0, 8);
          step = run.step_seconds(0, static_cast<index_t>(std::clamp((bench::quick ? 0.1 : 0.3) / step, 8.0, 60.0)));
          state.SetIterationTime(step);
        }
        state.counters["peak_bytes"] = static_cast<double>(bench::memory_peak()) - static_cast<double>(before);
        bench::rates<T>(state, {.flops = run.flops()}, step);
      });
    }
  }
}

template <class T>
void add_forward() {
  for (const index_t d : {669, 768}) {
    bench::add(bench::at(std::string("perceptron_forward/") + bench::name_of<T>, {{"rows", 10000}, {"d", d}}), [=](State& state) {
      const index_t n = 10000, hidden = 256, output = 128;
      const mmd::Perceptron<T> network({d, hidden, output}, 1);
      const auto x = bench::rows<T>(n, d);
      const mmd::cpu on;
      const double time = bench::measure(state, [&] { benchmark::DoNotOptimize(network(on, x).data()); });
      const double flops = 2 * static_cast<double>(n) * static_cast<double>(d * hidden + hidden * output);
      bench::rates<T>(state, {.flops = flops, .bytes = static_cast<double>(n * d) * sizeof(T)}, time);
      state.counters["texts/s"] = static_cast<double>(n) / time;
    });
  }
}

}  // namespace

void bench::cases() {
  add_steps<float>();
  add_steps<double>();
  add_forward<float>();
  add_forward<double>();
}
