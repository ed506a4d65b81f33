// SPDX-License-Identifier: MIT
// Streams and events, launches, errors. Compiled without sanitizers.
#include <sys/mman.h>
#include <unistd.h>

#include <chrono>
#include <deque>
#include <map>
#include <random>
#include <utility>
#include <vector>

#include "cuda_runtime.h"
#include "cuda_shim/engine.hpp"

namespace cuda_shim {

struct Event {
  struct State {
    std::uint64_t asked = 0, reached = 0;  // records enqueued, and done
    std::chrono::steady_clock::time_point time;
  };
  std::shared_ptr<State> state = std::make_shared<State>();
  bool timed = true;
};

struct Stream {
  struct Operation {
    std::function<cudaError_t()> run;
    std::shared_ptr<Event::State> after;  // waits for this event's record
    std::uint64_t record = 0;
    bool even_after_errors = false;
  };
  std::deque<Operation> queue;
  bool blocking = true;

  bool can_go_on() const { return !queue.empty() && (!queue.front().after || queue.front().after->reached >= queue.front().record); }
};

namespace {

Options from_environment() {
  Options o;
  const auto read = [](const char* name, unsigned otherwise) {
    const char* const text = std::getenv(name);
    return text && *text ? static_cast<unsigned>(std::strtoul(text, nullptr, 10)) : otherwise;
  };
  o.seed = read("CUDA_SHIM_SEED", o.seed);
  o.workers = read("CUDA_SHIM_WORKERS", o.workers);
  o.lazy = read("CUDA_SHIM_LAZY", o.lazy) != 0;
  return o;
}

struct Runtime {
  std::recursive_mutex mutex;
  Options options = from_environment();
  Counters counters;
  std::vector<Stream*> streams;
  std::map<const void*, std::size_t> shared_allowed;
  cudaError_t last = cudaSuccess, first_fatal = cudaSuccess;
  std::string message;
  std::mt19937 random{options.seed};
};
Runtime& runtime() {
  static Runtime* const all = new Runtime;  // outlives every static object
  return *all;
}

bool fatal(cudaError_t e) { return e == cudaErrorIllegalAddress || e == cudaErrorLaunchFailure || e == cudaErrorLaunchTimeout; }

void step(Stream& stream) {
  Stream::Operation operation = std::move(stream.queue.front());
  stream.queue.pop_front();
  if (!operation.run || (runtime().first_fatal != cudaSuccess && !operation.even_after_errors)) return;
  const cudaError_t e = operation.run();
  if (e != cudaSuccess && runtime().first_fatal == cudaSuccess) runtime().first_fatal = e;  // nothing can be relied on after it
}

bool known(Stream* stream) {
  const auto& all = runtime().streams;
  return stream == nullptr || std::find(all.begin(), all.end(), stream) != all.end();
}

// Whether a host address: mapped, and neither the device's nor pinned. A small number in the low half is an int: the high half beside it is
// whatever lay in the padding before.
bool is_host_address(std::uintptr_t word) {
  if (word >> 40 == 0 || word >> 47 != 0 || (word & 0xffffffffu) < 1u << 20) return false;
  const auto* const p = reinterpret_cast<const void*>(word);
  if (is_device_memory(p) || is_pinned(p)) return false;
  const auto page = static_cast<std::uintptr_t>(sysconf(_SC_PAGESIZE));
  return msync(reinterpret_cast<void*>(word / page * page), page, MS_ASYNC) == 0;
}

}  // namespace

std::recursive_mutex& mutex() { return runtime().mutex; }
Options& options() { return runtime().options; }
Counters& counters() { return runtime().counters; }
const std::string& last_message() { return runtime().message; }

void count_switches(std::uint64_t switches, std::uint64_t blocks) {
  counters().switches += switches;
  counters().blocks += blocks;
}

cudaError_t fail(cudaError_t error, const std::string& message) {
  runtime().message = message;
  if (fatal(error) && runtime().first_fatal == cudaSuccess) runtime().first_fatal = error;
  return runtime().last = error;
}

cudaError_t ready() {
  const cudaError_t e = options().unavailable != cudaSuccess ? options().unavailable
                        : options().devices == 0             ? cudaErrorNoDevice
                                                             : runtime().first_fatal;
  return e == cudaSuccess ? e : runtime().last = e;
}

cudaError_t injected(int& fault, cudaError_t error, const char* what) {
  return fault > 0 && --fault == 0 ? fail(error, std::string("a fault was asked for: this ") + what) : cudaSuccess;
}

// In order: the stream that is waited for, and of the others only what it waits for. With a seed: any, until that stream is empty.
cudaError_t drain(Stream* stream) {
  auto& streams = runtime().streams;
  for (;;) {
    std::vector<Stream*> able;
    bool left = false;
    for (Stream* each : streams) {
      left = left || (!each->queue.empty() && (stream == nullptr || each == stream));
      if (each->can_go_on()) able.push_back(each);
    }
    if (!left) break;
    if (able.empty()) return fail(cudaErrorUnknown, "streams wait for one another for ever");
    if (options().seed != 0) {
      step(*able[runtime().random() % able.size()]);
    } else {
      step(stream && stream->can_go_on() ? *stream : *able.front());
    }
  }
  return runtime().first_fatal;
}

cudaError_t enqueue(Stream* stream, std::function<cudaError_t()> operation, bool even_after_errors) {
  if (!even_after_errors) {
    if (const cudaError_t e = ready()) return e;
  }
  if (!known(stream)) return fail(cudaErrorInvalidResourceHandle, "a stream that does not exist");
  if (stream == nullptr) {  // after and before all streams that block
    for (Stream* each : std::vector<Stream*>(runtime().streams)) {
      if (each->blocking) drain(each);
    }
    Stream now;
    now.queue.push_back({std::move(operation), nullptr, 0, even_after_errors});
    step(now);
    return runtime().first_fatal;
  }
  stream->queue.push_back({std::move(operation), nullptr, 0, even_after_errors});
  return options().lazy ? cudaSuccess : drain(stream);
}

void reset() {
  const std::lock_guard lock(mutex());
  Runtime& r = runtime();
  r.options = from_environment();
  r.first_fatal = cudaErrorUnknown;  // nothing but frees
  drain(nullptr);
  r.first_fatal = r.last = cudaSuccess;
  r.message.clear();
  r.random.seed(r.options.seed);
  const Counters old = r.counters;
  r.counters = {};
  r.counters.live_bytes = r.counters.peak_bytes = old.live_bytes;
  r.counters.live_allocations = old.live_allocations;
  r.counters.live_pinned = old.live_pinned;
  r.counters.live_streams = old.live_streams;
  r.counters.live_events = old.live_events;
  r.counters.live_handles = old.live_handles;
}

bool allow_shared(const void* kernel, std::size_t bytes) {
  const auto it = runtime().shared_allowed.find(kernel);
  return bytes <= (it == runtime().shared_allowed.end() ? static_cast<std::size_t>(options().shared_bytes) : it->second);
}

cudaError_t check_launch(const Launch& launch, const void* kernel, std::size_t argument_bytes) {
  const std::lock_guard lock(mutex());
  if (const cudaError_t e = ready()) return e;
  const dim3 g = launch.grid, b = launch.block;
  const std::uint64_t threads = std::uint64_t{b.x} * b.y * b.z;
  if (threads == 0 || threads > 1024 || b.z > 64 || g.x == 0 || g.y == 0 || g.z == 0 || g.x > 0x7fffffffu || g.y > 65535 || g.z > 65535) {
    return fail(cudaErrorInvalidConfiguration, "a grid of " + std::to_string(g.x) + " x " + std::to_string(g.y) + " x " +
                                                   std::to_string(g.z) + " blocks of " + std::to_string(threads) + " threads");
  }
  if (!allow_shared(kernel, launch.shared_bytes)) {
    return fail(cudaErrorInvalidValue, std::to_string(launch.shared_bytes) +
                                           " bytes of dynamic shared memory: more than the kernel may have without cudaFuncSetAttribute");
  }
  if (const cudaError_t e = injected(options().fail_launch, options().launch_error, "launch")) return e;
  if (options().check_arguments) {
    for (std::size_t i = 0; i + sizeof(std::uintptr_t) <= argument_bytes; i += sizeof(std::uintptr_t)) {
      std::uintptr_t word;
      std::memcpy(&word, static_cast<const char*>(launch.arguments) + i, sizeof word);
      if (is_host_address(word))
        return fail(cudaErrorIllegalAddress, "a kernel's arguments hold the address of host memory: " + describe(word));
    }
  }
  ++counters().launches;
  return cudaSuccess;
}

}  // namespace cuda_shim

using namespace cuda_shim;

cudaError_t cudaGetLastError() {
  const std::lock_guard lock(mutex());
  return std::exchange(runtime().last, runtime().first_fatal);
}
cudaError_t cudaPeekAtLastError() {
  const std::lock_guard lock(mutex());
  return runtime().last;
}
cudaError_t cudaGetDeviceCount(int* count) {  // untouched where there is none, as by CUDA
  const std::lock_guard lock(mutex());
  if (options().unavailable != cudaSuccess) return runtime().last = options().unavailable;
  if (options().devices == 0) return runtime().last = cudaErrorNoDevice;
  *count = options().devices;
  return cudaSuccess;
}
cudaError_t cudaGetDevice(int* device) {
  const std::lock_guard lock(mutex());
  *device = 0;
  return ready();
}
cudaError_t cudaSetDevice(int device) {
  const std::lock_guard lock(mutex());
  if (const cudaError_t e = ready()) return e;
  return device >= 0 && device < options().devices ? cudaSuccess : fail(cudaErrorInvalidDevice, "device " + std::to_string(device));
}
cudaError_t cudaDeviceReset() {
  const std::lock_guard lock(mutex());
  const Options kept = options();
  reset();
  options() = kept;
  return cudaSuccess;
}
cudaError_t cudaDeviceSynchronize() {
  const std::lock_guard lock(mutex());
  if (const cudaError_t e = ready()) return e;
  ++counters().synchronisations;
  return drain(nullptr);
}
cudaError_t cudaStreamCreateWithFlags(cudaStream_t* stream, unsigned flags) {
  const std::lock_guard lock(mutex());
  if (const cudaError_t e = ready()) return e;
  *stream = new Stream;
  (*stream)->blocking = (flags & cudaStreamNonBlocking) == 0;
  runtime().streams.push_back(*stream);
  ++counters().live_streams;
  return cudaSuccess;
}
cudaError_t cudaStreamCreate(cudaStream_t* stream) { return cudaStreamCreateWithFlags(stream, cudaStreamDefault); }
cudaError_t cudaStreamCreateWithPriority(cudaStream_t* stream, unsigned flags, int) { return cudaStreamCreateWithFlags(stream, flags); }
cudaError_t cudaStreamDestroy(cudaStream_t stream) {
  const std::lock_guard lock(mutex());
  if (!stream || !known(stream)) return fail(cudaErrorInvalidResourceHandle, "a stream that does not exist is destroyed");
  const cudaError_t e = drain(stream);
  std::erase(runtime().streams, stream);
  delete stream;
  --counters().live_streams;
  return e;
}
cudaError_t cudaStreamSynchronize(cudaStream_t stream) {
  const std::lock_guard lock(mutex());
  if (const cudaError_t e = ready()) return e;
  if (!known(stream)) return fail(cudaErrorInvalidResourceHandle, "a stream that does not exist");
  ++counters().synchronisations;
  const cudaError_t e = stream ? drain(stream) : cudaSuccess;
  return e == cudaSuccess ? e : runtime().last = e;
}
cudaError_t cudaStreamQuery(cudaStream_t stream) {
  const std::lock_guard lock(mutex());
  if (const cudaError_t e = ready()) return e;
  if (stream && !stream->queue.empty()) {
    drain(stream);  // so that asking again ends
    return cudaErrorNotReady;
  }
  return ready();
}
cudaError_t cudaLaunchHostFunc(cudaStream_t stream, cudaHostFn_t function, void* data) {
  const std::lock_guard lock(mutex());
  return enqueue(stream, [=]() -> cudaError_t {
    function(data);
    return cudaSuccess;
  });
}

cudaError_t cudaEventCreateWithFlags(cudaEvent_t* event, unsigned flags) {
  const std::lock_guard lock(mutex());
  if (const cudaError_t e = ready()) return e;
  *event = new Event;
  (*event)->timed = (flags & cudaEventDisableTiming) == 0;
  ++counters().live_events;
  return cudaSuccess;
}
cudaError_t cudaEventCreate(cudaEvent_t* event) { return cudaEventCreateWithFlags(event, cudaEventDefault); }
cudaError_t cudaEventDestroy(cudaEvent_t event) {
  const std::lock_guard lock(mutex());
  delete event;
  --counters().live_events;
  return cudaSuccess;
}
cudaError_t cudaEventRecord(cudaEvent_t event, cudaStream_t stream) {
  const std::lock_guard lock(mutex());
  const auto state = event->state;
  const std::uint64_t record = ++state->asked;
  return enqueue(
      stream,
      [state, record]() -> cudaError_t {
        state->reached = record;
        state->time = std::chrono::steady_clock::now();
        return cudaSuccess;
      },
      true);
}
cudaError_t cudaStreamWaitEvent(cudaStream_t stream, cudaEvent_t event, unsigned) {
  const std::lock_guard lock(mutex());
  if (const cudaError_t e = ready()) return e;
  if (!known(stream)) return fail(cudaErrorInvalidResourceHandle, "a stream that does not exist");
  if (stream == nullptr) return cudaEventSynchronize(event);
  stream->queue.push_back({nullptr, event->state, event->state->asked});
  return options().lazy ? cudaSuccess : drain(stream);
}
cudaError_t cudaEventSynchronize(cudaEvent_t event) {
  const std::lock_guard lock(mutex());
  if (const cudaError_t e = ready()) return e;
  ++counters().synchronisations;
  Stream waiting;
  waiting.queue.push_back({nullptr, event->state, event->state->asked});
  runtime().streams.push_back(&waiting);
  const cudaError_t e = drain(&waiting);
  std::erase(runtime().streams, &waiting);
  return e;
}
cudaError_t cudaEventQuery(cudaEvent_t event) {
  const std::lock_guard lock(mutex());
  if (event->state->reached == event->state->asked) return ready();
  cudaEventSynchronize(event);  // so that asking again ends
  return cudaErrorNotReady;
}
cudaError_t cudaEventElapsedTime(float* milliseconds, cudaEvent_t from, cudaEvent_t to) {
  const std::lock_guard lock(mutex());
  if (const cudaError_t e = ready()) return e;
  if (!from->timed || !to->timed) return fail(cudaErrorInvalidResourceHandle, "the time of an event without timing");
  if (from->state->reached == 0 || to->state->reached == 0) return cudaErrorNotReady;
  *milliseconds = std::chrono::duration<float, std::milli>(to->state->time - from->state->time).count();
  return cudaSuccess;
}

cudaError_t cudaFuncSetAttribute(const void* kernel, cudaFuncAttribute attribute, int value) {
  const std::lock_guard lock(mutex());
  if (const cudaError_t e = ready()) return e;
  if (attribute != cudaFuncAttributeMaxDynamicSharedMemorySize) return cudaSuccess;
  if (value < 0 || value > options().shared_optin_bytes)
    return fail(cudaErrorInvalidValue, std::to_string(value) + " bytes of shared memory");
  runtime().shared_allowed[kernel] = static_cast<std::size_t>(value);
  return cudaSuccess;
}
cudaError_t cudaFuncGetAttributes(cudaFuncAttributes* attributes, const void* kernel) {
  const std::lock_guard lock(mutex());
  *attributes = {};
  attributes->maxThreadsPerBlock = 1024;
  attributes->numRegs = 64;
  const auto it = runtime().shared_allowed.find(kernel);
  attributes->maxDynamicSharedSizeBytes = it == runtime().shared_allowed.end() ? options().shared_bytes : static_cast<int>(it->second);
  return ready();
}
