// SPDX-License-Identifier: MIT
#include "mmd/inference/multiple_testing.hpp"

#include <string>

#include "mmd/core/philox.hpp"
#include "oracle/multiple_testing.hpp"
#include "support/catch2.hpp"
#include "support/failures.hpp"

TEST_CASE("adjusted p-values of a worked example") {
  const std::vector<double> p{0.01, 0.04, 0.03, 0.005};
  const auto close = [](const std::vector<double>& a, const std::vector<double>& b) {
    REQUIRE(a.size() == b.size());
    for (std::size_t i = 0; i < a.size(); ++i) CHECK(a[i] == Approx(b[i]).epsilon(1e-14));
  };
  close(mmd::bonferroni(p), {0.04, 0.16, 0.12, 0.02});
  close(mmd::holm(p), {0.03, 0.06, 0.06, 0.02});
  close(mmd::benjamini_hochberg(p, mmd::dependence::independent), {0.02, 0.04, 0.04, 0.02});
  close(mmd::benjamini_yekutieli(p), {0.02 * 25 / 12, 0.04 * 25 / 12, 0.04 * 25 / 12, 0.02 * 25 / 12});
}

// The oracle runs the sequential rejection rules at each level; the adjusted p-value is the smallest level at which a test is rejected.
TEST_CASE("adjusted p-values decide as the rejection rules do, ties included") {
  mmd::random_stream draws(5, mmd::purpose::user);
  for (int round = 0; round < 60; ++round) {
    std::vector<double> p(1 + draws.below(9));
    for (double& v : p) v = static_cast<double>(1 + draws.below(20)) / (round % 2 ? 20 : 200);
    const auto holm = mmd::holm(p), by = mmd::benjamini_yekutieli(p), single = mmd::bonferroni(p),
               bh = mmd::benjamini_hochberg(p, mmd::dependence::positive_regression);
    for (const double level : {0.0103, 0.0507, 0.1009, 0.2511, 0.6007}) {
      const auto by_holm = oracle::holm_rejects(p, level), by_bh = oracle::step_up_rejects(p, level, 1),
                 by_by = oracle::step_up_rejects(p, level, oracle::harmonic(p.size())), by_one = oracle::bonferroni_rejects(p, level);
      for (std::size_t i = 0; i < p.size(); ++i) {
        CHECK((holm[i] <= level) == by_holm[i]);
        CHECK((bh[i] <= level) == by_bh[i]);
        CHECK((by[i] <= level) == by_by[i]);
        CHECK((single[i] <= level) == by_one[i]);
      }
    }
  }
}

TEST_CASE("Benjamini-Hochberg is refused where it does not hold") {
  const std::vector<double> p{0.01, 0.2};
  CHECK(message([&] {
          mmd::benjamini_hochberg(p, mmd::dependence::shared_draws);
        }).starts_with("mmd: benjamini_hochberg: known = dependence::shared_draws, expected dependence::independent or"));
  CHECK(message([&] {
          mmd::benjamini_hochberg(p, mmd::dependence::arbitrary);
        }).starts_with("mmd: benjamini_hochberg: known = dependence::arbitrary, expected dependence::independent or"));
}

TEST_CASE("bad p-values are named") {
  const std::vector<double> zero{0.5, 0.0}, large{1.5}, nan{std::nan("")}, none;
  CHECK(message([&] { mmd::holm(zero); }) == "mmd: holm: p_values = 0, expected p-values above 0 and at most 1");
  CHECK(message([&] { mmd::bonferroni(large); }) == "mmd: bonferroni: p_values = 1.5, expected p-values above 0 and at most 1");
  CHECK(message([&] { mmd::benjamini_yekutieli(nan); }) ==
        "mmd: benjamini_yekutieli: p_values = nan, expected p-values above 0 and at most 1");
  CHECK(message([&] { mmd::holm(none); }) == "mmd: holm: p_values = 0, expected at least one p-value");
}
