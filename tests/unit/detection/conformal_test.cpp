// SPDX-License-Identifier: MIT
#include "mmd/detection/conformal.hpp"

#include <cmath>

#include "support/catch2.hpp"
#include "support/detection.hpp"

using mmd::ConformalCalibration;

namespace {
std::vector<double> normals(mmd::index_t n, std::uint64_t seed, double step = 0) {
  mmd::random_stream draw(seed, mmd::purpose::user);
  std::vector<double> out;
  for (mmd::index_t i = 0; i < n; ++i) {
    const double z = draw.normal();
    out.push_back(step > 0 ? step * std::floor(z / step) : z);
  }
  return out;
}
ConformalCalibration calibrate(const std::vector<double>& scores) { return ConformalCalibration::of_texts_known_to_be_unseen(scores); }
}  // namespace

TEST_CASE("conformal p-values count as defined, and the threshold decides as they do, ties included") {
  for (const double step : {0.0, 0.5}) {
    for (const mmd::index_t n : {1, 3, 19, 20, 99, 178}) {
      const auto scores = normals(n, 3, step), tests = normals(60, 4, step);
      const auto c = calibrate(scores);
      for (const double s : tests) {
        int as_large = 0;
        for (const double v : scores) as_large += v >= s;
        REQUIRE(c.p_value(s) == (1.0 + as_large) / static_cast<double>(n + 1));
      }
      std::vector<double> rates{0.001, 0.01, 0.05, 0.1, 0.5, 0.95, 0.999};
      for (mmd::index_t j = 1; j <= n; ++j) rates.push_back(static_cast<double>(j) / static_cast<double>(n + 1));
      for (const double fpr : rates) {
        const auto t = c.threshold(fpr);
        CHECK(static_cast<double>(t.rank) / static_cast<double>(n + 1) <= fpr);
        CHECK(static_cast<double>(t.rank + 1) / static_cast<double>(n + 1) > fpr);
        for (const double s : tests) REQUIRE((s > t.threshold) == (c.p_value(s) <= fpr));
        for (const double s : scores) REQUIRE((s > t.threshold) == (c.p_value(s) <= fpr));
      }
    }
  }
}

TEST_CASE("a threshold says what it rests on") {
  const auto t = calibrate(normals(178, 1)).threshold(0.05);
  CHECK(t.calibration_texts == 178);
  CHECK(t.rank == 8);
  CHECK(t.expected_fpr == 8.0 / 179);
  CHECK(t.fpr_90.low == mmd::beta_quantile(0.05, 8, 171));
  CHECK(t.fpr_90.high == mmd::beta_quantile(0.95, 8, 171));
  CHECK(t.warning.empty());
  CHECK(calibrate(normals(178, 1)).threshold(0.01).warning ==
        "the threshold is number 1 from the top of 178 calibration scores; at this rate ask for 500 or more");
  const auto none = calibrate(normals(18, 1)).threshold(0.05);
  CHECK(none.rank == 0);
  CHECK(std::isinf(none.threshold));
  CHECK(none.fpr_90.high == 0);
  CHECK(none.warning == "18 calibration texts cannot reach this rate: no text is called machine; 19 or more are needed");
  CHECK(calibrate(normals(19, 1)).threshold(0.05).rank == 1);
  CHECK(calibrate(normals(18, 1)).false_positive_band(0.05, 10).high == 0);
  const auto band = calibrate(normals(178, 1)).false_positive_band(0.05, 350);
  CHECK(band.low == 1);
  CHECK(band.high == 45);
}

// Of n + 1 exchangeable scores each is equally likely to be the new one.
TEST_CASE("the level is exact over which of the scores is the new one; ties only lower it") {
  for (const double step : {0.0, 0.7}) {
    for (mmd::index_t n = 1; n <= 24; ++n) {
      const auto pool = normals(n + 1, static_cast<std::uint64_t>(n), step);
      std::vector<double> p;
      for (std::size_t left = 0; left < pool.size(); ++left) {
        auto rest = pool;
        rest.erase(rest.begin() + static_cast<std::ptrdiff_t>(left));
        p.push_back(calibrate(rest).p_value(pool[left]));
      }
      for (mmd::index_t j = 1; j <= n + 1; ++j) {
        const double level = static_cast<double>(j) / static_cast<double>(n + 1);
        const auto rejected = std::count_if(p.begin(), p.end(), [&](double v) { return v <= level; });
        CHECK(rejected <= j);
        if (step <= 0) CHECK(rejected == j);
      }
    }
  }
}

TEST_CASE("the false-positive rate over random splits of a pool is k / (n + 1), and a text used twice is caught") {
  const auto pool = normals(400, 21);
  for (const double fpr : {0.05, 0.1}) {
    double sum = 0, squares = 0;
    int outside = 0, k = 0;
    constexpr int splits = 300;
    for (std::uint64_t s = 0; s < splits; ++s) {
      const auto order = mmd::random_stream(5, mmd::purpose::splits, s).permutation(400);
      std::vector<double> calibration, test;
      for (std::size_t i = 0; i < 400; ++i) (i < 150 ? calibration : test).push_back(pool[static_cast<std::size_t>(order[i])]);
      const auto c = calibrate(calibration);
      const auto t = c.threshold(fpr);
      const auto positives = std::count_if(test.begin(), test.end(), [&](double v) { return v > t.threshold; });
      const auto band = c.false_positive_band(fpr, 250);
      outside += positives < band.low || positives > band.high;
      const double rate = static_cast<double>(positives) / 250;
      sum += rate;
      squares += rate * rate;
      k = static_cast<int>(t.rank);
    }
    const double mean = sum / splits, error = std::sqrt((squares / splits - mean * mean) / splits);
    CHECK(std::abs(mean - k / 151.0) < 3 * error);
    CHECK(outside <= 3);
  }
}

// Of 20 scores, one is chosen by the texts of the checkpoint set: the one that leaves their largest values lowest.
TEST_CASE("the check of the rate catches a calibration set that chose the checkpoint, and passes one that did not") {
  constexpr mmd::index_t n = 99, test = 200, candidates = 20;
  constexpr int rounds = 250;
  const auto exceeds = [&](bool same_texts) {
    double sum = 0, squares = 0;
    for (std::uint64_t round = 0; round < rounds; ++round) {
      std::vector<double> best;
      double lowest = INFINITY;
      for (mmd::index_t c = 0; c < candidates; ++c) {
        const auto checkpoint = normals(n, round * 1000 + static_cast<std::uint64_t>(c));
        const double at = calibrate(checkpoint).threshold(0.05).threshold;
        if (at < lowest) {
          lowest = at;
          best = checkpoint;
        }
      }
      const auto t = calibrate(same_texts ? best : normals(n, round * 1000 + 500)).threshold(0.05);
      const auto human = normals(test, round * 1000 + 900);
      const double rate = static_cast<double>(std::count_if(human.begin(), human.end(), [&](double v) { return v > t.threshold; })) / test;
      sum += rate - t.expected_fpr;
      squares += (rate - t.expected_fpr) * (rate - t.expected_fpr);
    }
    const double mean = sum / rounds;
    return mean / std::sqrt((squares / rounds - mean * mean) / rounds);  // in standard errors
  };
  CHECK(exceeds(true) > 6);
  CHECK(std::abs(exceeds(false)) < 3);
}

TEST_CASE("calibrating on checkpoint texts is refused") {
  mmd::Roles roles;
  const std::vector<std::string> checkpoint{"prompt 7", "prompt 8"}, calibration{"prompt 1", "prompt 8", "prompt 2"};
  roles.assign(mmd::role::checkpoint, mmd::TextIds(checkpoint));
  const std::vector<double> scores{1, 2, 3};
  CHECK(message([&] { ConformalCalibration(scores, mmd::TextIds(calibration), roles); }) ==
        "mmd: calibration text = prompt 8, expected a text of no other role, but it is a checkpoint text");
  CHECK(roles.hashes(mmd::role::calibration).empty());
  const std::vector<std::string> fresh{"prompt 1", "prompt 2", "prompt 3"};
  ConformalCalibration(scores, mmd::TextIds(fresh), roles);
  CHECK(roles.hashes(mmd::role::calibration).size() == 3);
}

TEST_CASE("bad calibration input is named") {
  mmd::Roles roles;
  const std::vector<std::string> one{"a"};
  CHECK(message([&] { calibrate({}); }) == "mmd: calibration scores = 0, expected at least one score");
  CHECK(message([&] { calibrate({1.0, std::nan("")}); }) == "mmd: calibration scores = nan, expected finite numbers");
  CHECK(message([&] {
          ConformalCalibration(std::vector{1.0, 2.0}, mmd::TextIds(one), roles);
        }) == "mmd: ids.size() = 1, expected one id for each calibration score");
  CHECK(message([&] { calibrate({1.0}).threshold(0); }) == "mmd: fpr = 0, expected a rate between 0 and 1, such as 0.05");
  CHECK(message([&] { calibrate({1.0}).p_value(std::nan("")); }) == "mmd: score = nan, expected a finite number");
}
