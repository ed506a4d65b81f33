// SPDX-License-Identifier: MIT
// All that nvcc compiles.
#include "kernel.cuh"
#include "mmd/backends/cuda.cuh"

mmd::TestResult compare_on_device(const mmd::samples<float>& x, const mmd::samples<float>& y);

mmd::TestResult compare_on_device(const mmd::samples<float>& x, const mmd::samples<float>& y) { return compare(mmd::cuda(), x, y); }
