// SPDX-License-Identifier: MIT
// What the backend owns of a device, and what it says where there is none.
#include <atomic>
#include <cstdint>
#include <numeric>
#include <span>
#include <string>
#include <thread>
#include <vector>

#include "mmd/backends/cuda.cuh"
#include "mmd/estimators/mmd.hpp"
#include "support/catch2.hpp"

namespace {
using namespace mmd;
namespace d = mmd::detail;

__global__ void add_one(float* x, int n) {
  const int i = static_cast<int>(blockIdx.x * blockDim.x + threadIdx.x);
  if (i < n) x[i] += 1;
}
// x[i] = x[n - 1 - i] of one block, through dynamic shared memory that begins after `offset` bytes.
__global__ void turn_round(float* x, int n, int offset) {
  auto* const kept = reinterpret_cast<float*>(d::dynamic_shared<unsigned char>() + offset);
  const int i = static_cast<int>(threadIdx.x);
  kept[i] = x[i];
  __syncthreads();
  x[i] = kept[n - 1 - i];
}

matrix<float> counted(index_t rows, index_t cols) {
  matrix<float> out(rows, cols);
  for (index_t i = 0; i < out.size(); ++i) out.data()[i] = static_cast<float>(i % 97) / 16;
  return out;
}
double biased(const cuda& on) {
  const auto x = counted(140, 3), y = counted(90, 3);
  return Mmd{gaussian(2)}(on, x, y).biased;
}
}  // namespace

TEST_CASE("buffers are set, filled and read, whatever their size, and bytes are counted") {
  d::device_context context(0);
  const auto turn = context.enter();
  const cudaStream_t stream = context.stream(0);
  for (const std::size_t size : {std::size_t{1}, std::size_t{77}, d::device_context::staging_bytes / 4, (std::size_t{9} << 20) / 4 + 3}) {
    std::vector<float> values(size), back(size, -1.0f);
    std::iota(values.begin(), values.end(), 0.0f);
    d::buffer<float> b(context, static_cast<index_t>(size), stream, "values");
    const auto up = context.bytes_up, down = context.bytes_down;
    b.put(values, stream);
    std::fill(values.begin(), values.end(), -2.0f);  // they were read
    std::iota(values.begin(), values.end(), 0.0f);
    d::launch(add_one, static_cast<unsigned>((size + 255) / 256), 256, 0, stream, b.data(), static_cast<int>(size));
    b.get(back, stream);
    for (float& v : values) v += 1;
    CHECK(back == values);
    CHECK(context.bytes_up - up == 4 * size);
    CHECK(context.bytes_down - down == 4 * size);
    b.zero(stream);
    b.get(std::span(back).first(1), static_cast<index_t>(size) - 1, stream);
    CHECK(back[0] == 0);
    d::buffer<float> taken(std::move(b));
    CHECK(b.size() == 0);
    CHECK(taken.size() == static_cast<index_t>(size));
    b = std::move(taken);
    CHECK(b.size() == static_cast<index_t>(size));
    CHECK(context.held_bytes == 4 * size);
  }
  CHECK(context.held_bytes == 0);
  const d::buffer<float> none(context, 0, stream, "nothing");
  CHECK(none.data() == nullptr);
}

TEST_CASE("kernels get their arguments and as much shared memory as they ask for; no blocks are no work") {
  d::device_context context(0);
  const auto turn = context.enter();
  d::buffer<float> b(context, 64, context.stream(0), "values");
  std::vector<float> values(64), back(64);
  std::iota(values.begin(), values.end(), 0.0f);
  for (const int offset : {0, 90 * 1024}) {
    b.put(values, context.stream(0));
    d::launch(turn_round, 1, 64, static_cast<std::size_t>(offset) + 64 * sizeof(float), context.stream(0), b.data(), 64, offset);
    d::launch(add_one, 0, 64, 0, context.stream(0), b.data(), 64);
    b.get(back, context.stream(0));
    CHECK(back == std::vector<float>(values.rbegin(), values.rend()));
  }
}

TEST_CASE("one stream waits for the other") {
  d::device_context context(0);
  const auto turn = context.enter();
  constexpr int n = 1000, times = 20;
  d::buffer<float> b(context, n, context.stream(0), "values");
  b.zero(context.stream(0));
  for (int t = 0; t < times; ++t) {
    d::launch(add_one, 4, 256, 0, context.stream(t % 2), b.data(), n);
    context.order(t % 2, 1 - t % 2);
  }
  std::vector<float> back(n);
  b.get(back, context.stream(0));
  CHECK(back == std::vector<float>(n, times));
}

TEST_CASE("launches that are refused say of what and why, and are forgotten") {
  d::device_context context(0);
  const auto turn = context.enter();
  d::buffer<float> b(context, 64, context.stream(0), "values");
  const auto refused = [&](unsigned threads, std::size_t shared) {
    d::launch(turn_round, dim3(2, 3), threads, shared, context.stream(0), b.data(), 64, 0);
  };
  CHECK_THROWS_AS(refused(4096, 0), device_error);
  CHECK_THROWS_WITH(refused(4096, 7),
                    says("mmd: device 0: launch of a kernel (grid 2 x 3 x 1, block 4096 x 1 x 1, 7 bytes shared): ") && says("cudaError"));
  CHECK_THROWS_AS(refused(64, 300 * 1024), device_error);
  CHECK(cudaGetLastError() == cudaSuccess);
  CHECK_THROWS_WITH(d::check(cudaErrorInvalidValue, "what was asked"),
                    says("mmd: device 0: what was asked: ") && says("(cudaErrorInvalidValue, 1)"));
  CHECK_THROWS_WITH(d::check(CUBLAS_STATUS_INVALID_VALUE, "a product"), says("a product: ") && says("CUBLAS_STATUS_INVALID_VALUE"));
}

TEST_CASE("copies of a backend share what it owns; threads take turns") {
  const cuda on({.threads = 2});
  const cuda copy = on;
  CHECK(&on.context() == &copy.context());
  CHECK(!on.context().name.empty());
  CHECK(on.context().multiprocessors > 0);
  const double expected = biased(on);
  std::atomic<int> equal = 0;
  {
    std::vector<std::thread> all;
    for (int t = 0; t < 3; ++t) {
      all.emplace_back([&] { equal += biased(copy) == expected; });
    }
    for (auto& t : all) t.join();
  }
  CHECK(equal == 3);
  std::vector<int> seen(50);
  on.for_each(50, [&](index_t i) { seen[static_cast<std::size_t>(i)] += 1; });
  CHECK(seen == std::vector<int>(50, 1));
}

TEST_CASE("a device that does not exist") {
  CHECK_THROWS_AS(cuda({.device = 1000}), device_error);
  CHECK_THROWS_WITH(cuda({.device = 1000}), says("mmd: device 1000: there are devices 0 to "));
  CHECK_THROWS_WITH(cuda({.device = -1}), says("mmd: device -1: "));
  std::string why = "unchanged";
  CHECK(cuda::available(&why));
  CHECK(why.empty());
}

#if defined(CUSHIM)
namespace {
struct fresh_device {
  fresh_device() { cuda_shim::reset(); }
  ~fresh_device() { cuda_shim::reset(); }
};
}  // namespace

TEST_CASE("no device, a stub of the driver, a driver too old: not available, and one clear error") {
  for (const cudaError_t code : {cudaErrorStubLibrary, cudaErrorInsufficientDriver, cudaErrorNoDevice}) {
    const fresh_device restored;
    cuda_shim::options().unavailable = code;
    std::string why;
    CHECK(!cuda::available(&why));
    CHECK(!cuda::available());
    CHECK_THAT(why, says("no CUDA device can be used: ") && says(", " + std::to_string(static_cast<int>(code)) + ")"));
    CHECK_THROWS_AS(cuda(), device_error);
    CHECK_THROWS_WITH(cuda(), says("mmd: " + why));
  }
  const fresh_device restored;
  cuda_shim::options().devices = 0;
  std::string why;
  CHECK(!cuda::available(&why));
  CHECK_THAT(why, says("no CUDA device can be used: "));
  CHECK_THROWS_AS(cuda(), device_error);
}

TEST_CASE("a device of an older generation is refused") {
  const fresh_device restored;
  cuda_shim::options().major = 7;
  cuda_shim::options().minor = 5;
  std::string why;
  CHECK(!cuda::available(&why));
  CHECK_THAT(why, says("compute capability is 7.x, expected 8.0 or more"));
  CHECK_THROWS_AS(cuda(), device_error);
}

TEST_CASE("nothing is left behind, whatever fails") {
  const fresh_device restored;
  const auto nothing_left = [] {
    const auto& c = cuda_shim::counters();
    return c.live_bytes == 0 && c.live_allocations == 0 && c.live_pinned == 0 && c.live_streams == 0 && c.live_events == 0 &&
           c.live_handles == 0;
  };
  REQUIRE(nothing_left());
  for (int n = 1; n <= 2; ++n) {
    cuda_shim::options().fail_pinned = n;
    CHECK_THROWS_AS(cuda(), device_error);
    CHECK(nothing_left());
  }
  for (const bool pools : {true, false}) {
    cuda_shim::options().pools = pools;
    const double expected = biased(cuda());
    CHECK(nothing_left());
    for (int n = 1; n <= 9; ++n) {
      cuda_shim::options().fail_launch = n;
      CHECK_THROWS_AS(biased(cuda()), device_error);
      CHECK(nothing_left());
      cuda_shim::reset();
      cuda_shim::options().pools = pools;
      cuda_shim::options().fail_copy = n % 3 + 1;
      CHECK_THROWS_AS(biased(cuda()), device_error);
      CHECK(nothing_left());
      cuda_shim::reset();
      cuda_shim::options().pools = pools;
      cuda_shim::options().fail_allocation = n;  // given back what freed blocks hold, asked again
      CHECK(biased(cuda()) == expected);
      CHECK(nothing_left());
      cuda_shim::reset();
      cuda_shim::options().pools = pools;
    }
  }
}

TEST_CASE("a kernel that fails is an error of the next wait, and the backend says so") {
  if (!cuda_shim::handles_faults()) return;
  const fresh_device restored;
  d::device_context context(0);
  const auto turn = context.enter();
  d::launch(add_one, 1, 32, 0, context.stream(0), static_cast<float*>(nullptr), 32);
  CHECK_THROWS_AS(context.synchronize(context.stream(0)), device_error);
}

TEST_CASE("cuBLAS has workspaces of its own, and says what fails") {
  const fresh_device restored;
  const cuda on;
  const auto a = on.upload(counted(40, 30));
  DeviceMatrix<float> c;
  on.resize(c, 30, 30);
  on.gemm(transposed::yes, transposed::no, 1.0f, a, a, 0.0f, c);
  on.synchronize();
  CHECK(cuda_shim::counters().products_without_workspace == 0);
  cuda_shim::options().fail_cublas = 1;
  CHECK_THROWS_WITH(on.gemm(transposed::yes, transposed::no, 1.0f, a, a, 0.0f, c), says("mmd: device 0: ") && says("CUBLAS_STATUS"));
}
#endif
