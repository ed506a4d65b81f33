// SPDX-License-Identifier: MIT
// The cluster bootstrap: intervals for figures of texts that hang together by prompt.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <span>
#include <vector>

#include "mmd/core/matrix.hpp"
#include "mmd/core/philox.hpp"
#include "mmd/inference/binomial.hpp"

namespace mmd {

struct BootstrapOptions {
  index_t draws = 2000;
  double level = 0.95;
  std::uint64_t seed = 0;
};

inline namespace MMD_ISA {

// Draws whole clusters with replacement, as many as there are, and evaluates a statistic on each sample (Davison and Hinkley, "Bootstrap
// methods and their application", 1997, section 3.8). Draw b depends on (seed, b) alone: two statistics evaluated with the same clusters
// and seed see the same samples, which is what makes a difference of theirs paired.
//
// Validity: clusters are independent and alike; intervals are percentile intervals, asymptotic in the number of clusters, and speak of the
// sampling of texts, not of the training seed.
class ClusterBootstrap {
 public:
  // cluster: a number for each text (any numbers). Throws invalid_input for fewer than 2 clusters, fewer than 100 draws or a level outside
  // (0, 1).
  explicit ClusterBootstrap(std::span<const index_t> cluster, BootstrapOptions options = {}) : options_(options) {
    detail::require(options.draws >= 100, "bootstrap.draws", options.draws, "100 or more");
    detail::require(options.level > 0 && options.level < 1, "bootstrap.level", options.level, "a number between 0 and 1, such as 0.95");
    std::vector<index_t> known(cluster.begin(), cluster.end());
    std::sort(known.begin(), known.end());
    known.erase(std::unique(known.begin(), known.end()), known.end());
    clusters_ = static_cast<index_t>(known.size());
    detail::require(clusters_ >= 2, "clusters", clusters_, "at least 2 different ones");
    for (const index_t c : cluster)
      cluster_.push_back(static_cast<std::size_t>(std::lower_bound(known.begin(), known.end(), c) - known.begin()));
  }

  index_t clusters() const { return clusters_; }

  // statistic(multiplicity) -> values.size() figures, where multiplicity[i] says how often text i is in the sample. Returns draws x
  // figures; NaN where a figure is not defined for a sample. O(draws (n + clusters + the statistic)).
  template <class F>
  matrix<double> operator()(index_t figures, F statistic) const {
    matrix<double> out(options_.draws, figures);
    std::vector<double> count(static_cast<std::size_t>(clusters_)), multiplicity(cluster_.size());
    for (index_t b = 0; b < options_.draws; ++b) {
      random_stream draw(options_.seed, purpose::bootstrap, 0, static_cast<std::uint64_t>(b));
      std::fill(count.begin(), count.end(), 0.0);
      for (index_t g = 0; g < clusters_; ++g) ++count[draw.below(static_cast<std::uint64_t>(clusters_))];
      for (std::size_t i = 0; i < cluster_.size(); ++i) multiplicity[i] = count[cluster_[i]];
      statistic(std::span<const double>(multiplicity), out.row(b));
    }
    return out;
  }

  // Percentile intervals, one for each figure, over the draws in which it is defined; NaN where fewer than half of the draws are.
  std::vector<Interval> intervals(const matrix<double>& draws) const {
    std::vector<Interval> out;
    for (index_t k = 0; k < draws.cols(); ++k) {
      std::vector<double> values;
      for (index_t b = 0; b < draws.rows(); ++b) {
        if (!std::isnan(draws(b, k))) values.push_back(draws(b, k));
      }
      if (2 * static_cast<index_t>(values.size()) < draws.rows()) {
        out.push_back({std::nan(""), std::nan("")});
        continue;
      }
      std::sort(values.begin(), values.end());
      out.push_back({quantile(values, (1 - options_.level) / 2), quantile(values, (1 + options_.level) / 2)});
    }
    return out;
  }

 private:
  static double quantile(const std::vector<double>& sorted, double p) {
    const double place = p * static_cast<double>(sorted.size() - 1);
    const auto i = static_cast<std::size_t>(place);
    const double above = sorted[std::min(i + 1, sorted.size() - 1)];
    return sorted[i] + (place - static_cast<double>(i)) * (above - sorted[i]);
  }
  BootstrapOptions options_;
  index_t clusters_ = 0;
  std::vector<std::size_t> cluster_;
};

}  // namespace MMD_ISA
}  // namespace mmd
