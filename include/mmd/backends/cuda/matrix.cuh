// SPDX-License-Identifier: MIT
// DeviceMatrix<T>: rows x cols values in a device's memory that it owns, row-major. What a backend of a device returns where matrix<T> is
// returned on the host.
#pragma once

#include <limits>
#include <memory>
#include <utility>

#include "mmd/backends/cuda/buffer.cuh"
#include "mmd/core/device.hpp"

namespace mmd {

// Its values are written and read by work on the backend's first stream, in the order of the calls; work on CUDA's default stream is
// ordered with it too. Before others use it, work on streams of one's own or another backend that was not copied from this one,
// `cuda::synchronize` has to be called. It keeps what the backend owns alive.
template <device_value T>
class DeviceMatrix {
 public:
  using Scalar = device<T>;
  using PlainObject = DeviceMatrix;  // says that a view of a temporary would dangle

  DeviceMatrix() = default;
  // Values unspecified. Throws invalid_input for negative sizes or a product that overflows, device_out_of_memory.
  DeviceMatrix(std::shared_ptr<detail::device_context> context, index_t rows, index_t cols) : context_(std::move(context)) {
    resize(rows, cols);
  }
  DeviceMatrix(const DeviceMatrix& o) : context_(o.context_) { assign(o); }
  DeviceMatrix& operator=(const DeviceMatrix& o) {
    if (this != &o) {
      if (context_ != o.context_) *this = DeviceMatrix(o.context_, 0, 0);
      assign(o);
    }
    return *this;
  }
  // What is moved from is 0 x 0.
  DeviceMatrix(DeviceMatrix&& o) noexcept
      : context_(o.context_), rows_(std::exchange(o.rows_, 0)), cols_(std::exchange(o.cols_, 0)), values_(std::move(o.values_)) {}
  DeviceMatrix& operator=(DeviceMatrix&& o) noexcept {
    if (this != &o) {
      values_ = detail::buffer<T>(std::move(o.values_));  // before the context that it belongs to goes
      context_ = o.context_;
      rows_ = std::exchange(o.rows_, 0);
      cols_ = std::exchange(o.cols_, 0);
    }
    return *this;
  }

  index_t rows() const { return rows_; }
  index_t cols() const { return cols_; }
  index_t size() const { return rows_ * cols_; }
  index_t rowStride() const { return cols_; }
  index_t colStride() const { return 1; }
  device<T>* data() { return device_pointer(values_.data()); }
  const device<T>* data() const { return device_pointer(static_cast<const T*>(values_.data())); }
  const std::shared_ptr<detail::device_context>& context() const { return context_; }

  // Takes a new shape; the values are unspecified afterwards. Keeps its memory where that is large enough. Throws as the constructor.
  void resize(index_t rows, index_t cols) {
    detail::require(rows >= 0, "matrix: rows", rows, "0 or more");
    detail::require(cols >= 0, "matrix: cols", cols, "0 or more");
    constexpr index_t most = std::numeric_limits<index_t>::max() / static_cast<index_t>(sizeof(T));
    detail::require(cols == 0 || rows <= most / cols, "matrix: rows", rows, "a size whose product with cols fits the address space");
    if (rows * cols > values_.size()) {
      const auto turn = context_->enter();
      values_ = detail::buffer<T>();  // first, so that both are not there together
      values_ = detail::buffer<T>(*context_, rows * cols, context_->stream(0), "a matrix on the device");
    }
    rows_ = rows;
    cols_ = cols;
  }

 private:
  void assign(const DeviceMatrix& o) {
    resize(o.rows_, o.cols_);
    if (size() == 0) return;
    const auto turn = context_->enter();
    detail::check(cudaMemcpyAsync(values_.data(), o.values_.data(), static_cast<std::size_t>(size()) * sizeof(T), cudaMemcpyDeviceToDevice,
                                  context_->stream(0)),
                  "copying a matrix");
  }

  std::shared_ptr<detail::device_context> context_;
  index_t rows_ = 0, cols_ = 0;
  detail::buffer<T> values_;
};

}  // namespace mmd
