// SPDX-License-Identifier: MIT
// The one question that every program with a device part asks.
#include <string>

#include "mmd/backends/cuda.cuh"

namespace program {
bool device_available(std::string* why);

bool device_available(std::string* why) { return mmd::cuda::available(why); }
}  // namespace program
