// SPDX-License-Identifier: MIT
// What the device can do, measured in the run whose figures are set against it: multiply-adds and exponentials in registers, products by
// tensor cores without memory, a copy, and cuBLAS's bare product.
#pragma once

#include <algorithm>
#include <cstdint>

#include "cuda/support/device.cuh"
#include "mmd/backends/cuda/mma.cuh"

namespace bench {

// Kernels that only compute: `rounds` times 16 independent chains a thread. What they compute is kept, so that nothing is left out.
template <class T>
__global__ void multiply_adds(T* out, int rounds, T x, T y) {
  T sum[16];
  for (int c = 0; c < 16; ++c) sum[c] = T(threadIdx.x + static_cast<unsigned>(c));
  for (int r = 0; r < rounds; ++r) {
#pragma unroll
    for (int c = 0; c < 16; ++c) sum[c] = sum[c] * x + y;
  }
  T all = 0;
  for (int c = 0; c < 16; ++c) all += sum[c];
  out[blockIdx.x * blockDim.x + threadIdx.x] = all;
}
// exp by the special function units, as it is for float: one multiplication and one such operation a value.
template <class T>
__global__ void exponentials(T* out, int rounds) {
  float v[16];
  for (int c = 0; c < 16; ++c) v[c] = static_cast<float>(threadIdx.x + static_cast<unsigned>(c)) * 0.01f;
  for (int r = 0; r < rounds; ++r) {
#pragma unroll
    for (int c = 0; c < 16; ++c) v[c] = __expf(-v[c]);
  }
  float all = 0;
  for (int c = 0; c < 16; ++c) all += v[c];
  out[blockIdx.x * blockDim.x + threadIdx.x] = all;
}
// Products of 16 x 8 x 8 by a warp.
template <class T>
__global__ void tensor_products(T* out, int rounds, T x) {
  float c[16][4];
  for (auto& tile : c) {
    for (float& v : tile) v = x;
  }
  const std::uint32_t half = __float_as_uint(0.5f), third = __float_as_uint(0.375f);
  const std::uint32_t a[4] = {__float_as_uint(1.0f + 0.01f * static_cast<float>(threadIdx.x)), half, third, half};
  for (int r = 0; r < rounds; ++r) {
#pragma unroll
    for (int t = 0; t < 16; ++t) mmd::detail::mma_tf32(c[t][0], c[t][1], c[t][2], c[t][3], a, half, third);
  }
  float all = 0;
  for (auto& tile : c) {
    for (const float v : tile) all += v;
  }
  out[blockIdx.x * blockDim.x + threadIdx.x] = all;
}

// Operations a second where each of a kernel's threads does `each` of them a round; the best of some runs: a limit is what is never passed.
template <class T, class... P, class... A>
double best_rate(double each, void (*kernel)(T*, int, P...), A... arguments) {
  const unsigned blocks = tiny ? 1 : 2048, threads = tiny ? 32 : 256;
  const int rounds = tiny ? 2 : 2000;
  static T* const out = [] {
    void* p = nullptr;
    check(cudaMalloc(&p, sizeof(T) * 2048 * 256), "memory of a limit");
    return static_cast<T*>(p);
  }();
  warm_up();
  double best = 1e300;
  for (int run = 0; run < (tiny ? 1 : 6); ++run) {
    best = std::min(
        best, device_seconds([&] { mmd::detail::launch(kernel, dim3(blocks), dim3(threads), 0, nullptr, out, rounds, arguments...); }));
  }
  return each * rounds * blocks * threads / best;
}
template <class T>
double multiply_add_rate() {  // FLOP a second, two a multiply-add
  static const double rate = best_rate<T>(2 * 16, multiply_adds<T>, T(0.999), T(0.5));
  return rate;
}
inline double tensor_rate() {  // FLOP a second: 16 products of 16 x 8 x 8 a round and warp
  static const double rate = best_rate<float>(2.0 * 16 * 1024 / 32, tensor_products<float>, 0.0f);
  return rate;
}
inline double exponential_rate() {  // values a second
  static const double rate = best_rate<float>(16, exponentials<float>);
  return rate;
}
// Bytes a second, read and written.
inline double memory_rate() {
  static const double rate = [] {
    const std::size_t bytes = tiny ? 1 << 16 : std::size_t{1} << 30;
    void *from = nullptr, *to = nullptr;
    check(cudaMalloc(&from, bytes), "memory to copy");
    check(cudaMalloc(&to, bytes), "memory to copy");
    check(cudaMemset(from, 1, bytes), "memory to copy");
    double best = 1e300;
    for (int run = 0; run < 6; ++run) {
      best = std::min(best, device_seconds([&] { check(cudaMemcpyAsync(to, from, bytes, cudaMemcpyDeviceToDevice, nullptr), "a copy"); }));
    }
    check(cudaFree(from), "freeing");
    check(cudaFree(to), "freeing");
    return 2 * static_cast<double>(bytes) / best;
  }();
  return rate;
}

// cuBLAS's product Z Z' of N x d rows, the whole N x N of it, in strips of rows that fit in memory; nothing reads the result.
template <class T>
class full_product {
 public:
  full_product(index_t n, index_t d, precision p) : n_(n), d_(d), precision_(p), z_(rows<T>(n, d)) {
    check(cublasCreate(&blas_), "cublasCreate");
    strip_ = std::min(n, std::max<index_t>(1, (index_t{2} << 30) / (n * static_cast<index_t>(sizeof(T)))));
    check(cudaMalloc(&c_, static_cast<std::size_t>(strip_ * n) * sizeof(T)), "memory of a full product");
  }
  full_product(const full_product&) = delete;
  full_product& operator=(const full_product&) = delete;
  ~full_product() {
    cudaFree(c_);
    cublasDestroy(blas_);
  }
  void run() const {
    const T one = 1, none = 0;
    const T* z = mmd::raw_pointer(z_.data());
    const auto type = sizeof(T) == 8 ? CUDA_R_64F : CUDA_R_32F;
    const auto arithmetic = sizeof(T) == 8                  ? CUBLAS_COMPUTE_64F
                            : precision_ == precision::tf32 ? CUBLAS_COMPUTE_32F_FAST_TF32
                            : precision_ == precision::bf16 ? CUBLAS_COMPUTE_32F_FAST_16BF
                                                            : CUBLAS_COMPUTE_32F;
    for (index_t first = 0; first < n_; first += strip_) {
      const index_t count = std::min(strip_, n_ - first);
      // Column-major: C' = Z (n x d, as d x n) transposed times the strip.
      check(cublasGemmEx(blas_, CUBLAS_OP_T, CUBLAS_OP_N, static_cast<int>(n_), static_cast<int>(count), static_cast<int>(d_), &one, z,
                         type, static_cast<int>(d_), z + first * d_, type, static_cast<int>(d_), &none, c_, type, static_cast<int>(n_),
                         arithmetic, CUBLAS_GEMM_DEFAULT),
            "cublasGemmEx");
    }
  }
  double flops() const { return 2 * static_cast<double>(n_) * static_cast<double>(n_) * static_cast<double>(d_); }

 private:
  index_t n_, d_, strip_ = 0;
  precision precision_;
  const mmd::DeviceMatrix<T>& z_;
  cublasHandle_t blas_ = nullptr;
  void* c_ = nullptr;
};

// What a case does, for its counters.
struct work {
  double pairs = 0, flops = 0, exponentials = 0, bytes = 0;
};
inline void rates(State& state, const work& w, double time) {
  if (w.pairs > 0) state.counters["pairs/s"] = w.pairs / time;
  if (w.flops > 0) state.counters["FLOP/s"] = w.flops / time;
  if (w.bytes > 0) state.counters["bytes/s"] = w.bytes / time;
  if (w.exponentials > 0) state.counters["of_exp"] = w.exponentials / exponential_rate() / time;
}

}  // namespace bench
