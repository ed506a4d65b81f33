// SPDX-License-Identifier: MIT
// The weighted gradient over many macros, on two streams: memory, traffic, launches, cancellation.
#include <stdexcept>
#include <vector>

#include "gradient.cuh"
#include "support/catch2.hpp"
#include "support/failures.hpp"

using namespace gradients;
using mmd::cuda;
using mmd::CudaOptions;

namespace {

template <class Example, class T>
auto gradient_of(const cuda& on, const problem<T>& p, const mmd::pair_weights& w) {
  return on.gradient(Example::kernel(samples<T>(p.features)), p.pool(), w);
}

#if defined(CUSHIM)
// A device whose second cache is so small that macros are two panels square.
struct small_cache {
  int before = cuda_shim::options().l2_bytes;
  small_cache() { cuda_shim::options().l2_bytes = 1 << 20; }
  ~small_cache() { cuda_shim::options().l2_bytes = before; }
};
// As much of the device's memory, beyond what is in use, as `bytes`.
struct little_memory {
  explicit little_memory(std::uint64_t bytes) {
    cuda_shim::options().taken_bytes = cuda_shim::options().total_bytes - cuda_shim::counters().live_bytes - bytes;
  }
  ~little_memory() { cuda_shim::options().taken_bytes = 0; }
};
#else
struct small_cache {};
#endif

template <class Example, class T>
void check(const cuda& on, const problem<T>& p, const mmd::pair_weights& w) {
  const auto found = gradient_of<Example>(on, p, w);
  INFO(Example::name << ": " << shown(p.shape));
  CHECK(off(found, expected<Example>(p, w)) <= allowed<T>);
  CHECK(same_bits(gradient_of<Example>(on, p, w), found));
}

}  // namespace

TEMPLATE_TEST_CASE("a gradient of many macros is right, with the same bits again", "", float, double) {
  [[maybe_unused]] const small_cache small;
  const cuda on, library({.product = mmd::product_by::library});
  const problem<TestType> even({{300, 300}, 3}), odd({{257, 40, 390}, 2});
  const auto paired = random_weights(even.shape.rows, true, true), other = random_weights(odd.shape.rows, false, false);
  check<of_gaussian>(on, even, paired);
  check<of_laplace>(on, even, paired);
  check<of_cube>(on, even, paired);
  check<of_gaussian>(on, odd, other);
  check<of_gaussian>(library, odd, other);
}
TEST_CASE("a gradient of many macros by all quantities is right") {
  [[maybe_unused]] const small_cache small;
  const cuda on, library({.product = mmd::product_by::library});
  const problem<float> p({{140, 260}, 3});
  const auto w = random_weights(p.shape.rows, true, false);
  check<of_all>(on, p, w);
  check<of_all>(library, p, w);
  const problem<double> q({{140, 260}, 3});
  check<of_both_distances>(on, q, w);
}
TEST_CASE("macros without a wanted tile are left out") {
  [[maybe_unused]] const small_cache small;
  const cuda on;
  const problem<double> p({{140, 600}, 2});
  auto w = random_weights(p.shape.rows, false, false);
  w.ww[3] = w.wp[3] = 0;  // as for the multi-population proxy
  check<of_gaussian>(on, p, w);
}

TEST_CASE("a gradient stops when asked, and what comes after it is right") {
  [[maybe_unused]] const small_cache small;
  const problem<double> p({{300, 300}, 3});
  const auto w = random_weights(p.shape.rows, false, false);
  cuda on;
  const auto exact = gradient_of<of_gaussian>(on, p, w);
  std::uint64_t last = 0, total = 0;
  on.progress = [&](const mmd::progress_report& r) {
    CHECK(r.stage == "gradient");
    last = r.done;
    total = r.total;
    return true;
  };
  CHECK(same_bits(gradient_of<of_gaussian>(on, p, w), exact));
  CHECK(last == total);
  int calls = 0;
  on.progress = [&](const mmd::progress_report&) { return ++calls < 2; };
  CHECK_THROWS_AS(gradient_of<of_gaussian>(on, p, w), mmd::cancelled);
  CHECK(calls == 2);
  on.progress = [](const mmd::progress_report&) -> bool { throw std::runtime_error("from the callback"); };
  CHECK(message_of<std::runtime_error>([&] { gradient_of<of_gaussian>(on, p, w); }) == "from the callback");
  on.progress = nullptr;
  CHECK(same_bits(gradient_of<of_gaussian>(on, p, w), exact));
}

TEST_CASE("a gradient keeps to a limit of the device's memory, or says what it needs") {
  const problem<double> p({{300, 400}, 3});
  const auto w = random_weights(p.shape.rows, true, false);
  const std::uint64_t limit = std::uint64_t{35} << 20;  // 32 MiB of it for cuBLAS, where S of all tiles takes 4.5 MiB
  const cuda on({.device_memory_limit = limit});
  CHECK(off(gradient_of<of_gaussian>(on, p, w), expected<of_gaussian>(p, w)) <= allowed<double>);
  CHECK(on.context().most_held_bytes <= limit);
  const cuda none({.device_memory_limit = 1 << 20});
  const std::string said = message_of<mmd::memory_limit_exceeded>([&] { gradient_of<of_gaussian>(none, p, w); });
  CHECK(mentions(said, "mmd: on the device, a gradient over 896 packed rows needs "));
  CHECK(mentions(said, "the memory limit is 1048576 bytes"));
}

#if defined(CUSHIM)
TEST_CASE("where memory is short macros are smaller; where there is none the error says for what") {
  const problem<double> p({{300, 400}, 3});
  const auto w = random_weights(p.shape.rows, true, false);
  const cuda on;
  const auto exact = expected<of_gaussian>(p, w);
  gradient_of<of_gaussian>(on, p, w);  // cuBLAS's workspace is there from now on
  on.synchronize();
  const std::uint64_t before = cuda_shim::counters().live_bytes;
  {
    const little_memory half(std::uint64_t{3} << 20);  // S of all tiles would take 6 MiB
    CHECK(off(gradient_of<of_gaussian>(on, p, w), exact) <= allowed<double>);
  }
  {
    const little_memory none(1 << 16);
    const std::string said = message_of<mmd::device_out_of_memory>([&] { gradient_of<of_gaussian>(on, p, w); });
    CHECK(said.find("mmd: device 0: ") == 0);
  }
  CHECK(off(gradient_of<of_gaussian>(on, p, w), exact) <= allowed<double>);
  on.synchronize();
  CHECK(cuda_shim::counters().live_bytes == before);
}

TEST_CASE("what a training step's gradient asks of the device") {
  const auto features = normal_rows<float>(400, 16, 1);
  const cuda on;
  const auto z = on.upload(features);
  mmd::pooled<mmd::device<float>> pool;
  const samples<mmd::device<float>> all(z);
  pool.groups = {all.middle_rows(0, 200), all.middle_rows(200, 200)};
  const auto w = random_weights({200, 200}, true, false);
  const auto k = 0.9 * mmd::gaussian(3) + 0.1;
  on.gradient(k, pool, w);
  const auto before = cuda_shim::counters();
  const auto g = on.gradient(k, pool, w);
  const auto after = cuda_shim::counters();
  CHECK(g.features[0].rows() == 400);
  INFO("launches " << after.launches - before.launches << ", copies " << after.copies - before.copies << ", waits "
                   << after.synchronisations - before.synchronisations << ", up " << after.bytes_up - before.bytes_up << ", down "
                   << after.bytes_down - before.bytes_down);
  CHECK(after.launches - before.launches <= 9);  // of which packing takes 5; a product of cuBLAS is beside them
  CHECK(after.copies - before.copies <= 5);
  CHECK(after.bytes_down - before.bytes_down <= 1024);
  CHECK(after.bytes_up - before.bytes_up <= 20 * 512);
  CHECK(after.synchronisations - before.synchronisations <= 7);  // two wait for kernels, the others for transfers from pinned memory
}
#endif
