// SPDX-License-Identifier: MIT
// Packed features in bf16, for products that cuBLAS takes of bf16 operands: half the bytes of floats, and its fastest kernels.
#pragma once

#include <cstdint>

#include "mmd/backends/cuda/features.cuh"
#include "mmd/backends/cuda/gemm.cuh"

namespace mmd {
namespace detail {
inline namespace MMD_ISA {

inline constexpr int half_threads = 256;

// to[i] = from[i] rounded to 8 significant bits, ties to even, as the upper half of its bits; `count` a multiple of 8. All finite.
template <class Bits>
__global__ void __launch_bounds__(half_threads) round_to_bf16(const float* from, Bits* to, index_t count) {
  const index_t i = (static_cast<index_t>(blockIdx.x) * half_threads + threadIdx.x) * 4;
  if (i >= count) return;
  const float4 x = *reinterpret_cast<const float4*>(from + i);
  const auto rounded = [](float v) {
    const Bits bits = __float_as_uint(v);
    return (bits + 0x7fffu + (bits >> 16 & 1u)) >> 16;
  };
  *reinterpret_cast<uint2*>(to + i / 2) = make_uint2(rounded(x.x) | rounded(x.y) << 16, rounded(x.z) | rounded(x.w) << 16);
}

// Two features in each word.
using bf16_features = buffer<std::uint32_t>;
inline std::uint64_t bf16_bytes(index_t panels, index_t d) {
  return static_cast<std::uint64_t>(panels * panel_rows * device_features<float>::padded(d)) * 2;
}
inline bf16_features in_bf16(device_context& on, const device_features<float>& f) {
  const index_t count = f.rows * f.d_padded;
  bf16_features out(on, count / 2, on.stream(0), "features in bf16");
  launch(round_to_bf16<std::uint32_t>, static_cast<unsigned>((count / 4 + half_threads - 1) / half_threads), half_threads, 0, on.stream(0),
         static_cast<const float*>(f.z.data()), out.data(), count);
  return out;
}

// out[i * ld + j] = the inner product of rows first_i + i and first_j + j of z, `width` features each, for rows x columns of them; on
// stream s.
inline void bf16_product(device_context& on, int s, const bf16_features& z, index_t width, index_t first_i, index_t rows, index_t first_j,
                         index_t columns, float* out, index_t ld) {
  const float one = 1, zero = 0;
  const auto narrow = [](index_t i) { return static_cast<int>(i); };
  const auto row = [&](index_t r) { return z.data() + r * (width / 2); };
  check(cublasGemmEx(on.blas(s), CUBLAS_OP_T, CUBLAS_OP_N, narrow(columns), narrow(rows), narrow(width), &one, row(first_j), CUDA_R_16BF,
                     narrow(width), row(first_i), CUDA_R_16BF, narrow(width), &zero, out, CUDA_R_32F, narrow(ld), CUBLAS_COMPUTE_32F,
                     CUBLAS_GEMM_DEFAULT),
        "a product of bf16 by cuBLAS");
}

}  // namespace MMD_ISA
}  // namespace detail
}  // namespace mmd
