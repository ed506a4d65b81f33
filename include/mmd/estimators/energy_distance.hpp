// SPDX-License-Identifier: MIT
// The energy distance (Szekely & Rizzo): MMD^2 with the kernel -|x - y|.
#pragma once

#include "mmd/engine/backend.hpp"
#include "mmd/estimators/sums.hpp"

namespace mmd {

// 2 E|X - Y| - E|X - X'| - E|Y - Y'|, expectations as means over all pairs (biased, the V statistic, never negative) or with different rows
// within a sample (unbiased, the U statistic).
struct EnergyDistance {
  double biased = 0, unbiased = 0;
  index_t n = 0, m = 0;
};

inline namespace MMD_ISA {

// One pass over the pairs: N^2 d / 2 multiply-adds, O(N d) memory, the same bits for any number of threads. Throws invalid_input for
// samples with fewer than two rows, different columns or values that are not finite.
template <backend B, sample_matrix X, sample_matrix Y>
EnergyDistance energy_distance(const B& on, const X& x, const Y& y) {
  const auto z = pool(x, y);
  check_samples(z.groups[0], z.groups[1], 2);
  row_sums r;
  const layout lay = on.reduce(energy{}, z, r);
  const mmd_sums s = sums_of(lay, r);
  return {s.biased(), s.unbiased(), x.rows(), y.rows()};
}
template <sample_matrix X, sample_matrix Y>
EnergyDistance energy_distance(const X& x, const Y& y) {
  return energy_distance(detail::default_backend<X>{}, x, y);
}

}  // namespace MMD_ISA
}  // namespace mmd
