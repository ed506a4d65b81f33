// SPDX-License-Identifier: MIT
// Conformal calibration: thresholds with a finite-sample false-positive rate, from the scores of human texts that nothing else has seen.
#pragma once

#include <algorithm>
#include <cmath>
#include <limits>
#include <span>
#include <string>
#include <vector>

#include "mmd/detection/roles.hpp"
#include "mmd/inference/binomial.hpp"

namespace mmd {

// What a threshold rests on.
struct ConformalThreshold {
  double fpr = 0;        // as asked
  double threshold = 0;  // machine iff the score is above it; +infinity where no score can be called machine
  index_t calibration_texts = 0;
  index_t rank = 0;          // k: the threshold is the k-th largest calibration score
  double expected_fpr = 0;   // k / (n + 1), over calibration sets
  Interval fpr_90 = {};      // given this calibration set: the central 90 % of Beta(k, n + 1 - k); {0, 0} for k = 0
  std::string warning = {};  // empty, or what is thin about it
};

inline namespace MMD_ISA {
namespace conformal_detail {
// max{j <= n + 1 : j / (n + 1) <= rate}, by that same division.
inline index_t rank_at(double rate, index_t n) {
  const auto total = static_cast<double>(n + 1);
  auto k = std::min(static_cast<index_t>(rate * total) + 1, n + 1);
  while (k > 0 && !(static_cast<double>(k) / total <= rate)) --k;
  return k;
}
}  // namespace conformal_detail

// p = (1 + #{calibration scores >= s}) / (n + 1), and the thresholds that belong to it: s > threshold(fpr) exactly when p <= fpr.
//
// Validity: null: the text is human and exchangeable with the calibration texts (same domain, same source of texts, one text a cluster).
// Then P(p <= t) <= t for every t, exactly, in finite samples, whatever the score (equal to floor(t (n + 1)) / (n + 1) without ties), on
// average over calibration sets; given one set, the rate is Beta(k, n + 1 - k) for scores without ties. Broken by calibration texts that
// the score has seen (as training, checkpoint or reference texts: `Roles` refuses them), by another domain (rates of .1 to .5 for .05 were
// measured), and by many texts of one prompt. p-values of one calibration set are positively dependent: Benjamini-Hochberg holds for them.
class ConformalCalibration {
 public:
  // scores: of human texts, one each; ids: one a score, entered in `roles` as calibration texts. Throws invalid_input for a text that has
  // another role, lengths that differ, no scores, or a score that is not finite.
  ConformalCalibration(std::span<const double> scores, const TextIds& ids, Roles& roles) : ConformalCalibration(scores) {
    detail::require(ids.size() == static_cast<index_t>(scores.size()), "ids.size()", ids.size(), "one id for each calibration score");
    roles.assign(role::calibration, ids);
  }
  // For scores whose texts the caller knows to have no other role, and for scores read back from a model file, whose roles were checked.
  static ConformalCalibration of_texts_known_to_be_unseen(std::span<const double> scores) { return ConformalCalibration(scores); }

  index_t size() const { return static_cast<index_t>(sorted_.size()); }
  // Rising: what a model file keeps.
  const std::vector<double>& scores() const { return sorted_; }

  // O(log n). Throws invalid_input for a score that is not finite.
  double p_value(double score) const {
    detail::require(std::isfinite(score), "score", score, "a finite number");
    const auto as_large = sorted_.end() - std::lower_bound(sorted_.begin(), sorted_.end(), score);
    return static_cast<double>(1 + as_large) / static_cast<double>(size() + 1);
  }
  std::vector<double> p_values(std::span<const double> scores) const {
    std::vector<double> out;
    for (const double s : scores) out.push_back(p_value(s));
    return out;
  }

  // Throws invalid_input unless 0 < fpr < 1.
  ConformalThreshold threshold(double fpr) const {
    detail::require(fpr > 0 && fpr < 1, "fpr", fpr, "a rate between 0 and 1, such as 0.05");
    const index_t n = size(), k = conformal_detail::rank_at(fpr, n);
    ConformalThreshold out{.fpr = fpr, .threshold = std::numeric_limits<double>::infinity(), .calibration_texts = n, .rank = k};
    const auto needed = static_cast<index_t>(std::ceil(1 / fpr - 1 - 1e-9));
    if (k > 0) {
      const auto a = static_cast<double>(k), b = static_cast<double>(n + 1 - k);
      out.threshold = sorted_[static_cast<std::size_t>(n - k)];
      out.expected_fpr = a / static_cast<double>(n + 1);
      out.fpr_90 = {beta_quantile(0.05, a, b), beta_quantile(0.95, a, b)};
      if (static_cast<double>(n) < 5 / fpr) {
        out.warning = "the threshold is number " + std::to_string(k) + " from the top of " + std::to_string(n) +
                      " calibration scores; at this rate ask for " + std::to_string(static_cast<index_t>(std::ceil(5 / fpr))) + " or more";
      }
    } else {
      out.warning = std::to_string(n) + " calibration texts cannot reach this rate: no text is called machine; " + std::to_string(needed) +
                    " or more are needed";
    }
    return out;
  }

  // How many of `texts` human texts, one a cluster, may be called machine at this rate: the central band of the beta-binomial count.
  // {0, 0} where no text is called machine.
  CountBand false_positive_band(double fpr, index_t texts, double level = 0.999) const {
    const auto k = threshold(fpr).rank;
    if (k == 0) return {};
    return beta_binomial_band(texts, static_cast<double>(k), static_cast<double>(size() + 1 - k), level);
  }

 private:
  explicit ConformalCalibration(std::span<const double> scores) : sorted_(scores.begin(), scores.end()) {
    detail::require(!scores.empty(), "calibration scores", 0, "at least one score");
    for (const double s : scores) detail::require(std::isfinite(s), "calibration scores", s, "finite numbers");
    std::sort(sorted_.begin(), sorted_.end());
  }
  std::vector<double> sorted_;
};

}  // namespace MMD_ISA
}  // namespace mmd
