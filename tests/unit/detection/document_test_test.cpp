// SPDX-License-Identifier: MIT
#include "mmd/detection/document_test.hpp"

#include <cmath>

#include "mmd/backends/cpu.hpp"
#include "oracle/reference_scores.hpp"
#include "support/catch2.hpp"
#include "support/detection.hpp"

using mmd::DocumentCalibration;
using mmd::DocumentStatistic;
using support::normal_rows;
using support::to_rows;

namespace {
// Documents whose sentences share a topic: rows = topic + noise, lengths drawn from [least, most].
struct corpus {
  mmd::matrix<double> sentences;
  std::vector<mmd::index_t> doc;
  std::vector<std::string> ids;

  corpus(mmd::index_t documents, std::uint64_t seed, std::uint64_t least, std::uint64_t most, double topic = 1, double shift = 0) {
    mmd::random_stream draw(seed, mmd::purpose::user, 5);
    std::vector<double> values;
    for (mmd::index_t d = 0; d < documents; ++d) {
      const double a = topic * draw.normal(), b = topic * draw.normal();
      ids.push_back("document " + std::to_string(seed) + ":" + std::to_string(d));
      for (auto left = least + draw.below(most - least + 1); left > 0; --left) {
        values.insert(values.end(), {a + draw.normal() + shift, b + draw.normal()});
        doc.push_back(d);
      }
    }
    sentences = mmd::matrix<double>(static_cast<mmd::index_t>(doc.size()), 2, values);
  }
};
std::vector<DocumentStatistic> lengths(const std::vector<mmd::index_t>& sentences) {
  std::vector<DocumentStatistic> out;
  for (const auto n : sentences) out.push_back({static_cast<mmd::index_t>(out.size()), n, 0.01 * static_cast<double>(out.size())});
  return out;
}
DocumentCalibration calibrate(const std::vector<DocumentStatistic>& d, const mmd::DocumentOptions& options = {}) {
  return DocumentCalibration::of_documents_known_to_be_unseen(d, options);
}
}  // namespace

TEST_CASE("document statistics agree with the formula, for documents in any order of rows") {
  const auto reference = normal_rows(60, 2, 1);
  const corpus c(9, 4, 2, 8);
  const auto order = mmd::random_stream(3, mmd::purpose::user).permutation(c.sentences.rows());
  mmd::matrix<double> shuffled(c.sentences.rows(), 2);
  std::vector<mmd::index_t> doc;
  for (mmd::index_t i = 0; i < shuffled.rows(); ++i) {
    const mmd::index_t from = order[static_cast<std::size_t>(i)];
    for (mmd::index_t k = 0; k < 2; ++k) shuffled(i, k) = c.sentences(from, k);
    doc.push_back(c.doc[static_cast<std::size_t>(from)]);
  }
  const mmd::DocumentStatistics statistics(mmd::cpu{}, mmd::gaussian(1.3), reference);
  for (const mmd::index_t cut : {0, 3}) {
    const auto out = statistics(mmd::cpu{}, shuffled, doc, cut);
    REQUIRE(out.size() == 9);
    for (const auto& d : out) {
      std::vector<oracle::row> own;
      mmd::index_t all = 0;
      for (std::size_t i = 0; i < doc.size(); ++i) {
        if (doc[i] != d.doc) continue;
        ++all;
        if (cut == 0 || static_cast<mmd::index_t>(own.size()) < cut) own.push_back(to_rows(shuffled)[i]);
      }
      CHECK(d.sentences == all);
      CHECK(d.statistic == Approx(oracle::unbiased(oracle::gaussian(1.3), own, to_rows(reference))).epsilon(1e-11).margin(1e-13));
    }
  }
}

TEST_CASE("length classes: fixed edges, small classes joined upwards, the last one downwards") {
  std::vector<mmd::index_t> n;
  for (int i = 0; i < 25; ++i) n.insert(n.end(), {3, 12, 30});
  for (int i = 0; i < 5; ++i) n.insert(n.end(), {6, 50, 1});
  const auto c = calibrate(lengths(n));
  REQUIRE(c.classes().size() == 3);  // 2-4 | 5-9 joined with 10-19 | 20-39 joined with 40 and more
  CHECK(c.left_out() == 5);
  const mmd::index_t expected[3][3] = {{3, 3, 25}, {6, 12, 30}, {30, 50, 30}};
  for (std::size_t k = 0; k < 3; ++k) {
    CHECK(c.classes()[k].shortest == expected[k][0]);
    CHECK(c.classes()[k].longest == expected[k][1]);
    CHECK(c.classes()[k].threshold.calibration_texts == expected[k][2]);
  }
  const auto all = lengths(n);
  for (const mmd::index_t length : {3, 4, 6, 9, 12, 19, 20, 50}) {
    const int mine = length < 5 ? 0 : length < 20 ? 1 : 2;
    double as_large = 0, of_class = 0;
    for (const auto& d : all) {
      const int other = d.sentences < 2 ? -1 : d.sentences < 5 ? 0 : d.sentences < 20 ? 1 : 2;
      of_class += other == mine;
      as_large += other == mine && d.statistic >= 0.6;
    }
    CHECK(c.p_value(0.6, length) == (1 + as_large) / (of_class + 1));
  }
  CHECK(message([&] { c.p_value(0.1, 2); }) == "mmd: sentences = 2, expected 3 to 50, as the calibration documents have");
  CHECK(message([&] { c.p_value(0.1, 51); }) == "mmd: sentences = 51, expected 3 to 50, as the calibration documents have");
  const std::vector<DocumentStatistic> tested{{7, 51, 0.5}, {8, 4, 0.5}};
  const auto results = c.test(tested);
  CHECK(!results[0].p_value);
  CHECK(results[0].refused == "51 sentences, expected 3 to 50, as the calibration documents have");
  CHECK(results[1].p_value == c.p_value(0.5, 4));
  CHECK(results[1].doc == 8);
}

TEST_CASE("documents cut to a fixed number of sentences form one class") {
  std::vector<mmd::index_t> n;
  for (mmd::index_t i = 0; i < 30; ++i) n.push_back(4 + i % 3);
  const auto c = calibrate(lengths(n), {.cut_to = 5});
  REQUIRE(c.classes().size() == 1);
  CHECK(c.left_out() == 10);
  CHECK(c.classes()[0].threshold.calibration_texts == 20);
  CHECK(c.p_value(100, 5000) == 1.0 / 21);
  CHECK(message([&] { c.p_value(1, 4); }) == "mmd: sentences = 4, expected 5 or more, to be cut to that");
}

// Sentences of one document share a topic, so that they are far from independent; lengths differ between test and calibration by class.
TEST_CASE("human documents are rejected at the level, in every class, however their sentences depend on each other") {
  const auto reference = corpus(80, 999, 1, 1).sentences;
  int rejected[2] = {0, 0}, machine = 0, documents[2] = {0, 0};
  constexpr int rounds = 250;
  for (std::uint64_t round = 0; round < rounds; ++round) {
    mmd::Roles roles;
    const corpus calibration(60, 2 * round, 3, 8), human(2, 2 * round + 1, 3, 8), shifted(1, 5000 + round, 3, 8, 1, 6);
    const mmd::DocumentTest test(mmd::cpu{}, mmd::gaussian(1.5), reference, calibration.sentences, calibration.doc,
                                 mmd::TextIds(calibration.ids), roles, {.level = 0.1, .class_starts = {2, 6}});
    REQUIRE(test.calibration().classes().size() == 2);
    for (const auto& r : test(human.sentences, human.doc)) {
      const int c = r.sentences >= 6;
      ++documents[c];
      rejected[c] += r.p_value && *r.p_value <= 0.1;
    }
    for (const auto& r : test(shifted.sentences, shifted.doc)) machine += r.p_value && *r.p_value <= 0.1;
  }
  for (int c = 0; c < 2; ++c) {
    const double n = documents[c], rate = rejected[c] / n;
    CHECK(rate < 0.1 + 3.5 * std::sqrt(0.09 / n));
    CHECK(rate > 0.1 - 3.5 * std::sqrt(0.09 / n) - 0.04);  // floor(.1 (n_class + 1)) / (n_class + 1) for n_class near 30
  }
  CHECK(machine > rounds * 0.9);
}

TEST_CASE("rates by length class") {
  std::vector<mmd::index_t> n;
  for (int i = 0; i < 40; ++i) n.insert(n.end(), {3, 12});
  const auto c = calibrate(lengths(n));
  std::vector<DocumentStatistic> human;
  for (int i = 0; i < 10; ++i) human.push_back({i, i < 6 ? 3 : 12, i % 2 ? 100.0 : -1.0});
  human.push_back({10, 500, 100.0});
  const auto rates = c.rates(c.test(human), 0.05);
  REQUIRE(rates.size() == 2);
  CHECK(rates[0].documents == 6);
  CHECK(rates[0].rejected == 3);
  CHECK(rates[1].documents == 4);
  CHECK(rates[1].rejected == 2);
  CHECK(rates[0].interval.low == mmd::clopper_pearson(3, 6).low);
  CHECK(message([&] { c.rates({}, 2); }) == "mmd: level = 2, expected a number between 0 and 1, such as 0.05");
}

TEST_CASE("bad calibration documents and options are named") {
  const corpus c(20, 1, 3, 6);
  const auto reference = normal_rows(5, 2, 1), one = normal_rows(1, 2, 1);
  const mmd::cpu on;
  const mmd::gaussian k(1);
  mmd::Roles roles;
  roles.assign(mmd::role::test, mmd::TextIds(std::span(c.ids).subspan(4, 1)));
  CHECK(message([&] { mmd::DocumentTest(on, k, reference, c.sentences, c.doc, mmd::TextIds(c.ids), roles); }) ==
        "mmd: calibration text = document 1:4, expected a text of no other role, but it is a test text");
  CHECK(message([&] { mmd::DocumentStatistics(on, k, one); }) == "mmd: reference.rows() = 1, expected at least 2 sentences");
  CHECK(message([&] { mmd::DocumentStatistics(on, k, reference)(on, c.sentences, std::vector<mmd::index_t>{1}); }) ==
        "mmd: doc.size() = 1, expected one document number for each sentence");
  const auto make = [](std::size_t n) { return lengths(std::vector<mmd::index_t>(n, 5)); };
  CHECK(message([&] { calibrate(make(18)); }) == "mmd: calibration documents = 18, expected at least 19 human documents");
  CHECK(message([&] { calibrate(make(30), {.level = 0.01}); }) ==
        "mmd: calibration documents of usable length = 30, expected at least 99 (1/level - 1)");
  CHECK(message([&] { calibrate(lengths(std::vector<mmd::index_t>(20, 1))); }) ==
        "mmd: calibration documents of usable length = 0, expected at least 19 (1/level - 1)");
  CHECK(message([&] { calibrate(make(20), {.level = 5}); }) == "mmd: level = 5, expected a number between 0 and 1, such as 0.05");
  CHECK(message([&] {
          calibrate(make(20), {.class_starts = {1, 5}});
        }) == "mmd: class_starts = 1, expected rising lengths of 2 sentences or more");
  CHECK(message([&] { calibrate(make(20), {.class_starts = {}}); }) ==
        "mmd: class_starts.size() = 0, expected at least one class of lengths");
  CHECK(message([&] { calibrate(make(20), {.cut_to = 1}); }) == "mmd: cut_to = 1, expected 0 (no cut) or 2 sentences or more");
  const std::vector<std::string> few{"a"};
  mmd::Roles fresh;
  CHECK(message([&] { DocumentCalibration(make(20), mmd::TextIds(few), fresh); }) ==
        "mmd: ids.size() = 1, expected one id for each calibration document");
}
