# SPDX-License-Identifier: MIT
# mmd::cuda: what <mmd/cuda.cuh> needs beyond mmd::mmd. MMD_CUDA = AUTO makes it where CUDA is found, ON fails where it is not, OFF does not
# look. The language CUDA is enabled only for this project's own programs: a consumer enables it for its own, as it likes.
include_guard()
set(MMD_CUDA AUTO CACHE STRING "The device backend's target mmd::cuda: AUTO (where CUDA 12.0 or newer is found), ON or OFF")
set_property(CACHE MMD_CUDA PROPERTY STRINGS AUTO ON OFF)
if(NOT MMD_CUDA MATCHES "^(AUTO|ON|OFF)$")
  message(FATAL_ERROR "mmd: MMD_CUDA = ${MMD_CUDA}, expected AUTO, ON or OFF")
endif()

set(mmd_has_cuda OFF)
if(NOT MMD_CUDA STREQUAL "OFF")
  find_package(CUDAToolkit 12.0 QUIET)
  if(CUDAToolkit_FOUND AND TARGET CUDA::cudart AND TARGET CUDA::cublas AND CUDAToolkit_NVCC_EXECUTABLE)
    set(mmd_has_cuda ON)
  elseif(MMD_CUDA STREQUAL "ON")
    message(FATAL_ERROR "mmd: MMD_CUDA = ON, but no CUDA toolkit of version 12.0 or newer with cuBLAS was found (CUDAToolkit_ROOT says where it is)")
  endif()
endif()

if(mmd_has_cuda)
  add_library(mmd_cuda INTERFACE)
  add_library(mmd::cuda ALIAS mmd_cuda)
  set_target_properties(mmd_cuda PROPERTIES EXPORT_NAME cuda)
  target_link_libraries(mmd_cuda INTERFACE mmd CUDA::cudart CUDA::cublas)
  target_compile_options(mmd_cuda INTERFACE $<$<COMPILE_LANGUAGE:CUDA>:-std=c++20>)
  if(mmd_has_openmp)  # the host's loops in a .cu file
    target_compile_options(mmd_cuda INTERFACE $<BUILD_INTERFACE:$<$<COMPILE_LANGUAGE:CUDA>:-Xcompiler=${OpenMP_CXX_FLAGS}>>)
  endif()
endif()

# The language for our own programs, for all architectures that nvcc knows of those the library is made for, unless CMAKE_CUDA_ARCHITECTURES
# (or CUDAARCHS) names others.
macro(mmd_enable_cuda)
  if(NOT CMAKE_CUDA_COMPILER AND NOT DEFINED ENV{CUDACXX})
    set(CMAKE_CUDA_COMPILER "${CUDAToolkit_NVCC_EXECUTABLE}")
  endif()
  if(NOT DEFINED CMAKE_CUDA_ARCHITECTURES AND NOT DEFINED ENV{CUDAARCHS})
    set(CMAKE_CUDA_ARCHITECTURES 80-real 86-real 89-real 90)
    if(CUDAToolkit_VERSION VERSION_GREATER_EQUAL 12.8)
      set(CMAKE_CUDA_ARCHITECTURES 80-real 86-real 89-real 90-real 100-real 120)
    endif()
    set(mmd_architectures_not_chosen ON)  # examples/CMakeLists.txt
  endif()
  enable_language(CUDA)
endmacro()
