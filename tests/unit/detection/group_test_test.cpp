// SPDX-License-Identifier: MIT
#include "mmd/detection/group_test.hpp"

#include <cmath>

#include "mmd/backends/cpu.hpp"
#include "oracle/reference_scores.hpp"
#include "support/catch2.hpp"
#include "support/detection.hpp"

using support::normal_rows;
using support::to_rows;

TEST_CASE("a group's result is the permutation test's, and says what it averages over") {
  const auto reference = normal_rows(40, 3, 1), x = normal_rows(6, 3, 2, 0.7);
  const mmd::cpu on;
  const mmd::GroupTest test(on, mmd::gaussian(1.5), reference, {.permutations = 199, .seed = 5});
  const auto r = test(on, x);
  const mmd::PermutationTest direct({.permutations = 199, .seed = 5}), second({.permutations = 199, .seed = 5, .test = 1});
  CHECK(r.test.p_value == direct(on, x, reference, mmd::gaussian(1.5)).p_value);
  CHECK(r.test.permutations == 199);
  const auto y = normal_rows(9, 3, 4, 0.2);
  const auto both = test(on, {mmd::samples<double>(x), mmd::samples<double>(y)});
  REQUIRE(both.size() == 2);
  CHECK(both[0].test.p_value == r.test.p_value);
  CHECK(both[1].test.p_value == second(on, y, reference, mmd::gaussian(1.5)).p_value);
  CHECK(both[1].texts == 9);
  CHECK(r.test.statistic == Approx(oracle::unbiased(oracle::gaussian(1.5), to_rows(x), to_rows(reference))).epsilon(1e-11));
  CHECK(r.texts == 6);
  CHECK(r.reference_texts == 40);
  CHECK(r.averages_over.find("references") != std::string::npos);
  CHECK(test(mmd::cpu{.threads = 1}, x).test.null == r.test.null);
}

// New group, new reference, new draws each time; with B = 19 the level of p <= .05 is exactly .05, of p <= .5 exactly .5.
TEST_CASE("human groups are rejected at the level, groups of another kind more often") {
  constexpr int rounds = 3000;
  int rejected = 0, half = 0, found = 0;
  for (std::uint64_t round = 0; round < rounds; ++round) {
    const auto reference = normal_rows(25, 2, 3 * round), human = normal_rows(5, 2, 3 * round + 1),
               other = normal_rows(5, 2, 3 * round + 2, 1.5);
    const mmd::cpu on{.threads = 1};
    const mmd::GroupTest test(on, mmd::gaussian(1.5), reference, {.permutations = 19, .seed = round});
    const double p = test(on, human).test.p_value;
    rejected += p <= 0.05;
    half += p <= 0.5;
    if (round % 10 == 0) found += test(on, other).test.p_value <= 0.05;
  }
  CHECK(std::abs(rejected - rounds * 0.05) < 3.9 * std::sqrt(rounds * 0.05 * 0.95));
  CHECK(std::abs(half - rounds * 0.5) < 3.9 * std::sqrt(rounds * 0.25));
  CHECK(found > rounds / 10 * 0.6);
}

TEST_CASE("the check of a reference tells a fitting one from one of another domain") {
  const auto reference = normal_rows(60, 3, 1), same = normal_rows(30, 3, 2), other = normal_rows(30, 3, 3, 0.9);
  const mmd::cpu on;
  const auto good = mmd::check_reference(on, reference, same, mmd::gaussian(1.5)),
             bad = mmd::check_reference(on, reference, other, mmd::gaussian(1.5));
  CHECK(good.fits);
  CHECK(good.verdict.find("no difference found") == 0);
  CHECK(!bad.fits);
  CHECK(bad.verdict.find("the reference does not fit") == 0);
  CHECK(bad.verdict.find("p = 0.001 with 30 known human texts against 60 reference texts") != std::string::npos);
}

TEST_CASE("the p-value that takes sentences for independent rejects human documents far too often") {
  int rejected = 0;
  constexpr int rounds = 200;
  for (std::uint64_t round = 0; round < rounds; ++round) {
    const auto reference = normal_rows(60, 2, 2 * round), topic = normal_rows(1, 2, 2 * round + 1);
    auto document = normal_rows(10, 2, 90000 + round);
    auto spread = reference;  // sentences of other documents: topic and noise alike
    for (mmd::index_t i = 0; i < 10; ++i) {
      for (mmd::index_t k = 0; k < 2; ++k) document(i, k) = 0.8 * topic(0, k) + 0.6 * document(i, k);
    }
    rejected += mmd::p_value_if_sentences_were_independent(mmd::cpu{.threads = 1}, document, spread, mmd::gaussian(1.5),
                                                           {.permutations = 99, .seed = round})
                    .p_value <= 0.05;
  }
  CHECK(rejected > rounds / 4);
}

TEST_CASE("bad groups are named") {
  const auto reference = normal_rows(10, 2, 1), one = normal_rows(1, 2, 1), wide = normal_rows(4, 3, 1), none = mmd::matrix<double>(0, 2);
  const mmd::cpu on;
  const mmd::GroupTest test(on, mmd::gaussian(1), reference);
  const std::string single = "at least 2 texts: one text has no unbiased MMD^2, it has a score (ReferenceDetector)";
  CHECK(message([&] { test(on, one); }) == "mmd: group.rows() = 1, expected " + single);
  CHECK(message([&] { test(on, none); }) == "mmd: group.rows() = 0, expected at least 2");
  CHECK(message([&] { test(on, wide); }) == "mmd: group.cols() = 3, expected as many columns as the reference, 2");
  CHECK(message([&] {
          test(on, {mmd::samples<double>(reference), mmd::samples<double>(one)});
        }) == "mmd: groups[1].rows() = 1, expected " + single);
  CHECK(message([&] { mmd::GroupTest(on, mmd::gaussian(1), one); }) == "mmd: reference.rows() = 1, expected at least 2");
  CHECK(message([&] { mmd::check_reference(on, reference, one, mmd::gaussian(1)); }) == "mmd: known_human.rows() = 1, expected " + single);
  CHECK(message([&] { mmd::check_reference(on, reference, reference, mmd::gaussian(1), 7); }) ==
        "mmd: alpha = 7, expected a number between 0 and 1, such as 0.05");
}
