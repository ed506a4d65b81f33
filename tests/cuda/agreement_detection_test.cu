// SPDX-License-Identifier: MIT
// Scores, tests of groups and of documents on the device against their formulas and against the CPU's on the same draws.
#include <map>
#include <vector>

#include "agreement.cuh"
#include "mmd/detection/document_test.hpp"
#include "mmd/detection/group_test.hpp"
#include "mmd/detection/reference_detector.hpp"
#include "support/catch2.hpp"

namespace {
using namespace agreement;

template <class T>
inline constexpr double rounding = std::is_same_v<mmd::compute_type<T>, double> ? 1e-13 : 2e-6;

// Biased MMD^2 of {reference} against the row y.
double score(const ref::rows& reference, const std::vector<double>& y, const ref::kernel_function& k) {
  long double within = 0, across = 0;
  for (const auto& a : reference) {
    across += k(a, y);
    for (const auto& b : reference) within += k(a, b);
  }
  const auto n = static_cast<long double>(reference.size());
  return static_cast<double>(within / (n * n) - 2 * across / n + k(y, y));
}
}  // namespace

TEMPLATE_TEST_CASE("scores agree with the formula and with the CPU, for samples anywhere", "", float, double, mmd::float16, mmd::bfloat16) {
  using T = TestType;
  const mmd::gaussian k(3);
  for (const index_t n : {1, 2, 127, 130}) {
    for (const index_t texts : {1, 129}) {
      INFO(n << " references, " << texts << " texts");
      const auto human = rows<T>(n, 7, 1), machine = rows<T>(n + 1, 7, 2, 1), x = rows<T>(texts, 7, 3, 0.5);
      const auto one = mmd::ReferenceDetector(gpu(), k, human).scores(gpu(), x);
      const auto two = mmd::ReferenceDetector(gpu(), k, human, machine).scores(gpu(), x);
      const auto cpu = cpu_results::scores<T>(human, machine, x, k);
      REQUIRE(one.size() == at(texts));
      REQUIRE(two.size() == at(texts));
      for (std::size_t i = 0; i < one.size(); i += 9) {
        CHECK(near(one[i], score(as_rows(human), as_rows(x)[i], ref::gaussian(3)), 4 * allowed<T>));
        CHECK(near(two[i], cpu[i], 4 * rounding<T>));
      }
      const auto on_human = gpu().upload(samples<T>(human)), on_x = gpu().upload(samples<T>(x));
      CHECK(mmd::ReferenceDetector(gpu(), k, on_human).scores(gpu(), on_x) == one);
    }
  }
}

TEMPLATE_TEST_CASE("groups against a kept reference get the CPU's p-values", "", float, double, mmd::float16, mmd::bfloat16) {
  using T = TestType;
  const mmd::gaussian k(3);
  const auto reference = rows<T>(131, 7, 1);
  std::vector<matrix<T>> data;
  for (const index_t n : {2, 3, 20, 40, 129}) data.push_back(rows<T>(n, 7, static_cast<std::uint64_t>(n), 0.2));
  const std::vector<samples<T>> groups(data.begin(), data.end());
  for (const bool shared : {false, true}) {
    const mmd::BatchOptions options{.permutations = shared ? 9999 : 199, .seed = 3, .first_test = 10, .shared_draws = shared};
    const mmd::GroupTest test(gpu(), k, reference, options);
    const auto cpu = cpu_results::group_tests<T>(options, reference, groups, k);
    const auto found = test(gpu(), groups);
    REQUIRE(found.size() == data.size());
    for (std::size_t i = 0; i < found.size(); ++i) {
      INFO("group " << i << (shared ? ", shared draws" : ""));
      CHECK(same_test(found[i].test, cpu[i], rounding<T>));
    }
    if (shared) continue;
    CHECK(same_test(test(gpu(), data[0]).test, cpu_results::group_tests<T>(options, reference, {groups[0]}, k)[0], rounding<T>));
    const auto on_reference = gpu().upload(samples<T>(reference)), on_group = gpu().upload(groups[2]);
    const mmd::GroupTest on_device(gpu(), k, on_reference, options);
    CHECK(on_device(gpu(), on_group).test.null == test(gpu(), groups[2]).test.null);
    CHECK(on_device(gpu(), std::vector{samples<mmd::device<T>>(on_group)})[0].test.p_value == test(gpu(), groups[2]).test.p_value);
  }
}

TEMPLATE_TEST_CASE("documents get the CPU's statistics and p-values", "", float, double) {
  using T = TestType;
  const mmd::gaussian k(3);
  const auto reference = rows<T>(140, 7, 1), sentences = rows<T>(300, 7, 2, 0.3);
  std::vector<index_t> doc;
  for (index_t i = 0; i < 300; ++i) doc.push_back(i < 100 ? i / 2 : 50 + (i * 7) % 23);  // short ones in order, longer ones mixed
  const std::span<const index_t> numbers(doc);
  const mmd::DocumentStatistics statistics(gpu(), k, reference);
  for (const index_t cut : {0, 5}) {
    const auto found = statistics(gpu(), sentences, numbers, cut);
    const auto cpu = cpu_results::documents<T>(reference, sentences, numbers, cut, k);
    REQUIRE(found.size() == cpu.size());
    for (std::size_t i = 0; i < found.size(); ++i) {
      CHECK(found[i].doc == cpu[i].doc);
      CHECK(found[i].sentences == cpu[i].sentences);
      CHECK(near(found[i].statistic, cpu[i].statistic, rounding<T>));
    }
    const auto on_reference = gpu().upload(samples<T>(reference)), on_sentences = gpu().upload(samples<T>(sentences));
    const auto again = mmd::DocumentStatistics(gpu(), k, on_reference)(gpu(), on_sentences, numbers, cut);
    for (std::size_t i = 0; i < found.size(); ++i) CHECK(again[i].statistic == found[i].statistic);
  }
  // The whole test: conformal ranks of the device's statistics.
  const auto calibration = mmd::DocumentCalibration::of_documents_known_to_be_unseen(statistics(gpu(), sentences, numbers), {.level = 0.2});
  const mmd::DocumentTest test(gpu(), k, reference, calibration);
  const auto results = test(gpu(), sentences, numbers);
  std::map<index_t, double> statistic_of;
  for (const auto& d : statistics(gpu(), sentences, numbers)) statistic_of[d.doc] = d.statistic;
  for (const auto& r : results) {
    REQUIRE(r.p_value.has_value());
    CHECK(*r.p_value == calibration.p_value(statistic_of[r.doc], r.sentences));
  }
}
