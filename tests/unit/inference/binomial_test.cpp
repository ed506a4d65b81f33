// SPDX-License-Identifier: MIT
#include "mmd/inference/binomial.hpp"

#include <cmath>

#include "golden/beta/beta_values.hpp"
#include "support/catch2.hpp"
#include "support/failures.hpp"

namespace {
double relative(double value, double expected) { return std::abs(value - expected) / std::abs(expected); }

}  // namespace

TEST_CASE("beta distribution agrees with 60-digit values") {
  for (const auto& g : golden::beta_cdf) {
    INFO("x = " << g.p_or_x << ", a = " << g.a << ", b = " << g.b);
    CHECK(relative(mmd::beta_cdf(g.p_or_x, g.a, g.b), g.value) < 1e-10);
  }
  for (const auto& g : golden::beta_quantile) {
    INFO("p = " << g.p_or_x << ", a = " << g.a << ", b = " << g.b);
    CHECK(relative(mmd::beta_quantile(g.p_or_x, g.a, g.b), g.value) < 1e-12);
  }
  CHECK(mmd::beta_cdf(0, 2, 3) == 0);
  CHECK(mmd::beta_cdf(1, 2, 3) == 1);
  CHECK(mmd::beta_quantile(0, 2, 3) == 0);
  CHECK(mmd::beta_quantile(1, 2, 3) == 1);
}

TEST_CASE("Clopper-Pearson agrees with 60-digit values") {
  for (const auto& g : golden::clopper_pearson) {
    INFO(g.successes << " of " << g.trials);
    const auto [low, high] = mmd::clopper_pearson(g.successes, g.trials, g.level);
    CHECK(low == Approx(g.low).epsilon(1e-12));
    CHECK(high == Approx(g.high).epsilon(1e-12));
  }
}

TEST_CASE("beta-binomial band agrees with 60-digit values") {
  for (const auto& g : golden::beta_binomial_band) {
    INFO("n = " << g.n << ", a = " << g.a << ", b = " << g.b);
    const auto band = mmd::beta_binomial_band(g.n, g.a, g.b, g.level);
    CHECK(band.low == g.low);
    CHECK(band.high == g.high);
  }
}

TEST_CASE("bad parameters of binomial figures are named") {
  CHECK(message([] { mmd::beta_cdf(0.5, -1, 2); }) == "mmd: beta_cdf: a = -1, expected a finite number above 0");
  CHECK(message([] { mmd::beta_cdf(1.5, 1, 2); }) == "mmd: beta_cdf: x = 1.5, expected a number in [0, 1]");
  CHECK(message([] { mmd::beta_quantile(NAN, 1, 2); }) == "mmd: beta_quantile: p = nan, expected a number in [0, 1]");
  CHECK(message([] { mmd::beta_quantile(0.5, 1, 0); }) == "mmd: beta_quantile: b = 0, expected a finite number above 0");
  CHECK(message([] { mmd::clopper_pearson(3, 2); }) == "mmd: clopper_pearson: successes = 3, expected between 0 and trials");
  CHECK(message([] { mmd::clopper_pearson(0, 0); }) == "mmd: clopper_pearson: trials = 0, expected 1 or more");
  CHECK(message([] { mmd::clopper_pearson(1, 2, 95); }) ==
        "mmd: clopper_pearson: level = 95, expected a number between 0 and 1, such as 0.95");
  CHECK(message([] { mmd::beta_binomial_band(0, 1, 1); }) == "mmd: beta_binomial_band: n = 0, expected 1 or more");
}
