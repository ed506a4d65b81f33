// SPDX-License-Identifier: MIT
// What the benchmarks share: samples, and two candidates timed in turn in one run, so that their ratio holds on a machine that does other
// things as well.
#pragma once

#include <benchmark/benchmark.h>

#include <Eigen/Core>
#include <algorithm>
#include <chrono>
#include <limits>
#include <utility>

#include "mmd/core/config.hpp"
#include "mmd/core/philox.hpp"

namespace bench {

// Every report names the instruction set.
inline const bool named = (benchmark::AddCustomContext("mmd_isa", mmd::isa), true);

template <class T>
using rows = Eigen::Matrix<T, Eigen::Dynamic, Eigen::Dynamic, Eigen::RowMajor>;

template <class T>
rows<T> normal_rows(mmd::index_t n, mmd::index_t d, std::uint64_t seed) {
  mmd::random_stream random(seed, mmd::purpose::user);
  rows<T> x(n, d);
  for (T& v : x.reshaped()) v = static_cast<T>(random.normal());
  return x;
}

template <class F>
double seconds(F&& f) {
  const auto start = std::chrono::steady_clock::now();
  f();
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
}

// Runs `own` and `other` in turn. The time reported is own's; the counter `name` is the best time of other over the best time of own.
template <class Own, class Other>
void race(benchmark::State& state, const char* name, Own&& own, Other&& other) {
  double best_own = std::numeric_limits<double>::infinity(), best_other = best_own;
  for (auto _ : state) {
    const double t = seconds(own);
    state.SetIterationTime(t);
    best_own = std::min(best_own, t);
    best_other = std::min(best_other, seconds(other));
  }
  state.counters[name] = best_other / best_own;
}

// Rates for `pairs` pairs of samples an iteration, at `flops` floating-point operations a pair.
inline void rates(benchmark::State& state, double pairs, double flops) {
  using benchmark::Counter;
  state.counters["pairs/s"] = Counter(pairs, Counter::kIsIterationInvariantRate);
  state.counters["FLOP/s"] = Counter(pairs * flops, Counter::kIsIterationInvariantRate);
}

}  // namespace bench
