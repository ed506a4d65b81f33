// SPDX-License-Identifier: MIT
// The committed embeddings and their split: what the demo and the study learn from, and what they keep for the end.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "detector.hpp"

namespace detect {

inline constexpr const char* demo_embedder = "SmolLM2-135M-Instruct, layer 16 and token statistics, 669 columns";
// Generators that the study holds out of training, checkpoint and calibration, to be evaluated as unseen ones.
inline const std::vector<std::string> unseen_generators = {"gpt-4o", "gemini-1.5-pro", "Llama-3-8B", "gpt-neox-20b", "chatgpt"};

struct DemoData {
  TrainingTexts training;  // 80 / 20 % of the train split's prompts; the val split halved into reference and calibration
  TextSet test_human, test_machine;
};

// Splits rows by their `split` column (train, val, test) and, within these, by prompt cluster and seed. Machine texts of the generators in
// `without` are left out of training and checkpoint.
inline DemoData demo_data(const TextSet& all, std::uint64_t seed, const std::vector<std::string>& without = {}) {
  for (const auto& [name, column] :
       {std::pair{"split", &all.split}, {"label", &all.label}, {"source", &all.source}, {"group", &all.group}}) {
    if (column->empty())
      throw mmd::invalid_input("mmd: " + all.path + ": no column \"" + name +
                               "\" in the .tsv beside it, expected split, label, source, domain, set and group");
  }
  const auto part = [&](const char* split, const char* label) {
    return select(all, [&](std::size_t i) { return all.split[i] == split && all.label[i] == label; });
  };
  const auto with_role = [](const TextSet& set, const std::vector<mmd::role>& roles, mmd::role wanted) {
    return select(set, [&](std::size_t i) { return roles[i] == wanted; });
  };
  using mmd::role;
  const TextSet train = select(all, [&](std::size_t i) { return all.split[i] == "train"; });
  const auto roles = mmd::split_roles(train.clusters(), seed, {.train = 0.8, .checkpoint = 0.2, .reference = 0, .calibration = 0});
  const auto of = [&](role wanted, const char* label) {
    return select(train, [&](std::size_t i) {
      const bool held_out = std::find(without.begin(), without.end(), train.source[i]) != without.end();
      return roles[i] == wanted && train.label[i] == label && !held_out;
    });
  };
  const TextSet val = part("val", "human");
  const auto halves = mmd::split_roles(val.clusters(), seed, {.train = 0, .checkpoint = 0, .reference = 0.5, .calibration = 0.5});
  return {{.human = of(role::train, "human"),
           .machine = of(role::train, "machine"),
           .human_checkpoint = of(role::checkpoint, "human"),
           .machine_checkpoint = of(role::checkpoint, "machine"),
           .reference = with_role(val, halves, role::reference),
           .calibration = with_role(val, halves, role::calibration)},
          part("test", "human"),
          part("test", "machine")};
}

}  // namespace detect
