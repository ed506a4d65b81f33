// SPDX-License-Identifier: MIT
// The loops whose machine code check.sh reads.
#include "mmd/backends/cpu/product.hpp"

void products(const float* a, const float* b, mmd::index_t depth, float* out) {
  mmd::detail::micro<mmd::detail::multiply>(a, mmd::detail::group_width<float>, b, mmd::detail::group_width<float>, depth, false, out,
                                            mmd::panel_rows);
}

void roots(float* x, mmd::index_t n) {
  using pack = mmd::simd<float>;
  for (mmd::index_t i = 0; i < n; i += pack::width) sqrt(pack::load(x + i)).store(x + i);
}
