// SPDX-License-Identifier: MIT
// One program that is fast on every x86-64 processor: a source compiled for each level, the best copy chosen where the program runs.
//
//   // tests.hpp, seen by all
//   struct tests { double (*p_value)(const mmd::samples<float>& x, const mmd::samples<float>& y); };
//   MMD_COPIES(tests, best_tests)
//   // tests.cpp, compiled with -march=x86-64, x86-64-v3 and x86-64-v4 (CMake: mmd_dispatch(program tests.cpp))
//   tests MMD_COPY(best_tests)() { return {p_value}; }
//   // main.cpp, compiled for x86-64
//   best_tests().p_value(x, y)
//
// What crosses between the copies lies outside the instruction set's namespace: views, results, errors, function pointers. The copy for
// x86-64 has to come first on the linker's line, as mmd_dispatch puts it: of a function of the standard library that several copies hold,
// the first is kept. On other processors there is one copy.
#pragma once

#include "mmd/core/config.hpp"

#define MMD_COPY(name) MMD_JOIN(name##_, MMD_ISA_LEVEL)

#if defined(__x86_64__)
namespace mmd {
inline namespace MMD_ISA {
// 4 (AVX-512), 3 (AVX2, FMA) or 1: what this processor and its system can run.
inline int processor_level() {
  if (!__builtin_cpu_supports("avx2") || !__builtin_cpu_supports("fma") || !__builtin_cpu_supports("bmi") ||
      !__builtin_cpu_supports("bmi2"))
    return 1;
  return __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("avx512cd") &&
                 __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vl")
             ? 4
             : 3;
}
}  // namespace MMD_ISA
}  // namespace mmd
#define MMD_COPIES(type, name)                                                \
  type name##_v1();                                                           \
  type name##_v3();                                                           \
  type name##_v4();                                                           \
  [[maybe_unused]] static type name() {                                       \
    const int level = mmd::processor_level();                                 \
    return level == 4 ? name##_v4() : level == 3 ? name##_v3() : name##_v1(); \
  }
#else
#define MMD_COPIES(type, name) \
  type MMD_COPY(name)();       \
  [[maybe_unused]] static type name() { return MMD_COPY(name)(); }
#endif
