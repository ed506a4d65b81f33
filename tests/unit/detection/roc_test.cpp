// SPDX-License-Identifier: MIT
#include "mmd/detection/roc.hpp"

#include <string>

#include "mmd/detection/score_evaluation.hpp"
#include "mmd/inference/binomial.hpp"
#include "oracle/roc.hpp"
#include "support/catch2.hpp"
#include "support/detection.hpp"

using support::table;

namespace {
std::vector<double> random_weights(std::size_t n, std::uint64_t seed) {
  mmd::random_stream draw(seed, mmd::purpose::user, 1);
  std::vector<double> w(n);
  for (double& v : w) v = draw.below(5) == 0 ? 0 : 0.25 * static_cast<double>(1 + draw.below(12));
  return w;
}
}  // namespace

TEST_CASE("AUROC and the ROC agree with their definitions under any weights, ties included") {
  for (std::uint64_t seed = 0; seed < 12; ++seed) {
    const table t(40, seed, seed % 3 == 0 ? 7 : 1000000);
    const mmd::RankedScores ranked(t.scores, t.machine);
    const auto w = seed % 2 ? random_weights(40, seed) : std::vector<double>(40, 1.0);
    CHECK(ranked.auroc(w) == Approx(oracle::auroc(t.texts, w)).epsilon(1e-13));
    const auto curve = ranked.roc(w);
    double area = 0;
    for (std::size_t i = 1; i < curve.fpr.size(); ++i) {
      CHECK(curve.fpr[i] == Approx(oracle::share_from(t.texts, w, false, curve.threshold[i])).epsilon(1e-13).margin(1e-14));
      CHECK(curve.tpr[i] == Approx(oracle::share_from(t.texts, w, true, curve.threshold[i])).epsilon(1e-13).margin(1e-14));
      area += (curve.fpr[i] - curve.fpr[i - 1]) * (curve.tpr[i] + curve.tpr[i - 1]) / 2;
    }
    CHECK(area == Approx(ranked.auroc(w)).epsilon(1e-12));
    for (const double fpr : {0.0, 0.01, 0.05, 0.1, 0.29, 0.5, 0.77, 1.0}) {
      INFO("seed " << seed << ", fpr " << fpr);
      CHECK(ranked.tpr_at(fpr, w) == Approx(oracle::tpr_at(t.texts, w, fpr)).epsilon(1e-9).margin(1e-9));
    }
  }
}

TEST_CASE("a rate that is exactly a step of the ROC counts the step") {
  std::vector<double> scores;
  std::vector<std::uint8_t> machine;
  for (int i = 0; i < 100; ++i) {
    scores.insert(scores.end(), {i + 0.0, i + 0.5});
    machine.insert(machine.end(), {std::uint8_t{0}, std::uint8_t{1}});
  }
  const mmd::RankedScores ranked(scores, machine);
  for (const double weight : {1.0, 0.1, 1.0 / 3}) {
    std::vector<double> w(200, 1.0);
    for (std::size_t i = 0; i < 200; i += 2) w[i] = weight;
    for (int k = 0; k < 100; ++k) CHECK(ranked.tpr_at(k / 100.0, w) == Approx((k + 1) / 100.0).epsilon(1e-9));
  }
}

TEST_CASE("AUROC of known cases") {
  CHECK(mmd::auroc(std::vector{1.0, 2.0}, std::vector{3.0, 4.0}) == 1);
  CHECK(mmd::auroc(std::vector{3.0, 4.0}, std::vector{1.0, 2.0}) == 0);
  CHECK(mmd::auroc(std::vector{1.0, 1.0}, std::vector{1.0}) == 0.5);
  CHECK(mmd::auroc(std::vector{1.0, 3.0}, std::vector{2.0, 3.0}) == 0.625);
}

TEST_CASE("bad scores and weights are named") {
  const std::vector<double> scores{1, 2}, w{1, 1};
  const std::vector<std::uint8_t> both{0, 1}, humans{0, 0}, machines{1, 1}, odd{0, 2};
  CHECK(message([&] { mmd::RankedScores(scores, humans); }) == "mmd: machine texts = 0, expected at least 1");
  CHECK(message([&] { mmd::RankedScores(scores, machines); }) == "mmd: human texts = 0, expected at least 1");
  CHECK(message([&] { mmd::RankedScores(scores, odd); }) == "mmd: machine = 2, expected 1 for a machine text or 0 for a human one");
  CHECK(message([&] { mmd::RankedScores(std::vector{1.0, std::nan("")}, both); }) == "mmd: scores = nan, expected finite numbers");
  CHECK(message([&] { mmd::RankedScores(std::vector{1.0}, both); }) == "mmd: machine.size() = 2, expected as many entries as scores");
  const mmd::RankedScores ranked(scores, both);
  CHECK(message([&] { ranked.auroc(std::vector{1.0}); }) == "mmd: weights.size() = 1, expected one weight for each score");
  CHECK(message([&] { ranked.auroc(std::vector{1.0, -1.0}); }) == "mmd: weights = -1, expected finite numbers of 0 or more");
  CHECK(message([&] { ranked.roc(std::vector{0.0, 1.0}); }) == "mmd: weights of the human texts = 0, expected a sum above 0");
  CHECK(message([&] { ranked.tpr_at(1.5, w); }) == "mmd: fpr = 1.5, expected rates in [0, 1], in rising order");
  CHECK(std::isnan(ranked.auroc(std::vector{0.0, 1.0})));
}
