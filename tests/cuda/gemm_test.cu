// SPDX-License-Identifier: MIT
// Dense products on the device against their definition: every way a matrix may lie, sizes down to none.
#include <algorithm>
#include <cmath>
#include <limits>
#include <string>
#include <vector>

#include "gradient.cuh"
#include "support/catch2.hpp"
#include "support/failures.hpp"

using mmd::cuda;
using mmd::device;
using mmd::DeviceMatrix;
using mmd::index_t;
using mmd::matrix;
using mmd::samples;
using mmd::transposed;

namespace {

const cuda& gpu() {
  static const cuda on;
  return on;
}

enum class lying { rows, columns, spread };  // spread: rows further apart than they are long
// A matrix in the device's memory, and a view of it that can be written to.
template <class T>
struct placed {
  using Scalar = device<T>;
  index_t n, m, down, across;
  DeviceMatrix<T> memory;

  placed(const matrix<T>& x, lying how) : n(x.rows()), m(x.cols()) {
    down = how == lying::columns ? 1 : how == lying::rows ? m : m + 3;
    across = how == lying::columns ? n : 1;
    matrix<T> all(1, std::max<index_t>(1, n * m + 3 * n));
    for (index_t i = 0; i < all.size(); ++i) all.data()[i] = std::numeric_limits<T>::quiet_NaN();
    for (index_t i = 0; i < n; ++i) {
      for (index_t k = 0; k < m; ++k) all(0, i * down + k * across) = x(i, k);
    }
    memory = gpu().upload(all);
  }
  index_t rows() const { return n; }
  index_t cols() const { return m; }
  index_t rowStride() const { return down; }
  index_t colStride() const { return across; }
  device<T>* data() { return memory.data(); }
  const device<T>* data() const { return memory.data(); }
  matrix<T> fetched() const {
    const matrix<T> all = gpu().download(memory);
    matrix<T> out(n, m);
    for (index_t i = 0; i < n; ++i) {
      for (index_t k = 0; k < m; ++k) out(i, k) = all(0, i * down + k * across);
    }
    return out;
  }
  // Values that do not belong to the matrix and are no longer as they were.
  index_t astray() const {
    const matrix<T> all = gpu().download(memory);
    const index_t numbers = std::count_if(all.values().begin(), all.values().end(), [](T v) { return v == v; });
    return numbers - n * m;
  }
};

// The largest error of c = alpha op(a) op(b) + beta before, relative to the sum of absolute terms.
template <class T>
double error_of(transposed ta, transposed tb, double alpha, const matrix<T>& a, const matrix<T>& b, double beta, const matrix<T>& before,
                const matrix<T>& c) {
  double worst = 0;
  const index_t depth = ta == transposed::yes ? a.rows() : a.cols();
  for (index_t i = 0; i < c.rows(); ++i) {
    for (index_t j = 0; j < c.cols(); ++j) {
      double sum = beta == 0 ? 0 : beta * static_cast<double>(before(i, j)), terms = std::abs(sum);
      for (index_t k = 0; k < depth; ++k) {
        const double term = alpha * static_cast<double>(ta == transposed::yes ? a(k, i) : a(i, k)) *
                            static_cast<double>(tb == transposed::yes ? b(j, k) : b(k, j));
        sum += term;
        terms += std::abs(term);
      }
      const double error = std::abs(static_cast<double>(c(i, j)) - sum);
      if (!(error == 0)) worst = std::max(worst, error == error ? error / terms : INFINITY);
    }
  }
  return worst;
}

template <class T>
matrix<T> numbers(index_t rows, index_t cols, std::uint64_t seed) {
  return gradients::normal_rows<T>(rows, cols, seed);
}

template <class T>
double check(index_t m, index_t depth, index_t n, transposed ta, transposed tb, double beta, lying how_a, lying how_b, lying how_c) {
  const auto a = ta == transposed::yes ? numbers<T>(depth, m, 1) : numbers<T>(m, depth, 1);
  const auto b = tb == transposed::yes ? numbers<T>(n, depth, 2) : numbers<T>(depth, n, 2);
  auto before = numbers<T>(m, n, 3);
  if (beta == 0 && before.size() > 0) before(0, 0) = std::numeric_limits<T>::quiet_NaN();
  const placed<T> on_a(a, how_a), on_b(b, how_b);
  placed<T> c(before, how_c);
  gpu().gemm(ta, tb, T(1.25), on_a, on_b, static_cast<T>(beta), c);
  CHECK(c.astray() == 0);
  return error_of(ta, tb, 1.25, a, b, beta, before, c.fetched());
}

}  // namespace

TEMPLATE_TEST_CASE("products on the device agree with the definition, however the matrices lie", "", float, double) {
  using T = TestType;
  const index_t sizes[][3] = {{1, 1, 1}, {1, 30, 1}, {7, 5, 3}, {9, 33, 1}, {1, 4, 6}, {33, 17, 20}, {4, 0, 9}, {0, 3, 2}, {3, 2, 0}};
  const lying all[] = {lying::rows, lying::columns, lying::spread};
  const double tolerance = 4 * static_cast<double>(std::numeric_limits<T>::epsilon());
  for (const auto& [m, depth, n] : sizes) {
    for (const transposed ta : {transposed::no, transposed::yes}) {
      for (const transposed tb : {transposed::no, transposed::yes}) {
        INFO("m " << m << " depth " << depth << " n " << n << (ta == transposed::yes ? " A'" : "") << (tb == transposed::yes ? " B'" : ""));
        for (const double beta : {0.0, 1.0, -0.5})
          CHECK(check<T>(m, depth, n, ta, tb, beta, lying::rows, lying::rows, lying::rows) <= tolerance);
        for (int how = 0; how < 27; ++how) {
          INFO("A, B, C lie as " << how % 3 << ", " << how / 3 % 3 << ", " << how / 9);
          CHECK(check<T>(m, depth, n, ta, tb, -0.5, all[how % 3], all[how / 3 % 3], all[how / 9]) <= tolerance);
        }
      }
    }
  }
}

TEST_CASE("products obey the precision that was asked for, of floats only") {
  const auto a = numbers<float>(20, 200, 1), b = numbers<float>(10, 200, 2);
  const matrix<float> before(20, 10);
  const auto error = [&](mmd::precision p) {
    const cuda on({.precision = p});
    const auto on_a = on.upload(a), on_b = on.upload(b);
    auto c = on.upload(before);
    on.gemm(transposed::no, transposed::yes, 1, on_a, on_b, 0, c);
    return error_of(transposed::no, transposed::yes, 1, a, b, 0, before, on.download(c));
  };
  CHECK(error(mmd::precision::accurate) < 1e-6);
  CHECK(error(mmd::precision::tf32) < 0x1p-10);
  CHECK(error(mmd::precision::bf16) < 0x1p-7);
#if defined(CUSHIM)
  CHECK(error(mmd::precision::tf32) > 1e-6);
  const auto wide = numbers<double>(20, 200, 1);
  const cuda on({.precision = mmd::precision::bf16});
  const auto on_wide = on.upload(wide);
  auto c = on.upload(matrix<double>(20, 20));
  on.gemm(transposed::no, transposed::yes, 1, on_wide, on_wide, 0, c);
  CHECK(error_of(transposed::no, transposed::yes, 1, wide, wide, 0, matrix<double>(20, 20), on.download(c)) < 1e-14);
#endif
}

TEST_CASE("a product on the device names the shape or the strides that do not fit") {
  const auto a = gpu().upload(matrix<double>(3, 4)), b = gpu().upload(matrix<double>(5, 6)), ok = gpu().upload(matrix<double>(4, 6));
  auto c = gpu().upload(matrix<double>(3, 6)), wide = gpu().upload(matrix<double>(3, 7)), tall = gpu().upload(matrix<double>(4, 6));
  const auto refused = [&](const auto& x, const auto& y, auto& z) {
    return message([&] { gpu().gemm(transposed::no, transposed::no, 1, x, y, 0, z); });
  };
  CHECK(refused(a, b, c) == "mmd: gemm: B.rows() = 5, expected the inner dimension of op(A), 4");
  CHECK(refused(a, ok, wide) == "mmd: gemm: C.cols() = 7, expected the columns of op(B), 6");
  CHECK(refused(a, ok, tall) == "mmd: gemm: C.rows() = 4, expected the rows of op(A), 3");
  const samples<device<double>> overlapping(a.data(), 3, 4, 2, 1), every_other(ok.data(), 4, 3, 6, 2);
  const std::string expected = ", expected one of them 1 and the other at least the length of what it steps over";
  CHECK(refused(overlapping, ok, c) == "mmd: gemm: A.rowStride(), .colStride() = 2, 1" + expected);
  auto narrow = gpu().upload(matrix<double>(3, 3));
  CHECK(refused(a, every_other, narrow) == "mmd: gemm: B.rowStride(), .colStride() = 6, 2" + expected);
}
