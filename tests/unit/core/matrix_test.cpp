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
