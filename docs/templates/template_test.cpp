// SPDX-License-Identifier: MIT
// Template of a test file. Copy it to tests/unit/<floor>/<topic>_test.cpp; CMake finds it there. What every test of a kernel or a reducer
// has: an oracle in plain loops and double that includes no header of the library (its own file in tests/oracle/), samples on the edges of
// the tiles, float and double, one and more threads, and bad input whose message is checked. Break the code once to see each test fail.
#include <cmath>
#include <limits>
#include <vector>

#include "mmd/backends/cpu.hpp"
#include "mmd/core/matrix.hpp"
#include "mmd/core/philox.hpp"
#include "support/catch2.hpp"
#include "templates/kernel.hpp"
#include "templates/reducer_cpu.hpp"

namespace {

// An oracle would lie in tests/oracle/, so that nothing of the library can get into it.
double cauchy_oracle(const double* x, const double* y, mmd::index_t d, double h) {
  double d2 = 0;
  for (mmd::index_t k = 0; k < d; ++k) d2 += (x[k] - y[k]) * (x[k] - y[k]);
  return 1 / (1 + d2 / (h * h));
}

template <class T>
mmd::matrix<T> normal_rows(mmd::index_t rows, mmd::index_t cols, std::uint64_t seed) {
  mmd::random_stream random(seed, mmd::purpose::user);
  mmd::matrix<T> x(rows, cols);
  for (mmd::index_t i = 0; i < rows; ++i) {
    for (mmd::index_t k = 0; k < cols; ++k) x(i, k) = static_cast<T>(random.normal());
  }
  return x;
}

}  // namespace

TEMPLATE_TEST_CASE("my_kernel and my_reducer agree with plain loops", "[template]", float, double) {
  for (const mmd::index_t n : {1, 2, 127, 128, 129}) {  // 128 rows are a tile
    const auto x = normal_rows<TestType>(n, 3, 1), y = normal_rows<TestType>(5, 3, 2);
    double expected = 0;
    for (mmd::index_t i = 0; i < n; ++i) {
      for (mmd::index_t j = 0; j < 5; ++j) {
        const std::vector<double> a(x.row(i).begin(), x.row(i).end()), b(y.row(j).begin(), y.row(j).end());
        expected = std::max(expected, cauchy_oracle(a.data(), b.data(), 3, 1.5));
      }
    }
    const double tolerance = 16 * static_cast<double>(std::numeric_limits<TestType>::epsilon());
    for (const int threads : {1, 2}) {
      mmd::my_reducer reducer;
      mmd::cpu{.threads = threads}.reduce(mmd::my_kernel(1.5), mmd::pool(x, y), reducer);
      CHECK(std::abs(reducer.largest[1] - expected) <= tolerance * expected);
      CHECK(reducer.largest[1] == reducer.largest[2]);
    }
  }
}

TEST_CASE("my_kernel refuses a bandwidth that is not above 0", "[template]") {
  CHECK_THROWS_WITH(mmd::my_kernel(-2), says("bandwidth = -2") && says("above 0"));
}
