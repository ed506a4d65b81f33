// SPDX-License-Identifier: MIT
#include "mmd/estimators/bandwidth.hpp"

#include <cmath>
#include <random>
#include <set>
#include <string>

#include "mmd/backends/cpu.hpp"
#include "oracle/median.hpp"
#include "support/catch2.hpp"
#include "support/failures.hpp"
#include "support/rows.hpp"

namespace {

template <class T>
std::vector<std::vector<double>> both(const mmd::matrix<T>& x, const mmd::matrix<T>& y) {
  auto rows = support::rows_of(x);
  for (auto& row : support::rows_of(y)) rows.push_back(row);
  return rows;
}
template <class T, class F>
mmd::matrix<T> changed(mmd::matrix<T> x, F f) {
  for (mmd::index_t i = 0; i < x.size(); ++i) x.data()[i] = static_cast<T>(f(static_cast<double>(x.data()[i])));
  return x;
}
// Relative errors of both distances' medians.
template <class T>
void check_medians(const mmd::matrix<T>& x, const mmd::matrix<T>& y) {
  const auto rows = both(x, y);
  const auto l2 = static_cast<double>(oracle::median(oracle::sorted_distances(rows, oracle::metric::l2)));
  const auto l1 = static_cast<double>(oracle::median(oracle::sorted_distances(rows, oracle::metric::l1)));
  INFO("N = " << rows.size() << ", medians " << l2 << " and " << l1);
  CHECK(std::abs(mmd::median_heuristic(x, y) - l2) <= 1e-13 * l2);
  CHECK(std::abs(mmd::median_heuristic<mmd::matern32>(x, y) - l2) <= 1e-13 * l2);
  CHECK(std::abs(mmd::median_heuristic<mmd::laplace>(x, y) - l1) <= 1e-13 * l1);
}
// Counts the passes over the pairs. With `misled`, the pairs drawn beforehand all look equal.
struct counting_backend {
  mmd::cpu on = {};
  bool misled = false;
  mutable int passes = 0;
  template <class... A>
  mmd::layout reduce(A&&... a) const {
    ++passes;
    return on.reduce(std::forward<A>(a)...);
  }
  template <class F>
  void for_each(mmd::index_t count, F&& f) const {
    if (!misled) on.for_each(count, f);
  }
  void report(std::string_view, std::uint64_t, std::uint64_t) const {}
};

}  // namespace

TEMPLATE_TEST_CASE("median of all pooled distances is numpy's", "", float, double) {
  std::mt19937_64 rng(1);
  for (const auto& [n, m] : {std::pair<mmd::index_t, mmd::index_t>{1, 1}, {1, 2}, {2, 2}, {3, 2}, {20, 45}, {128, 129}, {300, 150}}) {
    check_medians(support::normal_rows<TestType>(n, 3, 0, rng), support::normal_rows<TestType>(m, 3, 1, rng));
  }
  check_medians(support::normal_rows<TestType>(60, 700, 0, rng), support::normal_rows<TestType>(50, 700, .1, rng));
}

TEMPLATE_TEST_CASE("median keeps its digits at any place and scale", "", float, double) {
  std::mt19937_64 rng(2);
  const auto x = support::normal_rows<TestType>(60, 5, 0, rng), y = support::normal_rows<TestType>(40, 5, 1, rng);
  for (const double scale : {1e-30, 1e30}) {
    const auto f = [scale](double v) { return scale * v; };
    check_medians(changed(x, f), changed(y, f));
  }
  const auto far = [](double v) { return 1e6 + v; };
  check_medians(changed(x, far), changed(y, far));
  auto outlier = x;
  outlier(3, 2) = TestType(1e9);  // moves the mean far away from every other row
  check_medians(outlier, y);
  if constexpr (std::is_same_v<TestType, double>) {
    for (const double scale : {1e-200, 1e200}) {
      const auto f = [scale](double v) { return scale * v; };
      const double h = mmd::median_heuristic(changed(x, f), changed(y, f));
      CHECK(h == Approx(scale * mmd::median_heuristic(x, y)).epsilon(1e-12));
    }
  }
}

TEMPLATE_TEST_CASE("median of many pairs takes one pass, or a few where distances are equal", "", float, double) {
  std::mt19937_64 rng(3);
  const mmd::index_t n = 1100, m = 900;  // 2.0e6 pairs, more than are kept
  auto x = support::normal_rows<TestType>(n, 3, 0, rng), y = support::normal_rows<TestType>(m, 3, 1, rng);
  const counting_backend on;
  const auto expected = static_cast<double>(oracle::median(oracle::sorted_distances(both(x, y), oracle::metric::l2)));
  CHECK(std::abs(mmd::median_heuristic(on, x, y) - expected) <= 1e-13 * expected);
  CHECK(on.passes == 1);
  for (const int threads : {1, 2, 7}) CHECK(mmd::median_heuristic(mmd::cpu{.threads = threads}, x, y) == mmd::median_heuristic(on, x, y));

  SECTION("the pairs drawn beforehand change the time alone") {
    const counting_backend misled{.misled = true};
    CHECK(mmd::median_heuristic(misled, x, y) == mmd::median_heuristic(on, x, y));
    CHECK(misled.passes <= 4);
  }
  SECTION("coordinates from a small set: many ties, some of them inexact") {
    const double step = GENERATE(1., .1);
    const auto grid = [step](double v) { return step * std::round(v); };
    x = changed(x, grid);
    y = changed(y, grid);
    const counting_backend again;
    const auto tied = static_cast<double>(oracle::median(oracle::sorted_distances(both(x, y), oracle::metric::l2)));
    CHECK(std::abs(mmd::median_heuristic(again, x, y) - tied) <= 1e-13 * tied);
    CHECK(again.passes <= 6);
    const auto l1 = static_cast<double>(oracle::median(oracle::sorted_distances(both(x, y), oracle::metric::l1)));
    CHECK(std::abs(mmd::median_heuristic<mmd::laplace>(again, x, y) - l1) <= 1e-13 * l1);
  }
  SECTION("the two middle distances differ, each shared by a million pairs") {
    // 1035 + 1081 = 46^2 rows: exactly half of the pairs, more than are kept, lie within one of the samples.
    mmd::matrix<TestType> a(1035, 1), b(1081, 1);
    for (mmd::index_t i = 0; i < a.rows(); ++i) a(i, 0) = TestType(3);
    const counting_backend half;
    CHECK(mmd::median_heuristic(half, a, b) == 1.5);
    CHECK(half.passes <= 8);
  }
}

TEST_CASE("median has the same bits for every order and labelling of the rows") {
  std::mt19937_64 rng(4);
  const auto x = support::normal_rows<float>(170, 40, 3, rng), y = support::normal_rows<float>(230, 40, -2, rng);
  auto rows = both(x, y);
  const double h2 = mmd::median_heuristic(x, y), h1 = mmd::median_heuristic<mmd::laplace>(x, y);
  for (int repeat = 0; repeat < 5; ++repeat) {
    std::shuffle(rows.begin(), rows.end(), rng);
    const mmd::index_t n = 50 + 60 * repeat;
    mmd::matrix<float> a(n, 40), b(400 - n, 40);
    for (mmd::index_t i = 0; i < 400; ++i) {
      for (mmd::index_t k = 0; k < 40; ++k) {
        (i < n ? a(i, k) : b(i - n, k)) = static_cast<float>(rows[static_cast<std::size_t>(i)][static_cast<std::size_t>(k)]);
      }
    }
    CHECK(mmd::median_heuristic(a, b) == h2);
    CHECK(mmd::median_heuristic<mmd::laplace>(a, b) == h1);
  }
}

TEST_CASE("beyond max_rows a random subset of the pooled rows is taken") {
  // Row i is the number 2^i, so the median names rows of the subset.
  mmd::matrix<double> x(20, 1), y(20, 1);
  for (mmd::index_t i = 0; i < 20; ++i) {
    x(i, 0) = std::ldexp(1., static_cast<int>(i));
    y(i, 0) = std::ldexp(1., static_cast<int>(i + 20));
  }
  auto with_seed = [&](std::uint64_t seed) { return mmd::median_heuristic(x, y, {.max_rows = 3, .seed = seed}); };
  CHECK(with_seed(5) == with_seed(5));
  std::set<double> seen;
  int across = 0;
  const int draws = 2000;
  for (int seed = 0; seed < draws; ++seed) {
    const double h = with_seed(static_cast<std::uint64_t>(seed));
    seen.insert(h);
    // Of rows a < b < c the median distance is 2^c - 2^b if it exceeds 2^b - 2^a: always, but for c = b + 1, where both are near 2^b.
    const int top = std::ilogb(h * 1.5);
    across += top >= 20;
  }
  CHECK(seen.size() > 300);
  // P(the largest of 3 of 40 rows is one of the upper 20) = 1 - C(20,3)/C(40,3) = .885; 4.5 standard deviations to either side.
  CHECK(std::abs(across / double(draws) - .885) < .05);
  CHECK(mmd::median_heuristic(x, y, {.max_rows = 40, .seed = 1}) == mmd::median_heuristic(x, y, {.max_rows = 1000, .seed = 2}));
}

TEST_CASE("median refuses what it cannot use") {
  std::mt19937_64 rng(6);
  mmd::matrix<double> x(6, 2), y(3, 2);
  CHECK(message([&] { mmd::median_heuristic(x, y); })
            .find("the median distance = 0, expected a number above 0: over half of the pairs of "
                  "pooled rows coincide") != std::string::npos);
  const auto z = support::normal_rows<double>(4, 2, 0, rng), wide = support::normal_rows<double>(4, 3, 0, rng);
  auto nan = z;
  nan(1, 1) = std::nan("");
  CHECK(message([&] { mmd::median_heuristic(z, wide); }) == "mmd: y.cols() = 3, expected as many columns as x, 2");
  CHECK(message([&] { mmd::median_heuristic(nan, z); }) == "mmd: x(1, 1) = nan, expected a finite number");
  CHECK(message([&] { mmd::median_heuristic(z, z, {.max_rows = 1}); }) == "mmd: max_rows = 1, expected at least 2");
  CHECK(message([&] { mmd::median_heuristic(mmd::matrix<double>(0, 2), z); }) == "mmd: x.rows() = 0, expected at least 1");
  CHECK(message([&] { mmd::bandwidth_grid(z, z, {.count = 0}); }) == "mmd: count = 0, expected at least 1");
  CHECK(message([&] { mmd::bandwidth_grid(z, z, {.lower_quantile = 1}); }) == "mmd: lower_quantile = 1, expected 0 or more and below 1");
  CHECK(message([&] { mmd::bandwidth_grid(x, y); }).find("the lower quantile of the distances = 0") != std::string::npos);
}

TEMPLATE_TEST_CASE("grid runs from half a low quantile to twice the largest distance", "", float, double) {
  std::mt19937_64 rng(7);
  const mmd::index_t n = GENERATE(30, 1100);
  const auto x = support::normal_rows<TestType>(n, 4, 0, rng), y = support::normal_rows<TestType>(900, 4, 1, rng);
  const auto sorted = oracle::sorted_distances(both(x, y), oracle::metric::l2);
  for (const double quantile : {0., .05, .5}) {
    const auto grid = mmd::bandwidth_grid(x, y, {.count = 7, .lower_quantile = quantile});
    REQUIRE(grid.size() == 7);
    const auto rank = static_cast<std::size_t>(quantile * static_cast<double>(sorted.size()));
    CHECK(grid.front() == Approx(static_cast<double>(sorted[rank] / 2)).epsilon(1e-12));
    CHECK(grid.back() == Approx(static_cast<double>(sorted.back() * 2)).epsilon(1e-12));
    for (std::size_t i = 1; i + 1 < grid.size(); ++i) CHECK(grid[i] * grid[i] == Approx(grid[i - 1] * grid[i + 1]).epsilon(1e-12));
  }
  CHECK(mmd::bandwidth_grid<mmd::laplace>(x, y, {.count = 1}).size() == 1);
}
