// SPDX-License-Identifier: MIT
// What a permutation test says.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <functional>
#include <limits>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "mmd/inference/binomial.hpp"

namespace mmd {

// Which MMD^2. unbiased: the U-statistic, means over distinct rows; biased: the V-statistic, k(z, z) included.
enum class estimator { unbiased, biased };
inline const char* to_string(estimator e) { return e == estimator::unbiased ? "unbiased" : "biased"; }
// Throws invalid_input for any other word.
inline estimator parse_estimator(std::string_view word) {
  if (word == "unbiased") return estimator::unbiased;
  if (word == "biased") return estimator::biased;
  detail::reject("estimator", word, "unbiased or biased");
}

// How the splits are chosen and evaluated (PermutationTest says how `automatic` decides).
enum class method { automatic, full, enumerate, binned, subset };
inline const char* to_string(method m) {
  constexpr const char* names[] = {"automatic", "full", "enumerate", "binned", "subset"};
  return names[static_cast<int>(m)];
}
// Throws invalid_input for any other word.
inline method parse_method(std::string_view word) {
  for (const method m : {method::automatic, method::full, method::enumerate, method::binned, method::subset}) {
    if (word == to_string(m)) return m;
  }
  detail::reject("method", word, "automatic, full, enumerate, binned or subset");
}

// A binned test moves `bins` bins of `rows_per_bin` rows; `rows_held` rows keep their label in every draw.
struct BinLayout {
  index_t bins = 0, rows_per_bin = 0, rows_held = 0;
};

// A clustered test moves whole clusters: this many of x and of y.
struct ClusterLayout {
  index_t x = 0, y = 0;
};

struct TestResult {
  double statistic = 0;           // MMD^2 of the named estimator
  double p_value = 1;             // (1 + #{null >= statistic - tolerance}) / (permutations + 1): never 0
  std::vector<double> null = {};  // the statistic of every draw, in the order of the draws; a batch may leave them out
  index_t permutations = 0;       // how many: B, or all other splits of an enumeration
  mmd::method method = {};        // the one that ran
  mmd::estimator estimator = {};
  std::uint64_t seed = 0;
  index_t n = 0, m = 0;       // rows of x and y
  double tolerance = 0;       // draws this close below the statistic count as ties
  bool mirrored = false;      // every split has a twin of equal statistic (an enumeration with equally many on both sides)
  bool shared_draws = false;  // other tests of its batch used the same draws: no Benjamini-Hochberg
  std::optional<BinLayout> bins = {};
  std::optional<ClusterLayout> clusters = {};
  std::vector<std::string> warnings = {};

  // p <= alpha.
  bool reject(double alpha) const { return p_value <= checked_level(alpha); }
  // The k-th largest null draw, k = max{j : j / (permutations + 1) <= alpha}; +infinity if k = 0. The test rejects iff
  // statistic - tolerance is above it. O(permutations). Throws invalid_input where the draws were not kept.
  double threshold(double alpha) const {
    const auto all = static_cast<double>(permutations + 1);
    auto k = static_cast<index_t>(checked_level(alpha) * all) + 1;
    if (static_cast<double>(k) / all > alpha) --k;
    if (static_cast<double>(k) / all > alpha) --k;
    if (k == 0) return std::numeric_limits<double>::infinity();
    detail::require(!null.empty(), "null.size()", 0, "the draws: a batch keeps them with keep_null = true");
    std::vector<double> draws = null;
    std::nth_element(draws.begin(), draws.begin() + (k - 1), draws.end(), std::greater<>());
    return draws[static_cast<std::size_t>(k - 1)];
  }
  // The smallest p-value that the test could have given.
  double smallest_p() const { return (mirrored ? 2.0 : 1.0) / static_cast<double>(permutations + 1); }
  // Whether a test at this level could have rejected at all; where it could not, its p-value is valid all the same.
  bool attainable(double alpha) const { return smallest_p() <= checked_level(alpha); }
  // An interval for the p-value that infinitely many draws would give (Clopper-Pearson over the draws, ties counted); an enumeration's is
  // exact.
  Interval p_interval(double level = 0.95) const {
    if (method == mmd::method::enumerate) return {p_value, p_value};
    const auto exceed = static_cast<index_t>(std::llround(p_value * static_cast<double>(permutations + 1))) - 1;
    return clopper_pearson(exceed, permutations, level);
  }

 private:
  static double checked_level(double alpha) {
    detail::require(alpha > 0 && alpha < 1, "alpha", alpha, "a number between 0 and 1, such as 0.05");
    return alpha;
  }
};

}  // namespace mmd
