// SPDX-License-Identifier: MIT
// Every estimator on the device against its definition in fp64, for every kernel, number type and product, over sizes at and beside the
// edges of tiles.
#include <optional>
#include <string>
#include <vector>

#include "agreement.cuh"
#include "mmd/estimators/energy_distance.hpp"
#include "mmd/estimators/mmd.hpp"
#include "mmd/estimators/mmd_mp.hpp"
#include "oracle/mmd.hpp"
#include "support/catch2.hpp"

namespace {
using namespace agreement;

struct sizes {
  index_t n, m, d;
};

// What the definitions give, and what errors are relative to.
struct expected_values {
  double size, whole, biased, unbiased, variance, mpp, mp_variance;
  std::optional<double> paired, paired_variance, mp_paired, mp_paired_variance;

  expected_values(const ref::rows& rx, const ref::rows& ry, const ref::kernel_function& formula) {
    const gram_matrix k(rx, ry, formula);
    const auto x = k.numbers_of(true), y = k.numbers_of(false);
    size = k.size();
    whole = oracle::mean_absolute_kernel(k, x, y);
    biased = oracle::biased_mmd(k, x, y);
    unbiased = oracle::unbiased_mmd(k, x, y);
    variance = oracle::unpaired_variance(k, x, y, 1);
    mpp = oracle::mpp(k, x, y);
    mp_variance = oracle::unpaired_variance(k, x, y, 0);
    if (x.size() != y.size()) return;
    paired = oracle::paired_mmd(k, x, y, 1);
    paired_variance = oracle::paired_variance(k, x, y, 1);
    mp_paired = oracle::paired_mmd(k, x, y, 0);
    mp_paired_variance = oracle::paired_variance(k, x, y, 0);
  }
};

void check(const char* what, const std::optional<double>& value, const std::optional<double>& expected, double error) {
  INFO(what);
  REQUIRE(value.has_value() == expected.has_value());
  if (!value) return;
  INFO(*value << " and " << *expected << ", allowed " << error);
  CHECK(near(*value, *expected, error));
}

template <class E, class K>
void check_all(const mmd::cuda& on, const K& kernel, const samples<E>& x, const samples<E>& y, const expected_values& e, double relative) {
  const double error = relative * e.size, square = 8 * relative * e.whole * e.whole;  // a variance is a mean of squares of such sums
  const auto mmd = mmd::Mmd{kernel}(on, x, y);
  check("biased", mmd.biased, e.biased, relative * e.whole);
  check("unbiased", mmd.unbiased, e.unbiased, error);
  check("variance", mmd.variance, e.variance, square);
  check("paired", mmd.paired, e.paired, 2 * error);
  check("paired variance", mmd.paired_variance, e.paired_variance, 2 * square);
  const auto mp = mmd::MmdMp{kernel}(on, x, y);
  check("mpp", mp.mpp, e.mpp, error);
  check("variance of mpp", mp.variance, e.mp_variance, square);
  check("paired mpp", mp.paired, e.mp_paired, 2 * error);
  check("paired variance of mpp", mp.paired_variance, e.mp_paired_variance, 2 * square);
  CHECK(mmd.n == x.rows());
  CHECK(mmd.m == y.rows());
}

// 1e-5 or 1e-12, unless the arithmetic that was asked for is coarser.
template <class T>
double error_of(mmd::precision p) {
  if (std::is_same_v<mmd::compute_type<T>, double> || p == mmd::precision::accurate) return allowed<T>;
  return p == mmd::precision::tf32 ? 2e-3 : 2e-2;
}

template <class T, class K>
void compare(const K& kernel, const ref::kernel_function& formula, const std::vector<sizes>& all, mmd::product_by product,
             mmd::precision precision = mmd::precision::accurate) {
  const mmd::cuda on({.precision = precision, .product = product});
  for (const auto& s : all) {
    INFO("n = " << s.n << ", m = " << s.m << ", d = " << s.d << ", product " << static_cast<int>(product) << ", precision "
                << static_cast<int>(precision));
    const auto x = rows<T>(s.n, s.d, 1), y = rows<T>(s.m, s.d, 2, 0.3);
    check_all(on, kernel, samples<T>(x), samples<T>(y), expected_values(as_rows(x), as_rows(y), formula), error_of<T>(precision));
  }
}

const std::vector<sizes> edges{{2, 2, 1},     {2, 3, 7},      {1 + 128, 2, 7}, {127, 129, 7},
                               {128, 128, 1}, {128, 127, 64}, {255, 3, 130},   {257, 256, 7}};
const std::vector<sizes> few{{2, 3, 7}, {129, 130, 7}};
constexpr auto fused = mmd::product_by::fused, library = mmd::product_by::library, automatic = mmd::product_by::automatic;
double width(index_t d) { return std::sqrt(2.0 * static_cast<double>(d)); }
}  // namespace

TEMPLATE_TEST_CASE("estimates with a Gaussian agree with fp64, at the edges of tiles, by every product", "", float, double) {
  for (const auto product : {fused, library}) {
    for (const auto& s : edges) compare<TestType>(mmd::gaussian(width(s.d)), ref::gaussian(width(s.d)), {s}, product);
  }
}

TEMPLATE_TEST_CASE("estimates from halves agree with fp64 of the values that they hold", "", mmd::float16, mmd::bfloat16) {
  for (const auto product : {fused, library}) compare<TestType>(mmd::gaussian(3.5), ref::gaussian(3.5), few, product);
}

TEMPLATE_TEST_CASE("estimates with every other kernel agree with fp64", "", float, double) {
  using T = TestType;
  compare<T>(mmd::laplace(9), ref::laplace(9), {{2, 3, 7}, {129, 130, 7}, {127, 257, 1}, {20, 130, 64}}, automatic);
  compare<T>(mmd::inverse_multiquadric(3), ref::inverse_multiquadric(3), few, automatic);
  compare<T>(mmd::rational_quadratic(3, 1.5), ref::rational_quadratic(3, 1.5), few, automatic);
  compare<T>(mmd::matern32(3), ref::matern32(3), few, automatic);
  compare<T>(mmd::matern52(3), ref::matern52(3), few, library);
  compare<T>(mmd::polynomial(3, 0.125, 1), ref::polynomial(3, 0.125L, 1), few, automatic);
  compare<T>(mmd::linear{}, ref::linear(), few, library);
}

TEMPLATE_TEST_CASE("estimates with composed kernels agree with fp64", "", float, double) {
  using T = TestType;
  compare<T>(mmd::mixture(mmd::gaussian(1.5), mmd::gaussian(3), mmd::laplace(8)),
             ref::scaled(1 / 3.0L, ref::sum(ref::sum(ref::gaussian(1.5), ref::gaussian(3)), ref::laplace(8))), few, automatic);
  compare<T>((0.75 * mmd::gaussian(3) + 0.25) * mmd::polynomial(2, 0.125, 1),
             ref::product(ref::sum(ref::scaled(0.75, ref::gaussian(3)), ref::constant(0.25)), ref::polynomial(2, 0.125L, 1)), few, fused);
}

TEST_CASE("coarser products keep to their errors, and leave double alone") {
  for (const auto precision : {mmd::precision::tf32, mmd::precision::bf16}) {
    for (const auto product : {fused, library}) {
      compare<float>(mmd::gaussian(width(7)), ref::gaussian(width(7)), few, product, precision);
      compare<float>(mmd::gaussian(width(130)), ref::gaussian(width(130)), {{130, 40, 130}}, product, precision);
      compare<double>(mmd::gaussian(width(7)), ref::gaussian(width(7)), {{129, 30, 7}}, product, precision);
      compare<float>(mmd::laplace(9), ref::laplace(9), {{40, 30, 7}}, product, mmd::precision::accurate);
    }
  }
}

TEMPLATE_TEST_CASE("energy distance agrees with fp64, equal rows included", "", float, double) {
  using T = TestType;
  const auto r = ref::scaled(-1, ref::energy());
  for (const auto kind : {shape::normal, shape::duplicates}) {
    for (const sizes s : {sizes{2, 3, 1}, {129, 130, 7}, {20, 257, 64}}) {
      const auto x = rows<T>(s.n, s.d, 1, 0, kind), y = rows<T>(s.m, s.d, 2, 0.3, kind);
      const gram_matrix k(as_rows(x), as_rows(y), r);
      const auto e = mmd::energy_distance(gpu(), x, y);
      // The distance of equal rows is the root of what rounding leaves of the square.
      const double relative = std::is_same_v<T, double> && kind == shape::duplicates ? 1e-10 : allowed<T>;
      INFO(to_string(kind) << ", n = " << s.n << ", m = " << s.m << ", d = " << s.d);
      CHECK(near(e.biased, -oracle::biased_mmd(k, k.numbers_of(true), k.numbers_of(false)), relative * k.size()));
      CHECK(near(e.unbiased, -oracle::unbiased_mmd(k, k.numbers_of(true), k.numbers_of(false)), relative * k.size()));
    }
  }
}

TEST_CASE("a single row has a biased estimate on the device too") {
  const auto x = rows<float>(130, 7, 1), one = rows<float>(1, 7, 2);
  const gram_matrix k(as_rows(x), as_rows(one), ref::gaussian(3));
  const double expected = oracle::biased_mmd(k, k.numbers_of(true), k.numbers_of(false));
  CHECK(near(mmd::Mmd{mmd::gaussian(3)}.biased(gpu(), x, one), expected, allowed<float> * 4));
  CHECK(mmd::Mmd{mmd::gaussian(3)}.biased(gpu(), one, one) == 0);
}
