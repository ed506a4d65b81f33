// SPDX-License-Identifier: MIT
#include "mmd/estimators/objective.hpp"

#include <cmath>
#include <complex>
#include <random>
#include <string>
#include <utility>
#include <vector>

#include "mmd/backends/cpu.hpp"
#include "oracle/objective.hpp"
#include "support/catch2.hpp"
#include "support/failures.hpp"

namespace {

using complex = std::complex<double>;

std::vector<double> random_weights(std::size_t n, std::mt19937_64& rng) {
  std::vector<double> w(n);
  double sum = 0;
  for (double& e : w) sum += e = std::uniform_real_distribution<double>(.2, 1)(rng);
  for (double& e : w) e /= sum;
  return w;
}
std::vector<double> equal_weights(std::size_t n) { return std::vector<double>(n, 1 / static_cast<double>(n)); }

// Any symmetric matrix will do for the algebra.
oracle::square_matrix<double> random_matrix(std::size_t size, std::mt19937_64& rng) {
  oracle::square_matrix<double> k(size);
  for (std::size_t i = 0; i < size; ++i) {
    for (std::size_t j = 0; j <= i; ++j) k(i, j) = k(j, i) = std::uniform_real_distribution<double>(-.2, 1)(rng);
  }
  return k;
}

mmd::KernelMeans means_of(const oracle::square_matrix<double>& k, const std::vector<double>& w, const std::vector<double>& v) {
  mmd::KernelMeans means;
  means.n = static_cast<mmd::index_t>(w.size());
  means.m = static_cast<mmd::index_t>(v.size());
  means.weights = w;
  means.weights.insert(means.weights.end(), v.begin(), v.end());
  for (std::size_t i = 0; i < k.size; ++i) {
    double x = 0, y = 0;
    for (std::size_t j = 0; j < k.size; ++j) {
      if (j != i) (j < w.size() ? x : y) += means.weights[j] * k(i, j);
    }
    means.to_x.push_back(x);
    means.to_y.push_back(y);
    means.diagonal.push_back(k(i, i));
    if (i < w.size() && w.size() == v.size()) means.pairs.push_back(k(i, w.size() + i));
  }
  return means;
}

// The weight that pair_weights gives K_ij and K_ji together.
double weight_of(const mmd::pair_weights& t, std::size_t n, std::size_t i, std::size_t j) {
  if (i == j) return t.diagonal[i];
  const std::size_t table = (i < n ? 0u : 2u) + (j < n ? 0u : 1u);
  double weight = t.ww[table] * t.w[i] * t.w[j] + t.wp[table] * (t.w[i] * t.p[j] + t.p[i] * t.w[j]);
  if (!t.paired.empty() && j == i + n) weight += t.paired[i];
  return weight;
}

template <class V>
oracle::objective<V> expected(const oracle::square_matrix<V>& k, const std::vector<double>& w, const std::vector<double>& v,
                              const mmd::ObjectiveOptions& options) {
  const double b = options.statistic == mmd::proxy::full ? 1 : 0;
  return options.form == mmd::pairing::paired ? oracle::paired_objective(k, w, b, options.lambda)
                                              : oracle::unpaired_objective(k, w, v, b, options.lambda);
}

template <class T>
mmd::matrix<T> random_rows(mmd::index_t rows, mmd::index_t cols, double shift, std::mt19937_64& rng) {
  mmd::matrix<T> x(rows, cols);
  for (mmd::index_t i = 0; i < x.size(); ++i) x.data()[i] = static_cast<T>(std::normal_distribution<double>(shift, 1)(rng));
  return x;
}

void check_mentions(const std::string& text, const std::vector<std::string>& parts) {
  for (const auto& part : parts) {
    INFO(text);
    CHECK(text.find(part) != std::string::npos);
  }
}

}  // namespace

TEST_CASE("objective and its derivative by every kernel value agree with the definitions") {
  std::mt19937_64 rng(1);
  const auto statistic = GENERATE(mmd::proxy::multi_population, mmd::proxy::full);
  const auto form = GENERATE(mmd::pairing::unpaired, mmd::pairing::paired);
  const bool weighted = GENERATE(false, true);
  const double lambda = GENERATE(1e-8, .3);
  const std::size_t n = 7, m = form == mmd::pairing::paired ? n : 5;
  const auto w = weighted ? random_weights(n, rng) : equal_weights(n);
  const auto v = form == mmd::pairing::paired ? w : weighted ? random_weights(m, rng) : equal_weights(m);
  const mmd::ObjectiveOptions options{.statistic = statistic, .form = form, .lambda = lambda};
  const auto k = random_matrix(n + m, rng);

  const auto got = mmd::objective_terms(means_of(k, w, v), options);
  const auto value = expected(k, w, v, options);
  CHECK(got.value.statistic == Approx(value.statistic).epsilon(1e-13));
  CHECK(got.value.variance == Approx(value.variance).epsilon(1e-13));
  CHECK(got.value.objective == Approx(value.value).epsilon(1e-13));

  oracle::square_matrix<complex> z(k.size);
  double largest = 0, worst = 0;
  for (std::size_t i = 0; i < k.size; ++i) {
    for (std::size_t j = i; j < k.size; ++j) {
      for (std::size_t e = 0; e < k.values.size(); ++e) z.values[e] = k.values[e];
      z(i, j) += complex(0, 1e-30);
      if (i != j) z(j, i) += complex(0, 1e-30);
      const double derivative = expected(z, w, v, options).value.imag() / 1e-30;
      largest = std::max(largest, std::abs(derivative));
      worst = std::max(worst, std::abs(derivative - weight_of(got.weights, n, i, j)));
    }
  }
  CHECK(worst < 1e-12 * largest);
}

TEST_CASE("the multi-population proxy never reads k(y, y')") {
  std::mt19937_64 rng(2);
  auto k = random_matrix(9, rng);
  const auto options = mmd::ObjectiveOptions{.form = mmd::pairing::unpaired};
  const auto before = mmd::objective_terms(means_of(k, equal_weights(5), equal_weights(4)), options).value;
  for (std::size_t i = 5; i < 9; ++i) {
    for (std::size_t j = 5; j < 9; ++j) k(i, j) = std::nan("");
  }
  const auto after = mmd::objective_terms(means_of(k, equal_weights(5), equal_weights(4)), options).value;
  CHECK(before.objective == after.objective);
  CHECK(before.variance == after.variance);

  const auto x = random_rows<double>(4, 2, 0, rng), y = random_rows<double>(5, 2, 0, rng);
  CHECK(mmd::objective_pool(x, y, options).skip == std::vector<std::pair<int, int>>{{1, 1}});
  CHECK(mmd::objective_pool(x, y, {.statistic = mmd::proxy::full}).skip.empty());
}

TEMPLATE_TEST_CASE("objective of two samples agrees with the definition on the whole kernel matrix", "", float, double) {
  std::mt19937_64 rng(3);
  const auto statistic = GENERATE(mmd::proxy::multi_population, mmd::proxy::full);
  const auto form = GENERATE(mmd::pairing::unpaired, mmd::pairing::paired);
  const bool weighted = GENERATE(false, true);
  const mmd::index_t n = 149, m = form == mmd::pairing::paired ? n : 301;
  const auto x = random_rows<TestType>(n, 5, 0, rng), y = random_rows<TestType>(m, 5, .5, rng);
  const auto w = weighted ? random_weights(149, rng) : equal_weights(149);
  const auto v = form == mmd::pairing::paired ? w : weighted ? random_weights(301, rng) : equal_weights(301);
  mmd::ObjectiveOptions options{.statistic = statistic, .form = form};
  if (weighted) {
    options.weights_x = w;
    if (form == mmd::pairing::unpaired) options.weights_y = v;
  }
  oracle::square_matrix<double> k(static_cast<std::size_t>(n + m));
  auto at = [&](std::size_t i, mmd::index_t c) {
    const auto row = static_cast<mmd::index_t>(i);
    return static_cast<double>(row < n ? x(row, c) : y(row - n, c));
  };
  for (std::size_t i = 0; i < k.size; ++i) {
    for (std::size_t j = 0; j < k.size; ++j) {
      double d2 = 0;
      for (mmd::index_t c = 0; c < 5; ++c) d2 += (at(i, c) - at(j, c)) * (at(i, c) - at(j, c));
      k(i, j) = std::exp(-d2 / (2 * 1.7 * 1.7));
    }
  }
  const auto value = expected(k, w, v, options);
  const auto got = mmd::mmd_mp_objective(mmd::cpu{.threads = 2}, mmd::gaussian(1.7), x, y, options);
  const double tolerance = std::is_same_v<TestType, float> ? 2e-6 : 1e-12;
  CHECK(std::abs(got.statistic - value.statistic) < tolerance);  // the sums of |k| are below 4
  CHECK(std::abs(got.variance - value.variance) < tolerance);
  CHECK(std::abs(got.objective - value.value) < 4 * tolerance / std::sqrt(value.variance));
  const auto again = mmd::mmd_mp_objective(mmd::cpu{.threads = 7}, mmd::gaussian(1.7), x, y, options);
  CHECK(again.objective == got.objective);
  CHECK(mmd::mmd_mp_objective(mmd::gaussian(1.7), x, y, options).objective == got.objective);
}

TEST_CASE("a nearly constant kernel keeps its tiny variance in float") {
  std::mt19937_64 rng(4);
  const auto x = random_rows<float>(60, 3, 0, rng), y = random_rows<float>(60, 3, .2, rng);
  mmd::matrix<double> dx(60, 3), dy(60, 3);
  for (mmd::index_t i = 0; i < x.size(); ++i) {
    dx.data()[i] = static_cast<double>(x.data()[i]);
    dy.data()[i] = static_cast<double>(y.data()[i]);
  }
  for (const auto form : {mmd::pairing::unpaired, mmd::pairing::paired}) {
    const mmd::ObjectiveOptions options{.statistic = mmd::proxy::full, .form = form};
    const auto kernel = mmd::gaussian(60.);
    const double exact = mmd::mmd_mp_objective(kernel, dx, dy, options).variance;
    CHECK(exact > 0);
    CHECK(exact < 1e-6);
    CHECK(mmd::mmd_mp_objective(kernel, x, y, options).variance == Approx(exact).epsilon(1e-2));
  }
}

TEST_CASE("bad input to the objective says what was wrong") {
  std::mt19937_64 rng(5);
  const auto x = random_rows<double>(4, 3, 0, rng), y = random_rows<double>(5, 3, 0, rng), one = random_rows<double>(1, 3, 0, rng),
             wide = random_rows<double>(5, 4, 0, rng);
  auto nan = x;
  nan(2, 1) = std::nan("");
  const auto k = mmd::gaussian(1.);
  const std::vector<double> short_weights{.5, .5}, negative{.5, .6, -.1, 0}, half{.25, .25, 0, 0}, single{1, 0, 0, 0};
  auto objective = [&](const auto& a, const auto& b, const mmd::ObjectiveOptions& options) {
    return message([&] { mmd::mmd_mp_objective(k, a, b, options); });
  };
  check_mentions(objective(one, y, {}), {"x.rows() = 1", "at least 2"});
  check_mentions(objective(x, one, {}), {"y.rows() = 1", "at least 2"});
  check_mentions(objective(x, wide, {}), {"y.cols() = 4", "as many columns as x, 3"});
  check_mentions(objective(nan, y, {}), {"x(2, 1) = nan", "finite"});
  check_mentions(objective(x, y, {.form = mmd::pairing::paired}), {"y.rows() = 5", "paired"});
  check_mentions(objective(x, y, {.lambda = -1}), {"lambda = -1", "0 or more"});
  check_mentions(objective(x, y, {.weights_x = short_weights}), {"weights_x.size() = 2", "one weight for each row"});
  check_mentions(objective(x, y, {.weights_x = negative}), {"weights_x[2] = -0.1", "0 or more"});
  check_mentions(objective(x, y, {.weights_x = half}), {"the sum of weights_x = 0.5", "1"});
  check_mentions(objective(x, y, {.weights_x = single}), {"rows with a weight above 0 = 1", "at least 2"});
  check_mentions(objective(x, x, {.form = mmd::pairing::paired, .weights_y = half}), {"weights_y.size() = 4", "paired"});
}
