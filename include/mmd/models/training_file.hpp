// SPDX-License-Identifier: MIT
// How a kernel was trained, in safetensors files.
#pragma once

#include <string>
#include <vector>

#include "mmd/learning/training.hpp"
#include "mmd/models/network_file.hpp"

namespace mmd {
namespace detail {
inline namespace MMD_ISA {

// Every number of the options with its name, for writing and reading alike.
template <class Options, class Visit>
void each_option(Options& o, const Visit& visit) {
  visit("options.lambda", o.lambda);
  visit("options.steps", o.steps);
  visit("options.epochs", o.epochs);
  visit("options.batch", o.batch);
  visit("options.learning_rate", o.learning_rate);
  visit("options.output", o.output);
  visit("options.input_dropout", o.input_dropout);
  visit("options.hidden_dropout", o.hidden_dropout);
  visit("options.epsilon", o.epsilon);
  visit("options.checkpoint_every", o.checkpoint_every);
  visit("options.seed", o.seed);
}
// Numbers are kept in 64 bits.
template <class V>
using stored_number =
    std::conditional_t<std::floating_point<V>, double, std::conditional_t<std::signed_integral<V>, std::int64_t, std::uint64_t>>;

inline const std::vector<std::string> objective_words{"mpp", "mmd"}, pairing_words{"unpaired", "paired"}, boolean_words{"false", "true"},
    criterion_words{"auroc", "power"};

}  // namespace MMD_ISA
}  // namespace detail

inline namespace MMD_ISA {

// Adds options to a file: numbers as tensors "options.NAME", words as metadata.
inline void put_options(safetensors& file, const TrainingOptions& options) {
  detail::each_option(options, [&]<class V>(const char* name, V value) { file.put(name, static_cast<detail::stored_number<V>>(value)); });
  file.put("options.hidden", std::vector<std::int64_t>(options.hidden.begin(), options.hidden.end()));
  file.metadata()["options.objective"] = detail::objective_words[static_cast<std::size_t>(options.objective)];
  file.metadata()["options.pairing"] = detail::pairing_words[static_cast<std::size_t>(options.form)];
  file.metadata()["options.raw_kernel"] = detail::boolean_words[options.raw_kernel];
  file.metadata()["options.select"] = detail::criterion_words[static_cast<std::size_t>(options.select)];
}
// Throws io_error where a part is missing or of another type.
inline TrainingOptions get_options(const safetensors& file) {
  TrainingOptions options;
  detail::each_option(
      options, [&]<class V>(const char* name, V& value) { value = static_cast<V>(file.get_number<detail::stored_number<V>>(name)); });
  const auto hidden = file.get<std::int64_t>("options.hidden");
  options.hidden.assign(hidden.begin(), hidden.end());
  options.objective = static_cast<proxy>(detail::choice(file, "options.objective", detail::objective_words));
  options.form = static_cast<pairing>(detail::choice(file, "options.pairing", detail::pairing_words));
  options.raw_kernel = detail::choice(file, "options.raw_kernel", detail::boolean_words) == 1;
  options.select = static_cast<criterion>(detail::choice(file, "options.select", detail::criterion_words));
  return options;
}

// Adds a history to a file: "history.objective", "history.statistic", "history.variance" (F64, one number a step), "history.checkpoints"
// (F64, one row a checkpoint: step, validation, epsilon, sigma_phi, sigma_q) and "history.best_step" (I64).
inline void put_history(safetensors& file, const TrainingHistory& history) {
  file.put("history.objective", history.objective);
  file.put("history.statistic", history.statistic);
  file.put("history.variance", history.variance);
  matrix<double> rows(static_cast<index_t>(history.checkpoints.size()), 5);
  for (index_t i = 0; i < rows.rows(); ++i) {
    const TrainingCheckpoint& c = history.checkpoints[static_cast<std::size_t>(i)];
    const double row[] = {static_cast<double>(c.step), c.validation, c.epsilon, c.sigma_phi, c.sigma_q};
    std::copy_n(row, 5, rows.row(i).begin());
  }
  file.put("history.checkpoints", rows);
  file.put("history.best_step", static_cast<std::int64_t>(history.best_step));
}
inline TrainingHistory get_history(const safetensors& file) {
  TrainingHistory history;
  history.objective = file.get<double>("history.objective");
  history.statistic = file.get<double>("history.statistic", {history.objective.size()});
  history.variance = file.get<double>("history.variance", {history.objective.size()});
  const auto rows = file.get_matrix<double>("history.checkpoints", -1, 5);
  for (index_t i = 0; i < rows.rows(); ++i) {
    if (!(rows(i, 0) >= 0 && rows(i, 0) <= 9e15)) file.fail("tensor \"history.checkpoints\" holds a step that is no whole number");
    history.checkpoints.push_back({static_cast<index_t>(rows(i, 0)), rows(i, 1), rows(i, 2), rows(i, 3), rows(i, 4)});
  }
  history.best_step = static_cast<index_t>(file.get_number<std::int64_t>("history.best_step"));
  return history;
}

}  // namespace MMD_ISA
}  // namespace mmd
