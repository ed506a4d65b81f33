// SPDX-License-Identifier: MIT
// Training a detector and using it: the steps behind the commands.
#pragma once

#include <mmd/models/model_file.hpp>
#include <optional>
#include <string>
#include <vector>

#include "detect_machine_text/processor.hpp"
#include "texts.hpp"

namespace detect {

using Model = mmd::DetectorModel<float>;

// The five roles but the last: disjoint by cluster.
struct TrainingTexts {
  TextSet human, machine;                        // the kernel learns from these
  TextSet human_checkpoint, machine_checkpoint;  // choose the checkpoint
  TextSet reference, calibration;                // human texts
  mmd::index_t machines_left_out = 0;            // machine texts that share a prompt with the reference or the calibration texts
};

// Splits human texts by cluster into train, checkpoint, reference and calibration (65/15/10/10; what `reference` or `calibration` brings is
// not taken from H), and machine texts into train and checkpoint. A machine text that shares its cluster with a human one goes with it.
TrainingTexts split_texts(const TextSet& human, const TextSet& machine, const std::optional<TextSet>& reference,
                          const std::optional<TextSet>& calibration, std::uint64_t seed);

// Learns the kernel, and fills in reference, calibration scores and roles.
Model train_detector(const Processor& on, const TrainingTexts& texts, const mmd::TrainingOptions& options, std::string embedder);

// A model ready for use by a processor, which must outlive it.
class Detector {
 public:
  Detector(const Processor& on, Model model);

  const Model& model() const { return model_; }
  const Processor& on() const { return *on_; }
  const KernelValues& kernel() const { return kernel_; }
  const mmd::matrix<float>& reference() const { return model_.reference; }
  const mmd::ConformalCalibration& calibration() const { return calibration_; }

  // The set with the rows that the model's embedder makes of it; refuses another embedder or dimension.
  TextSet embedded(TextSet set) const;
  // What the kernel reads of each text.
  mmd::matrix<float> features(const TextSet& set) const;
  // Higher: more machine-like.
  std::vector<double> scores(const mmd::matrix<float>& features) const { return on_->scores(kernel_, model_.reference, features); }
  // Another reference: half of it (by cluster) takes the place of the reference, the other half calibrates.
  void use_reference(const TextSet& reference, std::uint64_t seed);

 private:
  const Processor* on_;
  Model model_;
  KernelValues kernel_;
  mmd::ConformalCalibration calibration_;
};

// The roles of the training and checkpoint texts alone.
mmd::Roles without_references(const mmd::Roles& roles);

// The rows of `set` where keep(i) holds.
template <class Keep>
TextSet select(const TextSet& set, Keep keep) {
  std::vector<mmd::index_t> rows;
  for (mmd::index_t i = 0; i < set.size(); ++i) {
    if (keep(static_cast<std::size_t>(i))) rows.push_back(i);
  }
  return set.rows(rows);
}

// The criterion's value at the checkpoint that was kept.
double best_validation(const Model& model);

// Weights for the checkpoint's AUROC: every domain half human and half machine, where both sets name their domains.
mmd::ValidationSet<float> validation_set(const TextSet& human, const TextSet& machine);

}  // namespace detect
