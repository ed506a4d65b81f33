// SPDX-License-Identifier: MIT
// What device code calls.
#pragma once

#include <atomic>
#include <bit>
#include <cmath>
#include <type_traits>

#include "cuda_shim/control.hpp"

extern constinit thread_local uint3 threadIdx, blockIdx;
extern constinit thread_local dim3 blockDim, gridDim;
inline constexpr int warpSize = 32;

using std::max;
using std::min;

// ---- barriers
inline void __syncthreads() { cuda_shim::wait_for_block("__syncthreads"); }
inline int __syncthreads_count(int predicate) { return cuda_shim::count_in_block(predicate != 0, "__syncthreads_count"); }
inline int __syncthreads_or(int predicate) { return cuda_shim::count_in_block(predicate != 0, "__syncthreads_or") > 0; }
inline int __syncthreads_and(int predicate) { return cuda_shim::count_in_block(predicate == 0, "__syncthreads_and") == 0; }
void __syncwarp(unsigned mask = 0xffffffffu);
inline void __threadfence() { std::atomic_thread_fence(std::memory_order_seq_cst); }
inline void __threadfence_block() { std::atomic_thread_fence(std::memory_order_seq_cst); }

// ---- shuffles and votes
namespace cuda_shim {

// The value of lane `source(lane)` for each lane; all ones if that lane does not take part.
template <class T, class Source>
T shuffled(unsigned mask, T value, const char* name, Source source) {
  static_assert(std::is_trivially_copyable_v<T> && sizeof(T) <= 8);
  struct Lane {
    T value;
    int from;
  };
  const int me = static_cast<int>(thread_of_block() & 31u);
  Lane mine{value, source(me)};
  warp_together(mask, mine, name, [mask](Lane(&lanes)[32]) {
    T out[32];
    for (unsigned l = 0; l < 32; ++l) {
      if (!(mask >> l & 1u)) continue;
      const auto from = static_cast<unsigned>(lanes[l].from) & 31u;
      if (mask >> from & 1u) {
        out[l] = lanes[from].value;
      } else {
        std::memset(&out[l], 0xff, sizeof(T));
      }
    }
    for (unsigned l = 0; l < 32; ++l) {
      if (mask >> l & 1u) lanes[l].value = out[l];
    }
  });
  return mine.value;
}

template <class R, class T, class F>
R voted(unsigned mask, T value, const char* name, F combine) {
  struct Lane {
    T value;
    R result;
  };
  Lane mine{value, R{}};
  warp_together(mask, mine, name, [&](Lane(&lanes)[32]) {
    R result{};
    bool first = true;
    for (unsigned l = 0; l < 32; ++l) {
      if (!(mask >> l & 1u)) continue;
      result = combine(result, lanes[l].value, l, first);
      first = false;
    }
    for (unsigned l = 0; l < 32; ++l) {
      if (mask >> l & 1u) lanes[l].result = result;
    }
  });
  return mine.result;
}

}  // namespace cuda_shim

template <class T>
T __shfl_sync(unsigned mask, T value, int source, int width = 32) {
  return cuda_shim::shuffled(mask, value, "__shfl_sync", [=](int lane) { return lane / width * width + (source & (width - 1)); });
}
template <class T>
T __shfl_xor_sync(unsigned mask, T value, int bits, int width = 32) {
  return cuda_shim::shuffled(mask, value, "__shfl_xor_sync",
                             [=](int lane) { return (lane ^ bits) / width <= lane / width ? lane ^ bits : lane; });
}
template <class T>
T __shfl_down_sync(unsigned mask, T value, unsigned delta, int width = 32) {
  const int d = static_cast<int>(delta);
  return cuda_shim::shuffled(mask, value, "__shfl_down_sync", [=](int lane) { return lane % width + d < width ? lane + d : lane; });
}
template <class T>
T __shfl_up_sync(unsigned mask, T value, unsigned delta, int width = 32) {
  const int d = static_cast<int>(delta);
  return cuda_shim::shuffled(mask, value, "__shfl_up_sync", [=](int lane) { return lane % width >= d ? lane - d : lane; });
}
inline unsigned __ballot_sync(unsigned mask, int predicate) {
  return cuda_shim::voted<unsigned>(mask, predicate, "__ballot_sync",
                                    [](unsigned all, int p, unsigned lane, bool) { return p != 0 ? all | 1u << lane : all; });
}
inline int __any_sync(unsigned mask, int predicate) { return __ballot_sync(mask, predicate) != 0; }
inline int __all_sync(unsigned mask, int predicate) { return __ballot_sync(mask, predicate == 0) == 0; }
#define CUSHIM_REDUCE(T)                                                                                                \
  inline T __reduce_add_sync(unsigned mask, T v) {                                                                      \
    return cuda_shim::voted<T>(mask, v, "__reduce_add_sync", [](T all, T each, unsigned, bool) { return all + each; }); \
  }                                                                                                                     \
  inline T __reduce_min_sync(unsigned mask, T v) {                                                                      \
    return cuda_shim::voted<T>(mask, v, "__reduce_min_sync",                                                            \
                               [](T all, T each, unsigned, bool first) { return first ? each : min(all, each); });      \
  }                                                                                                                     \
  inline T __reduce_max_sync(unsigned mask, T v) {                                                                      \
    return cuda_shim::voted<T>(mask, v, "__reduce_max_sync",                                                            \
                               [](T all, T each, unsigned, bool first) { return first ? each : max(all, each); });      \
  }
CUSHIM_REDUCE(int)
CUSHIM_REDUCE(unsigned)
#undef CUSHIM_REDUCE

// ---- atomics
namespace cuda_shim {
template <class T, class F>
T atomically(T* p, F change) {
  T old, wanted;
  __atomic_load(p, &old, __ATOMIC_RELAXED);
  do {
    wanted = change(old);
  } while (!__atomic_compare_exchange(p, &old, &wanted, true, __ATOMIC_RELAXED, __ATOMIC_RELAXED));
  return old;
}
}  // namespace cuda_shim
#define CUSHIM_INTEGER_ATOMICS(T)                                                        \
  inline T atomicAdd(T* p, T v) { return __atomic_fetch_add(p, v, __ATOMIC_RELAXED); }   \
  inline T atomicMin(T* p, T v) {                                                        \
    return cuda_shim::atomically(p, [v](T old) { return min(old, v); });                 \
  }                                                                                      \
  inline T atomicMax(T* p, T v) {                                                        \
    return cuda_shim::atomically(p, [v](T old) { return max(old, v); });                 \
  }                                                                                      \
  inline T atomicExch(T* p, T v) { return __atomic_exchange_n(p, v, __ATOMIC_RELAXED); } \
  inline T atomicOr(T* p, T v) { return __atomic_fetch_or(p, v, __ATOMIC_RELAXED); }     \
  inline T atomicAnd(T* p, T v) { return __atomic_fetch_and(p, v, __ATOMIC_RELAXED); }   \
  inline T atomicCAS(T* p, T expected, T v) {                                            \
    return cuda_shim::atomically(p, [=](T old) { return old == expected ? v : old; });   \
  }
CUSHIM_INTEGER_ATOMICS(int)
CUSHIM_INTEGER_ATOMICS(unsigned)
CUSHIM_INTEGER_ATOMICS(unsigned long long)
#undef CUSHIM_INTEGER_ATOMICS
inline float atomicAdd(float* p, float v) {
  return cuda_shim::atomically(p, [v](float old) { return old + v; });
}
inline double atomicAdd(double* p, double v) {
  return cuda_shim::atomically(p, [v](double old) { return old + v; });
}

// ---- loads
template <class T>
T __ldg(const T* p) {
  return *p;
}
template <class T>
T __ldcg(const T* p) {
  return *p;
}
template <class T>
T __ldcs(const T* p) {
  return *p;
}
template <class T>
void __stcs(T* p, T v) {
  *p = v;
}
template <class T>
void __stcg(T* p, T v) {
  *p = v;
}

// ---- arithmetic
inline float __expf(float x) { return std::exp(x); }
inline float __logf(float x) { return std::log(x); }
inline float __fdividef(float a, float b) { return a / b; }
inline float __frcp_rn(float x) { return 1.0f / x; }
inline float __fsqrt_rn(float x) { return std::sqrt(x); }
inline float __frsqrt_rn(float x) { return static_cast<float>(1.0 / std::sqrt(static_cast<double>(x))); }
inline float rsqrtf(float x) { return static_cast<float>(1.0 / std::sqrt(static_cast<double>(x))); }
inline float rsqrt(float x) { return rsqrtf(x); }
inline double rsqrt(double x) { return 1.0 / std::sqrt(x); }
inline float __fmaf_rn(float a, float b, float c) { return std::fma(a, b, c); }
inline double __fma_rn(double a, double b, double c) { return std::fma(a, b, c); }
inline float __fadd_rn(float a, float b) { return a + b; }
inline float __fsub_rn(float a, float b) { return a - b; }
inline float __fmul_rn(float a, float b) { return a * b; }
inline float __fdiv_rn(float a, float b) { return a / b; }
inline double __dadd_rn(double a, double b) { return a + b; }
inline double __dsub_rn(double a, double b) { return a - b; }
inline double __dmul_rn(double a, double b) { return a * b; }
inline float __saturatef(float x) { return x > 0 ? std::min(x, 1.0f) : 0.0f; }
inline float __double2float_rn(double x) { return static_cast<float>(x); }
inline unsigned __float_as_uint(float x) { return std::bit_cast<unsigned>(x); }
inline int __float_as_int(float x) { return std::bit_cast<int>(x); }
inline float __uint_as_float(unsigned x) { return std::bit_cast<float>(x); }
inline float __int_as_float(int x) { return std::bit_cast<float>(x); }
inline long long __double_as_longlong(double x) { return std::bit_cast<long long>(x); }
inline double __longlong_as_double(long long x) { return std::bit_cast<double>(x); }
inline int __popc(unsigned x) { return std::popcount(x); }
inline int __popcll(unsigned long long x) { return std::popcount(x); }
inline int __clz(int x) { return std::countl_zero(static_cast<unsigned>(x)); }
inline int __ffs(int x) { return x == 0 ? 0 : std::countr_zero(static_cast<unsigned>(x)) + 1; }
inline unsigned __umulhi(unsigned a, unsigned b) { return static_cast<unsigned>(std::uint64_t{a} * b >> 32); }
inline unsigned long long __umul64hi(unsigned long long a, unsigned long long b) {
  __extension__ using wide = unsigned __int128;
  return static_cast<unsigned long long>(static_cast<wide>(a) * b >> 64);
}
