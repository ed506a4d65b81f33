// SPDX-License-Identifier: MIT
// The rejection rules of multiple testing, as their authors state them: decisions at a level, no adjusted p-values.
#pragma once

#include <algorithm>
#include <cstddef>
#include <vector>

namespace oracle {

inline double harmonic(std::size_t m) {
  double sum = 0;
  for (std::size_t j = 1; j <= m; ++j) sum += 1.0 / static_cast<double>(j);
  return sum;
}

inline std::vector<bool> bonferroni_rejects(const std::vector<double>& p, double level) {
  std::vector<bool> rejected;
  for (double v : p) rejected.push_back(v * static_cast<double>(p.size()) <= level);
  return rejected;
}

// Step down: compare the smallest p-value left with level / (tests left) and stop at the first that is larger.
inline std::vector<bool> holm_rejects(const std::vector<double>& p, double level) {
  std::vector<bool> rejected(p.size(), false);
  for (std::size_t left = p.size(); left > 0; --left) {
    std::size_t smallest = p.size();
    for (std::size_t i = 0; i < p.size(); ++i) {
      if (!rejected[i] && (smallest == p.size() || p[i] < p[smallest])) smallest = i;
    }
    if (p[smallest] * static_cast<double>(left) > level) break;
    rejected[smallest] = true;
  }
  return rejected;
}

// Step up: the largest j with p_(j) <= j level / (m factor); reject the j smallest.
inline std::vector<bool> step_up_rejects(const std::vector<double>& p, double level, double factor) {
  std::vector<double> sorted = p;
  std::sort(sorted.begin(), sorted.end());
  const auto m = static_cast<double>(p.size());
  double largest = 0;
  for (std::size_t j = 1; j <= p.size(); ++j) {
    if (sorted[j - 1] * factor * m / static_cast<double>(j) <= level) largest = sorted[j - 1];
  }
  std::vector<bool> rejected;
  for (double v : p) rejected.push_back(v <= largest);
  return rejected;
}

}  // namespace oracle
