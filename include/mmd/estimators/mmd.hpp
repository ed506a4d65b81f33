// SPDX-License-Identifier: MIT
// The maximum mean discrepancy (Gretton, Borgwardt, Rasch, Schoelkopf, Smola, JMLR 2012).
#pragma once

#include <cmath>
#include <optional>
#include <utility>

#include "mmd/estimators/objective.hpp"
#include "mmd/estimators/sums.hpp"

namespace mmd {

// Estimates of MMD^2 and of their uncertainty. The variances hold where the two distributions differ; where they are equal the statistic
// degenerates and they are far too large: a test needs permutations, not these.
struct MmdEstimate {
  double biased = 0, unbiased = 0;
  double variance = 0;                    // asymptotic, of sqrt(n0) MMD^2, n0 = 2nm/(n+m)
  double standard_error = 0;              // of `unbiased`: sqrt(variance / n0)
  std::optional<double> paired;           // n = m only: the U form without k(x_i, y_i)
  std::optional<double> paired_variance;  // n = m only: asymptotic, of sqrt(n) MMD^2, for independent pairs (x_i, y_i)
  index_t n = 0, m = 0;
  mmd_sums sums;
};

namespace detail {
inline namespace MMD_ISA {

struct two_sample_pass {
  KernelMeans means;
  mmd_sums sums;
};
// One pass; pairs are kept when n = m.
template <class B, class K, class T>
two_sample_pass two_sample(const B& on, const K& k, const pooled<T>& z) {
  two_sample_pass out;
  out.means.n = z.groups[0].rows();
  out.means.m = z.groups[1].rows();
  out.means.weights.assign(static_cast<std::size_t>(z.rows()), 1.0);
  row_sums sums;
  paired_values pairs;
  layout lay = out.means.n == out.means.m ? on.reduce(k, z, sums, pairs) : on.reduce(k, z, sums);
  out.sums = sums_of(lay, sums);
  fill_in(out.means, std::move(lay), sums, std::move(pairs));
  return out;
}
inline double standard_error(double variance, index_t n, index_t m) {
  const double rows = 2 * static_cast<double>(n) * static_cast<double>(m) / static_cast<double>(n + m);
  return std::sqrt(variance / rows);
}

}  // namespace MMD_ISA
}  // namespace detail

inline namespace MMD_ISA {

// MMD^2 with a kernel:
//   const auto estimate = mmd::Mmd{mmd::gaussian(h)}(x, y);
// With H_ij = k(x_i, x_j) + k(y_i, y_j) - k(x_i, y_j) - k(y_i, x_j):
//   biased    mean k(x, x') + mean k(y, y') - 2 mean k(x, y), all pairs
//   unbiased  the same, means within a sample over different rows
//   paired    the mean of H_ij over i != j
//   variance  4 [2m/(n+m) Var(g) + 2n/(n+m) Var(h)], g_i = mean_j k(x_i, x_j) - mean_j k(x_i, y_j), h the same for y (population variances,
//             a row with itself included)
//   paired_variance  4 Var_i(mean_j H_ij)
// One pass over the pairs: N^2 d / 2 multiply-adds, O(N d) memory, N = n + m, the same bits for any number of threads.
// Throws invalid_input for samples with fewer than two rows, different columns or values that are not finite.
template <kernel K>
struct Mmd {
  K k;

  template <backend B, sample_matrix X, sample_matrix Y>
  MmdEstimate operator()(const B& on, const X& x, const Y& y) const {
    const auto z = pool(x, y);
    check_samples(z.groups[0], z.groups[1], 2);
    const auto [means, sums] = detail::two_sample(on, k, z);
    const auto unpaired = objective_terms(means, {.statistic = proxy::full}).value;
    MmdEstimate e{.biased = sums.biased(),
                  .unbiased = sums.unbiased(),
                  .variance = unpaired.variance,
                  .standard_error = detail::standard_error(unpaired.variance, means.n, means.m),
                  .paired = {},
                  .paired_variance = {},
                  .n = means.n,
                  .m = means.m,
                  .sums = sums};
    if (means.n == means.m) {
      const auto paired = objective_terms(means, {.statistic = proxy::full, .form = pairing::paired}).value;
      e.paired = paired.statistic;
      e.paired_variance = paired.variance;
    }
    return e;
  }
  template <sample_matrix X, sample_matrix Y>
  MmdEstimate operator()(const X& x, const Y& y) const {
    return (*this)(detail::default_backend<X>{}, x, y);
  }

  // The biased estimate alone, which single rows have too.
  template <backend B, sample_matrix X, sample_matrix Y>
  double biased(const B& on, const X& x, const Y& y) const {
    const auto z = pool(x, y);
    check_samples(z.groups[0], z.groups[1], 1);
    row_sums sums;
    const layout lay = on.reduce(k, z, sums);
    return sums_of(lay, sums).biased();
  }
  template <sample_matrix X, sample_matrix Y>
  double biased(const X& x, const Y& y) const {
    return biased(detail::default_backend<X>{}, x, y);
  }
};
template <kernel K>
Mmd(K) -> Mmd<K>;

}  // namespace MMD_ISA
}  // namespace mmd
