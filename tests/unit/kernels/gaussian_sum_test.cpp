// SPDX-License-Identifier: MIT
#include <cmath>
#include <vector>

#include "mmd/kernels/plan.hpp"
#include "support/catch2.hpp"

using namespace mmd;

namespace {

double exact(const std::vector<double>& bandwidths, double d2) {
  double sum = 0;
  for (const double h : bandwidths) sum += std::exp(-d2 / (2 * h * h));
  return sum;
}

// Counts the exponentials that a sum takes.
struct counting {
  double v;
  int* count = nullptr;
  counting(double value, int* c = nullptr) : v(value), count(c) {}
  friend counting operator+(counting a, counting b) { return {a.v + b.v, a.count}; }
  friend counting operator*(counting a, counting b) { return {a.v * b.v, a.count}; }
  friend counting exp2_product(counting rate, counting x) {
    ++*x.count;
    return {std::exp2(rate.v * x.v), x.count};
  }
};
template <class K>
int exponentials(const K& k) {
  int count = 0;
  without_maps(k)(counting(1.0, &count));
  return count;
}

}  // namespace

TEST_CASE("sums of Gaussians are gathered, whatever the order and the ratios of their bandwidths", "[kernels]") {
  const double q = std::sqrt(2.0);
  const auto check = [](const auto& k, const std::vector<double>& bandwidths) {
    const auto gathered = without_maps(k);
    static_assert(std::is_same_v<decltype(gathered), const gaussian_sum<5>>);
    for (const double d2 : {0.0, 1e-9, 0.01, 0.7, 3.0, 40.0, 900.0}) {
      CHECK(gathered(number<double>(d2)).v == Approx(exact(bandwidths, d2)).epsilon(1e-14));
      CHECK(static_cast<double>(gathered(number<float>(d2)).v) == Approx(exact(bandwidths, d2)).epsilon(2e-6).margin(1e-37));
      const auto slope = gathered(dual<number<double>>(d2, number<double>(1)));
      const double step = 1e-6 * (1 + d2), difference = exact(bandwidths, d2 + step) - exact(bandwidths, std::abs(d2 - step));
      CHECK(slope.v.v == Approx(exact(bandwidths, d2)).epsilon(1e-14));
      if (d2 > step) CHECK(slope.d.v == Approx(difference / (2 * step)).epsilon(1e-6).margin(1e-12));
    }
  };
  const auto five = [](double a, double b, double c, double d, double e) {
    return gaussian(a) + gaussian(b) + (gaussian(c) + gaussian(d)) + gaussian(e);
  };
  for (const std::vector<double>& h : std::vector<std::vector<double>>{{0.25, 0.5, 1, 2, 4},
                                                                       {0.5, 1 / q, 1, q, 2},
                                                                       {2, 0.5, q, 1, 1 / q},
                                                                       {0.5, 1 / 1.4, 1, 1.4, 2},
                                                                       {1, 1, 1, 1, 1},
                                                                       {3, 0.1, 0.7, 11, 1.3},
                                                                       {1, 2, 2, 1, 4}}) {
    check(five(h[0], h[1], h[2], h[3], h[4]), h);
  }
  CHECK(exponentials(five(0.25, 0.5, 1, 2, 4)) == 3);
  CHECK(exponentials(five(0.5, 1 / q, 1, q, 2)) == 2);
  CHECK(exponentials(five(2, 0.5, q, 1, 1 / q)) == 2);
  CHECK(exponentials(five(3, 0.1, 0.7, 11, 1.3)) == 5);
  CHECK(exponentials(five(1, 1, 1, 1, 1)) == 5);
  CHECK(exponentials(gaussian(1) + gaussian(2)) == 1);
  CHECK(exponentials(gaussian(1) + gaussian(2.000001)) == 2);
}

TEST_CASE("only sums of nothing but Gaussians are gathered", "[kernels]") {
  static_assert(gaussian_terms<gaussian> == 1);
  static_assert(gaussian_terms<laplace> == 0);
  static_assert(gaussian_terms<decltype(gaussian(1) + laplace(1))> == 0);
  static_assert(gaussian_terms<decltype(gaussian(1) + 2 * gaussian(1))> == 0);
  static_assert(gaussian_terms<decltype(gaussian(1) * gaussian(1))> == 0);
  const auto mixed = without_maps(gaussian(1) + gaussian(2) + laplace(1));
  static_assert(std::is_same_v<decltype(mixed), const sum_of<gaussian_sum<2>, laplace>>);
  CHECK(mixed.a(number<double>(1.0)).v == Approx(exact({1, 2}, 1)));
}
