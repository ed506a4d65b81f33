// SPDX-License-Identifier: MIT
// The threads that run blocks, and what becomes of a bad address. Compiled without sanitizers.
#include <signal.h>

#include <algorithm>
#include <condition_variable>
#include <mutex>
#include <thread>
#include <utility>

#include "cuda_runtime.h"
#include "cuda_shim/engine.hpp"
#include "cuda_shim/worker.hpp"

namespace cuda_shim {
namespace {

// Faults in device memory are handled while device code or a copy runs; otherwise they are the program's own.
struct sigaction previous_segv, previous_bus;

void on_fault(int number, siginfo_t* info, void*) {
  const auto address = reinterpret_cast<std::uintptr_t>(info->si_addr);
  if (touched(address) == Fault::open) return;
  if (self && self->current && handles_faults()) {
    self->fault_address = address;
    self->faulted = true;
    self->current->context.switch_to(self->main);
  }
  sigaction(number, number == SIGSEGV ? &previous_segv : &previous_bus, nullptr);  // and fault again
}

// The threads of the system that run blocks: not the caller's, so that nothing of the host's lies among the shared variables.
class Pool {
 public:
  cudaError_t run(const Launch& launch) {
    const std::uint64_t blocks = std::uint64_t{launch.grid.x} * launch.grid.y * launch.grid.z;
    const auto count = static_cast<unsigned>(std::min<std::uint64_t>(std::max(1u, options().workers), blocks));
    std::unique_lock lock(mutex_);
    while (threads_.size() < count) {
      const auto id = static_cast<unsigned>(threads_.size());
      threads_.emplace_back([this, id, seen = turn_] { serve(id, seen); });
    }
    struct sigaction ours {};
    ours.sa_sigaction = &on_fault;
    ours.sa_flags = SA_SIGINFO | SA_NODEFER | SA_ONSTACK;
    sigaction(SIGSEGV, &ours, &previous_segv);
    sigaction(SIGBUS, &ours, &previous_bus);
    launch_ = &launch;
    count_ = running_ = count;
    begun_ = 0;
    stop_ = false;
    message_.clear();
    error_ = cudaSuccess;
    ++turn_;
    start_.notify_all();
    done_.wait(lock, [this] { return running_ == 0; });
    sigaction(SIGSEGV, &previous_segv, nullptr);
    sigaction(SIGBUS, &previous_bus, nullptr);
    const std::string overrun = lock_again();
    if (error_ != cudaSuccess) return fail(error_, message_);
    return overrun.empty() ? cudaSuccess : fail(cudaErrorIllegalAddress, overrun);
  }

  ~Pool() {
    {
      const std::lock_guard lock(mutex_);
      ending_ = true;
    }
    start_.notify_all();
    for (std::thread& thread : threads_) thread.join();
  }

 private:
  void serve(unsigned id, std::uint64_t seen) {
    const auto worker = std::make_unique<Worker>();
    self = worker.get();
    // Faults are handled here, so that a stack that has run over can be reported too.
    std::vector<char> stack(std::size_t{64} << 10);
    const stack_t signals{stack.data(), 0, stack.size()};
    stack_t before{};
    sigaltstack(&signals, &before);
    std::unique_lock lock(mutex_);
    for (;;) {
      start_.wait(lock, [&] { return ending_ || turn_ != seen; });
      if (ending_) break;
      seen = turn_;
      if (id >= count_) continue;
      lock.unlock();
      // All begin together, by means that the thread sanitizer does not see: to it, an end before a beginning would be an order.
      for (++begun_; begun_ < count_;) std::this_thread::yield();
      run_blocks(*launch_, id, count_, stop_);
      lock.lock();
      count_switches(std::exchange(self->switches, 0), std::exchange(self->blocks, 0));
      if (self->faulted) {
        const bool address = self->fault.empty();
        error_ = address ? cudaErrorIllegalAddress : cudaErrorLaunchFailure;
        message_ =
            address ? "block " + place(blockIdx) + ", thread " + place(threadIdx) + ": " + describe(self->fault_address) : self->fault;
        self->faulted = false;
        self->fault.clear();
        self->fibers.clear();  // some of them stopped midway
      }
      if (--running_ == 0) done_.notify_all();
    }
    sigaltstack(&before, nullptr);
  }

  std::mutex mutex_;
  std::condition_variable start_, done_;
  std::vector<std::thread> threads_;
  const Launch* launch_ = nullptr;
  std::uint64_t turn_ = 0;
  unsigned count_ = 0, running_ = 0;
  std::atomic<unsigned> begun_ = 0;
  std::atomic<bool> stop_ = false;
  bool ending_ = false;
  cudaError_t error_ = cudaSuccess;
  std::string message_;
};

}  // namespace

cudaError_t run_grid(const Launch& launch) {
  static Pool pool;
  return pool.run(launch);
}

}  // namespace cuda_shim
