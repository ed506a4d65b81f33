// SPDX-License-Identifier: MIT
// The level of every permutation test: exactly, over all labellings of small pools, and by simulation.
#include <algorithm>
#include <array>
#include <cmath>
#include <functional>
#include <string>
#include <vector>

#include "calibration/level.hpp"
#include "mmd/inference/clustered_permutation_test.hpp"
#include "mmd/inference/gram_tests.hpp"
#include "mmd/inference/subset_reference.hpp"
#include "permutation_support.hpp"
#include "support/catch2.hpp"

namespace {
using namespace support;
using mmd::estimator;
using mmd::method;
using mmd::PermutationTest;

const mmd::cpu serial{.threads = 1};

// p for every labelling of the pool with n rows in x, by `test(x, y, seed)`.
template <class T, class F>
std::vector<double> over_labellings(const mmd::matrix<T>& pool, index_t n, F&& test) {
  std::vector<double> out;
  for (const auto& in_x : oracle::all_splits(at(pool.rows()), at(n))) {
    std::vector<index_t> x, y;
    for (index_t i = 0; i < pool.rows(); ++i) (in_x[at(i)] ? x : y).push_back(i);
    out.push_back(test(rows_of(pool, x), rows_of(pool, y), out.size() + 1));
  }
  return out;
}
// For every t the share with p <= t is at most t; where nothing ties it is t at the attainable t, multiples of `step`.
void check_exact(const std::vector<double>& p, bool ties, double step) {
  const auto all = static_cast<double>(p.size());
  const auto share = [&](double t) {
    return static_cast<double>(std::count_if(p.begin(), p.end(), [&](double v) { return v <= t; })) / all;
  };
  for (const double t : p) CHECK(share(t) <= t + 1e-12);
  if (ties) return;
  for (double t = step; t <= 1 + 1e-9; t += step) CHECK(share(t + 1e-9) == Approx(t));
}

template <class T>
mmd::matrix<T> gram_of(const mmd::matrix<T>& x, const mmd::matrix<T>& y) {
  mmd::gram<T> g;
  serial.reduce(mmd::gaussian(1), mmd::pooled<T>{{mmd::samples<T>(x), mmd::samples<T>(y)}}, g);
  return mmd::matrix<T>(x.rows() + y.rows(), x.rows() + y.rows(), g.values);
}
mmd::IndexSets halves(index_t n, index_t m) {
  mmd::IndexSets out;
  for (index_t i = 0; i < n + m; ++i) (i < n ? out.group : out.reference).push_back(i);
  return out;
}

// One way to get a p-value from two samples, B draws and a seed.
struct way {
  std::string name;
  index_t n, m;
  std::function<double(const mmd::matrix<float>&, const mmd::matrix<float>&, index_t, std::uint64_t)> p;
};
std::vector<way> ways() {
  const mmd::gaussian k(1);
  const auto plain = [=](method how, estimator which, index_t bins = 256) {
    return [=](const mmd::matrix<float>& x, const mmd::matrix<float>& y, index_t draws, std::uint64_t seed) {
      return PermutationTest{{.permutations = draws, .seed = seed, .estimator = which, .method = how, .bins = bins}}(serial, x, y, k)
          .p_value;
    };
  };
  return {
      {"full", 9, 13, plain(method::full, estimator::unbiased)},
      {"full, biased", 14, 7, plain(method::full, estimator::biased)},
      {"subset", 6, 17, plain(method::subset, estimator::unbiased)},
      {"binned, rows left over", 25, 31, plain(method::binned, estimator::unbiased, 20)},
      {"a Gram matrix of one's own", 8, 14,
       [](const auto& x, const auto& y, index_t draws, std::uint64_t seed) {
         return PermutationTest{{.permutations = draws, .seed = seed}}.on_gram(serial, gram_of(x, y), x.rows()).p_value;
       }},
      {"index sets", 6, 17,
       [](const auto& x, const auto& y, index_t draws, std::uint64_t seed) {
         return gram_subset_tests(serial, gram_of(x, y), {halves(x.rows(), y.rows())}, {.permutations = draws, .seed = seed})[0].p_value;
       }},
      {"a kept reference", 5, 19, [=](const auto& x, const auto& y, index_t draws, std::uint64_t seed) {
         return mmd::SubsetReference(serial, y, k).test(serial, x, {.permutations = draws, .seed = seed}).p_value;
       }}};
}

// Clusters of 1 to 4 rows around centres of their own.
struct clustered_sample {
  mmd::matrix<float> rows;
  std::vector<index_t> ids;
  clustered_sample(index_t clusters, index_t first_id, std::uint64_t seed) {
    mmd::random_stream stream(seed, mmd::purpose::user, 7);
    std::vector<float> values;
    for (index_t c = 0; c < clusters; ++c) {
      const double centre = stream.normal();
      for (auto left = stream.below(4) + 1; left > 0; --left) {
        values.push_back(static_cast<float>(centre + 0.2 * stream.normal()));
        ids.push_back(first_id + c);
      }
    }
    const auto count = static_cast<index_t>(values.size());
    rows = mmd::matrix<float>(count, 1, std::move(values));
  }
};
double clustered_p(index_t draws, std::uint64_t seed, bool by_cluster) {
  const clustered_sample x(8, 0, 2 * seed), y(11, 100, 2 * seed + 1);
  const mmd::PermutationOptions options{.permutations = draws, .seed = seed};
  return by_cluster ? mmd::ClusteredPermutationTest{options}(serial, x.rows, y.rows, x.ids, y.ids, mmd::gaussian(1)).p_value
                    : PermutationTest{options}(serial, x.rows, y.rows, mmd::gaussian(1)).p_value;
}

void check_uniform(std::size_t tests) {
  for (const index_t draws : {19, 20}) {
    for (const way& w : ways()) {
      const calibration::simulation s(at(draws), tests, [&](std::uint64_t seed) {
        return w.p(normal<float>(w.n, 2, 2 * seed), normal<float>(w.m, 2, 2 * seed + 1), draws, seed);
      });
      INFO(w.name << ", B = " << draws << ", chi-square " << calibration::chi_square(s.ranks));
      CHECK(calibration::uniform(s.ranks));
      for (const double alpha : {0.05, 0.1, 0.25}) {
        CHECK((calibration::band{42}.holds(s.rejected(alpha), tests, calibration::exact_level(alpha, at(draws)))));
      }
    }
    const calibration::simulation s(at(draws), tests, [&](std::uint64_t seed) { return clustered_p(draws, seed, true); });
    INFO("clusters, B = " << draws << ", chi-square " << calibration::chi_square(s.ranks));
    CHECK(calibration::uniform(s.ranks));
  }
}
void check_discrete(std::size_t tests) {
  for (const way& w : ways()) {
    const calibration::simulation s(20, tests, [&](std::uint64_t seed) {
      return w.p(binary<float>(w.n, 1, 2 * seed, 0.3), binary<float>(w.m, 1, 2 * seed + 1, 0.3), 20, seed);
    });
    INFO(w.name);
    for (const double alpha : {0.05, 0.1, 0.25, 0.5}) {
      CHECK((calibration::band{28}.not_above(s.rejected(alpha), tests, calibration::exact_level(alpha, 20))));
    }
  }
}
}  // namespace

TEMPLATE_TEST_CASE("enumerated tests have their level exactly, over all labellings of small pools", "", float, double) {
  using T = TestType;
  const mmd::gaussian k(1);
  for (const auto& sizes : std::vector<std::pair<index_t, index_t>>{{5, 2}, {7, 3}, {8, 4}, {9, 3}, {9, 6}}) {
    const index_t rows = sizes.first, n = sizes.second;
    const auto splits =
        static_cast<double>(mmd::detail::binomial_coefficient(static_cast<std::uint64_t>(rows), static_cast<std::uint64_t>(n)));
    const double step = (2 * n == rows ? 2 : 1) / splits;
    for (const bool ties : {false, true}) {
      const auto pool = ties ? binary<T>(rows, 2, 3) : normal<T>(rows, 2, 3);
      for (const auto which : {estimator::unbiased, estimator::biased}) {
        INFO(rows << " rows, " << n << " in x, " << (ties ? "ties, " : "") << to_string(which));
        check_exact(over_labellings(pool, n,
                                    [&](const auto& x, const auto& y, std::uint64_t seed) {
                                      const auto r = PermutationTest{{.seed = seed, .estimator = which}}(serial, x, y, k);
                                      CHECK(r.method == method::enumerate);
                                      return r.p_value;
                                    }),
                    ties, step);
        check_exact(over_labellings(pool, n,
                                    [&](const auto& x, const auto& y, std::uint64_t seed) {
                                      return PermutationTest{{.seed = seed, .estimator = which}}.on_gram(serial, gram_of(x, y), n).p_value;
                                    }),
                    ties, step);
        check_exact(
            over_labellings(
                pool, n,
                [&](const auto& x, const auto& y, std::uint64_t seed) {
                  return gram_subset_tests(serial, gram_of(x, y), {halves(n, rows - n)}, {.seed = seed, .estimator = which})[0].p_value;
                }),
            ties, step);
        check_exact(over_labellings(pool, n,
                                    [&](const auto& x, const auto& y, std::uint64_t seed) {
                                      return mmd::SubsetReference(serial, y, k).test(serial, x, {.seed = seed, .estimator = which}).p_value;
                                    }),
                    ties, step);
      }
    }
  }
}

TEST_CASE("enumerated clustered tests have their level exactly, clusters of unequal size") {
  const std::vector<index_t> sizes{2, 3, 2, 4, 2, 2, 5};
  for (const bool ties : {false, true}) {
    const auto pool = ties ? binary<float>(20, 1, 5) : normal<float>(20, 2, 5);
    for (const std::size_t in_x : {2u, 3u}) {
      std::vector<double> p;
      for (const auto& split : oracle::all_splits(sizes.size(), in_x)) {
        std::vector<index_t> x, y, cx, cy;
        index_t row = 0;
        for (std::size_t c = 0; c < sizes.size(); ++c) {
          for (index_t i = 0; i < sizes[c]; ++i, ++row) {
            (split[c] ? x : y).push_back(row);
            (split[c] ? cx : cy).push_back(static_cast<index_t>(c));
          }
        }
        p.push_back(mmd::ClusteredPermutationTest{{.seed = p.size()}}(serial, rows_of(pool, x), rows_of(pool, y), cx, cy, mmd::gaussian(1))
                        .p_value);
      }
      check_exact(p, ties, 1.0 / static_cast<double>(p.size()));
    }
  }
}

TEST_CASE("drawn tests keep their level over all labellings of small pools, ties included") {
  const mmd::gaussian k(1);
  for (const auto how : {method::full, method::subset, method::binned}) {
    for (const bool ties : {false, true}) {
      const auto pool = ties ? binary<float>(9, 1, 4) : normal<float>(9, 1, 4);
      std::size_t tests = 0, rejected = 0;
      for (std::uint64_t round = 0; round < 25; ++round) {
        for (const double p : over_labellings(pool, 4, [&](const auto&x, const auto&y, std::uint64_t seed) {
               return PermutationTest{{.permutations = 19, .seed = 1000 * round + seed, .method = how, .alpha = 0.25}}(serial, x, y, k)
                   .p_value;
             })) {
          ++tests;
          rejected += p <= 0.25;
        }
      }
      INFO(to_string(how) << (ties ? ", ties" : ""));
      CHECK((calibration::band{6}.not_above(rejected, tests, 0.25)));
    }
  }
}

TEST_CASE("p-values are uniform under the null hypothesis") { check_uniform(2000); }
TEST_CASE("p-values are uniform under the null hypothesis, long", "[.long]") { check_uniform(20000); }
TEST_CASE("discrete data do not raise the level") { check_discrete(2000); }
TEST_CASE("discrete data do not raise the level, long", "[.long]") { check_discrete(20000); }

TEST_CASE("rows of clusters treated as independent break the level; whole clusters keep it") {
  const calibration::simulation by_row(19, 1000, [](std::uint64_t seed) { return clustered_p(19, seed, false); });
  const calibration::simulation whole(19, 1000, [](std::uint64_t seed) { return clustered_p(19, seed, true); });
  CHECK(by_row.rejected(0.05) > 150);
  CHECK_FALSE((calibration::band{}.holds(by_row.rejected(0.05), 1000, 0.05)));
  CHECK((calibration::band{}.holds(whole.rejected(0.05), 1000, 0.05)));
}
