// SPDX-License-Identifier: MIT
// A training step of the network takes no memory once it has seen its batch size.
#include <atomic>
#include <cstdlib>
#include <new>

#include "mmd/backends/cpu.hpp"
#include "mmd/learning/adam.hpp"
#include "mmd/learning/batches.hpp"
#include "mmd/learning/perceptron.hpp"
#include "support/catch2.hpp"
#include "support/learning.hpp"

namespace {

std::atomic<long> allocations = 0;

void* counted(std::size_t size, std::size_t alignment) {
  ++allocations;
  void* const p = alignment <= alignof(std::max_align_t) ? std::malloc(std::max<std::size_t>(size, 1))
                                                         : std::aligned_alloc(alignment, (size + alignment - 1) / alignment * alignment);
  if (p == nullptr) throw std::bad_alloc();
  return p;
}

}  // namespace

void* operator new(std::size_t size) { return counted(size, 1); }
void* operator new(std::size_t size, std::align_val_t alignment) { return counted(size, static_cast<std::size_t>(alignment)); }
void operator delete(void* p) noexcept { std::free(p); }
void operator delete(void* p, std::size_t) noexcept { std::free(p); }
void operator delete(void* p, std::align_val_t) noexcept { std::free(p); }
void operator delete(void* p, std::size_t, std::align_val_t) noexcept { std::free(p); }

TEMPLATE_TEST_CASE("batches, both ways through the network and Adam allocate nothing after the first step", "[allocation]", float, double) {
  using T = TestType;
  const mmd::cpu on{.threads = 2};
  const auto rows = support::normal<T>(300, 67, 1), grad = support::normal<T>(128, 17, 2);
  mmd::Perceptron<T> network({67, 33, 29, 17}, 3);
  typename mmd::Perceptron<T>::Tape tape;
  std::vector<T> gradient(network.parameters().size());
  mmd::Adam<T> adam;
  mmd::RowBatches batches(300, 128, 4, 0);
  long first = 0, later = 0;
  for (std::uint64_t step = 0; step < 6; ++step) {
    const long before = allocations;
    network.forward(on, mmd::samples<T>(rows), tape, {0.3, 0.1, 5, step}, batches.next());
    network.backward(on, tape, mmd::samples<T>(grad), gradient);
    adam.step(on, network.parameters(), gradient);
    (step == 0 ? first : later) += allocations - before;
  }
  CHECK(first > 0);
  CHECK(later == 0);
}
