// SPDX-License-Identifier: MIT
// Permutation tests: full and binned against Eigen's products of the same shape, Z Z' and then K S for the N x (B + 1) labels S; many small
// tests against one reference; many small tests on one Gram matrix.
#include "mmd/backends/cpu.hpp"
#include "mmd/inference/gram_tests.hpp"
#include "mmd/inference/permutation_test.hpp"
#include "mmd/inference/subset_reference.hpp"
#include "support/bench.hpp"

namespace {

using mmd::index_t;

template <mmd::method how>
void permutation_test(benchmark::State& state) {
  const index_t n = state.range(0), d = 64, draws = state.range(1);
  const auto x = bench::normal_rows<float>(n / 2, d, 1), y = bench::normal_rows<float>(n - n / 2, d, 2);
  bench::rows<float> z(n, d), product(n, n), labels = bench::rows<float>::Zero(n, draws + 1), sums(n, draws + 1);
  z << x, y;
  labels.topRows(n / 2).setOnes();
  const mmd::PermutationTest test({.permutations = draws, .method = how});
  bench::race(
      state, "eigen/own", [&] { benchmark::DoNotOptimize(test(x, y, mmd::gaussian(8)).p_value); },
      [&] {
        product.noalias() = z * z.transpose();
        sums.noalias() = product * labels;
        benchmark::DoNotOptimize(sums.data());
      });
  const double pairs = 0.5 * static_cast<double>(n) * static_cast<double>(n - 1);
  bench::rates(state, pairs, 2.0 * static_cast<double>(d + (how == mmd::method::full ? draws + 1 : 0)));
}
BENCHMARK(permutation_test<mmd::method::full>)
    ->ArgNames({"N", "B"})
    ->ArgsProduct({{1000, 4000, 10000}, {999}})
    ->UseManualTime()
    ->Unit(benchmark::kMillisecond);
BENCHMARK(permutation_test<mmd::method::binned>)
    ->ArgNames({"N", "B"})
    ->ArgsProduct({{4000, 10000}, {999}})
    ->UseManualTime()
    ->Unit(benchmark::kMillisecond);

// Documents of n sentences against a kept reference.
void tests_against_a_reference(benchmark::State& state) {
  const index_t n = state.range(0), reference_rows = state.range(1), d = 64, count = 200;
  const auto reference = bench::normal_rows<float>(reference_rows, d, 1), all = bench::normal_rows<float>(n * count, d, 2);
  std::vector<mmd::samples<float>> documents;
  for (index_t i = 0; i < count; ++i) documents.push_back(mmd::samples<float>(all).middle_rows(i * n, n));
  const mmd::cpu on;
  const mmd::SubsetReference kept(on, reference, mmd::gaussian(8));
  for (auto _ : state) benchmark::DoNotOptimize(kept.test(on, documents, {.permutations = 999}).data());
  state.counters["tests/s"] = benchmark::Counter(static_cast<double>(count), benchmark::Counter::kIsIterationInvariantRate);
}
BENCHMARK(tests_against_a_reference)
    ->ArgNames({"n", "R"})
    ->ArgsProduct({{5, 20}, {100, 1000}})
    ->UseRealTime()
    ->Unit(benchmark::kMillisecond);

// Groups of g against references of 100, drawn from one pool: simulations of level and power.
void tests_on_a_gram_matrix(benchmark::State& state) {
  const index_t g = state.range(0), pool = 500, count = 500;
  const auto x = bench::normal_rows<float>(pool, 64, 1);
  const mmd::cpu on;
  mmd::gram<float> gram;
  mmd::layout lay = on.reduce(mmd::gaussian(8), mmd::pooled<float>{{mmd::samples<float>(x)}}, gram);
  mmd::matrix<float> k(pool, pool, gram.values);
  for (index_t i = 0; i < pool; ++i) k(i, i) = static_cast<float>(lay.diagonal[static_cast<std::size_t>(i)]);
  std::vector<mmd::IndexSets> tests;
  for (index_t t = 0; t < count; ++t) {
    const auto order = mmd::random_stream(1, mmd::purpose::user, static_cast<std::uint64_t>(t)).permutation(pool);
    tests.push_back({{order.begin(), order.begin() + g}, {order.begin() + g, order.begin() + g + 100}});
  }
  for (auto _ : state) benchmark::DoNotOptimize(mmd::gram_subset_tests(on, k, tests, {.permutations = 999}).data());
  state.counters["tests/s"] = benchmark::Counter(static_cast<double>(count), benchmark::Counter::kIsIterationInvariantRate);
}
BENCHMARK(tests_on_a_gram_matrix)->ArgName("g")->Arg(5)->Arg(10)->Arg(20)->UseRealTime()->Unit(benchmark::kMillisecond);

}  // namespace
