// SPDX-License-Identifier: MIT
#include "detector.hpp"

#include <algorithm>
#include <cmath>
#include <map>
#include <utility>

#include "detect_machine_text/steps.hpp"

namespace detect {
namespace {

TextSet with_role(const TextSet& set, const std::vector<mmd::role>& roles, mmd::role wanted) {
  return select(set, [&](std::size_t i) { return roles[i] == wanted; });
}

}  // namespace

TrainingTexts split_texts(const TextSet& human, const TextSet& machine, const std::optional<TextSet>& reference,
                          const std::optional<TextSet>& calibration, std::uint64_t seed) {
  const double all = 0.80 + (reference ? 0 : 0.10) + (calibration ? 0 : 0.10);
  const mmd::RoleShares shares{
      .train = 0.65 / all, .checkpoint = 0.15 / all, .reference = reference ? 0 : 0.10 / all, .calibration = calibration ? 0 : 0.10 / all};
  const auto human_clusters = human.clusters(), machine_clusters = machine.clusters();
  const auto human_roles = about(human, [&] { return mmd::split_roles(human_clusters, seed, shares); });
  std::map<std::string, mmd::role> known;
  for (std::size_t i = 0; i < human_clusters.size(); ++i) known.emplace(human_clusters[i], human_roles[i]);
  auto machine_roles = about(machine, [&] {
    return mmd::split_roles(machine_clusters, seed, {.train = 0.65 / 0.80, .checkpoint = 0.15 / 0.80, .reference = 0, .calibration = 0});
  });
  for (std::size_t i = 0; i < machine_clusters.size(); ++i) {
    const auto partner = known.find(machine_clusters[i]);
    if (partner != known.end()) machine_roles[i] = partner->second;
  }
  using mmd::role;
  TrainingTexts out{.human = with_role(human, human_roles, role::train),
                    .machine = with_role(machine, machine_roles, role::train),
                    .human_checkpoint = with_role(human, human_roles, role::checkpoint),
                    .machine_checkpoint = with_role(machine, machine_roles, role::checkpoint),
                    .reference = reference ? *reference : with_role(human, human_roles, role::reference),
                    .calibration = calibration ? *calibration : with_role(human, human_roles, role::calibration)};
  out.machines_left_out = machine.size() - out.machine.size() - out.machine_checkpoint.size();
  return out;
}

mmd::ValidationSet<float> validation_set(const TextSet& human, const TextSet& machine) {
  mmd::ValidationSet<float> out{.human = human.embeddings, .machine = machine.embeddings};
  if (human.domain.empty() || machine.domain.empty()) return out;
  std::vector<std::string> names = human.domain;
  names.insert(names.end(), machine.domain.begin(), machine.domain.end());
  std::vector<std::uint8_t> is_machine(human.domain.size(), 0);
  is_machine.resize(names.size(), 1);
  const auto weights = mmd::CellWeighting(mmd::label(names).ids, is_machine, 1).weights().weights;
  const auto middle = weights.begin() + static_cast<std::ptrdiff_t>(human.domain.size());
  out.human_weights.assign(weights.begin(), middle);
  out.machine_weights.assign(middle, weights.end());
  return out;
}

Model train_detector(const Processor& on, const TrainingTexts& texts, const mmd::TrainingOptions& options, std::string embedder) {
  Model model;
  model.options = options;
  model.embedder = std::move(embedder);
  using mmd::role;
  for (const auto& [r, set] : {std::pair{role::train, &texts.human},
                               {role::train, &texts.machine},
                               {role::checkpoint, &texts.human_checkpoint},
                               {role::checkpoint, &texts.machine_checkpoint},
                               {role::reference, &texts.reference},
                               {role::calibration, &texts.calibration}}) {
    about(*set, [&] { model.roles.assign(r, set->ids()); });
  }
  auto trained =
      on.train(options, texts.human.embeddings, texts.machine.embeddings, validation_set(texts.human_checkpoint, texts.machine_checkpoint));
  model.kernel = kernel_of(trained.kernel);
  model.history = std::move(trained.history);
  model.reference = on.features(trained.kernel, texts.reference.embeddings);
  model.calibration_scores = on.scores(trained.kernel, model.reference, on.features(trained.kernel, texts.calibration.embeddings));
  return model;
}

Detector::Detector(const Processor& on, Model model)
    : on_(&on),
      model_(std::move(model)),
      kernel_(values_of(model_.kernel)),
      calibration_(mmd::ConformalCalibration::of_texts_known_to_be_unseen(model_.calibration_scores)) {}

TextSet Detector::embedded(TextSet set) const {
  if (set.from_texts) {
    if (!model_.text_embedder) {
      throw mmd::invalid_input("mmd: " + set.path + " holds texts, but the model was trained on embeddings of another program (" +
                               (model_.embedder.empty() ? "unnamed" : model_.embedder) + ", " + std::to_string(model_.kernel.dimension()) +
                               " columns), expected a .npy file that it made");
    }
    embed(set, *model_.text_embedder);
  }
  set.from_texts = false;
  mmd::require_embedding(model_, set.embeddings.cols(), set.embedder);
  return set;
}

mmd::matrix<float> Detector::features(const TextSet& set) const {
  const TextSet rows = embedded(set);
  return on_->features(kernel_, rows.embeddings);
}

double best_validation(const Model& model) {
  for (const auto& c : model.history.checkpoints) {
    if (c.step == model.history.best_step) return c.validation;
  }
  return std::nan("");
}

mmd::Roles without_references(const mmd::Roles& roles) {
  std::array<std::vector<std::uint64_t>, 5> kept;
  for (const mmd::role r : {mmd::role::train, mmd::role::checkpoint}) kept[static_cast<std::size_t>(r)] = roles.hashes(r);
  return mmd::Roles(kept);
}

void Detector::use_reference(const TextSet& reference, std::uint64_t seed) {
  using mmd::role;
  require_label(reference, "--reference", "human");
  const auto roles = about(reference, [&] {
    return mmd::split_roles(reference.clusters(), seed, {.train = 0, .checkpoint = 0, .reference = 0.5, .calibration = 0.5});
  });
  const TextSet own = with_role(reference, roles, role::reference), calibration = with_role(reference, roles, role::calibration);
  model_.roles = without_references(model_.roles);
  model_.roles.assign(role::reference, own.ids());
  model_.roles.assign(role::calibration, calibration.ids());
  model_.reference = features(own);
  model_.calibration_scores = scores(features(calibration));
  calibration_ = mmd::ConformalCalibration::of_texts_known_to_be_unseen(model_.calibration_scores);
}

std::shared_ptr<const Processor> on_cpu(int threads, mmd::progress_callback progress) {
  return std::make_shared<Steps<mmd::cpu>>("cpu", mmd::cpu{.threads = threads, .progress = std::move(progress)});
}

}  // namespace detect
