// SPDX-License-Identifier: MIT
// cuBLAS's products. Compiled without sanitizers.
#include "cublas_v2.h"

#include <bit>
#include <vector>

#include "cuda_shim/engine.hpp"

using namespace cuda_shim;

struct cublasContext {
  cudaStream_t stream = nullptr;
  cublasMath_t math = CUBLAS_DEFAULT_MATH;
  void* workspace = nullptr;
};

namespace {

enum class Rounding { none, tf32, bf16 };

// An operand of op(A): where element (row, k) lies.
struct Operand {
  const void* data;
  cudaDataType type;
  bool transposed;
  int ld;

  std::size_t bytes(int rows, int columns) const {  // of op(A), rows x columns
    const auto tall = static_cast<std::size_t>(transposed ? columns : rows), wide = static_cast<std::size_t>(transposed ? rows : columns);
    const std::size_t each = type == CUDA_R_64F ? 8 : type == CUDA_R_32F ? 4 : 2;
    return wide == 0 || tall == 0 ? 0 : ((wide - 1) * static_cast<std::size_t>(ld) + tall) * each;
  }
};

float rounded(float v, Rounding how) {
  if (how == Rounding::none || v != v) return v;
  const unsigned dropped = how == Rounding::tf32 ? 13 : 16;
  auto u = std::bit_cast<std::uint32_t>(v);
  if (how == Rounding::tf32) {
    u += 1u << (dropped - 1);  // ties away from zero
  } else {
    u += (1u << (dropped - 1)) - 1 + (u >> dropped & 1u);  // ties to even
  }
  return std::bit_cast<float>(u & ~((1u << dropped) - 1));
}

float half_to_float(std::uint16_t h) {
  const int exponent = h >> 10 & 31, fraction = h & 1023;
  const float magnitude = exponent == 31  ? (fraction != 0 ? NAN : INFINITY)
                          : exponent == 0 ? std::ldexp(static_cast<float>(fraction), -24)
                                          : std::ldexp(static_cast<float>(fraction + 1024), exponent - 25);
  return h >> 15 != 0 ? -magnitude : magnitude;
}

template <class T>
T element(const Operand& o, std::size_t i, Rounding how) {
  if constexpr (std::is_same_v<T, double>) {
    return static_cast<const double*>(o.data)[i];
  } else {
    if (o.type == CUDA_R_32F) return rounded(static_cast<const float*>(o.data)[i], how);
    const std::uint16_t bits = static_cast<const std::uint16_t*>(o.data)[i];
    return o.type == CUDA_R_16BF ? std::bit_cast<float>(static_cast<std::uint32_t>(bits) << 16) : half_to_float(bits);
  }
}

// op(A) as rows x columns, by columns.
template <class T>
std::vector<T> gathered(const Operand& o, int rows, int columns, Rounding how) {
  std::vector<T> out(static_cast<std::size_t>(rows) * static_cast<std::size_t>(columns));
  for (int c = 0; c < columns; ++c) {
    for (int r = 0; r < rows; ++r) {
      const auto at =
          static_cast<std::size_t>(o.transposed ? c : r) + static_cast<std::size_t>(o.transposed ? r : c) * static_cast<std::size_t>(o.ld);
      out[static_cast<std::size_t>(r) + static_cast<std::size_t>(c) * static_cast<std::size_t>(rows)] = element<T>(o, at, how);
    }
  }
  return out;
}

template <class T>
void multiply(const Operand& a, const Operand& b, int m, int n, int k, T alpha, T beta, T* c, int ldc, Rounding how) {
  const auto height = static_cast<std::size_t>(m), depth = static_cast<std::size_t>(k);
  const std::vector<T> left = gathered<T>(a, m, k, how), right = gathered<T>(b, k, n, how);
  std::vector<T> sum(4 * height);
  for (int j0 = 0; j0 < n; j0 += 4) {
    const std::size_t first = static_cast<std::size_t>(j0), columns = std::min<std::size_t>(4, static_cast<std::size_t>(n - j0));
    std::fill(sum.begin(), sum.end(), T(0));
    for (std::size_t p = 0; p < depth; ++p) {
      const T* const __restrict x = left.data() + p * height;
      T w[4] = {};
      for (std::size_t q = 0; q < columns; ++q) w[q] = right[p + (first + q) * depth];
      T* const __restrict s0 = sum.data(), * const __restrict s1 = s0 + height, * const __restrict s2 = s1 + height, * const __restrict s3 = s2 + height;
      for (std::size_t i = 0; i < height; ++i) {
        s0[i] += x[i] * w[0];
        s1[i] += x[i] * w[1];
        s2[i] += x[i] * w[2];
        s3[i] += x[i] * w[3];
      }
    }
    for (std::size_t q = 0; q < columns; ++q) {
      T* const out = c + (first + q) * static_cast<std::size_t>(ldc);
      for (std::size_t i = 0; i < height; ++i) {
        const T product = alpha * sum[q * height + i];
        out[i] = beta == T(0) ? product : product + beta * out[i];
      }
    }
  }
}

template <class T>
cublasStatus_t product(cublasHandle_t handle, Operand a, Operand b, int m, int n, int k, T alpha, T beta, T* c, int ldc, Rounding how) {
  const std::lock_guard lock(mutex());
  if (!handle) return CUBLAS_STATUS_NOT_INITIALIZED;
  if (options().fail_cublas > 0 && --options().fail_cublas == 0) return CUBLAS_STATUS_EXECUTION_FAILED;
  if (ready() != cudaSuccess) return CUBLAS_STATUS_EXECUTION_FAILED;
  if (m < 0 || n < 0 || k < 0 || a.ld < std::max(1, a.transposed ? k : m) || b.ld < std::max(1, b.transposed ? n : k) ||
      ldc < std::max(1, m)) {
    return CUBLAS_STATUS_INVALID_VALUE;
  }
  if (m == 0 || n == 0) return CUBLAS_STATUS_SUCCESS;
  const Operand result{c, sizeof(T) == 8 ? CUDA_R_64F : CUDA_R_32F, false, ldc};
  if ((k > 0 && (!inside_allocation(a.data, a.bytes(m, k)) || !inside_allocation(b.data, b.bytes(k, n)))) ||
      !inside_allocation(c, result.bytes(m, n))) {
    fail(cudaErrorIllegalAddress, "a matrix of a product of cuBLAS does not lie in one allocation");
    return CUBLAS_STATUS_EXECUTION_FAILED;
  }
  if (!handle->workspace) ++counters().products_without_workspace;
  const cudaError_t queued = enqueue(handle->stream, [=]() -> cudaError_t {
    if (!inside_allocation(c, result.bytes(m, n)) || (k > 0 && (!inside_allocation(a.data, 1) || !inside_allocation(b.data, 1)))) {
      return fail(cudaErrorIllegalAddress, "a matrix of a product of cuBLAS was freed before it ran");
    }
    for (const void* p : {a.data, b.data, static_cast<const void*>(c)}) open_to_host(p);
    multiply<T>(a, b, m, n, k, alpha, beta, c, ldc, how);
    lock_again();
    return cudaSuccess;
  });
  return queued == cudaSuccess ? CUBLAS_STATUS_SUCCESS : CUBLAS_STATUS_EXECUTION_FAILED;
}

Rounding rounding_of(cublasHandle_t handle) {
  return handle && (handle->math & 3) == CUBLAS_TF32_TENSOR_OP_MATH ? Rounding::tf32 : Rounding::none;
}

bool transposed(cublasOperation_t op) { return op != CUBLAS_OP_N; }

}  // namespace

cublasStatus_t cublasCreate(cublasHandle_t* handle) {
  const std::lock_guard lock(mutex());
  *handle = nullptr;
  if (ready() != cudaSuccess) return CUBLAS_STATUS_NOT_INITIALIZED;
  if (options().fail_cublas > 0 && --options().fail_cublas == 0) return CUBLAS_STATUS_ALLOC_FAILED;
  *handle = new cublasContext;
  ++counters().live_handles;
  return CUBLAS_STATUS_SUCCESS;
}
cublasStatus_t cublasDestroy(cublasHandle_t handle) {
  const std::lock_guard lock(mutex());
  if (!handle) return CUBLAS_STATUS_NOT_INITIALIZED;
  delete handle;
  --counters().live_handles;
  return CUBLAS_STATUS_SUCCESS;
}
cublasStatus_t cublasGetVersion(cublasHandle_t, int* version) {
  *version = 130000;
  return CUBLAS_STATUS_SUCCESS;
}
cublasStatus_t cublasSetStream(cublasHandle_t handle, cudaStream_t stream) {
  if (!handle) return CUBLAS_STATUS_NOT_INITIALIZED;
  handle->stream = stream;
  handle->workspace = nullptr;
  return CUBLAS_STATUS_SUCCESS;
}
cublasStatus_t cublasGetStream(cublasHandle_t handle, cudaStream_t* stream) {
  if (!handle) return CUBLAS_STATUS_NOT_INITIALIZED;
  *stream = handle->stream;
  return CUBLAS_STATUS_SUCCESS;
}
cublasStatus_t cublasSetWorkspace(cublasHandle_t handle, void* workspace, std::size_t bytes) {
  const std::lock_guard lock(mutex());
  if (!handle) return CUBLAS_STATUS_NOT_INITIALIZED;
  if (bytes > 0 && (!inside_allocation(workspace, bytes) || reinterpret_cast<std::uintptr_t>(workspace) % 256 != 0))
    return CUBLAS_STATUS_INVALID_VALUE;
  handle->workspace = workspace;
  return CUBLAS_STATUS_SUCCESS;
}
cublasStatus_t cublasSetMathMode(cublasHandle_t handle, cublasMath_t mode) {
  if (!handle) return CUBLAS_STATUS_NOT_INITIALIZED;
  handle->math = mode;
  return CUBLAS_STATUS_SUCCESS;
}
cublasStatus_t cublasGetMathMode(cublasHandle_t handle, cublasMath_t* mode) {
  if (!handle) return CUBLAS_STATUS_NOT_INITIALIZED;
  *mode = handle->math;
  return CUBLAS_STATUS_SUCCESS;
}
cublasStatus_t cublasSetPointerMode(cublasHandle_t handle, cublasPointerMode_t mode) {
  if (!handle) return CUBLAS_STATUS_NOT_INITIALIZED;
  if (mode != CUBLAS_POINTER_MODE_HOST) return CUBLAS_STATUS_NOT_SUPPORTED;  // here
  return CUBLAS_STATUS_SUCCESS;
}
cublasStatus_t cublasSetAtomicsMode(cublasHandle_t handle, cublasAtomicsMode_t) {
  return handle ? CUBLAS_STATUS_SUCCESS : CUBLAS_STATUS_NOT_INITIALIZED;
}

const char* cublasGetStatusName(cublasStatus_t status) {
  switch (status) {
    case CUBLAS_STATUS_SUCCESS:
      return "CUBLAS_STATUS_SUCCESS";
    case CUBLAS_STATUS_NOT_INITIALIZED:
      return "CUBLAS_STATUS_NOT_INITIALIZED";
    case CUBLAS_STATUS_ALLOC_FAILED:
      return "CUBLAS_STATUS_ALLOC_FAILED";
    case CUBLAS_STATUS_INVALID_VALUE:
      return "CUBLAS_STATUS_INVALID_VALUE";
    case CUBLAS_STATUS_ARCH_MISMATCH:
      return "CUBLAS_STATUS_ARCH_MISMATCH";
    case CUBLAS_STATUS_MAPPING_ERROR:
      return "CUBLAS_STATUS_MAPPING_ERROR";
    case CUBLAS_STATUS_EXECUTION_FAILED:
      return "CUBLAS_STATUS_EXECUTION_FAILED";
    case CUBLAS_STATUS_INTERNAL_ERROR:
      return "CUBLAS_STATUS_INTERNAL_ERROR";
    case CUBLAS_STATUS_NOT_SUPPORTED:
      return "CUBLAS_STATUS_NOT_SUPPORTED";
  }
  return "unknown status of cuBLAS";
}
const char* cublasGetStatusString(cublasStatus_t status) {
  return status == CUBLAS_STATUS_SUCCESS ? "success" : "an error of the emulated cuBLAS";
}

cublasStatus_t cublasSgemm(cublasHandle_t handle, cublasOperation_t ta, cublasOperation_t tb, int m, int n, int k, const float* alpha,
                           const float* a, int lda, const float* b, int ldb, const float* beta, float* c, int ldc) {
  return product<float>(handle, {a, CUDA_R_32F, transposed(ta), lda}, {b, CUDA_R_32F, transposed(tb), ldb}, m, n, k, *alpha, *beta, c, ldc,
                        rounding_of(handle));
}
cublasStatus_t cublasDgemm(cublasHandle_t handle, cublasOperation_t ta, cublasOperation_t tb, int m, int n, int k, const double* alpha,
                           const double* a, int lda, const double* b, int ldb, const double* beta, double* c, int ldc) {
  return product<double>(handle, {a, CUDA_R_64F, transposed(ta), lda}, {b, CUDA_R_64F, transposed(tb), ldb}, m, n, k, *alpha, *beta, c, ldc,
                         Rounding::none);
}
cublasStatus_t cublasGemmEx(cublasHandle_t handle, cublasOperation_t ta, cublasOperation_t tb, int m, int n, int k, const void* alpha,
                            const void* a, cudaDataType a_type, int lda, const void* b, cudaDataType b_type, int ldb, const void* beta,
                            void* c, cudaDataType c_type, int ldc, cublasComputeType_t compute, cublasGemmAlgo_t) {
  const Operand left{a, a_type, transposed(ta), lda}, right{b, b_type, transposed(tb), ldb};
  if (compute == CUBLAS_COMPUTE_64F) {
    if (a_type != CUDA_R_64F || b_type != CUDA_R_64F || c_type != CUDA_R_64F) return CUBLAS_STATUS_NOT_SUPPORTED;
    return product<double>(handle, left, right, m, n, k, *static_cast<const double*>(alpha), *static_cast<const double*>(beta),
                           static_cast<double*>(c), ldc, Rounding::none);
  }
  const bool reduced = compute == CUBLAS_COMPUTE_32F_FAST_TF32 || compute == CUBLAS_COMPUTE_32F_FAST_16BF;
  if (a_type != b_type || a_type == CUDA_R_64F || c_type != CUDA_R_32F || compute == CUBLAS_COMPUTE_32F_FAST_16F ||
      (reduced && a_type != CUDA_R_32F)) {
    return CUBLAS_STATUS_NOT_SUPPORTED;
  }
  const Rounding how = compute == CUBLAS_COMPUTE_32F_FAST_TF32   ? Rounding::tf32
                       : compute == CUBLAS_COMPUTE_32F_FAST_16BF ? Rounding::bf16
                       : compute == CUBLAS_COMPUTE_32F           ? rounding_of(handle)
                                                                 : Rounding::none;
  return product<float>(handle, left, right, m, n, k, *static_cast<const float*>(alpha), *static_cast<const float*>(beta),
                        static_cast<float*>(c), ldc, how);
}
