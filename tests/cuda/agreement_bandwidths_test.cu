// SPDX-License-Identifier: MIT
// Bandwidths from distances on the device: the order statistics of the naive list of all distances.
#include <limits>
#include <vector>

#include "agreement.cuh"
#include "mmd/estimators/bandwidth.hpp"
#include "oracle/median.hpp"
#include "support/catch2.hpp"

namespace {
using namespace agreement;

ref::rows both(ref::rows x, const ref::rows& y) {
  x.insert(x.end(), y.begin(), y.end());
  return x;
}
bool close(double a, long double b) { return std::abs(a - static_cast<double>(b)) <= 1e-12 * static_cast<double>(b); }
}  // namespace

TEMPLATE_TEST_CASE("median distances are numpy's of all distances, of either kind", "", float, double, mmd::float16, mmd::bfloat16) {
  using T = TestType;
  struct sizes {
    index_t n, m, d;
  };
  for (const sizes s : {sizes{1, 1, 1}, {2, 1, 7}, {2, 2, 7}, {127, 2, 7}, {100, 29, 64}, {128, 129, 3}, {20, 30, 130}}) {
    INFO("n = " << s.n << ", m = " << s.m << ", d = " << s.d);
    const auto x = rows<T>(s.n, s.d, 1), y = rows<T>(s.m, s.d, 2, 0.5);
    const auto z = both(as_rows(x), as_rows(y));
    CHECK(close(mmd::median_heuristic(gpu(), x, y), oracle::median(oracle::sorted_distances(z, oracle::metric::l2))));
    CHECK(close(mmd::median_heuristic<mmd::laplace>(gpu(), x, y), oracle::median(oracle::sorted_distances(z, oracle::metric::l1))));
    CHECK(mmd::median_heuristic(gpu(), x, y) == Approx(cpu_results::median_heuristic<T>(x, y)).epsilon(1e-14));
  }
}

TEST_CASE("a grid of bandwidths starts and ends at the distances that it names") {
  const auto x = rows<float>(90, 7, 1), y = rows<float>(61, 7, 2, 0.5);
  const auto all = oracle::sorted_distances(both(as_rows(x), as_rows(y)), oracle::metric::l2);
  const auto grid = mmd::bandwidth_grid(gpu(), x, y, {.count = 5, .lower_quantile = 0.1});
  REQUIRE(grid.size() == 5);
  CHECK(close(2 * grid.front(), all[static_cast<std::size_t>(0.1 * static_cast<double>(all.size()))]));
  CHECK(close(grid.back() / 2, all.back()));
}

TEST_CASE("distances keep their precision far from the origin, and where squares leave the range of doubles") {
  for (const double scale : {1.0, 1e-30, 1e30}) {
    for (const auto kind : {shape::normal, shape::far, shape::constant_columns}) {
      INFO("scale " << scale << ", " << to_string(kind));
      const auto x = rows<float>(70, 3, 1, 0, kind, scale), y = rows<float>(71, 3, 2, 0.5, kind, scale);
      const auto expected = oracle::median(oracle::sorted_distances(both(as_rows(x), as_rows(y)), oracle::metric::l2));
      CHECK(close(mmd::median_heuristic(gpu(), x, y), expected));
    }
  }
  const auto x = rows<double>(30, 3, 1, 0, shape::normal, 1e200), y = rows<double>(31, 3, 2, 0.5, shape::normal, 1e200);
  ref::rows small;
  for (auto row : both(as_rows(x), as_rows(y))) {
    for (double& v : row) v *= 1e-200;
    small.push_back(row);
  }
  const auto expected = oracle::median(oracle::sorted_distances(small, oracle::metric::l2));
  CHECK(std::abs(mmd::median_heuristic(gpu(), x, y) * 1e-200 - static_cast<double>(expected)) < 1e-12 * static_cast<double>(expected));
}

TEST_CASE("equal distances are counted one by one; a median of 0 is an error that says so") {
  const auto x = rows<float>(60, 3, 1, 0, shape::duplicates), y = rows<float>(61, 3, 2, 0.5, shape::duplicates);
  const auto all = oracle::sorted_distances(both(as_rows(x), as_rows(y)), oracle::metric::l2);
  CHECK(close(mmd::median_heuristic(gpu(), x, y), oracle::median(all)));
  const matrix<float> same(9, 2), other(8, 2);
  const auto by_device = thrown([&] { mmd::median_heuristic(gpu(), same, other); });
  CHECK(by_device == thrown([&] { cpu_results::median_heuristic<float>(same, other); }));
  CHECK(by_device.find("the median distance = 0") != std::string::npos);
}

TEST_CASE("samples on the device have the bandwidth of the same samples on the host; so have their rows in another order") {
  const auto x = rows<float>(60, 7, 1), y = rows<float>(41, 7, 2, 0.5);
  const double expected = mmd::median_heuristic(gpu(), x, y);
  everywhere(x, y, [&](const char* place, const auto& a, const auto& b) {
    INFO(place);
    CHECK(mmd::median_heuristic(gpu(), a, b) == expected);
    CHECK(mmd::median_heuristic(gpu(), b, a) == expected);
  });
  CHECK(mmd::median_heuristic(gpu(), x, y, {.max_rows = 50, .seed = 3}) != mmd::median_heuristic(gpu(), x, y, {.max_rows = 50, .seed = 4}));
}

TEST_CASE("more distances than are kept at once take further passes") {
  const auto x = rows<float>(900, 2, 1), y = rows<float>(700, 2, 2, 0.5);  // 1.3 million pairs
  const auto expected = oracle::median(oracle::sorted_distances(both(as_rows(x), as_rows(y)), oracle::metric::l2));
  CHECK(close(mmd::median_heuristic(gpu(), x, y), expected));
}
