// SPDX-License-Identifier: MIT
// A network is trained on floats or doubles: convert the samples first.
// EXPECT: floating_matrix
#include "mmd/backends/cpu.hpp"
#include "mmd/learning/trainer.hpp"

int main() {
  const mmd::matrix<mmd::bfloat16> x(20, 3), y(20, 3);
#ifdef MMD_FAILS
  return mmd::MmdMpTrainer{}.fit(x, y).kernel.raw_kernel;
#else
  return mmd::MmdMpTrainer{}.fit(mmd::converted<float>(x), mmd::converted<float>(y)).kernel.raw_kernel;
#endif
}
