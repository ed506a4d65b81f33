// SPDX-License-Identifier: MIT
// CUDA's runtime as the backend uses it: what fails throws, kernels are launched through one function. Together with mma.cuh the only place
// that knows whether nvcc compiles it, or a C++ compiler for the stand-in that runs kernels on the host.
#pragma once

#include <cublas_v2.h>
#include <cuda_runtime.h>

#include <cstddef>
#include <string>
#include <utility>

#include "mmd/core/config.hpp"
#include "mmd/core/errors.hpp"

#if defined(__CUDA_ARCH__) && __CUDA_ARCH__ < 800
#error "mmd: the device backend is for compute capability 8.0 or more: name it, as by -DCMAKE_CUDA_ARCHITECTURES=90 or nvcc -arch=sm_90"
#endif

namespace mmd {
namespace detail {

// "mmd: device 0: " where the runtime can say which.
inline std::string on_current_device() {
  int number = 0;
  return cudaGetDevice(&number) == cudaSuccess ? "mmd: device " + std::to_string(number) + ": " : "mmd: ";
}
// "out of memory (cudaErrorMemoryAllocation, 2)"
inline std::string described(cudaError_t code) {
  return std::string(cudaGetErrorString(code)) + " (" + cudaGetErrorName(code) + ", " + std::to_string(static_cast<int>(code)) + ")";
}
[[noreturn, gnu::cold, gnu::noinline]] inline void fail(cudaError_t code, const std::string& asked) {
  cudaGetLastError();  // so that no later call reports it again
  throw device_error(on_current_device() + asked + ": " + described(code));
}
// Throws device_error unless the call succeeded; `asked` says what was asked of the device. Work that was submitted earlier may be at
// fault.
inline void check(cudaError_t code, const char* asked) {
  if (code != cudaSuccess) fail(code, asked);
}
inline void check(cublasStatus_t code, const char* asked) {
  if (code == CUBLAS_STATUS_SUCCESS) return;
  throw device_error(on_current_device() + asked + ": " + cublasGetStatusString(code) + " (" + cublasGetStatusName(code) + ", " +
                     std::to_string(static_cast<int>(code)) + ")");
}

// The dynamic shared memory of the running block.
#if defined(__CUDACC__)
template <class T>
__device__ __forceinline__ T* dynamic_shared() {
  extern __shared__ __align__(16) unsigned char mmd_dynamic_shared[];
  return reinterpret_cast<T*>(mmd_dynamic_shared);
}
#else
template <class T>
T* dynamic_shared() {
  return cuda_shim::dynamic_shared<T>();
}
#endif

// Runs the kernel on the stream with so many bytes of dynamic shared memory; a grid without blocks is no work. Throws device_error where
// the launch is refused. What goes wrong while it runs is reported by a later call.
template <class... P, class... A>
void launch(void (*kernel)(P...), dim3 grid, dim3 block, std::size_t shared, cudaStream_t stream, A&&... arguments) {
  if (grid.x == 0 || grid.y == 0 || grid.z == 0) return;
  constexpr std::size_t always_allowed = 48 * 1024;
  cudaError_t code = cudaSuccess;
  if (shared > always_allowed) code = cudaFuncSetAttribute(kernel, cudaFuncAttributeMaxDynamicSharedMemorySize, static_cast<int>(shared));
  if (code == cudaSuccess) {
    cudaLaunchConfig_t where{};
    where.gridDim = grid;
    where.blockDim = block;
    where.dynamicSmemBytes = shared;
    where.stream = stream;
    code = cudaLaunchKernelEx(&where, kernel, std::forward<A>(arguments)...);
  }
  if (code != cudaSuccess) {
    const auto size = [](dim3 d) { return std::to_string(d.x) + " x " + std::to_string(d.y) + " x " + std::to_string(d.z); };
    fail(code, "launch of a kernel (grid " + size(grid) + ", block " + size(block) + ", " + std::to_string(shared) + " bytes shared)");
  }
}

}  // namespace detail
}  // namespace mmd
