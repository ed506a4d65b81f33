// SPDX-License-Identifier: MIT
// The multi-population proxy of MMD-MP (Zhang et al., ICLR 2024) with a fixed kernel.
#pragma once

#include <cmath>
#include <optional>

#include "mmd/estimators/mmd.hpp"

namespace mmd {

// MPP is MMD^2 without the mean of k(y, y'): what training maximises when y mixes several populations. It is below 0 where the two
// distributions are equal, so tests use MMD^2 itself. Variances as in MmdEstimate: where the distributions differ.
struct MmdMpEstimate {
  double mpp = 0;                         // unpaired U form
  double variance = 0;                    // asymptotic, of sqrt(n0) MPP, n0 = 2nm/(n+m)
  double standard_error = 0;              // of `mpp`: sqrt(variance / n0)
  std::optional<double> paired;           // n = m only: the U form without k(x_i, y_i), the paper's
  std::optional<double> paired_variance;  // n = m only
  index_t n = 0, m = 0;

  // J = mpp / sqrt(variance + lambda).
  double objective(double lambda = 1e-8) const { return mpp / std::sqrt(variance + lambda); }
  // The paper's J, from the paired form; n = m only.
  std::optional<double> paired_objective(double lambda = 1e-8) const {
    if (!paired) return {};
    return *paired / std::sqrt(*paired_variance + lambda);
  }
};

inline namespace MMD_ISA {

//   mpp = mean_{i != j} k(x_i, x_j) - 2 mean k(x_i, y_j)
// and its variance as in Mmd without the k(y, y') terms. One pass over the pairs, those within y left out; memory, reproducibility and
// errors as in Mmd.
template <kernel K>
struct MmdMp {
  K k;

  template <backend B, sample_matrix X, sample_matrix Y>
  MmdMpEstimate operator()(const B& on, const X& x, const Y& y) const {
    const auto [means, sums] = detail::two_sample(on, k, objective_pool(x, y));
    const auto unpaired = objective_terms(means).value;
    MmdMpEstimate e{.mpp = unpaired.statistic,
                    .variance = unpaired.variance,
                    .standard_error = detail::standard_error(unpaired.variance, means.n, means.m),
                    .paired = {},
                    .paired_variance = {},
                    .n = means.n,
                    .m = means.m};
    if (means.n == means.m) {
      const auto paired = objective_terms(means, {.form = pairing::paired}).value;
      e.paired = paired.statistic;
      e.paired_variance = paired.variance;
    }
    return e;
  }
  template <sample_matrix X, sample_matrix Y>
  MmdMpEstimate operator()(const X& x, const Y& y) const {
    return (*this)(detail::default_backend<X>{}, x, y);
  }
};
template <kernel K>
MmdMp(K) -> MmdMp<K>;

}  // namespace MMD_ISA
}  // namespace mmd
