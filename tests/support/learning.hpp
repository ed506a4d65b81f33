// SPDX-License-Identifier: MIT
// Samples and distances for the tests of learning.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <span>
#include <vector>

#include "mmd/core/matrix.hpp"
#include "mmd/core/philox.hpp"
#include "oracle/network.hpp"

namespace support {

// Normal draws: shift + scale N(0, 1).
template <class T>
mmd::matrix<T> normal(mmd::index_t rows, mmd::index_t cols, std::uint64_t seed, double scale = 1, double shift = 0) {
  mmd::random_stream random(seed, mmd::purpose::user);
  mmd::matrix<T> x(rows, cols);
  for (mmd::index_t i = 0; i < x.size(); ++i) x.data()[i] = static_cast<T>(shift + scale * random.normal());
  return x;
}
template <class T>
std::vector<T> normal_vector(std::size_t size, std::uint64_t seed, double scale = 1, double shift = 0) {
  return normal<T>(1, static_cast<mmd::index_t>(size), seed, scale, shift).values();
}
template <class M>
oracle::rows to_rows(const M& x) {
  const mmd::samples<typename M::Scalar> view(x);
  oracle::rows out;
  for (mmd::index_t i = 0; i < view.rows(); ++i) {
    out.emplace_back();
    for (mmd::index_t k = 0; k < view.cols(); ++k) out.back().push_back(static_cast<double>(view(i, k)));
  }
  return out;
}
inline mmd::matrix<double> to_matrix(const oracle::rows& rows) {
  mmd::matrix<double> out(static_cast<mmd::index_t>(rows.size()), static_cast<mmd::index_t>(rows.front().size()));
  for (mmd::index_t i = 0; i < out.rows(); ++i) std::ranges::copy(rows[static_cast<std::size_t>(i)], out.row(i).begin());
  return out;
}

// |a - b| / |b|, Euclidean; where b is shorter than `least`, that length in its place.
template <class A, class B>
double distance(const A& a, const B& b, double least = 1e-300) {
  if (std::size(a) != std::size(b)) return INFINITY;
  double off = 0, size = 0;
  for (std::size_t i = 0; i < std::size(b); ++i) {
    const double x = static_cast<double>(a[i]), y = static_cast<double>(b[i]);
    off += (x - y) * (x - y);
    size += y * y;
  }
  return std::sqrt(off) / std::max(std::sqrt(size), least);
}
template <class T>
double distance(const mmd::matrix<T>& a, const oracle::rows& b) {
  std::vector<double> flat;
  for (const auto& row : b) flat.insert(flat.end(), row.begin(), row.end());
  return distance(a.values(), flat);
}

}  // namespace support
