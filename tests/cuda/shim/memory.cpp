// SPDX-License-Identifier: MIT
// Device and pinned memory, copies. An allocation lies between pages that nobody may touch, as near to the upper one as its alignment of
// 256 lets it; the bytes left are known, so that a write there is found; and it is closed to the host. Compiled without sanitizers.
#include <unistd.h>

#include <atomic>
#include <cstdio>
#include <deque>
#include <map>
#include <vector>

#include "cuda_runtime.h"
#include "cuda_shim/engine.hpp"
#include "cuda_shim/fiber.hpp"

namespace cuda_shim {
namespace {

struct Allocation {
  std::uintptr_t mapping = 0, start = 0;
  std::size_t mapped = 0, bytes = 0;
  std::atomic<bool> open{true};
};

struct Range {
  std::uintptr_t start;
  std::size_t bytes;
};

struct Memory {
  std::map<std::uintptr_t, Allocation> device;  // by start
  std::map<std::uintptr_t, std::size_t> pinned;
  std::deque<Range> freed;
};
Memory& memory() {
  static Memory* const all = new Memory;  // outlives every static object
  return *all;
}

std::size_t page() {
  static const auto bytes = static_cast<std::size_t>(sysconf(_SC_PAGESIZE));
  return bytes;
}

constexpr std::size_t guard = std::size_t{1} << 20;  // addresses on each side of an allocation that nobody may touch

std::uintptr_t number(const void* p) { return reinterpret_cast<std::uintptr_t>(p); }

// The allocation whose pages hold an address, with the guarding ones.
Allocation* around(std::uintptr_t address) {
  auto& device = memory().device;
  auto it = device.upper_bound(address);
  if (it != device.end() && address >= it->second.mapping) return &it->second;
  if (it == device.begin()) return nullptr;
  Allocation& before = std::prev(it)->second;
  return address < before.mapping + before.mapped ? &before : nullptr;
}

void protect(Allocation& a, int rights) { mprotect(reinterpret_cast<void*>(a.mapping + guard), a.mapped - 2 * guard, rights); }

void poison_edges(const Allocation& a, void (*how)(const volatile void*, std::size_t)) {
  if (!how) return;
  how(reinterpret_cast<void*>(a.mapping + guard), a.start - a.mapping - guard);
  how(reinterpret_cast<void*>(a.start + a.bytes), a.mapping + a.mapped - guard - a.start - a.bytes);
}

bool all_ones(std::uintptr_t from, std::uintptr_t to) {
  for (; from < to; ++from) {
    if (*reinterpret_cast<const volatile unsigned char*>(from) != 0xff) return false;
  }
  return true;
}

std::string bytes_text(std::size_t bytes) { return std::to_string(bytes) + (bytes == 1 ? " byte" : " bytes"); }

std::string overrun(const Allocation& a) {
  const char* where = nullptr;
  if (!all_ones(a.mapping + guard, a.start)) where = "before the start";
  if (!all_ones(a.start + a.bytes, a.mapping + a.mapped - guard)) where = "past the end";
  return where ? std::string("something was written just ") + where + " of an allocation of " + bytes_text(a.bytes) : "";
}

cudaError_t allocate(void** p, std::size_t bytes, bool zero_is_fine) {
  if (p == nullptr) return fail(cudaErrorInvalidValue, "memory asked for without a place for its address");
  *p = nullptr;
  if (const cudaError_t e = ready()) return e;
  if (bytes == 0) return zero_is_fine ? cudaSuccess : fail(cudaErrorInvalidValue, "0 bytes of device memory asked for");
  ++counters().allocations;
  if (const cudaError_t e = injected(options().fail_allocation, cudaErrorMemoryAllocation, "allocation")) return e;
  const std::uint64_t limit = options().total_bytes - std::min(options().total_bytes, options().taken_bytes);
  if (bytes > limit || counters().live_bytes > limit - bytes) {
    return fail(cudaErrorMemoryAllocation, bytes_text(bytes) + " asked for, of " + std::to_string(limit) + " are " +
                                               std::to_string(limit - std::min(limit, counters().live_bytes)) + " left");
  }
  const std::size_t rounded = (bytes + 255) / 256 * 256, pages = (rounded + page() - 1) / page() * page();
  void* const mapping = mmap(nullptr, pages + 2 * guard, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (mapping == MAP_FAILED) return fail(cudaErrorMemoryAllocation, "the host has no memory left to emulate the device's");
  const std::uintptr_t start = number(mapping) + guard + pages - rounded;
  Allocation& a = memory().device[start];
  a.mapping = number(mapping);
  a.mapped = pages + 2 * guard;
  a.start = start;
  a.bytes = bytes;
  protect(a, PROT_READ | PROT_WRITE);
  std::memset(reinterpret_cast<void*>(a.mapping + guard), 0xff, options().poison ? pages : start - a.mapping - guard);
  std::memset(reinterpret_cast<void*>(start + bytes), 0xff, rounded - bytes);
  poison_edges(a, __asan_poison_memory_region);
  if (options().lock) {
    a.open = false;
    protect(a, PROT_NONE);
  }
  counters().live_bytes += bytes;
  ++counters().live_allocations;
  counters().peak_bytes = std::max(counters().peak_bytes, counters().live_bytes);
  *p = reinterpret_cast<void*>(start);
  return cudaSuccess;
}

cudaError_t release_memory(std::uintptr_t start) {
  const auto it = memory().device.find(start);
  if (it == memory().device.end()) return fail(cudaErrorInvalidValue, "freed: " + describe(start) + ", not the start of an allocation");
  Allocation& a = it->second;
  open_to_host(reinterpret_cast<void*>(start));
  const std::string wrong = __asan_poison_memory_region ? "" : overrun(a);
  poison_edges(a, __asan_unpoison_memory_region);
  void* const mapping = reinterpret_cast<void*>(a.mapping);
  if (__tsan_release) {
    munmap(mapping, a.mapped);  // the sanitizer's own memory for it goes too
  } else {
    // Its addresses are never given out again: what still uses them is found.
    mmap(mapping, a.mapped, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_FIXED, -1, 0);
  }
  counters().live_bytes -= a.bytes;
  --counters().live_allocations;
  memory().freed.push_back({start, a.bytes});
  if (memory().freed.size() > 1000) memory().freed.pop_front();
  memory().device.erase(it);
  return wrong.empty() ? cudaSuccess : fail(cudaErrorIllegalAddress, wrong);
}

// A copy of `height` rows, `width` bytes each.
struct Copy {
  void* to;
  std::size_t to_pitch;
  const void* from;
  std::size_t from_pitch, width, height;

  std::size_t extent(std::size_t pitch) const { return (height - 1) * pitch + width; }
  void run() const {
    for (std::size_t r = 0; r < height; ++r) {
      std::memcpy(static_cast<char*>(to) + r * to_pitch, static_cast<const char*>(from) + r * from_pitch, width);
    }
  }
};

cudaError_t copy(Copy c, cudaMemcpyKind kind, cudaStream_t stream, bool wait) {
  if (const cudaError_t e = ready()) return e;
  if (c.width == 0 || c.height == 0) return cudaSuccess;
  if (c.height > 1 && (c.to_pitch < c.width || c.from_pitch < c.width))
    return fail(cudaErrorInvalidPitchValue, "a pitch below a copy's width");
  if (const cudaError_t e = injected(options().fail_copy, cudaErrorUnknown, "copy")) return e;
  const bool to_device = around(number(c.to)), from_device = around(number(c.from));
  if (kind == cudaMemcpyDefault) {
    kind = to_device     ? (from_device ? cudaMemcpyDeviceToDevice : cudaMemcpyHostToDevice)
           : from_device ? cudaMemcpyDeviceToHost
                         : cudaMemcpyHostToHost;
  }
  const bool to_is = kind == cudaMemcpyHostToDevice || kind == cudaMemcpyDeviceToDevice;
  const bool from_is = kind == cudaMemcpyDeviceToHost || kind == cudaMemcpyDeviceToDevice;
  const std::size_t to_bytes = c.extent(c.to_pitch), from_bytes = c.extent(c.from_pitch);
  if (to_is != to_device || from_is != from_device) {
    return fail(cudaErrorInvalidValue,
                "a copy whose kind does not fit its addresses: to " + describe(number(c.to)) + ", from " + describe(number(c.from)));
  }
  if (to_device && !inside_allocation(c.to, to_bytes))
    return fail(cudaErrorInvalidValue, bytes_text(to_bytes) + " copied to " + describe(number(c.to)));
  if (from_device && !inside_allocation(c.from, from_bytes)) {
    return fail(cudaErrorInvalidValue, bytes_text(from_bytes) + " copied from " + describe(number(c.from)));
  }
  ++counters().copies;
  const std::uint64_t bytes = std::uint64_t{c.width} * c.height;
  (to_device ? from_device ? counters().bytes_across : counters().bytes_up : counters().bytes_down) += bytes;
  // Memory that is not pinned: read before the call returns, or written before it does.
  std::shared_ptr<std::vector<char>> staged;
  if (!from_device && !is_pinned(c.from)) {
    staged = std::make_shared<std::vector<char>>(c.width * c.height);
    Copy stage{staged->data(), c.width, c.from, c.from_pitch, c.width, c.height};
    stage.run();
    c.from = staged->data();
    c.from_pitch = c.width;
  }
  wait = wait || (!to_device && !is_pinned(c.to));
  const cudaError_t queued = enqueue(stream, [c, staged]() -> cudaError_t {
    open_to_host(c.to);
    open_to_host(c.from);
    c.run();
    lock_again();
    return cudaSuccess;
  });
  return queued == cudaSuccess && wait ? cudaStreamSynchronize(stream) : queued;
}

cudaError_t set(void* p, std::size_t pitch, int value, std::size_t width, std::size_t height, cudaStream_t stream) {
  if (const cudaError_t e = ready()) return e;
  if (width == 0 || height == 0) return cudaSuccess;
  if (!inside_allocation(p, (height - 1) * pitch + width)) return fail(cudaErrorInvalidValue, "set: " + describe(number(p)));
  return enqueue(stream, [=]() -> cudaError_t {
    open_to_host(p);
    for (std::size_t r = 0; r < height; ++r) std::memset(static_cast<char*>(p) + r * pitch, value, width);
    lock_again();
    return cudaSuccess;
  });
}

}  // namespace

bool is_device_memory(const void* p) { return around(number(p)) != nullptr; }

bool inside_allocation(const void* p, std::size_t bytes) {
  const Allocation* const a = around(number(p));
  return a && number(p) >= a->start && bytes <= a->bytes && number(p) - a->start <= a->bytes - bytes;
}

bool is_pinned(const void* p) {
  auto& pinned = memory().pinned;
  auto it = pinned.upper_bound(number(p));
  return it != pinned.begin() && number(p) < std::prev(it)->first + std::prev(it)->second;
}

void open_to_host(const void* p) {
  Allocation* const a = around(number(p));
  if (a && !a->open.exchange(true)) protect(*a, PROT_READ | PROT_WRITE);
}

Fault touched(std::uintptr_t address) {
  Allocation* const a = around(address);
  if (!a || address < a->mapping + guard || address >= a->mapping + a->mapped - guard) return Fault::illegal;
  a->open = true;
  protect(*a, PROT_READ | PROT_WRITE);  // again, if another thread was first
  return Fault::open;
}

std::string lock_again() {
  std::string wrong;
  if (!options().lock) return wrong;
  for (auto& [start, a] : memory().device) {
    if (!a.open.exchange(false)) continue;
    if (wrong.empty() && !__asan_poison_memory_region) wrong = overrun(a);
    if (!wrong.empty()) {  // said once
      std::memset(reinterpret_cast<void*>(a.mapping + guard), 0xff, a.start - a.mapping - guard);
      std::memset(reinterpret_cast<void*>(a.start + a.bytes), 0xff, a.mapping + a.mapped - guard - a.start - a.bytes);
    }
    protect(a, PROT_NONE);
  }
  return wrong;
}

std::string describe(std::uintptr_t address) {
  char text[32];
  std::snprintf(text, sizeof text, "0x%llx", static_cast<unsigned long long>(address));
  if (address < page()) return std::string("address ") + text + ": a null pointer";
  if (const Allocation* const a = around(address)) {
    const std::string whose = " of an allocation of " + bytes_text(a->bytes);
    if (address < a->start) return bytes_text(a->start - address) + " before the start" + whose;
    if (address >= a->start + a->bytes) return bytes_text(address - a->start - a->bytes) + " past the end" + whose;
    return "byte " + std::to_string(address - a->start) + whose;
  }
  for (const Range& range : memory().freed) {
    if (address >= range.start && address < range.start + range.bytes) {
      return "byte " + std::to_string(address - range.start) + " of an allocation of " + bytes_text(range.bytes) + " that has been freed";
    }
  }
  return std::string("address ") + text + ", which is not the device's";
}

}  // namespace cuda_shim

using namespace cuda_shim;

cudaError_t cudaMalloc(void** p, std::size_t bytes) {
  const std::lock_guard lock(mutex());
  if (bytes > options().total_bytes - std::min(options().total_bytes, counters().live_bytes)) drain(nullptr);
  return allocate(p, bytes, true);
}

cudaError_t cudaMallocAsync(void** p, std::size_t bytes, cudaStream_t stream) {
  const std::lock_guard lock(mutex());
  if (!options().pools) return fail(cudaErrorNotSupported, "the device has no memory pools");
  const std::uint64_t limit = options().total_bytes - std::min(options().total_bytes, options().taken_bytes);
  if (stream && counters().live_bytes + bytes > limit) drain(stream);  // what was freed in the stream before is there again
  return allocate(p, bytes, false);
}

cudaError_t cudaMallocFromPoolAsync(void** p, std::size_t bytes, cudaMemPool_t, cudaStream_t stream) {
  return cudaMallocAsync(p, bytes, stream);
}

cudaError_t cudaFree(void* p) {
  const std::lock_guard lock(mutex());
  const cudaError_t before = drain(nullptr);
  if (p == nullptr) return before;
  const cudaError_t freed = release_memory(number(p));
  return before != cudaSuccess ? before : freed;
}

cudaError_t cudaFreeAsync(void* p, cudaStream_t stream) {
  const std::lock_guard lock(mutex());
  if (p == nullptr) return cudaSuccess;
  if (memory().device.count(number(p)) == 0) return fail(cudaErrorInvalidValue, "freed: " + describe(number(p)));
  return enqueue(
      stream, [p] { return release_memory(number(p)); }, true);
}

cudaError_t cudaMemGetInfo(std::size_t* free, std::size_t* total) {
  const std::lock_guard lock(mutex());
  if (const cudaError_t e = ready()) return e;
  const Options& o = options();
  *total = o.total_bytes;
  *free = o.total_bytes - std::min<std::uint64_t>(o.total_bytes, o.taken_bytes + counters().live_bytes);
  return cudaSuccess;
}

cudaError_t cudaHostAlloc(void** p, std::size_t bytes, unsigned) {
  const std::lock_guard lock(mutex());
  *p = nullptr;
  if (const cudaError_t e = ready()) return e;
  if (const cudaError_t e = injected(options().fail_pinned, cudaErrorMemoryAllocation, "allocation of pinned memory")) return e;
  if (bytes == 0) return cudaSuccess;
  *p = std::aligned_alloc(page(), (bytes + page() - 1) / page() * page());
  if (!*p) return fail(cudaErrorMemoryAllocation, "the host has no memory left");
  if (options().poison) std::memset(*p, 0xff, bytes);
  memory().pinned[number(*p)] = bytes;
  ++counters().live_pinned;
  return cudaSuccess;
}
cudaError_t cudaMallocHost(void** p, std::size_t bytes, unsigned flags) { return cudaHostAlloc(p, bytes, flags); }

cudaError_t cudaFreeHost(void* p) {
  const std::lock_guard lock(mutex());
  if (p == nullptr) return cudaSuccess;
  const cudaError_t before = drain(nullptr);  // copies may still use it
  if (memory().pinned.erase(number(p)) == 0) return fail(cudaErrorInvalidValue, "freed as pinned memory: " + describe(number(p)));
  std::free(p);
  --counters().live_pinned;
  return before;
}

cudaError_t cudaPointerGetAttributes(cudaPointerAttributes* attributes, const void* p) {
  const std::lock_guard lock(mutex());
  if (const cudaError_t e = ready()) return e;
  void* const same = const_cast<void*>(p);
  const bool device = inside_allocation(p, 0), pinned = is_pinned(p);
  *attributes = {device   ? cudaMemoryTypeDevice
                 : pinned ? cudaMemoryTypeHost
                          : cudaMemoryTypeUnregistered,
                 device || pinned ? 0 : -2, device || pinned ? same : nullptr, device ? nullptr : same};
  return cudaSuccess;
}

cudaError_t cudaMemcpy(void* to, const void* from, std::size_t bytes, cudaMemcpyKind kind) {
  const std::lock_guard lock(mutex());
  return copy({to, bytes, from, bytes, bytes, 1}, kind, nullptr, true);
}
cudaError_t cudaMemcpyAsync(void* to, const void* from, std::size_t bytes, cudaMemcpyKind kind, cudaStream_t stream) {
  const std::lock_guard lock(mutex());
  return copy({to, bytes, from, bytes, bytes, 1}, kind, stream, false);
}
cudaError_t cudaMemcpy2DAsync(void* to, std::size_t to_pitch, const void* from, std::size_t from_pitch, std::size_t width,
                              std::size_t height, cudaMemcpyKind kind, cudaStream_t stream) {
  const std::lock_guard lock(mutex());
  return copy({to, to_pitch, from, from_pitch, width, height}, kind, stream, false);
}
cudaError_t cudaMemset(void* p, int value, std::size_t bytes) { return cudaMemsetAsync(p, value, bytes, nullptr); }
cudaError_t cudaMemsetAsync(void* p, int value, std::size_t bytes, cudaStream_t stream) {
  const std::lock_guard lock(mutex());
  return set(p, bytes, value, bytes, 1, stream);
}
cudaError_t cudaMemset2DAsync(void* p, std::size_t pitch, int value, std::size_t width, std::size_t height, cudaStream_t stream) {
  const std::lock_guard lock(mutex());
  return set(p, pitch, value, width, height, stream);
}
