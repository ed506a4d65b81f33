// SPDX-License-Identifier: MIT
// Several tests at once: adjusted p-values. Reject where the adjusted p-value is <= the level asked for the whole family.
//
// Each function takes m p-values in any order and returns m adjusted ones in the same order; O(m log m) time, O(m) memory; no randomness.
// Each throws invalid_input for an empty family or a value outside (0, 1]: a p-value of 0 says that its test left the observed statistic
// out.
#pragma once

#include <algorithm>
#include <cmath>
#include <numeric>
#include <span>
#include <vector>

#include "mmd/core/config.hpp"
#include "mmd/core/errors.hpp"

namespace mmd {

// What is known of how p-values of one family depend on each other.
enum class dependence {
  arbitrary,            // nothing is known
  shared_draws,         // permutation tests that used the same draws (batches of small tests)
  independent,          // separate data and separate draws for each test
  positive_regression,  // PRDS (Benjamini and Yekutieli 2001, section 2): for example conformal p-values that share a calibration set
};

namespace detail {
inline namespace MMD_ISA {

inline std::vector<index_t> ascending_p_values(const char* what, std::span<const double> p) {
  require(!p.empty(), what, 0, "at least one p-value");
  for (const double v : p) require(v > 0 && v <= 1, what, v, "p-values above 0 and at most 1");
  std::vector<index_t> order(p.size());
  std::iota(order.begin(), order.end(), index_t{0});
  std::sort(order.begin(), order.end(), [&](index_t i, index_t j) {
    const double a = p[static_cast<std::size_t>(i)], b = p[static_cast<std::size_t>(j)];
    return a != b ? a < b : i < j;
  });
  return order;
}

// min over j >= i of factor * m / j * p_(j), at most 1.
inline std::vector<double> step_up(const char* what, std::span<const double> p, double factor) {
  const auto order = ascending_p_values(what, p);
  const auto m = static_cast<double>(p.size());
  std::vector<double> adjusted(p.size());
  double running = 1;
  for (std::size_t j = p.size(); j-- > 0;) {
    const auto i = static_cast<std::size_t>(order[j]);
    running = std::min(running, p[i] * factor * m / static_cast<double>(j + 1));
    adjusted[i] = running;
  }
  return adjusted;
}
}  // namespace MMD_ISA
}  // namespace detail

inline namespace MMD_ISA {

// min(1, m p). Controls the probability of any false rejection. Validity: any dependence.
inline std::vector<double> bonferroni(std::span<const double> p) {
  detail::ascending_p_values("bonferroni: p_values", p);
  std::vector<double> adjusted(p.begin(), p.end());
  for (double& v : adjusted) v = std::min(1.0, v * static_cast<double>(p.size()));
  return adjusted;
}

// max over j <= i of (m - j + 1) p_(j), at most 1 (Holm, Scand. J. Statist. 6, 1979). Controls the probability of any false rejection and
// is never worse than Bonferroni. Validity: any dependence.
inline std::vector<double> holm(std::span<const double> p) {
  const auto order = detail::ascending_p_values("holm: p_values", p);
  std::vector<double> adjusted(p.size());
  double running = 0;
  for (std::size_t j = 0; j < p.size(); ++j) {
    const auto i = static_cast<std::size_t>(order[j]);
    running = std::max(running, std::min(1.0, p[i] * static_cast<double>(p.size() - j)));
    adjusted[i] = running;
  }
  return adjusted;
}

// min over j >= i of m c_m / j p_(j), c_m = 1 + 1/2 + ... + 1/m, at most 1 (Benjamini and Yekutieli, Ann. Statist. 29, 2001). Controls the
// expected share of false ones among the rejections. Validity: any dependence.
inline std::vector<double> benjamini_yekutieli(std::span<const double> p) {
  double harmonic = 0;
  for (std::size_t j = p.size(); j > 0; --j) harmonic += 1 / static_cast<double>(j);
  return detail::step_up("benjamini_yekutieli: p_values", p, harmonic);
}

// min over j >= i of m / j p_(j), at most 1 (Benjamini and Hochberg, J. R. Statist. Soc. B 57, 1995). Controls the expected share of false
// ones among the rejections.
//
// Validity: independent or positively regression dependent p-values only, and the caller has to say which; there is no default. Conformal
// p-values that share a calibration set qualify (Bates, Candes, Lei, Romano, Sesia, Ann. Statist. 51, 2023); permutation p-values of a
// batch that shares its draws do not. Throws invalid_input for dependence::arbitrary and dependence::shared_draws.
inline std::vector<double> benjamini_hochberg(std::span<const double> p, dependence known) {
  constexpr const char* expected =
      "dependence::independent or dependence::positive_regression (conformal p-values); holm and benjamini_yekutieli hold for any "
      "dependence";
  detail::require(known != dependence::shared_draws, "benjamini_hochberg: known", "dependence::shared_draws", expected);
  detail::require(known == dependence::independent || known == dependence::positive_regression, "benjamini_hochberg: known",
                  "dependence::arbitrary", expected);
  return detail::step_up("benjamini_hochberg: p_values", p, 1);
}

}  // namespace MMD_ISA
}  // namespace mmd
