// SPDX-License-Identifier: MIT
// Every estimator on two samples of N / 2 rows each.
#include <type_traits>

#include "mmd/estimators/bandwidth.hpp"
#include "mmd/estimators/energy_distance.hpp"
#include "mmd/estimators/mmd.hpp"
#include "mmd/estimators/mmd_mp.hpp"
#include "support/limits.hpp"

namespace {

using bench::index_t;
using bench::State;

// W: the type in which distances are computed. share: of the pairs that are evaluated.
template <class T, class W = T, class F>
void add(const std::string& name, double share, F estimate) {
  for (const index_t n : {1000, 10000}) {
    for (const index_t d : {64, 768}) {
      bench::add(bench::at("estimators/" + name + "/" + bench::name_of<T>, {{"N", n}, {"d", d}}), [=](State& state) {
        const auto x = bench::rows<T>(n / 2, d), y = bench::rows<T>(n - n / 2, d, n / 2 * d);
        const double h = std::sqrt(2.0 * static_cast<double>(d));
        const double time = bench::measure(state, [&] { benchmark::DoNotOptimize(estimate(x, y, h)); });
        const double pairs = share * bench::pairs_of(n);
        bench::rates<W>(state, {.pairs = pairs, .flops = 2 * pairs * static_cast<double>(d)}, time);
      });
    }
  }
}

template <class T>
void of_type() {
  using mmd::gaussian;
  add<T>("mmd", 1, [](const auto& x, const auto& y, double h) { return mmd::Mmd{gaussian(h)}(x, y); });
  add<T>("mmd_biased_alone", 1, [](const auto& x, const auto& y, double h) { return mmd::Mmd{gaussian(h)}.biased(x, y); });
  add<T>("mmd_mp", 0.75, [](const auto& x, const auto& y, double h) { return mmd::MmdMp{gaussian(h)}(x, y); });
  add<T>("energy_distance", 1, [](const auto& x, const auto& y, double) { return mmd::energy_distance(x, y); });
}

}  // namespace

void bench::cases() {
  of_type<float>();
  of_type<double>();
  // Distances for bandwidths are double, from float samples too.
  ::add<float, double>("median_heuristic", 1, [](const auto& x, const auto& y, double) { return mmd::median_heuristic(x, y); });
  ::add<float, double>("median_heuristic_l1", 1,
                       [](const auto& x, const auto& y, double) { return mmd::median_heuristic<mmd::laplace>(x, y); });
  ::add<float, double>("bandwidth_grid", 1, [](const auto& x, const auto& y, double) { return mmd::bandwidth_grid(x, y).size(); });
}
