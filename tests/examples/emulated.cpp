// SPDX-License-Identifier: MIT
// Part of the programs that run on the emulated device: MMD_EMULATED_ERROR is the error of CUDA that every call shall return, as where
// there is no device, a stub of the driver or an old one.
#include <cstdlib>

#include "cuda_shim/control.hpp"

namespace {

[[maybe_unused]] const bool set = [] {
  if (const char* code = std::getenv("MMD_EMULATED_ERROR")) cuda_shim::options().unavailable = static_cast<cudaError_t>(std::atoi(code));
  return true;
}();

}  // namespace
