// SPDX-License-Identifier: MIT
#include "mmd/learning/deep_kernel.hpp"

#include "mmd/backends/cpu.hpp"
#include "support/catch2.hpp"
#include "support/failures.hpp"
#include "support/learning.hpp"

namespace {

using support::normal;

template <class T>
mmd::DeepKernel<T> some_kernel(bool raw) {
  mmd::DeepKernel<T> k;
  k.standardizer = mmd::Standardizer({1, -1, 0, 2}, {1, 2, 3, 4});
  k.network = mmd::Perceptron<T>({4, 6, 3}, 1);
  k.logit_epsilon = -1;
  k.log_sigma_phi = 0.3;
  k.log_sigma_q = 2;
  k.raw_kernel = raw;
  return k;
}
double squared_distance(std::span<const double> a, std::span<const double> b) {
  double sum = 0;
  for (std::size_t i = 0; i < a.size(); ++i) sum += (a[i] - b[i]) * (a[i] - b[i]);
  return sum;
}

}  // namespace

TEMPLATE_TEST_CASE("the deep kernel is its formula, between samples and between features", "[deep_kernel]", float, double) {
  using T = TestType;
  const bool raw = GENERATE(false, true);
  const mmd::cpu on;
  const auto k = some_kernel<T>(raw);
  const auto x = normal<T>(9, 4, 1, 2);
  const auto z = k.standardizer(mmd::samples<T>(x));
  const auto phi = k.network(on, mmd::samples<T>(z));
  mmd::gram<T> of_samples, of_features;
  const auto f = k.features(on, mmd::samples<T>(x));
  on.reduce(k.kernel(on), mmd::pooled<T>{{mmd::samples<T>(x)}}, of_samples);
  on.reduce(k.feature_kernel(), mmd::pooled<T>{{mmd::samples<T>(f)}}, of_features);
  CHECK(f.cols() == k.feature_columns());
  CHECK(f.cols() == (raw ? 7 : 3));
  const auto rows = support::to_rows(phi), raws = support::to_rows(z);
  const double e = 1 / (1 + std::exp(1.0)), tolerance = sizeof(T) == 4 ? 2e-6 : 1e-13;
  for (std::size_t i = 0; i < 9; ++i) {
    for (std::size_t j = 0; j < 9; ++j) {
      const double kappa = std::exp(-squared_distance(rows[i], rows[j]) / std::exp(0.3));
      const double q = raw ? std::exp(-squared_distance(raws[i], raws[j]) / std::exp(2.0)) : 1;
      const double expected = ((1 - e) * kappa + e) * q;
      const auto a = static_cast<mmd::index_t>(i), b = static_cast<mmd::index_t>(j);
      CHECK(std::abs(static_cast<double>(of_samples(a, b)) - expected) < tolerance);
      CHECK(std::abs(static_cast<double>(of_features(a, b)) - expected) < tolerance);
    }
  }
  CHECK(mmd::is_nonnegative(k.feature_kernel()));
  CHECK(k.features(x) == f);
  CHECK(k.features(on, x) == f);
}

TEST_CASE("the trained parameters are read in unconstrained form", "[deep_kernel]") {
  const auto k = some_kernel<double>(true);
  CHECK(k.epsilon() == Approx(0.2689414213699951).epsilon(1e-15));
  CHECK(k.sigma_phi() == Approx(std::exp(0.3)).epsilon(1e-15));
  CHECK(k.sigma_q() == Approx(std::exp(2.0)).epsilon(1e-15));
  const auto p = k.parameters();
  CHECK(p.epsilon == k.epsilon());
  CHECK(p.sigma_phi == k.sigma_phi());
  CHECK(p.sigma_q == k.sigma_q());
  CHECK(p.use_q);
  CHECK(k.dimension() == 4);
  CHECK(mmd::DeepKernel<double>().epsilon() == Approx(0.01).epsilon(1e-14));
}

TEST_CASE("huge inputs are clipped, others refused by name", "[deep_kernel]") {
  const auto k = some_kernel<float>(false);
  mmd::matrix<float> x(2, 4);
  for (auto& v : x.row(0)) v = 3e38f;
  for (auto& v : x.row(1)) v = -3e38f;
  const auto clipped = k.features(x);
  for (const float v : clipped.values()) CHECK(std::isfinite(v));
  x(1, 2) = std::numeric_limits<float>::quiet_NaN();
  CHECK(mentions(message_of<mmd::invalid_input>([&] { k.features(x); }), "x(1, 2) = nan, expected a finite number"));
  const auto other = normal<float>(2, 5, 1);
  CHECK(mentions(message_of<mmd::invalid_input>([&] { k.features(other); }), "x.cols() = 5, expected 4"));
  CHECK(k.features(mmd::matrix<float>(0, 4)).rows() == 0);
}

TEST_CASE("columns of a sample are a view", "[deep_kernel]") {
  const auto x = normal<double>(3, 5, 1);
  const mmd::samples<double> all(x), some = mmd::columns{1, 2}(all), none = mmd::columns{5, 0}(all);
  CHECK(some.data() == x.data() + 1);
  CHECK(some.cols() == 2);
  CHECK(some(2, 1) == x(2, 2));
  CHECK(none.cols() == 0);
  CHECK(none.rows() == 3);
  CHECK(mentions(message_of<mmd::invalid_input>([&] { mmd::columns{4, 2}(all); }), "columns: first + count = 6"));
}
