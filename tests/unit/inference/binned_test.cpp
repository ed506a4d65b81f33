// SPDX-License-Identifier: MIT
// The binned permutation test against its definition: bins of shuffled rows move, the rows left over do not.
#include <array>
#include <limits>
#include <vector>

#include "permutation_support.hpp"
#include "support/catch2.hpp"

namespace {
using namespace support;
using mmd::estimator;
using mmd::method;
using mmd::PermutationOptions;
using mmd::PermutationTest;

// The draws of a binned test, as splits of the pooled rows in their original order.
std::vector<oracle::split> binned_draws(const PermutationOptions& o, index_t n, index_t m) {
  const index_t size = (n + m + o.bins - 1) / o.bins, bx = n / size, by = m / size, bins = bx + by;
  const auto in_x = mmd::random_stream(o.seed, mmd::purpose::bin_shuffle, o.test, 0).permutation(n);
  const auto in_y = mmd::random_stream(o.seed, mmd::purpose::bin_shuffle, o.test, 1).permutation(m);
  const auto place = mmd::random_stream(o.seed, mmd::purpose::row_order, o.test).permutation(bins);
  const mmd::detail::position_set unused(bins);
  const mmd::detail::split_columns columns(unused, bins, std::min(bx, by), o.seed, o.test, static_cast<std::uint64_t>(o.permutations) + 1,
                                           false);
  std::vector<oracle::split> out;
  mmd::detail::position_set side(bins);
  for (index_t b = 1; b <= o.permutations; ++b) {
    columns.get(b, side);
    oracle::split s = first_rows(n, n + m);
    for (index_t p = 0; p < bins; ++p) {
      const index_t bin = place[at(p)];
      for (index_t i = 0; i < size; ++i) {
        const index_t row = bin < bx ? in_x[at(bin * size + i)] : n + in_y[at((bin - bx) * size + i)];
        s[at(row)] = side.contains(p) == (bx <= by);
      }
    }
    out.push_back(s);
  }
  return out;
}
}  // namespace

TEMPLATE_TEST_CASE("binned p-values equal brute force on the same bins, remainders and ties included", "", float, double) {
  using T = TestType;
  for (const auto& sizes : std::vector<std::array<index_t, 3>>{{40, 40, 16}, {41, 47, 16}, {47, 31, 14}, {29, 64, 17}, {20, 21, 256}}) {
    const index_t n = sizes[0], m = sizes[1], bins = sizes[2];
    for (const auto which : {estimator::unbiased, estimator::biased}) {
      const PermutationOptions options{
          .permutations = 199, .seed = 6, .estimator = which, .method = method::binned, .bins = bins, .test = 2};
      const auto check = [&](const auto& x, const auto& y, const auto& k, auto formula) {
        const auto r = PermutationTest{options}(x, y, k);
        const auto matrix = pooled_matrix(x, y, formula);
        const auto observed = first_rows(n, n + m);
        const double tolerance = oracle::tolerance(matrix, observed, static_cast<double>(std::numeric_limits<T>::epsilon()));
        const bool biased = which == estimator::biased;
        CHECK(r.p_value == oracle::p_value(matrix, observed, binned_draws(options, n, m), biased, tolerance));
        CHECK(std::abs(r.statistic - oracle::mmd2(matrix, observed, biased)) <= tolerance / 2);
        CHECK(r.tolerance == Approx(tolerance).epsilon(1e-4));
      };
      check(normal<T>(n, 3, 1), normal<T>(m, 3, 2, 0.2), mmd::gaussian(1.3), gaussian_formula{1.3});
      check(normal<T>(n, 3, 1), normal<T>(m, 3, 2, 0.2), mmd::linear{}, linear_formula{});
      check(binary<T>(n, 2, 3), binary<T>(m, 2, 4), mmd::gaussian(0.7), gaussian_formula{0.7});
      check(binary<T>(n, 2, 3), binary<T>(m, 2, 4), mmd::energy{}, energy_formula{});
    }
  }
}

TEST_CASE("a binned result says its bins, their rows, and the rows held fixed") {
  const auto r = PermutationTest{{.permutations = 99, .method = method::binned, .bins = 20}}(normal<float>(105, 2, 1),
                                                                                             normal<float>(92, 2, 2), mmd::gaussian(1));
  CHECK(r.method == method::binned);
  REQUIRE(r.bins.has_value());
  CHECK(r.bins->rows_per_bin == 10);
  CHECK(r.bins->bins == 19);
  CHECK(r.bins->rows_held == 7);
  CHECK(r.warnings.empty());
  const auto few = PermutationTest{{.permutations = 99, .method = method::binned, .bins = 14}}(normal<double>(70, 2, 1),
                                                                                               normal<double>(70, 2, 2), mmd::gaussian(1));
  REQUIRE(few.warnings.size() == 1);
  CHECK(few.warnings[0].find("fewer than 8 bins in a sample") != std::string::npos);
}

TEST_CASE("automatic bins large samples, and only where there are bins enough") {
  const PermutationTest test{{.permutations = 9}};
  const auto x = normal<float>(10001, 1, 1), y = normal<float>(10000, 1, 2);
  const auto r = test(x, y, mmd::gaussian(1));
  CHECK(r.method == method::binned);
  CHECK(r.bins->bins == 252);
  CHECK(r.bins->rows_per_bin == 79);
}

TEST_CASE("many draws from bins") {
  const auto x = normal<float>(300, 1, 1), y = normal<float>(340, 1, 2);
  const auto r = PermutationTest{{.permutations = 100000, .method = method::binned, .bins = 64}}(x, y, mmd::gaussian(1));
  CHECK(r.null.size() == 100000);
  const auto full = PermutationTest{{.permutations = 1999, .method = method::full}}(x, y, mmd::gaussian(1));
  CHECK(r.p_value == Approx(full.p_value).margin(0.15));  // the same null distribution, coarser by the bins
}
