// SPDX-License-Identifier: MIT
#include "mmd/detection/score_evaluation.hpp"

#include <algorithm>
#include <cmath>

#include "oracle/roc.hpp"
#include "support/catch2.hpp"
#include "support/detection.hpp"

using support::table;

namespace {
mmd::scored_texts view(const table& t) { return {t.scores, t.machine, t.cell, t.cluster, t.set}; }

std::vector<bool> counting_cells(const table& t, int min_humans) {
  std::vector<int> humans(3, 0);
  for (const auto& x : t.texts) humans[static_cast<std::size_t>(x.cell)] += !x.machine;
  return {humans[0] >= min_humans, humans[1] >= min_humans, humans[2] >= min_humans};
}
// A bootstrap sample written out: each text as often as it counts.
table repeated(const table& t, std::span<const double> multiplicity) {
  table out(0, 0, 1);
  for (std::size_t i = 0; i < t.texts.size(); ++i) {
    for (int c = 0; c < static_cast<int>(multiplicity[i]); ++c) out.add(t.texts[i]);
  }
  return out;
}
}  // namespace

TEST_CASE("cell weights agree with their definition, and rare cells are left out") {
  const table t(150, 3, 1000);
  const mmd::CellWeighting weighting(t.cell, t.machine, 10);
  const auto w = weighting.weights();
  const auto counts = counting_cells(t, 10);
  REQUIRE(counts[0]);
  REQUIRE(!counts[2]);
  const auto expected = oracle::cell_weights(t.texts, counts);
  double humans = 0, machines = 0, human_squares = 0;
  for (std::size_t i = 0; i < 150; ++i) {
    CHECK(w.weights[i] == Approx(expected[i]).epsilon(1e-14));
    (t.machine[i] ? machines : humans) += expected[i];
    human_squares += t.machine[i] ? 0 : expected[i] * expected[i];
  }
  CHECK(humans == Approx(machines).epsilon(1e-12));
  CHECK(w.effective_humans == Approx(humans * humans / human_squares).epsilon(1e-12));
  CHECK(w.effective_machines == Approx(machines).epsilon(1e-12));
  CHECK(!w.cells[2].used);
  CHECK(w.cells[2].humans + w.cells[2].machines == std::count(t.cell.begin(), t.cell.end(), 2));
}

TEST_CASE("every figure agrees with its definition on the data and on each bootstrap sample") {
  const table t(90, 11, 40);
  mmd::ScoreOptions options{.fprs = {0.01, 0.05, 0.3}, .thresholds = {20, 25}, .min_humans = 4, .band_points = 5};
  options.bootstrap.draws = 120;
  const mmd::ScoreFigures figures(view(t), options);
  const auto counts = counting_cells(t, 4);
  const auto check = [&](std::span<const double> multiplicity) {
    std::vector<double> out(static_cast<std::size_t>(figures.count()));
    figures(multiplicity, out);
    const table sample = repeated(t, multiplicity);
    const auto w = oracle::cell_weights(sample.texts, counts);
    CHECK(out[0] == Approx(oracle::auroc(sample.texts, w)).epsilon(1e-12));
    for (std::size_t i = 0; i < 3; ++i) CHECK(out[1 + i] == Approx(oracle::tpr_at(sample.texts, w, options.fprs[i])).epsilon(1e-9));
    for (std::size_t i = 0; i < 2; ++i) {
      const double above = std::nextafter(options.thresholds[i], 1e9);
      CHECK(out[4 + 2 * i] == Approx(oracle::share_from(sample.texts, w, true, above)).epsilon(1e-12));
      CHECK(out[5 + 2 * i] == Approx(oracle::share_from(sample.texts, w, false, above)).epsilon(1e-12).margin(1e-12));
    }
    for (int s = 0; s < 3; ++s)
      CHECK(out[static_cast<std::size_t>(8 + s)] == Approx(oracle::set_auroc(sample.texts, counts, s)).epsilon(1e-12));
    for (int i = 0; i < 5; ++i)
      CHECK(out[static_cast<std::size_t>(11 + i)] == Approx(oracle::tpr_at(sample.texts, w, i / 4.0)).epsilon(1e-9));
  };
  check(std::vector<double>(90, 1.0));
  const mmd::ClusterBootstrap bootstrap(t.cluster, options.bootstrap);
  int samples = 0;
  bootstrap(1, [&](std::span<const double> multiplicity, std::span<double>) {
    if (samples++ < 20) check(multiplicity);
  });
  CHECK(samples == 120);
}

TEST_CASE("the bootstrap draws whole clusters, as many as there are, and its intervals are percentiles") {
  const table t(60, 4, 1000);
  const mmd::ClusterBootstrap bootstrap(t.cluster, {.draws = 400, .level = 0.9, .seed = 7});
  std::vector<double> first;
  double mean = 0;
  const auto draws = bootstrap(1, [&](std::span<const double> multiplicity, std::span<double> out) {
    double clusters = 0;
    for (std::size_t i = 0; i < 60; ++i) {
      double size = 0;
      for (std::size_t j = 0; j < 60; ++j) {
        size += t.cluster[j] == t.cluster[i];
        if (t.cluster[j] == t.cluster[i]) CHECK(multiplicity[j] == multiplicity[i]);
      }
      clusters += multiplicity[i] / size;
    }
    CHECK(clusters == Approx(static_cast<double>(bootstrap.clusters())));
    if (first.empty()) first.assign(multiplicity.begin(), multiplicity.end());
    mean += multiplicity[0] / 400;
    out[0] = multiplicity[0];
  });
  CHECK(mean == Approx(1).margin(0.2));
  std::vector<double> sorted = draws.values();
  std::sort(sorted.begin(), sorted.end());
  const auto interval = bootstrap.intervals(draws).front();
  CHECK(interval.low == sorted[19] + 0.95 * (sorted[20] - sorted[19]));
  CHECK(interval.high == Approx(sorted[379] + 0.05 * (sorted[380] - sorted[379])));
  mmd::ClusterBootstrap(t.cluster, {.draws = 100, .seed = 8})(1, [&](std::span<const double> multiplicity, std::span<double>) {
    CHECK(!std::equal(first.begin(), first.end(), multiplicity.begin()));
    first.assign(multiplicity.begin(), multiplicity.end());
  });
}

TEST_CASE("an evaluation is reproducible and its interval holds the value and covers as it says") {
  const table t(150, 5, 1000000);
  const auto a = mmd::evaluate_scores(view(t)), b = mmd::evaluate_scores(view(t));
  CHECK(a.auroc.interval.low == b.auroc.interval.low);
  CHECK(a.auroc.interval.low < a.auroc.value);
  CHECK(a.auroc.value < a.auroc.interval.high);
  CHECK(a.band.fpr.size() == 101);
  CHECK(a.band.low[50] <= a.band.tpr[50]);
  CHECK(a.sets.size() == 3);
  CHECK(a.sets[0].machines + a.sets[1].machines + a.sets[2].machines == static_cast<mmd::index_t>(a.effective_machines + 0.5));

  // AUROC of a shift by 1 between two normals is Phi(1 / sqrt 2) = 0.760250; one text a cluster, one cell.
  int covered = 0;
  for (std::uint64_t round = 0; round < 120; ++round) {
    mmd::random_stream draw(round, mmd::purpose::user, 9);
    std::vector<double> scores;
    std::vector<std::uint8_t> machine;
    std::vector<mmd::index_t> cell(120, 0), cluster;
    for (int i = 0; i < 120; ++i) {
      machine.push_back(i % 2 ? 1 : 0);
      scores.push_back(draw.normal() + i % 2);
      cluster.push_back(i);
    }
    const auto e = mmd::evaluate_scores({scores, machine, cell, cluster}, {.band_points = 0, .bootstrap = {.draws = 300}});
    covered += e.auroc.interval.low <= 0.760250 && 0.760250 <= e.auroc.interval.high;
  }
  CHECK(covered >= 120 * 0.95 - 3.5 * std::sqrt(120 * 0.95 * 0.05));
  CHECK(covered < 120);
}

TEST_CASE("differences are paired") {
  const table t(120, 6, 1000000);
  std::vector<double> other = t.scores, noisy = t.scores;
  mmd::random_stream draw(1, mmd::purpose::user, 2);
  for (std::size_t i = 0; i < other.size(); ++i) {
    other[i] = 3 * other[i] + 1;  // the same order
    noisy[i] += 30000 * draw.normal();
  }
  const auto same = mmd::compare_scores(view(t), other);
  CHECK(same.auroc.value == 0);
  CHECK(same.auroc.interval.low == 0);
  CHECK(same.auroc.interval.high == 0);
  const auto difference = mmd::compare_scores(view(t), noisy, {.bootstrap = {.draws = 500, .seed = 3}});
  const auto first = mmd::evaluate_scores(view(t)), second = mmd::evaluate_scores({noisy, t.machine, t.cell, t.cluster});
  CHECK(difference.auroc.value == Approx(first.auroc.value - second.auroc.value).epsilon(1e-12));
  CHECK(difference.tpr_at[1].value == Approx(first.tpr_at[1].value - second.tpr_at[1].value).epsilon(1e-12).margin(1e-12));
  const auto width = [](const mmd::Estimate& e) { return e.interval.high - e.interval.low; };
  CHECK(width(difference.auroc) < 0.5 * width(first.auroc));
}

TEST_CASE("counts at a threshold are over all human texts") {
  const table t(120, 6, 1000);
  const auto e = mmd::evaluate_scores(view(t), {.thresholds = {500}});
  mmd::index_t humans = 0, above = 0;
  for (const auto& x : t.texts) {
    humans += !x.machine;
    above += !x.machine && x.score > 500;
  }
  CHECK(e.rates.at(0).humans == humans);
  CHECK(e.rates.at(0).false_positives == above);
}

TEST_CASE("names become numbers in sorted order") {
  const std::vector<std::string> names{"news", "books", "news", "web"};
  const auto l = mmd::label(names);
  CHECK(l.names == std::vector<std::string>{"books", "news", "web"});
  CHECK(l.ids == std::vector<mmd::index_t>{1, 0, 1, 2});
}

TEST_CASE("bad tables are named") {
  const table t(60, 1, 100);
  const std::vector<mmd::index_t> one_cluster(60, 1), negative(60, -1), few{0, 1};
  CHECK(message([&] {
          mmd::evaluate_scores({t.scores, t.machine, t.cell, one_cluster});
        }) == "mmd: clusters = 1, expected at least 2 different ones");
  CHECK(message([&] {
          mmd::evaluate_scores({t.scores, t.machine, negative, t.cluster});
        }) == "mmd: cell = -1, expected a number from 0 to 2^20 - 1");
  CHECK(message([&] {
          mmd::evaluate_scores({t.scores, t.machine, few, t.cluster});
        }) == "mmd: machine.size() = 60, expected as many entries as cell");
  CHECK(message([&] {
          mmd::evaluate_scores({t.scores, t.machine, t.cell, few});
        }) == "mmd: cluster.size() = 2, expected as many entries as scores");
  CHECK(message([&] {
          mmd::evaluate_scores({t.scores, t.machine, t.cell, t.cluster, few});
        }) == "mmd: set.size() = 2, expected none, or as many entries as scores");
  CHECK(message([&] { mmd::evaluate_scores(view(t), {.min_humans = 1000}); }) ==
        "mmd: cell = 3, expected at least one cell with 1000 human texts or more");
  CHECK(message([&] { mmd::evaluate_scores(view(t), {.bootstrap = {.draws = 5}}); }) == "mmd: bootstrap.draws = 5, expected 100 or more");
  CHECK(message([&] { mmd::evaluate_scores(view(t), {.bootstrap = {.level = 95}}); }) ==
        "mmd: bootstrap.level = 95, expected a number between 0 and 1, such as 0.95");
  CHECK(message([&] { mmd::compare_scores(view(t), std::vector{1.0}); }) == "mmd: other.size() = 1, expected as many scores as the first");
  CHECK(message([&] { mmd::evaluate_scores(view(t), {.band_points = 1}); }) == "mmd: band_points = 1, expected 0, or 2 or more");
}
