// SPDX-License-Identifier: MIT
// What a backend object owns of a device: streams, cuBLAS handles, memory.
#pragma once

#include <algorithm>
#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <mutex>
#include <span>
#include <string>

#include "mmd/backends/cuda/runtime.cuh"

namespace mmd {
namespace detail {

// Makes a device the calling thread's current one, and gives the former one back.
class current_device {
 public:
  explicit current_device(int number) {
    check(cudaGetDevice(&before_), "the current device");
    if (before_ != number) check(cudaSetDevice(number), "setting the current device");
    changed_ = before_ != number;
  }
  current_device(const current_device&) = delete;
  current_device& operator=(const current_device&) = delete;
  ~current_device() {
    if (changed_) cudaSetDevice(before_);
  }

 private:
  int before_ = 0;
  bool changed_ = false;
};

// Why no device can be used; empty where device `number` can. Never throws for want of a device: no driver, a stub, one too old.
inline std::string why_not(int number) {
  int count = 0;
  const cudaError_t code = cudaGetDeviceCount(&count);
  if (code != cudaSuccess) {
    cudaGetLastError();
    return "no CUDA device can be used: " + described(code);
  }
  if (count == 0) return "no CUDA device can be used: there is none";
  if (number < 0 || number >= count) return "device " + std::to_string(number) + ": there are devices 0 to " + std::to_string(count - 1);
  int major = 0;
  const cudaError_t asked = cudaDeviceGetAttribute(&major, cudaDevAttrComputeCapabilityMajor, number);
  if (asked != cudaSuccess) {
    cudaGetLastError();
    return "device " + std::to_string(number) + ": its compute capability: " + described(asked);
  }
  if (major < 8)
    return "device " + std::to_string(number) + ": its compute capability is " + std::to_string(major) + ".x, expected 8.0 or more";
  return {};
}

// One device: two streams, each with a cuBLAS handle that has a workspace of its own (so that products have the same bits from run to run),
// a pool of memory in the order of the streams, two chunks of pinned memory for transfers. Every function that submits work starts with
// `enter`: callers on several threads take turns.
class device_context {
 public:
  static constexpr int streams = 2;
  static constexpr std::size_t staging_bytes = std::size_t{4} << 20;     // of each pinned chunk
  static constexpr std::size_t workspace_bytes = std::size_t{32} << 20;  // of each cuBLAS handle, what it takes on the largest devices

  const int number;
  std::string name;
  int capability = 0;  // 10 major + minor
  int multiprocessors = 0;
  std::uint64_t total_bytes = 0, l2_bytes = 0, shared_bytes = 0;  // shared: that one block can have
  // Bytes that crossed between host and device, and that are and were at most allocated here.
  std::uint64_t bytes_up = 0, bytes_down = 0;
  std::atomic<std::uint64_t> held_bytes = 0, most_held_bytes = 0;

  // Throws device_error where there is no such device or it cannot be used.
  explicit device_context(int device) : number(device) {
    const std::string why = why_not(device);
    if (!why.empty()) throw device_error("mmd: " + why);
    const current_device use(number);
    cudaDeviceProp properties{};
    check(cudaGetDeviceProperties(&properties, number), "the device's properties");
    name = properties.name;
    capability = 10 * properties.major + properties.minor;
    multiprocessors = properties.multiProcessorCount;
    total_bytes = properties.totalGlobalMem;
    l2_bytes = static_cast<std::uint64_t>(properties.l2CacheSize);
    shared_bytes = properties.sharedMemPerBlockOptin;
    try {
      if (properties.memoryPoolsSupported != 0) make_pool();
      for (lane& l : lanes_) {
        check(cudaStreamCreate(&l.stream), "a stream");
        check(cudaEventCreateWithFlags(&l.reached, cudaEventDisableTiming), "an event");
        check(cudaEventCreateWithFlags(&l.staged, cudaEventDisableTiming), "an event");
        check(cudaMallocHost(&l.staging, staging_bytes), "pinned memory for transfers");
      }
    } catch (...) {
      give_back();
      throw;
    }
  }
  device_context(const device_context&) = delete;
  device_context& operator=(const device_context&) = delete;
  ~device_context() {
    int before = 0;
    const bool known = cudaGetDevice(&before) == cudaSuccess;
    cudaSetDevice(number);
    give_back();
    if (known) cudaSetDevice(before);
  }

  // This thread's turn, for as long as what it returns lives; the device is current meanwhile.
  class turn {
   public:
    explicit turn(device_context& c) : lock_(c.mutex_), device_(c.number) {}

   private:
    std::lock_guard<std::recursive_mutex> lock_;
    current_device device_;
  };
  [[nodiscard]] turn enter() { return turn(*this); }

  cudaStream_t stream(int s) const { return lanes_[static_cast<std::size_t>(s)].stream; }
  // The handle of stream s, made when it is first asked for.
  cublasHandle_t blas(int s) {
    lane& l = lanes_[static_cast<std::size_t>(s)];
    if (!l.blas) {
      if (!l.workspace) l.workspace = allocate(workspace_bytes, l.stream, "a workspace of cuBLAS");
      check(cublasCreate(&l.blas), "cublasCreate");
      check(cublasSetStream(l.blas, l.stream), "cublasSetStream");
      check(cublasSetWorkspace(l.blas, l.workspace, workspace_bytes), "cublasSetWorkspace");
    }
    return l.blas;
  }
  // What is submitted to stream `later` from now on starts after all that was submitted to stream `first`.
  void order(int first, int later) {
    const lane& l = lanes_[static_cast<std::size_t>(first)];
    check(cudaEventRecord(l.reached, l.stream), "recording an event");
    check(cudaStreamWaitEvent(stream(later), l.reached, 0), "waiting for an event");
  }
  void synchronize(cudaStream_t s) { check(cudaStreamSynchronize(s), "waiting for the device"); }

  // Memory for work on the stream; it may be used on another after `order`. Where there is too little, what freed blocks still hold is
  // given back to the device and the call repeated. Throws device_out_of_memory, device_error.
  void* allocate(std::uint64_t bytes, cudaStream_t s, const char* what) {
    if (bytes == 0) return nullptr;
    void* p = nullptr;
    cudaError_t code = ask(&p, bytes, s);
    if (code == cudaErrorMemoryAllocation) {
      cudaGetLastError();
      for (const lane& l : lanes_) synchronize(l.stream);
      if (pool_) check(cudaMemPoolTrimTo(pool_, 0), "giving memory back");
      code = ask(&p, bytes, s);
    }
    if (code == cudaErrorMemoryAllocation) {
      cudaGetLastError();
      throw device_out_of_memory(on_current_device() + what, bytes, free_bytes(), total_bytes);
    }
    if (code != cudaSuccess) fail(code, std::string(what) + ", " + std::to_string(bytes) + " bytes");
    const std::uint64_t held = held_bytes += bytes;
    if (held > most_held_bytes) most_held_bytes = held;
    return p;
  }
  void release(void* p, std::uint64_t bytes, cudaStream_t s) noexcept {
    if (!p) return;
    held_bytes -= bytes;
    pool_ ? cudaFreeAsync(p, s) : cudaFree(p);
  }
  // What allocate can give: the device's free memory, and what the pool holds without use.
  std::uint64_t free_bytes() const {
    std::size_t free = 0, total = 0;
    check(cudaMemGetInfo(&free, &total), "the device's free memory");
    std::uint64_t reserved = 0, used = 0;
    if (pool_) {
      check(cudaMemPoolGetAttribute(pool_, cudaMemPoolAttrReservedMemCurrent, &reserved), "the pool's memory");
      check(cudaMemPoolGetAttribute(pool_, cudaMemPoolAttrUsedMemCurrent, &used), "the pool's memory");
    }
    return free + (reserved > used ? reserved - used : 0);
  }

  // Transfers to the device through pinned memory: the values have been read on return. From it: they are there on return.
  void put(void* to, const void* from, std::size_t bytes, cudaStream_t s) {
    int which = 0;
    for (std::size_t done = 0; done < bytes; which = 1 - which) {
      const std::span<std::byte> chunk = staging(which);
      const std::size_t now = std::min(bytes - done, chunk.size());
      std::memcpy(chunk.data(), static_cast<const std::byte*>(from) + done, now);
      check(cudaMemcpyAsync(static_cast<std::byte*>(to) + done, chunk.data(), now, cudaMemcpyHostToDevice, s), "a transfer to the device");
      staged(which, s);
      done += now;
    }
    bytes_up += bytes;
  }
  void get(void* to, const void* from, std::size_t bytes, cudaStream_t s) {
    if (bytes == 0) return;
    check(cudaMemcpyAsync(to, from, bytes, cudaMemcpyDeviceToHost, s), "a transfer from the device");
    synchronize(s);
    bytes_down += bytes;
  }

  // Pinned chunk `which` (0 or 1), once the last transfer from it is done. `staged` says that a transfer from it was submitted.
  std::span<std::byte> staging(int which) {
    lane& l = lanes_[static_cast<std::size_t>(which)];
    if (l.in_use) check(cudaEventSynchronize(l.staged), "waiting for a transfer");
    l.in_use = false;
    return {static_cast<std::byte*>(l.staging), staging_bytes};
  }
  void staged(int which, cudaStream_t s) {
    lane& l = lanes_[static_cast<std::size_t>(which)];
    check(cudaEventRecord(l.staged, s), "recording an event");
    l.in_use = true;
  }

 private:
  struct lane {
    cudaStream_t stream = nullptr;
    cublasHandle_t blas = nullptr;
    void* workspace = nullptr;
    cudaEvent_t reached = nullptr, staged = nullptr;
    void* staging = nullptr;
    bool in_use = false;
  };

  void make_pool() {
    cudaMemPoolProps wanted{};
    wanted.allocType = cudaMemAllocationTypePinned;
    wanted.location.type = cudaMemLocationTypeDevice;
    wanted.location.id = number;
    check(cudaMemPoolCreate(&pool_, &wanted), "a pool of memory");
    std::uint64_t keep = UINT64_MAX;
    check(cudaMemPoolSetAttribute(pool_, cudaMemPoolAttrReleaseThreshold, &keep), "a pool's threshold");
  }
  cudaError_t ask(void** p, std::uint64_t bytes, cudaStream_t s) const {
    return pool_ ? cudaMallocFromPoolAsync(p, bytes, pool_, s) : cudaMalloc(p, bytes);
  }
  void give_back() noexcept {
    for (lane& l : lanes_) {
      if (l.stream) cudaStreamSynchronize(l.stream);
      if (l.blas) cublasDestroy(l.blas);
      release(l.workspace, workspace_bytes, l.stream);
      if (l.staging) cudaFreeHost(l.staging);
      if (l.staged) cudaEventDestroy(l.staged);
      if (l.reached) cudaEventDestroy(l.reached);
      if (l.stream) cudaStreamDestroy(l.stream);
    }
    if (pool_) cudaMemPoolDestroy(pool_);
  }

  std::recursive_mutex mutex_;
  cudaMemPool_t pool_ = nullptr;
  std::array<lane, streams> lanes_;
};

}  // namespace detail
}  // namespace mmd
