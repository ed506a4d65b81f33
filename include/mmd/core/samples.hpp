// SPDX-License-Identifier: MIT
// samples<T>: a view of n samples (rows) of d features (columns). It never owns and never copies. samples<device<T>> looks at a device's
// memory: a type of its own, as its values cannot be read here.
#pragma once

#include <concepts>
#include <limits>
#include <span>
#include <type_traits>

#include "mmd/core/config.hpp"
#include "mmd/core/device.hpp"
#include "mmd/core/errors.hpp"

namespace mmd {

// A dense matrix with strides. Eigen matrices, arrays, maps, refs, blocks and transposes of these all qualify, as do `matrix` and
// `samples`; expressions such as a + b do not (they have no memory to look at). Nothing here includes Eigen.
// Strides are read, never assumed: pass Eigen objects as they are. An `Eigen::Ref<const M>` whose M has the other storage order, or
// another stride, silently copies; a view of such a Ref is good for as long as the Ref itself.
template <class M>
concept strided_matrix = requires(const M& m) {
  typename M::Scalar;
  { m.data() } -> std::convertible_to<const typename M::Scalar*>;
  { m.rows() } -> std::convertible_to<index_t>;
  { m.cols() } -> std::convertible_to<index_t>;
  { m.rowStride() } -> std::convertible_to<index_t>;
  { m.colStride() } -> std::convertible_to<index_t>;
};

// Matrices that own their memory (Eigen's and ours name themselves as PlainObject): a view of a temporary one would dangle.
template <class M>
concept owning_matrix = strided_matrix<M> && requires {
  typename M::PlainObject;
} && std::same_as<M, typename M::PlainObject>;

// What a statistic accepts as a sample: rows are observations, stored as float, double, float16 or bfloat16, in the host's memory or in
// that of the device which the backend uses. Half samples give the same results, bit for bit, as the same values stored as float.
template <class M>
concept sample_matrix = strided_matrix<M> && sample_number<typename M::Scalar>;

// What can be computed with: kernel matrices, the rows of a training set.
template <class M>
concept floating_matrix = sample_matrix<M> && std::floating_point<typename M::Scalar>;

template <sample_number T>
class samples {
 public:
  using Scalar = T;

  samples() = default;
  // rows x cols values; element (i, k) is data[i * row_stride + k * col_stride]. Throws invalid_input for negative sizes or no data.
  samples(const T* data, index_t rows, index_t cols, index_t row_stride, index_t col_stride)
      : data_(data), rows_(rows), cols_(cols), row_stride_(row_stride), col_stride_(col_stride) {
    detail::require(rows >= 0, "samples: rows", rows, "0 or more");
    detail::require(cols >= 0, "samples: cols", cols, "0 or more");
    detail::require(data != nullptr || rows == 0 || cols == 0, "samples: data", "null", "a pointer to rows x cols values");
  }
  // Row-major values. Throws invalid_input unless the span holds exactly rows x cols of them.
  samples(std::span<const T> values, index_t rows, index_t cols) : samples(values.data(), rows, cols, cols, 1) {
    const bool fits = cols == 0 || rows <= std::numeric_limits<index_t>::max() / cols;
    detail::require(fits && static_cast<index_t>(values.size()) == rows * cols, "samples: values.size()", values.size(),
                    "rows x cols values");
  }
  template <strided_matrix M>
  requires std::same_as<typename M::Scalar, T> samples(const M& m) : samples(m.data(), m.rows(), m.cols(), m.rowStride(), m.colStride()) {}
  template <owning_matrix M>
  requires std::same_as<typename M::Scalar, T> samples(const M&&)
  = delete;  // would dangle: give the matrix a name first

  const T* data() const { return data_; }
  index_t rows() const { return rows_; }
  index_t cols() const { return cols_; }
  index_t rowStride() const { return row_stride_; }
  index_t colStride() const { return col_stride_; }
  T operator()(index_t i, index_t k) const requires(!on_device<T>) { return data_[i * row_stride_ + k * col_stride_]; }
  // Rows first .. first + count - 1, as a view of the same memory.
  samples middle_rows(index_t first, index_t count) const {
    detail::require(first >= 0 && first <= rows_, "middle_rows: first", first, "a row of the sample");
    detail::require(count >= 0 && count <= rows_ - first, "middle_rows: count", count, "no more rows than are left");
    return count == 0 ? samples(data_, 0, cols_, row_stride_, col_stride_)
                      : samples(data_ + first * row_stride_, count, cols_, row_stride_, col_stride_);
  }

 private:
  const T* data_ = nullptr;
  index_t rows_ = 0, cols_ = 0, row_stride_ = 0, col_stride_ = 0;
};
template <strided_matrix M>
samples(const M&) -> samples<typename M::Scalar>;
template <class T>
requires sample_number<std::remove_const_t<T>> samples(std::span<T>, index_t, index_t)
->samples<std::remove_const_t<T>>;

// Samples in a device's memory. Of a raw pointer: device_samples<float>(device_pointer(p), rows, cols, row_stride, col_stride).
template <host_number T>
using device_samples = samples<device<T>>;

}  // namespace mmd
