// SPDX-License-Identifier: MIT
// Stands in for CUDA's <cuda_runtime.h> where device code is compiled by an ordinary C++ compiler (-x c++) and run on the processor, one
// fiber a CUDA thread. CUSHIM is defined. What a test may set and read is in cuda_shim/control.hpp, how it works in README.md.
#pragma once

#define CUSHIM 1

#include "cuda_shim/types.hpp"
// after the types
#include "cuda_shim/control.hpp"
// after control
#include "cuda_shim/device.hpp"
#include "cuda_shim/host.hpp"
