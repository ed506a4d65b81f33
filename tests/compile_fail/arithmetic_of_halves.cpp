// SPDX-License-Identifier: MIT
// Halves are storage: numbers are added as float.
// EXPECT: no match for|invalid operands
#include "mmd/core/half.hpp"

int main() {
  const mmd::float16 a(1.0f), b(2.0f);
#ifdef MMD_FAILS
  return static_cast<float>(a + b) > 2;
#else
  return static_cast<float>(a) + static_cast<float>(b) > 2;
#endif
}
