// SPDX-License-Identifier: MIT
// The instruction set is part of every symbol that holds a loop: objects built with different flags link into one program, and each
// keeps the code that was compiled for it. Errors, views and plain results live outside and cross freely.
#pragma once

#include <cstddef>

#if defined(__AVX512F__) && defined(__AVX512DQ__)
#define MMD_ISA_LEVEL v4
#define MMD_SIMD_BYTES 64
#elif defined(__AVX2__) && defined(__FMA__)
#define MMD_ISA_LEVEL v3
#define MMD_SIMD_BYTES 32
#else
#define MMD_SIMD_BYTES 16
#if defined(__x86_64__)
#define MMD_ISA_LEVEL v1
#elif defined(__aarch64__)
#define MMD_ISA_LEVEL neon
#else
#define MMD_ISA_LEVEL generic
#endif
#endif
#if MMD_SIMD_BYTES == 64 || defined(__aarch64__)
#define MMD_SIMD_REGISTERS 32
#else
#define MMD_SIMD_REGISTERS 16
#endif

#if defined(_OPENMP)
#define MMD_ISA_THREADS _omp
#else
#define MMD_ISA_THREADS _serial
#endif

#define MMD_JOIN_(a, b) a##b
#define MMD_JOIN(a, b) MMD_JOIN_(a, b)
#define MMD_ISA MMD_JOIN(MMD_ISA_LEVEL, MMD_ISA_THREADS)
#define MMD_STRING_(a) #a
#define MMD_STRING(a) MMD_STRING_(a)

#if defined(__CUDACC__)
#define MMD_HD __host__ __device__
#define MMD_UNROLL(count)  // nvcc's front end knows no such pragma for host code
#else
#define MMD_HD
#define MMD_UNROLL(count) _Pragma(MMD_STRING(GCC unroll count))
#endif

namespace mmd {
// Row and column counts and everything derived from them.
using index_t = std::ptrdiff_t;

inline namespace MMD_ISA {
// The instruction set and threading that this translation unit was compiled for: on x86-64 "v1" (baseline), "v3" (AVX2, FMA) or "v4"
// (AVX-512), on Arm "neon", elsewhere "generic", followed by "_omp" or "_serial". Figures should name it.
inline constexpr const char* isa = MMD_STRING(MMD_ISA);
}  // namespace MMD_ISA
}  // namespace mmd
