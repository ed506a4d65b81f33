// SPDX-License-Identifier: MIT
// matrix<T>: rows x cols values that it owns, row-major. What the library returns where a result is a matrix.
#pragma once

#include <limits>
#include <span>
#include <utility>
#include <vector>

#include "mmd/core/samples.hpp"

namespace mmd {

template <class T>
class matrix {
 public:
  using Scalar = T;
  using PlainObject = matrix;  // says that a view of a temporary would dangle

  matrix() = default;
  // rows x cols zeros. Throws invalid_input for negative sizes or a product that overflows.
  matrix(index_t rows, index_t cols) : rows_(rows), cols_(cols), values_(checked(rows, cols)) {}
  matrix(index_t rows, index_t cols, std::vector<T> values) : rows_(rows), cols_(cols), values_(std::move(values)) {
    detail::require(values_.size() == checked(rows, cols), "matrix: values.size()", values_.size(), "rows x cols values");
  }
  matrix(const matrix&) = default;
  matrix& operator=(const matrix&) = default;
  // What is moved from is 0 x 0.
  matrix(matrix&& o) noexcept : rows_(std::exchange(o.rows_, 0)), cols_(std::exchange(o.cols_, 0)), values_(std::exchange(o.values_, {})) {}
  matrix& operator=(matrix&& o) noexcept {
    rows_ = std::exchange(o.rows_, 0);
    cols_ = std::exchange(o.cols_, 0);
    values_ = std::exchange(o.values_, {});
    return *this;
  }

  index_t rows() const { return rows_; }
  index_t cols() const { return cols_; }
  index_t size() const { return static_cast<index_t>(values_.size()); }
  index_t rowStride() const { return cols_; }
  index_t colStride() const { return 1; }
  T* data() { return values_.data(); }
  const T* data() const { return values_.data(); }
  T& operator()(index_t i, index_t k) { return values_[static_cast<std::size_t>(i * cols_ + k)]; }
  const T& operator()(index_t i, index_t k) const { return values_[static_cast<std::size_t>(i * cols_ + k)]; }
  std::span<T> row(index_t i) { return {values_.data() + i * cols_, static_cast<std::size_t>(cols_)}; }
  std::span<const T> row(index_t i) const { return {values_.data() + i * cols_, static_cast<std::size_t>(cols_)}; }
  const std::vector<T>& values() const { return values_; }
  // Takes a new shape; the values are unspecified afterwards. Keeps its memory where that is large enough.
  void resize(index_t rows, index_t cols) {
    values_.resize(checked(rows, cols));
    rows_ = rows;
    cols_ = cols;
  }
  friend bool operator==(const matrix&, const matrix&) = default;

 private:
  static std::size_t checked(index_t rows, index_t cols) {
    detail::require(rows >= 0, "matrix: rows", rows, "0 or more");
    detail::require(cols >= 0, "matrix: cols", cols, "0 or more");
    constexpr index_t most = std::numeric_limits<index_t>::max() / static_cast<index_t>(sizeof(T));
    detail::require(cols == 0 || rows <= most / cols, "matrix: rows", rows, "a size whose product with cols fits the address space");
    return static_cast<std::size_t>(rows) * static_cast<std::size_t>(cols);
  }
  index_t rows_ = 0, cols_ = 0;
  std::vector<T> values_;
};

// A copy of the values, stored as T: rounded to the nearest where T does not hold them. O(n d).
template <host_number T, sample_matrix M>
requires host_number<typename M::Scalar> matrix<T> converted(const M& x) {
  const samples<typename M::Scalar> from(x);
  matrix<T> out(from.rows(), from.cols());
  for (index_t i = 0; i < from.rows(); ++i) {
    for (index_t k = 0; k < from.cols(); ++k) out(i, k) = number_as<T>(from(i, k));
  }
  return out;
}

}  // namespace mmd
