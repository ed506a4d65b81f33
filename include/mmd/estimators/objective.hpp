// SPDX-License-Identifier: MIT
// The objectives of kernel learning and their gradients: MMD-MP (Zhang, Song, Yang, Li, Han, Tan, "Detecting machine-generated texts by
// multi-population aware optimization for maximum mean discrepancy", ICLR 2024) and MMD-D (Liu et al., ICML 2020). Both are
//   J = M / sqrt(V + lambda),
// M an unbiased estimate of MMD^2 (MMD-D), or of it without the k(y, y') term (MMD-MP), and V the asymptotic variance of sqrt(n0) M under
// the alternative, n0 = 2nm/(n+m).
#pragma once

#include <cmath>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "mmd/engine/backend.hpp"
#include "mmd/engine/gradient.hpp"
#include "mmd/engine/weighted_sums.hpp"

namespace mmd {

// Which statistic: MMD^2, or the multi-population proxy MPP, which leaves k(y, y') out.
enum class proxy { multi_population, full };
// Which form: any two samples, or pairs (x_i, y_i) as in the paper, n = m.
enum class pairing { unpaired, paired };

struct ObjectiveOptions {
  proxy statistic = proxy::multi_population;
  pairing form = pairing::unpaired;
  double lambda = 1e-8;
  std::span<const double> weights_x = {};  // one each row of x, 0 or more, with sum 1; empty: all 1/n. Paired: the weights of the pairs
  std::span<const double> weights_y = {};  // the same for y; empty in the paired form
};

struct ObjectiveValue {
  double statistic = 0, variance = 0, objective = 0;  // M, V and J
};

// What the objective needs of the kernel matrix: O(N) doubles. Anyone with a kernel of their own can fill it in.
struct KernelMeans {
  index_t n = 0, m = 0;
  std::vector<double> weights;     // one each pooled row; those of x have sum 1, those of y too
  std::vector<double> to_x, to_y;  // one each pooled row i: the sum over the rows j of x (of y), j != i, of weights[j] k(z_i, z_j)
  std::vector<double> diagonal;    // k(z_i, z_i)
  std::vector<double> pairs = {};  // k(x_i, y_i): paired form only
};

// The objective, and its derivative by every kernel value in the form that a backend's `gradient` takes.
struct ObjectiveTerms {
  ObjectiveValue value;
  pair_weights weights;
};

// E: a number, device<number> for samples in a device's memory (see kernel_gradient).
template <class E>
struct ObjectiveGradient {
  ObjectiveValue value;
  kernel_gradient<E> gradient;
};

namespace detail {
inline namespace MMD_ISA {

// The weights of a sample's rows relative to the mean weight, so that equal weights are exactly 1 in any precision.
inline void append_relative_weights(std::vector<double>& all, std::span<const double> given, index_t rows, const char* name) {
  if (given.empty()) {
    all.insert(all.end(), static_cast<std::size_t>(rows), 1.0);
    return;
  }
  const std::string argument(name);
  require(static_cast<index_t>(given.size()) == rows, (argument + ".size()").c_str(), given.size(), "one weight for each row");
  double sum = 0;
  int positive = 0;
  for (std::size_t i = 0; i < given.size(); ++i) {
    require(std::isfinite(given[i]) && given[i] >= 0, (argument + "[" + std::to_string(i) + "]").c_str(), given[i], "0 or more");
    sum += given[i];
    positive += given[i] > 0;
    all.push_back(given[i] * static_cast<double>(rows));
  }
  require(std::abs(sum - 1) <= 1e-9, ("the sum of " + argument).c_str(), sum, "1");
  require(positive >= 2, (argument + ": rows with a weight above 0").c_str(), positive, "at least 2");
}

inline std::vector<double> relative_weights(index_t n, index_t m, const ObjectiveOptions& options) {
  require(std::isfinite(options.lambda) && options.lambda >= 0, "lambda", options.lambda, "a finite number, 0 or more");
  std::vector<double> weights;
  append_relative_weights(weights, options.weights_x, n, "weights_x");
  if (options.form == pairing::unpaired) {
    append_relative_weights(weights, options.weights_y, m, "weights_y");
  } else {
    require(m == n, "y.rows()", m, "as many rows as x for the paired form");
    require(options.weights_y.empty(), "weights_y.size()", options.weights_y.size(),
            "0: in the paired form weights_x are the weights of the pairs");
    append_relative_weights(weights, options.weights_x, m, "weights_x");
  }
  return weights;
}

// sum over i of weight[i] value[i], and the deviations from it.
inline double centre(std::span<const double> weight, std::span<double> value) {
  double mean = 0;
  for (std::size_t i = 0; i < value.size(); ++i) mean += weight[i] * value[i];
  for (double& v : value) v -= mean;
  return mean;
}
inline double weighted_squares(std::span<const double> weight, std::span<const double> value) {
  double sum = 0;
  for (std::size_t i = 0; i < value.size(); ++i) sum += weight[i] * value[i] * value[i];
  return sum;
}

// The means from a pass that left sums(i, g) with relative weights.
template <class Sums>
void fill_in(KernelMeans& means, layout&& lay, const Sums& sums, paired_values&& pairs) {
  for (index_t i = 0; i < lay.rows; ++i) {
    means.to_x.push_back(sums(i, 0) / static_cast<double>(means.n));
    means.to_y.push_back(sums(i, 1) / static_cast<double>(means.m));
    means.weights[static_cast<std::size_t>(i)] /= static_cast<double>(i < means.n ? means.n : means.m);
  }
  means.diagonal = std::move(lay.diagonal);
  means.pairs = std::move(pairs.pairs);
}

}  // namespace MMD_ISA
}  // namespace detail

inline namespace MMD_ISA {

// The objective from the kernel means, O(N). With a = 1, c = 2, b = 0 (multi_population) or 1 (full), w and v the weights:
//   unpaired  M = a w'Kxx w/(1 - w'w) + b v'Kyy v/(1 - v'v) - c w'Kxy v  (Kxx, Kyy without their diagonals in M),
//             V = 4 [2m/(n+m) Var_w(g) + 2n/(n+m) Var_v(h)],  g = a Kxx w - c/2 Kxy v,  h = b Kyy v - c/2 Kxy' w;
//   paired    H = a Kxx + b Kyy - c/2 (Kxy + Kxy'),  M = (w'Hw - sum w_i^2 H_ii)/(1 - w'w),  V = 4 Var_w(Hw).
// Deviations are taken from the mean before they are squared. The derivative by K has rank 2 and a diagonal: see pair_weights.
inline ObjectiveTerms objective_terms(const KernelMeans& k, const ObjectiveOptions& options = {}) {
  const auto n = static_cast<std::size_t>(k.n), m = static_cast<std::size_t>(k.m), rows = n + m;
  const double b = options.statistic == proxy::full ? 1 : 0;
  const bool paired = options.form == pairing::paired;
  const std::span<const double> w(k.weights.data(), n), v(k.weights.data() + n, m);
  double ww = 0, vv = 0;
  for (double e : w) ww += e * e;
  for (double e : v) vv += e * e;

  double statistic = 0, variance = 0;
  std::vector<double> p(rows), diagonal(rows);
  for (std::size_t i = 0; i < rows; ++i) diagonal[i] = k.weights[i] * k.diagonal[i];
  if (paired) {
    for (std::size_t i = 0; i < n; ++i) {
      const double off = k.to_x[i] + b * k.to_y[n + i] - k.to_y[i] - k.to_x[n + i];  // row i of Hw without the diagonals of Kxx, Kyy
      statistic += w[i] * (off + 2 * w[i] * k.pairs[i]);
      p[i] = off + diagonal[i] + b * diagonal[n + i];
    }
    statistic /= 1 - ww;
    detail::centre(w, std::span(p).first(n));
    variance = 4 * detail::weighted_squares(w, std::span(p).first(n));
    for (std::size_t i = 0; i < n; ++i) p[n + i] = p[i] *= w[i];
  } else {
    const double total = static_cast<double>(rows), ax = 2 * static_cast<double>(m) / total, ay = 2 * static_cast<double>(n) / total;
    double xx = 0, yy = 0, xy = 0;
    for (std::size_t i = 0; i < n; ++i) {
      xx += w[i] * k.to_x[i];
      xy += w[i] * k.to_y[i];
      p[i] = k.to_x[i] + diagonal[i] - k.to_y[i];
    }
    for (std::size_t i = n; i < rows; ++i) {
      if (b != 0) yy += k.weights[i] * k.to_y[i];
      p[i] = (b != 0 ? k.to_y[i] + diagonal[i] : 0) - k.to_x[i];
    }
    statistic = xx / (1 - ww) - 2 * xy + (b != 0 ? yy / (1 - vv) : 0);
    detail::centre(w, std::span(p).first(n));
    detail::centre(v, std::span(p).last(m));
    variance = 4 * (ax * detail::weighted_squares(w, std::span(p).first(n)) + ay * detail::weighted_squares(v, std::span(p).last(m)));
    for (std::size_t i = 0; i < rows; ++i) p[i] *= k.weights[i] * (i < n ? ax : ay);
  }

  const double s = std::sqrt(variance + options.lambda), objective = statistic / s;
  const double by_statistic = 1 / s, by_variance = -4 * objective / (s * s);  // of M's and of V's share in the derivative
  pair_weights out{k.weights, std::move(p), {}, {}, std::vector<double>(rows)};
  const double xx = 2 * by_statistic / (1 - ww), yy = b != 0 ? 2 * by_statistic / (1 - vv) : 0;
  const double xy = paired ? -xx : -2 * by_statistic;
  out.ww = {xx, xy, xy, yy};
  out.wp = {by_variance, -by_variance, -by_variance, b * by_variance};
  for (std::size_t i = 0; i < rows; ++i) out.diagonal[i] = (i < n ? 1 : b) * by_variance * out.w[i] * out.p[i];
  if (paired) {
    for (std::size_t i = 0; i < n; ++i) out.paired.push_back(xx * w[i] * w[i]);
  }
  return {{statistic, variance, objective}, std::move(out)};
}

// The two samples as the objective's pass reads them: for the multi-population proxy no pair of rows of y is evaluated. Throws
// invalid_input for fewer than two rows, different columns, values that are not finite.
template <sample_matrix X, sample_matrix Y>
auto objective_pool(const X& x, const Y& y, const ObjectiveOptions& options = {}) {
  auto z = pool(x, y);
  check_samples(z.groups[0], z.groups[1], 2);
  if (options.statistic == proxy::multi_population) z.skip.push_back({1, 1});
  return z;
}

// The kernel means of two samples (see objective_pool) by one pass over the pairs.
template <backend B, kernel K, class T>
KernelMeans kernel_means(const B& on, const K& k, const pooled<T>& z, const ObjectiveOptions& options = {}) {
  KernelMeans means;
  means.n = z.groups[0].rows();
  means.m = z.groups[1].rows();
  means.weights = detail::relative_weights(means.n, means.m, options);
  weighted_row_sums sums(means.weights);
  paired_values pairs;
  layout lay = options.form == pairing::paired ? on.reduce(k, z, sums, pairs) : on.reduce(k, z, sums);
  detail::fill_in(means, std::move(lay), sums, std::move(pairs));
  return means;
}

// The objective of two samples. N^2 d / 2 multiply-adds (pairs of rows of y left out for MPP), O(N d) memory, the same bits for any number
// of threads. Throws as objective_pool, and for weights or a lambda that cannot be used.
template <backend B, kernel K, sample_matrix X, sample_matrix Y>
ObjectiveValue mmd_mp_objective(const B& on, const K& k, const X& x, const Y& y, const ObjectiveOptions& options = {}) {
  return objective_terms(kernel_means(on, k, objective_pool(x, y, options), options), options).value;
}
template <kernel K, sample_matrix X, sample_matrix Y>
ObjectiveValue mmd_mp_objective(const K& k, const X& x, const Y& y, const ObjectiveOptions& options = {}) {
  return mmd_mp_objective(detail::default_backend<X>{}, k, x, y, options);
}

// The objective and its gradient by the features of every space that the kernel reads (rows of x first), by the scale of every slot and by
// every constant of the expression: see kernel_gradient. Two passes over the pairs, O(N d) memory; gradients of samples in a device's
// memory stay there.
template <backend B, kernel K, sample_matrix X, sample_matrix Y>
auto mmd_mp_gradient(const B& on, const K& k, const X& x, const Y& y, const ObjectiveOptions& options = {}, gradient_of wanted = {}) {
  const auto z = objective_pool(x, y, options);
  const ObjectiveTerms terms = objective_terms(kernel_means(on, k, z, options), options);
  return ObjectiveGradient<computed<typename X::Scalar>>{terms.value, on.gradient(k, z, terms.weights, wanted)};
}
template <kernel K, sample_matrix X, sample_matrix Y>
auto mmd_mp_gradient(const K& k, const X& x, const Y& y, const ObjectiveOptions& options = {}, gradient_of wanted = {}) {
  return mmd_mp_gradient(detail::default_backend<X>{}, k, x, y, options, wanted);
}

}  // namespace MMD_ISA
}  // namespace mmd
