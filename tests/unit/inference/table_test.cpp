// SPDX-License-Identifier: MIT
// Splits sixteen at a time: the columns read are those of split_columns, and their statistics those of a double loop.
#include "mmd/inference/permutation/table.hpp"

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <vector>

#include "mmd/inference/permutation/gram_table.hpp"
#include "permutation_support.hpp"
#include "support/catch2.hpp"

namespace {
using namespace support;
using mmd::estimator;
using mmd::detail::column_lanes;
using mmd::detail::column_reader;
using mmd::detail::position_set;
using mmd::detail::split_columns;

split_columns columns_of(index_t units, index_t chosen, index_t draws, bool enumerate = false) {
  position_set observed(units);
  for (index_t k = 0; k < chosen; ++k) observed.insert(units - 1 - k);
  const auto all = mmd::detail::binomial_coefficient(static_cast<std::uint64_t>(units), static_cast<std::uint64_t>(chosen));
  return {observed, units, chosen, 5, 3, enumerate ? all : static_cast<std::uint64_t>(draws) + 1, enumerate};
}
std::vector<std::int32_t> some_names(index_t units) {
  std::vector<std::int32_t> out;
  for (const index_t u : mmd::random_stream(8, mmd::purpose::user).permutation(units)) out.push_back(static_cast<std::int32_t>(u));
  return out;
}
std::vector<index_t> chosen_of(const split_columns& columns, index_t column) {
  position_set set(columns.units());
  columns.get(column, set);
  std::vector<index_t> out;
  set.for_each([&](index_t u) { out.push_back(u); });
  return out;
}
// Columns first ... first + 15 as the reader gives them are those of split_columns.
void check_sixteen(const split_columns& columns, index_t first, const std::vector<std::int32_t>& names) {
  std::vector<std::uint32_t> plain(at(columns.chosen() * column_lanes)), named(plain.size());
  std::vector<double> labels(at(columns.units() * column_lanes));
  column_reader(columns).read(first, plain.data());
  column_reader(columns, names.data()).read(first, named.data());
  column_reader(columns).read_labels(first, labels.data());
  bool same = true;
  for (index_t c = 0; c < column_lanes && (first == 0 || first + c < columns.columns()); ++c) {
    const auto chosen = chosen_of(columns, first == 0 ? 0 : first + c);
    std::vector<index_t> expected_names;
    for (const index_t u : chosen) expected_names.push_back(names[at(u)]);
    std::sort(expected_names.begin(), expected_names.end());
    for (index_t k = 0; k < columns.chosen(); ++k) {
      same = same && plain[at(k * column_lanes + c)] == static_cast<std::uint32_t>(chosen[at(k)]);
      same = same && named[at(k * column_lanes + c)] == static_cast<std::uint32_t>(expected_names[at(k)]);
    }
    for (index_t u = 0; u < columns.units(); ++u) {
      same = same && labels[at(u * column_lanes + c)] == double(std::binary_search(chosen.begin(), chosen.end(), u));
    }
  }
  INFO(columns.units() << " units, " << columns.chosen() << " chosen, columns from " << first);
  CHECK(same);
}
}  // namespace

TEST_CASE("sixteen columns read at once are the columns one by one") {
  for (const auto& [units, chosen] : std::vector<std::pair<index_t, index_t>>{{2, 1}, {3, 1}, {5, 2}, {40, 20}, {110, 10}, {300, 70}}) {
    const auto columns = columns_of(units, chosen, 40);
    for (const index_t first : {0, 1, 17, 33}) check_sixteen(columns, first, some_names(units));
  }
  const auto all = columns_of(7, 3, 0, true);
  for (const index_t first : {0, 1, 17, 33}) check_sixteen(all, first, some_names(7));
}

TEST_CASE("columns whose numbers are drawn again are the same ones too") {
  const index_t units = 60000, chosen = 3;
  const auto columns = columns_of(units, chosen, 10'000'000);
  index_t found = 0;
  std::uint32_t unused[column_lanes];
  for (index_t first = 1; found < 2 && first < columns.columns(); first += column_lanes) {
    mmd::random_streams numbers(columns.seed(), mmd::purpose::permutation, columns.test(), static_cast<std::uint64_t>(first) - 1);
    std::uint32_t again = 0;
    for (index_t last = units - chosen; last < units; ++last) again |= numbers.below(static_cast<std::uint32_t>(last) + 1, unused);
    if (again == 0) continue;
    check_sixteen(columns, first, some_names(units));
    ++found;
  }
  CHECK(found == 2);
}

TEMPLATE_TEST_CASE("statistics from look-ups and from products are those of double loops", "", float, double) {
  using T = TestType;
  bool looked_up = false, multiplied = false;
  for (const auto& [units, chosen] :
       std::vector<std::pair<index_t, index_t>>{{4, 2}, {9, 4}, {33, 16}, {60, 2}, {150, 7}, {150, 75}, {700, 66}, {700, 300}}) {
    for (const bool discrete : {false, true}) {
      const auto x = discrete ? binary<T>(chosen, 2, 1) : normal<T>(chosen, 2, 1);
      const auto y = discrete ? binary<T>(units - chosen, 2, 2) : normal<T>(units - chosen, 2, 2);
      const auto formula = [](const auto& a, const auto& b) { return gaussian_formula{1.1}(a, b) + linear_formula{}(a, b); };
      const auto matrix = pooled_matrix(x, y, formula);
      std::vector<T> gram;
      for (const double v : matrix.values) gram.push_back(static_cast<T>(v));
      const mmd::detail::table_pairs<T> pairs{gram.data(), units};
      // Column positions are rows in another order.
      const auto row_of = some_names(units);
      const auto columns = columns_of(units, chosen, 99);
      position_set observed(units);
      for (index_t p = 0; p < units; ++p) {
        if (columns.observed().contains(p)) observed.insert(row_of[at(p)]);
      }
      const auto table = mmd::detail::tabulate(pairs, units, observed);
      const bool dense = mmd::detail::table_evaluation<mmd::detail::table_pairs<T>>::dense_is_cheaper(units, chosen);
      (dense ? multiplied : looked_up) = true;
      for (const auto which : {estimator::unbiased, estimator::biased}) {
        const bool biased = which == estimator::biased;
        const mmd::detail::table_evaluation evaluation(pairs, table.table, which, columns, row_of.data());
        std::vector<double> values(100);
        evaluation(0, 100, values.data());
        double worst = 0;
        for (index_t c = 0; c < 100; ++c) {
          oracle::split in_x(at(units));
          for (const index_t p : chosen_of(columns, c)) in_x[at(row_of[at(p)])] = true;
          worst = std::max(worst, std::abs(values[at(c)] - oracle::mmd2(matrix, in_x, biased)));
          if (c == 0) CHECK(table.tolerance == Approx(oracle::tolerance(matrix, in_x, double(std::numeric_limits<T>::epsilon()))));
        }
        INFO(units << " units, " << chosen << " chosen, discrete " << discrete << ", biased " << biased);
        CHECK(worst <= table.tolerance / 4);
        // A column's place does not change its bits.
        for (const index_t first : {1, 16, 50}) {
          std::vector<double> part(at(100 - first));
          evaluation(first, 100 - first, part.data());
          CHECK(std::equal(part.begin(), part.end(), values.begin() + first));
        }
      }
    }
  }
  CHECK(looked_up);
  CHECK(multiplied);
}
