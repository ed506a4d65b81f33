// SPDX-License-Identifier: MIT
#include "mmd/backends/cuda.cuh"
#include "two_sample_test/run.hpp"

namespace two_sample {

outcome run_on_device(const resources& r, const settings& s, const mmd::samples<float>& x, const mmd::samples<float>& y) {
  const mmd::cuda on({.threads = r.threads, .progress = r.progress});
  return Runner(on, s, x, y)();
}
outcome run_on_device(const resources& r, const settings& s, const mmd::samples<double>& x, const mmd::samples<double>& y) {
  const mmd::cuda on({.threads = r.threads, .progress = r.progress});
  return Runner(on, s, x, y)();
}

}  // namespace two_sample
