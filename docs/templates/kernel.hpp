// SPDX-License-Identifier: MIT
// Template of a kernel. Copy it into include/mmd/kernels/ (or into your own program, in your own namespace), rename `my_kernel`, and change
// the lines marked [1] to [5]. It compiles and is tested as it stands.
#pragma once

#include <cmath>

#include "mmd/kernels/basic.hpp"

namespace mmd {

// [1] The formula and where it comes from: 1 / (1 + |x-y|^2 / h^2), the Cauchy kernel (rational_quadratic with alpha 1).
// Cost: a division for each pair. Throws invalid_input unless h is finite and above 0.
struct my_kernel {
  // [2] What it reads of a pair: squared_distance (|x-y|_2^2), inner_product (x'y) or l1_distance (|x-y|_1).
  static constexpr auto reads = pair::squared_distance;
  // [3] True if no value is below 0, whatever the samples; leave the line out otherwise.
  static constexpr bool nonnegative = true;

  // [4] Its parameters, checked when it is made. `bandwidth` is the name where there is one.
  double bandwidth;
  explicit my_kernel(double h) : bandwidth(detail::checked_bandwidth(h)) {}

  // [5] The value, for every kind of number: +, -, *, /, fma, min, max, abs, sqrt, exp and log are there, found without std::.
  // Derivatives come from the same lines.
  template <class V>
  MMD_HD V operator()(V d2) const {
    return V(1) / (V(1) + V(1 / bandwidth / bandwidth) * d2);
  }
};

}  // namespace mmd
