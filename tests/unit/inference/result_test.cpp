// SPDX-License-Identifier: MIT
#include "mmd/inference/result.hpp"

#include <cmath>
#include <string>
#include <utility>
#include <vector>

#include "mmd/inference/permutation/statistic.hpp"
#include "support/catch2.hpp"
#include "support/failures.hpp"

namespace {
mmd::TestResult concluded(std::vector<double> values, double tolerance = 0) {
  mmd::TestResult out;
  out.method = mmd::method::full;
  mmd::detail::conclude(out, {std::move(values), tolerance});
  return out;
}
}  // namespace

TEST_CASE("p counts the observed statistic and ties") {
  CHECK(concluded({3, 1, 2, 4}).p_value == 2.0 / 4);
  CHECK(concluded({3, 3, 2, 4}).p_value == 3.0 / 4);
  CHECK(concluded({5, 1, 2, 4}).p_value == 1.0 / 4);
  CHECK(concluded({3, 2.5, 2, 4}, 0.5).p_value == 3.0 / 4);
  CHECK(concluded({3, 2.5, 2, 4}, 0.25).p_value == 2.0 / 4);
}

TEST_CASE("the threshold is the k-th largest draw, by the division that p uses") {
  std::vector<double> values{0};
  for (int b = 1; b <= 19; ++b) values.push_back(b);
  const auto result = concluded(values);
  CHECK(result.threshold(0.05) == 19);  // 1/20 <= .05
  CHECK(result.threshold(0.0999) == 19);
  CHECK(result.threshold(0.1) == 18);
  CHECK(result.threshold(0.999) == 1);
  CHECK(std::isinf(result.threshold(0.0499)));
  CHECK(result.attainable(0.05));
  CHECK_FALSE(result.attainable(0.0499));
  // Rejection and threshold agree for every B, alpha and rank; .29 * 100 is below 29 in floating point, 29 / 100 is not above .29.
  int disagree = 0;
  for (int draws = 1; draws <= 130; ++draws) {
    std::vector<double> all{0};
    for (int b = 1; b <= draws; ++b) all.push_back(b);
    for (const double alpha : {0.01, 0.05, 0.07, 0.1, 0.29, 1.0 / 3, 0.57, 0.9}) {
      for (int rank = 0; rank <= draws; ++rank) {
        all[0] = rank + 0.5;
        const auto r = concluded(all);
        disagree += r.reject(alpha) != (r.statistic > r.threshold(alpha));
      }
    }
  }
  CHECK(disagree == 0);
}

TEST_CASE("the smallest p-value doubles where every split has a twin") {
  auto r = concluded({1, 2, 3, 4});
  CHECK(r.smallest_p() == 0.25);
  r.mirrored = true;
  CHECK(r.smallest_p() == 0.5);
  CHECK_FALSE(r.attainable(0.3));
}

TEST_CASE("the Monte Carlo interval covers the p-value of infinitely many draws") {
  std::vector<double> values(1000, 0.0);
  values[0] = 1;
  for (std::size_t b = 1; b <= 49; ++b) values[b] = 2;
  auto r = concluded(values);
  const auto interval = r.p_interval(0.95);
  CHECK(interval.low == Approx(0.0365).margin(0.001));  // 49 of 999 draws
  CHECK(interval.high == Approx(0.0643).margin(0.001));
  r.method = mmd::method::enumerate;
  CHECK(r.p_interval().low == r.p_value);
  CHECK(r.p_interval().high == r.p_value);
  CHECK(concluded({5, 1, 2, 3}).p_interval().low == 0);
}

TEST_CASE("a level outside (0, 1) is refused with its value") {
  const auto r = concluded({1, 2});
  CHECK(message([&] { r.threshold(0); }) == "mmd: alpha = 0, expected a number between 0 and 1, such as 0.05");
  CHECK(message([&] { r.reject(1.5); }).find("alpha = 1.5") != std::string::npos);
  CHECK(message([&] { r.attainable(std::nan("")); }).find("alpha = nan") != std::string::npos);
}

TEST_CASE("a statistic that is no number is an error, not a p-value") {
  CHECK(message([] { concluded({std::nan(""), 1, 2}); }).find("statistic = nan, expected a finite number") != std::string::npos);
  CHECK(message([] { concluded({1, INFINITY, 2}); }).find("statistic = inf") != std::string::npos);
}

TEST_CASE("arithmetic that cannot resolve the test is said, and constant data") {
  CHECK(concluded({1, 0, 2, 1, 3}, 1e-3).warnings.empty());
  const auto coarse = concluded({1, 0, 2, 1, 3}, 0.5).warnings;
  REQUIRE(coarse.size() == 1);
  CHECK(coarse[0].find("tolerance for ties, 0.5") != std::string::npos);
  const auto constant = concluded({1, 1, 1, 1}, 1e-9);
  CHECK(constant.p_value == 1);
  REQUIRE(constant.warnings.size() == 1);
  CHECK(constant.warnings[0].find("constant") != std::string::npos);
}

TEST_CASE("names of estimators and methods, both ways") {
  using mmd::estimator;
  using mmd::method;
  for (const auto e : {estimator::unbiased, estimator::biased}) CHECK(mmd::parse_estimator(to_string(e)) == e);
  for (const auto m : {method::automatic, method::full, method::enumerate, method::binned, method::subset}) {
    CHECK(mmd::parse_method(to_string(m)) == m);
  }
  CHECK(message([] { mmd::parse_estimator("median"); }) == "mmd: estimator = median, expected unbiased or biased");
  CHECK(message([] { mmd::parse_method("exact"); }) == "mmd: method = exact, expected automatic, full, enumerate, binned or subset");
}
