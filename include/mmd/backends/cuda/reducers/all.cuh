// SPDX-License-Identifier: MIT
// The device's parts of the library's reducers.
#pragma once

#include "mmd/backends/cuda/reducers/block_sums.cuh"
#include "mmd/backends/cuda/reducers/distances.cuh"
#include "mmd/backends/cuda/reducers/quadratic.cuh"
#include "mmd/backends/cuda/reducers/row_sums.cuh"
#include "mmd/backends/cuda/reducers/values.cuh"
