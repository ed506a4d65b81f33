// SPDX-License-Identifier: MIT
// Kernel sums of expressions over the grid of sizes.
#include <memory>
#include <vector>

#include "mmd/learning/perceptron.hpp"
#include "support/composed.hpp"
#include "support/kernel_sums.hpp"

namespace bench {
namespace {

constexpr index_t hidden_columns = 256;

// A Gaussian on what a perceptron makes of the rows, computed in the pass.
template <class T>
auto on_network(mmd::index_t d, double h) {
  const auto network = std::make_shared<const mmd::Perceptron<T>>(std::vector<mmd::index_t>{d, hidden_columns, feature_columns}, 1);
  return mmd::on([network](const mmd::samples<T>& x) { return (*network)(mmd::cpu{}, x); }, mmd::gaussian(h));
}
double network_flops(mmd::index_t n, double d) {
  return 2 * static_cast<double>(n) * (d * static_cast<double>(hidden_columns) + static_cast<double>(hidden_columns * feature_columns));
}

}  // namespace
}  // namespace bench

void bench::cases() {
  add_grid(
      "five_gaussians", false, [](const auto& x) { return five_gaussians(bandwidth_for(x.cols())); },
      [](index_t, double d) { return pair_cost{.flops = 2 * d}; }, [](double d) { return five_formulas(std::sqrt(d)); });
  add_grid(
      "gaussian_times_linear", false, [](const auto& x) { return mmd::gaussian(bandwidth_for(x.cols())) * mmd::linear{}; },
      [](index_t, double d) { return pair_cost{.flops = 4 * d}; },
      [](double d) { return [k = mmd::gaussian(std::sqrt(d))](auto q) { return k(q) * q; }; });
  add_grid(
      "deep_kernel", false,
      []<class T>(const samples<T>& x) { return deep_on(rows<T>(x.rows(), feature_columns, 7), bandwidth_for(x.cols())); },
      [](index_t, double d) { return pair_cost{.flops = 2 * (d + feature_columns)}; }, [](double d) { return deep_formula(std::sqrt(d)); });
  add_grid(
      "gaussian_on_network", false, []<class T>(const samples<T>& x) { return on_network<T>(x.cols(), 1); },
      [](index_t n, double d) { return pair_cost{.flops = 2 * feature_columns, .once = network_flops(n, d)}; },
      [](double) { return mmd::gaussian(1); });
}
