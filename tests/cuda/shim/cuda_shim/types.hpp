// SPDX-License-Identifier: MIT
// CUDA's keywords, vectors, errors and properties, as far as they are used.
#pragma once

#include <math.h>  // not <cmath>: exp(float) and its kin in the global namespace, as under nvcc

#include <algorithm>
#include <cstddef>
#include <cstdint>

#define __global__
#define __device__
#define __host__
#define __constant__
#define __forceinline__ inline
#define __launch_bounds__(...)
#define __grid_constant__
#define __align__(n) alignas(n)
// A block runs on one thread of the system, so a variable of that thread is one of the block.
#define __shared__ static thread_local

struct uint3 {
  unsigned x, y, z;
};
struct dim3 {
  unsigned x, y, z;
  constexpr dim3(unsigned x_ = 1, unsigned y_ = 1, unsigned z_ = 1) : x(x_), y(y_), z(z_) {}
};

#define CUSHIM_VECTORS(T, name)                                 \
  struct alignas(2 * sizeof(T)) name##2 {                       \
    T x, y;                                                     \
  };                                                            \
  struct alignas(sizeof(T) == 8 ? 16 : 4 * sizeof(T)) name##4 { \
    T x, y, z, w;                                               \
  };                                                            \
  inline name##2 make_##name##2(T x, T y) { return {x, y}; }    \
  inline name##4 make_##name##4(T x, T y, T z, T w) { return {x, y, z, w}; }
CUSHIM_VECTORS(float, float)
CUSHIM_VECTORS(double, double)
CUSHIM_VECTORS(int, int)
CUSHIM_VECTORS(unsigned, uint)
CUSHIM_VECTORS(unsigned short, ushort)
#undef CUSHIM_VECTORS

#define CUSHIM_ERRORS(each)                                                                                                               \
  each(cudaSuccess, 0, "no error") each(cudaErrorInvalidValue, 1, "invalid argument") each(cudaErrorMemoryAllocation, 2, "out of memory") \
      each(cudaErrorInitializationError, 3, "initialization error")                                                                       \
          each(cudaErrorInvalidConfiguration, 9, "invalid configuration argument")                                                        \
              each(cudaErrorInvalidPitchValue, 12, "invalid pitch argument")                                                              \
                  each(cudaErrorInvalidMemcpyDirection, 21, "invalid copy direction for memcpy")                                          \
                      each(cudaErrorStubLibrary, 34, "CUDA driver is a stub library")                                                     \
                          each(cudaErrorInsufficientDriver, 35, "CUDA driver version is insufficient for CUDA runtime version")           \
                              each(cudaErrorNoDevice, 100, "no CUDA-capable device is detected")                                          \
                                  each(cudaErrorInvalidDevice, 101, "invalid device ordinal")                                             \
                                      each(cudaErrorInvalidDeviceFunction, 98, "invalid device function")                                 \
                                          each(cudaErrorInvalidResourceHandle, 400, "invalid resource handle")                            \
                                              each(cudaErrorNotReady, 600, "device not ready")                                            \
                                                  each(cudaErrorIllegalAddress, 700, "an illegal memory access was encountered")          \
                                                      each(cudaErrorLaunchOutOfResources, 701, "too many resources requested for launch") \
                                                          each(cudaErrorLaunchTimeout, 702, "the launch timed out and was terminated")    \
                                                              each(cudaErrorLaunchFailure, 719, "unspecified launch failure")             \
                                                                  each(cudaErrorNotSupported, 801, "operation not supported")             \
                                                                      each(cudaErrorUnknown, 999, "unknown error")
enum cudaError {
#define CUSHIM_ERROR(name, number, text) name = number,
  CUSHIM_ERRORS(CUSHIM_ERROR)
#undef CUSHIM_ERROR
};
using cudaError_t = cudaError;

enum cudaMemcpyKind { cudaMemcpyHostToHost, cudaMemcpyHostToDevice, cudaMemcpyDeviceToHost, cudaMemcpyDeviceToDevice, cudaMemcpyDefault };
enum cudaMemoryType { cudaMemoryTypeUnregistered, cudaMemoryTypeHost, cudaMemoryTypeDevice, cudaMemoryTypeManaged };
struct cudaPointerAttributes {
  cudaMemoryType type;
  int device;
  void *devicePointer, *hostPointer;
};

enum cudaFuncAttribute { cudaFuncAttributeMaxDynamicSharedMemorySize = 8, cudaFuncAttributePreferredSharedMemoryCarveout = 9 };
enum cudaDeviceAttr {
  cudaDevAttrMaxThreadsPerBlock = 1,
  cudaDevAttrMaxSharedMemoryPerBlock = 8,
  cudaDevAttrWarpSize = 10,
  cudaDevAttrMultiProcessorCount = 16,
  cudaDevAttrGlobalMemoryBusWidth = 37,
  cudaDevAttrL2CacheSize = 38,
  cudaDevAttrMaxThreadsPerMultiProcessor = 39,
  cudaDevAttrComputeCapabilityMajor = 75,
  cudaDevAttrComputeCapabilityMinor = 76,
  cudaDevAttrMaxSharedMemoryPerMultiprocessor = 81,
  cudaDevAttrMaxSharedMemoryPerBlockOptin = 97,
  cudaDevAttrMemoryPoolsSupported = 115
};
struct cudaDeviceProp {
  char name[256];
  std::size_t totalGlobalMem, sharedMemPerBlock, sharedMemPerBlockOptin, sharedMemPerMultiprocessor;
  int warpSize, maxThreadsPerBlock, maxThreadsPerMultiProcessor, major, minor, multiProcessorCount, l2CacheSize, memoryBusWidth;
  int memoryPoolsSupported, regsPerBlock, regsPerMultiprocessor;
};

enum cudaMemPoolAttr {
  cudaMemPoolReuseFollowEventDependencies = 1,
  cudaMemPoolReuseAllowOpportunistic = 2,
  cudaMemPoolReuseAllowInternalDependencies = 3,
  cudaMemPoolAttrReleaseThreshold = 4,
  cudaMemPoolAttrReservedMemCurrent = 5,
  cudaMemPoolAttrReservedMemHigh = 6,
  cudaMemPoolAttrUsedMemCurrent = 7,
  cudaMemPoolAttrUsedMemHigh = 8
};
enum cudaMemAllocationType { cudaMemAllocationTypeInvalid, cudaMemAllocationTypePinned };
enum cudaMemAllocationHandleType { cudaMemHandleTypeNone };
enum cudaMemLocationType { cudaMemLocationTypeInvalid, cudaMemLocationTypeDevice };
struct cudaMemLocation {
  cudaMemLocationType type;
  int id;
};
struct cudaMemPoolProps {
  cudaMemAllocationType allocType;
  cudaMemAllocationHandleType handleTypes;
  cudaMemLocation location;
  void* win32SecurityAttributes;
  std::size_t maxSize;
  unsigned short usage;
};
