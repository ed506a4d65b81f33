// SPDX-License-Identifier: MIT
// The emulated device does what CUDA documents, as far as the library relies on it.
#include <bit>
#include <cmath>
#include <cstdint>
#include <cstring>
#include <limits>
#include <vector>

#include "cublas_v2.h"
#include "support/catch2.hpp"

namespace {

__constant__ float table[4];

__global__ void iota(float* out, int n, float start) {
  const int i = static_cast<int>(blockIdx.x * blockDim.x + threadIdx.x);
  if (i < n) out[i] = start + static_cast<float>(i);
}
__global__ void places(unsigned* out) {
  const unsigned block = blockIdx.x + gridDim.x * (blockIdx.y + gridDim.y * blockIdx.z);
  const unsigned thread = threadIdx.x + blockDim.x * (threadIdx.y + blockDim.y * threadIdx.z);
  out[block * blockDim.x * blockDim.y * blockDim.z + thread] = block * 1000 + thread;
}
__global__ void lanes(int* out) {
  const int l = static_cast<int>(threadIdx.x);
  int* const mine = out + 12 * l;
  mine[0] = __shfl_sync(0xffffffffu, l, 5);
  mine[1] = __shfl_xor_sync(0xffffffffu, l, 3);
  mine[2] = __shfl_down_sync(0xffffffffu, l, 4);
  mine[3] = __shfl_up_sync(0xffffffffu, l, 4);
  mine[4] = __shfl_down_sync(0xffffffffu, l, 3, 8);
  mine[5] = static_cast<int>(__ballot_sync(0xffffffffu, l % 3 == 0));
  mine[6] = __any_sync(0xffffffffu, l == 31) + 2 * __all_sync(0xffffffffu, l < 31);
  mine[7] = __reduce_add_sync(0xffffffffu, l);
  mine[8] = __reduce_max_sync(0xffffffffu, l - 40);
  double sum = l;
  for (int d = 16; d > 0; d /= 2) sum += __shfl_xor_sync(0xffffffffu, sum, d);
  mine[9] = static_cast<int>(sum);
  const unsigned half = l < 16 ? 0xffffu : 0xffff0000u;  // divergent: each half by itself
  mine[10] = l < 16 ? __shfl_xor_sync(half, l, 1) : __shfl_xor_sync(half, l, 2);
  struct Lane {
    int in, out;
  } both{l, 0};
  cuda_shim::warp_together(0xffffffffu, both, "test", [](Lane(&all)[32]) {
    for (int i = 0; i < 32; ++i) all[i].out = all[31 - i].in + all[0].in;
  });
  mine[11] = both.out;
}
__global__ void atomics(int* i, unsigned long long* u, double* d) {
  atomicAdd(i, 1);
  atomicMin(i + 1, static_cast<int>(threadIdx.x) - 7);
  atomicMax(i + 2, static_cast<int>(threadIdx.x) + 7);
  atomicAdd(u, 1ull << 33);
  atomicMax(u + 1, static_cast<unsigned long long>(threadIdx.x) << 40);
  atomicAdd(d, 0.5);
}
__global__ void counted(int* out) {
  const int t = static_cast<int>(threadIdx.x);
  const int n = __syncthreads_count(t % 3 == 0), any = __syncthreads_or(t == 40), all = __syncthreads_and(t != 40);
  out[t] = n * 100 + any * 10 + all;
}
__global__ void from_table(float* out) { out[threadIdx.x] = table[threadIdx.x]; }
__device__ float sum_of_frames(volatile float* above, int n) {
  volatile float local[16 << 10];
  local[(16 << 10) - 1] = above[0];
  local[0] = local[(16 << 10) - 1] + 1;
  return n > 0 ? sum_of_frames(local, n - 1) + local[0] : 0;
}
__global__ void deep(float* out, int n) {  // more local memory than a stack holds
  volatile float zero = 0;
  out[0] = sum_of_frames(&zero, n);
}

struct Fresh {  // each test starts and ends with an empty, sound device
  Fresh() { cuda_shim::reset(); }
  ~Fresh() { cuda_shim::reset(); }
};

template <class... P, class... A>
cudaError_t launch(dim3 grid, dim3 block, std::size_t shared, cudaStream_t stream, void (*kernel)(P...), A... arguments) {
  const cudaLaunchConfig_t config{grid, block, shared, stream, nullptr, 0};
  return cudaLaunchKernelEx(&config, kernel, static_cast<P>(arguments)...);
}

template <class T>
struct Array {
  T* data = nullptr;
  std::size_t size;
  explicit Array(std::size_t n) : size(n) { REQUIRE(cudaMalloc(&data, n * sizeof(T)) == cudaSuccess); }
  explicit Array(const std::vector<T>& values) : Array(values.size()) {
    REQUIRE(cudaMemcpy(data, values.data(), size * sizeof(T), cudaMemcpyHostToDevice) == cudaSuccess);
  }
  Array(const Array&) = delete;
  ~Array() { cudaFree(data); }
  std::vector<T> get() const {
    std::vector<T> out(size);
    REQUIRE(cudaMemcpy(out.data(), data, size * sizeof(T), cudaMemcpyDeviceToHost) == cudaSuccess);
    return out;
  }
};

}  // namespace

TEST_CASE("Threads and blocks have their places in every order") {
  const Fresh fresh;
  for (const unsigned seed : {0u, 1u, 2u}) {
    for (const unsigned workers : {1u, 2u, 3u}) {
      cuda_shim::options().seed = seed;
      cuda_shim::options().workers = workers;
      const Array<unsigned> out(4 * 3 * 2 * 5 * 7 * 2);
      REQUIRE(launch({4, 3, 2}, {5, 7, 2}, 0, nullptr, &places, out.data) == cudaSuccess);
      const std::vector<unsigned> got = out.get();
      for (unsigned i = 0; i < got.size(); ++i) REQUIRE(got[i] == i / 70 * 1000 + i % 70);
    }
  }
}

TEST_CASE("Lanes of a warp exchange values, also when they diverge") {
  const Fresh fresh;
  for (const unsigned seed : {0u, 1u, 2u}) {
    cuda_shim::options().seed = seed;
    const Array<int> out(32 * 12);
    REQUIRE(launch(1, 32, 0, nullptr, &lanes, out.data) == cudaSuccess);
    const std::vector<int> got = out.get();
    for (int l = 0; l < 32; ++l) {
      const std::vector<int> mine(got.begin() + 12 * l, got.begin() + 12 * (l + 1));
      CHECK(mine == std::vector<int>{5, l ^ 3, l + 4 < 32 ? l + 4 : l, l >= 4 ? l - 4 : l, l % 8 + 3 < 8 ? l + 3 : l,
                                     std::bit_cast<int>(0x49249249u), 1, 496, -9, 496, l < 16 ? l ^ 1 : l ^ 2, 31 - l});
    }
  }
}

TEST_CASE("Atomics and counting barriers") {
  const Fresh fresh;
  cuda_shim::options().workers = 2;
  const Array<int> i(std::vector<int>{0, 100, -100});
  const Array<unsigned long long> u(std::vector<unsigned long long>{0, 0});
  const Array<double> d(std::vector<double>{0});
  REQUIRE(launch(10, 50, 0, nullptr, &atomics, i.data, u.data, d.data) == cudaSuccess);
  CHECK(i.get() == std::vector<int>{500, -7, 56});
  CHECK(u.get() == std::vector<unsigned long long>{500ull << 33, 49ull << 40});
  CHECK(d.get() == std::vector<double>{250});
  const Array<int> out(64);
  REQUIRE(launch(1, 64, 0, nullptr, &counted, out.data) == cudaSuccess);
  CHECK(out.get() == std::vector<int>(64, 2210));
}

TEST_CASE("Where there is no device each call says so, and the count stays as it was") {
  const Fresh fresh;
  for (const cudaError_t error : {cudaErrorNoDevice, cudaErrorStubLibrary, cudaErrorInsufficientDriver}) {
    cuda_shim::options().unavailable = error;
    int count = 77;
    CHECK(cudaGetDeviceCount(&count) == error);
    CHECK(count == 77);
    void* p = nullptr;
    cudaStream_t stream = nullptr;
    cublasHandle_t handle = nullptr;
    CHECK(cudaMalloc(&p, 4) == error);
    CHECK(cudaStreamCreate(&stream) == error);
    CHECK(cublasCreate(&handle) == CUBLAS_STATUS_NOT_INITIALIZED);
    CHECK(std::string(cudaGetErrorName(error)).starts_with("cudaError"));
  }
}

TEST_CASE("Properties are those that were set") {
  const Fresh fresh;
  cuda_shim::options().multiprocessors = 7;
  cuda_shim::options().l2_bytes = 12345;
  cudaDeviceProp p;
  REQUIRE(cudaGetDeviceProperties(&p, 0) == cudaSuccess);
  CHECK(p.multiProcessorCount == 7);
  CHECK(p.l2CacheSize == 12345);
  int value = 0;
  CHECK(cudaDeviceGetAttribute(&value, cudaDevAttrMultiProcessorCount, 0) == cudaSuccess);
  CHECK(value == 7);
  CHECK(cudaGetDeviceProperties(&p, 1) == cudaErrorInvalidDevice);
}

TEST_CASE("Memory ends where it was said to, and fails when it was asked to") {
  const Fresh fresh;
  cuda_shim::options().total_bytes = cuda_shim::counters().live_bytes + 1000;
  cuda_shim::options().taken_bytes = 200;
  void *p = nullptr, *q = nullptr;
  std::size_t free = 0, total = 0;
  CHECK(cudaMalloc(&p, 801) == cudaErrorMemoryAllocation);
  CHECK(p == nullptr);
  REQUIRE(cudaMalloc(&p, 500) == cudaSuccess);
  CHECK(reinterpret_cast<std::uintptr_t>(p) % 256 == 0);
  REQUIRE(cudaMemGetInfo(&free, &total) == cudaSuccess);
  CHECK(free == 300);
  CHECK(cudaMallocAsync(&q, 301, nullptr) == cudaErrorMemoryAllocation);
  cuda_shim::options().fail_allocation = 2;
  CHECK(cudaMalloc(&q, 100) == cudaSuccess);
  CHECK(cudaFree(q) == cudaSuccess);
  CHECK(cudaMalloc(&q, 100) == cudaErrorMemoryAllocation);
  CHECK(cudaMalloc(&q, 100) == cudaSuccess);
  CHECK(cudaFree(q) == cudaSuccess);
  // What a stream frees is there again for what it then allocates.
  cudaStream_t stream;
  REQUIRE(cudaStreamCreate(&stream) == cudaSuccess);
  REQUIRE(cudaFreeAsync(p, stream) == cudaSuccess);
  REQUIRE(cudaMallocAsync(&p, 800, stream) == cudaSuccess);
  CHECK(cudaFree(static_cast<char*>(p) + 256) == cudaErrorInvalidValue);
  CHECK(cudaFreeAsync(p, stream) == cudaSuccess);
  CHECK(cudaStreamDestroy(stream) == cudaSuccess);
  CHECK(cudaMallocAsync(&p, 0, nullptr) == cudaErrorInvalidValue);
  CHECK(cuda_shim::counters().peak_bytes - cuda_shim::counters().live_bytes == 800);
}

TEST_CASE("Launches that CUDA would refuse, and faults that stay") {
  const Fresh fresh;
  const Array<float> out(8);
  CHECK(launch(1, 1025, 0, nullptr, &iota, out.data, 8, 0.0f) == cudaErrorInvalidConfiguration);
  CHECK(launch({1, 65536}, 1, 0, nullptr, &iota, out.data, 8, 0.0f) == cudaErrorInvalidConfiguration);
  CHECK(launch(0, 1, 0, nullptr, &iota, out.data, 8, 0.0f) == cudaErrorInvalidConfiguration);
  CHECK(cudaGetLastError() == cudaErrorInvalidConfiguration);
  CHECK(cudaGetLastError() == cudaSuccess);
  CHECK(launch(1, 8, 48 * 1024 + 1, nullptr, &iota, out.data, 8, 0.0f) == cudaErrorInvalidValue);
  CHECK(cudaFuncSetAttribute(&iota, cudaFuncAttributeMaxDynamicSharedMemorySize, 228 * 1024) == cudaErrorInvalidValue);
  REQUIRE(cudaFuncSetAttribute(&iota, cudaFuncAttributeMaxDynamicSharedMemorySize, 100 * 1024) == cudaSuccess);
  CHECK(launch(1, 8, 100 * 1024, nullptr, &iota, out.data, 8, 0.0f) == cudaSuccess);
  cuda_shim::options().fail_launch = 1;
  CHECK(launch(1, 8, 0, nullptr, &iota, out.data, 8, 0.0f) == cudaErrorLaunchOutOfResources);
  CHECK(launch(1, 8, 0, nullptr, &iota, out.data, 8, 0.0f) == cudaSuccess);
  cudaStream_t stream;
  REQUIRE(cudaStreamCreate(&stream) == cudaSuccess);
  if (cuda_shim::handles_faults()) {
    CHECK(launch(1, 1, 0, stream, &deep, out.data, 1) == cudaSuccess);
    CHECK(cudaStreamSynchronize(stream) == cudaSuccess);
    CHECK(launch(1, 1, 0, stream, &deep, out.data, 100) == cudaSuccess);
    CHECK(cudaStreamSynchronize(stream) == cudaErrorIllegalAddress);
    CHECK(cudaGetLastError() == cudaErrorIllegalAddress);
    CHECK(launch(1, 8, 0, nullptr, &iota, out.data, 8, 0.0f) == cudaErrorIllegalAddress);
    cuda_shim::reset();
  }
  CHECK(launch(1, 8, 0, nullptr, &iota, out.data, 8, 0.0f) == cudaSuccess);
  CHECK(cudaStreamDestroy(stream) == cudaSuccess);
}

TEST_CASE("Copies, flat and by rows, are counted") {
  const Fresh fresh;
  const Array<float> a(12);
  CHECK(std::isnan(a.get()[3]));
  const std::vector<float> host{1, 2, 3, 4, 5, 6};
  REQUIRE(cudaMemset(a.data, 0, 12 * sizeof(float)) == cudaSuccess);
  REQUIRE(cudaMemcpy2DAsync(a.data, 4 * sizeof(float), host.data(), 2 * sizeof(float), 2 * sizeof(float), 3, cudaMemcpyHostToDevice) ==
          cudaSuccess);
  CHECK(a.get() == std::vector<float>{1, 2, 0, 0, 3, 4, 0, 0, 5, 6, 0, 0});
  const Array<float> b(12);
  REQUIRE(cudaMemcpyAsync(b.data, a.data, 8 * sizeof(float), cudaMemcpyDeviceToDevice) == cudaSuccess);
  CHECK(b.get()[5] == 4);
  CHECK(cuda_shim::counters().bytes_up == 6 * sizeof(float));
  CHECK(cuda_shim::counters().bytes_down == 36 * sizeof(float));
  CHECK(cuda_shim::counters().bytes_across == 8 * sizeof(float));
  CHECK(cudaMemcpy(b.data, a.data, 13 * sizeof(float), cudaMemcpyDeviceToDevice) == cudaErrorInvalidValue);
  CHECK(cudaMemcpy(b.data, host.data(), 4, cudaMemcpyDeviceToDevice) == cudaErrorInvalidValue);
  cuda_shim::options().fail_copy = 1;
  CHECK(cudaMemcpy(b.data, a.data, 4, cudaMemcpyDeviceToDevice) == cudaErrorUnknown);
  const std::vector<float> constants{4, 3, 2, 1};
  REQUIRE(cudaMemcpyToSymbol(table, constants.data(), 4 * sizeof(float)) == cudaSuccess);
  REQUIRE(launch(1, 4, 0, nullptr, &from_table, a.data) == cudaSuccess);
  CHECK(a.get()[0] == 4);
}

TEST_CASE("Streams wait for events and for nothing else") {
  const Fresh fresh;
  for (const unsigned seed : {0u, 1u, 2u, 3u}) {
    cuda_shim::options().seed = seed;
    const Array<float> a(4), b(4);
    cudaStream_t first, second;
    cudaEvent_t begin, end;
    REQUIRE(cudaStreamCreateWithFlags(&first, cudaStreamNonBlocking) == cudaSuccess);
    REQUIRE(cudaStreamCreateWithFlags(&second, cudaStreamNonBlocking) == cudaSuccess);
    REQUIRE(cudaEventCreate(&begin) == cudaSuccess);
    REQUIRE(cudaEventCreate(&end) == cudaSuccess);
    cudaEventRecord(begin, first);
    launch(1, 4, 0, first, &iota, a.data, 4, 10.0f);
    cudaEventRecord(end, first);
    cudaStreamWaitEvent(second, end, 0);
    cudaMemcpyAsync(b.data, a.data, 4 * sizeof(float), cudaMemcpyDeviceToDevice, second);
    CHECK(cudaEventQuery(end) == cudaErrorNotReady);
    CHECK(cudaEventQuery(end) == cudaSuccess);
    cudaStreamSynchronize(second);
    CHECK(b.get() == std::vector<float>{10, 11, 12, 13});
    float milliseconds = -1;
    CHECK(cudaEventElapsedTime(&milliseconds, begin, end) == cudaSuccess);
    CHECK(milliseconds >= 0);
    for (const cudaEvent_t each : {begin, end}) cudaEventDestroy(each);
    for (const cudaStream_t each : {first, second}) cudaStreamDestroy(each);
    CHECK(cudaStreamSynchronize(first) == cudaErrorInvalidResourceHandle);
  }
  CHECK(cuda_shim::counters().live_streams == 0);
  CHECK(cuda_shim::counters().live_events == 0);
}

namespace {
float tf32(float v) { return std::bit_cast<float>((std::bit_cast<std::uint32_t>(v) + 0x1000u) & ~0x1fffu); }
}  // namespace

TEST_CASE("Products of cuBLAS, all transposes and precisions") {
  const Fresh fresh;
  cublasHandle_t handle;
  REQUIRE(cublasCreate(&handle) == CUBLAS_STATUS_SUCCESS);
  constexpr int m = 5, n = 6, k = 7, lda = 9, ldb = 8, ldc = 6;
  std::vector<float> a(lda * 9), b(ldb * 9);
  for (std::size_t i = 0; i < a.size(); ++i) a[i] = std::sin(static_cast<float>(i));
  for (std::size_t i = 0; i < b.size(); ++i) b[i] = std::cos(static_cast<float>(3 * i));
  const std::vector<double> a2(a.begin(), a.end()), b2(b.begin(), b.end());
  const Array<float> x(a), y(b), z(ldc * n);
  const Array<double> x2(a2), y2(b2), z2(std::vector<double>(ldc * n, 1.0));
  for (const bool ta : {false, true}) {
    for (const bool tb : {false, true}) {
      for (const bool fast : {false, true}) {
        const auto expected = [&](int i, int j) {
          double sum = 0;
          for (int p = 0; p < k; ++p) {
            const float u = a[static_cast<std::size_t>(ta ? p + i * lda : i + p * lda)],
                        v = b[static_cast<std::size_t>(tb ? j + p * ldb : p + j * ldb)];
            sum += fast ? static_cast<double>(tf32(u)) * tf32(v) : static_cast<double>(u) * v;
          }
          return 2 * sum;
        };
        const auto ops = [](bool t) { return t ? CUBLAS_OP_T : CUBLAS_OP_N; };
        const float two = 2, zero = 0;
        const double two2 = 2, one2 = 1;
        REQUIRE(cublasSetMathMode(handle, fast ? CUBLAS_TF32_TENSOR_OP_MATH : CUBLAS_DEFAULT_MATH) == CUBLAS_STATUS_SUCCESS);
        REQUIRE(cublasSgemm(handle, ops(ta), ops(tb), m, n, k, &two, x.data, lda, y.data, ldb, &zero, z.data, ldc) ==
                CUBLAS_STATUS_SUCCESS);
        const std::vector<float> got = z.get();
        REQUIRE(cudaMemcpy(z2.data, std::vector<double>(ldc * n, 1.0).data(), ldc * n * sizeof(double), cudaMemcpyHostToDevice) ==
                cudaSuccess);
        REQUIRE(cublasDgemm(handle, ops(ta), ops(tb), m, n, k, &two2, x2.data, lda, y2.data, ldb, &one2, z2.data, ldc) ==
                CUBLAS_STATUS_SUCCESS);
        const std::vector<double> got2 = z2.get();
        for (int j = 0; j < n; ++j) {
          for (int i = 0; i < m; ++i) {
            CHECK(std::abs(static_cast<double>(got[static_cast<std::size_t>(i + j * ldc)]) - expected(i, j)) < 1e-5);
            if (!fast) CHECK(std::abs(got2[static_cast<std::size_t>(i + j * ldc)] - 1 - expected(i, j)) < 1e-12);
          }
          CHECK(std::isnan(got[static_cast<std::size_t>(m + j * ldc)]));  // between the columns
        }
      }
    }
  }
  const float one = 1, zero = 0;
  CHECK(cublasSgemm(handle, CUBLAS_OP_N, CUBLAS_OP_N, m, n, k, &one, x.data, m - 1, y.data, ldb, &zero, z.data, ldc) ==
        CUBLAS_STATUS_INVALID_VALUE);
  CHECK(cublasSgemm(handle, CUBLAS_OP_N, CUBLAS_OP_N, m, n, k, &one, x.data, lda, y.data, ldb, &zero, z.data, ldc + 1) ==
        CUBLAS_STATUS_EXECUTION_FAILED);
  cuda_shim::reset();
  // 1 + 2^-9 is no bfloat16: it is cut to 1 (a tie, to even), and twice it is.
  std::vector<std::uint16_t> halves;
  for (const float v : {1.5f, -2.0f, 0.25f, 3.0f}) halves.push_back(static_cast<std::uint16_t>(std::bit_cast<std::uint32_t>(v) >> 16));
  const Array<std::uint16_t> h(halves);
  const Array<float> out(4), fine(std::vector<float>{1 + 0x1p-9f, 1 + 0x1p-7f, 1, 1});
  REQUIRE(cublasGemmEx(handle, CUBLAS_OP_N, CUBLAS_OP_T, 2, 2, 2, &one, h.data, CUDA_R_16BF, 2, h.data, CUDA_R_16BF, 2, &zero, out.data,
                       CUDA_R_32F, 2, CUBLAS_COMPUTE_32F, CUBLAS_GEMM_DEFAULT) == CUBLAS_STATUS_SUCCESS);
  CHECK(out.get() == std::vector<float>{1.5f * 1.5f + 0.0625f, -3.0f + 0.75f, -3.0f + 0.75f, 13.0f});
  REQUIRE(cublasGemmEx(handle, CUBLAS_OP_N, CUBLAS_OP_N, 2, 2, 1, &one, fine.data, CUDA_R_32F, 2, fine.data + 2, CUDA_R_32F, 1, &zero,
                       out.data, CUDA_R_32F, 2, CUBLAS_COMPUTE_32F_FAST_16BF, CUBLAS_GEMM_DEFAULT) == CUBLAS_STATUS_SUCCESS);
  CHECK(out.get() == std::vector<float>{1, 1 + 0x1p-7f, 1, 1 + 0x1p-7f});
  cuda_shim::options().fail_cublas = 1;
  CHECK(cublasSgemm(handle, CUBLAS_OP_N, CUBLAS_OP_N, m, n, k, &one, x.data, lda, y.data, ldb, &zero, z.data, ldc) ==
        CUBLAS_STATUS_EXECUTION_FAILED);
  CHECK(cublasDestroy(handle) == CUBLAS_STATUS_SUCCESS);
  CHECK(cuda_shim::counters().live_handles == 0);
}
