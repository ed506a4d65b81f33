// SPDX-License-Identifier: MIT
// The figures of a set of scores, with cluster-bootstrap intervals: what a report states, and the difference of two detectors.
#pragma once

#include <cmath>
#include <cstdint>
#include <limits>
#include <span>
#include <vector>

#include "mmd/detection/bootstrap.hpp"
#include "mmd/detection/cells.hpp"
#include "mmd/detection/roc.hpp"

namespace mmd {

// One entry a text. machine: 1 or 0; cell: its domain; cluster: its prompt cluster; set (optional): a number for tables by set or
// generator, read for machine texts only.
struct scored_texts {
  std::span<const double> scores;
  std::span<const std::uint8_t> machine;
  std::span<const index_t> cell;
  std::span<const index_t> cluster;
  std::span<const index_t> set = {};
};

struct ScoreOptions {
  std::vector<double> fprs = {0.01, 0.05};  // TPR at exactly these rates
  std::vector<double> thresholds = {};      // rates at these thresholds (machine iff the score is above)
  index_t min_humans = 10;                  // cells with fewer human texts are left out
  index_t band_points = 101;                // points of the ROC band, evenly spaced in FPR; 0: no band
  BootstrapOptions bootstrap = {};
};

struct Estimate {
  double value = 0;
  Interval interval = {};
};
struct RatesAtThreshold {
  double threshold = 0;
  Estimate tpr, fpr;                        // weighted
  index_t false_positives = 0, humans = 0;  // counted, over all human texts: what a beta-binomial band speaks of
};
struct SetAuroc {
  index_t set = 0, machines = 0;  // machine texts of cells that count
  Estimate auroc;
};
struct RocBand {
  std::vector<double> fpr, tpr, low, high;  // pointwise
};

struct ScoreEvaluation {
  Estimate auroc;
  std::vector<Estimate> tpr_at;  // by options.fprs
  std::vector<RatesAtThreshold> rates;
  std::vector<SetAuroc> sets;
  RocBand band;
  RocCurve curve;
  std::vector<Cell> cells;
  double effective_humans = 0, effective_machines = 0;
  index_t clusters = 0;
};

inline namespace MMD_ISA {

// Every figure of one set of scores as a function of how often each text counts.
class ScoreFigures {
 public:
  ScoreFigures(const scored_texts& texts, const ScoreOptions& options)
      : ranked_(texts.scores, texts.machine),
        cells_(texts.cell, texts.machine, options.min_humans),
        set_(texts.set.begin(), texts.set.end()),
        options_(options) {
    detail::require(texts.cell.size() == texts.scores.size(), "cell.size()", texts.cell.size(), "as many entries as scores");
    detail::require(texts.cluster.size() == texts.scores.size(), "cluster.size()", texts.cluster.size(), "as many entries as scores");
    detail::require(set_.empty() || set_.size() == texts.scores.size(), "set.size()", set_.size(), "none, or as many entries as scores");
    detail::require(options.band_points == 0 || options.band_points >= 2, "band_points", options.band_points, "0, or 2 or more");
    for (index_t i = 0; i < options.band_points; ++i) {
      band_fprs_.push_back(static_cast<double>(i) / static_cast<double>(options.band_points - 1));
    }
    machines_of_.resize(static_cast<std::size_t>(set_numbers()), 0);
    for (std::size_t i = 0; i < set_.size(); ++i) {
      if (counts_for_set(i)) ++machines_of_[static_cast<std::size_t>(set_[i])];
    }
  }

  // auroc | tpr at each rate | tpr and fpr at each threshold | AUROC of each set number | the ROC at each point of the band.
  index_t count() const {
    return static_cast<index_t>(1 + options_.fprs.size() + 2 * options_.thresholds.size() + machines_of_.size()) + options_.band_points;
  }
  std::size_t first_rate() const { return 1 + options_.fprs.size(); }
  std::size_t first_set() const { return first_rate() + 2 * options_.thresholds.size(); }
  std::size_t first_band_point() const { return first_set() + machines_of_.size(); }
  const std::vector<double>& band_fprs() const { return band_fprs_; }
  const std::vector<index_t>& machines_of() const { return machines_of_; }
  const CellWeighting& cells() const { return cells_; }
  const RankedScores& ranked() const { return ranked_; }

  void operator()(std::span<const double> multiplicity, std::span<double> out) const {
    std::vector<double> weights;
    cells_.reweigh(multiplicity, weights);
    out[0] = ranked_.auroc(weights);
    for (std::size_t i = 0; i < options_.fprs.size(); ++i) out[1 + i] = ranked_.tpr_at(options_.fprs[i], weights);
    for (std::size_t i = 0; i < options_.thresholds.size(); ++i) rates_above(options_.thresholds[i], weights, &out[first_rate() + 2 * i]);
    if (!machines_of_.empty()) set_aurocs(multiplicity, out.subspan(first_set(), machines_of_.size()));
    ranked_.tpr_at(band_fprs_, weights, out.subspan(first_band_point()));
  }

 private:
  index_t set_numbers() const {
    index_t most = -1;
    for (std::size_t i = 0; i < set_.size(); ++i) {
      if (ranked_.machine()[i]) {
        detail::require(set_[i] >= 0 && set_[i] < (index_t{1} << 20), "set", set_[i], "a number from 0 to 2^20 - 1");
        most = std::max(most, set_[i]);
      }
    }
    return most + 1;
  }
  bool counts_for_set(std::size_t i) const {
    return ranked_.machine()[i] && cells_.cells()[static_cast<std::size_t>(cells_.cell()[i])].used;
  }
  void rates_above(double threshold, std::span<const double> weights, double* tpr_fpr) const {
    double above[2] = {0, 0}, all[2] = {0, 0};
    for (std::size_t i = 0; i < weights.size(); ++i) {
      all[ranked_.machine()[i]] += weights[i];
      if (ranked_.scores()[i] > threshold) above[ranked_.machine()[i]] += weights[i];
    }
    tpr_fpr[0] = above[1] / all[1];
    tpr_fpr[1] = above[0] / all[0];
  }
  // The mean, over the machine texts of a set, of the share of its own cell's human texts that score lower, ties counted half.
  void set_aurocs(std::span<const double> multiplicity, std::span<double> out) const {
    const std::size_t cells = cells_.cells().size();
    std::vector<double> humans(cells, 0), above(cells, 0), tied(cells, 0), machines(out.size(), 0);
    for (std::size_t i = 0; i < multiplicity.size(); ++i) {
      if (!ranked_.machine()[i]) humans[static_cast<std::size_t>(cells_.cell()[i])] += multiplicity[i];
    }
    std::fill(out.begin(), out.end(), 0.0);
    const auto order = ranked_.order();
    const auto cell_of = [&](std::size_t i) { return static_cast<std::size_t>(cells_.cell()[i]); };
    for (std::size_t from = 0, to = 0; from < order.size(); from = to) {
      while (to < order.size() && ranked_.scores()[order[to]] == ranked_.scores()[order[from]]) ++to;
      for (std::size_t p = from; p < to; ++p) {
        if (!ranked_.machine()[order[p]]) tied[cell_of(order[p])] += multiplicity[order[p]];
      }
      for (std::size_t p = from; p < to; ++p) {
        const std::size_t i = order[p], c = cell_of(i);
        if (!counts_for_set(i) || !(humans[c] > 0)) continue;
        const auto s = static_cast<std::size_t>(set_[i]);
        out[s] += multiplicity[i] * (humans[c] - above[c] - tied[c] / 2) / humans[c];
        machines[s] += multiplicity[i];
      }
      for (std::size_t p = from; p < to; ++p) {
        above[cell_of(order[p])] += tied[cell_of(order[p])];
        tied[cell_of(order[p])] = 0;
      }
    }
    for (std::size_t s = 0; s < out.size(); ++s) out[s] = machines[s] > 0 ? out[s] / machines[s] : std::numeric_limits<double>::quiet_NaN();
  }

  RankedScores ranked_;
  CellWeighting cells_;
  std::vector<index_t> set_, machines_of_;
  std::vector<double> band_fprs_;
  ScoreOptions options_;
};

// Everything of one set of scores. Machine texts weigh 1, human texts so that each cell is half human (CellWeighting); a set's AUROC
// compares its machine texts with the human texts of their own cells and averages by machine texts. Intervals are cluster-bootstrap
// percentiles with the weights counted again in each sample.
//
// Cost: O(draws (n + points)); memory O(draws figures). Reproducible: a function of the input and the seed.
// Validity: of the intervals, see ClusterBootstrap. Nothing here says how scores would differ under another training seed.
// Throws invalid_input for lengths that differ, no cell with enough humans, one kind of texts only, scores that are not finite.
inline ScoreEvaluation evaluate_scores(const scored_texts& texts, const ScoreOptions& options = {}) {
  const ScoreFigures figures(texts, options);
  const ClusterBootstrap bootstrap(texts.cluster, options.bootstrap);
  std::vector<double> value(static_cast<std::size_t>(figures.count()));
  const std::vector<double> once(texts.scores.size(), 1.0);
  figures(once, value);
  const auto interval = bootstrap.intervals(bootstrap(figures.count(), figures));
  const auto estimate = [&](std::size_t i) { return Estimate{value[i], interval[i]}; };

  ScoreEvaluation out;
  const auto weights = figures.cells().weights();
  out.cells = weights.cells;
  out.effective_humans = weights.effective_humans;
  out.effective_machines = weights.effective_machines;
  out.clusters = bootstrap.clusters();
  out.curve = figures.ranked().roc(weights.weights);
  out.auroc = estimate(0);
  for (std::size_t i = 0; i < options.fprs.size(); ++i) out.tpr_at.push_back(estimate(1 + i));
  for (std::size_t i = 0; i < options.thresholds.size(); ++i) {
    RatesAtThreshold r{options.thresholds[i], estimate(figures.first_rate() + 2 * i), estimate(figures.first_rate() + 2 * i + 1)};
    for (std::size_t j = 0; j < texts.scores.size(); ++j) {
      if (texts.machine[j]) continue;
      ++r.humans;
      r.false_positives += texts.scores[j] > options.thresholds[i];
    }
    out.rates.push_back(r);
  }
  for (std::size_t s = 0; s < figures.machines_of().size(); ++s) {
    const index_t machines = figures.machines_of()[s];
    if (machines > 0) out.sets.push_back({static_cast<index_t>(s), machines, estimate(figures.first_set() + s)});
  }
  out.band.fpr = figures.band_fprs();
  for (std::size_t at = figures.first_band_point(); at < value.size(); ++at) {
    out.band.tpr.push_back(value[at]);
    out.band.low.push_back(interval[at].low);
    out.band.high.push_back(interval[at].high);
  }
  return out;
}

struct ScoreDifference {
  Estimate auroc;
  std::vector<Estimate> tpr_at;  // by options.fprs
};

// The figures of `texts.scores` minus those of `other` on the same texts, with paired intervals: both are evaluated on the same bootstrap
// samples. Thresholds, sets and the band are not compared. Throws as evaluate_scores.
inline ScoreDifference compare_scores(const scored_texts& texts, std::span<const double> other, ScoreOptions options = {}) {
  options.thresholds.clear();
  options.band_points = 0;
  scored_texts first = texts, second = texts;
  first.set = second.set = {};
  second.scores = other;
  detail::require(other.size() == texts.scores.size(), "other.size()", other.size(), "as many scores as the first");
  const ScoreFigures a(first, options), b(second, options);
  const ClusterBootstrap bootstrap(texts.cluster, options.bootstrap);
  std::vector<double> of_b(static_cast<std::size_t>(b.count()));
  const auto difference = [&](std::span<const double> multiplicity, std::span<double> out) {
    a(multiplicity, out);
    b(multiplicity, of_b);
    for (std::size_t i = 0; i < out.size(); ++i) out[i] -= of_b[i];
  };
  std::vector<double> value(of_b.size());
  difference(std::vector<double>(texts.scores.size(), 1.0), value);
  const auto interval = bootstrap.intervals(bootstrap(a.count(), difference));
  ScoreDifference out{{value[0], interval[0]}, {}};
  for (std::size_t i = 0; i < options.fprs.size(); ++i) out.tpr_at.push_back({value[1 + i], interval[1 + i]});
  return out;
}

}  // namespace MMD_ISA
}  // namespace mmd
