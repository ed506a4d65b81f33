// SPDX-License-Identifier: MIT
// The memory plan against what is really allocated.
#include <algorithm>
#include <atomic>
#include <cstdlib>
#include <limits>
#include <new>

#include "support.hpp"
#include "support/catch2.hpp"

namespace {
std::atomic<long long> alive = 0, peak = 0;  // bytes

// The size stands before each block, at a distance that keeps the alignment.
void* take(std::size_t size, std::size_t alignment) {
  const std::size_t head = std::max<std::size_t>(alignment, alignof(std::max_align_t));
  void* const block = std::aligned_alloc(head, (size + 2 * head - 1) / head * head);
  if (!block) throw std::bad_alloc();
  *static_cast<std::size_t*>(block) = size;
  const long long now = alive += static_cast<long long>(size);
  for (long long before = peak; now > before && !peak.compare_exchange_weak(before, now);) {
  }
  return static_cast<char*>(block) + head;
}
void give(void* p, std::size_t alignment) {
  if (!p) return;
  void* const block = static_cast<char*>(p) - std::max<std::size_t>(alignment, alignof(std::max_align_t));
  alive -= static_cast<long long>(*static_cast<std::size_t*>(block));
  std::free(block);
}
}  // namespace

void* operator new(std::size_t n) { return take(n, 1); }
void* operator new[](std::size_t n) { return take(n, 1); }
void* operator new(std::size_t n, std::align_val_t a) { return take(n, static_cast<std::size_t>(a)); }
void* operator new[](std::size_t n, std::align_val_t a) { return take(n, static_cast<std::size_t>(a)); }
void operator delete(void* p) noexcept { give(p, 1); }
void operator delete[](void* p) noexcept { give(p, 1); }
void operator delete(void* p, std::size_t) noexcept { give(p, 1); }
void operator delete[](void* p, std::size_t) noexcept { give(p, 1); }
void operator delete(void* p, std::align_val_t a) noexcept { give(p, static_cast<std::size_t>(a)); }
void operator delete[](void* p, std::align_val_t a) noexcept { give(p, static_cast<std::size_t>(a)); }
void operator delete(void* p, std::size_t, std::align_val_t a) noexcept { give(p, static_cast<std::size_t>(a)); }
void operator delete[](void* p, std::size_t, std::align_val_t a) noexcept { give(p, static_cast<std::size_t>(a)); }

using namespace mmd;
using namespace backends_test;

namespace {

struct to_five {
  matrix<float> operator()(const samples<float>& x) const {
    matrix<float> out(x.rows(), 5);
    for (index_t i = 0; i < x.rows(); ++i) {
      for (index_t k = 0; k < 5; ++k) out(i, k) = x(i, k);
    }
    return out;
  }
};

// Peak of bytes beyond the arguments while f runs.
template <class F>
std::uint64_t bytes_taken(F&& f) {
  const long long before = alive;
  peak = before;
  f();
  return static_cast<std::uint64_t>(peak - before);
}

}  // namespace

TEST_CASE("a pass takes no more than its plan says, and most of it", "[memory]") {
  const auto x = normal_rows<float>(3000, 40, 1), y = normal_rows<float>(500, 40, 2);
  const auto z = pool(x, y);
  std::vector<index_t> bins(700, 5);
  for (const int threads : {1, 2, 5}) {
    const cpu on{.threads = threads};
    const auto check = [&](const char* what, const auto& k, auto... reducers) {
      INFO(what << ", threads " << threads);
      const memory_plan p = on.plan(k, z, reducers...);
      const std::uint64_t taken = bytes_taken([&] { on.reduce(k, z, reducers...); });
      CHECK(taken <= p.bytes + p.result_bytes);
      CHECK(taken >= (p.bytes + p.result_bytes) / 2);
    };
    check("row sums", gaussian(4), row_sums{});
    check("row sums and bins", gaussian(4), row_sums{}, block_sums{bins});
    check("mapped", mmd::on(to_five{}, gaussian(2)) * gaussian(4), row_sums{});
    check("gram", gaussian(4), gram<float>{});
  }
}

TEST_CASE("a lower limit means fewer copies, the same bits, and at last an error with both sizes", "[memory]") {
  const auto x = normal_rows<float>(3000, 16, 1);
  const pooled<float> z{{samples<float>(x)}};
  const std::vector<index_t> bins(100, 30);
  block_sums free{bins};
  cpu on{.threads = 4};
  const memory_plan wide = on.plan(gaussian(4), z, free);
  REQUIRE(wide.parts > 1);
  on.reduce(gaussian(4), z, free);
  if (wide.copies > 1) on.memory_limit = wide.bytes - 1;  // without OpenMP one copy is all there is
  const memory_plan narrow = on.plan(gaussian(4), z, free);
  CHECK(narrow.parts == wide.parts);
  CHECK((narrow.copies < wide.copies || wide.copies == 1));
  block_sums tight{bins};
  const std::uint64_t taken = bytes_taken([&] { on.reduce(gaussian(4), z, tight); });
  CHECK(taken <= on.memory_limit + narrow.result_bytes);
  CHECK(tight.sums == free.sums);

  on.memory_limit = 100000;
  try {
    on.reduce(gaussian(4), z, tight);
    FAIL("no error");
  } catch (const memory_limit_exceeded& e) {
    CHECK(e.limit() == 100000);
    CHECK(e.needed() > 200000);
    CHECK(std::string(e.what()) ==
          "mmd: a pass over 3000 rows needs " + std::to_string(e.needed()) + " bytes, but the memory limit is 100000 bytes");
  }
  CHECK_THROWS_AS(on.plan(gaussian(4), z, tight), memory_limit_exceeded);
}

TEST_CASE("the number of parts does not depend on the threads", "[memory]") {
  const auto x = normal_rows<float>(2000, 64, 1);
  const pooled<float> z{{samples<float>(x)}};
  const memory_plan one = cpu{.threads = 1}.plan(gaussian(8), z, row_sums{});
  CHECK(one.parts > 8);
  for (const int threads : {2, 7, 64}) CHECK(cpu{.threads = threads}.plan(gaussian(8), z, row_sums{}).parts == one.parts);
  CHECK(cpu{.threads = 7}.plan(gaussian(8), z, row_sums{}).copies <= 14);
}

TEST_CASE("a gradient takes O(N d) memory", "[memory]") {
  const auto x = normal_rows<float>(6000, 8, 1);
  const pair_weights w{std::vector<double>(6000, 1), std::vector<double>(6000, 1), {1}, {1}};
  const std::uint64_t taken = bytes_taken([&] { cpu{.threads = 2}.gradient(gaussian(4), pooled<float>{{samples<float>(x)}}, w); });
  CHECK(taken < 16u << 20);  // K itself would be 144 MB
}
