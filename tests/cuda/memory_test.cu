// SPDX-License-Identifier: MIT
// What a pass takes: planned before it runs, kept within limits, moved only once, and said where it does not fit.
#include <algorithm>
#include <cmath>
#include <cstdint>
#include <string>
#include <vector>

#include "mmd/backends/cuda.cuh"
#include "mmd/core/philox.hpp"
#include "mmd/estimators/mmd.hpp"
#include "mmd/inference/permutation_test.hpp"
#include "support/catch2.hpp"

namespace {
using namespace mmd;

template <class T>
matrix<T> normal_rows(index_t n, index_t d, std::uint64_t seed, double scale = 1) {
  random_stream random(seed, purpose::user, 4);
  matrix<T> out(n, d);
  for (index_t i = 0; i < out.size(); ++i) out.data()[i] = T(scale * random.normal());
  return out;
}

// A pass of a fresh backend: what it held at most, what was planned, and what it found.
struct measured {
  std::uint64_t most, planned;
  std::vector<double> sums;
  index_t parts;
};
template <class K, class E>
measured measure(const CudaOptions& options, const K& k, const pooled<E>& z) {
  const cuda on(options);
  row_sums sums;
  block_sums bins{{z.rows() / 2, z.rows() - z.rows() / 2}};
  const memory_plan plan = on.plan(k, z, sums, bins);
  on.reduce(k, z, sums, bins);
  return {on.context().most_held_bytes, plan.device_bytes, sums.sums, plan.parts};
}
double apart(const std::vector<double>& a, const std::vector<double>& b) {
  double worst = 0;
  for (std::size_t i = 0; i < a.size(); ++i) worst = std::max(worst, std::abs(a[i] - b[i]) / (std::abs(a[i]) + 1e-300));
  return worst;
}
std::uint64_t moved(const cuda& on) { return on.context().bytes_up + on.context().bytes_down; }
}  // namespace

TEST_CASE("a plan says what the device will hold") {
  for (const index_t n : {50, 500}) {
    const auto x = normal_rows<float>(n, 9, 1), y = normal_rows<float>(n / 2, 9, 2);
    const auto z = pool(x, y);
    for (const product_by product : {product_by::fused, product_by::library}) {
      const auto check = [&](const auto& k) {
        const auto m = measure({.product = product}, k, z);
        INFO(n << " rows, product " << static_cast<int>(product) << ": held " << m.most << ", planned " << m.planned);
        CHECK(m.most <= m.planned);
        CHECK(m.planned <= 2 * m.most + (5 << 20));
      };
      check(gaussian(2));
      check(gaussian(2) + polynomial(2, 0.1, 1) + laplace(3));  // three packings
    }
  }
}

TEST_CASE("below a limit macros are smaller and results the same within rounding; too low a limit says what is needed") {
  const auto x = normal_rows<float>(900, 5, 1), y = normal_rows<float>(700, 5, 2);
  const auto z = pool(x, y);
  const auto free = measure({.product = product_by::library}, gaussian(2), z);
  const auto tight =
      measure({.device_memory_limit = free.planned - (std::uint64_t{1} << 20), .product = product_by::library}, gaussian(2), z);
  CHECK(tight.planned < free.planned);
  CHECK(tight.most <= tight.planned);
  CHECK(tight.parts > free.parts);
  CHECK(apart(free.sums, tight.sums) < 1e-6);
  const cuda low({.device_memory_limit = 100'000});
  row_sums sums;
  CHECK_THROWS_AS(low.reduce(gaussian(2), z, sums), memory_limit_exceeded);
  CHECK_THROWS_WITH(low.reduce(gaussian(2), z, sums),
                    says("mmd: on the device, a pass over 1600 rows needs ") && says("the memory limit is 100000 bytes"));
  CHECK_THROWS_AS(low.plan(gaussian(2), z, sums), memory_limit_exceeded);
}

TEST_CASE("a plan of host memory") {
  const auto x = normal_rows<float>(500, 5, 1);
  const auto plan = cuda().plan(gaussian(2), pooled<float>{{samples<float>(x)}}, row_sums{});
  CHECK(plan.bytes > 0);
  CHECK(plan.bytes < 1 << 20);
  CHECK(plan.result_bytes >= 2 * 500 * sizeof(double));
  CHECK(plan.copies >= 1);
}

TEST_CASE("nothing that grows with the square of the rows is moved") {
  const auto traffic = [](index_t n, bool on_the_device) {
    const cuda on;
    const auto x = normal_rows<float>(n, 8, 1), y = normal_rows<float>(n, 8, 2);
    const auto dx = on.upload(x), dy = on.upload(y);
    on.synchronize();
    const std::uint64_t before = moved(on);
    if (on_the_device) {
      Mmd{gaussian(2)}(on, dx, dy);
      PermutationTest{{.permutations = 19}}(on, dx, dy, gaussian(2));
    } else {
      Mmd{gaussian(2)}(on, x, y);
      PermutationTest{{.permutations = 19}}(on, x, y, gaussian(2));
    }
    return moved(on) - before;
  };
  for (const bool on_the_device : {false, true}) {
    const auto small = traffic(128, on_the_device), large = traffic(512, on_the_device);
    INFO("moved " << small << " and " << large << " bytes");
    CHECK(large <= 4 * small + 4096);
    // rows and columns of samples twice, some numbers a row
    CHECK(large <= 1024 * (on_the_device ? 0 : 2 * 8 * sizeof(float)) + 1024 * 16 * sizeof(double) + (64 << 10));
  }
#if defined(CUSHIM)
  cuda_shim::reset();
  {
    const cuda on;
    const auto x = normal_rows<float>(300, 8, 1);
    Mmd{gaussian(2)}(on, x, x);
    CHECK(on.context().bytes_up == cuda_shim::counters().bytes_up);
    CHECK(on.context().bytes_down == cuda_shim::counters().bytes_down);
  }
#endif
}

TEST_CASE("float samples of any magnitude, and kernels that leave float's range") {
  for (const double scale : {1e-25, 1e-18, 1.0, 1e18, 1e25}) {
    const auto x = normal_rows<float>(150, 3, 1, scale), y = normal_rows<float>(90, 3, 2, 1.5 * scale);
    const auto wide_x = converted<double>(x), wide_y = converted<double>(y);
    const cuda on;
    const auto found = Mmd{gaussian(2 * scale)}(on, x, y).biased, expected = Mmd{gaussian(2 * scale)}(on, wide_x, wide_y).biased;
    INFO("scale " << scale);
    CHECK(found == Approx(expected).epsilon(1e-4));
  }
  const auto x = normal_rows<float>(150, 3, 1, 1e10), y = normal_rows<float>(90, 3, 2, 1.5e10);
  const auto wide_x = converted<double>(x), wide_y = converted<double>(y);
  const cuda on;
  const auto cube = polynomial(3, 1, 1);
  CHECK(Mmd{cube}(on, x, y).biased == Approx(Mmd{cube}(on, wide_x, wide_y).biased).epsilon(1e-12));
}

#if defined(CUSHIM)
namespace {
struct fresh_device {
  fresh_device() { cuda_shim::reset(); }
  ~fresh_device() { cuda_shim::reset(); }
};
// Row sums; when they are prepared, other programs take all but `left` bytes of what is free.
struct greedy_sums : row_sums {
  std::uint64_t left = 0;
  void prepare(const layout& l) {
    row_sums::prepare(l);
    auto& o = cuda_shim::options();
    o.taken_bytes = o.total_bytes - cuda_shim::counters().live_bytes - left;
  }
  void merge(const greedy_sums&) {}
};
}  // namespace
namespace mmd::detail {
inline namespace MMD_ISA {
template <>
struct device_part<greedy_sums> : device_part<row_sums> {
  using device_part<row_sums>::device_part;
};
}  // namespace MMD_ISA
}  // namespace mmd::detail

TEST_CASE("memory that others take after the plan: smaller macros, then an error with sizes") {
  const fresh_device restored;
  const auto x = normal_rows<float>(2500, 5, 1);
  const pooled<float> z{{samples<float>(x)}};
  const cuda on({.product = product_by::library});
  row_sums plenty;
  on.reduce(gaussian(2), z, plenty);
  greedy_sums sums;
  sums.left = std::uint64_t{70} << 20;  // the workspaces of cuBLAS, and little more
  on.reduce(gaussian(2), z, sums);
  CHECK(apart(plenty.sums, sums.sums) < 1e-6);
  cuda_shim::options().taken_bytes = 0;
  sums.left = 1000;
  std::uint64_t asked = 0, free = 0;
  try {
    const cuda another;
    another.reduce(gaussian(2), z, sums);
  } catch (const device_out_of_memory& e) {
    asked = e.asked();
    free = e.free();
    CHECK_THAT(std::string(e.what()), says("mmd: device 0: ") && says("asked for " + std::to_string(asked) + " bytes") && says("are free"));
  }
  CHECK(asked > free);
  cuda_shim::options().taken_bytes = 0;
  on.reduce(gaussian(2), z, plenty);  // it goes on where there is room again
}

TEST_CASE("a device that is too small for the samples") {
  const fresh_device restored;
  cuda_shim::options().total_bytes = std::uint64_t{6} << 20;
  const auto x = normal_rows<float>(4000, 500, 1);
  const cuda on;
  row_sums sums;
  CHECK_THROWS_AS(on.reduce(gaussian(2), pooled<float>{{samples<float>(x)}}, sums), device_out_of_memory);
  CHECK_THROWS_WITH(on.reduce(gaussian(2), pooled<float>{{samples<float>(x)}}, sums),
                    says("mmd: device 0: a pass over 4000 rows: asked for ") && says(" of the device's 6291456 bytes are free"));
  CHECK_THROWS_AS(on.upload(matrix<double>(1000, 1000)), device_out_of_memory);
  CHECK(on.context().held_bytes == 0);
}
#endif
