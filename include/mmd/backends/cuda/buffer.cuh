// SPDX-License-Identifier: MIT
// Values on a device, owned.
#pragma once

#include <cstddef>
#include <span>
#include <type_traits>
#include <utility>

#include "mmd/backends/cuda/context.cuh"

namespace mmd {
namespace detail {

// `count` values, unspecified at first, allocated and freed in the order of one stream: work on another has to be ordered before. The
// context must outlive it.
template <class T>
class buffer {
  static_assert(std::is_trivially_copyable_v<T>);

 public:
  buffer() = default;
  // Throws device_out_of_memory: `what` says what the memory was for.
  buffer(device_context& context, index_t count, cudaStream_t stream, const char* what)
      : context_(&context), stream_(stream), size_(count), p_(static_cast<T*>(context.allocate(bytes(), stream, what))) {}
  buffer(buffer&& o) noexcept
      : context_(o.context_), stream_(o.stream_), size_(std::exchange(o.size_, 0)), p_(std::exchange(o.p_, nullptr)) {}
  buffer& operator=(buffer&& o) noexcept {
    if (this == &o) return *this;
    release();
    context_ = o.context_;
    stream_ = o.stream_;
    size_ = std::exchange(o.size_, 0);
    p_ = std::exchange(o.p_, nullptr);
    return *this;
  }
  ~buffer() { release(); }

  T* data() const { return p_; }
  index_t size() const { return size_; }
  std::uint64_t bytes() const { return static_cast<std::uint64_t>(size_) * sizeof(T); }
  device_context* context() const { return context_; }

  void zero(cudaStream_t stream) {
    if (size_ > 0) check(cudaMemsetAsync(p_, 0, bytes(), stream), "setting memory to zero");
  }
  // Copies the values to the beginning of the buffer. They have been read when it returns.
  void put(std::span<const T> values, cudaStream_t stream) { context_->put(p_, values.data(), values.size_bytes(), stream); }
  // Fills the span with the values from `first` on, after all work of the stream.
  void get(std::span<T> values, cudaStream_t stream) const { get(values, 0, stream); }
  void get(std::span<T> values, index_t first, cudaStream_t stream) const {
    if (values.empty()) return;
    context_->get(values.data(), p_ + first, values.size_bytes(), stream);
  }

 private:
  void release() noexcept {
    if (p_) context_->release(p_, bytes(), stream_);
  }

  device_context* context_ = nullptr;
  cudaStream_t stream_ = nullptr;
  index_t size_ = 0;
  T* p_ = nullptr;
};

}  // namespace detail
}  // namespace mmd
