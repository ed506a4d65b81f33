// SPDX-License-Identifier: MIT
// Objectives of kernel learning and their gradients on the device: values against the definition, gradients against the CPU's in double,
// which are themselves tested against the complex step.
#include <numeric>
#include <vector>

#include "agreement.cuh"
#include "mmd/estimators/deep_objective.hpp"
#include "mmd/estimators/objective.hpp"
#include "oracle/objective.hpp"
#include "support/catch2.hpp"

namespace {
using namespace agreement;
using cpu_results::objective_kernel;
using mmd::ObjectiveOptions;

// |a - b| over |b|, of whole tensors.
template <class A, class B>
double off(const A& a, const B& b) {
  if (std::size(a) != std::size(b)) return INFINITY;
  double error = 0, size = 0;
  for (std::size_t i = 0; i < std::size(b); ++i) {
    const double difference = static_cast<double>(a[i]) - static_cast<double>(b[i]);
    error += difference * difference;
    size += static_cast<double>(b[i]) * static_cast<double>(b[i]);
  }
  return std::sqrt(error) / std::max(std::sqrt(size), 1e-300);
}
// Gradients are sums of terms of both signs: what is lost is some ten times what a value loses.
template <class T>
inline constexpr double gradient_error = std::is_same_v<T, double> ? 1e-11 : 1e-4;

struct options_of {
  mmd::proxy statistic;
  mmd::pairing form;
};
const std::vector<options_of> every_objective{{mmd::proxy::multi_population, mmd::pairing::unpaired},
                                              {mmd::proxy::full, mmd::pairing::unpaired},
                                              {mmd::proxy::multi_population, mmd::pairing::paired},
                                              {mmd::proxy::full, mmd::pairing::paired}};

template <class T>
matrix<double> wide(const matrix<T>& x) {
  return mmd::converted<double>(x);
}

template <class T, class K>
void check_gradient(objective_kernel which, const K& k, double h, index_t n, index_t m, index_t d, const ObjectiveOptions& options) {
  const auto x = rows<T>(n, d, 1), y = rows<T>(m, d, 2, 0.4);
  const auto wx = wide(x), wy = wide(y);
  const auto expected = cpu_results::gradient(wx, wy, which, h, options);
  const auto check = [&](const auto& found) {
    CHECK(found.value.statistic == Approx(expected.value.statistic).epsilon(gradient_error<T>).margin(allowed<T>));
    CHECK(found.value.variance == Approx(expected.value.variance).epsilon(gradient_error<T>).margin(8 * allowed<T>));
    REQUIRE(found.gradient.features.size() == expected.features.size());
    CHECK(off(found.gradient.scales, expected.scales) < 10 * gradient_error<T>);  // sums over all pairs, of both signs
    if (!expected.constants.empty()) CHECK(off(found.gradient.constants, expected.constants) < 10 * gradient_error<T>);
  };
  INFO("n = " << n << ", m = " << m << ", d = " << d << ", kernel " << static_cast<int>(which));
  const auto on_host = mmd::mmd_mp_gradient(gpu(), k, x, y, options);
  check(on_host);
  for (std::size_t s = 0; s < expected.features.size(); ++s) {
    CHECK(off(on_host.gradient.features[s].values(), expected.features[s]) < gradient_error<T>);
  }
  const auto on_x = gpu().upload(samples<T>(x)), on_y = gpu().upload(samples<T>(y));
  const auto on_device = mmd::mmd_mp_gradient(gpu(), k, on_x, on_y, options);
  check(on_device);
  for (std::size_t s = 0; s < expected.features.size(); ++s) {
    const matrix<T> back = gpu().download(samples<mmd::device<T>>(on_device.gradient.features[s]));
    CHECK(back == on_host.gradient.features[s]);
  }
}
}  // namespace

TEMPLATE_TEST_CASE("objectives of two samples agree with their definition", "", float, double) {
  using T = TestType;
  for (const auto& [statistic, form] : every_objective) {
    for (const auto& [n, m] : {std::pair<index_t, index_t>{2, 3}, {127, 130}, {129, 40}}) {
      const index_t rows_y = form == mmd::pairing::paired ? n : m;
      const auto x = rows<T>(n, 7, 1), y = rows<T>(rows_y, 7, 2, 0.4);
      const gram_matrix g(as_rows(x), as_rows(y), ref::gaussian(3));
      oracle::square_matrix<double> k(g.rows());
      for (std::size_t i = 0; i < g.rows(); ++i) {
        for (std::size_t j = 0; j < g.rows(); ++j) k(i, j) = g.values[i][j];
      }
      const std::vector<double> w(at(n), 1 / static_cast<double>(n)), v(at(rows_y), 1 / static_cast<double>(rows_y));
      const double b = statistic == mmd::proxy::full ? 1 : 0;
      const auto expected =
          form == mmd::pairing::paired ? oracle::paired_objective(k, w, b, 1e-4) : oracle::unpaired_objective(k, w, v, b, 1e-4);
      const auto found = mmd::mmd_mp_objective(gpu(), mmd::gaussian(3), x, y, {.statistic = statistic, .form = form, .lambda = 1e-4});
      INFO("n = " << n << ", m = " << rows_y);
      CHECK(near(found.statistic, expected.statistic, 2 * allowed<T> * g.size()));
      CHECK(near(found.variance, expected.variance, 16 * allowed<T> * g.size() * g.size()));
      const double slope = std::abs(expected.statistic) / (2 * (expected.variance + 1e-4));
      CHECK(
          near(found.objective, expected.value, (2 + 16 * slope * g.size()) * g.size() * allowed<T> / std::sqrt(expected.variance + 1e-4)));
    }
  }
}

TEMPLATE_TEST_CASE("gradients agree with the CPU's in double, for samples on the host and on the device", "", float, double) {
  using T = TestType;
  struct sizes {
    index_t n, m, d;
  };
  for (const auto& [statistic, form] : every_objective) {
    const ObjectiveOptions options{.statistic = statistic, .form = form, .lambda = 1e-3};
    for (const sizes s : {sizes{2, 3, 1}, {20, 31, 7}, {127, 130, 7}, {60, 130, 64}}) {
      const index_t m = form == mmd::pairing::paired ? s.n : s.m;
      const double h = std::sqrt(2.0 * static_cast<double>(s.d));
      check_gradient<T>(objective_kernel::gaussian, mmd::gaussian(h), h, s.n, m, s.d, options);
      if (s.d > 7) continue;
      check_gradient<T>(objective_kernel::laplace, mmd::laplace(2 * h), 2 * h, s.n, m, s.d, options);
      check_gradient<T>(objective_kernel::mixture, 0.75 * mmd::gaussian(h) + 0.25 * mmd::inverse_multiquadric(2 * h), h, s.n, m, s.d,
                        options);
    }
  }
}

TEST_CASE("weights of rows are obeyed in objectives and gradients") {
  std::vector<double> w(40), v(50);
  for (std::size_t i = 0; i < w.size(); ++i) w[i] = static_cast<double>(1 + i % 5);
  for (std::size_t i = 0; i < v.size(); ++i) v[i] = static_cast<double>(i % 3);
  for (auto* each : {&w, &v}) {
    const double sum = std::accumulate(each->begin(), each->end(), 0.0);
    for (double& e : *each) e /= sum;
  }
  const ObjectiveOptions options{.lambda = 1e-3, .weights_x = w, .weights_y = v};
  check_gradient<float>(objective_kernel::gaussian, mmd::gaussian(3), 3, 40, 50, 7, options);
  check_gradient<double>(objective_kernel::laplace, mmd::laplace(5), 5, 40, 50, 7, options);
}

TEMPLATE_TEST_CASE("the deep kernel's objective and all its derivatives agree with the CPU's in double", "", float, double) {
  using T = TestType;
  for (const bool with_q : {false, true}) {
    for (const auto& [n, m] : {std::pair<index_t, index_t>{2, 3}, {40, 50}, {128, 129}}) {
      const auto features = rows<T>(n + m, 6, 1, 0.1), raw = rows<T>(n + m, 9, 2);
      const auto wide_features = wide(features), wide_raw = wide(raw);
      const mmd::DeepKernelParameters p{.epsilon = 0.1, .sigma_phi = 12, .sigma_q = 30, .use_q = with_q};
      const auto expected = cpu_results::deep(wide_features, wide_raw, n, p);
      const auto found = mmd::deep_objective(gpu(), samples<T>(features), samples<T>(raw), n, p);
      INFO("n = " << n << ", m = " << m << (with_q ? ", with q" : ""));
      CHECK(found.statistic == Approx(expected.statistic).epsilon(gradient_error<T>).margin(allowed<T>));
      CHECK(found.objective == Approx(expected.objective).epsilon(10 * gradient_error<T>));
      CHECK(off(found.grad_features.values(), expected.features) < 10 * gradient_error<T>);
      if (with_q) CHECK(off(found.grad_raw.values(), expected.raw) < 10 * gradient_error<T>);
      const std::vector<double> scalars{found.grad_epsilon, found.grad_sigma_phi, found.grad_sigma_q};
      CHECK(off(scalars, std::vector<double>{expected.epsilon, expected.sigma_phi, expected.sigma_q}) < 10 * gradient_error<T>);
    }
  }
}
