// SPDX-License-Identifier: MIT
// One pass over all pairs of N pooled rows with the row sums that every estimator needs, for any kernel.
#pragma once

#include <cmath>
#include <type_traits>

#include "mmd/kernels/algebra.hpp"
#include "support/limits.hpp"

namespace bench {

// What the kernel does with a pair, and before with all rows.
struct pair_cost {
  double flops = 0, l1_flops = 0, once = 0;
};

// formula: the kernel's value from one quantity, for any pack; its rate in the first cache is the limit for the values.
template <class S, class Kernel, class Formula>
void kernel_sums(State& state, const Kernel& kernel, const samples<S>& x, pair_cost cost, const Formula& formula) {
  using T = mmd::compute_type<S>;
  const double time = measure(state, [&] {
    mmd::row_sums sums;
    benchmark::DoNotOptimize(mmd::cpu{}.reduce(kernel, mmd::pooled<S>{{x}}, sums));
    benchmark::DoNotOptimize(sums.sums.data());
  });
  const double pairs = pairs_of(x.rows());
  rates<T>(state,
           {.pairs = pairs,
            .flops = pairs * cost.flops + cost.once,
            .l1_flops = pairs * cost.l1_flops,
            .value_seconds = pairs / value_rate<T>(formula),
            .bytes = static_cast<double>(x.rows() * x.cols()) * sizeof(S)},
           time);
}

// The bandwidth at which the values of a Gaussian spread: about the median distance of rows of variance 1.
inline double bandwidth_for(index_t d) { return std::sqrt(2.0 * static_cast<double>(d)); }

struct grid_of {
  std::vector<index_t> rows, columns;
};
// The sizes of the suite, or of the tables alone.
inline grid_of grid() {
  if (quick) return {{4096, 10000}, {16, 64, 768}};
  return {{256, 1024, 4096, 10000, 32768}, {2, 16, 64, 256, 384, 768, 4096}};
}
// N^2 d bytes of features beyond which only the Gaussian is timed: 32,768 rows of 384 features, or 10,000 of 4,096, in float.
inline constexpr double most_work = 2e12;

// Registers a kernel over the grid in float and double. make(x): the kernel for the rows x; cost(N, d); formula(d).
template <class Make, class Cost, class Formula>
void add_grid(const std::string& name, bool whole, Make make, Cost cost, Formula formula) {
  const auto in = [&]<class T>(std::type_identity<T>) {
    for (const index_t n : grid().rows) {
      for (const index_t d : grid().columns) {
        const double c = static_cast<double>(d), taken = static_cast<double>(n) * static_cast<double>(n) * c * sizeof(T);
        if (!whole && taken > most_work) continue;
        add(at("kernel_sums/" + name + "/" + name_of<T>, {{"N", n}, {"d", d}}), [=](State& state) {
          const auto x = rows<T>(n, d);
          kernel_sums(state, make(x), x, cost(n, c), formula(c));
        });
      }
    }
  };
  in(std::type_identity<float>{});
  in(std::type_identity<double>{});
}

}  // namespace bench
