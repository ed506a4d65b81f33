// SPDX-License-Identifier: MIT
// Permutation tests as the definition says: every statistic from its own double loop over the kernel matrix, entries in
// fp64 and sums in long double.
#pragma once

#include <cmath>
#include <cstddef>
#include <vector>

namespace oracle {

// A square kernel matrix with its diagonal.
struct kernel_matrix {
  std::size_t rows;
  std::vector<double> values;
  double operator()(std::size_t i, std::size_t j) const { return values[i * rows + j]; }
};
template <class F>
kernel_matrix make_kernel_matrix(std::size_t rows, F&& k) {
  kernel_matrix out{rows, {}};
  for (std::size_t i = 0; i < rows; ++i) {
    for (std::size_t j = 0; j < rows; ++j) out.values.push_back(k(i, j));
  }
  return out;
}

// in_x[i]: whether row i is in x.
using split = std::vector<bool>;

inline double mmd2(const kernel_matrix& k, const split& in_x, bool biased) {
  long double n = 0, m = 0, xx = 0, yy = 0, xy = 0;
  for (std::size_t i = 0; i < k.rows; ++i) (in_x[i] ? n : m) += 1;
  for (std::size_t i = 0; i < k.rows; ++i) {
    for (std::size_t j = 0; j < k.rows; ++j) {
      if (in_x[i] && in_x[j]) {
        if (biased || i != j) xx += k(i, j);
      } else if (!in_x[i] && !in_x[j]) {
        if (biased || i != j) yy += k(i, j);
      } else if (in_x[i]) {
        xy += k(i, j);
      }
    }
  }
  const long double value =
      biased ? xx / (n * n) + yy / (m * m) - 2 * xy / (n * m) : xx / (n * (n - 1)) + yy / (m * (m - 1)) - 2 * xy / (n * m);
  return static_cast<double>(value);
}

// 32 eps times the sum of the three means of |k|, rows with themselves left out.
inline double tolerance(const kernel_matrix& k, const split& in_x, double eps) {
  double n = 0, m = 0, xx = 0, yy = 0, xy = 0;
  for (std::size_t i = 0; i < k.rows; ++i) (in_x[i] ? n : m) += 1;
  for (std::size_t i = 0; i < k.rows; ++i) {
    for (std::size_t j = 0; j < k.rows; ++j) {
      if (i == j) continue;
      if (in_x[i] && in_x[j]) xx += std::abs(k(i, j));
      if (!in_x[i] && !in_x[j]) yy += std::abs(k(i, j));
      if (in_x[i] && !in_x[j]) xy += std::abs(k(i, j));
    }
  }
  return 32 * eps * ((n > 1 ? xx / (n * (n - 1)) : 0) + (m > 1 ? yy / (m * (m - 1)) : 0) + 2 * xy / (n * m));
}

// All splits with n rows in x, in no particular order.
inline std::vector<split> all_splits(std::size_t rows, std::size_t n) {
  std::vector<split> out;
  for (std::size_t bits = 0; bits < (std::size_t{1} << rows); ++bits) {
    split s(rows);
    std::size_t count = 0;
    for (std::size_t i = 0; i < rows; ++i) count += s[i] = bits >> i & 1;
    if (count == n) out.push_back(s);
  }
  return out;
}

// (1 + #{draws whose statistic is at least the observed one, less `tolerance`}) / (draws + 1).
inline double p_value(const kernel_matrix& k, const split& observed, const std::vector<split>& draws, bool biased, double tolerance) {
  const double bar = mmd2(k, observed, biased) - tolerance;
  std::size_t reached = 1;
  for (const split& s : draws) reached += mmd2(k, s, biased) >= bar;
  return static_cast<double>(reached) / static_cast<double>(draws.size() + 1);
}
// The share of all splits, the observed one among them.
inline double enumerated_p_value(const kernel_matrix& k, const split& observed, bool biased, double tolerance) {
  std::size_t n = 0, reached = 0;
  for (const bool in_x : observed) n += in_x;
  const double bar = mmd2(k, observed, biased) - tolerance;
  const auto every = all_splits(k.rows, n);
  for (const split& s : every) reached += mmd2(k, s, biased) >= bar;
  return static_cast<double>(reached) / static_cast<double>(every.size());
}

}  // namespace oracle
