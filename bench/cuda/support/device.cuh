// SPDX-License-Identifier: MIT
// What the benchmarks of the device share: backends, samples that lie there, and time by CUDA's events. Before each run the second cache is
// filled with something else; before the first the clocks are brought up.
#pragma once

#include <chrono>
#include <cstdlib>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <tuple>
#include <utility>
#include <vector>

#include "mmd/cuda.cuh"
#include "support/cases.hpp"

namespace bench {

using mmd::precision;
using mmd::product_by;
using mmd::samples;
using mmd::detail::check;
template <class T>
using device_samples = mmd::samples<mmd::device<T>>;

inline const char* to_string(precision p) { return p == precision::accurate ? "accurate" : p == precision::tf32 ? "tf32" : "bf16"; }
inline const char* to_string(product_by p) {
  return p == product_by::automatic ? "automatic" : p == product_by::fused ? "fused" : "library";
}

// One backend for each way to take products.
inline const mmd::cuda& gpu(precision p = precision::accurate, product_by by = product_by::automatic) {
  static std::map<std::pair<precision, product_by>, std::unique_ptr<const mmd::cuda>> all;
  auto& one = all[{p, by}];
  if (!one) one = std::make_unique<const mmd::cuda>(mmd::CudaOptions{.precision = p, .product = by});
  return *one;
}

// Rows of a size that a stand-in for a device can do, where that is asked for.
inline index_t rows_or_few(index_t n) { return tiny ? std::max<index_t>(n / 400, 40) : n; }

inline __device__ unsigned mixed(unsigned x) {
  x ^= x >> 16;
  x *= 0x7feb352du;
  x ^= x >> 15;
  x *= 0x846ca68bu;
  return x ^ x >> 16;
}
// Value i of mean 0 and variance 1.
template <class T>
__global__ void fill(T* to, index_t count, unsigned seed) {
  for (index_t i = static_cast<index_t>(blockIdx.x) * blockDim.x + threadIdx.x; i < count;
       i += static_cast<index_t>(gridDim.x) * blockDim.x) {
    const unsigned bits = mixed(static_cast<unsigned>(i) + mixed(seed));
    to[i] = T(3.4641016f * (static_cast<float>(bits >> 8) * 0x1p-24f - 0.5f));
  }
}
// n x d values on the device; the last ones asked for are kept.
template <class T>
const mmd::DeviceMatrix<T>& rows(index_t n, index_t d, unsigned seed = 1) {
  static std::vector<std::pair<std::tuple<index_t, index_t, unsigned>, std::unique_ptr<mmd::DeviceMatrix<T>>>> kept;
  const std::tuple key(n, d, seed);
  for (const auto& [of, values] : kept) {
    if (of == key) return *values;
  }
  if (kept.size() == 4) kept.erase(kept.begin());
  auto fresh = std::make_unique<mmd::DeviceMatrix<T>>();
  gpu().resize(*fresh, n, d);
  mmd::detail::launch(fill<T>, dim3(tiny ? 2 : 1024), dim3(256), 0, nullptr, mmd::raw_pointer(fresh->data()), n * d, seed);
  check(cudaDeviceSynchronize(), "filling samples");
  kept.emplace_back(key, std::move(fresh));
  return *kept.back().second;
}

// ---- time

class event {
 public:
  event() { check(cudaEventCreate(&e_), "an event"); }
  event(const event&) = delete;
  event& operator=(const event&) = delete;
  ~event() { cudaEventDestroy(e_); }
  void record() { check(cudaEventRecord(e_), "recording an event"); }
  double seconds_since(const event& start) {
    check(cudaEventSynchronize(e_), "waiting for an event");
    float milliseconds = 0;
    check(cudaEventElapsedTime(&milliseconds, start.e_, e_), "the time between events");
    return 1e-3 * static_cast<double>(milliseconds);
  }

 private:
  cudaEvent_t e_ = nullptr;
};

// The second cache holds none of what the next run reads.
inline void flush_cache() {
  static const std::size_t bytes = [] {
    int device = 0, l2 = 0;
    check(cudaGetDevice(&device), "the device");
    check(cudaDeviceGetAttribute(&l2, cudaDevAttrL2CacheSize, device), "the size of the second cache");
    return tiny ? std::size_t{4096} : 3 * static_cast<std::size_t>(l2);
  }();
  static void* const memory = [] {
    void* p = nullptr;
    check(cudaMalloc(&p, bytes), "memory to fill the cache with");
    return p;
  }();
  check(cudaMemsetAsync(memory, 1, bytes, nullptr), "filling the cache");
  check(cudaDeviceSynchronize(), "filling the cache");
}

// The time between events before and after f on the default stream, which waits for all others: all that f submits, and what the host does
// in between.
template <class F>
double device_seconds(F&& f) {
  static event start, stop;
  flush_cache();
  start.record();
  f();
  stop.record();
  return stop.seconds_since(start);
}

// A third of a second of work: idle devices run at low clocks.
inline void warm_up() {
  static const bool once = [] {
    const index_t n = rows_or_few(20'000), d = 64;
    const auto& x = rows<float>(n, d);
    double spent = 0;
    do {
      mmd::row_sums sums;
      spent += device_seconds([&] { gpu().reduce(mmd::gaussian(11), mmd::pooled<mmd::device<float>>{{device_samples<float>(x)}}, sums); });
    } while (!tiny && spent < 0.3);
    return true;
  }();
  static_cast<void>(once);
}

// Runs the functions in turn, round by round, after a first round that does not count, and reports the first one's median time; the median
// of each is returned.
inline std::vector<double> in_turn(State& state, const std::vector<std::function<void()>>& each, double limit = budget()) {
  warm_up();
  std::vector<std::vector<double>> times(each.size());
  for ([[maybe_unused]] auto _ : state) {
    for (const auto& f : each) device_seconds(f);
    double spent = 0;
    int rounds = 0;
    do {
      for (std::size_t i = 0; i < each.size(); ++i) {
        times[i].push_back(device_seconds(each[i]));
        spent += times[i].back();
      }
    } while (!tiny && again(spent, ++rounds, limit));
    state.SetIterationTime(median_of(times[0]));
  }
  std::vector<double> medians;
  for (const auto& t : times) medians.push_back(median_of(t));
  state.counters["min_s"] = *std::min_element(times[0].begin(), times[0].end());
  state.counters["runs"] = static_cast<double>(times[0].size());
  return medians;
}
template <class F>
double measure(State& state, F&& f) {
  return in_turn(state, {std::function<void()>(std::ref(f))})[0];
}

// Registers a case; the report says once which device it ran on. What a case throws (a device that has too little memory) is its result.
template <class F>
void add_case(const std::string& name, F f) {
  static const bool once = [] {
    int device = 0, runtime = 0, driver = 0;
    cudaDeviceProp p{};
    check(cudaGetDevice(&device), "the device");
    check(cudaGetDeviceProperties(&p, device), "the device's properties");
    check(cudaRuntimeGetVersion(&runtime), "the runtime's version");
    check(cudaDriverGetVersion(&driver), "the driver's version");
    const auto put = [](const char* key, const std::string& value) { benchmark::AddCustomContext(key, value); };
    put("device", p.name);
    put("device_multiprocessors", std::to_string(p.multiProcessorCount));
    put("device_capability", std::to_string(p.major) + "." + std::to_string(p.minor));
    put("device_memory", std::to_string(p.totalGlobalMem));
    put("device_l2", std::to_string(p.l2CacheSize));
    put("cuda_runtime", std::to_string(runtime));
    put("cuda_driver", std::to_string(driver));
#if defined(__CUDACC_VER_MAJOR__)
    put("nvcc", std::to_string(__CUDACC_VER_MAJOR__) + "." + std::to_string(__CUDACC_VER_MINOR__));
#endif
    return true;
  }();
  static_cast<void>(once);
  static const auto start = std::chrono::steady_clock::now();
  static const char* const limit = std::getenv("MMD_BENCH_SECONDS");  // no case is started later than that
  add(name, [f](State& state) {
    try {
      const double spent = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
      if (limit && spent > std::atof(limit)) throw mmd::device_error("no time left");
      f(state);
    } catch (const mmd::device_error& e) {
      for ([[maybe_unused]] auto _ : state) state.SetIterationTime(0);
      state.SkipWithError(e.what());
      cudaGetLastError();
    }
  });
}

}  // namespace bench
