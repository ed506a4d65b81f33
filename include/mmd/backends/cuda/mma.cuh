// SPDX-License-Identifier: MIT
// The instructions that C++ has no name for: the tensor cores', loads of their operands, rounding to their formats. Compilers for ordinary
// processors (the shim of the tests) get the same functions in words.
#pragma once

#include <cuda_runtime.h>

#include <cstdint>
#include <cstring>

#include "mmd/core/config.hpp"

namespace mmd {
namespace detail {
inline namespace MMD_ISA {

#if defined(CUSHIM)
// A sum as tensor cores return it: towards zero.
inline float towards_zero(double x) {
  const float f = static_cast<float>(x);
  return std::abs(static_cast<double>(f)) > std::abs(x) ? std::nextafter(f, 0.0f) : f;
}
#endif

// threadIdx.x, read anew: neither it nor what is made of it is held in registers from one use to the next.
__device__ inline int thread_of_block() {
#if defined(__CUDA_ARCH__)
  int t;
  asm volatile("mov.u32 %0, %%tid.x;" : "=r"(t));
  return t;
#else
  return static_cast<int>(threadIdx.x);
#endif
}

// 0, but the compiler does not know: what is made with it is made here, not kept in registers from before. Where the same values are needed
// again and again it would keep more of them than there are registers.
__device__ inline unsigned unknown_zero() {
  unsigned zero = 0;
#if defined(__CUDA_ARCH__)
  asm volatile("" : "+r"(zero));
#endif
  return zero;
}

// x rounded to 11 significant bits (tf32), ties away from zero.
__device__ inline float tf32_of(float x) {
#if defined(__CUDA_ARCH__)
  std::uint32_t bits;
  asm("cvt.rna.tf32.f32 %0, %1;" : "=r"(bits) : "f"(x));
  return __uint_as_float(bits);
#else
  return x - x == 0 ? __uint_as_float((__float_as_uint(x) + 0x1000u) & 0xffffe000u) : x;
#endif
}

// max(x, 0), NaN where x is NaN.
__device__ inline float not_below_zero(float x) {
#if defined(__CUDA_ARCH__)
  float y;
  asm("max.NaN.f32 %0, %1, 0f00000000;" : "=f"(y) : "f"(x));
  return y;
#else
  return 0.0f > x ? 0.0f : x;
#endif
}
__device__ inline double not_below_zero(double x) { return 0.0 > x ? 0.0 : x; }

// Four 8 x 4 matrices of words of 4 bytes from shared memory. Lane l names the row of 16 bytes number l % 8 of matrix l / 8, and receives
// the word of row l / 4, column l % 4 of every matrix. All 32 lanes call it.
__device__ inline void load_matrices(std::uint32_t (&word)[4], const void* row) {
#if defined(__CUDA_ARCH__)
  const auto address = static_cast<std::uint32_t>(__cvta_generic_to_shared(row));
  asm volatile("ldmatrix.sync.aligned.m8n8.x4.shared.b16 {%0, %1, %2, %3}, [%4];"
               : "=r"(word[0]), "=r"(word[1]), "=r"(word[2]), "=r"(word[3])
               : "r"(address)
               : "memory");
#elif defined(CUSHIM)
  struct lane {
    const unsigned char* row;
    std::uint32_t word[4];
  } mine{static_cast<const unsigned char*>(row), {}};
  cuda_shim::warp_together(0xffffffffu, mine, "ldmatrix", [](lane(&lanes)[32]) {
    for (int l = 0; l < 32; ++l) {
      for (int m = 0; m < 4; ++m) std::memcpy(&lanes[l].word[m], lanes[8 * m + l / 4].row + l % 4 * 4, 4);
    }
  });
  for (int m = 0; m < 4; ++m) word[m] = mine.word[m];
#endif
}

// Starts to copy 16 bytes from global to shared memory, or to set them to zero where `exists` is false. They are there, for the thread that
// asked, after `copies_done`.
__device__ inline void start_copy(void* to, const void* from, bool exists) {
#if defined(__CUDA_ARCH__)
  const auto address = static_cast<std::uint32_t>(__cvta_generic_to_shared(to));
  asm volatile("cp.async.cg.shared.global [%0], [%1], 16, %2;" : : "r"(address), "l"(from), "r"(exists ? 16 : 0) : "memory");
#else
  if (exists) {
    std::memcpy(to, from, 16);
  } else {
    std::memset(to, 0, 16);
  }
#endif
}
__device__ inline void copies_done() {
#if defined(__CUDA_ARCH__)
  asm volatile("cp.async.wait_all;" : : : "memory");
#endif
}

// c += A B for a warp: A 16 x 8 and B 8 x 8 in tf32 (the low 13 bits of a word are not read), sums in float, rounded towards zero. Lane l
// holds, with r = l / 4 and q = l % 4: a[0] = A(r, q), a[1] = A(r + 8, q), a[2] = A(r, q + 4), a[3] = A(r + 8, q + 4); b0 = B(q, r),
// b1 = B(q + 4, r); c0, c1 = C(r, 2 q + 0, 1), c2, c3 = C(r + 8, 2 q + 0, 1). All 32 lanes call it.
__device__ inline void mma_tf32(float& c0, float& c1, float& c2, float& c3, const std::uint32_t (&a)[4], std::uint32_t b0,
                                std::uint32_t b1) {
#if defined(__CUDA_ARCH__)
  asm("mma.sync.aligned.m16n8k8.row.col.f32.tf32.tf32.f32 {%0, %1, %2, %3}, {%4, %5, %6, %7}, {%8, %9}, {%0, %1, %2, %3};"
      : "+f"(c0), "+f"(c1), "+f"(c2), "+f"(c3)
      : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"(b0), "r"(b1));
#elif defined(CUSHIM)
  struct lane {
    float a[4], b[2], c[4];
  };
  const auto read = [](std::uint32_t bits) { return __uint_as_float(bits & 0xffffe000u); };
  lane mine{{read(a[0]), read(a[1]), read(a[2]), read(a[3])}, {read(b0), read(b1)}, {c0, c1, c2, c3}};
  cuda_shim::warp_together(0xffffffffu, mine, "mma.sync", [](lane(&lanes)[32]) {
    for (int l = 0; l < 32; ++l) {
      for (int e = 0; e < 4; ++e) {
        const int row = l / 4, upper = e / 2, column = l % 4 * 2 + e % 2;
        double sum = static_cast<double>(lanes[l].c[e]);
        for (int k = 0; k < 8; ++k) {
          sum += static_cast<double>(lanes[row * 4 + k % 4].a[upper + k / 4 * 2]) * static_cast<double>(lanes[column * 4 + k % 4].b[k / 4]);
        }
        lanes[l].c[e] = towards_zero(sum);
      }
    }
  });
  c0 = mine.c[0], c1 = mine.c[1], c2 = mine.c[2], c3 = mine.c[3];
#endif
}

// The same in double, A 16 x 4 and B 4 x 8: a0 = A(r, q), a1 = A(r + 8, q), b = B(q, r).
__device__ inline void mma_double(double& c0, double& c1, double& c2, double& c3, double a0, double a1, double b) {
#if defined(__CUDA_ARCH__) && __CUDA_ARCH__ >= 900
  asm("mma.sync.aligned.m16n8k4.row.col.f64.f64.f64.f64 {%0, %1, %2, %3}, {%4, %5}, {%6}, {%0, %1, %2, %3};"
      : "+d"(c0), "+d"(c1), "+d"(c2), "+d"(c3)
      : "d"(a0), "d"(a1), "d"(b));
#elif defined(__CUDA_ARCH__)
  asm("mma.sync.aligned.m8n8k4.row.col.f64.f64.f64.f64 {%0, %1}, {%2}, {%3}, {%0, %1};" : "+d"(c0), "+d"(c1) : "d"(a0), "d"(b));
  asm("mma.sync.aligned.m8n8k4.row.col.f64.f64.f64.f64 {%0, %1}, {%2}, {%3}, {%0, %1};" : "+d"(c2), "+d"(c3) : "d"(a1), "d"(b));
#elif defined(CUSHIM)
  struct lane {
    double a[2], b, c[4];
  } mine{{a0, a1}, b, {c0, c1, c2, c3}};
  cuda_shim::warp_together(0xffffffffu, mine, "mma.sync", [](lane(&lanes)[32]) {
    for (int l = 0; l < 32; ++l) {
      for (int e = 0; e < 4; ++e) {
        const int row = l / 4, column = l % 4 * 2 + e % 2;
        for (int k = 0; k < 4; ++k) lanes[l].c[e] += lanes[row * 4 + k].a[e / 2] * lanes[column * 4 + k].b;
      }
    }
  });
  c0 = mine.c[0], c1 = mine.c[1], c2 = mine.c[2], c3 = mine.c[3];
#endif
}

// A of 8 x 4 alone: a = A(r, q), b = B(q, r).
__device__ inline void mma_double(double& c0, double& c1, double a, double b) {
#if defined(__CUDA_ARCH__)
  asm("mma.sync.aligned.m8n8k4.row.col.f64.f64.f64.f64 {%0, %1}, {%2}, {%3}, {%0, %1};" : "+d"(c0), "+d"(c1) : "d"(a), "d"(b));
#elif defined(CUSHIM)
  double none[3] = {};
  mma_double(c0, c1, none[1], none[2], a, none[0], b);
#endif
}

}  // namespace MMD_ISA
}  // namespace detail
}  // namespace mmd
