// SPDX-License-Identifier: MIT
// The ratios that this library is held to: in each case the two sides run in turn, so that the ratio holds on a machine that does other
// things as well.
#include "mmd/inference/permutation_test.hpp"
#include "support/batches.hpp"
#include "support/blas.hpp"
#include "support/composed.hpp"
#include "support/kernel_sums.hpp"

namespace bench {
namespace {

template <class Kernel>
void sums(const Kernel& k, const samples<float>& x) {
  mmd::row_sums sums;
  mmd::cpu{}.reduce(k, mmd::pooled<float>{{x}}, sums);
  benchmark::DoNotOptimize(sums.sums.data());
}

// These ratios are what the suite is for: they get more rounds.
std::vector<double> ratio_of(State& state, const std::vector<std::function<void()>>& each) { return in_turn(state, each, 24 * budget()); }

}  // namespace
}  // namespace bench

void bench::cases() {
  products<float>();  // opens the libraries
  const index_t n = 10'000;

  // half_product/own: half the time of the fastest library's full product, which has no kernel to evaluate, over the sums' time.
  for (const index_t d : {16, 64, 384, 768}) {
    add(at("aims/half_product", {{"N", n}, {"d", d}}), [=](State& state) {
      const auto x = rows<float>(n, d);
      const mmd::gaussian k(bandwidth_for(d));
      std::vector<float> product(static_cast<std::size_t>(n * n));
      const auto& other = fastest_product<float>();
      const auto times = ratio_of(state, {[&] { sums(k, x); }, [&] { other.run(n, n, d, x.data(), true, x.data(), product.data()); }});
      const double pairs = pairs_of(n);
      rates<float>(state, {.pairs = pairs, .flops = 2 * pairs * static_cast<double>(d), .value_seconds = pairs / value_rate<float>(k)},
                   times[0]);
      state.counters["blas_s"] = times[1];
      state.counters["half_product/own"] = times[1] / 2 / times[0];
      state.SetLabel(other.name);
    });
  }
  // Five bandwidths against one.
  for (const index_t d : {64, 384}) {
    add(at("aims/five_gaussians", {{"N", n}, {"d", d}}), [=](State& state) {
      const auto x = rows<float>(n, d);
      const double h = bandwidth_for(d);
      const auto times = ratio_of(state, {[&] { sums(five_gaussians(h), x); }, [&] { sums(mmd::gaussian(h), x); }});
      state.counters["own/one"] = times[0] / times[1];
    });
  }
  // The deep kernel against a pass for each of its two products.
  for (const index_t d : {384, 768}) {
    add(at("aims/deep_kernel", {{"N", n}, {"d", d}}), [=](State& state) {
      const auto x = rows<float>(n, d), phi = rows<float>(n, feature_columns, 7);
      const double h = bandwidth_for(d);
      const auto times = ratio_of(state, {[&] { sums(deep_on(phi, h), x); },
                                          [&] {
                                            sums(mmd::gaussian(h), x);
                                            sums(mmd::gaussian(16), phi);
                                          }});
      state.counters["own/two"] = times[0] / times[1];
    });
  }
  // A binned test against the kernel sums alone.
  add("aims/binned_test/N:10000/d:768/B:999", [=](State& state) {
    const index_t d = 768;
    const auto x = rows<float>(n, d);
    const samples<float> first = x.middle_rows(0, n / 2), second = x.middle_rows(n / 2, n / 2);
    const mmd::gaussian k(bandwidth_for(d));
    const mmd::PermutationTest test({.permutations = 999, .method = mmd::method::binned});
    const auto times = ratio_of(state, {[&] { benchmark::DoNotOptimize(test(first, second, k).p_value); }, [&] { sums(k, x); }});
    state.counters["own/sums"] = times[0] / times[1];
  });
  // A full test against the products Z Z' and K S, for N x (B + 1) labels S, by the fastest library.
  for (const index_t rows_of_both : {4000, 10'000}) {
    add(at("aims/full_test", {{"N", rows_of_both}, {"d", 64}, {"B", 999}}), [=](State& state) {
      const index_t d = 64, half = rows_of_both / 2, columns = 1000;
      const auto x = rows<float>(rows_of_both, d), labels = rows<float>(rows_of_both, columns);
      const samples<float> first = x.middle_rows(0, half), second = x.middle_rows(half, half);
      std::vector<float> product(static_cast<std::size_t>(rows_of_both * rows_of_both)),
          forms(static_cast<std::size_t>(rows_of_both * columns));
      const mmd::PermutationTest test({.permutations = columns - 1, .method = mmd::method::full});
      const auto& other = fastest_product<float>();
      const auto times =
          ratio_of(state, {[&] { benchmark::DoNotOptimize(test(first, second, mmd::gaussian(11)).p_value); },
                           [&] {
                             other.run(rows_of_both, rows_of_both, d, x.data(), true, x.data(), product.data());
                             other.run(rows_of_both, columns, rows_of_both, product.data(), false, labels.data(), forms.data());
                           }});
      state.counters["blas_s"] = times[1];
      state.counters["products/own"] = times[1] / times[0];
      state.SetLabel(other.name);
    });
  }
  // Documents of 10 sentences against 500 references.
  add("aims/document_tests/n:10/R:500/B:999", [](State& state) {
    const document_batch batch(10, 500, 999, false);
    const double time = measure(state, [&] { batch.run(mmd::cpu{}); });
    state.counters["tests/s"] = static_cast<double>(document_batch::count) / time;
  });
}
