// SPDX-License-Identifier: MIT
// Dense products on the device, by cuBLAS.
#pragma once

#include <algorithm>
#include <limits>
#include <string>

#include "mmd/backends/cuda/context.cuh"
#include "mmd/backends/cuda/precision.cuh"
#include "mmd/engine/dense.hpp"

namespace mmd {
namespace detail {

// C = alpha op(A) op(B) + beta C as cuBLAS means it: columns of contiguous values, op(A) m x k, op(B) k x n. Enqueued on stream s; the same
// bits from run to run on one device (the handle's workspace is its own, and no sum is taken by atomics). Nothing is done where m or n is
// 0.
template <class T>
void blas_product(device_context& context, int s, precision p, cublasOperation_t of_a, cublasOperation_t of_b, index_t m, index_t n,
                  index_t k, T alpha, const T* a, index_t lda, const T* b, index_t ldb, T beta, T* c, index_t ldc) {
  if (m == 0 || n == 0) return;
  constexpr index_t most = std::numeric_limits<int>::max();
  const index_t largest = std::max({m, n, k, lda, ldb, ldc});
  require(largest <= most, "gemm: a size or stride", largest, "at most 2147483647, what cuBLAS counts to");
  constexpr bool wide = sizeof(T) == 8;
  const cudaDataType_t type = wide ? CUDA_R_64F : CUDA_R_32F;
  const cublasComputeType_t compute = wide                   ? CUBLAS_COMPUTE_64F
                                      : p == precision::tf32 ? CUBLAS_COMPUTE_32F_FAST_TF32
                                      : p == precision::bf16 ? CUBLAS_COMPUTE_32F_FAST_16BF
                                                             : CUBLAS_COMPUTE_32F;
  const auto narrow = [](index_t i) { return static_cast<int>(i); };
  if (k == 0) a = b = c;  // not read, but a pointer all the same
  check(cublasGemmEx(context.blas(s), of_a, of_b, narrow(m), narrow(n), narrow(k), &alpha, a, type, narrow(lda), b, type, narrow(ldb),
                     &beta, c, type, narrow(ldc), compute, CUBLAS_GEMM_DEFAULT),
        "a product by cuBLAS");
}

// How a matrix lies: by rows `ld` apart, or by columns `ld` apart.
struct dense_layout {
  bool by_rows;
  index_t ld;
};
// Throws invalid_input unless the values of a row, or those of a column, follow one another and do not overlap the next.
template <strided_matrix M>
dense_layout layout_of(const M& m, const char* name) {
  const index_t rows = m.rows(), cols = m.cols(), down = m.rowStride(), across = m.colStride();
  if (rows == 0 || cols == 0) return {true, std::max<index_t>(1, cols)};
  if ((across == 1 || cols <= 1) && (rows <= 1 || down >= std::max<index_t>(1, cols)))
    return {true, rows <= 1 ? std::max<index_t>(1, cols) : down};
  if ((down == 1 || rows <= 1) && (cols <= 1 || across >= std::max<index_t>(1, rows)))
    return {false, cols <= 1 ? std::max<index_t>(1, rows) : across};
  reject((std::string("gemm: ") + name + ".rowStride(), .colStride()").c_str(), std::to_string(down) + ", " + std::to_string(across),
         "one of them 1 and the other at least the length of what it steps over");
}

inline namespace MMD_ISA {

// C = alpha op(A) op(B) + beta C for matrices in the device's memory, enqueued on stream 0.
template <class T, class C>
void device_product(device_context& context, precision p, transposed of_a, transposed of_b, T alpha, const samples<device<T>>& a,
                    const samples<device<T>>& b, T beta, C& c) {
  const product_sizes sizes = check_product(of_a, of_b, a, b, c);
  const dense_layout in_a = layout_of(a, "A"), in_b = layout_of(b, "B"), out = layout_of(c, "C");
  // What lies by rows is the transpose of what lies by columns; where C does, cuBLAS makes C' = op(B)' op(A)'.
  const auto op = [&](transposed of, const dense_layout& in) {
    return (of == transposed::yes) != (in.by_rows != out.by_rows) ? CUBLAS_OP_T : CUBLAS_OP_N;
  };
  const T *pa = raw_pointer(a.data()), *pb = raw_pointer(b.data());
  if (out.by_rows) {
    blas_product(context, 0, p, op(of_b, in_b), op(of_a, in_a), sizes.cols, sizes.rows, sizes.depth, alpha, pb, in_b.ld, pa, in_a.ld, beta,
                 raw_pointer(c.data()), out.ld);
  } else {
    blas_product(context, 0, p, op(of_a, in_a), op(of_b, in_b), sizes.rows, sizes.cols, sizes.depth, alpha, pa, in_a.ld, pb, in_b.ld, beta,
                 raw_pointer(c.data()), out.ld);
  }
}

}  // namespace MMD_ISA
}  // namespace detail
}  // namespace mmd
