// SPDX-License-Identifier: MIT
#include "mmd/inference/clustered_permutation_test.hpp"

#include <limits>
#include <string>
#include <vector>

#include "permutation_support.hpp"
#include "support/catch2.hpp"

namespace {
using namespace support;
using mmd::ClusteredPermutationTest;
using mmd::estimator;
using mmd::method;
using mmd::PermutationOptions;

// The ids of clusters with these sizes, numbered from `first`, their rows spread over the sample.
std::vector<index_t> ids_of(const std::vector<index_t>& sizes, index_t first, std::uint64_t seed) {
  std::vector<index_t> out;
  for (std::size_t c = 0; c < sizes.size(); ++c) out.insert(out.end(), at(sizes[c]), first + static_cast<index_t>(c));
  mmd::random_stream(seed, mmd::purpose::user).shuffle(std::span(out));
  return out;
}
// Clusters in the order of their first rows, and the splits of rows that the splits of clusters make.
struct row_splits {
  std::vector<index_t> cluster;  // of each pooled row
  index_t in_x, count;
  row_splits(const std::vector<index_t>& x, const std::vector<index_t>& y) {
    std::vector<index_t> known;
    for (const auto* ids : {&x, &y}) {
      for (const index_t id : *ids) {
        const auto found = std::find(known.begin(), known.end(), id);
        cluster.push_back(found - known.begin());
        if (found == known.end()) known.push_back(id);
      }
      if (ids == &x) in_x = static_cast<index_t>(known.size());
    }
    count = static_cast<index_t>(known.size());
  }
  oracle::split rows(const oracle::split& clusters_in_x) const {
    oracle::split out;
    for (const index_t c : cluster) out.push_back(clusters_in_x[at(c)]);
    return out;
  }
};
}  // namespace

TEMPLATE_TEST_CASE("clustered p-values equal brute force over the splits of clusters", "", float, double) {
  using T = TestType;
  const std::vector<std::pair<std::vector<index_t>, std::vector<index_t>>> cases{
      {{3, 3, 3}, {3, 3, 3, 3}},
      {{1, 5, 2, 4}, {2, 2, 7}},
      {{4}, {3, 3, 2, 6, 2}},
      {{2, 2, 3, 5, 1, 4, 2}, {3, 1, 2, 6, 2, 2, 3, 1, 4, 2, 2}}};
  for (const auto& sizes : cases) {
    const auto &sx = sizes.first, &sy = sizes.second;
    const auto cx = ids_of(sx, 10, 1), cy = ids_of(sy, 100, 2);
    const row_splits splits(cx, cy);
    const auto n = static_cast<index_t>(cx.size()), m = static_cast<index_t>(cy.size());
    for (const bool discrete : {false, true}) {
      const auto x = discrete ? binary<T>(n, 2, 1) : normal<T>(n, 2, 1), y = discrete ? binary<T>(m, 2, 2) : normal<T>(m, 2, 2, 0.3);
      for (const auto which : {estimator::unbiased, estimator::biased}) {
        const auto check = [&](const auto& k, auto formula, method how) {
          const PermutationOptions options{.permutations = 299, .seed = 8, .estimator = which, .method = how, .test = 1};
          const auto r = ClusteredPermutationTest{options}(x, y, cx, cy, k);
          const auto matrix = pooled_matrix(x, y, formula);
          const auto observed = first_rows(n, n + m);
          const double tolerance = oracle::tolerance(matrix, observed, static_cast<double>(std::numeric_limits<T>::epsilon()));
          const bool biased = which == estimator::biased;
          INFO(to_string(r.method) << ", " << sx.size() << " and " << sy.size() << " clusters");
          double p = 0;
          if (r.method == method::enumerate) {
            std::size_t reached = 0;
            const auto all = oracle::all_splits(at(splits.count), at(splits.in_x));
            for (const auto& s : all)
              reached += oracle::mmd2(matrix, splits.rows(s), biased) >= oracle::mmd2(matrix, observed, biased) - tolerance;
            p = static_cast<double>(reached) / static_cast<double>(all.size());
          } else {
            std::vector<oracle::split> draws;
            for (const auto& s : draws_of(options, splits.in_x, splits.count - splits.in_x)) draws.push_back(splits.rows(s));
            p = oracle::p_value(matrix, observed, draws, biased, tolerance);
          }
          CHECK(r.p_value == p);
          CHECK(std::abs(r.statistic - oracle::mmd2(matrix, observed, biased)) <= tolerance / 2);
        };
        for (const auto how : {method::automatic, method::full}) {
          check(mmd::gaussian(1.2), gaussian_formula{1.2}, how);
          check(mmd::linear{}, linear_formula{}, how);
        }
      }
    }
  }
}

TEST_CASE("many clusters are evaluated by rows, few by the sums between them: the same draws") {
  std::vector<index_t> sx(300, 1), sy(260, 1);
  sx[5] = sy[7] = 3;
  const auto cx = ids_of(sx, 0, 1), cy = ids_of(sy, 1000, 2);
  const row_splits splits(cx, cy);
  const auto x = normal<double>(302, 2, 1), y = normal<double>(262, 2, 2);
  const PermutationOptions options{.permutations = 39, .seed = 3};
  const auto r = ClusteredPermutationTest{options}(x, y, cx, cy, mmd::gaussian(1));
  const auto matrix = pooled_matrix(x, y, gaussian_formula{1});
  const auto observed = first_rows(302, 564);
  std::vector<oracle::split> draws;
  for (const auto& s : draws_of(options, splits.in_x, splits.count - splits.in_x)) draws.push_back(splits.rows(s));
  CHECK(r.p_value == oracle::p_value(matrix, observed, draws, false, r.tolerance));
  for (std::size_t b = 0; b < draws.size(); ++b) CHECK(r.null[b] == Approx(oracle::mmd2(matrix, draws[b], false)).margin(1e-13));
}

TEST_CASE("clusters of one row each are the plain test") {
  const auto x = normal<double>(20, 2, 1), y = normal<double>(30, 2, 2);
  const auto cx = ids_of(std::vector<index_t>(20, 1), 0, 1), cy = ids_of(std::vector<index_t>(30, 1), 100, 2);
  const auto clustered = ClusteredPermutationTest{{.permutations = 199, .seed = 4}}(x, y, cx, cy, mmd::gaussian(1));
  const auto plain = mmd::PermutationTest{{.permutations = 199, .seed = 4}}(x, y, mmd::gaussian(1));
  CHECK(clustered.p_value == plain.p_value);
  REQUIRE(clustered.clusters.has_value());
  CHECK(clustered.clusters->x == 20);
  CHECK(clustered.clusters->y == 30);
}

TEST_CASE("a clustered result says its clusters, and what can be reached") {
  const auto x = normal<double>(9, 2, 1), y = normal<double>(9, 2, 2, 5);
  const std::vector<index_t> cx{1, 1, 1, 2, 2, 2, 3, 3, 3}, cy{4, 4, 4, 5, 5, 5, 6, 6, 6};
  const auto r = ClusteredPermutationTest{}(x, y, cx, cy, mmd::gaussian(1));
  CHECK(r.method == method::enumerate);
  CHECK(r.permutations == 19);
  CHECK(r.mirrored);
  CHECK(r.p_value == 0.1);
  CHECK_FALSE(r.attainable(0.05));
  CHECK(r.n == 9);
  for (const int threads : {1, 7}) {
    CHECK(ClusteredPermutationTest{{.method = method::full}}(mmd::cpu{.threads = threads}, x, y, cx, cy, mmd::gaussian(1)).null ==
          ClusteredPermutationTest{{.method = method::full}}(x, y, cx, cy, mmd::gaussian(1)).null);
  }
}

TEST_CASE("clusters that cannot be tested") {
  const auto x = normal<double>(4, 2, 1), y = normal<double>(4, 2, 2);
  const std::vector<index_t> cx{1, 1, 2, 2}, cy{3, 3, 4, 4}, shared{3, 3, 2, 2}, single{3, 4, 5, 6}, whole{1, 1, 1, 1};
  const auto run = [&](const std::vector<index_t>& a, const std::vector<index_t>& b, PermutationOptions o = {}) {
    return message([&] { ClusteredPermutationTest{o}(x, y, a, b, mmd::gaussian(1)); });
  };
  CHECK(run(cx, cy) == "nothing was thrown");
  CHECK(run({1, 2}, cy) == "mmd: x_clusters.size() = 2, expected one id for each row of x");
  CHECK(run(cx, {1, 2, 3}) == "mmd: y_clusters.size() = 3, expected one id for each row of y");
  CHECK(run(cx, shared) == "mmd: y_clusters = 2, expected a cluster that belongs to one sample: x_clusters has it too");
  CHECK(run(whole, single).find("rows of the smallest side of a split = 1, expected at least 2 for the unbiased estimator") !=
        std::string::npos);
  CHECK(run(whole, single, {.estimator = estimator::biased}) == "nothing was thrown");
  CHECK(run(cx, cy, {.method = method::binned}) == "mmd: method = binned, expected automatic, full or enumerate for clusters");
  CHECK(run(cx, cy, {.method = method::subset}) == "mmd: method = subset, expected automatic, full or enumerate for clusters");
}
