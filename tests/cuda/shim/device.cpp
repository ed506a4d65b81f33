// SPDX-License-Identifier: MIT
// What the emulated device says of itself. Compiled without sanitizers.
#include <memory>
#include <vector>

#include "cuda_runtime.h"

using namespace cuda_shim;

const char* cudaGetErrorName(cudaError_t error) {
  switch (error) {
#define CUSHIM_ERROR(name, number, text) \
  case name:                             \
    return #name;
    CUSHIM_ERRORS(CUSHIM_ERROR)
#undef CUSHIM_ERROR
  }
  return "unrecognized error code";
}
const char* cudaGetErrorString(cudaError_t error) {
  switch (error) {
#define CUSHIM_ERROR(name, number, text) \
  case name:                             \
    return text;
    CUSHIM_ERRORS(CUSHIM_ERROR)
#undef CUSHIM_ERROR
  }
  return "unrecognized error code";
}

cudaError_t cudaGetDeviceProperties(cudaDeviceProp* p, int device) {
  const std::lock_guard lock(mutex());
  if (const cudaError_t e = cudaSetDevice(device)) return e;
  const Options& o = options();
  *p = {};
  std::strcpy(p->name, "emulated device");
  p->totalGlobalMem = o.total_bytes;
  p->sharedMemPerBlock = static_cast<std::size_t>(o.shared_bytes);
  p->sharedMemPerBlockOptin = static_cast<std::size_t>(o.shared_optin_bytes);
  p->sharedMemPerMultiprocessor = p->sharedMemPerBlockOptin + 1024;
  p->warpSize = 32;
  p->maxThreadsPerBlock = 1024;
  p->maxThreadsPerMultiProcessor = 2048;
  p->major = o.major;
  p->minor = o.minor;
  p->multiProcessorCount = o.multiprocessors;
  p->l2CacheSize = o.l2_bytes;
  p->memoryBusWidth = 5120;
  p->memoryPoolsSupported = o.pools;
  p->regsPerBlock = p->regsPerMultiprocessor = 65536;
  return cudaSuccess;
}
cudaError_t cudaDeviceGetAttribute(int* value, cudaDeviceAttr attribute, int device) {
  cudaDeviceProp p;
  if (const cudaError_t e = cudaGetDeviceProperties(&p, device)) return e;
  switch (attribute) {
    case cudaDevAttrMaxThreadsPerBlock:
      *value = p.maxThreadsPerBlock;
      break;
    case cudaDevAttrMaxSharedMemoryPerBlock:
      *value = static_cast<int>(p.sharedMemPerBlock);
      break;
    case cudaDevAttrWarpSize:
      *value = p.warpSize;
      break;
    case cudaDevAttrMultiProcessorCount:
      *value = p.multiProcessorCount;
      break;
    case cudaDevAttrGlobalMemoryBusWidth:
      *value = p.memoryBusWidth;
      break;
    case cudaDevAttrL2CacheSize:
      *value = p.l2CacheSize;
      break;
    case cudaDevAttrMaxThreadsPerMultiProcessor:
      *value = p.maxThreadsPerMultiProcessor;
      break;
    case cudaDevAttrComputeCapabilityMajor:
      *value = p.major;
      break;
    case cudaDevAttrComputeCapabilityMinor:
      *value = p.minor;
      break;
    case cudaDevAttrMaxSharedMemoryPerMultiprocessor:
      *value = static_cast<int>(p.sharedMemPerMultiprocessor);
      break;
    case cudaDevAttrMaxSharedMemoryPerBlockOptin:
      *value = static_cast<int>(p.sharedMemPerBlockOptin);
      break;
    case cudaDevAttrMemoryPoolsSupported:
      *value = p.memoryPoolsSupported;
      break;
  }
  return cudaSuccess;
}
cudaError_t cudaDriverGetVersion(int* version) {
  *version = 13000;
  return cudaSuccess;
}
cudaError_t cudaRuntimeGetVersion(int* version) { return cudaDriverGetVersion(version); }

cudaError_t cudaDeviceGetDefaultMemPool(cudaMemPool_t* pool, int device) {
  *pool = reinterpret_cast<cudaMemPool_t>(&options());
  return cudaSetDevice(device);
}
cudaError_t cudaMemPoolCreate(cudaMemPool_t* pool, const cudaMemPoolProps*) { return cudaDeviceGetDefaultMemPool(pool, 0); }
cudaError_t cudaMemPoolDestroy(cudaMemPool_t) { return ready(); }
cudaError_t cudaMemPoolSetAttribute(cudaMemPool_t, cudaMemPoolAttr, void*) { return ready(); }
cudaError_t cudaMemPoolGetAttribute(cudaMemPool_t, cudaMemPoolAttr, void* value) {
  *static_cast<std::uint64_t*>(value) = counters().live_bytes;
  return ready();
}
cudaError_t cudaMemPoolTrimTo(cudaMemPool_t, std::size_t) { return ready(); }

cudaError_t cudaOccupancyMaxActiveBlocksPerMultiprocessor(int* blocks, const void*, int threads, std::size_t shared_bytes) {
  const std::lock_guard lock(mutex());
  const int by_shared = static_cast<int>((static_cast<std::size_t>(options().shared_optin_bytes) + 1024) / (shared_bytes + 1024));
  *blocks = std::min({2048 / std::max(threads, 1), by_shared, 32});
  return ready();
}
cudaError_t cuda_shim_copy_to_symbol(void* symbol, std::size_t symbol_bytes, const void* from, std::size_t bytes, std::size_t offset,
                                     cudaStream_t stream) {
  const std::lock_guard lock(mutex());
  if (offset + bytes > symbol_bytes) return fail(cudaErrorInvalidValue, "a copy past the end of a constant");
  const auto staged = std::make_shared<std::vector<char>>(static_cast<const char*>(from), static_cast<const char*>(from) + bytes);
  counters().bytes_up += bytes;
  return enqueue(stream, [=]() -> cudaError_t {
    std::memcpy(static_cast<char*>(symbol) + offset, staged->data(), staged->size());
    return cudaSuccess;
  });
}
