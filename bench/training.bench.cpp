// SPDX-License-Identifier: MIT
// A training step: batches of 200 and 200 rows of 384 features through a perceptron 384-256-128, the objective of MMD-MP, its gradient and
// Adam. `eigen/own`: Eigen's five products of the network alone over the whole step.
#include "mmd/backends/cpu.hpp"
#include "mmd/learning/trainer.hpp"
#include "support/bench.hpp"

namespace {

using mmd::index_t;

template <class T>
void training_step(benchmark::State& state) {
  constexpr index_t d = 384, hidden = 256, output = 128, batch = 200, steps = 50;
  const auto x = bench::normal_rows<T>(1000, d, 1);
  const bench::rows<T> y = bench::normal_rows<T>(1000, d, 2).array() + T(0.1);
  // The start (standardiser, medians) is the same for both; what is left over is `steps` steps.
  const auto seconds_of = [&](index_t count) {
    const mmd::MmdMpTrainer trainer{{.steps = count, .batch = batch, .hidden = {hidden}, .output = output, .input_dropout = 0}};
    return bench::seconds([&] { benchmark::DoNotOptimize(trainer.fit(x, y).history.objective.data()); });
  };
  bench::rows<T> rows = bench::normal_rows<T>(2 * batch, d, 3), w1(d, hidden), w2(hidden, output), h(2 * batch, hidden),
                 o(2 * batch, output);
  w1.setConstant(T(0.01));
  w2.setConstant(T(0.01));
  double best_step = 1e9, best_products = 1e9;
  for (auto _ : state) {
    const double step = (seconds_of(steps + 5) - seconds_of(5)) / static_cast<double>(steps);
    state.SetIterationTime(step);
    best_step = std::min(best_step, step);
    best_products = std::min(best_products, bench::seconds([&] {
                               h.noalias() = rows * w1;
                               o.noalias() = h * w2;
                               w2.noalias() = h.transpose() * o;
                               h.noalias() = o * w2.transpose();
                               w1.noalias() = rows.transpose() * h;
                               benchmark::DoNotOptimize(w1.data());
                               w1.setConstant(T(0.01));
                               w2.setConstant(T(0.01));
                             }));
  }
  state.counters["eigen/own"] = best_products / best_step;
  const double weights = static_cast<double>(d * hidden + hidden * output);
  state.counters["FLOP/s"] =
      benchmark::Counter(6 * weights * 2 * static_cast<double>(batch), benchmark::Counter::kIsIterationInvariantRate);
}
BENCHMARK(training_step<float>)->UseManualTime()->Unit(benchmark::kMillisecond);
BENCHMARK(training_step<double>)->UseManualTime()->Unit(benchmark::kMillisecond);

}  // namespace
