// SPDX-License-Identifier: MIT
// All pairwise distances in long double, sorted; numpy.median of them.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <vector>

namespace oracle {

enum class metric { l1, l2 };

inline std::vector<long double> sorted_distances(const std::vector<std::vector<double>>& z, metric m) {
  std::vector<long double> all;
  for (std::size_t i = 0; i < z.size(); ++i) {
    for (std::size_t j = i + 1; j < z.size(); ++j) {
      long double sum = 0;
      for (std::size_t k = 0; k < z[i].size(); ++k) {
        const long double difference = static_cast<long double>(z[i][k]) - z[j][k];
        sum += m == metric::l1 ? std::abs(difference) : difference * difference;
      }
      all.push_back(m == metric::l1 ? sum : std::sqrt(sum));
    }
  }
  std::sort(all.begin(), all.end());
  return all;
}
inline long double median(const std::vector<long double>& sorted) {
  return (sorted[(sorted.size() - 1) / 2] + sorted[sorted.size() / 2]) / 2;
}

}  // namespace oracle
