// SPDX-License-Identifier: MIT
#include <cmath>
#include <string>
#include <vector>

#include "complex_number.hpp"
#include "mmd/kernels/dual.hpp"
#include "mmd/kernels/plan.hpp"
#include "oracle/kernels.hpp"
#include "support/catch2.hpp"

using namespace mmd;
namespace ref = oracle::kernels;

namespace {

// A user's own kernel, in eight lines.
struct cauchy {
  static constexpr auto reads = pair::squared_distance;
  static constexpr bool nonnegative = true;
  double scale = 1;
  template <class V>
  MMD_HD V operator()(V d2) const {
    return V(1) / (V(1) + V(1 / scale) * d2);
  }
};

// f(name, kernel, the same kernel in plain code).
template <class F>
void for_each_kernel(F&& f) {
  f("gaussian", gaussian(1.3), ref::gaussian(1.3));
  f("laplace", laplace(0.7), ref::laplace(0.7));
  f("inverse_multiquadric", inverse_multiquadric(2.1), ref::inverse_multiquadric(2.1));
  f("rational_quadratic", rational_quadratic(0.9, 2.5), ref::rational_quadratic(0.9, 2.5));
  f("rational_quadratic, default alpha", rational_quadratic(1.1), ref::rational_quadratic(1.1, 1));
  f("matern32", matern32(1.7), ref::matern32(1.7));
  f("matern52", matern52(0.6), ref::matern52(0.6));
  f("energy", energy(), ref::energy());
  f("polynomial", polynomial(3, 0.4, 1.2), ref::polynomial(3, 0.4, 1.2));
  f("polynomial of degree 1", polynomial(1, -2, 0.5), ref::polynomial(1, -2, 0.5));
  f("linear", linear(), ref::linear());
  f("cauchy", cauchy{1.5}, ref::rational_quadratic(std::sqrt(0.75), 1));
}

double quantity(pair what, const ref::row& x, const ref::row& y) {
  switch (what) {
    case pair::squared_distance:
      return static_cast<double>(ref::squared_distance(x, y));
    case pair::inner_product:
      return static_cast<double>(ref::inner_product(x, y));
    default:
      return static_cast<double>(ref::l1_distance(x, y));
  }
}

const std::vector<ref::row> points{{0, 0, 0}, {1, -2, 0.5}, {1, -2, 0.5}, {0.25, 3, -1}, {-4, 0.125, 2}, {1e-9, 0, 0}, {30, -40, 10}};

}  // namespace

TEST_CASE("every kernel has its formula's values, in double and in float", "[kernels]") {
  for_each_kernel([](const std::string& name, const auto& k, const ref::kernel_function& expected) {
    INFO(name);
    for (const auto& x : points) {
      for (const auto& y : points) {
        const double u = quantity(k.reads, x, y), value = static_cast<double>(expected(x, y));
        CHECK(std::abs(k(number<double>(u)).v - value) <= 1e-14 * std::max(1.0, std::abs(value)));
        CHECK(std::abs(static_cast<double>(k(number<float>(u)).v) - value) <= 2e-6 * std::max(1.0, std::abs(value)));
      }
    }
  });
}

TEST_CASE("the derivative by dual numbers is the complex step's", "[kernels]") {
  for_each_kernel([](const std::string& name, const auto& k, const ref::kernel_function&) {
    INFO(name);
    for (const double u : {1e-6, 0.01, 0.3, 1.0, 2.7, 11.0, 60.0}) {
      const double step = 1e-30, expected = k(complex_number({u, step})).v.imag() / step;
      const dual<number<double>> got = k(dual<number<double>>(u, 1.0));
      // the Matern kernels' terms in 1/r cancel
      CHECK(std::abs(got.d.v - expected) <= (4e-14 + 1e-15 / std::sqrt(u)) * std::max(std::abs(expected), 1e-30));
      CHECK(got.v.v == Approx(k(number<double>(u)).v).epsilon(1e-14));  // compilers contract the two differently
    }
  });
}

TEST_CASE("at distance 0 every derivative is finite", "[kernels]") {
  for_each_kernel([](const std::string& name, const auto& k, const ref::kernel_function&) {
    INFO(name);
    CHECK(std::isfinite(k(dual<number<double>>(0.0, 1.0)).d.v));
    CHECK(std::isfinite(k(dual<number<float>>(0.0f, 1.0f)).d.v));
  });
}

TEST_CASE("kernels refuse parameters that mean nothing, and name them", "[kernels]") {
  const auto message = [](auto make) -> std::string {
    try {
      make();
    } catch (const invalid_input& e) {
      return e.what();
    }
    return "";
  };
  using Catch::Matchers::Equals;
  const double nan = std::nan("");
  CHECK_THAT(message([] { gaussian(0); }), Equals("mmd: bandwidth = 0, expected a finite number above 0"));
  CHECK_THAT(message([] { laplace(-1.5); }), Equals("mmd: bandwidth = -1.5, expected a finite number above 0"));
  CHECK_THAT(message([=] { inverse_multiquadric{nan}; }), Equals("mmd: bandwidth = nan, expected a finite number above 0"));
  CHECK_THAT(message([] { matern32{HUGE_VAL}; }), Equals("mmd: bandwidth = inf, expected a finite number above 0"));
  CHECK_THAT(message([] { matern52(0); }), Equals("mmd: bandwidth = 0, expected a finite number above 0"));
  CHECK_THAT(message([] { rational_quadratic(1, 0); }), Equals("mmd: alpha = 0, expected a finite number above 0"));
  CHECK_THAT(message([] { rational_quadratic(0, 1); }), Equals("mmd: bandwidth = 0, expected a finite number above 0"));
  CHECK_THAT(message([] { polynomial(0); }), Equals("mmd: degree = 0, expected 1 to 64"));
  CHECK_THAT(message([=] { polynomial(2, nan); }), Equals("mmd: scale = nan, expected a finite number"));
  CHECK_THAT(message([=] { polynomial(2, 1, nan); }), Equals("mmd: offset = nan, expected a finite number"));
}
