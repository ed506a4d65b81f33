// SPDX-License-Identifier: MIT
// Random rows, and the naive oracle's view of them.
#pragma once

#include <cmath>
#include <string>
#include <vector>

#include "mmd/backends/cpu.hpp"
#include "mmd/core/philox.hpp"
#include "oracle/kernels.hpp"

namespace backends_test {

namespace ref = oracle::kernels;

// rows x cols standard normal values around `centre`, times `scale`.
template <class T>
mmd::matrix<T> normal_rows(mmd::index_t rows, mmd::index_t cols, std::uint64_t seed, double scale = 1, double centre = 0) {
  mmd::matrix<T> out(rows, cols);
  mmd::random_stream random(seed, mmd::purpose::splits);
  for (mmd::index_t i = 0; i < out.size(); ++i) out.data()[i] = static_cast<T>(centre + scale * random.normal());
  return out;
}

template <class T>
mmd::pooled<T> pool_of(const std::vector<mmd::matrix<T>>& groups) {
  mmd::pooled<T> z;
  for (const auto& g : groups) z.groups.push_back(mmd::samples<T>(g));
  return z;
}

template <class T>
mmd::pooled<T> pool_of(const std::vector<mmd::matrix<T>>&&) = delete;  // would dangle

// All rows as the oracle takes them.
template <class T>
ref::rows oracle_rows(const mmd::pooled<T>& z) {
  ref::rows out;
  for (const auto& g : z.groups) {
    for (mmd::index_t i = 0; i < g.rows(); ++i) {
      out.emplace_back();
      for (mmd::index_t k = 0; k < g.cols(); ++k) out.back().push_back(static_cast<double>(g(i, k)));
    }
  }
  return out;
}

// The group of every row.
template <class T>
std::vector<int> groups_of(const mmd::pooled<T>& z) {
  std::vector<int> out;
  for (std::size_t g = 0; g < z.groups.size(); ++g)
    out.insert(out.end(), static_cast<std::size_t>(z.groups[g].rows()), static_cast<int>(g));
  return out;
}

// What an exception of type E says; empty if f throws nothing.
template <class E, class F>
std::string message_of(F&& f) {
  try {
    f();
  } catch (const E& e) {
    return e.what();
  }
  return "";
}

}  // namespace backends_test
