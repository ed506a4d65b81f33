// SPDX-License-Identifier: MIT
// What training takes and gives, as plain values.
#pragma once

#include <cstdint>
#include <vector>

#include "mmd/core/samples.hpp"
#include "mmd/estimators/objective.hpp"

namespace mmd {

// What chooses among the checkpoints of one training: the area under the ROC curve of single texts, or the power of a test of groups.
enum class criterion { auroc, power };

struct TrainingOptions {
  proxy objective = proxy::multi_population;  // MMD-MP; `full`: MMD-D
  pairing form = pairing::unpaired;
  double lambda = 1e-8;         // J = M / sqrt(V + lambda)
  index_t steps = 500;          // of Adam, one batch each
  index_t epochs = 0;           // above 0: this many passes over the larger sample instead of `steps`
  index_t batch = 200;          // rows of each sample in a batch, or all where there are fewer
  double learning_rate = 3e-4;  // Adam's
  std::vector<index_t> hidden = {256};
  index_t output = 128;
  double input_dropout = 0.3, hidden_dropout = 0;
  double epsilon = 0.01;    // of the kernel, at the start
  bool raw_kernel = false;  // multiply by q, the Gaussian on the standardised samples
  index_t checkpoint_every = 50;
  criterion select = criterion::auroc;
  std::uint64_t seed = 0;
  friend bool operator==(const TrainingOptions&, const TrainingOptions&) = default;
};

// Texts that training never learns from but chooses the checkpoint by. No rows: training keeps its last step.
template <class T>
struct ValidationSet {
  samples<T> human = {}, machine = {};
  std::vector<double> human_weights = {}, machine_weights = {};  // one each row, or empty: all 1. Read by criterion::auroc only
};

struct TrainingCheckpoint {
  index_t step = 0;       // steps taken before it
  double validation = 0;  // AUROC or power
  double epsilon = 0, sigma_phi = 0, sigma_q = 0;
  friend bool operator==(const TrainingCheckpoint&, const TrainingCheckpoint&) = default;
};

struct TrainingHistory {
  std::vector<double> objective, statistic, variance;  // J, M and V of each step's batch, before the step
  std::vector<TrainingCheckpoint> checkpoints;
  index_t best_step = 0;  // whose parameters were kept
  friend bool operator==(const TrainingHistory&, const TrainingHistory&) = default;
};

}  // namespace mmd
