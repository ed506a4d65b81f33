// SPDX-License-Identifier: MIT
// The level of permutation tests on the device, exactly: over all labellings of small pools, by every product. Tensor cores truncate sums;
// the random order of the rows keeps the level all the same.
#include <string>
#include <vector>

#include "agreement.cuh"
#include "mmd/inference/clustered_permutation_test.hpp"
#include "mmd/inference/permutation_test.hpp"
#include "mmd/inference/subset_reference.hpp"
#include "oracle/permutation.hpp"
#include "support/catch2.hpp"

namespace {
using namespace agreement;
using mmd::estimator;
using mmd::method;
using mmd::PermutationTest;

template <class T>
matrix<T> rows_of(const matrix<T>& a, const std::vector<index_t>& which) {
  matrix<T> out(static_cast<index_t>(which.size()), a.cols());
  for (std::size_t i = 0; i < which.size(); ++i) {
    for (index_t k = 0; k < a.cols(); ++k) out(static_cast<index_t>(i), k) = a(which[i], k);
  }
  return out;
}
// p for every labelling of the pool with n rows in x, by `test(x, y, seed)`.
template <class T, class F>
std::vector<double> over_labellings(const matrix<T>& pool, index_t n, F&& test) {
  std::vector<double> out;
  for (const auto& in_x : oracle::all_splits(at(pool.rows()), at(n))) {
    std::vector<index_t> x, y;
    for (index_t i = 0; i < pool.rows(); ++i) (in_x[at(i)] ? x : y).push_back(i);
    out.push_back(test(rows_of(pool, x), rows_of(pool, y), static_cast<std::uint64_t>(out.size() + 1)));
  }
  return out;
}
// For every t the share with p <= t is at most t; where nothing ties it is t at the attainable t, multiples of `step`.
void check_exact(const std::vector<double>& p, bool ties, double step) {
  const auto share = [&](double t) {
    return static_cast<double>(std::count_if(p.begin(), p.end(), [&](double v) { return v <= t; })) / static_cast<double>(p.size());
  };
  for (const double t : p) CHECK(share(t) <= t + 1e-12);
  if (ties) return;
  for (double t = step; t <= 1 + 1e-9; t += step) CHECK(share(t + 1e-9) == Approx(t));
}

// The products that a pass can use: fused SIMT (double), tensor cores at each precision, cuBLAS.
const std::vector<mmd::CudaOptions> every_product{{.precision = mmd::precision::accurate, .product = mmd::product_by::fused},
                                                  {.precision = mmd::precision::tf32, .product = mmd::product_by::fused},
                                                  {.precision = mmd::precision::bf16, .product = mmd::product_by::fused},
                                                  {.precision = mmd::precision::tf32, .product = mmd::product_by::library}};
}  // namespace

TEMPLATE_TEST_CASE("enumerated tests have their level exactly on the device, over all labellings, by every product", "", float, double) {
  using T = TestType;
  const mmd::gaussian k(2);
  for (const auto& options : every_product) {
    if (std::is_same_v<T, double> && options.precision != mmd::precision::accurate) continue;
    const mmd::cuda on(options);
    for (const auto& [count, n] : {std::pair<index_t, index_t>{5, 2}, {6, 3}, {7, 3}}) {
      if (count > 5 && (options.precision != mmd::precision::tf32 || options.product != mmd::product_by::fused)) continue;
      double splits = 1;
      for (index_t i = 0; i < n; ++i) splits = splits * static_cast<double>(count - i) / static_cast<double>(i + 1);
      for (const bool ties : {false, true}) {
        const auto pool = rows<T>(count, 3, 3, 0, ties ? shape::duplicates : shape::far);
        const auto which = n == 3 ? estimator::biased : estimator::unbiased;
        INFO(count << " rows, " << n << " in x" << (ties ? ", ties" : "") << ", precision " << static_cast<int>(options.precision)
                   << ", product " << static_cast<int>(options.product));
        check_exact(over_labellings(pool, n,
                                    [&](const auto& x, const auto& y, std::uint64_t seed) {
                                      const auto r = PermutationTest{{.seed = seed, .estimator = which}}(on, x, y, k);
                                      CHECK(r.method == method::enumerate);
                                      return r.p_value;
                                    }),
                    ties, (2 * n == count ? 2 : 1) / splits);
      }
    }
  }
}

TEST_CASE("enumerated clustered tests have their level exactly on the device, clusters of unequal size") {
  const mmd::cuda on({.precision = mmd::precision::tf32, .product = mmd::product_by::fused});
  const std::vector<index_t> sizes{2, 3, 2, 4, 2, 5};
  for (const bool ties : {false, true}) {
    const auto pool = rows<float>(18, 3, 5, 0, ties ? shape::duplicates : shape::far);
    std::vector<double> p;
    for (const auto& split : oracle::all_splits(sizes.size(), 2)) {
      std::vector<index_t> x, y, cx, cy;
      index_t row = 0;
      for (std::size_t c = 0; c < sizes.size(); ++c) {
        for (index_t i = 0; i < sizes[c]; ++i, ++row) {
          (split[c] ? x : y).push_back(row);
          (split[c] ? cx : cy).push_back(static_cast<index_t>(c));
        }
      }
      const std::span<const index_t> ids_x(cx), ids_y(cy);
      const auto rows_x = rows_of(pool, x), rows_y = rows_of(pool, y);
      p.push_back(mmd::ClusteredPermutationTest{{.seed = p.size()}}(on, rows_x, rows_y, ids_x, ids_y, mmd::gaussian(2)).p_value);
    }
    check_exact(p, ties, 1.0 / static_cast<double>(p.size()));
  }
}

TEST_CASE("drawn tests on the device keep their level over all labellings of a small pool, ties included") {
  const mmd::cuda on({.precision = mmd::precision::tf32, .product = mmd::product_by::fused});
  for (const auto how : {method::full, method::subset, method::binned}) {
    for (const bool ties : {false, true}) {
      const auto pool = rows<float>(8, 1, 4, 0, ties ? shape::duplicates : shape::far);
      std::size_t tests = 0, rejected = 0;
      for (std::uint64_t round = 0; round < 2; ++round) {
        for (const double p : over_labellings(pool, 4, [&](const auto&x, const auto&y, std::uint64_t seed) {
               return PermutationTest{{.permutations = 19, .seed = 1000 * round + seed, .method = how, .alpha = 0.25}}(on, x, y,
                                                                                                                       mmd::gaussian(1))
                   .p_value;
             })) {
          ++tests;
          rejected += p <= 0.25;
        }
      }
      // Five standard errors of a share of .25 in 140 tests.
      INFO(to_string(how) << (ties ? ", ties" : "") << ": " << rejected << " of " << tests);
      CHECK(static_cast<double>(rejected) <= static_cast<double>(tests) * 0.25 + 5 * std::sqrt(static_cast<double>(tests) * 0.25 * 0.75));
    }
  }
}

TEST_CASE("a column's place in the batch does not change its bits") {
  // The same split drawn early or late, among few or many: what the level rests on beside the order of the rows.
  const auto x = rows<float>(40, 5, 1), y = rows<float>(50, 5, 2, 0.2);
  for (const auto& options : every_product) {
    const mmd::cuda on(options);
    const auto many = PermutationTest{{.permutations = 530, .seed = 2, .method = method::full}}(on, x, y, mmd::gaussian(3));
    const auto few = PermutationTest{{.permutations = 3, .seed = 2, .method = method::full}}(on, x, y, mmd::gaussian(3));
    CHECK(few.statistic == many.statistic);
    CHECK(std::equal(few.null.begin(), few.null.end(), many.null.begin()));
  }
}
