// SPDX-License-Identifier: MIT
// The same samples in every place and order give the same estimates; samples of every shape and scale keep to the bounds.
#include <vector>

#include "agreement.cuh"
#include "mmd/estimators/mmd.hpp"
#include "oracle/mmd.hpp"
#include "support/catch2.hpp"

namespace {
using namespace agreement;

struct estimates {
  double biased, unbiased, variance;
  friend bool operator==(const estimates&, const estimates&) = default;
};
template <class X, class K>
estimates found(const X& x, const X& y, const K& k) {
  const auto e = mmd::Mmd{k}(gpu(), x, y);
  return {e.biased, e.unbiased, e.variance};
}

// Against fp64. `relative`: to the sum of absolute terms.
template <class T, class K>
void compare(const matrix<T>& x, const matrix<T>& y, const K& k, const ref::kernel_function& formula, double relative) {
  const auto e = found(samples<T>(x), samples<T>(y), k);
  const gram_matrix g(as_rows(x), as_rows(y), formula);
  const auto nx = g.numbers_of(true), ny = g.numbers_of(false);
  const double size = oracle::mean_absolute_kernel(g, nx, ny), unbiased = oracle::unbiased_mmd(g, nx, ny);
  INFO("unbiased " << e.unbiased << " and " << unbiased << ", size " << size);
  CHECK(near(e.biased, oracle::biased_mmd(g, nx, ny), relative * size));
  CHECK(near(e.unbiased, unbiased, relative * g.size()));
  CHECK(near(e.variance, oracle::unpaired_variance(g, nx, ny, 1), 8 * relative * size * size));
}
}  // namespace

TEMPLATE_TEST_CASE("samples on the host and on the device, in any order and with any strides, give the same bits", "", float, double,
                   mmd::float16, mmd::bfloat16) {
  using T = TestType;
  for (const index_t d : {1, 7, 33}) {
    const auto x = rows<T>(130, d, 1), y = rows<T>(41, d, 2, 0.3);
    const auto first = found(samples<T>(x), samples<T>(y), mmd::gaussian(2.5));
    const auto l1 = found(samples<T>(x), samples<T>(y), mmd::laplace(5));
    everywhere(x, y, [&](const char* place, const auto& a, const auto& b) {
      INFO(place << ", d = " << d);
      CHECK(found(a, b, mmd::gaussian(2.5)) == first);
      CHECK(found(a, b, mmd::laplace(5)) == l1);
    });
  }
}

TEST_CASE("halves give the bits of the floats that they hold") {
  const auto check = [](auto half) {
    using H = decltype(half);
    const auto x = rows<H>(150, 9, 1), y = rows<H>(40, 9, 2, 0.3);
    const auto fx = mmd::converted<float>(x), fy = mmd::converted<float>(y);
    CHECK(found(samples<H>(x), samples<H>(y), mmd::gaussian(3)) == found(samples<float>(fx), samples<float>(fy), mmd::gaussian(3)));
  };
  check(mmd::float16{});
  check(mmd::bfloat16{});
}

TEMPLATE_TEST_CASE("duplicates, constant columns and data far from the origin keep to the bounds", "", float, double, mmd::float16,
                   mmd::bfloat16) {
  using T = TestType;
  for (const auto kind : {shape::duplicates, shape::constant_columns, shape::far}) {
    for (const index_t d : {1, 7, 64}) {
      const auto x = rows<T>(130, d, 1, 0, kind), y = rows<T>(21, d, 2, 0.3, kind);
      const double h = kind == shape::constant_columns ? 1.5 : std::sqrt(2.0 * static_cast<double>(d));
      INFO(to_string(kind) << ", d = " << d);
      compare(x, y, mmd::gaussian(h), ref::gaussian(h), allowed<T>);
      compare(x, y, mmd::laplace(h), ref::laplace(h), allowed<T>);
    }
  }
}

TEST_CASE("equal samples are at distance 0") {
  for (const index_t d : {1, 7, 130}) {
    const auto x = rows<float>(70, d, 1);
    const auto e = found(samples<float>(x), samples<float>(x), mmd::gaussian(3));
    CHECK(std::abs(e.biased) <= 1e-6);
  }
  const matrix<float> same(60, 5, std::vector<float>(300, 3.25f));
  const auto e = found(samples<float>(same), samples<float>(same.data(), 40, 5, 5, 1), mmd::gaussian(1));
  CHECK(e == estimates{0, 0, 0});
}

TEST_CASE("values whose squares leave float's range are evaluated in double, tiny and huge ones alike") {
  for (const double scale : {1e-30, 1e30, 1e-18, 1e18}) {
    for (const index_t d : {1, 7}) {
      INFO("scale " << scale << ", d = " << d);
      const auto x = rows<float>(129, d, 1, 0, shape::normal, scale), y = rows<float>(20, d, 2, 0.5, shape::normal, scale);
      const double h = scale * 3;
      compare(x, y, mmd::gaussian(h), ref::gaussian(h), 1e-5);
      compare(x, y, mmd::laplace(h), ref::laplace(h), 1e-5);
      compare(x, y, mmd::energy{}, ref::energy(), 1e-5);
      compare(x, y, mmd::gaussian(1), ref::gaussian(1), 1e-5);  // all kernel values 1, or all 0
    }
  }
  const auto x = rows<double>(40, 3, 1, 0, shape::normal, 1e100), y = rows<double>(20, 3, 2, 0.5, shape::normal, 1e100);
  compare(x, y, mmd::gaussian(3e100), ref::gaussian(3e100L), 1e-12);
}

TEST_CASE("the same call gives the same bits, whatever ran before it") {
  const auto x = rows<float>(300, 33, 1), y = rows<float>(200, 33, 2, 0.3);
  const auto first = found(samples<float>(x), samples<float>(y), mmd::gaussian(8));
  const auto other = rows<double>(50, 3, 3);
  static_cast<void>(found(samples<double>(other), samples<double>(other), mmd::laplace(8)));
  for (int i = 0; i < 2; ++i) CHECK(found(samples<float>(x), samples<float>(y), mmd::gaussian(8)) == first);
  const mmd::cuda another, copy = another;
  CHECK(mmd::Mmd{mmd::gaussian(8)}(another, x, y).variance == first.variance);
  CHECK(mmd::Mmd{mmd::gaussian(8)}(copy, x, y).variance == first.variance);
}
