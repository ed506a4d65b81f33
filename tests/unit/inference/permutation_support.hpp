// SPDX-License-Identifier: MIT
// What the tests of permutation tests share: data, reference kernel matrices, and the draws that a test makes.
#pragma once

#include <cmath>
#include <string>
#include <vector>

#include "mmd/backends/cpu.hpp"
#include "mmd/core/matrix.hpp"
#include "mmd/inference/permutation_test.hpp"
#include "oracle/permutation.hpp"

namespace support {

using mmd::index_t;

inline std::size_t at(index_t i) { return static_cast<std::size_t>(i); }

template <class T>
mmd::matrix<T> normal(index_t rows, index_t cols, std::uint64_t seed, double shift = 0) {
  mmd::matrix<T> out(rows, cols);
  mmd::random_stream stream(seed, mmd::purpose::user);
  for (index_t i = 0; i < rows; ++i) {
    for (index_t k = 0; k < cols; ++k) out(i, k) = static_cast<T>(stream.normal() + shift);
  }
  return out;
}
// Zeros and ones: many rows coincide, and many splits have equal statistics.
template <class T>
mmd::matrix<T> binary(index_t rows, index_t cols, std::uint64_t seed, double p = 0.5) {
  mmd::matrix<T> out(rows, cols);
  mmd::random_stream stream(seed, mmd::purpose::user, 1);
  for (index_t i = 0; i < rows; ++i) {
    for (index_t k = 0; k < cols; ++k) out(i, k) = stream.uniform() < p ? T(1) : T(0);
  }
  return out;
}
// Rows first .. first + count - 1 of a in the given order.
template <class T>
mmd::matrix<T> rows_of(const mmd::matrix<T>& a, const std::vector<index_t>& rows) {
  mmd::matrix<T> out(static_cast<index_t>(rows.size()), a.cols());
  for (std::size_t i = 0; i < rows.size(); ++i) {
    for (index_t k = 0; k < a.cols(); ++k) out(static_cast<index_t>(i), k) = a(rows[i], k);
  }
  return out;
}

// Formulas of a few kernels, in double.
struct gaussian_formula {
  double h;
  double operator()(const std::vector<double>& a, const std::vector<double>& b) const {
    double d2 = 0;
    for (std::size_t k = 0; k < a.size(); ++k) d2 += (a[k] - b[k]) * (a[k] - b[k]);
    return std::exp(-d2 / (2 * h * h));
  }
};
struct energy_formula {
  double operator()(const std::vector<double>& a, const std::vector<double>& b) const {
    double d2 = 0;
    for (std::size_t k = 0; k < a.size(); ++k) d2 += (a[k] - b[k]) * (a[k] - b[k]);
    return -std::sqrt(d2);
  }
};
struct linear_formula {
  double operator()(const std::vector<double>& a, const std::vector<double>& b) const {
    double sum = 0;
    for (std::size_t k = 0; k < a.size(); ++k) sum += a[k] * b[k];
    return sum;
  }
};

// The kernel matrix of the pooled rows, x first.
template <class T, class F>
oracle::kernel_matrix pooled_matrix(const mmd::matrix<T>& x, const mmd::matrix<T>& y, F&& formula) {
  std::vector<std::vector<double>> rows;
  for (const auto* part : {&x, &y}) {
    for (index_t i = 0; i < part->rows(); ++i) rows.emplace_back(part->row(i).begin(), part->row(i).end());
  }
  return oracle::make_kernel_matrix(rows.size(), [&](std::size_t i, std::size_t j) { return formula(rows[i], rows[j]); });
}
inline oracle::split first_rows(index_t n, index_t rows) {
  oracle::split out(at(rows));
  for (index_t i = 0; i < n; ++i) out[at(i)] = true;
  return out;
}

// The draws of PermutationTest with these options, as splits of the pooled rows in their original order.
inline std::vector<oracle::split> draws_of(const mmd::PermutationOptions& o, index_t n, index_t m) {
  const auto order = mmd::random_stream(o.seed, mmd::purpose::row_order, o.test).permutation(n + m);
  mmd::detail::position_set observed(n + m);
  const mmd::detail::split_columns columns(observed, n + m, std::min(n, m), o.seed, o.test, static_cast<std::uint64_t>(o.permutations) + 1,
                                           false);
  std::vector<oracle::split> out;
  mmd::detail::position_set side(n + m);
  for (index_t b = 1; b <= o.permutations; ++b) {
    columns.get(b, side);
    oracle::split s(at(n + m));
    for (index_t p = 0; p < n + m; ++p) s[at(order[at(p)])] = side.contains(p) == (n <= m);
    out.push_back(s);
  }
  return out;
}

template <class F>
std::string message(F&& f) {
  try {
    f();
  } catch (const mmd::error& e) {
    return e.what();
  }
  return "nothing was thrown";
}

}  // namespace support
