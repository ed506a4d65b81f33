// SPDX-License-Identifier: MIT
#include "mmd/core/samples.hpp"

#include <Eigen/Core>
#include <limits>
#include <string>
#include <vector>

#include "mmd/core/matrix.hpp"
#include "support/catch2.hpp"
#include "support/failures.hpp"

namespace {

template <class T>
using column_major = Eigen::Matrix<T, Eigen::Dynamic, Eigen::Dynamic>;
template <class T>
using row_major = Eigen::Matrix<T, Eigen::Dynamic, Eigen::Dynamic, Eigen::RowMajor>;

// The view has the object's shape and values, and looks at the object's own memory.
template <class M>
void check_view(const M& m) {
  using T = typename M::Scalar;
  static_assert(mmd::sample_matrix<M>);
  const mmd::samples<T> view(m);
  REQUIRE(view.rows() == m.rows());
  REQUIRE(view.cols() == m.cols());
  CHECK(view.data() == m.data());
  bool same = true;
  for (mmd::index_t i = 0; i < view.rows(); ++i) {
    for (mmd::index_t k = 0; k < view.cols(); ++k) same = same && view(i, k) == m.coeff(i, k);
  }
  CHECK(same);
}
}  // namespace

TEMPLATE_TEST_CASE("samples look at Eigen's memory, whatever its strides", "", float, double) {
  using T = TestType;
  using strides = Eigen::Stride<Eigen::Dynamic, Eigen::Dynamic>;
  column_major<T> c = column_major<T>::Random(7, 5);
  row_major<T> r = row_major<T>::Random(7, 5);
  check_view(c);
  check_view(r);
  check_view(c.transpose());
  check_view(r.transpose());
  check_view(c.block(1, 2, 4, 3));
  check_view(r.block(1, 2, 4, 3));
  check_view(r.block(1, 1, 5, 3).transpose());
  check_view(c.block(1, 1, 5, 3).block(1, 0, 2, 2));
  check_view(c.col(3));
  check_view(r.col(3));
  check_view(c.row(2));
  check_view(r.row(2));
  check_view(c.topRows(3));
  check_view(r.rightCols(2));
  check_view(c.array());
  check_view(Eigen::Matrix<T, 3, 4>::Random().eval());
  check_view(Eigen::Array<T, Eigen::Dynamic, 4>::Random(6, 4).eval());
  const Eigen::Matrix<T, Eigen::Dynamic, 1> vector = c.col(0);
  check_view(vector);
  check_view(Eigen::Map<const column_major<T>>(c.data(), 5, 7));
  check_view(Eigen::Map<const row_major<T>>(c.data(), 5, 7));
  check_view(Eigen::Map<const row_major<T>, 0, strides>(c.data(), 3, 2, strides(11, 3)));
  check_view(Eigen::Map<column_major<T>, 0, Eigen::OuterStride<>>(c.data(), 3, 4, Eigen::OuterStride<>(7)));
  const Eigen::Ref<column_major<T>> ref(c);
  check_view(ref);
  const Eigen::Ref<column_major<T>, 0, strides> ref_of_block = r.block(1, 1, 3, 3).transpose();
  check_view(ref_of_block);
  check_view(Eigen::Ref<const row_major<T>>(r));
}

TEST_CASE("a Ref of the other storage order copies, and the view follows the Ref") {
  const Eigen::MatrixXd c = Eigen::MatrixXd::Random(4, 3);
  const Eigen::Ref<const row_major<double>> ref(c);
  CHECK(ref.data() != c.data());
  check_view(ref);
}

TEST_CASE("samples of own matrices, spans and other views") {
  mmd::matrix<float> m(3, 2, {1, 2, 3, 4, 5, 6});
  const mmd::samples view(m);
  static_assert(std::is_same_v<decltype(view), const mmd::samples<float>>);
  CHECK(view(2, 1) == 6);
  CHECK(view.data() == m.data());
  const mmd::samples<float> of_view(view);
  CHECK(of_view.data() == m.data());
  std::vector<double> values{1, 2, 3, 4, 5, 6};
  const mmd::samples of_span{std::span(values), 2, 3};
  static_assert(std::is_same_v<decltype(of_span), const mmd::samples<double>>);
  CHECK(of_span(1, 0) == 4);
  const mmd::samples<double> backwards(values.data() + 5, 3, 2, -2, -1);
  CHECK(backwards(0, 0) == 6);
  CHECK(backwards(2, 1) == 1);
  const mmd::samples<double> repeated(values.data(), 4, 3, 0, 1);  // stride 0: one row, four times
  CHECK(repeated(3, 2) == 3);
  const mmd::samples<double> nothing;
  CHECK(nothing.rows() == 0);
  CHECK(mmd::samples<double>(nullptr, 0, 5, 5, 1).cols() == 5);
}

TEST_CASE("samples refuse temporaries, expressions and other numbers") {
  static_assert(!std::is_constructible_v<mmd::samples<float>, Eigen::MatrixXf>);
  static_assert(!std::is_constructible_v<mmd::samples<float>, Eigen::MatrixXf&&>);
  static_assert(!std::is_constructible_v<mmd::samples<float>, const Eigen::MatrixXf>);
  static_assert(!std::is_constructible_v<mmd::samples<double>, mmd::matrix<double>>);
  static_assert(std::is_constructible_v<mmd::samples<float>, Eigen::MatrixXf&>);
  static_assert(std::is_constructible_v<mmd::samples<float>, const Eigen::MatrixXf&>);
  static_assert(std::is_constructible_v<mmd::samples<float>, Eigen::Map<const Eigen::MatrixXf>>);  // owns nothing: a temporary map is fine
  static_assert(!std::is_constructible_v<mmd::samples<float>, Eigen::MatrixXd&>);
  using sum = decltype(std::declval<Eigen::MatrixXf&>() + std::declval<Eigen::MatrixXf&>());
  static_assert(!std::is_constructible_v<mmd::samples<float>, sum>);
  static_assert(!mmd::strided_matrix<sum>);
  static_assert(!mmd::sample_matrix<Eigen::MatrixXi>);
  static_assert(mmd::sample_matrix<mmd::samples<float>>);
  static_assert(mmd::sample_matrix<mmd::matrix<double>>);
  static_assert(!mmd::sample_matrix<std::vector<float>>);
  SUCCEED();
}

TEST_CASE("middle rows are a view of the same memory") {
  const Eigen::MatrixXd c = Eigen::MatrixXd::Random(6, 3);
  const mmd::samples<double> view(c);
  const auto middle = view.middle_rows(2, 3);
  CHECK(middle.rows() == 3);
  CHECK(middle(0, 1) == c(2, 1));
  CHECK(middle(2, 2) == c(4, 2));
  CHECK(view.middle_rows(6, 0).rows() == 0);
  CHECK(message([&] { view.middle_rows(-1, 2); }) == "mmd: middle_rows: first = -1, expected a row of the sample");
  CHECK(message([&] { view.middle_rows(7, 0); }) == "mmd: middle_rows: first = 7, expected a row of the sample");
  CHECK(message([&] { view.middle_rows(4, 3); }) == "mmd: middle_rows: count = 3, expected no more rows than are left");
}

TEST_CASE("samples refuse shapes that cannot be") {
  const std::vector<float> values(6);
  CHECK(message([&] { mmd::samples<float>(values.data(), -1, 2, 2, 1); }) == "mmd: samples: rows = -1, expected 0 or more");
  CHECK(message([&] { mmd::samples<float>(values.data(), 1, -2, 2, 1); }) == "mmd: samples: cols = -2, expected 0 or more");
  CHECK(message([&] { mmd::samples<float>(nullptr, 1, 2, 2, 1); }) ==
        "mmd: samples: data = null, expected a pointer to rows x cols values");
  CHECK(message([&] { mmd::samples<float>(std::span(values), 2, 2); }) == "mmd: samples: values.size() = 6, expected rows x cols values");
  const auto huge = std::numeric_limits<mmd::index_t>::max();
  CHECK(message([&] { mmd::samples<float>(std::span(values), huge, 2); }) ==
        "mmd: samples: values.size() = 6, expected rows x cols values");
}
