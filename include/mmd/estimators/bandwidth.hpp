// SPDX-License-Identifier: MIT
// Bandwidths from the distances of the pooled sample. They know nothing of which row belongs to which sample, as a permutation test needs.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <limits>
#include <span>
#include <string>
#include <tuple>
#include <utility>
#include <vector>

#include "mmd/core/matrix.hpp"
#include "mmd/core/philox.hpp"
#include "mmd/engine/backend.hpp"
#include "mmd/engine/distance_counts.hpp"

namespace mmd {

struct BandwidthOptions {
  index_t max_rows = 20'000;  // of more pooled rows, so many are drawn at random, without regard to the samples
  std::uint64_t seed = 0;     // of that draw: a stream of its own, purpose::bandwidth_subsample
};

struct GridOptions {
  index_t count = 10;
  double lower_quantile = 0.05;  // the grid starts at half this quantile of the distances; 0: at half the smallest
  index_t max_rows = 20'000;     // as in BandwidthOptions
  std::uint64_t seed = 0;
};

namespace detail {

// The distance itself, as an expression that the engine can evaluate.
template <pair quantity>
struct distance_value {
  static constexpr auto reads = quantity;
  template <class V>
  MMD_HD V operator()(V distance) const {
    return distance;
  }
};

inline namespace MMD_ISA {

// All pairs of rows, ordered by distance: the kernel's own, |x-y|_1 or |x-y|_2. Rows are taken as double and divided by a power of two near
// their largest value, so that no square overflows; each distance is summed from differences and has the same bits wherever its rows stand.
template <class K>
class ordered_distances {
  static_assert(K::reads != pair::inner_product, "this kernel reads inner products, not distances: it has no bandwidth");
  static constexpr bool squared = is_squared(K::reads);
  using value_kernel = distance_value<squared ? pair::exact_squared_distance : K::reads>;

 public:
  template <class B, class T>
  ordered_distances(const B& on, const pooled<T>& z, index_t max_rows, std::uint64_t seed) : z_(std::min(z.rows(), max_rows), z.cols()) {
    require(max_rows >= 2, "max_rows", max_rows, "at least 2");
    require(z.rows() >= 2, "pooled rows", z.rows(), "at least 2");
    std::vector<index_t> chosen;
    if (z.rows() > max_rows) chosen = random_stream(seed, purpose::bandwidth_subsample).subset(z.rows(), max_rows);
    const auto read = reader(on, z, chosen);
    double largest = 0;
    for (index_t p = 0; p < z_.rows(); ++p) {
      index_t row = chosen.empty() ? p : chosen[static_cast<std::size_t>(p)];
      std::size_t g = 0;
      while (row >= z.groups[g].rows()) row -= z.groups[g++].rows();
      for (index_t k = 0; k < z.cols(); ++k) {
        const double v = read(p, g, row, k);
        z_(p, k) = v;
        largest = std::max(largest, std::abs(v));
      }
    }
    if (largest > 0) exponent_ = std::ilogb(largest);
    for (index_t i = 0; i < z_.size(); ++i) z_.data()[i] = std::scalbn(z_.data()[i], -exponent_);
  }

  index_t pairs() const { return z_.rows() * (z_.rows() - 1) / 2; }

  struct found {
    double value, next, largest;  // the distance of that rank (from 0), the next one, the largest of all
  };
  // One pass over the pairs, a few more where many distances are equal.
  template <class B>
  found at_rank(const B& on, index_t rank) const {
    distance_counts c;
    c.capacity = std::max<index_t>(index_t{1} << 20, 128 * z_.rows());
    if (pairs() > c.capacity) std::tie(c.low, c.high) = likely_interval(on, rank, c.capacity);
    for (;;) {
      on.reduce(value_kernel{}, pooled<double>{{samples<double>(z_)}}, c);
      const index_t place = rank - c.below;
      if (place < 0 || place >= c.inside) {  // the likely interval was wrong: all distances
        c.low = 0;
        c.high = std::numeric_limits<double>::infinity();
      } else if (c.low == c.high) {
        return result(c.low, place + 1 < c.inside ? c.low : c.above, c.largest);
      } else if (c.inside <= c.capacity) {
        const auto at = c.values.begin() + place, end = c.values.begin() + c.inside;
        std::nth_element(c.values.begin(), at, end);
        return result(*at, at + 1 < end ? *std::min_element(at + 1, end) : c.above, c.largest);
      } else {
        std::size_t bin = 0;
        for (index_t before = c.bins[0]; before <= place; before += c.bins[bin]) ++bin;
        std::tie(c.low, c.high) = std::pair(c.first_of(bin), c.last_of(bin));
      }
    }
  }

 private:
  found result(double value, double next, double largest) const { return {distance(value), distance(next), distance(largest)}; }
  double distance(double value) const { return std::scalbn(squared ? std::sqrt(value) : value, exponent_); }

  // An interval of distances (as the engine gives them) that holds the rank with near certainty and about two thirds of `capacity` pairs at
  // most: the quantiles of randomly chosen pairs, 5 standard deviations to either side. Only the time depends on it.
  template <class B>
  std::pair<double, double> likely_interval(const B& on, index_t rank, index_t capacity) const {
    const double all = static_cast<double>(pairs()), quantile = static_cast<double>(rank) / all,
                 ratio = 7.5 * all / static_cast<double>(capacity);
    const index_t parts = 64, each = static_cast<index_t>(std::max(65536.0, ratio * ratio)) / parts;
    std::vector<double> drawn(static_cast<std::size_t>(parts * each));
    on.for_each(parts, [&](index_t part) {
      random_stream stream(0, purpose::bandwidth_subsample, 1, static_cast<std::uint64_t>(part));
      for (index_t e = 0; e < each; ++e) {
        const auto rows = static_cast<std::uint64_t>(z_.rows()), a = stream.below(rows), b = (a + 1 + stream.below(rows - 1)) % rows;
        drawn[static_cast<std::size_t>(part * each + e)] = between(z_.row(static_cast<index_t>(a)), z_.row(static_cast<index_t>(b)));
      }
    });
    std::sort(drawn.begin(), drawn.end());
    const double size = static_cast<double>(drawn.size()), middle = quantile * size,
                 margin = 5 * std::sqrt(size * quantile * (1 - quantile)) + 6;
    const auto at = [&](double place) { return drawn[static_cast<std::size_t>(place)]; };
    // a little wider, as the engine rounds sums in its own way
    return {middle - margin < 0 ? 0.0 : at(middle - margin) * (1 - 1e-12),
            middle + margin >= size ? std::numeric_limits<double>::infinity() : at(middle + margin) * (1 + 1e-12)};
  }
  static double between(std::span<const double> a, std::span<const double> b) {
    double sum = 0;
    for (std::size_t k = 0; k < a.size(); ++k) {
      const double difference = a[k] - b[k];
      sum += squared ? difference * difference : std::abs(difference);
    }
    return sum;
  }

  // read(p, g, row, k): value k of row `row` of group g, the p-th of those that are looked at. Device samples are brought here, these rows
  // alone, and must be finite.
  template <class B, class T>
  static auto reader(const B& on, const pooled<T>& z, const std::vector<index_t>& chosen) {
    if constexpr (on_device<T>) {
      return [copy = on.download(on.joined(pooled<T>{z.groups, chosen}))](index_t p, std::size_t g, index_t row, index_t k) {
        const auto v = static_cast<double>(copy(p, k));
        if (!std::isfinite(v)) {
          reject(("samples of group " + std::to_string(g) + "(" + std::to_string(row) + ", " + std::to_string(k) + ")").c_str(), v,
                 "a finite number");
        }
        return v;
      };
    } else {
      return [&z](index_t, std::size_t g, index_t row, index_t k) { return static_cast<double>(z.groups[g](row, k)); };
    }
  }

  matrix<double> z_;
  int exponent_ = 0;
};

}  // namespace MMD_ISA
}  // namespace detail

inline namespace MMD_ISA {

// The median heuristic: the median of the kernel's own distance (|x-y|_1 for laplace, |x-y|_2 for the others) over all pairs of different
// rows of the pooled samples, each pair once; of an even number of pairs the mean of the two middle distances, as numpy.median.
//   const auto kernel = mmd::gaussian(mmd::median_heuristic<mmd::gaussian>(x, y));
// Exact up to `max_rows` pooled rows; of more, the median of a uniformly random subset of so many (see BandwidthOptions). Relative error
// about 1e-15, for float samples too. A function of the set of pooled rows: its bits do not change with their order (as long as none are
// left out), the labels or the number of threads. N^2 d multiply-adds in double, usually in one pass; memory: the rows as double, and at
// most max(2^20, 128 N) distances. Throws invalid_input for samples that cannot be used and for a median of 0.
template <basic_kernel K = gaussian, backend B, class T>
double median_heuristic(const B& on, const pooled<T>& z, const BandwidthOptions& options = {}) {
  const detail::ordered_distances<K> distances(on, z, options.max_rows, options.seed);
  const index_t pairs = distances.pairs();
  const auto found = distances.at_rank(on, (pairs - 1) / 2);
  const double median = pairs % 2 == 1 ? found.value : found.value / 2 + found.next / 2;
  detail::require(median > 0, "the median distance", median,
                  "a number above 0: over half of the pairs of pooled rows coincide, so give a bandwidth of your own");
  return median;
}
template <basic_kernel K = gaussian, backend B, sample_matrix X, sample_matrix Y>
double median_heuristic(const B& on, const X& x, const Y& y, const BandwidthOptions& options = {}) {
  const auto z = pool(x, y);
  check_samples(z.groups[0], z.groups[1]);
  return median_heuristic<K>(on, z, options);
}
template <basic_kernel K = gaussian, sample_matrix X, sample_matrix Y>
double median_heuristic(const X& x, const Y& y, const BandwidthOptions& options = {}) {
  return median_heuristic<K>(detail::default_backend<X>{}, x, y, options);
}

// `count` bandwidths in geometric progression, from half a low quantile of the pooled distances to twice the largest (Schrab et al., "MMD
// aggregated two-sample test", JMLR 2023). The quantile q is the distance of rank floor(q P) of the P pairs. Cost, memory, reproducibility
// and errors as median_heuristic.
template <basic_kernel K = gaussian, backend B, sample_matrix X, sample_matrix Y>
std::vector<double> bandwidth_grid(const B& on, const X& x, const Y& y, const GridOptions& options = {}) {
  const auto z = pool(x, y);
  check_samples(z.groups[0], z.groups[1]);
  detail::require(options.count >= 1, "count", options.count, "at least 1");
  detail::require(options.lower_quantile >= 0 && options.lower_quantile < 1, "lower_quantile", options.lower_quantile,
                  "0 or more and below 1");
  const detail::ordered_distances<K> distances(on, z, options.max_rows, options.seed);
  const auto rank = static_cast<index_t>(options.lower_quantile * static_cast<double>(distances.pairs()));
  const auto found = distances.at_rank(on, std::min(rank, distances.pairs() - 1));
  detail::require(found.value > 0, "the lower quantile of the distances", found.value,
                  "a number above 0: too many pairs of pooled rows coincide, so raise lower_quantile");
  const double first = found.value / 2, last = found.largest * 2;
  std::vector<double> grid{first};
  for (index_t i = 1; i < options.count; ++i) {
    grid.push_back(first * std::pow(last / first, static_cast<double>(i) / static_cast<double>(options.count - 1)));
  }
  if (options.count > 1) grid.back() = last;
  return grid;
}
template <basic_kernel K = gaussian, sample_matrix X, sample_matrix Y>
std::vector<double> bandwidth_grid(const X& x, const Y& y, const GridOptions& options = {}) {
  return bandwidth_grid<K>(detail::default_backend<X>{}, x, y, options);
}

}  // namespace MMD_ISA
}  // namespace mmd
