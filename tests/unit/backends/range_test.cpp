// SPDX-License-Identifier: MIT
// Float samples whose magnitudes or kernel values leave float's range, and samples far from the origin.
#include <cmath>
#include <limits>

#include "support.hpp"
#include "support/catch2.hpp"

using namespace mmd;
using namespace backends_test;

namespace {

// The largest error of row sums and of k(z, z), relative to the largest row sum of |K|.
template <class T>
double error_of(const auto& kernel, const ref::kernel_function& expected, const matrix<T>& x, const matrix<T>& y) {
  const auto z = pool(x, y);
  row_sums sums;
  const layout lay = cpu{}.reduce(kernel, z, sums);
  const auto K = ref::gram(oracle_rows(z), expected);
  const std::vector<int> group = groups_of(z);
  double worst = 0, size = 0;
  for (std::size_t i = 0; i < K.size(); ++i) {
    double sum[2] = {}, absolute = 0;
    for (std::size_t j = 0; j < K.size(); ++j) {
      if (i != j) sum[group[j]] += K[i][j];
      absolute += std::abs(K[i][j]);
    }
    size = std::max(size, absolute);
    for (int g = 0; g < 2; ++g) {
      const double error = std::abs(sums(static_cast<index_t>(i), g) - sum[g]);
      worst = std::isfinite(error) ? std::max(worst, error) : HUGE_VAL;
    }
    const double at_diagonal = std::abs(lay.diagonal[i] - K[i][i]);
    worst = std::isfinite(at_diagonal) ? std::max(worst, at_diagonal) : HUGE_VAL;
  }
  return worst / size;
}

}  // namespace

TEST_CASE("float samples of any magnitude are evaluated finite and right", "[range]") {
  for (const double scale : {1e-37, 1e-30, 1e-20, 1e-15, 1e-8, 1.0, 1e8, 1e15, 1e19, 1e30, 1e37}) {
    INFO("scale " << scale);
    const auto x = normal_rows<float>(140, 5, 1, scale), y = normal_rows<float>(20, 5, 2, scale, scale);
    CHECK(error_of(gaussian(2 * scale), ref::gaussian(2 * scale), x, y) < 2e-6);
    CHECK(error_of(laplace(3 * scale), ref::laplace(3 * scale), x, y) < 2e-6);
    CHECK(error_of(energy(), ref::energy(), x, y) < 5e-5);
    CHECK(error_of(linear(), ref::linear(), x, y) < 2e-6);
    CHECK(error_of(inverse_multiquadric(scale), ref::inverse_multiquadric(scale), x, y) < 2e-6);
    CHECK(error_of(rational_quadratic(scale, 2), ref::rational_quadratic(scale, 2), x, y) < 2e-6);
  }
}

TEST_CASE("kernel values beyond float's range are evaluated in double", "[range]") {
  for (const double scale : {1e-14, 1e-5, 1e5, 1e10, 1e13}) {
    INFO("scale " << scale);
    const auto x = normal_rows<float>(40, 5, 1, scale), y = normal_rows<float>(20, 5, 2, scale, scale);
    CHECK(error_of(polynomial(3, 1, 0), ref::polynomial(3, 1, 0), x, y) < 5e-6);
    CHECK(error_of(polynomial(6, 1, 1), ref::polynomial(6, 1, 1), x, y) < 1e-5);
    CHECK(error_of(gaussian(scale) * polynomial(3, 1, 0), ref::product(ref::gaussian(scale), ref::polynomial(3, 1, 0)), x, y) < 1e-5);
  }
}

TEST_CASE("a bandwidth out of float's range is no NaN", "[range]") {
  const auto x = normal_rows<float>(40, 5, 1), y = normal_rows<float>(20, 5, 2);
  for (const double h : {1e-25, 1e-19, 1e-17, 1e-15, 1e-14, 1e-13, 1e-12, 1e-11, 1e-6}) {
    INFO("bandwidth " << h);
    CHECK(error_of(gaussian(h), ref::gaussian(h), x, y) < 1e-15);
    CHECK(error_of(laplace(h), ref::laplace(h), x, y) < 1e-15);
    CHECK(error_of(matern32(h), ref::matern32(h), x, y) < 1e-15);
  }
  CHECK(error_of(gaussian(1e25), ref::gaussian(1e25L), x, y) < 1e-6);
  CHECK(error_of(inverse_multiquadric(1e-30), ref::inverse_multiquadric(1e-30L), x, y) < 1e-6);
}

TEST_CASE("samples far from the origin lose nothing: distances are taken from the pooled mean", "[range]") {
  // eighths, so that the shifted values are exact in float
  auto x = normal_rows<float>(150, 6, 1), y = normal_rows<float>(130, 6, 2);
  for (auto* m : {&x, &y}) {
    for (index_t i = 0; i < m->size(); ++i) m->data()[i] = std::round(m->data()[i] * 8) / 8;
  }
  auto far_x = x, far_y = y;
  for (auto* m : {&far_x, &far_y}) {
    for (index_t i = 0; i < m->size(); ++i) m->data()[i] += 1e6f;
  }
  row_sums near, far;
  cpu{}.reduce(gaussian(3), pool(x, y), near);
  cpu{}.reduce(gaussian(3), pool(far_x, far_y), far);
  for (std::size_t e = 0; e < near.sums.size(); ++e) CHECK(far.sums[e] == Approx(near.sums[e]).epsilon(1e-6));
  CHECK(error_of(gaussian(3), ref::gaussian(3), far_x, far_y) < 1e-6);
  CHECK(error_of(gaussian(3) * polynomial(1, 1e-12, 1), ref::product(ref::gaussian(3), ref::polynomial(1, 1e-12L, 1)), far_x, far_y) <
        1e-6);
}

TEST_CASE("NaN in the samples comes out as NaN", "[range]") {
  auto x = normal_rows<float>(140, 5, 1);
  x(3, 2) = std::numeric_limits<float>::quiet_NaN();
  gram<float> k;
  cpu{}.reduce(gaussian(1), pool(x, x), k);
  CHECK(std::isnan(k(3, 100)));
  CHECK(std::isnan(k(279, 3)));
}

TEST_CASE("gradients of float samples out of range are evaluated in double", "[range]") {
  for (const double scale : {1e-25, 1e25}) {
    const auto x = normal_rows<float>(30, 4, 1, scale), unit = normal_rows<float>(30, 4, 1);
    const pair_weights w{std::vector<double>(30, 1), std::vector<double>(30, 0), {1}, {0}};
    const auto far = cpu{}.gradient(gaussian(2 * scale), pooled<float>{{samples<float>(x)}}, w);
    const auto near = cpu{}.gradient(gaussian(2), pooled<float>{{samples<float>(unit)}}, w);
    for (index_t i = 0; i < far.features[0].size(); ++i)
      CHECK(static_cast<double>(far.features[0].data()[i]) * scale ==
            Approx(static_cast<double>(near.features[0].data()[i])).epsilon(1e-4).margin(1e-4));
  }
}
