// SPDX-License-Identifier: MIT
// Samples for tests, as matrices of the library and as the oracles' rows.
#pragma once

#include <random>
#include <vector>

#include "mmd/core/matrix.hpp"

namespace support {

// rows x cols normal values with the given mean.
template <class T>
mmd::matrix<T> normal_rows(mmd::index_t rows, mmd::index_t cols, double mean, std::mt19937_64& rng) {
  mmd::matrix<T> x(rows, cols);
  for (mmd::index_t i = 0; i < x.size(); ++i) x.data()[i] = static_cast<T>(std::normal_distribution<double>(mean, 1)(rng));
  return x;
}
template <class T>
std::vector<std::vector<double>> rows_of(const mmd::matrix<T>& x) {
  std::vector<std::vector<double>> rows;
  for (mmd::index_t i = 0; i < x.rows(); ++i) rows.emplace_back(x.row(i).begin(), x.row(i).end());
  return rows;
}

}  // namespace support
