// SPDX-License-Identifier: MIT
// The same sums from the same source for one instruction set, against its own limits; CMake builds it once for each.
#include "support/composed.hpp"
#include "support/kernel_sums.hpp"

void bench::cases() {
  const auto in = []<class T>(std::type_identity<T>) {
    for (const index_t d : {16, 64, 384, 768}) {
      const index_t n = 10000;
      add(at(std::string("instruction_sets/gaussian/") + name_of<T>, {{"N", n}, {"d", d}}), [=](State& state) {
        kernel_sums(state, mmd::gaussian(bandwidth_for(d)), rows<T>(n, d), {.flops = 2 * static_cast<double>(d)}, mmd::gaussian(8));
        state.counters["peak"] = register_peak<T>();
      });
    }
  };
  in(std::type_identity<float>{});
  in(std::type_identity<double>{});
}
