// SPDX-License-Identifier: MIT
// Kernel sums of every basic kernel over the grid of sizes.
#include "support/kernel_sums.hpp"

namespace {

// Samples that are stored in 16 bits and computed with as floats.
template <class S>
void add_stored_as(const std::string& type) {
  for (const bench::index_t d : {64, 768}) {
    const bench::index_t n = 10000;
    bench::add(bench::at("kernel_sums/gaussian/" + type, {{"N", n}, {"d", d}}), [=](bench::State& state) {
      const auto from = bench::rows<float>(n, d);
      std::vector<S> stored;
      for (bench::index_t i = 0; i < n * d; ++i) stored.push_back(S(from.data()[i]));
      const double h = bench::bandwidth_for(d);
      bench::kernel_sums(state, mmd::gaussian(h), mmd::samples<S>(stored.data(), n, d, d, 1), {.flops = 2 * static_cast<double>(d)},
                         mmd::gaussian(h));
    });
  }
}

}  // namespace

void bench::cases() {
  const auto distance = [](index_t, double d) { return pair_cost{.flops = 2 * d}; };
  const auto basic = [&](const std::string& name, auto at_bandwidth, bool whole = false) {
    add_grid(
        name, whole, [=](const auto& x) { return at_bandwidth(bandwidth_for(x.cols())); }, distance,
        [=](double d) { return at_bandwidth(std::sqrt(d)); });
  };
  basic(
      "gaussian", [](double h) { return mmd::gaussian(h); }, true);
  basic("inverse_multiquadric", [](double h) { return mmd::inverse_multiquadric(h); });
  basic("rational_quadratic", [](double h) { return mmd::rational_quadratic(h, 1.5); });
  basic("matern32", [](double h) { return mmd::matern32(h); });
  basic("matern52", [](double h) { return mmd::matern52(h); });
  basic("energy", [](double) { return mmd::energy{}; });
  basic("polynomial", [](double h) { return mmd::polynomial(3, 1 / h / h, 1); });
  basic("linear", [](double) { return mmd::linear{}; });
  add_grid(
      "laplace", false, [](const auto& x) { return mmd::laplace(static_cast<double>(x.cols())); },
      [](index_t, double d) { return pair_cost{.l1_flops = 2 * d}; }, [](double d) { return mmd::laplace(d); });
  add_stored_as<mmd::float16>("float16");
  add_stored_as<mmd::bfloat16>("bfloat16");
}
