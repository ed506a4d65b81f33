// SPDX-License-Identifier: MIT
// Pools that take more than one block of panels and both streams, and what travels between host and device for them.
#include <vector>

#include "agreement.cuh"
#include "mmd/estimators/mmd.hpp"
#include "mmd/inference/permutation_test.hpp"
#include "oracle/mmd.hpp"
#include "support/catch2.hpp"

namespace {
using namespace agreement;

// Means of k over the pairs of two samples of one column, in double.
struct means {
  double xx = 0, yy = 0, xy = 0;
  template <class T>
  means(const matrix<T>& x, const matrix<T>& y, double h) {
    const auto k = [h](T a, T b) {
      const double difference = static_cast<double>(a) - static_cast<double>(b);
      return std::exp(-difference * difference / (2 * h * h));
    };
    const auto sum = [&](const matrix<T>& a, const matrix<T>& b, bool same) {
      double total = 0;
      for (index_t i = 0; i < a.size(); ++i) {
        for (index_t j = 0; j < b.size(); ++j) total += same && i == j ? 0 : k(a.data()[i], b.data()[j]);
      }
      return total;
    };
    const auto n = static_cast<double>(x.size()), m = static_cast<double>(y.size());
    xx = sum(x, x, true) / (n * (n - 1));
    yy = sum(y, y, true) / (m * (m - 1));
    xy = sum(x, y, false) / (n * m);
  }
  double unbiased() const { return xx + yy - 2 * xy; }
  double size() const { return xx + yy + 2 * xy; }
};
}  // namespace

TEMPLATE_TEST_CASE("pools of one, two and three blocks of panels agree with fp64", "", float, double) {
  using T = TestType;
  for (const auto& [n, m] : {std::pair<index_t, index_t>{1000, 1048}, {1000, 1049}, {2300, 30}}) {
    const auto x = rows<T>(n, 1, 1), y = rows<T>(m, 1, 2, 0.3);
    const means expected(x, y, 1.5);
    INFO("n = " << n << ", m = " << m);
    for (const auto product : {mmd::product_by::fused, mmd::product_by::library}) {
      const mmd::cuda on({.product = product});
      CHECK(near(mmd::Mmd{mmd::gaussian(1.5)}(on, x, y).unbiased, expected.unbiased(), allowed<T> * expected.size()));
    }
  }
}

TEST_CASE("tests of pools of several blocks find the CPU's p-values") {
  const auto x = rows<float>(1500, 1, 1), y = rows<float>(800, 1, 2, 0.1);
  for (const auto how : {mmd::method::full, mmd::method::binned}) {
    const mmd::PermutationOptions options{.permutations = 99, .seed = 3, .method = how};
    const auto cpu = cpu_results::permutation_test<float>(options, x, y, mmd::gaussian(1.5));
    CHECK(same_test(mmd::PermutationTest{options}(gpu(), x, y, mmd::gaussian(1.5)), cpu, 2e-6));
  }
}

TEST_CASE("what travels grows with the rows, not with the pairs") {
  const auto travelled = [](index_t n, const auto& call) {
    const mmd::cuda on;
    const auto x = rows<float>(n, 4, 1), y = rows<float>(n, 4, 2, 0.3);
    const auto on_x = on.upload(samples<float>(x)), on_y = on.upload(samples<float>(y));
    const auto before = on.context().bytes_up + on.context().bytes_down;
    call(on, on_x, on_y);
    return static_cast<double>(on.context().bytes_up + on.context().bytes_down - before);
  };
  const auto estimate = [](const auto& on, const auto& x, const auto& y) { mmd::Mmd{mmd::gaussian(3)}(on, x, y); };
  const auto binned = [](const auto& on, const auto& x, const auto& y) {
    mmd::PermutationTest{{.permutations = 99, .method = mmd::method::binned, .bins = 32}}(on, x, y, mmd::gaussian(3));
  };
  const double few = travelled(256, estimate), many = travelled(1024, estimate);
  CHECK(many <= 4.5 * few);
  CHECK(many <= 1024 * 2 * 64.0);  // some doubles a row
  CHECK(travelled(1024, binned) <= 1024 * 2 * 64.0 + 32 * 32 * 8 * 8);
}
