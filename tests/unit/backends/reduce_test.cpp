// SPDX-License-Identifier: MIT
// Every reducer against the naive double loop, over sizes on the edges of packs, tiles and parts.
#include <numeric>
#include <string>
#include <vector>

#include "support.hpp"
#include "support/catch2.hpp"

using namespace mmd;
using namespace backends_test;

namespace {

struct shape {
  std::vector<index_t> rows;
  index_t cols;
};
const std::vector<shape> shapes{{{1, 1}, 1},    {{2, 1}, 3},        {{1}, 2},        {{5, 22}, 0},   {{16, 17}, 1},
                                {{31, 33}, 16}, {{127, 128}, 2},    {{128, 129}, 5}, {{129, 1}, 33}, {{255, 1, 2}, 4},
                                {{257, 64}, 1}, {{256, 3, 130}, 8}, {{20, 10}, 530}, {{300}, 3}};

// The reducers' results for one pass.
template <class T>
struct results {
  layout lay;
  row_sums sums, absolute{true};
  block_sums bins;
  gram<T> values;
  std::vector<double> forms;
  label_matrix labels;

  results(const pooled<T>& z, const auto& kernel, int threads) : labels(z.rows(), 11) {
    for (index_t left = z.rows(), b = 1; left > 0; left -= b, b = std::min<index_t>(left, b % 50 + 7))
      bins.bin_rows.push_back(std::min(b, left));
    random_stream random(5, purpose::permutation);
    for (index_t i = 0; i < z.rows(); ++i) {
      for (index_t b = 0; b < labels.columns(); ++b) {
        if (random.below(3) == 0) labels.set(i, b);
      }
    }
    quadratic_forms q(labels);
    lay = cpu{.threads = threads}.reduce(kernel, z, sums, bins, q, values, absolute);
    forms = q.value;
  }
};

template <class T>
void compare(const shape& s, const auto& kernel, const ref::kernel_function& expected, double tolerance) {
  std::vector<matrix<T>> groups;
  for (std::size_t g = 0; g < s.rows.size(); ++g)
    groups.push_back(normal_rows<T>(s.rows[g], s.cols, 7 + g, 1, 0.3 * static_cast<double>(g)));
  if (s.cols > 0 && groups[0].rows() > 1) {
    for (index_t k = 0; k < s.cols; ++k) groups[0](1, k) = groups[0](0, k);  // a duplicate
    for (auto& g : groups) {
      for (index_t i = 0; i < g.rows(); ++i) g(i, 0) = T(2.5);  // a constant column
    }
  }
  const auto z = pool_of(groups);
  const auto K = ref::gram(oracle_rows(z), expected);
  const std::vector<int> group = groups_of(z);
  const std::size_t n = K.size();
  const results<T> one(z, kernel, 1);
  INFO("rows " << Catch::rangeToString(s.rows) << " columns " << s.cols);

  CHECK(one.lay.rows == static_cast<index_t>(n));
  CHECK(one.lay.group_rows == s.rows);
  double largest = 1e-300;
  for (const auto& row : K) {
    for (const double v : row) largest = std::max(largest, std::abs(v));
  }
  double worst_entry = 0, worst_sum = 0, worst_absolute = 0, worst_bin = 0, worst_form = 0;
  std::vector<double> sums(n * s.rows.size()), absolute(sums.size()), bins(one.bins.sums.size()), bin_diagonal(one.bins.diagonal.size()),
      forms(11);
  for (std::size_t i = 0; i < n; ++i) {
    worst_entry = std::max(worst_entry, std::abs(K[i][i] - one.lay.diagonal[i]));
    bin_diagonal[static_cast<std::size_t>(one.bins.bin[i])] += K[i][i];
    for (std::size_t j = 0; j < n; ++j) {
      worst_entry =
          std::max(worst_entry, std::abs(K[i][j] - static_cast<double>(one.values(static_cast<index_t>(i), static_cast<index_t>(j)))));
      if (i == j) continue;
      sums[static_cast<std::size_t>(group[j]) * n + i] += K[i][j];
      absolute[static_cast<std::size_t>(group[j]) * n + i] += std::abs(K[i][j]);
      bins[static_cast<std::size_t>(one.bins.bin[i]) * one.bins.bin_rows.size() + static_cast<std::size_t>(one.bins.bin[j])] += K[i][j];
      for (index_t b = 0; b < 11; ++b)
        forms[static_cast<std::size_t>(b)] += one.labels(static_cast<index_t>(i), b) * K[i][j] * one.labels(static_cast<index_t>(j), b);
    }
  }
  for (std::size_t e = 0; e < sums.size(); ++e) {
    worst_sum = std::max(worst_sum, std::abs(sums[e] - one.sums.sums[e]));
    worst_absolute = std::max(worst_absolute, std::abs(absolute[e] - one.absolute.sums[e]));
  }
  for (std::size_t e = 0; e < bins.size(); ++e) worst_bin = std::max(worst_bin, std::abs(bins[e] - one.bins.sums[e]));
  for (std::size_t e = 0; e < bin_diagonal.size(); ++e) CHECK(one.bins.diagonal[e] == Approx(bin_diagonal[e]).epsilon(tolerance));
  for (std::size_t b = 0; b < forms.size(); ++b) worst_form = std::max(worst_form, std::abs(forms[b] - one.forms[b]));
  const double rows = static_cast<double>(n);
  CHECK(worst_entry <= tolerance * largest * (1 + static_cast<double>(s.cols) / 20));  // equal rows: |x|^2 + |y|^2 - 2x'y cancels
  CHECK(worst_sum <= tolerance * largest * rows);
  CHECK(worst_absolute <= tolerance * largest * rows);
  CHECK(worst_bin <= tolerance * largest * 2500);  // entries of a bin
  CHECK(worst_form <= tolerance * largest * rows * std::sqrt(rows) * 4);

  for (const int threads : {2, 3, 7}) {
    const results<T> more(z, kernel, threads);
    CHECK(more.sums.sums == one.sums.sums);
    CHECK(more.absolute.sums == one.absolute.sums);
    CHECK(more.bins.sums == one.bins.sums);
    CHECK(more.values.values == one.values.values);
    CHECK(more.forms == one.forms);
  }
}

template <class T>
void compare_all(const auto& kernel, const ref::kernel_function& expected, double tolerance) {
  for (const shape& s : shapes) compare<T>(s, kernel, expected, tolerance);
}

struct halves {  // a feature map: the first column and twice the last
  template <class T>
  matrix<T> operator()(const samples<T>& x) const {
    matrix<T> out(x.rows(), 2);
    for (index_t i = 0; i < x.rows(); ++i) {
      out(i, 0) = x.cols() ? x(i, 0) : T(0);
      out(i, 1) = x.cols() ? 2 * x(i, x.cols() - 1) : T(0);
    }
    return out;
  }
};
ref::row halves_of(const ref::row& x) { return x.empty() ? ref::row{0, 0} : ref::row{x.front(), 2 * x.back()}; }

}  // namespace

TEST_CASE("reducers agree with the naive loop: squared distances", "[reduce]") {
  compare_all<double>(gaussian(2), ref::gaussian(2), 1e-14);
  compare_all<float>(gaussian(2), ref::gaussian(2), 2e-6);
  compare_all<float>(rational_quadratic(1.5, 2), ref::rational_quadratic(1.5, 2), 2e-6);
}
TEST_CASE("reducers agree with the naive loop: roots of squared distances", "[reduce]") {
  // near 0 a root has half the digits of its argument: the squared distance is right to eps times the squared norms
  for (const shape& s : {shapes[0], shapes[5], shapes[6], shapes[9]}) {
    compare<double>(s, energy(), ref::energy(), 3e-7);
    compare<float>(s, energy(), ref::energy(), 5e-3);
    compare<double>(s, matern32(2), ref::matern32(2), 1e-14);
    compare<float>(s, matern52(2), ref::matern52(2), 5e-6);
    compare<double>(s, inverse_multiquadric(2), ref::inverse_multiquadric(2), 1e-14);
  }
}
TEST_CASE("reducers agree with the naive loop: l1 distances", "[reduce]") {
  compare_all<double>(laplace(3), ref::laplace(3), 1e-14);
  compare_all<float>(laplace(3), ref::laplace(3), 5e-6);
}
TEST_CASE("reducers agree with the naive loop: inner products", "[reduce]") {
  compare_all<double>(polynomial(3, 0.1, 1), ref::polynomial(3, 0.1L, 1), 1e-13);
  compare_all<float>(linear(), ref::linear(), 2e-6);
}
TEST_CASE("reducers agree with the naive loop: expressions over several spaces", "[reduce]") {
  const auto deep = (0.9 * on(halves{}, gaussian(1.5)) + 0.1) * gaussian(3);
  const auto expected =
      ref::product(ref::sum(ref::scaled(0.9L, ref::on(halves_of, ref::gaussian(1.5L))), ref::constant(0.1L)), ref::gaussian(3));
  compare_all<double>(deep, expected, 1e-14);
  compare_all<float>(deep, expected, 2e-6);
  const auto mixed = gaussian(2) * polynomial(2, 0.1, 1) + 0.5 * laplace(4);
  const auto of_mixed = ref::sum(ref::product(ref::gaussian(2), ref::polynomial(2, 0.1L, 1)), ref::scaled(0.5L, ref::laplace(4)));
  for (const shape& s : {shapes[2], shapes[8], shapes[11]}) {
    compare<double>(s, mixed, of_mixed, 1e-13);
    compare<float>(s, mixed, of_mixed, 1e-5);
  }
}

TEST_CASE("given features are read instead of a map", "[reduce]") {
  const auto x = normal_rows<double>(130, 6, 1), y = normal_rows<double>(20, 6, 2), f = normal_rows<double>(150, 3, 3);
  const auto z = pool(x, y);
  gram<double> with, plain;
  cpu{}.reduce(on(given(f), gaussian(1.2)), z, with);
  cpu{}.reduce(gaussian(1.2), pooled<double>{{samples<double>(f)}}, plain);
  for (index_t i = 0; i < 150; ++i) {
    for (index_t j = 0; j < 150; ++j) CHECK(with(i, j) == Approx(plain(i, j)).epsilon(1e-13));
  }
}

TEST_CASE("an order permutes the rows and hides the groups", "[reduce]") {
  const auto x = normal_rows<float>(140, 5, 1), y = normal_rows<float>(33, 5, 2);
  auto z = pool(x, y);
  gram<float> plain, permuted;
  row_sums sums;
  cpu{}.reduce(gaussian(2), z, plain);
  z.order = random_stream(3, purpose::row_order).permutation(173);
  const layout lay = cpu{}.reduce(gaussian(2), z, permuted, sums);
  CHECK(lay.groups() == 1);
  for (index_t p = 0; p < 173; ++p) {
    double sum = 0;
    for (index_t q = 0; q < 173; ++q) {
      CHECK(permuted(p, q) == Approx(plain(z.order[static_cast<std::size_t>(p)], z.order[static_cast<std::size_t>(q)])).epsilon(1e-5));
      if (p != q) sum += static_cast<double>(permuted(p, q));
    }
    CHECK(sums(p, 0) == Approx(sum).epsilon(1e-5));
  }
}

TEST_CASE("with an order, how the rows are split into groups does not touch a bit", "[reduce]") {
  const auto all = normal_rows<float>(300, 7, 1, 1, 1e3);
  const samples<float> rows(all);
  const auto order = random_stream(3, purpose::row_order).permutation(300);
  gram<float> first;
  for (const index_t cut : {1, 100, 128, 299}) {
    gram<float> k;
    cpu{}.reduce(gaussian(2), pooled<float>{{rows.middle_rows(0, cut), rows.middle_rows(cut, 300 - cut)}, order}, k);
    if (first.values.empty()) first = k;
    CHECK(k.values == first.values);
  }
}

TEST_CASE("paired values are the right entries", "[reduce]") {
  for (const index_t n : {1, 5, 128, 129, 300}) {
    const auto x = normal_rows<double>(n, 4, 1), y = normal_rows<double>(n, 4, 2);
    paired_values pairs;
    gram<double> values;
    cpu{}.reduce(gaussian(2), pool(x, y), pairs, values);
    for (index_t i = 0; i < n; ++i) CHECK(pairs.pairs[static_cast<std::size_t>(i)] == values(i, n + i));
  }
}

TEST_CASE("skipped pairs of groups add nothing, in whichever order they are named", "[reduce]") {
  const std::vector<matrix<double>> groups{normal_rows<double>(150, 4, 1), normal_rows<double>(70, 4, 2), normal_rows<double>(20, 4, 3)};
  auto z = pool_of(groups);
  gram<double> all;
  cpu{}.reduce(gaussian(2), z, all);
  const std::vector<int> group = groups_of(z);
  for (const auto& skip : std::vector<std::vector<std::pair<int, int>>>{
           {{0, 0}, {1, 1}}, {{1, 0}, {2, 2}}, {{0, 1}, {0, 2}, {2, 1}}, {{0, 0}, {1, 1}, {2, 2}, {0, 1}, {0, 2}, {1, 2}}}) {
    z.skip = skip;
    row_sums sums;
    cpu{}.reduce(gaussian(2), z, sums);
    std::vector<double> expected(sums.sums.size());
    for (index_t i = 0; i < 240; ++i) {
      for (index_t j = 0; j < 240; ++j) {
        const int g = group[static_cast<std::size_t>(i)], h = group[static_cast<std::size_t>(j)];
        const bool skipped = std::any_of(skip.begin(), skip.end(), [&](auto s) { return s == std::pair(g, h) || s == std::pair(h, g); });
        if (i != j && !skipped) expected[static_cast<std::size_t>(h * 240 + i)] += all(i, j);
      }
    }
    for (std::size_t e = 0; e < expected.size(); ++e) CHECK(sums.sums[e] == Approx(expected[e]).epsilon(1e-12).margin(1e-300));
  }
}
