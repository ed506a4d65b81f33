// SPDX-License-Identifier: MIT
#include <Eigen/Core>
#include <cmath>
#include <limits>

#include "support.hpp"
#include "support/catch2.hpp"

using namespace mmd;
using namespace backends_test;

namespace {

// alpha op(A) op(B) + beta C by its definition, in long double; the largest sum of absolute terms goes to `size`.
template <class T>
matrix<T> naive(transposed ta, transposed tb, double alpha, const matrix<T>& a, const matrix<T>& b, double beta, const matrix<T>& c,
                double& size) {
  matrix<T> out(c.rows(), c.cols());
  const index_t depth = ta == transposed::yes ? a.rows() : a.cols();
  size = 0;
  for (index_t i = 0; i < c.rows(); ++i) {
    for (index_t j = 0; j < c.cols(); ++j) {
      long double sum = 0, terms = 0;
      for (index_t k = 0; k < depth; ++k) {
        const long double term =
            static_cast<long double>(ta == transposed::yes ? a(k, i) : a(i, k)) * (tb == transposed::yes ? b(j, k) : b(k, j));
        sum += term;
        terms += std::fabs(term);
      }
      const long double carried = beta == 0 ? 0 : beta * static_cast<long double>(c(i, j));
      out(i, j) = static_cast<T>(alpha * sum + carried);
      size = std::max(size, static_cast<double>(std::fabs(alpha) * terms + std::fabs(carried)));
    }
  }
  return out;
}

}  // namespace

TEMPLATE_TEST_CASE("gemm against the definition, with the same bits for any number of threads", "[gemm]", float, double) {
  using T = TestType;
  const index_t sizes[][3] = {{1, 1, 1},     {1, 669, 1},   {7, 5, 3},      {8, 32, 64}, {9, 33, 65},
                              {63, 255, 31}, {65, 257, 33}, {130, 70, 300}, {40, 0, 9}};
  for (const auto& [m, depth, n] : sizes) {
    for (const transposed ta : {transposed::no, transposed::yes}) {
      for (const transposed tb : {transposed::no, transposed::yes}) {
        for (const double beta : {0.0, 1.0, -0.5}) {
          INFO("m " << m << " depth " << depth << " n " << n);
          const auto a = ta == transposed::yes ? normal_rows<T>(depth, m, 1) : normal_rows<T>(m, depth, 1);
          const auto b = tb == transposed::yes ? normal_rows<T>(n, depth, 2) : normal_rows<T>(depth, n, 2);
          const auto before = normal_rows<T>(m, n, 3);
          double size = 0;
          const auto expected = naive(ta, tb, 1.25, a, b, beta, before, size);
          auto c = before;
          cpu{.threads = 1}.gemm(ta, tb, T(1.25), a, b, T(beta), c);
          double worst = 0;
          for (index_t i = 0; i < c.size(); ++i) worst = std::max(worst, std::abs(static_cast<double>(c.data()[i] - expected.data()[i])));
          CHECK(worst <= 4 * static_cast<double>(std::numeric_limits<T>::epsilon()) * (size + 1e-300));
          for (const int threads : {2, 3, 7}) {
            auto again = before;
            cpu{.threads = threads}.gemm(ta, tb, T(1.25), a, b, T(beta), again);
            CHECK(again == c);
          }
        }
      }
    }
  }
}

TEST_CASE("gemm large enough for several threads gives the same bits", "[gemm]") {
  const auto a = normal_rows<float>(200, 333, 1), b = normal_rows<float>(600, 333, 2);
  matrix<float> one(200, 600), more(200, 600);
  cpu{.threads = 1}.gemm(transposed::no, transposed::yes, 1.0f, a, b, 0.0f, one);
  for (const int threads : {2, 3, 7}) {
    cpu{.threads = threads}.gemm(transposed::no, transposed::yes, 1.0f, a, b, 0.0f, more);
    CHECK(more == one);
  }
}

TEST_CASE("gemm reads and writes any strides, and does not read C where beta is 0", "[gemm]") {
  const auto a = normal_rows<double>(20, 15, 1), b = normal_rows<double>(15, 40, 2);
  matrix<double> expected(20, 40);
  cpu{}.gemm(transposed::no, transposed::no, 1.0, a, b, 0.0, expected);
  const Eigen::MatrixXd column_major = Eigen::Map<const Eigen::Matrix<double, -1, -1, Eigen::RowMajor>>(a.data(), 20, 15);
  Eigen::MatrixXd out = Eigen::MatrixXd::Constant(20, 40, std::nan(""));
  cpu{}.gemm(transposed::no, transposed::no, 1.0, column_major, b, 0.0, out);
  for (index_t i = 0; i < 20; ++i) {
    for (index_t j = 0; j < 40; ++j) CHECK(out(i, j) == expected(i, j));
  }
}

TEST_CASE("gemm names the shape that does not fit", "[gemm]") {
  const matrix<double> a(3, 4), b(5, 6), ok(4, 6);
  matrix<double> c(3, 6), wide(3, 7), tall(4, 6);
  const cpu on;
  using Catch::Matchers::Equals;
  CHECK_THAT(message_of<invalid_input>([&] { on.gemm(transposed::no, transposed::no, 1.0, a, b, 0.0, c); }),
             Equals("mmd: gemm: B.rows() = 5, expected the inner dimension of op(A), 4"));
  CHECK_THAT(message_of<invalid_input>([&] { on.gemm(transposed::no, transposed::yes, 1.0, a, b, 0.0, c); }),
             Equals("mmd: gemm: B.cols() = 6, expected the inner dimension of op(A), 4"));
  CHECK_THAT(message_of<invalid_input>([&] { on.gemm(transposed::no, transposed::no, 1.0, a, ok, 0.0, wide); }),
             Equals("mmd: gemm: C.cols() = 7, expected the columns of op(B), 6"));
  CHECK_THAT(message_of<invalid_input>([&] { on.gemm(transposed::no, transposed::no, 1.0, a, ok, 0.0, tall); }),
             Equals("mmd: gemm: C.rows() = 4, expected the rows of op(A), 3"));
}
