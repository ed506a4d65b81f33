// SPDX-License-Identifier: MIT
// What the agreement tests share: samples of every kind and in every place, the naive oracle's view of them, and comparisons.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>

#include "cpu_results.hpp"
#include "mmd/core/philox.hpp"
#include "mmd/cuda.cuh"
#include "oracle/kernels.hpp"

namespace agreement {

using mmd::index_t;
using mmd::matrix;
using mmd::samples;
namespace ref = oracle::kernels;

inline std::size_t at(index_t i) { return static_cast<std::size_t>(i); }

// One backend for all cases of a program: making one costs more than most of them.
inline const mmd::cuda& gpu() {
  static const mmd::cuda on;
  return on;
}

// What is left of fp64's result, relative to the sum of absolute terms.
template <class T>
inline constexpr double allowed = std::is_same_v<mmd::compute_type<T>, double> ? 1e-12 : 1e-5;

// ---- samples

enum class shape { normal, duplicates, constant_columns, far };
inline const char* to_string(shape s) {
  constexpr const char* names[] = {"normal", "duplicates", "constant columns", "far from the origin"};
  return names[static_cast<int>(s)];
}

// n x d values, stored as T, times `scale`. duplicates: zeros and ones; constant columns: all but the first; far: some thousand deviations.
template <class T>
matrix<T> rows(index_t n, index_t d, std::uint64_t seed, double shift = 0, shape kind = shape::normal, double scale = 1) {
  mmd::random_stream random(seed, mmd::purpose::user, 3);
  matrix<double> wide(n, d);
  for (index_t i = 0; i < n; ++i) {
    for (index_t k = 0; k < d; ++k) {
      double v = random.normal() + shift;
      if (kind == shape::duplicates) v = random.uniform() < 0.5 + shift / 4 ? 1 : 0;
      if (kind == shape::constant_columns && k > 0) v = 7;
      if (kind == shape::far) v += sizeof(T) == 2 ? 16 : 3000;
      wide(i, k) = scale * v;
    }
  }
  return mmd::converted<T>(wide);
}
template <class T>
ref::rows as_rows(const samples<T>& x) {
  ref::rows out;
  for (index_t i = 0; i < x.rows(); ++i) {
    out.emplace_back();
    for (index_t k = 0; k < x.cols(); ++k) out.back().push_back(static_cast<double>(static_cast<mmd::compute_type<T>>(x(i, k))));
  }
  return out;
}
template <class T>
ref::rows as_rows(const matrix<T>& x) {
  return as_rows(samples<T>(x));
}
template <class T>
matrix<T> transposed(const matrix<T>& x) {
  matrix<T> out(x.cols(), x.rows());
  for (index_t i = 0; i < x.rows(); ++i) {
    for (index_t k = 0; k < x.cols(); ++k) out(k, i) = x(i, k);
  }
  return out;
}
// Rows of x at even places of a matrix with three more columns, all else poisoned.
template <class T>
matrix<T> spread(const matrix<T>& x) {
  matrix<float> poisoned(2 * x.rows(), x.cols() + 3);
  for (index_t i = 0; i < poisoned.size(); ++i) poisoned.data()[i] = NAN;
  matrix<T> out = mmd::converted<T>(poisoned);
  for (index_t i = 0; i < x.rows(); ++i) {
    for (index_t k = 0; k < x.cols(); ++k) out(2 * i, k + 1) = x(i, k);
  }
  return out;
}

// Calls f(name, x, y) with views of the two samples in every place and order that a caller may have them in.
template <class T, class F>
void everywhere(const matrix<T>& x, const matrix<T>& y, F&& f) {
  const index_t n = x.rows(), m = y.rows(), d = x.cols();
  f("host, rows", samples<T>(x), samples<T>(y));
  const auto xt = transposed(x), yt = transposed(y);
  f("host, columns", samples<T>(xt.data(), n, d, 1, n), samples<T>(yt.data(), m, d, 1, m));
  const auto xs = spread(x), ys = spread(y);
  f("host, strided", samples<T>(xs.data() + 1, n, d, 2 * (d + 3), 1), samples<T>(ys.data() + 1, m, d, 2 * (d + 3), 1));
  using E = mmd::device<T>;
  const auto upload = [](const matrix<T>& a) { return gpu().upload(samples<T>(a)); };
  const auto on_x = upload(x), on_y = upload(y), on_xt = upload(xt), on_yt = upload(yt), on_xs = upload(xs), on_ys = upload(ys);
  f("device, rows", samples<E>(on_x), samples<E>(on_y));
  f("device, columns", samples<E>(on_xt.data(), n, d, 1, n), samples<E>(on_yt.data(), m, d, 1, m));
  f("device, strided", samples<E>(on_xs.data() + 1, n, d, 2 * (d + 3), 1), samples<E>(on_ys.data() + 1, m, d, 2 * (d + 3), 1));
}

// ---- the oracle's kernel matrix of x and then y

struct gram_matrix {
  std::size_t n = 0;  // rows of x
  std::vector<std::vector<double>> values;
  gram_matrix(const ref::rows& x, const ref::rows& y, const ref::kernel_function& k) : n(x.size()) {
    ref::rows all = x;
    all.insert(all.end(), y.begin(), y.end());
    values = ref::gram(all, k);
  }
  std::size_t rows() const { return values.size(); }
  std::size_t m() const { return rows() - n; }
  // Row numbers as one-column rows, so that oracle/mmd.hpp can take the matrix for a kernel.
  std::vector<std::vector<double>> numbers_of(bool of_x) const {
    std::vector<std::vector<double>> out;
    for (std::size_t i = of_x ? 0 : n; i < (of_x ? n : rows()); ++i) out.push_back({static_cast<double>(i)});
    return out;
  }
  double operator()(const std::vector<double>& i, const std::vector<double>& j) const {
    return values[static_cast<std::size_t>(i[0])][static_cast<std::size_t>(j[0])];
  }
  // The sum of the three means of |k|, rows with themselves left out: what errors are relative to.
  double size() const {
    double sum[3] = {0, 0, 0};
    for (std::size_t i = 0; i < rows(); ++i) {
      for (std::size_t j = 0; j < rows(); ++j) {
        if (i != j) sum[(i < n ? 0 : 1) + (j < n ? 0 : 1)] += std::abs(values[i][j]);
      }
    }
    const auto a = static_cast<double>(n), b = static_cast<double>(m());
    return (n > 1 ? sum[0] / (a * (a - 1)) : 0) + sum[1] / (a * b) + (m() > 1 ? sum[2] / (b * (b - 1)) : 0);
  }
};

inline bool near(double a, double b, double error) { return std::abs(a - b) <= error; }

// Whether two tests on the same draws agree: statistics within `error`, and equal p-values, but for draws so close to the bar that either
// side is within the error.
inline bool same_test(const mmd::TestResult& a, const mmd::TestResult& b, double error) {
  if (a.method != b.method || a.permutations != b.permutations || a.null.size() != b.null.size() || a.n != b.n || a.m != b.m) return false;
  if (!near(a.statistic, b.statistic, error) || !near(a.tolerance, b.tolerance, 1e-3 * b.tolerance + error)) return false;
  double undecided = 0;
  for (std::size_t i = 0; i < a.null.size(); ++i) {
    if (!near(a.null[i], b.null[i], error)) return false;
    undecided += near(b.null[i], b.statistic - b.tolerance, 4 * error);
  }
  const double all = static_cast<double>(b.permutations) + 1;
  return std::abs(a.p_value - b.p_value) * all <= undecided + 1e-9;
}

// What a call threw: the type's name and the message.
template <class F>
std::string thrown(F&& f) {
  return cpu_results::what_is_thrown(std::forward<F>(f));
}

}  // namespace agreement
