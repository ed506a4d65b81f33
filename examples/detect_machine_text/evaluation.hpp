// SPDX-License-Identifier: MIT
// Judging a detector on test texts that nothing before has seen, and the report of it.
#pragma once

#include <cstdint>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "detector.hpp"
#include "report.hpp"

namespace detect {

struct EvaluationOptions {
  std::uint64_t seed = 0;
  double fpr = 0.05, alpha = 0.05;
  mmd::index_t group_draws = 2000, permutations = 999, bootstrap_draws = 2000;
  std::vector<mmd::index_t> group_sizes = {5, 10, 20};
};

// Test texts of both kinds with their scores. Cells are domains (one cell where none are given).
struct ScoredTexts {
  TextSet texts;                      // human rows first
  std::vector<std::uint8_t> machine;  // one a row
  std::vector<mmd::index_t> cell, cluster;
  mmd::Labels domains;
  std::vector<double> scores;
};

struct NamedAuroc {
  std::string name;
  mmd::index_t machines = 0;
  mmd::Estimate auroc;
};

// False positives at a conformal threshold among human test texts, one a cluster, and the band they should lie in.
struct ConformalCheck {
  mmd::index_t texts = 0, false_positives = 0;
  mmd::CountBand band;  // 99.9 %
};

struct Evaluation {
  ScoredTexts scored;
  mmd::ScoreEvaluation figures;
  std::vector<mmd::ConformalThreshold> thresholds;  // at .01 and .05
  std::vector<ConformalCheck> conformal;            // the same
  std::vector<NamedAuroc> by_set, by_source, by_domain;
  std::vector<mmd::GroupSizeResult> groups;
  std::vector<std::string> left_out;  // cells that do not count, and why
};

// Joins the sets, labels cells and clusters. Throws where a text has served in another role of the model.
ScoredTexts test_texts(const TextSet& human, const TextSet& machine);
void require_unseen(const Model& model, const ScoredTexts& texts);

// The figures of scores and of group tests on a kernel matrix, both made by whatever method. `texts` carries its scores.
Evaluation evaluate(const Processor& on, ScoredTexts texts, const mmd::matrix<float>& gram, const mmd::ConformalCalibration& calibration,
                    const EvaluationOptions& options);
Evaluation evaluate(const Detector& detector, const TextSet& human, const TextSet& machine, const EvaluationOptions& options);

// What `evaluate --json` prints and report.json holds.
nlohmann::ordered_json as_json(const Evaluation& evaluation);
// Tables for the terminal.
std::string as_text(const Evaluation& evaluation);
Report make_report(const Detector& detector, const Evaluation& evaluation, const EvaluationOptions& options, std::string title);

}  // namespace detect
