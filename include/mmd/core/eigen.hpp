// SPDX-License-Identifier: MIT
// The library's matrices and views as Eigen sees them, without a copy. The way in needs no header: `samples` takes Eigen's objects.
#pragma once

#include <Eigen/Core>
#include <concepts>
#include <type_traits>

#include "mmd/core/matrix.hpp"

namespace Eigen {
struct bfloat16;  // since Eigen 3.4
}

namespace mmd {

template <class T>
using eigen_row_major = Eigen::Matrix<T, Eigen::Dynamic, Eigen::Dynamic, Eigen::RowMajor>;

// A map of the matrix's values, to read and to write. It is good for as long as the matrix is, and until that is resized.
//   const mmd::matrix<double> embedded = ...;
//   Eigen::MatrixXd centred = mmd::as_eigen(embedded).rowwise() - mmd::as_eigen(embedded).colwise().mean();
template <class T>
Eigen::Map<eigen_row_major<T>> as_eigen(matrix<T>& m) {
  return {m.data(), m.rows(), m.cols()};
}
template <class T>
Eigen::Map<const eigen_row_major<T>> as_eigen(const matrix<T>& m) {
  return {m.data(), m.rows(), m.cols()};
}
template <class T>
void as_eigen(const matrix<T>&&) = delete;  // would dangle: give the matrix a name first

// A map of what the view looks at, whatever its strides.
template <class T>
auto as_eigen(const samples<T>& x) {
  using strides = Eigen::Stride<Eigen::Dynamic, Eigen::Dynamic>;
  return Eigen::Map<const eigen_row_major<T>, Eigen::Unaligned, strides>(x.data(), x.rows(), x.cols(),
                                                                         strides(x.rowStride(), x.colStride()));
}

// A view of a matrix of Eigen::half or Eigen::bfloat16, whose bits are those of float16 and bfloat16.
//   const auto estimate = mmd::Mmd{mmd::gaussian(1)}(mmd::half_samples(x), mmd::half_samples(y));
template <strided_matrix M>
requires std::same_as<typename M::Scalar, Eigen::half> || std::same_as<typename M::Scalar, Eigen::bfloat16>
auto half_samples(const M& m) {
  using half = std::conditional_t<std::same_as<typename M::Scalar, Eigen::half>, float16, bfloat16>;
  return samples<half>(reinterpret_cast<const half*>(m.data()), m.rows(), m.cols(), m.rowStride(), m.colStride());
}
template <owning_matrix M>
requires std::same_as<typename M::Scalar, Eigen::half> || std::same_as<typename M::Scalar, Eigen::bfloat16>
void half_samples(const M&&) = delete;  // would dangle: give the matrix a name first

}  // namespace mmd
