// SPDX-License-Identifier: MIT
#include "mmd/learning/standardizer.hpp"

#include "support/catch2.hpp"
#include "support/failures.hpp"
#include "support/learning.hpp"

namespace {
template <class T>
mmd::matrix<T> standardised(const mmd::Standardizer& s, const mmd::matrix<T>& x) {
  return s(mmd::samples<T>(x));
}
template <class T>
mmd::Standardizer fitted(const mmd::matrix<T>& x, const mmd::matrix<T>& y) {
  return mmd::Standardizer::fit(mmd::samples<T>(x), mmd::samples<T>(y));
}
}  // namespace

TEMPLATE_TEST_CASE("the moments are those of all training rows together", "[standardizer]", float, double) {
  using T = TestType;
  const auto x = support::normal<T>(30, 3, 1, 5, 100), y = support::normal<T>(12, 3, 2, 1, -2);
  const auto s = fitted(x, y);
  auto all = support::to_rows(x);
  for (const auto& row : support::to_rows(y)) all.push_back(row);
  for (std::size_t k = 0; k < 3; ++k) {
    double mean = 0, squares = 0;
    for (const auto& row : all) mean += row[k] / 42;
    for (const auto& row : all) squares += (row[k] - mean) * (row[k] - mean) / 42;
    CHECK(s.means()[k] == Approx(mean).epsilon(1e-12));
    CHECK(s.deviations()[k] == Approx(std::sqrt(squares)).epsilon(1e-12));
    const auto z = standardised(s, x);
    for (std::size_t i = 0; i < 30; ++i) {
      CHECK(z(static_cast<mmd::index_t>(i), static_cast<mmd::index_t>(k)) == Approx((all[i][k] - mean) / std::sqrt(squares)).epsilon(1e-5));
    }
  }
}

TEST_CASE("values far out are clipped at 4 deviations, however far", "[standardizer]") {
  const mmd::Standardizer s({1, 0}, {2, 1});
  const mmd::matrix<double> x(2, 2, {9.5, -1e300, 1e300, 3.9});
  CHECK(standardised(s, x).values() == std::vector<double>{4, -4, 4, 3.9});
}

TEST_CASE("a column that is the same in all training rows becomes zeros", "[standardizer]") {
  for (const double value : {0.0, 0.1, -1e20, 1e-20}) {
    const mmd::matrix<double> x(3, 2, {value, 1, value, 2, value, 3}), y(1, 2, {value, 4});
    const auto s = fitted(x, y);
    CHECK(s.deviations()[0] == 1);
    const auto z = standardised(s, x);
    for (mmd::index_t i = 0; i < 3; ++i) CHECK(std::abs(z(i, 0)) < 1e-4 * std::max(1.0, std::abs(value)));
  }
  const mmd::matrix<double> x(3, 1, {0.1, 0.1, 0.1}), y(1, 1, {0.1});
  CHECK(standardised(fitted(x, y), x) == mmd::matrix<double>(3, 1));
}

TEST_CASE("the standardiser names what it cannot use", "[standardizer]") {
  const auto message = [](auto&& f) { return message_of<mmd::invalid_input>(f); };
  const auto x = support::normal<double>(4, 3, 1), other = support::normal<double>(4, 2, 1);
  auto bad = x;
  bad(2, 1) = std::numeric_limits<double>::infinity();
  CHECK(mentions(message([&] { fitted(x, other); }), "y.cols() = 2"));
  CHECK(mentions(message([&] { fitted(bad, x); }), "x(2, 1) = inf, expected a finite number"));
  CHECK(mentions(message([&] { fitted(x, mmd::matrix<double>(0, 3)); }), "y.rows() = 0"));
  CHECK(
      mentions(message([&] { standardised(fitted(x, x), other); }), "x.cols() = 2, expected 3, as many columns as the training rows had"));
  CHECK(mentions(message([] { mmd::Standardizer({1, 2}, {1}); }), "deviations.size() = 1"));
  CHECK(mentions(message([] { mmd::Standardizer({1, 2}, {1, 0}); }), "deviations = 0, expected finite numbers above 0"));
  CHECK(mentions(message([] { mmd::Standardizer({NAN}, {1}); }), "means = nan"));
}
