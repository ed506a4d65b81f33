// SPDX-License-Identifier: MIT
// Reducers that keep or count single values, on the device.
#include <algorithm>
#include <cmath>
#include <limits>

#include "mmd/inference/permutation/sample_values.hpp"
#include "reducers.cuh"
#include "support/catch2.hpp"

namespace {

using fed::problem;
using mmd::index_t;

std::size_t at(index_t i) { return static_cast<std::size_t>(i); }

}  // namespace

TEMPLATE_TEST_CASE("the device's Gram matrix is K with its diagonal, for both orders of a pair", "[cuda]", float, double) {
  for (const std::vector<index_t>& groups :
       std::vector<std::vector<index_t>>{{1}, {2}, {127}, {128}, {129}, {257}, {1, 2}, {130, 3, 140}}) {
    CAPTURE(groups.front());
    const problem<TestType> z(groups);
    const auto check = [&](const auto& r) {
      bool good = true;
      for (index_t i = 0; i < z.rows; ++i) {
        for (index_t j = 0; j < z.rows; ++j) {
          const double expected = i == j ? z.diagonal[at(i)] : z(i, j);
          good = good && r(i, j) == static_cast<std::decay_t<decltype(r(i, j))>>(expected);
        }
      }
      CHECK(good);
    };
    const auto same = [](const auto& a, const auto& b) { CHECK(a.values == b.values); };
    fed::every_way(
        z, [] { return mmd::gram<float>{}; }, check, same);
    fed::every_way(
        z, [] { return mmd::gram<double>{}; }, check, same);
  }
}

TEST_CASE("the device's Gram matrix of one order serves both where the two differ in their last bit", "[cuda]") {
  problem<float> z({140});
  for (index_t i = 0; i < z.rows; ++i) {
    for (index_t j = 0; j < i; ++j) z.k[at(i * z.rows + j)] = std::nextafter(z.k[at(i * z.rows + j)], 9.0f);
  }
  mmd::gram<float> r;
  mmd::detail::device_context on(0);
  fed::pass<8>(on, z, 1, r);
  bool good = true;
  for (index_t i = 0; i < z.rows; ++i) {
    for (index_t j = i + 1; j < z.rows; ++j) good = good && r(i, j) == z.k[at(i * z.rows + j)] && r(j, i) == r(i, j);
  }
  CHECK(good);
}

TEMPLATE_TEST_CASE("the device's paired values are those of row i of x and row i of y", "[cuda]", float, double) {
  for (const index_t n : {1, 2, 127, 128, 129, 260}) {
    CAPTURE(n);
    const problem<TestType> z({n, n});
    fed::every_way(
        z, [] { return mmd::paired_values{}; },
        [&](const mmd::paired_values& r) {
          bool good = true;
          for (index_t i = 0; i < n; ++i) good = good && r.pairs[at(i)] == z(i, n + i);
          CHECK(good);
        },
        [](const auto& a, const auto& b) { CHECK(a.pairs == b.pairs); });
  }
}

TEMPLATE_TEST_CASE("the device's values of many small samples are those of each against the reference and itself", "[cuda]", float,
                   double) {
  const std::vector<index_t> sizes = {1, 5, 60, 62, 3, 200, 128, 7, 1, 1};
  mmd::detail::sample_values<TestType> empty;
  empty.first = {0};
  for (const index_t n : sizes) empty.first.push_back(empty.first.back() + n);
  for (const index_t reference : {1, 130, 257}) {
    // groups of whole samples, as with_samples makes them
    const problem<TestType> z({reference, 128, 3, 200, 128, 9},
                              {{0, 0}, {1, 2}, {1, 3}, {1, 4}, {1, 5}, {2, 3}, {2, 4}, {2, 5}, {3, 4}, {3, 5}, {4, 5}});
    fed::every_way(
        z, [&] { return empty; },
        [&](const auto& r) {
          bool good = true;
          for (std::size_t s = 0; s < sizes.size(); ++s) {
            for (index_t i = r.first[s]; i < r.first[s + 1]; ++i) {
              for (index_t j = 0; j < reference; ++j) good = good && r.row(i)[j] == static_cast<TestType>(z(reference + i, j));
              for (index_t j = r.first[s]; j < i; ++j)
                good = good && r.row(i)[reference + j - r.first[s]] == static_cast<TestType>(z(reference + i, reference + j));
            }
          }
          CHECK(good);
        },
        [](const auto& a, const auto& b) { CHECK(a.values == b.values); });
  }
}

TEST_CASE("the device's counts of distances are those of a sorted list", "[cuda]") {
  constexpr double infinity = std::numeric_limits<double>::infinity();
  struct interval {
    double low, high;
    index_t capacity;
  };
  for (const std::vector<index_t>& groups : std::vector<std::vector<index_t>>{{1}, {2}, {127}, {128}, {129}, {257}, {100, 150}}) {
    problem<double> z(groups, {}, true);
    for (const bool equal : {false, true}) {
      if (equal) {  // few values, many of each
        for (auto& v : z.k) v = std::floor(v * 4) / 4;
      }
      std::vector<double> all;
      for (index_t j = 0; j < z.rows; ++j) {
        for (index_t i = 0; i < j; ++i) all.push_back(z(i, j));
      }
      for (const interval& in :
           std::vector<interval>{{0, infinity, 1 << 20}, {.25, .5, 1 << 20}, {.25, .5, 100}, {.25, .25, 0}, {.6, 2, 7}, {3, 4, 10}}) {
        CAPTURE(groups.front(), equal, in.low, in.high, in.capacity);
        const auto make = [&] {
          mmd::distance_counts r;
          r.low = in.low;
          r.high = in.high;
          r.capacity = in.capacity;
          return r;
        };
        fed::every_way(
            z, make,
            [&](const mmd::distance_counts& r) {
              index_t below = 0;
              double above = infinity, largest = 0;
              std::vector<double> inside;
              std::vector<index_t> bins(mmd::distance_counts::bin_count);
              for (const double v : all) {
                below += v < in.low;
                if (v > in.high) above = std::min(above, v);
                largest = std::max(largest, v);
                if (v < in.low || v > in.high) continue;
                inside.push_back(v);
                for (std::size_t b = 0; b < bins.size(); ++b) {
                  if (v >= r.first_of(b) && v <= r.last_of(b)) {
                    ++bins[b];
                    break;
                  }
                }
              }
              CHECK(r.below == below);
              CHECK(r.inside == static_cast<index_t>(inside.size()));
              CHECK(r.above == above);
              CHECK(r.largest == largest);
              CHECK(r.bins == bins);
              std::vector<double> kept(r.values.begin(), r.values.begin() + std::min(r.inside, static_cast<index_t>(r.values.size())));
              std::sort(kept.begin(), kept.end());
              std::sort(inside.begin(), inside.end());
              if (r.inside <= in.capacity) {
                CHECK(kept == inside);
              } else {
                CHECK(std::includes(inside.begin(), inside.end(), kept.begin(), kept.end()));
              }
            },
            [](const auto& a, const auto& b) { CHECK((a.below == b.below && a.inside == b.inside && a.bins == b.bins)); });
      }
    }
  }
}
