// SPDX-License-Identifier: MIT
#include "mmd/learning/validation.hpp"

#include "mmd/backends/cpu.hpp"
#include "support/catch2.hpp"
#include "support/failures.hpp"
#include "support/learning.hpp"

namespace {

using support::normal;

mmd::DeepKernel<double> identity_kernel(mmd::index_t d) {
  mmd::DeepKernel<double> k;
  k.standardizer = mmd::Standardizer(std::vector<double>(static_cast<std::size_t>(d)), std::vector<double>(static_cast<std::size_t>(d), 1));
  k.network = mmd::Perceptron<double>({d, d}, 1);
  std::vector<double> parameters(k.network.parameters().size());
  for (mmd::index_t i = 0; i < d; ++i) parameters[static_cast<std::size_t>(i * d + i)] = 1;
  k.network.set_parameters(parameters);
  k.log_sigma_phi = std::log(2.0 * static_cast<double>(d));
  return k;
}
double auroc(const std::vector<double>& a, const std::vector<double>& w, const std::vector<double>& b, const std::vector<double>& v) {
  double wins = 0, total = 0;
  for (std::size_t i = 0; i < a.size(); ++i) {
    for (std::size_t j = 0; j < b.size(); ++j) {
      const double weight = (w.empty() ? 1 : w[i]) * (v.empty() ? 1 : v[j]);
      wins += weight * (b[j] > a[i] ? 1.0 : b[j] == a[i] ? 0.5 : 0.0);
      total += weight;
    }
  }
  return wins / total;
}

}  // namespace

TEST_CASE("the weighted AUROC is its double sum, ties and zero weights included", "[validation]") {
  const std::vector<double> a{1, 2, 2, 3, 5, 5}, b{2, 2, 3, 4, 0}, w{1, 0, 2, 0.5, 3, 1}, v{1, 4, 0, 0.25, 2};
  using mmd::detail::weighted_auroc;
  CHECK(weighted_auroc(a, {}, b, {}) == Approx(auroc(a, {}, b, {})).epsilon(1e-14));
  CHECK(weighted_auroc(a, w, b, v) == Approx(auroc(a, w, b, v)).epsilon(1e-14));
  CHECK(weighted_auroc(a, {}, b, v) == Approx(auroc(a, {}, b, v)).epsilon(1e-14));
  CHECK(weighted_auroc(b, v, b, v) == Approx(0.5).epsilon(1e-14));
}

TEST_CASE("validation by AUROC scores texts by their mean kernel with the training humans", "[validation]") {
  const mmd::cpu on;
  const auto kernel = identity_kernel(3);
  const auto train = normal<double>(40, 3, 1), human = normal<double>(23, 3, 2), machine = normal<double>(17, 3, 3, 1, 0.7);
  const std::vector<double> weights = support::normal_vector<double>(23, 4, 0.2, 2);
  const bool weighted = GENERATE(false, true);
  mmd::ValidationSet<double> set{.human = human, .machine = machine};
  if (weighted) set.human_weights = weights;
  const auto score = [&](const mmd::matrix<double>& x) {
    std::vector<double> out;
    for (mmd::index_t i = 0; i < x.rows(); ++i) {
      double sum = 0;
      for (mmd::index_t r = 0; r < train.rows(); ++r) {
        double d2 = 0;
        for (mmd::index_t c = 0; c < 3; ++c) d2 += std::pow(x(i, c) - train(r, c), 2);
        sum += 0.99 * std::exp(-d2 / 6) + 0.01;
      }
      out.push_back(-sum);
    }
    return out;
  };
  const mmd::Validator<double> validator(mmd::samples<double>(train), set, mmd::criterion::auroc, 1);
  CHECK(validator(on, kernel) ==
        Approx(auroc(score(human), weighted ? weights : std::vector<double>{}, score(machine), {})).epsilon(1e-12));
}

TEST_CASE("validation by power is the level for human texts, and 1 for texts far away", "[validation]") {
  const mmd::cpu on;
  const auto kernel = identity_kernel(3);
  const auto train = normal<double>(600, 3, 1), human = normal<double>(200, 3, 2), same = normal<double>(200, 3, 3),
             far = normal<double>(200, 3, 3, 1, 4), near = normal<double>(200, 3, 3, 1, 0.5);
  const auto power = [&](const mmd::matrix<double>& machine, std::uint64_t seed = 1) {
    const mmd::ValidationSet<double> set{.human = human, .machine = machine};
    return mmd::Validator<double>(mmd::samples<double>(train), set, mmd::criterion::power, seed)(on, kernel);
  };
  CHECK(power(human) == Approx(0.05).margin(0.025));
  CHECK(power(same) < 0.2);
  CHECK(power(far) == 1);
  CHECK(power(near) > power(same));
  CHECK(power(near) < 1);
  CHECK(power(near) == power(near));
}

TEST_CASE("validation names what it cannot use", "[validation]") {
  const auto train = normal<double>(10, 3, 1), good = normal<double>(6, 3, 2), other = normal<double>(6, 2, 2),
             few = normal<double>(4, 3, 2);
  const auto message = [&](const mmd::ValidationSet<double>& set, mmd::criterion by = mmd::criterion::auroc) {
    return message_of<mmd::invalid_input>([&] { mmd::Validator<double>(mmd::samples<double>(train), set, by, 1); });
  };
  auto bad = good;
  bad(1, 2) = NAN;
  CHECK(mentions(message({.human = good, .machine = {}}), "validation.machine.rows() = 0"));
  CHECK(mentions(message({.human = other, .machine = good}), "validation.human.cols() = 2, expected as many columns as the training rows"));
  CHECK(mentions(message({.human = good, .machine = bad}), "validation.machine(1, 2) = nan"));
  CHECK(mentions(message({.human = few, .machine = good}, mmd::criterion::power), "validation.human.rows() = 4, expected at least 5"));
  CHECK(mentions(message({.human = good, .machine = good, .human_weights = {1}}), "validation.human_weights.size() = 1"));
  CHECK(mentions(message({.human = good, .machine = good, .machine_weights = {1, 1, -1, 1, 1, 1}}), "validation.machine_weights = -1"));
  CHECK(mentions(message({.human = good, .machine = good, .machine_weights = std::vector<double>(6)}),
                 "the sum of validation.machine_weights = 0"));
}
