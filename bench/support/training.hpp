// SPDX-License-Identifier: MIT
// A training run whose steps are timed one by one, as the library reports them.
#pragma once

#include <chrono>
#include <vector>

#include "mmd/learning/trainer.hpp"
#include "support/bench.hpp"

namespace bench {

template <class T>
class training_run {
 public:
  static constexpr index_t hidden = 256, output = 128, rows_of_each = 2048;
  // Batches of `batch` rows of either sample, d features, through d-256-128.
  training_run(index_t d, index_t batch)
      : d_(d), batch_(batch), x_(rows<T>(rows_of_each, d)), y_(shifted_rows<T>(rows_of_each, d, T(0.1), 11)) {}

  // The median of the steps' times, without the start (standardiser, medians).
  double step_seconds(int threads, index_t steps) const {
    using clock = std::chrono::steady_clock;
    std::vector<double> times;
    clock::time_point last;
    const mmd::cpu on{.threads = threads, .progress = [&](const mmd::progress_report& at) {
                        const auto now = clock::now();
                        if (at.stage == "training") {
                          if (at.done > 2) times.push_back(std::chrono::duration<double>(now - last).count());
                          last = now;
                        }
                        return true;
                      }};
    const mmd::MmdMpTrainer trainer{{.steps = steps, .batch = batch_, .hidden = {hidden}, .output = output, .input_dropout = 0}};
    benchmark::DoNotOptimize(trainer.fit(on, x_, y_).history.objective.data());
    return median_of(times);
  }
  // Of a step's products with the network's weights: forward, and backward by weights and, but for the first layer, by inputs.
  double flops() const { return 2.0 * 2 * static_cast<double>(batch_) * static_cast<double>(2 * d_ * hidden + 3 * hidden * output); }

 private:
  index_t d_, batch_;
  samples<T> x_;
  mmd::matrix<T> y_;
};

}  // namespace bench
