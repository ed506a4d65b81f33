// SPDX-License-Identifier: MIT
#include "mmd/backends/cpu.hpp"
#include "mmd/detection/reference_detector.hpp"
#include "mmd/learning/trainer.hpp"
#include "runs.hpp"

namespace {

std::function<void()> training() {
  return [x = rows<float>(128, 96, 1), y = rows<float>(128, 96, 2, 0.1)] {
    const mmd::MmdMpTrainer trainer{{.steps = 10, .batch = 64, .hidden = {64}, .output = 32}};
    keep(trainer.fit(mmd::cpu{}, x, y).history.objective.back());
  };
}

std::function<void()> scoring() {
  return [kept = mmd::ReferenceDetector(mmd::cpu{}, mmd::gaussian(4), rows<float>(300, 32, 1)), x = rows<float>(2000, 32, 2)] {
    keep(kept.scores(mmd::cpu{}, x).back());
  };
}

}  // namespace

std::vector<run> runs_of_learning() { return {{"training/10 steps", training}, {"scoring/2,000 texts", scoring}}; }
