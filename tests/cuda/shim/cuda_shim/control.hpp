// SPDX-License-Identifier: MIT
// What tests set and read of the emulated device, and what the other headers ask of the engine.
#pragma once

#include <cstring>
#include <functional>
#include <mutex>
#include <string>
#include <type_traits>

#include "cuda_shim/types.hpp"

namespace cuda_shim {

// Set before work is enqueued. The first values come from the environment: CUDA_SHIM_SEED, CUDA_SHIM_WORKERS, CUDA_SHIM_LAZY.
struct Options {
  // How work is run. Seed 0: threads, warps and blocks in order. Otherwise all of them in an order drawn from the seed, new at every
  // barrier, and operations of different streams in an order drawn from it too.
  unsigned seed = 0;
  unsigned workers = 1;  // threads of the system that blocks are dealt to; two or more let the thread sanitizer see races between blocks
  bool lazy = true;      // nothing runs before it is waited for
  bool poison = true;    // fresh device, pinned and shared memory is all ones: NaN
  bool lock = true;      // device memory cannot be read or written by the host
  bool check_arguments = true;  // a kernel's arguments hold no address of the host's memory

  // The device.
  int devices = 1;
  cudaError_t unavailable = cudaSuccess;  // what cudaGetDeviceCount and all else return: cudaErrorNoDevice, InsufficientDriver, StubLibrary
  int major = 9, minor = 0, multiprocessors = 4;
  int l2_bytes = 50 << 20;
  int shared_bytes = 48 << 10, shared_optin_bytes = 227 << 10;
  bool pools = true;
  std::uint64_t total_bytes = std::uint64_t{2} << 30;  // of device memory
  std::uint64_t taken_bytes = 0;                       // of these, by other programs

  // Faults. 1 is the next call, 2 the one after it; 0 none. Each happens once.
  int fail_allocation = 0, fail_pinned = 0, fail_launch = 0, fail_copy = 0, fail_cublas = 0;
  cudaError_t launch_error = cudaErrorLaunchOutOfResources;  // what a launch that fails returns
};
Options& options();

struct Counters {
  std::uint64_t bytes_up = 0, bytes_down = 0, bytes_across = 0;  // copied: host to device, device to host, within the device
  std::uint64_t launches = 0, copies = 0, blocks = 0, switches = 0, allocations = 0, synchronisations = 0;
  std::uint64_t products_without_workspace = 0;  // of cuBLAS: their bits may then depend on what runs beside them
  std::uint64_t live_bytes = 0, peak_bytes = 0, live_allocations = 0, live_pinned = 0, live_streams = 0, live_events = 0, live_handles = 0;
};
Counters& counters();

const std::string& last_message();  // in words: the fault found last
void reset();                       // drops all enqueued work and every error, options as the environment says, counters 0; memory stays
bool is_device_memory(const void* p);
bool handles_faults();  // a bad address in device code becomes an error; false under a sanitizer, which stops the program

// ---- for the headers
struct Stream;
struct Event;

cudaError_t fail(cudaError_t error, const std::string& message);
cudaError_t enqueue(Stream* stream, std::function<cudaError_t()> operation, bool even_after_errors = false);
cudaError_t ready();  // the first error since reset(), or the device's absence
// Whether a range lies inside one live allocation of device memory.
bool inside_allocation(const void* p, std::size_t bytes);
// The lock of all calls.
std::recursive_mutex& mutex();
inline constexpr std::size_t lane_bytes = 1024;  // at most, that a lane hands in

struct Launch {
  dim3 grid, block;
  std::size_t shared_bytes;
  void (*run)(const void*);
  const void* arguments;
};
cudaError_t check_launch(const Launch& launch, const void* kernel, std::size_t argument_bytes);
cudaError_t run_grid(const Launch& launch);

void wait_for_block(const char* name);
int count_in_block(int predicate, const char* name);
void* dynamic_shared_bytes();
unsigned thread_of_block();  // threadIdx as one number
// Every lane of `mask` hands in `bytes` bytes; when the last has arrived, it gets all of them by `all` (32 * bytes), runs run(context, all)
// and all lanes get theirs back.
void warp_collective(unsigned mask, void* mine, std::size_t bytes, const char* name, void (*run)(void* context, void* all), void* context,
                     void* all);

template <class T>
T* dynamic_shared() {
  return static_cast<T*>(dynamic_shared_bytes());
}

// For what the 32 lanes of a warp do together (mma.sync): `mine` of all of them, lane by lane, is given to run(T (&)[32]) once, and what it
// leaves there is given back. As on the device, no lane's other memory becomes visible to another by it.
template <class T, class F>
void warp_together(unsigned mask, T& mine, const char* name, F run) {
  static_assert(std::is_trivially_copyable_v<T> && sizeof(T) <= lane_bytes);
  T all[32];
  warp_collective(
      mask, &mine, sizeof(T), name, [](void* context, void* lanes) { (*static_cast<F*>(context))(*static_cast<T(*)[32]>(lanes)); }, &run,
      all);
}

}  // namespace cuda_shim
