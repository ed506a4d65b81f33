// SPDX-License-Identifier: MIT
// Kernel sums of a mixture of five Gaussians, and of a deep kernel on features that exist.
#include "cuda/support/kernel_sums.cuh"
#include "support/composed.hpp"

void bench::cases() {
  add_grid("five_gaussians", 2, 0, 5, [](const auto& x) { return five_gaussians(bandwidth_for(x.cols())); });
  add_grid("deep_kernel", 2, 2 * feature_columns, 2, [](const auto& x) {
    using E = typename std::decay_t<decltype(x)>::Scalar;
    const auto& features = rows<mmd::host_value<E>>(x.rows(), feature_columns, 7);
    return deep_on(mmd::samples<E>(features), bandwidth_for(x.cols()));
  });
}
