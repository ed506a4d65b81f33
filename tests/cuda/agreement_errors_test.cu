// SPDX-License-Identifier: MIT
// Bad input is refused on the device by the exceptions, and for samples on the host by the messages, of the CPU.
#include <limits>
#include <string>
#include <vector>

#include "agreement.cuh"
#include "mmd/detection/group_test.hpp"
#include "mmd/detection/reference_detector.hpp"
#include "mmd/estimators/bandwidth.hpp"
#include "mmd/estimators/mmd.hpp"
#include "mmd/inference/permutation_test.hpp"
#include "support/catch2.hpp"
#include "support/failures.hpp"

namespace {
using namespace agreement;
using mmd::method;
using mmd::PermutationTest;

constexpr double infinity = std::numeric_limits<double>::infinity(), not_a_number = std::numeric_limits<double>::quiet_NaN();

// x with one value replaced.
template <class T>
matrix<T> with(matrix<T> x, index_t i, index_t k, double value) {
  x(i, k) = mmd::converted<T>(matrix<double>(1, 1, {value}))(0, 0);
  return x;
}

// The device refuses what the CPU refuses, in the same words.
template <class T>
void same_refusal(const matrix<T>& x, const matrix<T>& y) {
  const mmd::gaussian k(1);
  const auto cpu = thrown([&] { cpu_results::estimates<T>(x, y, k); });
  REQUIRE(cpu.starts_with("invalid_input"));
  CHECK(thrown([&] { mmd::Mmd{k}(gpu(), x, y); }) == cpu);
  if constexpr (std::is_same_v<T, float>) {  // tests check their samples as estimators do, by the same function
    CHECK(thrown([&] { PermutationTest{}(gpu(), x, y, k); }) == thrown([&] { cpu_results::permutation_test<T>({}, x, y, k); }));
  }
  CHECK(thrown([&] { mmd::median_heuristic(gpu(), x, y); }) == thrown([&] { cpu_results::median_heuristic<T>(x, y); }));
}
}  // namespace

TEMPLATE_TEST_CASE("samples on the host: empty, single, unequal or not finite ones are refused as on the CPU", "", float, double,
                   mmd::float16, mmd::bfloat16) {
  using T = TestType;
  const auto x = rows<T>(20, 3, 1), y = rows<T>(30, 3, 2);
  const matrix<T> empty(0, 3), no_columns(4, 0);
  same_refusal(empty, y);
  same_refusal(x, empty);
  same_refusal(no_columns, no_columns);
  same_refusal(x, rows<T>(30, 4, 2));
  for (const double bad : {not_a_number, infinity, -infinity}) {
    same_refusal(with(x, 19, 2, bad), y);
    same_refusal(x, with(y, 0, 1, bad));
  }
}

TEMPLATE_TEST_CASE("samples on the device: what is not finite is found, with its row and column", "", float, double, mmd::float16,
                   mmd::bfloat16) {
  using T = TestType;
  using E = mmd::device<T>;
  const auto x = rows<T>(140, 3, 1), y = rows<T>(30, 3, 2), wide = rows<T>(5, 4, 3);
  const auto refused = [](const matrix<T>& a, const matrix<T>& b, const auto& call) {
    const auto on_a = gpu().upload(samples<T>(a)), on_b = gpu().upload(samples<T>(b));
    return message([&] { call(samples<E>(on_a), samples<E>(on_b)); });
  };
  const auto estimate = [](const auto& a, const auto& b) { mmd::Mmd{mmd::gaussian(1)}(gpu(), a, b); };
  [[maybe_unused]] const auto test = [](const auto& a, const auto& b) {
    PermutationTest{{.permutations = 19}}(gpu(), a, b, mmd::gaussian(1));
  };
  const auto bandwidth = [](const auto& a, const auto& b) { mmd::median_heuristic(gpu(), a, b); };
  for (const double bad : {not_a_number, infinity, -infinity}) {
    const auto bad_x = with(x, 131, 2, bad), bad_y = with(y, 7, 1, bad);
    const auto found = [](const std::string& text, const char* row, const char* column) {
      INFO(text);
      CHECK(mentions(text, row));
      CHECK(mentions(text, column));
      CHECK(mentions(text, "finite"));
    };
    found(refused(bad_x, y, estimate), "131", "2");
    found(refused(x, bad_y, estimate), "7", "1");
    if constexpr (std::is_same_v<T, float>) {
      found(refused(bad_x, y, test), "131", "2");
      found(refused(x, bad_y, test), "7", "1");
    }
    CHECK(mentions(refused(bad_x, y, bandwidth), "finite"));
  }
  const matrix<T> empty(0, 3);
  const auto on_x = gpu().upload(samples<T>(x)), on_wide = gpu().upload(samples<T>(wide));
  CHECK(message([&] { estimate(samples<E>(nullptr, 0, 3, 3, 1), samples<E>(on_x)); }) == "mmd: x.rows() = 0, expected at least 2");
  CHECK(message([&] { estimate(samples<E>(on_x), samples<E>(on_wide)); }) == "mmd: y.cols() = 4, expected as many columns as x, 3");
  // What was refused leaves the backend as it was.
  const auto on_y = gpu().upload(samples<T>(y));
  CHECK(mmd::Mmd{mmd::gaussian(2)}(gpu(), on_x, on_y).unbiased == mmd::Mmd{mmd::gaussian(2)}(gpu(), x, y).unbiased);
}

TEST_CASE("tests refuse what they refuse on the CPU") {
  const auto x = rows<float>(20, 3, 1), y = rows<float>(30, 3, 2), one = rows<float>(1, 3, 3);
  const mmd::gaussian k(1);
  const auto same = [&](const mmd::PermutationOptions& options, const matrix<float>& a, const matrix<float>& b) {
    const auto cpu = thrown([&] { cpu_results::permutation_test<float>(options, a, b, k); });
    CHECK(cpu.starts_with("invalid_input"));
    CHECK(thrown([&] { PermutationTest{options}(gpu(), a, b, k); }) == cpu);
  };
  same({.permutations = 0}, x, y);
  same({.method = method::enumerate}, x, y);
  same({.method = method::binned, .bins = 4}, x, y);
  same({.alpha = 2}, x, y);
  same({}, x, one);
  // Kernel values that are not finite.
  const auto huge = rows<double>(20, 3, 1, 0, shape::normal, 1e200);
  const mmd::linear product;
  const auto cpu = thrown([&] { cpu_results::permutation_test<double>({.method = method::full}, huge, huge, product); });
  CHECK(cpu != "nothing was thrown");
  CHECK(thrown([&] { PermutationTest{{.method = method::full}}(gpu(), huge, huge, product); }).substr(0, 14) == cpu.substr(0, 14));
}

TEST_CASE("references, texts and groups are refused as on the CPU") {
  const auto reference = rows<float>(20, 3, 1), wide = rows<float>(5, 4, 2), x = rows<float>(9, 3, 3);
  const matrix<float> none(0, 3);
  const mmd::gaussian k(1);
  const auto scored = [&](const auto& human, const auto& machine, const auto& texts) {
    const auto cpu = thrown([&] { cpu_results::scores<float>(human, machine, texts, k); });
    CHECK(cpu.starts_with("invalid_input"));
    CHECK(thrown([&] { mmd::ReferenceDetector(gpu(), k, human, machine).scores(gpu(), texts); }) == cpu);
  };
  scored(none, reference, x);
  scored(reference, wide, x);
  scored(reference, reference, wide);
  scored(reference, reference, none);
  scored(reference, reference, with(x, 4, 1, not_a_number));
  const auto tested = [&](const matrix<float>& group) {
    const auto cpu = thrown([&] { cpu_results::group_tests<float>({}, reference, {samples<float>(group)}, k); });
    CHECK(cpu.starts_with("invalid_input"));
    CHECK(thrown([&] { mmd::GroupTest(gpu(), k, reference)(gpu(), {samples<float>(group)}); }) == cpu);
  };
  tested(rows<float>(1, 3, 1));
  tested(wide);
  tested(with(x, 4, 1, infinity));
}

TEST_CASE("progress is reported on the calling thread and can cancel, as on the CPU") {
  const auto x = rows<float>(140, 3, 1), y = rows<float>(150, 3, 2);
  for (const auto how : {method::full, method::subset, method::binned}) {
    const PermutationTest test{{.permutations = 99, .method = how}};
    std::uint64_t last = 0, total = 0;
    const mmd::cuda watched({.progress = [&](const mmd::progress_report& r) {
      if (r.stage == "permutations") {
        CHECK(r.done >= last);
        last = r.done;
        total = r.total;
      }
      return true;
    }});
    test(watched, x, y, mmd::gaussian(1));
    CHECK(last == 100);
    CHECK(total == 100);
    const mmd::cuda stopped({.progress = [](const mmd::progress_report& r) { return r.stage != "permutations"; }});
    CHECK_THROWS_AS(test(stopped, x, y, mmd::gaussian(1)), mmd::cancelled);
    const mmd::cuda at_once({.progress = [](const mmd::progress_report&) { return false; }});
    CHECK_THROWS_AS(test(at_once, x, y, mmd::gaussian(1)), mmd::cancelled);
    last = 0;
    CHECK(test(watched, x, y, mmd::gaussian(1)).p_value == test(gpu(), x, y, mmd::gaussian(1)).p_value);
  }
}
