// SPDX-License-Identifier: MIT
#include "mmd/inference/permutation_test.hpp"

#include <limits>
#include <string>
#include <vector>

#include "permutation_support.hpp"
#include "support/catch2.hpp"

namespace {
using namespace support;
using mmd::estimator;
using mmd::method;
using mmd::PermutationOptions;
using mmd::PermutationTest;

template <class T>
constexpr double eps() {
  return static_cast<double>(std::numeric_limits<T>::epsilon());
}

// Library against oracle, on the same draws: p must be equal, T close.
template <class T, class K, class F>
void compare(const mmd::matrix<T>& x, const mmd::matrix<T>& y, const K& k, F formula, PermutationOptions options) {
  const auto result = PermutationTest{options}(mmd::cpu{.threads = 1}, x, y, k);
  const auto matrix = pooled_matrix(x, y, formula);
  const auto observed = first_rows(x.rows(), x.rows() + y.rows());
  const bool biased = options.estimator == estimator::biased;
  const double tolerance = oracle::tolerance(matrix, observed, eps<T>());
  const double p = result.method == method::enumerate
                       ? oracle::enumerated_p_value(matrix, observed, biased, tolerance)
                       : oracle::p_value(matrix, observed, draws_of(options, x.rows(), y.rows()), biased, tolerance);
  INFO("n = " << x.rows() << ", m = " << y.rows() << ", " << to_string(options.estimator) << ", " << to_string(result.method));
  CHECK(result.p_value == p);
  CHECK(result.tolerance == Approx(tolerance).epsilon(1e-4));
  CHECK(std::abs(result.statistic - oracle::mmd2(matrix, observed, biased)) <= tolerance / 2);
}

// Work is done in one thread, and rows, columns and passes are counted.
struct spy {
  mmd::cpu on;
  std::uint64_t memory_limit = std::uint64_t{1} << 40;
  mutable int passes = 0;
  template <class T, class K, class... R>
  mmd::layout reduce(const K& k, const mmd::pooled<T>& z, R&... r) const {
    ++passes;
    return on.reduce(k, z, r...);
  }
  template <class F>
  void for_each(index_t count, F&& f) const {
    on.for_each(count, f);
  }
  void report(std::string_view stage, std::uint64_t done, std::uint64_t total) const { on.report(stage, done, total); }
};
}  // namespace

TEMPLATE_TEST_CASE("p-values equal brute force, by every method, estimator and kernel", "", float, double) {
  using T = TestType;
  for (const auto which : {estimator::unbiased, estimator::biased}) {
    for (const auto& [n, m] :
         std::vector<std::pair<index_t, index_t>>{{4, 5}, {5, 4}, {5, 5}, {3, 6}, {2, 2}, {12, 19}, {19, 12}, {20, 3}}) {
      const auto x = normal<T>(n, 3, 1), y = normal<T>(m, 3, 2, 0.4);
      for (const auto how : {method::automatic, method::full, method::subset}) {
        const PermutationOptions options{.permutations = 199, .seed = 5, .estimator = which, .method = how, .test = 3};
        compare(x, y, mmd::gaussian(1.3), gaussian_formula{1.3}, options);
        compare(x, y, mmd::energy{}, energy_formula{}, options);
        compare(x, y, mmd::linear{}, linear_formula{}, options);
        compare(
            x, y, mmd::gaussian(1.3) + mmd::linear{},
            [](const auto& a, const auto& b) { return gaussian_formula{1.3}(a, b) + linear_formula{}(a, b); }, options);
      }
    }
  }
}

TEMPLATE_TEST_CASE("ties in binary data are counted", "", float, double) {
  using T = TestType;
  for (std::uint64_t seed = 1; seed <= 6; ++seed) {
    const auto x = binary<T>(11, 2, seed), y = binary<T>(15, 2, seed + 100);
    for (const auto which : {estimator::unbiased, estimator::biased}) {
      for (const auto how : {method::full, method::subset}) {
        const PermutationOptions options{.permutations = 499, .seed = seed, .estimator = which, .method = how};
        compare(x, y, mmd::gaussian(0.7), gaussian_formula{0.7}, options);
        compare(x, y, mmd::linear{}, linear_formula{}, options);
        compare(x, y, mmd::energy{}, energy_formula{}, options);
      }
    }
    const auto a = binary<T>(4, 1, seed), b = binary<T>(5, 1, seed + 50);
    compare(a, b, mmd::gaussian(0.7), gaussian_formula{0.7}, {.permutations = 200});
    compare(a, b, mmd::energy{}, energy_formula{}, {.permutations = 200, .estimator = estimator::biased});
  }
}

TEST_CASE("without the tolerance, ties in float data would be lost") {
  // The same statistic from rounding alone: some tied draw lies below the observed value.
  int below = 0;
  for (std::uint64_t seed = 1; seed <= 10; ++seed) {
    const auto x = binary<float>(60, 3, seed), y = binary<float>(70, 3, seed + 100);
    const auto r = PermutationTest{{.permutations = 999, .seed = seed, .method = method::full}}(x, y, mmd::gaussian(0.9));
    for (const double v : r.null) below += v < r.statistic && v >= r.statistic - r.tolerance;
  }
  CHECK(below > 0);
}

TEST_CASE("constant data: every split ties, p = 1") {
  mmd::matrix<float> x(20, 3), y(30, 3);
  for (auto* a : {&x, &y}) {
    for (index_t i = 0; i < a->size(); ++i) a->data()[i] = 0.1f;
  }
  for (const auto how : {method::full, method::subset, method::binned, method::automatic}) {
    for (const auto which : {estimator::unbiased, estimator::biased}) {
      const auto r = PermutationTest{{.permutations = 199, .estimator = which, .method = how}}(x, y, mmd::gaussian(1));
      CHECK(r.p_value == 1);
      REQUIRE(r.warnings.size() == 1);
      CHECK(r.warnings[0].find("every split has the same statistic") != std::string::npos);
    }
  }
}

TEST_CASE("subset evaluates the same draws as full") {
  for (const auto& [n, m] : std::vector<std::pair<index_t, index_t>>{{3, 120}, {120, 3}, {40, 90}, {64, 64}}) {
    const auto x = normal<double>(n, 4, 8), y = normal<double>(m, 4, 9, 0.1);
    for (const auto which : {estimator::unbiased, estimator::biased}) {
      const PermutationOptions options{.permutations = 300, .seed = 2, .estimator = which};
      auto one = options, other = options;
      one.method = method::full;
      other.method = method::subset;
      const auto a = PermutationTest{one}(x, y, mmd::gaussian(2)), b = PermutationTest{other}(x, y, mmd::gaussian(2));
      CHECK(a.p_value == b.p_value);
      REQUIRE(a.null.size() == b.null.size());
      for (std::size_t i = 0; i < a.null.size(); ++i) CHECK(std::abs(a.null[i] - b.null[i]) <= a.tolerance);
    }
  }
}

TEST_CASE("a Gram matrix of one's own gives the same test") {
  const auto x = normal<double>(9, 3, 1), y = normal<double>(14, 3, 2, 0.5);
  const auto pooled = pooled_matrix(x, y, gaussian_formula{1});
  const mmd::matrix<double> gram(23, 23, pooled.values);
  for (const auto which : {estimator::unbiased, estimator::biased}) {
    for (const auto how : {method::full, method::subset, method::automatic}) {
      const PermutationTest test{{.permutations = 199, .seed = 4, .estimator = which, .method = how}};
      const auto direct = test(x, y, mmd::gaussian(1)), given = test.on_gram(mmd::cpu{}, gram, 9);
      CHECK(given.p_value == direct.p_value);
      CHECK(given.statistic == Approx(direct.statistic).margin(1e-14));
      CHECK(given.n == 9);
      CHECK(given.m == 14);
    }
  }
  SECTION("labels in any order") {
    std::vector<index_t> place = mmd::random_stream(1, mmd::purpose::user).permutation(23);
    mmd::matrix<double> mixed(23, 23);
    std::vector<int> labels(23);
    for (index_t i = 0; i < 23; ++i) {
      labels[at(i)] = place[at(i)] >= 9;
      for (index_t j = 0; j < 23; ++j) mixed(i, j) = gram(place[at(i)], place[at(j)]);
    }
    const auto r = PermutationTest{{.permutations = 4999}}.on_gram(mmd::cpu{}, mixed, labels);
    const auto direct = PermutationTest{{.permutations = 4999}}.on_gram(mmd::cpu{}, gram, 9);
    CHECK(r.statistic == Approx(direct.statistic).margin(1e-14));
    CHECK(r.p_value == Approx(direct.p_value).margin(0.03));  // other draws of the same test
  }
  SECTION("small ones are enumerated") {
    const auto a = normal<double>(3, 2, 3), b = normal<double>(4, 2, 4);
    const auto small = pooled_matrix(a, b, energy_formula{});
    const auto r = PermutationTest{}.on_gram(mmd::cpu{}, mmd::matrix<double>(7, 7, small.values), 3);
    const auto observed = first_rows(3, 7);
    CHECK(r.method == method::enumerate);
    CHECK(r.permutations == 34);
    CHECK(r.p_value == oracle::enumerated_p_value(small, observed, false, oracle::tolerance(small, observed, eps<double>())));
  }
}

TEST_CASE("the result says what ran") {
  const auto x = normal<float>(30, 3, 1), y = normal<float>(40, 3, 2);
  const auto r = PermutationTest{{.permutations = 99, .seed = 7, .estimator = estimator::biased}}(x, y, mmd::gaussian(1));
  CHECK(r.method == method::full);
  CHECK(r.permutations == 99);
  CHECK(r.null.size() == 99);
  CHECK(r.seed == 7);
  CHECK(r.estimator == estimator::biased);
  CHECK(r.n == 30);
  CHECK(r.m == 40);
  CHECK_FALSE(r.bins.has_value());
  CHECK(r.warnings.empty());
  CHECK(PermutationTest{}(normal<float>(4, 3, 1), y, mmd::gaussian(1)).method == method::subset);
  const auto small = PermutationTest{}(normal<float>(5, 3, 1), normal<float>(5, 3, 2), mmd::gaussian(1));
  CHECK(small.method == method::enumerate);
  CHECK(small.permutations == 251);
  CHECK(small.mirrored);
  CHECK(small.smallest_p() == 2.0 / 252);
  CHECK(PermutationTest{{.permutations = 250}}(normal<float>(5, 3, 1), normal<float>(5, 3, 2), mmd::gaussian(1)).method == method::full);
  CHECK(PermutationTest{{.permutations = 251}}(normal<float>(5, 3, 1), normal<float>(5, 3, 2), mmd::gaussian(1)).method ==
        method::enumerate);
}

TEST_CASE("a level that cannot be reached is reported, and p is valid all the same") {
  const auto few = PermutationTest{}(normal<float>(2, 3, 1), normal<float>(2, 3, 2), mmd::gaussian(1));
  CHECK(few.method == method::enumerate);
  CHECK(few.smallest_p() == 2.0 / 6);
  CHECK_FALSE(few.attainable(0.05));
  CHECK(few.p_value >= few.smallest_p());
  CHECK_FALSE(PermutationTest{{.permutations = 10}}(normal<float>(20, 3, 1), normal<float>(20, 3, 2), mmd::gaussian(1)).attainable(0.05));
  const auto one = PermutationTest{{.estimator = estimator::biased}}(normal<float>(1, 3, 1, 50), normal<float>(30, 3, 2), mmd::gaussian(1));
  CHECK(one.method == method::enumerate);
  CHECK(one.p_value == 1.0 / 31);  // one row far from all others
}

TEST_CASE("the same bits on 1, 2 and 7 threads") {
  const auto x = normal<float>(150, 3, 1), y = normal<float>(210, 3, 2);
  for (const auto how : {method::full, method::subset, method::binned}) {
    const PermutationTest test{{.permutations = 333, .seed = 3, .method = how}};
    const auto one = test(mmd::cpu{.threads = 1}, x, y, mmd::gaussian(1));
    for (const int threads : {2, 7}) {
      const auto more = test(mmd::cpu{.threads = threads}, x, y, mmd::gaussian(1));
      CHECK(more.statistic == one.statistic);
      CHECK(more.null == one.null);
      CHECK(more.p_value == one.p_value);
      CHECK(more.tolerance == one.tolerance);
    }
  }
}

TEST_CASE("a draw's statistic does not depend on how many draws there are, nor on the passes they come in") {
  const auto x = normal<float>(70, 3, 1), y = normal<float>(90, 3, 2);
  for (const auto how : {method::full, method::subset, method::binned}) {
    const auto all = PermutationTest{{.permutations = 500, .seed = 3, .method = how}}(x, y, mmd::gaussian(1));
    for (const index_t fewer : {1, 7, 8, 33, 100}) {
      const auto some = PermutationTest{{.permutations = fewer, .seed = 3, .method = how}}(x, y, mmd::gaussian(1));
      CHECK(some.statistic == all.statistic);
      CHECK(std::equal(some.null.begin(), some.null.end(), all.null.begin()));
    }
  }
  const PermutationTest test{{.permutations = 999, .seed = 3, .method = method::full}};
  const spy whole{.on = {}};
  const auto once = test(whole, x, y, mmd::gaussian(1));
  CHECK(whole.passes == 1);
  const spy tight{.on = {}, .memory_limit = 2 * 6 * 64 * (4 * 8 + 512)};  // six blocks of 64 columns a pass: three passes
  const auto thrice = test(tight, x, y, mmd::gaussian(1));
  CHECK(tight.passes == 3);
  CHECK(thrice.null == once.null);
  const spy none{.on = {}, .memory_limit = 1000};
  CHECK_THROWS_AS(test(none, x, y, mmd::gaussian(1)), mmd::memory_limit_exceeded);
  CHECK(message([&] { test(none, x, y, mmd::gaussian(1)); }).find("limit is 1000 bytes") != std::string::npos);
}

TEST_CASE("the same rows under other strides give the same bits") {
  const auto x = normal<double>(20, 4, 1), y = normal<double>(25, 4, 2);
  mmd::matrix<double> columns(4, 20);
  for (index_t i = 0; i < 20; ++i) {
    for (index_t k = 0; k < 4; ++k) columns(k, i) = x(i, k);
  }
  const mmd::samples<double> turned(columns.data(), 20, 4, 1, 20);
  CHECK(PermutationTest{}(x, y, mmd::gaussian(1)).null == PermutationTest{}(turned, y, mmd::gaussian(1)).null);
}

TEST_CASE("mapped and given features give the test of the features themselves") {
  const auto x = normal<double>(20, 4, 1), y = normal<double>(25, 4, 2, 0.3);
  const auto doubled = [](const mmd::samples<double>& z) {
    mmd::matrix<double> out(z.rows(), 1);
    for (index_t i = 0; i < z.rows(); ++i) out(i, 0) = 2 * z(i, 0);
    return out;
  };
  const auto fx = doubled(x), fy = doubled(y);
  mmd::matrix<double> both(45, 1);
  for (index_t i = 0; i < 45; ++i) both(i, 0) = i < 20 ? fx(i, 0) : fy(i - 20, 0);
  for (const auto how : {method::full, method::subset, method::binned}) {
    const PermutationTest test{{.permutations = 199, .method = how}};
    const auto features = test(fx, fy, mmd::gaussian(1));
    CHECK(test(x, y, on(doubled, mmd::gaussian(1))).null == features.null);
    CHECK(test(x, y, on(mmd::given(both), mmd::gaussian(1))).null == features.null);
  }
}

TEST_CASE("progress is reported on the calling thread and can cancel") {
  const auto x = normal<float>(30, 3, 1), y = normal<float>(40, 3, 2);
  std::uint64_t last = 0, total = 0;
  const mmd::cpu watched{.progress = [&](const mmd::progress_report& r) {
    if (r.stage == "permutations") {
      CHECK(r.done >= last);
      last = r.done;
      total = r.total;
    }
    return true;
  }};
  for (const auto how : {method::full, method::subset, method::binned}) {
    last = total = 0;
    PermutationTest{{.permutations = 99, .method = how}}(watched, x, y, mmd::gaussian(1));
    CHECK(last == 100);
    CHECK(total == 100);
    const mmd::cpu stopped{.progress = [](const mmd::progress_report& r) { return r.stage != "permutations"; }};
    CHECK_THROWS_AS((PermutationTest{{.permutations = 99, .method = how}}(stopped, x, y, mmd::gaussian(1))), mmd::cancelled);
  }
}

TEST_CASE("a difference is found") {
  for (const auto how : {method::full, method::subset, method::binned}) {
    int found = 0;
    for (std::uint64_t seed = 1; seed <= 20; ++seed) {
      const auto x = normal<float>(100, 2, seed), y = normal<float>(80, 2, seed + 1000, 0.6);
      found += PermutationTest{{.permutations = 199, .seed = seed, .method = how}}(x, y, mmd::gaussian(1)).reject(0.05);
    }
    CHECK(found >= 18);
  }
}
