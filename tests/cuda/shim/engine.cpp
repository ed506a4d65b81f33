// SPDX-License-Identifier: MIT
// Runs the blocks of a grid: a fiber a thread, resumed until all wait at the block's barrier. Compiled without sanitizers, whose hooks it
// calls where they are linked in.
#include "cuda_shim/engine.hpp"

#include <link.h>

#include <algorithm>
#include <cstdio>
#include <numeric>
#include <random>

#include "cuda_runtime.h"
#include "cuda_shim/worker.hpp"

#ifndef CUSHIM_USES_UCONTEXT
// Keeps what the ABI says a call keeps, on the old stack; takes it from the new one.
__asm__(
    ".text\n.globl cuda_shim_switch\n.hidden cuda_shim_switch\n.type cuda_shim_switch,@function\ncuda_shim_switch:\n"
    " pushq %rbp\n pushq %rbx\n pushq %r12\n pushq %r13\n pushq %r14\n pushq %r15\n movq %rsp,(%rdi)\n"
    " movq %rsi,%rsp\n popq %r15\n popq %r14\n popq %r13\n popq %r12\n popq %rbx\n popq %rbp\n ret\n"
    ".size cuda_shim_switch,.-cuda_shim_switch\n");
#endif

constinit thread_local uint3 threadIdx{}, blockIdx{};
constinit thread_local dim3 blockDim{}, gridDim{};

namespace cuda_shim {

constinit thread_local Worker* self = nullptr;

std::string place(const uint3& at) { return "(" + std::to_string(at.x) + ", " + std::to_string(at.y) + ", " + std::to_string(at.z) + ")"; }

namespace {

void entry() {
  Context::entered(self->main);
  for (;;) {
    acquire(&self->begin);
    self->launch->run(self->launch->arguments);
    release(&self->end);
    self->current->state = State::done;
    ++self->switches;
    self->current->context.switch_to(self->main);
  }
}

void park(State state, const char* name) {
  Fiber& me = *self->current;
  me.state = state;
  me.name = name;
  ++self->switches;
  me.context.switch_to(self->main);
}

// Leaves the fiber for good.
[[noreturn]] void give_up(std::string why) {
  self->fault = std::move(why);
  self->faulted = true;
  self->current->context.switch_to(self->main);
  std::abort();
}

std::string thread_name(unsigned thread) {
  const auto text = [](const uint3& at) {
    return "(" + std::to_string(at.x) + ", " + std::to_string(at.y) + ", " + std::to_string(at.z) + ")";
  };
  return "block " + text(blockIdx) + ", thread " + text(self->fibers[thread]->index);
}

// What has waited for something that cannot come, or an empty text.
std::string stuck(unsigned first, unsigned last) {
  for (unsigned i = first; i < last; ++i) {
    const Fiber& fiber = *self->fibers[i];
    if (fiber.state != State::in_warp) continue;
    unsigned mask = 0;
    const Warp& warp = self->warps[first / 32];
    for (unsigned m = 0; m < warp.count; ++m) {
      if (warp.meetings[m].arrived >> (i - first) & 1u) mask = warp.meetings[m].mask;
    }
    char text[32];
    std::snprintf(text, sizeof text, "0x%08x", mask);
    return thread_name(i) + " waits for ever in " + fiber.name + ": a lane of its mask " + text + " does not come";
  }
  return {};
}

// Resumes lanes first … last - 1 until each waits for the block or has returned.
bool run_warp(unsigned first, unsigned last, std::mt19937* random) {
  auto& order = self->order;
  for (;;) {
    if (random) std::shuffle(order.begin() + first, order.begin() + last, *random);
    bool ran = false;
    for (unsigned i = first; i < last; ++i) {
      Fiber& fiber = *self->fibers[order[i]];
      if (fiber.state != State::ready) continue;
      self->current = &fiber;
      threadIdx = fiber.index;
      ran = true;
      self->main.switch_to(fiber.context);
      if (self->faulted) return false;
    }
    if (!ran) break;
  }
  self->fault = stuck(first, last);
  self->faulted = !self->fault.empty();
  return !self->faulted;
}

bool run_block(std::mt19937* random) {
  const unsigned threads = self->threads;
  for (unsigned i = 0; i < threads; ++i) self->fibers[i]->state = State::ready;
  self->counted = self->count_result = self->barrier_turn = 0;
  for (;;) {
    if (random) std::shuffle(self->warp_order.begin(), self->warp_order.end(), *random);
    for (const unsigned w : self->warp_order) {
      if (!run_warp(w * 32, std::min(threads, w * 32 + 32), random)) return false;
    }
    unsigned done = 0, waiting = 0;
    for (unsigned i = 0; i < threads; ++i) {
      (self->fibers[i]->state == State::done ? done : waiting) += 1;
    }
    if (done == threads) return true;
    for (unsigned i = 0; i < threads; ++i) {
      Fiber& fiber = *self->fibers[i];
      if (fiber.state == State::at_block && done > 0) {
        self->fault =
            thread_name(i) + " waits in " + fiber.name + ", and " + std::to_string(done) + " of the block's threads have returned";
        self->faulted = true;
        return false;
      }
      fiber.state = State::ready;
    }
    self->count_result = self->counted;
    self->counted = 0;
    ++self->barrier_turn;
  }
}

bool wrote_past_shared() {
  if (__asan_poison_memory_region || !options().poison) return false;
  const unsigned char* const end = self->shared_start + self->launch->shared_bytes;
  return std::any_of(end, end + spare_bytes, [](unsigned char byte) { return byte != 0xff; });
}

// Where this thread's copies of the program's static thread_local variables lie: __shared__ ones, and the engine's own.
struct Segment {
  void* start = nullptr;
  std::size_t bytes = 0;
};
Segment static_shared() {
  Segment found;
  dl_iterate_phdr(
      [](dl_phdr_info* program, std::size_t, void* out) {
        for (int i = 0; i < program->dlpi_phnum; ++i) {
          if (program->dlpi_phdr[i].p_type == PT_TLS) *static_cast<Segment*>(out) = {program->dlpi_tls_data, program->dlpi_phdr[i].p_memsz};
        }
        return 1;  // the program itself comes first
      },
      &found);
  return found;
}

// No value of the block before is left in shared memory. Not under a sanitizer, whose own variables lie there too.
void poison_shared(const Segment& segment) {
  if (!options().poison) return;
  std::memset(self->shared_start, 0xff, self->launch->shared_bytes + (__asan_poison_memory_region ? 0 : spare_bytes));
  if (!handles_faults() || segment.start == nullptr) return;
  Worker* const me = self;
  const dim3 block = blockDim, grid = gridDim;
  const uint3 index = blockIdx;
  std::memset(segment.start, 0xff, segment.bytes);
  asm volatile("" : "+m"(self), "+m"(blockDim), "+m"(gridDim), "+m"(blockIdx));  // they lie there: the compiler does not know
  self = me;
  blockDim = block;
  gridDim = grid;
  blockIdx = index;
}

}  // namespace

void run_blocks(const Launch& launch, unsigned first, unsigned step, std::atomic<bool>& stop) {
  const unsigned threads = launch.block.x * launch.block.y * launch.block.z;
  self->launch = &launch;
  self->threads = threads;
  self->main.adopt();
  while (self->fibers.size() < threads) self->fibers.push_back(std::make_unique<Fiber>());
  for (unsigned i = 0; i < threads; ++i) {
    self->fibers[i]->context.make(&entry, i);
    self->fibers[i]->index = {i % launch.block.x, i / launch.block.x % launch.block.y, i / (launch.block.x * launch.block.y)};
  }
  self->order.resize(threads);
  std::iota(self->order.begin(), self->order.end(), 0u);
  self->warp_order.resize((threads + 31) / 32);
  std::iota(self->warp_order.begin(), self->warp_order.end(), 0u);
  self->warps.resize(std::max(self->warps.size(), self->warp_order.size()));
  for (Warp& warp : self->warps) warp.count = 0;
  // With known bytes after it, which the address sanitizer is told not to allow.
  struct Free {
    void operator()(unsigned char* p) const { std::free(p); }
  };
  const std::unique_ptr<unsigned char[], Free> shared(
      static_cast<unsigned char*>(std::aligned_alloc(128, (launch.shared_bytes + 127) / 128 * 128 + spare_bytes)));
  self->shared_start = shared.get();
  if (__asan_poison_memory_region) __asan_poison_memory_region(shared.get() + launch.shared_bytes, spare_bytes);
  const Segment segment = static_shared();
  const std::uint64_t blocks = std::uint64_t{launch.grid.x} * launch.grid.y * launch.grid.z;
  std::mt19937 random(options().seed + 65537 * first + static_cast<unsigned>(counters().launches));
  std::mt19937* const shuffle = options().seed != 0 ? &random : nullptr;
  std::vector<std::uint64_t> order;
  for (std::uint64_t i = first; i < blocks; i += step) order.push_back(i);  // dealt the same way each time
  if (shuffle) std::shuffle(order.begin(), order.end(), random);
  blockDim = launch.block;
  gridDim = launch.grid;
  for (const std::uint64_t i : order) {
    if (stop) break;
    blockIdx = {static_cast<unsigned>(i % launch.grid.x), static_cast<unsigned>(i / launch.grid.x % launch.grid.y),
                static_cast<unsigned>(i / (std::uint64_t{launch.grid.x} * launch.grid.y))};
    poison_shared(segment);
    ++self->blocks;
    release(&self->begin);
    bool whole = run_block(shuffle);
    acquire(&self->end);
    if (whole && wrote_past_shared()) {
      self->fault = "block " + place(blockIdx) + " wrote past the end of its " + std::to_string(launch.shared_bytes) +
                    " bytes of dynamic shared memory";
      self->faulted = true;
      whole = false;
    }
    if (!whole) stop = true;
  }
  self->current = nullptr;
  if (__asan_unpoison_memory_region) __asan_unpoison_memory_region(shared.get() + launch.shared_bytes, spare_bytes);
}

namespace {

void copy(void* to, const void* from, std::size_t bytes) {  // by hand: the thread sanitizer watches memcpy
  auto* const t = static_cast<volatile unsigned char*>(to);
  const auto* const f = static_cast<const unsigned char*>(from);
  std::size_t i = 0;
  if (bytes % 4 == 0) {
    using word [[gnu::may_alias]] = std::uint32_t;
    for (; i < bytes; i += 4) *reinterpret_cast<volatile word*>(t + i) = *reinterpret_cast<const word*>(f + i);
  }
  for (; i < bytes; ++i) t[i] = f[i];
}

}  // namespace

bool handles_faults() { return !__asan_poison_memory_region && !__tsan_release; }
unsigned thread_of_block() { return threadIdx.x + blockDim.x * (threadIdx.y + blockDim.y * threadIdx.z); }
void* dynamic_shared_bytes() { return self->shared_start; }

void wait_for_block(const char* name) {
  char* const tag = &self->barrier[self->barrier_turn & 1u];
  release(tag);
  park(State::at_block, name);
  acquire(tag);
}

int count_in_block(int predicate, const char* name) {
  self->counted += predicate != 0;
  wait_for_block(name);
  return static_cast<int>(self->count_result);
}

void warp_collective(unsigned mask, void* mine, std::size_t bytes, const char* name, void (*run)(void*, void*), void* context, void* all) {
  const unsigned thread = thread_of_block(), lane = thread & 31u, base = thread & ~31u;
  Warp& warp = self->warps[thread / 32];
  if (!(mask >> lane & 1u)) give_up(thread_name(thread) + " calls " + name + " with a mask that leaves itself out");
  const unsigned lanes = std::min(32u, self->threads - base), there = lanes == 32 ? ~0u : (1u << lanes) - 1;
  unsigned m = 0;
  while (m < warp.count && (warp.meetings[m].mask != mask || std::strcmp(warp.meetings[m].name, name) != 0)) ++m;
  Meeting& meeting = warp.meetings[m];
  if (m == warp.count) {
    ++warp.count;
    meeting.mask = mask;
    meeting.arrived = 0;
    meeting.name = name;
  }
  const auto slot = [&warp](unsigned l) { return warp.slots.data() + l * lane_bytes; };
  if (bytes > 0) copy(slot(lane), mine, bytes);
  meeting.arrived |= 1u << lane;
  if (meeting.arrived != (mask & there)) {
    park(State::in_warp, name);
  } else {
    const Meeting& last = warp.meetings[--warp.count];
    meeting.mask = last.mask;
    meeting.arrived = last.arrived;
    meeting.name = last.name;
    const auto each_lane = [&](auto&& act) {
      for (unsigned l = 0; l < lanes; ++l) {
        if (mask >> l & 1u) act(l);
      }
    };
    if (run) {
      each_lane([&](unsigned l) { copy(static_cast<unsigned char*>(all) + l * bytes, slot(l), bytes); });
      run(context, all);
      each_lane([&](unsigned l) { copy(slot(l), static_cast<unsigned char*>(all) + l * bytes, bytes); });
    }
    each_lane([&](unsigned l) { self->fibers[base + l]->state = State::ready; });
  }
  if (bytes > 0) copy(mine, slot(lane), bytes);
}

}  // namespace cuda_shim

void __syncwarp(unsigned mask) {
  using namespace cuda_shim;
  char* const tag = &self->warp_barrier[thread_of_block() / 32];
  release(tag);
  warp_collective(mask, nullptr, 0, "__syncwarp", nullptr, nullptr, nullptr);
  acquire(tag);
}
