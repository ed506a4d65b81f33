// SPDX-License-Identifier: MIT
#include "mmd/core/matrix.hpp"

#include <limits>
#include <string>
#include <utility>

#include "mmd/core/eigen.hpp"
#include "support/catch2.hpp"
#include "support/failures.hpp"

TEST_CASE("matrix holds its values by rows") {
  mmd::matrix<double> m(2, 3);
  CHECK(m.size() == 6);
  CHECK(m(1, 2) == 0);
  m(1, 0) = 4;
  CHECK(m.data()[3] == 4);
  m.row(0)[2] = 7;
  CHECK(std::as_const(m).row(0)[2] == 7);
  CHECK(m.values() == std::vector<double>{0, 0, 7, 4, 0, 0});
  CHECK(m == mmd::matrix<double>(2, 3, {0, 0, 7, 4, 0, 0}));
  CHECK(m != mmd::matrix<double>(3, 2, {0, 0, 7, 4, 0, 0}));
  m.resize(4, 1);
  CHECK(m.rows() == 4);
  CHECK(m.rowStride() == 1);
  CHECK(mmd::matrix<float>().size() == 0);
}

TEST_CASE("a matrix that was moved from is empty") {
  mmd::matrix<double> a(2, 2, {1, 2, 3, 4});
  const mmd::matrix<double> b(std::move(a));
  CHECK(b(1, 1) == 4);
  CHECK(a.rows() == 0);
  CHECK(a.cols() == 0);
  CHECK(a.size() == 0);
  mmd::matrix<double> c(1, 1, {9}), d;
  d = std::move(c);
  CHECK(d(0, 0) == 9);
  CHECK(c.rows() == 0);
  CHECK(c.size() == 0);
  d = b;
  CHECK(d == b);
}

TEST_CASE("matrix refuses shapes that cannot be") {
  CHECK(message([] { mmd::matrix<float>(-1, 2); }) == "mmd: matrix: rows = -1, expected 0 or more");
  CHECK(message([] { mmd::matrix<float>(2, -3); }) == "mmd: matrix: cols = -3, expected 0 or more");
  CHECK(message([] { mmd::matrix<float>(2, 2, {1, 2, 3}); }) == "mmd: matrix: values.size() = 3, expected rows x cols values");
  const mmd::index_t huge = mmd::index_t{1} << 32;
  CHECK(message([&] { mmd::matrix<float>(huge, huge); }) ==
        "mmd: matrix: rows = 4294967296, expected a size whose product with cols fits the address space");
  CHECK(message([&] { mmd::matrix<float>(std::numeric_limits<mmd::index_t>::max() / 2, 1); }).find("fits the address space") !=
        std::string::npos);
  mmd::matrix<float> m(2, 2);
  CHECK(message([&] { m.resize(-2, 2); }) == "mmd: matrix: rows = -2, expected 0 or more");
  CHECK(m.rows() == 2);
}

TEST_CASE("matrices and views come back to Eigen without a copy") {
  mmd::matrix<double> m(2, 3, {1, 2, 3, 4, 5, 6});
  mmd::as_eigen(m)(0, 1) = 20;
  CHECK(m(0, 1) == 20);
  CHECK(mmd::as_eigen(std::as_const(m)).data() == m.data());
  CHECK(mmd::as_eigen(m).row(1).sum() == 15);
  const Eigen::MatrixXd c = Eigen::MatrixXd::Random(5, 4);
  const auto map = mmd::as_eigen(mmd::samples<double>(c));
  CHECK(map.data() == c.data());
  CHECK(map == c);
  CHECK(mmd::as_eigen(mmd::samples<double>(c).middle_rows(1, 3)) == c.middleRows(1, 3));
  const auto block = c.block(1, 1, 3, 2).transpose();
  CHECK(mmd::as_eigen(mmd::samples<double>(block)) == block);
  const mmd::samples<double> back(map);
  CHECK(back(4, 3) == c(4, 3));
}

TEMPLATE_TEST_CASE("Eigen's matrices of halves are seen as they are", "", Eigen::half, Eigen::bfloat16) {
  using half = std::conditional_t<std::is_same_v<TestType, Eigen::half>, mmd::float16, mmd::bfloat16>;
  Eigen::Matrix<TestType, Eigen::Dynamic, Eigen::Dynamic> m(5, 3);
  for (int i = 0; i < 5; ++i) {
    for (int k = 0; k < 3; ++k) m(i, k) = TestType(.3f * static_cast<float>(i) - static_cast<float>(k));
  }
  const auto same = [](const auto& view, const auto& of) {
    STATIC_REQUIRE(std::is_same_v<std::decay_t<decltype(view)>, mmd::samples<half>>);
    REQUIRE((view.rows() == of.rows() && view.cols() == of.cols()));
    int wrong = 0;
    for (int i = 0; i < of.rows(); ++i) {
      for (int k = 0; k < of.cols(); ++k) wrong += static_cast<float>(view(i, k)) != static_cast<float>(of(i, k));
    }
    return wrong == 0;
  };
  CHECK(same(mmd::half_samples(m), m));
  CHECK(same(mmd::half_samples(m.block(1, 1, 3, 2)), m.block(1, 1, 3, 2)));
  const Eigen::Matrix<TestType, Eigen::Dynamic, Eigen::Dynamic, Eigen::RowMajor> by_rows = m;
  CHECK(same(mmd::half_samples(by_rows), m));
}
