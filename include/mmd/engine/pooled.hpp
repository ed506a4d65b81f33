// SPDX-License-Identifier: MIT
// What a pass over all pairs reads: one or more groups of rows, taken together.
#pragma once

#include <cmath>
#include <concepts>
#include <cstdint>
#include <cstring>
#include <limits>
#include <string>
#include <utility>
#include <vector>

#include "mmd/core/samples.hpp"

namespace mmd {

// Rows are numbered 0..N-1 through all groups.
struct layout {
  index_t rows = 0;
  std::vector<index_t> group_rows;
  std::vector<double> diagonal;  // k(z, z) of every row; the reducers see a zero diagonal
  int groups() const { return static_cast<int>(group_rows.size()); }
};

// The pooled samples. With an `order` (a permutation of 0..N-1) the pass sees row order[p] at position p, and one single group: nothing it
// computes can know which sample a row came from. `skip` names pairs of groups, in either order, whose kernel values are not evaluated: to
// the reducers they are 0. It has no meaning beside an `order`.
template <class T>
struct pooled {
  std::vector<samples<T>> groups;
  std::vector<index_t> order = {};
  std::vector<std::pair<int, int>> skip = {};

  index_t rows() const {
    index_t n = 0;
    for (const auto& g : groups) n += g.rows();
    return n;
  }
  index_t cols() const { return groups.empty() ? 0 : groups.front().cols(); }
};

template <sample_matrix X, sample_matrix Y>
requires std::same_as<typename X::Scalar, typename Y::Scalar>
auto pool(const X& x, const Y& y) { return pooled<typename X::Scalar>{{samples<typename X::Scalar>(x), samples<typename X::Scalar>(y)}}; }

namespace detail {
inline namespace MMD_ISA {
// Whether n values, `step` apart, are all finite: times 0 they are then 0. Four chains, so that the additions overlap.
template <class T>
bool all_finite(const T* x, index_t n, index_t step) {
  T zero[4] = {};
  index_t k = 0;
  for (; k + 4 <= n; k += 4) {
    for (index_t l = 0; l < 4; ++l) zero[l] += x[(k + l) * step] * T(0);
  }
  for (; k < n; ++k) zero[0] += x[k * step] * T(0);
  return (zero[0] + zero[1]) + (zero[2] + zero[3]) == T(0);
}
// Halves, four at a time: the lowest bit of the exponent, added to one that is all ones, carries into the place of the sign.
template <class T>
requires(!std::floating_point<T>) bool all_finite(const T* x, index_t n, index_t step) {
  constexpr std::uint64_t lanes = 0x0001000100010001, infinity = T(std::numeric_limits<float>::infinity()).bits,
                          lowest = infinity & (~infinity + 1);
  std::uint64_t carried = 0;
  index_t k = 0;
  if (step == 1) {
    for (std::uint64_t four; k + 4 <= n; k += 4) {
      std::memcpy(&four, x + k, sizeof four);
      carried |= (four & lanes * infinity) + lanes * lowest;
    }
  }
  for (; k < n; ++k) carried |= (x[k * step].bits & infinity) + lowest;
  return (carried & lanes * 0x8000) == 0;
}
}  // namespace MMD_ISA
}  // namespace detail

inline namespace MMD_ISA {

// Throws invalid_input unless x has at least `least` rows, one column, and finite values only. Values on a device are looked at by its
// backend while it packs them.
template <class T>
void check_sample(const samples<T>& x, const char* name, index_t least = 1) {
  const std::string argument(name);
  detail::require(x.rows() >= least, (argument + ".rows()").c_str(), x.rows(), least == 1 ? "at least 1" : "at least 2");
  detail::require(x.cols() >= 1, (argument + ".cols()").c_str(), x.cols(), "at least 1");
  if constexpr (!on_device<T>) {
    for (index_t i = 0; i < x.rows(); ++i) {
      if (detail::all_finite(x.data() + i * x.rowStride(), x.cols(), x.colStride())) continue;
      for (index_t k = 0; k < x.cols(); ++k) {
        const auto value = static_cast<compute_type<T>>(x(i, k));
        if (!std::isfinite(value)) {
          detail::reject((argument + "(" + std::to_string(i) + ", " + std::to_string(k) + ")").c_str(), value, "a finite number");
        }
      }
    }
  }
}
// The same for both samples, which need equally many columns.
template <class T>
void check_samples(const samples<T>& x, const samples<T>& y, index_t least = 1) {
  check_sample(x, "x", least);
  check_sample(y, "y", least);
  detail::require(x.cols() == y.cols(), "y.cols()", y.cols(), ("as many columns as x, " + std::to_string(x.cols())).c_str());
}

}  // namespace MMD_ISA
}  // namespace mmd
