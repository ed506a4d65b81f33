// SPDX-License-Identifier: MIT
// What the device can do (cuda/support/limits.cuh), the full products that cuBLAS makes of it, transfers, allocations and launches.
#include <type_traits>

#include "cuda/support/kernel_sums.cuh"

namespace {

using bench::check;
using bench::index_t;
using bench::State;

void add_rate(const std::string& name, const char* counter, double (*measured)()) {
  bench::add_case(name, [=](State& state) {
    for ([[maybe_unused]] auto _ : state) {
      double rate = 0;
      state.SetIterationTime(bench::seconds([&] { rate = measured(); }));
      state.counters[counter] = rate;
    }
  });
}

template <class T>
void add_product(index_t n, index_t d, bench::precision p) {
  const std::string type = sizeof(T) == 8 ? "double" : p == bench::precision::accurate ? "float" : bench::to_string(p);
  bench::add_case(bench::at("full_product/" + type + "/cuBLAS", {{"N", n}, {"d", d}}), [=](State& state) {
    const bench::full_product<T> product(bench::rows_or_few(n), d, p);
    bench::rates(state, {.flops = product.flops()}, bench::measure(state, [&] { product.run(); }));
  });
}

template <class F>
void add_transfer(const std::string& name, std::size_t bytes, F f) {
  bench::add_case(name, [=](State& state) {
    const std::size_t taken = bench::tiny ? 4096 : bytes;
    bench::rates(state, {.bytes = static_cast<double>(taken)}, f(state, taken));
  });
}

void add_transfers() {
  const std::size_t bytes = std::size_t{256} << 20;
  for (const bool pinned : {true, false}) {
    for (const bool up : {true, false}) {
      add_transfer(std::string("transfers/") + (pinned ? "pinned/" : "pageable/") + (up ? "to_device" : "to_host"), bytes,
                   [=](State& state, std::size_t taken) {
                     void *host = nullptr, *device = nullptr;
                     std::vector<char> pageable(pinned ? 0 : taken, 1);
                     check(cudaMalloc(&device, taken), "memory of a transfer");
                     if (pinned) check(cudaMallocHost(&host, taken), "pinned memory");
                     if (!pinned) host = pageable.data();
                     if (pinned) std::fill_n(static_cast<char*>(host), taken, char{1});
                     const double time = bench::measure(state, [&] {
                       check(up ? cudaMemcpyAsync(device, host, taken, cudaMemcpyHostToDevice, nullptr)
                                : cudaMemcpyAsync(host, device, taken, cudaMemcpyDeviceToHost, nullptr),
                             "a transfer");
                     });
                     if (pinned) check(cudaFreeHost(host), "freeing");
                     check(cudaFree(device), "freeing");
                     return time;
                   });
    }
  }
  // As the library does it: through its pinned chunks.
  add_transfer("transfers/upload_of_samples", bytes, [](State& state, std::size_t taken) {
    const index_t d = 64, n = static_cast<index_t>(taken / sizeof(float)) / d;
    const mmd::matrix<float> x(n, d);
    return bench::measure(state, [&] { benchmark::DoNotOptimize(bench::gpu().upload(mmd::samples<float>(x)).rows()); });
  });
}

void add_allocations() {
  for (const std::size_t bytes : {std::size_t{1} << 20, std::size_t{1} << 30}) {
    const auto size = static_cast<index_t>(bench::tiny ? 4096 : bytes);
    bench::add_case(bench::at("allocations/cudaMalloc", {{"bytes", static_cast<index_t>(bytes)}}), [=](State& state) {
      bench::measure(state, [&] {
        void* p = nullptr;
        check(cudaMalloc(&p, static_cast<std::size_t>(size)), "an allocation");
        check(cudaFree(p), "freeing");
      });
    });
    bench::add_case(bench::at("allocations/of_the_library", {{"bytes", static_cast<index_t>(bytes)}}), [=](State& state) {
      mmd::DeviceMatrix<float> source;
      bench::gpu().resize(source, 1, 1);
      bench::measure(state, [&] {
        const mmd::DeviceMatrix<float> fresh(source.context(), 1, size / 4);
        benchmark::DoNotOptimize(fresh.data());
      });
    });
  }
  bench::add_case("allocations/a_pass_of_100_rows", [](State& state) {  // launches and the like: what is left where there is no work
    const auto& x = bench::rows<float>(100, 16);
    bench::measure(state, [&] { bench::sums(bench::gpu(), mmd::gaussian(5), x); });
  });
}

}  // namespace

void bench::cases() {
  add_rate("limits/multiply_add/float", "FLOP/s", [] { return multiply_add_rate<float>(); });
  add_rate("limits/multiply_add/double", "FLOP/s", [] { return multiply_add_rate<double>(); });
  add_rate("limits/tensor_core/tf32", "FLOP/s", [] { return tensor_rate(); });
  add_rate("limits/exp/float", "values/s", [] { return exponential_rate(); });
  add_rate("limits/memory", "bytes/s", [] { return memory_rate(); });
  for (const index_t n : sums_rows()) {
    for (const index_t d : sums_columns()) {
      for (const precision p : every_precision) add_product<float>(n, d, p);
      if (n <= 10'000 || tiny) add_product<double>(n, d, precision::accurate);
    }
  }
  add_transfers();
  add_allocations();
}
