// SPDX-License-Identifier: MIT
// What benchmarks of every backend share: cases, their names, clocks and medians.
#pragma once

#include <benchmark/benchmark.h>

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <initializer_list>
#include <string>
#include <utility>
#include <vector>

#include "mmd/core/config.hpp"

namespace bench {

using mmd::index_t;
using State = benchmark::State;

// ---- support/main.cpp
// Every program defines it: registers its cases.
void cases();
// `--quick`: the sizes named in docs/performance.md, fewer runs.
extern bool quick;
// `--tiny`: sizes that mean nothing, to see that every case runs, on a machine without a device too.
extern bool tiny;
// The process's memory now, and the largest since `reset_peak`, in bytes.
std::uint64_t memory_now();
std::uint64_t memory_peak();
void reset_peak();
// As many as the library uses by default.
int threads();
// Says in the report for which instruction set the cases were compiled.
void set_isa(const char* isa);

template <class T>
inline constexpr const char* name_of = sizeof(T) == 4 ? "float" : "double";

inline std::string at(const std::string& name, std::initializer_list<std::pair<const char*, index_t>> arguments) {
  std::string all = name;
  for (const auto& [key, value] : arguments) all += std::string("/") + key + ":" + std::to_string(value);
  return all;
}

template <class F>
void add(const std::string& name, F f) {
  set_isa(mmd::isa);
  benchmark::RegisterBenchmark(name.c_str(), std::move(f))->Iterations(1)->UseManualTime()->Unit(benchmark::kMillisecond);
}

template <class F>
double seconds(F&& f) {
  const auto start = std::chrono::steady_clock::now();
  f();
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
}

inline double median_of(std::vector<double> times) {
  const auto middle = times.begin() + static_cast<std::ptrdiff_t>(times.size() / 2);
  std::nth_element(times.begin(), middle, times.end());
  return times.size() % 2 == 1 ? *middle : (*middle + *std::max_element(times.begin(), middle)) / 2;
}

// Whether a case that took `spent` seconds in `runs` runs is run again: until `budget` seconds are spent, and three times if that takes no
// more than three times as long.
inline bool again(double spent, int runs, double budget) { return runs < 200 && (spent < budget || (runs < 3 && spent < 3 * budget)); }
inline double budget() { return tiny ? 0 : quick ? 0.06 : 0.2; }

inline double pairs_of(index_t n) { return 0.5 * static_cast<double>(n) * static_cast<double>(n - 1); }

}  // namespace bench
