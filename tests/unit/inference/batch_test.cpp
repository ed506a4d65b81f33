// SPDX-License-Identifier: MIT
// Many small tests in one call: index sets of a stored Gram matrix, and samples against a kept reference.
#include <limits>
#include <string>
#include <vector>

#include "mmd/inference/gram_tests.hpp"
#include "mmd/inference/subset_reference.hpp"
#include "permutation_support.hpp"
#include "support/catch2.hpp"

namespace {
using namespace support;
using mmd::estimator;
using mmd::method;
using mmd::PermutationTest;

template <class T>
mmd::matrix<T> gram_of(const mmd::matrix<T>& z, const mmd::gaussian& k) {
  mmd::gram<T> g;
  mmd::cpu{}.reduce(k, mmd::pooled<T>{{mmd::samples<T>(z)}}, g);
  return mmd::matrix<T>(z.rows(), z.rows(), g.values);
}
std::vector<mmd::IndexSets> some_tests(index_t rows, const std::vector<std::pair<index_t, index_t>>& sizes) {
  std::vector<mmd::IndexSets> out;
  for (const auto& [g, r] : sizes) {
    const auto order = mmd::random_stream(out.size(), mmd::purpose::group_draws).permutation(rows);
    out.push_back({{order.begin(), order.begin() + g}, {order.begin() + g, order.begin() + g + r}});
  }
  return out;
}
const std::vector<std::pair<index_t, index_t>> sizes{{5, 60}, {60, 5}, {20, 40}, {30, 30}, {3, 4}, {2, 10}, {10, 50}};
}  // namespace

TEMPLATE_TEST_CASE("tests on index sets equal the test on those rows", "", float, double) {
  using T = TestType;
  for (const bool discrete : {false, true}) {
    const auto z = discrete ? binary<T>(80, 3, 1) : normal<T>(80, 3, 1);
    const mmd::gaussian k(1.1);
    const auto tests = some_tests(80, sizes);
    for (const auto which : {estimator::unbiased, estimator::biased}) {
      const auto results =
          gram_subset_tests(mmd::cpu{}, gram_of(z, k), tests, {.permutations = 199, .seed = 9, .first_test = 4, .estimator = which});
      REQUIRE(results.size() == tests.size());
      for (std::size_t t = 0; t < tests.size(); ++t) {
        const auto x = rows_of(z, tests[t].group), y = rows_of(z, tests[t].reference);
        const auto direct = PermutationTest{{.permutations = 199, .seed = 9, .estimator = which, .test = 4 + t}}(x, y, k);
        INFO(t << " " << to_string(direct.method));
        CHECK(results[t].p_value == direct.p_value);
        CHECK(std::abs(results[t].statistic - direct.statistic) <= direct.tolerance);
      }
    }
  }
}

TEST_CASE("tests on index sets: the same bits for any number of threads, and for any way to split the batch") {
  const auto z = normal<float>(80, 3, 1);
  const auto gram = gram_of(z, mmd::gaussian(1));
  const auto few = some_tests(80, sizes);
  std::vector<mmd::IndexSets> tests;
  for (int i = 0; i < 5; ++i) tests.insert(tests.end(), few.begin(), few.end());
  const auto one = gram_subset_tests(mmd::cpu{.threads = 1}, gram, tests, {.permutations = 99});
  for (const int threads : {2, 7}) {
    const auto more = gram_subset_tests(mmd::cpu{.threads = threads}, gram, tests, {.permutations = 99});
    for (std::size_t t = 0; t < tests.size(); ++t) {
      CHECK(more[t].p_value == one[t].p_value);
      CHECK(more[t].statistic == one[t].statistic);
    }
  }
  const auto last = gram_subset_tests(mmd::cpu{}, gram, {tests.back()}, {.permutations = 99, .first_test = tests.size() - 1});
  CHECK(last[0].p_value == one.back().p_value);
  CHECK(gram_subset_tests(mmd::cpu{}, gram, {}).empty());
}

TEST_CASE("tests on index sets that cannot be run are named") {
  const auto gram = gram_of(normal<double>(10, 3, 1), mmd::gaussian(1));
  const auto run = [&](mmd::IndexSets bad, mmd::GramTestOptions options = {}) {
    return message([&] { gram_subset_tests(mmd::cpu{}, gram, {{{0, 1}, {2, 3}}, std::move(bad)}, options); });
  };
  CHECK(run({{}, {1, 2}}) == "mmd: tests[1].group.size() = 0, expected at least 2");
  CHECK(run({{1}, {2, 3}}) == "mmd: tests[1].group.size() = 1, expected at least 2");
  CHECK(run({{1, 2}, {3}}) == "mmd: tests[1].reference.size() = 1, expected at least 2");
  CHECK(run({{1, 2}, {3, 10}}) == "mmd: tests[1]: index = 10, expected a row of gram");
  CHECK(run({{1, -1}, {3, 4}}) == "mmd: tests[1]: index = -1, expected a row of gram");
  CHECK(run({{1, 2}, {3, 2}}) == "mmd: tests[1]: index = 2, expected no index twice");
  CHECK(run({{1, 2}, {3, 4}}, {.permutations = 0}) == "mmd: permutations = 0, expected 1 or more");
  CHECK(run({{1, 2}, {3, 4}}, {.permutations = 200'000'000}) == "mmd: permutations = 200000000, expected 100000000 or fewer");
  auto bad = gram;
  bad(4, 1) = std::numeric_limits<double>::quiet_NaN();
  CHECK(message([&] { gram_subset_tests(mmd::cpu{}, bad, {{{0, 1}, {2, 3}}}); }) == "mmd: gram(4, 1) = nan, expected a finite number");
  CHECK(run({{1}, {2, 3}}, {.estimator = estimator::biased}) == "nothing was thrown");
}

TEMPLATE_TEST_CASE("samples against a kept reference get the p-values of the full test", "", float, double) {
  using T = TestType;
  for (const bool discrete : {false, true}) {
    const auto make = [&](index_t rows, std::uint64_t seed) {
      return discrete ? binary<T>(rows, 3, seed) : normal<T>(rows, 3, seed, 0.02 * double(seed));
    };
    const auto reference = make(50, 1);
    const mmd::SubsetReference kept(mmd::cpu{}, reference, mmd::gaussian(1.1));
    std::vector<mmd::matrix<T>> data;
    for (const index_t rows : {2, 5, 9, 20, 50, 70, 200, 100, 3}) data.push_back(make(rows, static_cast<std::uint64_t>(rows)));
    const std::vector<mmd::samples<T>> batch(data.begin(), data.end());
    for (const auto which : {estimator::unbiased, estimator::biased}) {
      const auto results = kept.test(mmd::cpu{}, batch, {.permutations = 199, .seed = 3, .first_test = 10, .estimator = which});
      REQUIRE(results.size() == data.size());
      for (std::size_t s = 0; s < data.size(); ++s) {
        const auto direct = PermutationTest{{.permutations = 199, .seed = 3, .estimator = which, .method = method::full, .test = 10 + s}}(
            data[s], reference, mmd::gaussian(1.1));
        INFO("sample " << s << " of " << data[s].rows() << " rows, " << to_string(which));
        CHECK(results[s].p_value == direct.p_value);
        CHECK(std::abs(results[s].statistic - direct.statistic) <= direct.tolerance);
        CHECK(results[s].tolerance == Approx(direct.tolerance).epsilon(1e-4));
        CHECK(results[s].method == method::subset);
        CHECK(results[s].n == data[s].rows());
        CHECK(results[s].m == 50);
      }
    }
  }
}

TEST_CASE("one sample against a reference: tested as in a batch, in parallel over its draws, which can be stopped") {
  const auto reference = normal<float>(60, 2, 1), x = normal<float>(7, 2, 2), y = normal<float>(9, 2, 3);
  const mmd::SubsetReference kept(mmd::cpu{}, reference, mmd::gaussian(1));
  const mmd::BatchOptions options{.permutations = 20000, .seed = 4};
  const auto together = kept.test(mmd::cpu{}, {mmd::samples<float>(x), mmd::samples<float>(y)}, options).front();
  const auto alone = kept.test(mmd::cpu{.threads = 1}, x, options), three = kept.test(mmd::cpu{.threads = 3}, x, options);
  CHECK(alone.p_value == together.p_value);
  CHECK(alone.statistic == three.statistic);
  CHECK((alone.null == three.null));
  std::uint64_t done = 0, total = 0;
  const mmd::cpu stopped{.progress = [&](const mmd::progress_report& r) {
    if (r.stage != "permutations") return true;
    done = r.done;
    total = r.total;
    return done == 0;
  }};
  CHECK_THROWS_AS(kept.test(stopped, x, options), mmd::cancelled);
  CHECK((0 < done && done < total));
}

TEST_CASE("kernels with an inner product keep their diagonal against a reference") {
  const auto reference = normal<double>(40, 3, 1), x = normal<double>(6, 3, 2, 0.5);
  const auto k = mmd::gaussian(1) + mmd::linear{};
  const mmd::SubsetReference kept(mmd::cpu{}, reference, k);
  const auto r = kept.test(mmd::cpu{}, x, {.permutations = 199, .estimator = estimator::biased});
  const auto direct = PermutationTest{{.permutations = 199, .estimator = estimator::biased, .method = method::full}}(x, reference, k);
  CHECK(r.p_value == direct.p_value);
  CHECK(r.tolerance == Approx(direct.tolerance).epsilon(1e-9));
}

TEST_CASE("a small sample against a small reference is enumerated") {
  const auto reference = normal<float>(6, 2, 1), x = normal<float>(3, 2, 2);
  const mmd::SubsetReference kept(mmd::cpu{}, reference, mmd::gaussian(1));
  const auto r = kept.test(mmd::cpu{}, x), direct = PermutationTest{}(x, reference, mmd::gaussian(1));
  CHECK(r.method == method::enumerate);
  CHECK(r.permutations == 83);
  CHECK(r.p_value == direct.p_value);
}

TEST_CASE("a batch shares its draws only where asked, with draws enough, and says so") {
  const auto reference = normal<float>(40, 2, 1);
  const mmd::SubsetReference kept(mmd::cpu{}, reference, mmd::gaussian(1));
  const auto a = normal<float>(5, 2, 2), b = normal<float>(5, 2, 3), c = normal<float>(4, 2, 4);
  const std::vector<mmd::samples<float>> twins{a, a, c}, others{a, b, c};
  const auto separate = kept.test(mmd::cpu{}, twins, {.permutations = 99});
  CHECK(separate[0].null != separate[1].null);
  CHECK_FALSE(separate[0].shared_draws);
  CHECK(mmd::dependence_of(separate) == mmd::dependence::arbitrary);
  const auto shared = kept.test(mmd::cpu{}, twins, {.permutations = 9999, .shared_draws = true});
  CHECK(shared[0].shared_draws);
  CHECK(shared[0].p_value == shared[1].p_value);
  CHECK(shared[0].p_value == kept.test(mmd::cpu{}, a, {.permutations = 9999}).p_value);
  CHECK(shared[2].p_value == kept.test(mmd::cpu{}, c, {.permutations = 9999}).p_value);
  CHECK(mmd::dependence_of(shared) == mmd::dependence::shared_draws);
  CHECK(message([&] { kept.test(mmd::cpu{}, twins, {.permutations = 9998, .shared_draws = true}); }) ==
        "mmd: permutations = 9998, expected 9999 or more where a batch shares its draws");
  const auto p = mmd::p_values(kept.test(mmd::cpu{}, others, {.permutations = 9999, .shared_draws = true}));
  CHECK(mmd::holm(p).size() == 3);
  CHECK(mmd::benjamini_yekutieli(p).size() == 3);
  CHECK(message([&] { mmd::benjamini_hochberg(p, mmd::dependence_of(shared)); }).find("dependence::shared_draws") != std::string::npos);
  CHECK(message([&] { mmd::benjamini_hochberg(p, mmd::dependence_of(separate)); }).find("dependence::arbitrary") != std::string::npos);
}

TEMPLATE_TEST_CASE("samples that share draws get the p-values of the full test on these draws", "", float, double) {
  using T = TestType;
  const auto k = mmd::gaussian(1.1) + mmd::linear{};  // k(z, z) differs from row to row
  for (const bool discrete : {false, true}) {
    const auto make = [&](index_t rows, std::uint64_t seed) {
      return discrete ? binary<T>(rows, 3, seed) : normal<T>(rows, 3, seed, 0.02 * double(seed));
    };
    const auto reference = make(20, 1);
    const mmd::SubsetReference kept(mmd::cpu{}, reference, k);
    std::vector<mmd::matrix<T>> data;
    for (std::uint64_t s = 0; s < 19; ++s) data.push_back(make(4, 10 + s));  // more than a pack of them
    for (const index_t rows : {2, 30, 20, 4, 9, 70, 30, 2}) data.push_back(make(rows, 50 + data.size()));
    const std::vector<mmd::samples<T>> batch(data.begin(), data.end());
    for (const auto which : {estimator::unbiased, estimator::biased}) {
      const mmd::BatchOptions options{.permutations = 9999, .seed = 3, .first_test = 7, .estimator = which, .shared_draws = true};
      const auto results = kept.test(mmd::cpu{}, batch, options);
      auto separate = options;
      separate.shared_draws = false;
      for (std::size_t s = 0; s < data.size(); ++s) {
        INFO("sample " << s << " of " << data[s].rows() << " rows, " << to_string(which) << ", discrete " << discrete);
        const auto direct = kept.test(mmd::cpu{}, data[s], separate);
        CHECK(results[s].p_value == direct.p_value);
        CHECK(results[s].permutations == direct.permutations);
        CHECK(results[s].tolerance == Approx(direct.tolerance).epsilon(1e-4));
        double worst = 0;
        for (std::size_t b = 0; b < direct.null.size(); ++b) worst = std::max(worst, std::abs(results[s].null[b] - direct.null[b]));
        CHECK(worst <= direct.tolerance);
        if (s % 9 != 0) continue;
        const auto full =
            PermutationTest{
                {.permutations = 9999, .seed = 3, .estimator = which, .method = s == 18 ? method::full : method::automatic, .test = 7}}(
                data[s], reference, k);
        CHECK(results[s].p_value == full.p_value);
      }
      const auto one = kept.test(mmd::cpu{.threads = 1}, batch, options), seven = kept.test(mmd::cpu{.threads = 7}, batch, options);
      for (std::size_t s = 0; s < data.size(); ++s) {
        CHECK((one[s].null == results[s].null));
        CHECK((seven[s].null == results[s].null));
      }
    }
  }
}

TEST_CASE("a batch of more rows than are taken together gets the p-values of its samples alone") {
  const auto reference = normal<float>(12, 1, 1);
  const mmd::SubsetReference kept(mmd::cpu{}, reference, mmd::gaussian(1));
  std::vector<mmd::matrix<float>> data;
  for (std::uint64_t s = 0; s < 330; ++s) data.push_back(normal<float>(3 + static_cast<index_t>(s % 9), 1, s));
  data[40] = normal<float>(150, 1, 40);  // more than one panel
  const std::vector<mmd::samples<float>> batch(data.begin(), data.end());
  const auto together = kept.test(mmd::cpu{}, batch, {.permutations = 99});
  const auto shared = kept.test(mmd::cpu{}, batch, {.permutations = 9999, .shared_draws = true});
  for (std::size_t s = 0; s < data.size(); s += s % 10 == 0 ? 1 : 9) {
    CHECK(together[s].p_value == kept.test(mmd::cpu{}, data[s], {.permutations = 99, .first_test = s}).p_value);
    CHECK(shared[s].p_value == kept.test(mmd::cpu{}, data[s], {.permutations = 9999}).p_value);
  }
}

TEST_CASE("a batch keeps its draws only where asked") {
  const auto reference = normal<float>(40, 2, 1), a = normal<float>(5, 2, 2), b = normal<float>(5, 2, 3);
  const mmd::SubsetReference kept(mmd::cpu{}, reference, mmd::gaussian(1));
  for (const bool shared : {false, true}) {
    mmd::BatchOptions options{.permutations = 9999, .shared_draws = shared};
    const std::vector<mmd::samples<float>> both{a, b};
    const auto with = kept.test(mmd::cpu{}, both, options);
    options.keep_null = false;
    const auto without = kept.test(mmd::cpu{}, both, options);
    for (std::size_t s = 0; s < 2; ++s) {
      CHECK(with[s].null.size() == 9999);
      CHECK(without[s].null.empty());
      CHECK(without[s].permutations == 9999);
      CHECK(without[s].p_value == with[s].p_value);
      CHECK(without[s].statistic == with[s].statistic);
      CHECK(message([&] { without[s].threshold(0.05); }) ==
            "mmd: null.size() = 0, expected the draws: a batch keeps them with keep_null = true");
    }
  }
}

TEST_CASE("a batch against a reference: the same bits for any number of threads, progress, and a memory limit") {
  const auto reference = normal<float>(300, 2, 1);
  const mmd::SubsetReference kept(mmd::cpu{}, reference, mmd::gaussian(1));
  std::vector<mmd::matrix<float>> data;
  for (std::uint64_t s = 0; s < 60; ++s) data.push_back(normal<float>(5 + static_cast<index_t>(s % 20), 2, 100 + s));
  const std::vector<mmd::samples<float>> batch(data.begin(), data.end());
  const auto one = kept.test(mmd::cpu{.threads = 1}, batch, {.permutations = 49});
  std::uint64_t done = 0;
  const mmd::cpu seven{.threads = 7, .progress = [&](const mmd::progress_report& r) {
                         if (r.stage == "permutations") done = r.done;
                         return true;
                       }};
  const auto more = kept.test(seven, batch, {.permutations = 49});
  CHECK(done == 60);
  for (std::size_t s = 0; s < data.size(); ++s) CHECK(more[s].null == one[s].null);
  CHECK_THROWS_AS(mmd::SubsetReference(mmd::cpu{.memory_limit = 1000}, reference, mmd::gaussian(1)), mmd::memory_limit_exceeded);
  const mmd::cpu stopped{.progress = [](const mmd::progress_report& r) { return r.stage != "permutations"; }};
  CHECK_THROWS_AS(kept.test(stopped, batch), mmd::cancelled);
}

TEST_CASE("samples that cannot be tested against a reference are named") {
  const auto reference = normal<float>(30, 2, 1);
  const mmd::SubsetReference kept(mmd::cpu{}, reference, mmd::gaussian(1));
  const auto good = normal<float>(5, 2, 2), one = normal<float>(1, 2, 2), wide = normal<float>(5, 3, 2);
  auto bad = good;
  bad(3, 1) = std::numeric_limits<float>::infinity();
  const auto run = [&](const mmd::matrix<float>& x, mmd::BatchOptions o = {}) {
    return message([&] { kept.test(mmd::cpu{}, std::vector<mmd::samples<float>>{good, x}, o); });
  };
  CHECK(run(one) == "mmd: samples[1].rows() = 1, expected at least 2");
  CHECK(run(one, {.estimator = estimator::biased}) == "nothing was thrown");
  CHECK(run(wide) == "mmd: samples[1].cols() = 3, expected as many columns as the reference, 2");
  CHECK(run(bad) == "mmd: samples[1](3, 1) = inf, expected a finite number");
  CHECK(run(good, {.permutations = 0}) == "mmd: permutations = 0, expected 1 or more");
  CHECK(run(good, {.permutations = 200'000'000}) == "mmd: permutations = 200000000, expected 100000000 or fewer");
  CHECK(message([&] { kept.test(mmd::cpu{}, one); }) == "mmd: x.rows() = 1, expected at least 2");
  CHECK(message([] { mmd::SubsetReference(mmd::cpu{}, mmd::matrix<float>(0, 2), mmd::gaussian(1)); }) ==
        "mmd: reference.rows() = 0, expected at least 1");
}
