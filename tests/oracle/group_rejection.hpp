// SPDX-License-Identifier: MIT
// The permutation p-value of a small group against a small reference by listing every split; a kernel matrix is given.
#pragma once

#include <cstddef>
#include <vector>

namespace oracle {

// Unbiased MMD^2 of the rows with in[i] against the others.
inline double split_statistic(const std::vector<std::vector<double>>& k, const std::vector<bool>& in) {
  double sum[3] = {0, 0, 0}, pairs[3] = {0, 0, 0};
  for (std::size_t i = 0; i < k.size(); ++i) {
    for (std::size_t j = 0; j < k.size(); ++j) {
      if (i == j) continue;
      const int kind = in[i] && in[j] ? 0 : in[i] || in[j] ? 1 : 2;
      sum[kind] += k[i][j];
      pairs[kind] += 1;
    }
  }
  return sum[0] / pairs[0] + sum[2] / pairs[2] - 2 * sum[1] / pairs[1];
}

// The share of all splits with the same size whose statistic reaches that of the first `group` rows.
inline double exact_p(const std::vector<std::vector<double>>& k, std::size_t group) {
  std::vector<bool> in(k.size(), false);
  for (std::size_t i = 0; i < group; ++i) in[i] = true;
  const double observed = split_statistic(k, in);
  double reached = 0, all = 0;
  for (std::size_t bits = 0; bits < std::size_t{1} << k.size(); ++bits) {
    std::size_t count = 0;
    for (std::size_t i = 0; i < k.size(); ++i) {
      in[i] = bits >> i & 1;
      count += in[i];
    }
    if (count != group) continue;
    all += 1;
    reached += split_statistic(k, in) >= observed - 1e-12;
  }
  return reached / all;
}

}  // namespace oracle
