// SPDX-License-Identifier: MIT
#include <string>
#include <vector>

#include "mmd/core/matrix.hpp"
#include "mmd/engine/backend.hpp"
#include "mmd/engine/weighted_sums.hpp"
#include "support/catch2.hpp"

using namespace mmd;
using Catch::Matchers::Equals;

namespace {

template <class F>
std::string refused(F&& f) {
  try {
    f();
  } catch (const invalid_input& e) {
    return e.what();
  }
  return "";
}

layout of(std::vector<index_t> rows) {
  layout l;
  for (const index_t n : rows) l.rows += n;
  l.group_rows = rows;
  l.diagonal.assign(static_cast<std::size_t>(l.rows), 0.5);
  return l;
}

}  // namespace

TEST_CASE("every reducer is one, prepares to zero and merges by adding", "[engine]") {
  STATIC_REQUIRE(reducer<row_sums>);
  STATIC_REQUIRE(reducer<weighted_row_sums>);
  STATIC_REQUIRE(reducer<block_sums>);
  STATIC_REQUIRE(reducer<quadratic_forms>);
  STATIC_REQUIRE(reducer<paired_values>);
  STATIC_REQUIRE(reducer<gram<float>>);
  const layout l = of({3, 2});
  row_sums a;
  a.prepare(l);
  CHECK(a.sums == std::vector<double>(10));
  CHECK(a.bytes(l) == 80);
  row_sums b = a;
  a.sums[3] = 1;
  b.sums[3] = 2;
  a.merge(b);
  CHECK(a(3, 0) == 3);
  CHECK(a(3, 1) == 0);
  a.prepare(l);
  CHECK(a.sums == std::vector<double>(10));
}

TEST_CASE("bins name their rows and sum the diagonal", "[engine]") {
  const layout l = of({3, 2});
  block_sums r{{2, 1, 2}};
  r.prepare(l);
  CHECK(r.bin == std::vector<int>{0, 0, 1, 2, 2});
  CHECK(r.diagonal == std::vector<double>{1, 0.5, 1});
  CHECK(r.bytes(l) == 8 * 9 + 8 * 6 + 4 * 5);
  block_sums short_of_rows{{2, 2}}, empty_bin{{2, 0, 3}};
  CHECK_THAT(refused([&] { short_of_rows.prepare(l); }),
             Equals("mmd: block_sums: the sum of bin_rows = 4, expected the number of pooled rows"));
  CHECK_THAT(refused([&] { empty_bin.prepare(l); }), Equals("mmd: block_sums: bin_rows = 0, expected at least one row in every bin"));
}

TEST_CASE("labels are bits, the words of a block's columns side by side", "[engine]") {
  label_matrix v(70, 67);
  for (index_t i = 0; i < 70; ++i) {
    for (index_t b = 0; b < 67; ++b) {
      CHECK_FALSE(v(i, b));
      if ((3 * i + b) % 5 == 0) v.set(i, b);
    }
  }
  for (index_t b = 0; b < 67; ++b) {
    std::uint64_t word[3] = {};
    for (index_t i = 0; i < 70; ++i) {
      CHECK(v(i, b) == ((3 * i + b) % 5 == 0));
      word[i / 64] |= std::uint64_t{v(i, b)} << (i % 64);
    }
    for (index_t w = 0; w < 3; ++w) CHECK(*v.word(w, b) == word[w]);
    if (b % 64 != 0) CHECK(v.word(1, b) == v.word(1, b - 1) + 1);
  }
  quadratic_forms q(v);
  CHECK_THAT(refused([&] { q.prepare(of({4})); }),
             Equals("mmd: quadratic_forms: labels.rows() = 70, expected one label for each pooled row"));
  q.prepare(of({70}));
  CHECK(q.value == std::vector<double>(67));
}

TEST_CASE("paired values want two samples of equal size", "[engine]") {
  paired_values p;
  CHECK_THAT(refused([&] {
               p.prepare(of({3, 2}));
             }),
             Equals("mmd: y.rows() = 2, expected two samples of equal size for a paired estimator"));
  CHECK_THAT(refused([&] { p.prepare(of({3})); }), Equals("mmd: y.rows() = 3, expected two samples of equal size for a paired estimator"));
  p.prepare(of({3, 3}));
  CHECK(p.pairs.size() == 3);
}

TEST_CASE("a gram matrix starts with its diagonal", "[engine]") {
  gram<float> g;
  g.prepare(of({2, 1}));
  CHECK(g.values == std::vector<float>{0.5f, 0, 0, 0, 0.5f, 0, 0, 0, 0.5f});
  CHECK(g.bytes(of({2, 1})) == 36);
}

TEST_CASE("samples are checked by name: rows, columns, finite values", "[engine]") {
  matrix<double> x(2, 2), y(2, 3), none(1, 0), one(1, 2);
  CHECK_THAT(refused([&] { check_sample(samples<double>(one), "x", 2); }), Equals("mmd: x.rows() = 1, expected at least 2"));
  CHECK_THAT(refused([&] { check_sample(samples<double>(none), "x"); }), Equals("mmd: x.cols() = 0, expected at least 1"));
  CHECK_THAT(refused([&] { check_samples(samples<double>(x), samples<double>(y)); }),
             Equals("mmd: y.cols() = 3, expected as many columns as x, 2"));
  y(1, 2) = std::nan("");
  CHECK_THAT(refused([&] { check_sample(samples<double>(y), "y"); }), Equals("mmd: y(1, 2) = nan, expected a finite number"));
  y(1, 2) = -HUGE_VAL;
  CHECK_THAT(refused([&] { check_sample(samples<double>(y), "y"); }), Equals("mmd: y(1, 2) = -inf, expected a finite number"));
  CHECK(refused([&] { check_samples(samples<double>(x), samples<double>(x), 2); }).empty());
}

TEST_CASE("pooling keeps views in order", "[engine]") {
  const matrix<float> x(3, 2), y(4, 2);
  const auto z = pool(x, y);
  CHECK(z.rows() == 7);
  CHECK(z.cols() == 2);
  CHECK(z.groups[1].data() == y.data());
  CHECK(pooled<float>{}.rows() == 0);
  CHECK(pooled<float>{}.cols() == 0);
}
