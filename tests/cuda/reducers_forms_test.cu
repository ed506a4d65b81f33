// SPDX-License-Identifier: MIT
// Quadratic forms of labels, on the device, against sums by definition.
#include <cmath>

#include "reducers.cuh"
#include "support/catch2.hpp"

namespace {

using fed::problem;
using mmd::index_t;

// Whether row i has label 1 in column b. Columns b and b + 37 are equal; there are columns of zeros and of ones only.
bool label(index_t i, index_t b) {
  const index_t kind = b % 37;
  if (kind == 3) return false;
  if (kind == 5) return true;
  if (kind == 7) return i % 2 == 0;
  if (kind == 11) return i < 64;
  const auto mixed = static_cast<std::uint64_t>(i * 37 + kind + 1) * 0x9e3779b97f4a7c15u;
  return ((mixed ^ mixed >> 29) * 0xbf58476d1ce4e5b9u >> 63) != 0;
}

template <class T>
void check_forms(const problem<T>& z, index_t columns) {
  mmd::label_matrix labels(z.rows, columns);
  std::vector<double> sum, size;
  for (index_t b = 0; b < columns; ++b) {
    long double s = 0, a = 0;
    for (index_t i = 0; i < z.rows; ++i) {
      if (!label(i, b)) continue;
      labels.set(i, b);
      if (b >= 37) continue;
      for (index_t j = 0; j < z.rows; ++j) {
        if (!label(j, b)) continue;
        s += z(i, j);
        a += std::abs(z(i, j));
      }
    }
    sum.push_back(b < 37 ? static_cast<double>(s) : sum[static_cast<std::size_t>(b - 37)]);
    size.push_back(b < 37 ? static_cast<double>(a) : size[static_cast<std::size_t>(b - 37)]);
  }
  constexpr double allowed = std::is_same_v<T, double> ? 1e-14 : 2e-6;
  std::vector<double> others;
  fed::every_way(
      z, [&] { return mmd::quadratic_forms(labels); },
      [&](const mmd::quadratic_forms& r) {
        REQUIRE(r.value.size() == sum.size());
        bool good = true, equal = true;
        for (std::size_t b = 0; b < sum.size(); ++b) {
          good = good && std::abs(r.value[b] - sum[b]) <= allowed * size[b];
          if (b >= 37) equal = equal && r.value[b] == r.value[b - 37];
        }
        CHECK(good);
        CHECK(equal);  // a column's place leaves its bits alone
      },
      [](const mmd::quadratic_forms& a, const mmd::quadratic_forms& b) { CHECK(a.value == b.value); });
}

}  // namespace

TEMPLATE_TEST_CASE("device quadratic forms are those by definition, whatever the number of rows", "[cuda]", float, double) {
  for (const std::vector<index_t>& groups : std::vector<std::vector<index_t>>{
           {1}, {2}, {63}, {64}, {65}, {127}, {128}, {129}, {255}, {257}, {1, 2}, {70, 200}, {129, 3, 131}, {401}}) {
    CAPTURE(groups.front());
    check_forms(problem<TestType>(groups), 41);
  }
}

TEMPLATE_TEST_CASE("device quadratic forms are those by definition, whatever the number of columns", "[cuda]", float, double) {
  const problem<TestType> z({193});
  for (const index_t columns : {1, 7, 8, 9, 63, 64, 65, 128, 129, 200}) {
    CAPTURE(columns);
    check_forms(z, columns);
  }
}

TEST_CASE("device quadratic forms keep what float holds of K", "[cuda]") {
  // All values are 1 + 2^-20 and 1 + 2^-19: in two parts of 11 bits they are exact, in one they are not.
  problem<float> z({256});
  double sum = 0;
  for (index_t i = 0; i < z.rows; ++i) {
    for (index_t j = 0; j < z.rows; ++j) {
      float& v = z.k[static_cast<std::size_t>(i * z.rows + j)];
      if (i != j) v = (i + j) % 2 == 0 ? 1 + 0x1p-20f : 1 + 0x1p-19f;
      sum += static_cast<double>(v) - (i != j);
    }
  }
  mmd::label_matrix labels(z.rows, 1);
  for (index_t i = 0; i < z.rows; ++i) labels.set(i, 0);
  mmd::quadratic_forms r(labels);
  mmd::detail::device_context on(0);
  fed::pass<8>(on, z, 2, r);
  const double pairs = 256.0 * 255;
  CHECK(std::abs(r.value[0] - (pairs + sum)) <= .25 * sum);
}

TEST_CASE("device quadratic forms leave out skipped pairs of groups", "[cuda]") {
  check_forms(problem<double>({130, 129, 257}, {{0, 1}, {2, 2}}), 9);
  check_forms(problem<float>({130, 129, 257}, {{0, 0}}), 9);
}
