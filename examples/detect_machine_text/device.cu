// SPDX-License-Identifier: MIT
#include "detect_machine_text/steps.hpp"
#include "mmd/backends/cuda.cuh"

namespace detect {

std::shared_ptr<const Processor> on_device(int threads, mmd::progress_callback progress) {
  return std::make_shared<Steps<mmd::cuda>>("cuda", mmd::cuda({.threads = threads, .progress = std::move(progress)}));
}

}  // namespace detect
