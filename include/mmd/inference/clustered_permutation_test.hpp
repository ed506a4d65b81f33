// SPDX-License-Identifier: MIT
// The permutation test for clustered data: rows of one cluster (the sentences of an author, the answers to a prompt) move together.
#pragma once

#include <algorithm>
#include <map>
#include <numeric>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "mmd/inference/permutation/blocks.hpp"
#include "mmd/inference/permutation_test.hpp"

namespace mmd {
namespace detail {
inline namespace MMD_ISA {

// The rows of each cluster, clusters in the order of their first rows; `first` is added to every row number.
inline std::vector<std::vector<index_t>> rows_of_clusters(std::span<const index_t> ids, index_t first) {
  std::map<index_t, std::size_t> number;
  std::vector<std::vector<index_t>> rows;
  for (std::size_t i = 0; i < ids.size(); ++i) {
    const auto [at, fresh] = number.emplace(ids[i], rows.size());
    if (fresh) rows.emplace_back();
    rows[at->second].push_back(first + static_cast<index_t>(i));
  }
  return rows;
}

}  // namespace MMD_ISA
}  // namespace detail

inline namespace MMD_ISA {

// ClusteredPermutationTest{{.permutations = 999, .seed = 1}}(on, x, y, x_clusters, y_clusters, kernel) -> TestResult.
//
// x_clusters[i] names the cluster of row i of x; a cluster belongs to one sample. The statistic is MMD^2 of the rows, as in
// PermutationTest; the splits are those of the clusters: c_x of the c clusters are called x. Where clusters differ in size, so do the sides
// of the draws. Enumerates where the C(c, c_x) splits are no more than B + 1, or where asked to; draws B iid uniform splits otherwise
// (method full). Cost: one pass of O(N^2 d) and O(B c^2) for up to 512 clusters, else O(N^2 (d + B / 4)) as the full test; the same bits
// for any number of threads.
//
// Validity: exact if the clusters are exchangeable under the null hypothesis, whatever the dependence within them; samples of any size. The
// size of a cluster belongs to it: if clusters of x tend to be larger than those of y, the test may find that. Treating the rows of
// clusters as independent breaks the level: p-values become far too small.
//
// Throws invalid_input as PermutationTest does, and unless there is one id for each row, no id is in both samples, and every split leaves
// at least 2 rows (biased: 1) on each side.
class ClusteredPermutationTest {
 public:
  ClusteredPermutationTest() = default;
  explicit ClusteredPermutationTest(const PermutationOptions& options) : options_(PermutationTest(options).options()) {
    detail::require(options.method != method::binned && options.method != method::subset, "method", to_string(options.method),
                    "automatic, full or enumerate for clusters");
  }

  template <backend B, sample_matrix X, sample_matrix Y, kernel K>
  requires std::same_as<typename X::Scalar, typename Y::Scalar> TestResult operator()(const B& on, const X& x, const Y& y,
                                                                                      std::span<const index_t> x_clusters,
                                                                                      std::span<const index_t> y_clusters,
                                                                                      const K& k) const {
    using T = typename X::Scalar;
    const pooled<T> z = pool(x, y);
    check_samples(z.groups[0], z.groups[1], options_.estimator == estimator::unbiased ? 2 : 1);
    detail::require(static_cast<index_t>(x_clusters.size()) == x.rows(), "x_clusters.size()", x_clusters.size(),
                    "one id for each row of x");
    detail::require(static_cast<index_t>(y_clusters.size()) == y.rows(), "y_clusters.size()", y_clusters.size(),
                    "one id for each row of y");
    auto clusters = detail::rows_of_clusters(x_clusters, 0);
    const auto in_x = static_cast<index_t>(clusters.size());
    for (const auto& rows : detail::rows_of_clusters(y_clusters, x.rows())) {
      const index_t id = y_clusters[static_cast<std::size_t>(rows.front() - x.rows())];
      detail::require(std::find(x_clusters.begin(), x_clusters.end(), id) == x_clusters.end(), "y_clusters", id,
                      "a cluster that belongs to one sample: x_clusters has it too");
      clusters.push_back(rows);
    }
    const auto count = static_cast<index_t>(clusters.size());
    require_rows(clusters, in_x);

    const std::uint64_t splits = detail::binomial_coefficient(static_cast<std::uint64_t>(count), static_cast<std::uint64_t>(in_x));
    const auto draws = static_cast<std::uint64_t>(options_.permutations);
    const bool enumerate = options_.method == method::enumerate || (options_.method == method::automatic && splits - 1 <= draws);
    if (enumerate && splits > PermutationTest::most_enumerated) {
      detail::reject("method", "enumerate",
                     "at most " + std::to_string(PermutationTest::most_enumerated) + " splits; " + std::to_string(in_x) + " and " +
                         std::to_string(count - in_x) + " clusters have more");
    }
    std::vector<index_t> order, unit_rows;
    detail::position_set observed(count);
    const auto place = random_stream(options_.seed, purpose::row_order, options_.test).permutation(count);
    for (index_t p = 0; p < count; ++p) {
      const index_t c = place[static_cast<std::size_t>(p)];
      const auto& rows = clusters[static_cast<std::size_t>(c)];
      order.insert(order.end(), rows.begin(), rows.end());
      unit_rows.push_back(static_cast<index_t>(rows.size()));
      if ((c < in_x) == (2 * in_x <= count)) observed.insert(p);
    }
    const detail::split_columns columns(std::move(observed), count, std::min(in_x, count - in_x), options_.seed, options_.test,
                                        enumerate ? splits : draws + 1, enumerate);
    const detail::shuffled_pool<T> shuffled(on, k, z, std::move(order), std::move(unit_rows), options_.estimator);
    TestResult out;
    out.method = enumerate ? method::enumerate : method::full;
    out.estimator = options_.estimator;
    out.seed = options_.seed;
    out.n = x.rows();
    out.m = y.rows();
    out.mirrored = enumerate && 2 * in_x == count;
    out.clusters = ClusterLayout{in_x, count - in_x};
    conclude(out, count <= block_clusters ? detail::evaluate_blocks(on, k, shuffled, {}, columns)
                                          : detail::evaluate_labels(on, k, shuffled, columns));
    return out;
  }
  template <sample_matrix X, sample_matrix Y, kernel K>
  TestResult operator()(const X& x, const Y& y, std::span<const index_t> x_clusters, std::span<const index_t> y_clusters,
                        const K& k) const {
    return (*this)(detail::default_backend<K>{}, x, y, x_clusters, y_clusters, k);
  }

 private:
  static constexpr index_t block_clusters = 512;

  // The smallest clusters together must be enough for either side.
  void require_rows(const std::vector<std::vector<index_t>>& clusters, index_t in_x) const {
    std::vector<index_t> sizes;
    for (const auto& rows : clusters) sizes.push_back(static_cast<index_t>(rows.size()));
    std::sort(sizes.begin(), sizes.end());
    const index_t fewest = std::min(in_x, static_cast<index_t>(sizes.size()) - in_x);
    const index_t rows = std::accumulate(sizes.begin(), sizes.begin() + fewest, index_t{0});
    detail::require(options_.estimator == estimator::biased || rows >= 2, "clusters: rows of the smallest side of a split", rows,
                    "at least 2 for the unbiased estimator");
  }

  PermutationOptions options_;
};

}  // namespace MMD_ISA
}  // namespace mmd
