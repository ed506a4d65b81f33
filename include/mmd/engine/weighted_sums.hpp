// SPDX-License-Identifier: MIT
// Row sums in which every pooled row has a weight.
#pragma once

#include <cstdint>
#include <vector>

#include "mmd/engine/reducers.hpp"

namespace mmd {
inline namespace MMD_ISA {

// sums(i, g): the sum over the rows j of group g of weights[j] K_ij (zero diagonal). N x groups doubles; the weights stay the caller's.
struct weighted_row_sums {
  const std::vector<double>* weights;
  index_t rows = 0;
  std::vector<double> sums = {};
  explicit weighted_row_sums(const std::vector<double>& w) : weights(&w) {}
  explicit weighted_row_sums(const std::vector<double>&&) = delete;
  double operator()(index_t i, int g) const { return sums[static_cast<std::size_t>(g * rows + i)]; }

  static constexpr bool shared = false;
  std::uint64_t bytes(const layout& l) const { return detail::doubles(l.rows) * static_cast<std::uint64_t>(l.groups()); }
  void prepare(const layout& l) {
    rows = l.rows;
    detail::require(static_cast<index_t>(weights->size()) == rows, "weighted_row_sums: weights.size()", weights->size(),
                    "one weight for each pooled row");
    sums.assign(static_cast<std::size_t>(rows * l.groups()), 0);
  }
  void merge(const weighted_row_sums& o) { detail::add_to(sums, o.sums); }
};

}  // namespace MMD_ISA
}  // namespace mmd
