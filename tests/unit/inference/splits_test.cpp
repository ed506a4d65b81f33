// SPDX-License-Identifier: MIT
#include "mmd/inference/permutation/splits.hpp"

#include <cstdint>
#include <initializer_list>
#include <limits>
#include <map>
#include <set>
#include <utility>
#include <vector>

#include "calibration/level.hpp"
#include "support/catch2.hpp"

namespace {
using mmd::index_t;
using mmd::detail::binomial_coefficient;
using mmd::detail::position_set;
using mmd::detail::split_columns;

std::vector<index_t> positions(const position_set& s) {
  std::vector<index_t> out;
  s.for_each([&](index_t p) { out.push_back(p); });
  return out;
}
position_set set_of(index_t size, std::initializer_list<index_t> chosen) {
  position_set out(size);
  for (const index_t p : chosen) out.insert(p);
  return out;
}
}  // namespace

TEST_CASE("binomial coefficients are exact up to 2^64 - 1 and saturate there") {
  for (std::uint64_t n = 0; n <= 30; ++n) {
    CHECK(binomial_coefficient(n, 0) == 1);
    CHECK(binomial_coefficient(n, n) == 1);
    for (std::uint64_t k = 1; k < n; ++k)
      CHECK(binomial_coefficient(n, k) == binomial_coefficient(n - 1, k - 1) + binomial_coefficient(n - 1, k));
  }
  constexpr auto most = std::numeric_limits<std::uint64_t>::max();
  CHECK(binomial_coefficient(3, 4) == 0);
  CHECK(binomial_coefficient(67, 33) == 14226520737620288370u);
  CHECK(binomial_coefficient(68, 34) == most);
  CHECK(binomial_coefficient(100000, 50000) == most);
  CHECK(binomial_coefficient(most, 1) == most);
  CHECK(binomial_coefficient(1000000, 2) == 499999500000u);
}

TEST_CASE("an enumeration visits every split once, the observed one first") {
  for (const auto& [units, observed] :
       {std::pair{index_t{7}, set_of(7, {1, 4, 6})}, std::pair{index_t{6}, set_of(6, {0})}, std::pair{index_t{6}, set_of(6, {5})},
        std::pair{index_t{4}, set_of(4, {0, 1})}, std::pair{index_t{70}, set_of(70, {68, 69})}}) {
    const auto chosen = static_cast<index_t>(positions(observed).size());
    const std::uint64_t all = binomial_coefficient(static_cast<std::uint64_t>(units), static_cast<std::uint64_t>(chosen));
    const split_columns columns(observed, units, chosen, 3, 0, all, true);
    std::set<std::vector<index_t>> seen;
    position_set side(units);
    for (index_t c = 0; c < columns.columns(); ++c) {
      columns.get(c, side);
      if (c == 0) CHECK(positions(side) == positions(observed));
      CHECK(static_cast<index_t>(positions(side).size()) == chosen);
      seen.insert(positions(side));
    }
    CHECK(seen.size() == all);
  }
}

TEST_CASE("draws are uniform over the subsets") {
  const split_columns columns(set_of(6, {0, 1}), 6, 2, 11, 0, 30001, false);
  std::map<std::vector<index_t>, std::size_t> counts;
  position_set side(6);
  for (index_t c = 1; c < columns.columns(); ++c) {
    columns.get(c, side);
    ++counts[positions(side)];
  }
  std::vector<std::size_t> cells;
  for (const auto& [subset, count] : counts) {
    CHECK(subset.size() == 2);
    cells.push_back(count);
  }
  REQUIRE(cells.size() == 15);
  CHECK(calibration::uniform(cells));
}

TEST_CASE("a draw depends on seed, test and its number alone") {
  const auto draw = [](std::uint64_t seed, std::uint64_t test, index_t column, std::uint64_t columns) {
    position_set side(100);
    split_columns(position_set(100), 100, 40, seed, test, columns, false).get(column, side);
    return positions(side);
  };
  CHECK(draw(1, 2, 7, 10) == draw(1, 2, 7, 5000));
  CHECK(draw(1, 2, 7, 10) != draw(2, 2, 7, 10));
  CHECK(draw(1, 2, 7, 10) != draw(1, 3, 7, 10));
  CHECK(draw(1, 2, 7, 10) != draw(1, 2, 8, 10));
}
