// SPDX-License-Identifier: MIT
// Row sums and block sums of the device's parts against sums by definition.
#include <cmath>
#include <numeric>
#include <string>

#include "reducers.cuh"
#include "support/catch2.hpp"

namespace {

using fed::problem;
using mmd::index_t;

template <class T>
constexpr double allowed = std::is_same_v<T, double> ? 1e-14 : 2e-6;

const std::vector<std::vector<index_t>> sizes = {{1},      {2},           {127},      {128},           {129},    {255},
                                                 {256},    {257},         {1, 1},     {127, 129},      {130, 3}, {3, 260},
                                                 {64, 65}, {5, 128, 200}, {1, 2, 90}, {129, 128, 1, 7}};

std::string shown(const std::vector<index_t>& groups) {
  std::string out = "groups";
  for (const index_t g : groups) out += " " + std::to_string(g);
  return out;
}

template <class T, class Reducer, class Make, class Value>
void check_rows(const problem<T>& z, const Make& make, const Value& value) {
  fed::every_way(
      z, make,
      [&](const Reducer& r) {
        bool good = true;
        for (index_t i = 0; i < z.rows; ++i) {
          std::vector<double> sum(z.groups.size()), size(z.groups.size());
          for (index_t j = 0; j < z.rows; ++j) {
            const auto g = static_cast<std::size_t>(z.group_of[static_cast<std::size_t>(j)]);
            sum[g] += value(z(i, j), j);
            size[g] += std::abs(value(z(i, j), j));
          }
          for (std::size_t g = 0; g < sum.size(); ++g) good = good && std::abs(r(i, static_cast<int>(g)) - sum[g]) <= allowed<T> * size[g];
        }
        CHECK(good);
      },
      [](const Reducer& a, const Reducer& b) { CHECK(a.sums == b.sums); });
}

// Bins of these sizes in turn, the last one what is left.
std::vector<index_t> bins_of(index_t rows, const std::vector<index_t>& in_turn) {
  std::vector<index_t> out;
  for (std::size_t b = 0; rows > 0; ++b) {
    out.push_back(std::min(rows, in_turn[b % in_turn.size()]));
    rows -= out.back();
  }
  return out;
}

template <class T>
void check_blocks(const problem<T>& z, const std::vector<index_t>& bins) {
  std::vector<int> bin;
  for (std::size_t b = 0; b < bins.size(); ++b) bin.insert(bin.end(), static_cast<std::size_t>(bins[b]), static_cast<int>(b));
  const std::size_t count = bins.size();
  std::vector<double> sum(count * count), size(count * count), diagonal(count);
  for (index_t i = 0; i < z.rows; ++i) {
    const auto a = static_cast<std::size_t>(bin[static_cast<std::size_t>(i)]);
    diagonal[a] += z.diagonal[static_cast<std::size_t>(i)];
    for (index_t j = 0; j < z.rows; ++j) {
      const auto place = a * count + static_cast<std::size_t>(bin[static_cast<std::size_t>(j)]);
      sum[place] += z(i, j);
      size[place] += std::abs(z(i, j));
    }
  }
  fed::every_way(
      z, [&] { return mmd::block_sums{bins}; },
      [&](const mmd::block_sums& r) {
        bool good = r.diagonal == diagonal;
        for (std::size_t p = 0; p < sum.size(); ++p) good = good && std::abs(r.sums[p] - sum[p]) <= allowed<T> * size[p];
        CHECK(good);
      },
      [](const mmd::block_sums& a, const mmd::block_sums& b) { CHECK(a.sums == b.sums); });
}

}  // namespace

TEMPLATE_TEST_CASE("device row sums are those by definition", "[cuda]", float, double) {
  for (const auto& groups : sizes) {
    CAPTURE(shown(groups));
    const problem<TestType> z(groups);
    check_rows<TestType, mmd::row_sums>(
        z, [] { return mmd::row_sums{}; }, [](double v, index_t) { return v; });
    check_rows<TestType, mmd::row_sums>(
        z, [] { return mmd::row_sums{.absolute = true}; }, [](double v, index_t) { return std::abs(v); });
  }
}

TEMPLATE_TEST_CASE("device row sums leave out skipped pairs of groups", "[cuda]", float, double) {
  for (const std::vector<std::pair<int, int>>& skip :
       std::vector<std::vector<std::pair<int, int>>>{{{0, 0}}, {{0, 1}, {2, 2}}, {{2, 0}, {1, 1}}}) {
    const problem<TestType> z({130, 129, 257}, skip);
    check_rows<TestType, mmd::row_sums>(
        z, [] { return mmd::row_sums{}; }, [](double v, index_t) { return v; });
    check_blocks(z, bins_of(z.rows, {100}));
  }
}

TEMPLATE_TEST_CASE("device weighted row sums are those by definition", "[cuda]", float, double) {
  for (const auto& groups : sizes) {
    CAPTURE(shown(groups));
    const problem<TestType> z(groups);
    std::vector<double> weights;
    for (index_t i = 0; i < z.rows; ++i) weights.push_back(static_cast<double>(static_cast<TestType>(std::sin(static_cast<double>(i)))));
    check_rows<TestType, mmd::weighted_row_sums>(
        z, [&] { return mmd::weighted_row_sums(weights); }, [&](double v, index_t j) { return v * weights[static_cast<std::size_t>(j)]; });
  }
}

TEMPLATE_TEST_CASE("device block sums are those by definition", "[cuda]", float, double) {
  for (const auto& groups : sizes) {
    CAPTURE(shown(groups));
    const problem<TestType> z(groups, {}, true);
    for (const auto& in_turn : std::vector<std::vector<index_t>>{{1}, {2}, {7, 1, 30}, {63, 1, 1}, {64}, {100}, {128}, {300}}) {
      CAPTURE(in_turn.front());
      check_blocks(z, bins_of(z.rows, in_turn));
    }
  }
}

TEST_CASE("device block sums of bins longer than a macro, and of many in one", "[cuda]") {
  const problem<float> z({700, 333}, {}, true);
  check_blocks(z, {1033});
  check_blocks(z, {300, 1, 600, 2, 130});
  check_blocks(z, bins_of(z.rows, {5}));
}

TEST_CASE("several device reducers in one pass do not disturb one another", "[cuda]") {
  const problem<double> z({130, 140});
  mmd::row_sums plain, sizes_of{.absolute = true}, alone;
  mmd::block_sums blocks{{200, 70}}, blocks_alone{{200, 70}};
  mmd::detail::device_context on(0);
  fed::pass<4>(on, z, 2, plain, blocks, sizes_of);
  fed::pass<4>(on, z, 2, alone);
  fed::pass<4>(on, z, 2, blocks_alone);
  CHECK(plain.sums == alone.sums);
  CHECK(blocks.sums == blocks_alone.sums);
  CHECK(sizes_of.sums != plain.sums);
}
