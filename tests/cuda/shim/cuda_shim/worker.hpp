// SPDX-License-Identifier: MIT
// A thread of the system that runs blocks, and what it keeps of the one it runs.
#pragma once

#include <atomic>
#include <memory>
#include <string>
#include <vector>

#include "cuda_shim/control.hpp"
#include "cuda_shim/fiber.hpp"

namespace cuda_shim {

enum class State { ready, at_block, in_warp, done };

struct Fiber {
  Context context;
  uint3 index{};
  State state = State::ready;
  const char* name = "";  // of what it waits for
};

// Lanes of one warp that wait for one another.
struct Meeting {
  unsigned mask = 0, arrived = 0;
  const char* name = "";
};

struct Warp {
  Meeting meetings[32];  // the first `count`: one but for divergent lanes. No vector, whose memory the thread sanitizer would watch
  unsigned count = 0;
  std::vector<unsigned char> slots = std::vector<unsigned char>(32 * lane_bytes);
};

constexpr std::size_t spare_bytes = 128;  // after a block's shared memory

struct Worker {
  Context main;
  std::vector<std::unique_ptr<Fiber>> fibers;
  std::vector<Warp> warps;
  std::vector<unsigned> order, warp_order;
  Fiber* current = nullptr;
  const Launch* launch = nullptr;
  unsigned threads = 0, counted = 0, count_result = 0;
  std::vector<unsigned char> shared;
  unsigned char* shared_start = nullptr;
  std::uint64_t switches = 0, blocks = 0;
  char begin = 0, end = 0, barrier[2] = {}, warp_barrier[32] = {};
  unsigned barrier_turn = 0;
  std::string fault;
  std::uintptr_t fault_address = 0;
  bool faulted = false;
};
extern constinit thread_local Worker* self;

std::string place(const uint3& at);
// Blocks first, first + step, … on this thread, until there are no more or `stop`; a fault is left in self.
void run_blocks(const Launch& launch, unsigned first, unsigned step, std::atomic<bool>& stop);

}  // namespace cuda_shim
