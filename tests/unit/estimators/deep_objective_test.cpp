// SPDX-License-Identifier: MIT
#include "mmd/estimators/deep_objective.hpp"

#include <algorithm>
#include <cmath>
#include <complex>
#include <random>
#include <string>
#include <vector>

#include "mmd/backends/cpu.hpp"
#include "mmd/io/safetensors.hpp"
#include "oracle/objective.hpp"
#include "support/catch2.hpp"

namespace {

using complex = std::complex<double>;

mmd::matrix<double> stacked(const mmd::matrix<double>& x, const mmd::matrix<double>& y) {
  std::vector<double> values = x.values();
  values.insert(values.end(), y.values().begin(), y.values().end());
  return {x.rows() + y.rows(), x.cols(), std::move(values)};
}
mmd::matrix<double> random_rows(mmd::index_t rows, mmd::index_t cols, std::mt19937_64& rng) {
  mmd::matrix<double> z(rows, cols);
  for (mmd::index_t i = 0; i < z.size(); ++i) z.data()[i] = std::normal_distribution<double>()(rng);
  return z;
}
// |a - b| / |b|, norms over all values.
double relative(const std::vector<double>& a, const std::vector<double>& b) {
  double difference = 0, norm = 0;
  for (std::size_t i = 0; i < b.size(); ++i) {
    difference += (a[i] - b[i]) * (a[i] - b[i]);
    norm += b[i] * b[i];
  }
  return a.size() == b.size() ? std::sqrt(difference / norm) : INFINITY;
}

// The deep kernel and the objective with any kind of number.
template <class V>
struct problem {
  mmd::index_t n = 0, features = 0, raw = 0;
  std::vector<V> f, q;  // rows x features, rows x raw
  V epsilon = 0, sigma_phi = 1, sigma_q = 1;
  bool use_q = false;

  template <class W>
  explicit problem(const problem<W>& o)
      : n(o.n),
        features(o.features),
        raw(o.raw),
        f(o.f.begin(), o.f.end()),
        q(o.q.begin(), o.q.end()),
        epsilon(o.epsilon),
        sigma_phi(o.sigma_phi),
        sigma_q(o.sigma_q),
        use_q(o.use_q) {}
  problem() = default;

  oracle::square_matrix<V> gram() const {
    const std::size_t rows = f.size() / static_cast<std::size_t>(features);
    oracle::square_matrix<V> k(rows);
    auto d2 = [](const std::vector<V>& z, std::size_t i, std::size_t j, std::size_t d) {
      V sum = 0;
      for (std::size_t c = 0; c < d; ++c) sum += (z[i * d + c] - z[j * d + c]) * (z[i * d + c] - z[j * d + c]);
      return sum;
    };
    for (std::size_t i = 0; i < rows; ++i) {
      for (std::size_t j = 0; j < rows; ++j) {
        k(i, j) = (V(1) - epsilon) * std::exp(-d2(f, i, j, static_cast<std::size_t>(features)) / sigma_phi) + epsilon;
        if (use_q) k(i, j) *= std::exp(-d2(q, i, j, static_cast<std::size_t>(raw)) / sigma_q);
      }
    }
    return k;
  }
  V objective(const mmd::ObjectiveOptions& options) const {
    const double b = options.statistic == mmd::proxy::full ? 1 : 0;
    const std::vector<double> w(options.weights_x.begin(), options.weights_x.end()), v(options.weights_y.begin(), options.weights_y.end());
    return options.form == mmd::pairing::paired ? oracle::paired_objective(gram(), w, b, options.lambda).value
                                                : oracle::unpaired_objective(gram(), w, v, b, options.lambda).value;
  }
};
// The derivative by one number of the problem, by the complex step.
template <class Pick>
double derivative(const problem<double>& p, const mmd::ObjectiveOptions& options, Pick pick) {
  problem<complex> z(p);
  pick(z) += complex(0, 1e-30);
  return z.objective(options).imag() / 1e-30;
}

}  // namespace

TEST_CASE("objective, gradient and kernel agree with the authors' code") {
  const std::string size = GENERATE("n5", "n37", "n128");
  const auto golden = mmd::safetensors::read(std::string(MMD_TEST_DATA) + "/golden/official/objective_" + size + ".safetensors");
  const auto phi = stacked(golden.get_matrix<double>("phi_x"), golden.get_matrix<double>("phi_y"));
  const auto raw = stacked(golden.get_matrix<double>("q_x"), golden.get_matrix<double>("q_y"));
  const mmd::index_t n = phi.rows() / 2;
  const mmd::DeepKernelParameters p{golden.get_number<double>("epsilon"), golden.get_number<double>("sigma_phi"),
                                    golden.get_number<double>("sigma_q"), true};
  const mmd::cpu on;
  const auto kernel = mmd::deep_kernel(p, mmd::samples(phi));
  const auto z = mmd::pool(mmd::samples(raw).middle_rows(0, n), mmd::samples(raw).middle_rows(n, n));

  SECTION("kernel matrix, biased estimates and scores of single texts") {
    mmd::gram<double> gram;
    mmd::row_sums sums;
    on.reduce(kernel, z, gram, sums);
    CHECK(relative(gram.values, golden.get<double>("gram")) < 1e-13);
    double xx = 0, yy = 0, xy = 0;
    const auto count = static_cast<double>(n);
    for (mmd::index_t i = 0; i < n; ++i) {
      xx += sums(i, 0) + 1;
      xy += sums(i, 1);
      yy += sums(n + i, 1) + 1;
    }
    CHECK(std::abs((xx - 2 * xy) / (count * count) - golden.get_number<double>("mpp.biased")) < 1e-12);
    CHECK(std::abs((xx + yy - 2 * xy) / (count * count) - golden.get_number<double>("mmd.biased")) < 1e-12);
    const auto score = golden.get<double>("sbd_score");
    for (mmd::index_t j = 0; j < n; ++j) {
      CHECK(std::abs(xx / (count * count) - 2 * sums(n + j, 0) / count + 1 - score[static_cast<std::size_t>(j)]) < 1e-12);
    }
  }
  SECTION("objective and gradient") {
    const std::string name = GENERATE("mpp", "mmd");
    const auto statistic = name == "mpp" ? mmd::proxy::multi_population : mmd::proxy::full;
    auto number = [&](const char* what) { return golden.get_number<double>(name + "." + what); };
    auto values = [&](const char* what) {
      return stacked(golden.get_matrix<double>(name + "." + what + "_x"), golden.get_matrix<double>(name + "." + what + "_y")).values();
    };
    const auto got =
        mmd::deep_objective(on, mmd::samples(phi), mmd::samples(raw), n, p, {.statistic = statistic, .form = mmd::pairing::paired});
    CHECK(std::abs(got.statistic - number("unbiased_paired")) < 1e-12);
    CHECK(std::abs(got.variance - number("variance")) < 1e-12);
    CHECK(got.objective == Approx(number("objective")).epsilon(1e-10));
    CHECK(got.grad_epsilon == Approx(number("grad_epsilon")).epsilon(1e-10));
    CHECK(got.grad_sigma_phi == Approx(number("grad_sigma_phi")).epsilon(1e-10));
    CHECK(got.grad_sigma_q == Approx(number("grad_sigma_q")).epsilon(1e-10));
    CHECK(relative(got.grad_features.values(), values("grad_phi")) < 1e-10);
    CHECK(relative(got.grad_raw.values(), values("grad_q")) < 1e-10);
    const auto unpaired = mmd::mmd_mp_objective(on, kernel, z.groups[0], z.groups[1], {.statistic = statistic});
    CHECK(std::abs(unpaired.statistic - number("unbiased_unpaired")) < 1e-12);
  }
}

TEST_CASE("gradient of the deep objective agrees with the complex step") {
  std::mt19937_64 rng(6);
  const auto statistic = GENERATE(mmd::proxy::multi_population, mmd::proxy::full);
  const auto form = GENERATE(mmd::pairing::unpaired, mmd::pairing::paired);
  const bool use_q = GENERATE(false, true), weighted = GENERATE(false, true);
  problem<double> p;
  p.n = 9;
  p.features = 3;
  p.raw = 4;
  p.use_q = use_q;
  p.epsilon = .15;
  p.sigma_phi = 5;
  p.sigma_q = 14;
  const mmd::index_t m = form == mmd::pairing::paired ? 9 : 6;
  auto features = random_rows(p.n + m, p.features, rng);
  for (mmd::index_t c = 0; c < p.features; ++c) features(2, c) = features(5, c);  // a pair at distance 0
  const auto raw = random_rows(p.n + m, p.raw, rng);
  p.f = features.values();
  p.q = raw.values();
  std::vector<double> w(9, 1. / 9), v(static_cast<std::size_t>(m), 1. / static_cast<double>(m));
  if (weighted) {
    w = {.05, .1, .1, .2, .15, .1, .1, .05, .15};
    if (form == mmd::pairing::unpaired) v = {.3, .1, .05, .25, .1, .2};
  }
  const mmd::ObjectiveOptions by_oracle{.statistic = statistic, .form = form, .weights_x = w, .weights_y = v};
  mmd::ObjectiveOptions options{.statistic = statistic, .form = form};
  if (weighted) options.weights_x = w;
  if (weighted && form == mmd::pairing::unpaired) options.weights_y = v;

  const mmd::DeepKernelParameters parameters{p.epsilon, p.sigma_phi, p.sigma_q, use_q};
  const auto got =
      mmd::deep_objective(mmd::samples(features), use_q ? mmd::samples(raw) : mmd::samples<double>{}, p.n, parameters, options);
  CHECK(got.objective == Approx(p.objective(by_oracle)).epsilon(1e-12));
  auto gradient = [&](std::size_t count, auto pick) {
    std::vector<double> g;
    for (std::size_t i = 0; i < count; ++i) g.push_back(derivative(p, by_oracle, [&](auto& z) -> complex& { return pick(z)[i]; }));
    return g;
  };
  CHECK(relative(got.grad_features.values(), gradient(
                                                 p.f.size(), [](auto& z) -> auto& { return z.f; })) < 1e-11);
  CHECK(got.grad_epsilon == Approx(derivative(p, by_oracle, [](auto& z) -> complex& { return z.epsilon; })).epsilon(1e-11).margin(1e-12));
  CHECK(got.grad_sigma_phi == Approx(derivative(p, by_oracle, [](auto& z) -> complex& { return z.sigma_phi; })).epsilon(1e-11));
  if (use_q) {
    const auto data = mmd::deep_objective(mmd::samples(features), mmd::samples(raw), p.n, parameters, options, {.raw = false});
    CHECK(data.grad_raw.rows() == 0);
    CHECK(data.grad_features == got.grad_features);
    CHECK(data.grad_sigma_q == got.grad_sigma_q);
    CHECK(got.grad_sigma_q == Approx(derivative(p, by_oracle, [](auto& z) -> complex& { return z.sigma_q; })).epsilon(1e-11));
    CHECK(relative(got.grad_raw.values(), gradient(
                                              p.q.size(), [](auto& z) -> auto& { return z.q; })) < 1e-11);
  } else {
    CHECK(got.grad_sigma_q == 0);
    CHECK(got.grad_raw.rows() == 0);
  }
}

TEST_CASE("bad parameters of the deep kernel say what was wrong") {
  std::mt19937_64 rng(7);
  const auto f = random_rows(8, 2, rng), short_raw = random_rows(7, 2, rng);
  auto run = [&](mmd::index_t n, const mmd::DeepKernelParameters& p) -> std::string {
    try {
      mmd::deep_objective(mmd::samples(f), mmd::samples(short_raw), n, p);
    } catch (const mmd::invalid_input& e) {
      return e.what();
    }
    return "nothing was thrown";
  };
  auto mentions = [](const std::string& text, const char* what) {
    INFO(text);
    return text.find(what) != std::string::npos;
  };
  CHECK(mentions(run(1, {}), "n = 1, expected at least 2"));
  CHECK(mentions(run(7, {}), "n = 7, expected at least 2"));
  CHECK(mentions(run(4, {.epsilon = -.1}), "epsilon = -0.1, expected a number from 0 to 1"));
  CHECK(mentions(run(4, {.epsilon = std::nan("")}), "epsilon = nan"));
  CHECK(mentions(run(4, {.sigma_phi = 0}), "sigma_phi = 0, expected a finite number above 0"));
  CHECK(mentions(run(4, {.sigma_q = -1, .use_q = true}), "sigma_q = -1, expected a finite number above 0"));
  CHECK(mentions(run(4, {.use_q = true}), "raw.rows() = 7, expected as many rows as features"));
}
