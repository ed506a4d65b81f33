// SPDX-License-Identifier: MIT
// The templates on a device: copy it to tests/cuda/<topic>_test.cu, where it is compiled for the emulated device and, where nvcc is, for a
// real one. The oracle is plain loops in double, as in template_test.cpp.
#include <cmath>
#include <limits>
#include <vector>

#include "mmd/cuda.cuh"
#include "support/catch2.hpp"
#include "templates/kernel.hpp"
#include "templates/reducer_cuda.cuh"

namespace {

template <class T>
mmd::matrix<T> normal_rows(mmd::index_t rows, mmd::index_t cols, std::uint64_t seed) {
  mmd::random_stream random(seed, mmd::purpose::user);
  mmd::matrix<T> x(rows, cols);
  for (mmd::index_t i = 0; i < x.size(); ++i) x.data()[i] = static_cast<T>(random.normal());
  return x;
}

// The largest 1 / (1 + |a - b|^2 / h^2) between different rows; all pairs of x and y, or of x and x.
template <class T>
double largest_oracle(const mmd::matrix<T>& x, const mmd::matrix<T>& y, double h) {
  double largest = 0;
  for (mmd::index_t i = 0; i < x.rows(); ++i) {
    for (mmd::index_t j = 0; j < y.rows(); ++j) {
      if (&x == &y && i == j) continue;
      double d2 = 0;
      for (mmd::index_t k = 0; k < x.cols(); ++k) d2 += std::pow(static_cast<double>(x(i, k)) - static_cast<double>(y(j, k)), 2);
      largest = std::max(largest, 1 / (1 + d2 / (h * h)));
    }
  }
  return largest;
}

}  // namespace

TEMPLATE_TEST_CASE("my_kernel and my_reducer agree with plain loops on a device", "[template]", float, double) {
  const mmd::cuda gpu;
  const double tolerance = 16 * static_cast<double>(std::numeric_limits<TestType>::epsilon());
  const auto seed = static_cast<std::uint64_t>(GENERATE(range(1, 7)));
  for (const mmd::index_t n : {1, 2, 127, 128, 129, 200}) {  // 128 rows are a panel
    const auto x = normal_rows<TestType>(n, 3, 10 * seed), y = normal_rows<TestType>(70, 3, seed);
    mmd::my_reducer reducer;
    gpu.reduce(mmd::my_kernel(1.5), mmd::pool(x, y), reducer);
    const double expected[] = {largest_oracle(x, x, 1.5), largest_oracle(x, y, 1.5), largest_oracle(y, x, 1.5), largest_oracle(y, y, 1.5)};
    for (std::size_t i = 0; i < 4; ++i) CHECK(std::abs(reducer.largest[i] - expected[i]) <= tolerance);
  }
}
