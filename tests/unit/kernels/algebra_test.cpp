// SPDX-License-Identifier: MIT
#include <cmath>
#include <vector>

#include "complex_number.hpp"
#include "mmd/core/matrix.hpp"
#include "mmd/kernels/plan.hpp"
#include "support/catch2.hpp"

using namespace mmd;

namespace {

struct doubled {
  matrix<double> operator()(const samples<double>& x) const {
    matrix<double> out(x.rows(), x.cols());
    for (index_t i = 0; i < x.rows(); ++i) {
      for (index_t k = 0; k < x.cols(); ++k) out(i, k) = 2 * x(i, k);
    }
    return out;
  }
};

template <class K>
double value(const K& k, std::initializer_list<double> quantities) {
  expression::values<number<double>, slots_of<K>> v{};
  int i = 0;
  for (const double q : quantities) v.v[i++] = q;
  return evaluate<number<double>>(k, v).v;
}

}  // namespace

TEST_CASE("an expression's value is that of its parts", "[kernels]") {
  const gaussian a(1.5);
  const inverse_multiquadric b(0.8);
  const double u = 1.7, va = a(number<double>(u)).v, vb = b(number<double>(u)).v;
  CHECK(value(a + b, {u}) == Approx(va + vb).epsilon(1e-15));
  CHECK(value(a * b, {u}) == Approx(va * vb).epsilon(1e-15));
  CHECK(value(0.25 * a, {u}) == Approx(0.25 * va).epsilon(1e-15));
  CHECK(value(a * 0.25 + 3.0, {u}) == Approx(0.25 * va + 3).epsilon(1e-15));
  CHECK(value(3.0 + a, {u}) == Approx(va + 3).epsilon(1e-15));
  CHECK(value(mixture(a, b), {u}) == Approx((va + vb) / 2).epsilon(1e-15));
  CHECK(value(mixture(a), {u}) == Approx(va).epsilon(1e-15));
}

TEST_CASE("equal quantities of one space are computed once", "[kernels]") {
  STATIC_REQUIRE(slots_of<decltype(mixture(gaussian(1), gaussian(2), energy()))>::size == 1);
  STATIC_REQUIRE(slots_of<decltype(gaussian(1) + laplace(1))>::size == 2);
  STATIC_REQUIRE(slots_of<decltype(gaussian(1) * polynomial(2) * linear())>::size == 2);
  STATIC_REQUIRE(slots_of<decltype(on(doubled{}, gaussian(1) + matern32(1)) * gaussian(1))>::size == 2);
  STATIC_REQUIRE(slots_of<decltype(on(doubled{}, gaussian(1)) * on(doubled{}, gaussian(1)))>::size == 2);  // two maps may differ
}

TEST_CASE("constants are found in reading order, and derivatives by them", "[kernels]") {
  const auto k = (0.9 * on(doubled{}, gaussian(1.2)) + 0.1) * gaussian(2.0);
  using K = decltype(k);
  using slots = slots_of<std::remove_const_t<K>>;
  STATIC_REQUIRE(constants_of<std::remove_const_t<K>>::size == 2);
  const double u = 0.7, q = 1.9;
  const double E = std::exp(-u / 2.88), Q = std::exp(-q / 8);
  const expression::values<number<double>, slots> at{{u, q}};
  CHECK(evaluate<number<double>>(k, at).v == Approx((0.9 * E + 0.1) * Q).epsilon(1e-14));
  CHECK(constant_derivative<number<double>>(k, at, 0).v == Approx(E * Q).epsilon(1e-14));
  CHECK(constant_derivative<number<double>>(k, at, 1).v == Approx(Q).epsilon(1e-14));
  CHECK(derivative<number<double>>(k, at, 0).v == Approx(-0.9 * E * Q / 2.88).epsilon(1e-14));
  CHECK(derivative<number<double>>(k, at, 1).v == Approx(-(0.9 * E + 0.1) * Q / 8).epsilon(1e-14));
}

TEST_CASE("derivatives of an expression are the complex step's in every slot", "[kernels]") {
  const auto k = mixture(gaussian(1.1), rational_quadratic(0.7, 3)) * polynomial(3, 0.5, 1) + 0.3 * laplace(2) * matern52(1.4);
  using slots = slots_of<std::remove_const_t<decltype(k)>>;
  STATIC_REQUIRE(slots::size == 3);
  const std::vector<double> u{0.8, -1.3, 2.2};
  for (int s = 0; s < 3; ++s) {
    expression::values<complex_number, slots> z{{u[0], u[1], u[2]}};
    const double step = 1e-30;
    z.v[s].v += std::complex<double>(0, step);
    const expression::values<number<double>, slots> at{{u[0], u[1], u[2]}};
    CHECK(derivative<number<double>>(k, at, s).v == Approx(evaluate<complex_number>(k, z).v.imag() / step).epsilon(1e-13));
  }
}

TEST_CASE("taking the maps out changes neither values nor slots", "[kernels]") {
  const auto k = (0.9 * on(doubled{}, gaussian(1.2)) + 0.1) * gaussian(2.0) + linear();
  const auto plain = without_maps(k);
  STATIC_REQUIRE(std::is_same_v<slots_of<std::remove_const_t<decltype(k)>>, slots_of<std::remove_const_t<decltype(plain)>>>);
  STATIC_REQUIRE(std::is_trivially_copyable_v<std::remove_const_t<decltype(plain)>>);
  CHECK(value(plain, {0.7, 1.9, 0.2}) == value(k, {0.7, 1.9, 0.2}));
}

TEST_CASE("facts about expressions", "[kernels]") {
  STATIC_REQUIRE(constant_diagonal<decltype(gaussian(1) * laplace(1) + 2.0)>);
  STATIC_REQUIRE_FALSE(constant_diagonal<decltype(gaussian(1) * linear())>);
  STATIC_REQUIRE_FALSE(constant_diagonal<decltype(on(doubled{}, polynomial(2)) + gaussian(1))>);
  CHECK(is_nonnegative(mixture(gaussian(1), laplace(2), matern32(1))));
  CHECK(is_nonnegative(0.5 * gaussian(1) + 0.1));
  CHECK_FALSE(is_nonnegative(-0.5 * gaussian(1)));
  CHECK_FALSE(is_nonnegative(gaussian(1) + energy()));
  CHECK_FALSE(is_nonnegative(gaussian(1) * linear()));
  CHECK_FALSE(is_nonnegative(on(doubled{}, polynomial(2))));
}
