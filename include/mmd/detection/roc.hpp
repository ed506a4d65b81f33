// SPDX-License-Identifier: MIT
// How well scores tell machine-written from human-written texts: ROC curve, area under it, true-positive rate at a false-positive rate.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <limits>
#include <numeric>
#include <span>
#include <vector>

#include "mmd/core/config.hpp"
#include "mmd/core/errors.hpp"

namespace mmd {

// Points of the curve from (0, 0) to (1, 1), one for each distinct score: at point i the texts with a score >= threshold[i] are called
// machine. The first threshold is +infinity. Between two points the curve is straight, so its area is the AUROC with ties counted half.
struct RocCurve {
  std::vector<double> fpr, tpr, threshold;
};

inline namespace MMD_ISA {

// Scores in order, sorted once, to be judged under any weights. score: higher = more machine-like; machine: 1 for a machine text, 0 for a
// human one; weights: one a text, >= 0. Members take O(n) time after the O(n log n) of construction; the bootstrap rests on that. No
// randomness. `scores` and `machine` are copied.
//
// Throws invalid_input for lengths that differ, a score that is not finite, and texts of one kind only; a member throws for weights that
// are not finite, negative, or sum to 0 over one kind, except that `auroc` and `tpr_at` then return NaN (a bootstrap sample may be so).
class RankedScores {
 public:
  RankedScores(std::span<const double> scores, std::span<const std::uint8_t> machine)
      : scores_(scores.begin(), scores.end()), machine_(machine.begin(), machine.end()), order_(scores.size()) {
    detail::require(machine.size() == scores.size(), "machine.size()", machine.size(), "as many entries as scores");
    for (const double s : scores) detail::require(std::isfinite(s), "scores", s, "finite numbers");
    index_t machines = 0;
    for (const auto m : machine) {
      detail::require(m <= 1, "machine", static_cast<int>(m), "1 for a machine text or 0 for a human one");
      machines += m;
    }
    const auto n = static_cast<index_t>(scores.size());
    detail::require(machines >= 1, "machine texts", machines, "at least 1");
    detail::require(machines < n, "human texts", n - machines, "at least 1");
    std::iota(order_.begin(), order_.end(), std::size_t{0});
    std::stable_sort(order_.begin(), order_.end(), [&](std::size_t i, std::size_t j) { return scores_[i] > scores_[j]; });
  }

  index_t size() const { return static_cast<index_t>(scores_.size()); }
  std::span<const double> scores() const { return scores_; }
  std::span<const std::uint8_t> machine() const { return machine_; }
  // Positions of the texts by falling score.
  std::span<const std::size_t> order() const { return order_; }

  // Sum_i Sum_j w_i v_j [1(s_j > s_i) + 1/2 1(s_j = s_i)] / (Sum w Sum v), i over human texts, j over machine texts.
  double auroc(std::span<const double> weights) const {
    const Totals all = totals(weights);
    double human = 0, area = 0;
    each_tie(weights, [&](double, double h, double m) {
      area += m * (all.humans - human - h / 2);
      human += h;
      return true;
    });
    return all.humans > 0 && all.machines > 0 ? area / (all.humans * all.machines) : std::numeric_limits<double>::quiet_NaN();
  }

  RocCurve roc(std::span<const double> weights) const {
    const Totals all = totals(weights);
    detail::require(all.humans > 0, "weights of the human texts", all.humans, "a sum above 0");
    detail::require(all.machines > 0, "weights of the machine texts", all.machines, "a sum above 0");
    RocCurve curve{{0}, {0}, {std::numeric_limits<double>::infinity()}};
    double human = 0, machine = 0;
    each_tie(weights, [&](double score, double h, double m) {
      human += h;
      machine += m;
      curve.fpr.push_back(std::min(1.0, human / all.humans));
      curve.tpr.push_back(std::min(1.0, machine / all.machines));
      curve.threshold.push_back(score);
      return true;
    });
    curve.fpr.back() = curve.tpr.back() = 1;
    return curve;
  }

  // The curve's height at exactly these false-positive rates (rising, in [0, 1]): its highest point there, or the straight line between the
  // points beside it (which is what a randomised decision at a tied score attains). Rates within 1e-12 count as equal. O(n + rates).
  void tpr_at(std::span<const double> rising_fprs, std::span<const double> weights, std::span<double> out) const {
    for (std::size_t i = 0; i < rising_fprs.size(); ++i) {
      detail::require(rising_fprs[i] >= (i ? rising_fprs[i - 1] : 0) && rising_fprs[i] <= 1, "fpr", rising_fprs[i],
                      "rates in [0, 1], in rising order");
    }
    const Totals all = totals(weights);
    if (!(all.humans > 0 && all.machines > 0)) {
      std::fill(out.begin(), out.end(), std::numeric_limits<double>::quiet_NaN());
      return;
    }
    double human = 0, machine = 0;
    std::size_t next = 0;
    each_tie(weights, [&](double, double h, double m) {
      for (; next < rising_fprs.size() && human + h > (rising_fprs[next] + 1e-12) * all.humans; ++next) {
        out[next] = (machine + m * std::max(0.0, rising_fprs[next] * all.humans - human) / h) / all.machines;
      }
      human += h;
      machine += m;
      return next < rising_fprs.size();
    });
    for (; next < rising_fprs.size(); ++next) out[next] = 1;
  }
  double tpr_at(double fpr, std::span<const double> weights) const {
    double out = 0;
    tpr_at(std::span(&fpr, 1), weights, std::span(&out, 1));
    return out;
  }

 private:
  struct Totals {
    double humans = 0, machines = 0;
  };
  Totals totals(std::span<const double> weights) const {
    detail::require(weights.size() == scores_.size(), "weights.size()", weights.size(), "one weight for each score");
    Totals sum;
    for (std::size_t i = 0; i < weights.size(); ++i) {
      detail::require(std::isfinite(weights[i]) && weights[i] >= 0, "weights", weights[i], "finite numbers of 0 or more");
      (machine_[i] ? sum.machines : sum.humans) += weights[i];
    }
    return sum;
  }
  // visit(score, weight of the humans, weight of the machines) for each distinct score, highest first, until it returns false.
  template <class F>
  void each_tie(std::span<const double> weights, F visit) const {
    for (std::size_t i = 0; i < order_.size();) {
      const double score = scores_[order_[i]];
      double weight[2] = {0, 0};
      for (; i < order_.size() && scores_[order_[i]] == score; ++i) weight[machine_[order_[i]]] += weights[order_[i]];
      if (!visit(score, weight[0], weight[1])) return;
    }
  }

  std::vector<double> scores_;
  std::vector<std::uint8_t> machine_;
  std::vector<std::size_t> order_;
};

// The area under the ROC curve, unweighted: the probability that a machine text scores higher than a human one, ties counted half.
// O(n log n). Throws invalid_input for an empty side or a score that is not finite.
inline double auroc(std::span<const double> human_scores, std::span<const double> machine_scores) {
  std::vector<double> scores(human_scores.begin(), human_scores.end());
  scores.insert(scores.end(), machine_scores.begin(), machine_scores.end());
  std::vector<std::uint8_t> machine(human_scores.size(), 0);
  machine.resize(scores.size(), 1);
  return RankedScores(scores, machine).auroc(std::vector<double>(scores.size(), 1.0));
}

}  // namespace MMD_ISA
}  // namespace mmd
