// SPDX-License-Identifier: MIT
// Bad input to the permutation tests: each message holds the argument, its value and what was expected.
#include <cmath>
#include <limits>
#include <string>
#include <vector>

#include "mmd/inference/clustered_permutation_test.hpp"
#include "permutation_support.hpp"
#include "support/catch2.hpp"

namespace {
using namespace support;
using mmd::estimator;
using mmd::method;
using mmd::PermutationTest;

void expect(const std::string& text, const std::vector<std::string>& parts) {
  for (const auto& part : parts) {
    INFO(text);
    CHECK(text.find(part) != std::string::npos);
  }
}
struct spoiled {  // a kernel whose values are no numbers beyond some distance
  static constexpr auto reads = mmd::pair::squared_distance;
  template <class V>
  V operator()(V d2) const {
    return V(0) / (V(0) * d2);
  }
};
}  // namespace

TEST_CASE("samples that cannot be tested") {
  const auto x = normal<float>(10, 3, 1), y = normal<float>(12, 3, 2);
  const mmd::gaussian k(1);
  const auto run = [&](const auto& a, const auto& b, mmd::PermutationOptions o = {}) {
    return message([&] { PermutationTest{o}(a, b, k); });
  };
  expect(run(mmd::matrix<float>(0, 3), y), {"x.rows() = 0", "at least 2"});
  expect(run(x, mmd::matrix<float>(0, 3)), {"y.rows() = 0", "at least 2"});
  expect(run(normal<float>(1, 3, 1), y), {"x.rows() = 1", "at least 2"});
  expect(run(mmd::matrix<float>(0, 3), y, {.estimator = estimator::biased}), {"x.rows() = 0", "at least 1"});
  expect(run(x, normal<float>(12, 4, 2)), {"y.cols() = 4", "as many columns as x, 3"});
  expect(run(mmd::matrix<float>(4, 0), mmd::matrix<float>(4, 0)), {"x.cols() = 0", "at least 1"});
  auto bad = x;
  bad(7, 2) = std::nanf("");
  expect(run(bad, y), {"x(7, 2) = nan", "a finite number"});
  expect(run(y, bad), {"y(7, 2) = nan", "a finite number"});
  bad(7, 2) = -std::numeric_limits<float>::infinity();
  expect(run(bad, y), {"x(7, 2) = -inf", "a finite number"});
}

TEST_CASE("options out of range") {
  expect(message([] { PermutationTest{{.permutations = 0}}; }), {"permutations = 0", "1 or more"});
  expect(message([] { PermutationTest{{.permutations = -5}}; }), {"permutations = -5", "1 or more"});
  expect(message([] { PermutationTest{{.permutations = 100'000'001}}; }), {"permutations = 100000001", "100000000 or fewer"});
  expect(message([] { PermutationTest{{.permutations = std::numeric_limits<mmd::index_t>::max()}}; }),
         {"permutations = 9223372036854775807", "100000000 or fewer"});
  expect(message([] { mmd::ClusteredPermutationTest{{.permutations = 100'000'001}}; }), {"permutations = 100000001", "100000000 or fewer"});
  expect(message([] { PermutationTest{{.bins = 1}}; }), {"bins = 1", "2 or more"});
  expect(message([] { PermutationTest{{.alpha = 0}}; }), {"alpha = 0", "between 0 and 1"});
  expect(message([] { PermutationTest{{.alpha = 1}}; }), {"alpha = 1", "between 0 and 1"});
  const auto x = normal<float>(200, 3, 1), y = normal<float>(12, 3, 2);
  expect(message([&] { PermutationTest{{.method = method::enumerate}}(x, y, mmd::gaussian(1)); }),
         {"method = enumerate", "at most 10000000 splits", "200 and 12 rows"});
}

TEST_CASE("kernel values that are no numbers") {
  const auto x = normal<float>(10, 3, 1), y = normal<float>(12, 3, 2);
  for (const auto how : {method::full, method::subset, method::binned, method::enumerate}) {
    const auto text = message([&] { PermutationTest{{.method = how}}(x, y, spoiled{}); });
    expect(text, {"statistic = ", "nan", "a finite number"});
  }
}

TEST_CASE("Gram matrices that cannot be tested") {
  const auto pooled = pooled_matrix(normal<double>(4, 2, 1), normal<double>(4, 2, 2), gaussian_formula{1});
  const mmd::matrix<double> good(8, 8, pooled.values);
  const auto run = [](const mmd::matrix<double>& g, index_t n, mmd::PermutationOptions o = {}) {
    return message([&] { PermutationTest(o).on_gram(mmd::cpu{}, g, n); });
  };
  expect(run(mmd::matrix<double>(8, 7), 4), {"gram.cols() = 7", "as many columns as rows"});
  auto bad = good;
  bad(5, 2) = std::nan("");
  expect(run(bad, 4), {"gram(5, 2) = nan", "a finite number"});
  bad = good;
  bad(2, 5) = std::nan("");
  expect(run(bad, 4), {"gram(2, 5) = nan", "a finite number"});
  bad = good;
  bad(5, 2) = 0.75;
  expect(run(bad, 4), {"gram(5, 2) = 0.75", "gram(2, 5)", "symmetric"});
  expect(run(good, 9), {"n = 9", "no more than the rows of gram"});
  expect(run(good, 1), {"labels: rows of x = 1", "at least 2"});
  expect(run(good, 8), {"labels: rows of y = 0", "at least 2"});
  expect(run(good, 4, {.method = method::binned}), {"method = binned", "on a Gram matrix"});
  const std::vector<int> few{0, 0, 1, 1}, odd{0, 0, 0, 2, 1, 1, 1, 1};
  expect(message([&] { PermutationTest{}.on_gram(mmd::cpu{}, good, few); }), {"labels.size() = 4", "one label for each row"});
  expect(message([&] { PermutationTest{}.on_gram(mmd::cpu{}, good, odd); }), {"labels[3] = 2", "0 (x) or 1 (y)"});
}

TEST_CASE("too few bins for the level") {
  const auto x = normal<float>(300, 2, 1), y = normal<float>(3, 2, 2);
  const auto run = [&](mmd::PermutationOptions o) { return message([&] { PermutationTest{o}(x, y, mmd::gaussian(1)); }); };
  expect(run({.method = method::binned, .bins = 10}),
         {"method = binned", "10 / alpha = 200", "bins of 31 rows, 9 of x and 0 of y, have 1"});
  const auto a = normal<float>(40, 2, 1), b = normal<float>(40, 2, 2);
  expect(message([&] { PermutationTest{{.method = method::binned, .bins = 8, .alpha = 0.05}}(a, b, mmd::gaussian(1)); }),
         {"10 / alpha = 200", "have 70"});
  CHECK(PermutationTest{{.method = method::binned, .bins = 8, .alpha = 0.2}}(a, b, mmd::gaussian(1)).bins->bins == 8);
}
