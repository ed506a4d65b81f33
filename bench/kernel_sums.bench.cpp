// SPDX-License-Identifier: MIT
// One pass over all pairs of N pooled rows with the row sums that every estimator needs, against Eigen's full product Z Z' of the same
// shape, which is the least that a plain implementation would compute (`eigen/own`: how many times longer Eigen takes). FLOP/s counts 2 d a
// pair.
#include "mmd/backends/cpu.hpp"
#include "mmd/kernels/algebra.hpp"
#include "support/bench.hpp"

namespace {

using mmd::index_t;

struct one_gaussian {
  static auto make(double s) { return mmd::gaussian(s); }
};
struct five_gaussians {
  static auto make(double s) {
    return mmd::mixture(mmd::gaussian(s / 2), mmd::gaussian(s / 1.4), mmd::gaussian(s), mmd::gaussian(1.4 * s), mmd::gaussian(2 * s));
  }
};
struct inverse_multiquadric {
  static auto make(double s) { return mmd::inverse_multiquadric(s); }
};
struct laplace {
  static auto make(double s) { return mmd::laplace(s * s); }
};
struct energy {
  static auto make(double) { return mmd::energy(); }
};

template <class T, class Kernel>
void kernel_sums(benchmark::State& state) {
  const index_t n = state.range(0), d = state.range(1);
  const auto x = bench::normal_rows<T>(n / 2, d, 1), y = bench::normal_rows<T>(n - n / 2, d, 2);
  bench::rows<T> z(n, d), product(n, n);
  z << x, y;
  const auto kernel = Kernel::make(std::sqrt(static_cast<double>(d)));
  bench::race(
      state, "eigen/own",
      [&] {
        mmd::row_sums sums;
        benchmark::DoNotOptimize(mmd::cpu{}.reduce(kernel, mmd::pool(x, y), sums));
        benchmark::DoNotOptimize(sums.sums.data());
      },
      [&] {
        product.noalias() = z * z.transpose();
        benchmark::DoNotOptimize(product.data());
      });
  const double pairs = 0.5 * static_cast<double>(n) * static_cast<double>(n - 1);
  bench::rates(state, pairs, 2 * static_cast<double>(d));
}

void all_sizes(benchmark::internal::Benchmark* b) {
  b->ArgNames({"N", "d"})->ArgsProduct({{2000, 10000}, {16, 64, 384, 768}})->UseManualTime()->Unit(benchmark::kMillisecond);
}
void small_sizes(benchmark::internal::Benchmark* b) {
  b->ArgNames({"N", "d"})->ArgsProduct({{2000}, {16, 64, 384}})->UseManualTime()->Unit(benchmark::kMillisecond);
}

BENCHMARK(kernel_sums<float, one_gaussian>)->Apply(all_sizes);
BENCHMARK(kernel_sums<float, five_gaussians>)->Apply(all_sizes);
BENCHMARK(kernel_sums<double, one_gaussian>)->Apply(small_sizes);
BENCHMARK(kernel_sums<float, inverse_multiquadric>)->Apply(small_sizes);
BENCHMARK(kernel_sums<float, energy>)->Apply(small_sizes);
BENCHMARK(kernel_sums<float, laplace>)->Apply(small_sizes);

}  // namespace
