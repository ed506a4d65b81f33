// SPDX-License-Identifier: MIT
#include <cmath>

#include "mmd/backends/cpu.hpp"
#include "mmd/kernels/algebra.hpp"
#include "runs.hpp"

namespace {

template <class T, mmd::index_t n, mmd::index_t d, auto make>
std::function<void()> sums() {
  return [x = rows<T>(n / 2, d, 1), y = rows<T>(n / 2, d, 2)] {
    mmd::row_sums sums;
    mmd::cpu{}.reduce(make(std::sqrt(static_cast<double>(d))), mmd::pool(x, y), sums);
    keep(sums.sums[0]);
  };
}
constexpr auto gaussian = [](double s) { return mmd::gaussian(s); };
constexpr auto laplace = [](double s) { return mmd::laplace(s * s); };
constexpr auto rational_quadratic = [](double s) { return mmd::rational_quadratic(s, 0.7); };
constexpr auto five_gaussians = [](double s) {
  return mmd::mixture(mmd::gaussian(s / 2), mmd::gaussian(s / 1.4), mmd::gaussian(s), mmd::gaussian(1.4 * s), mmd::gaussian(2 * s));
};

}  // namespace

std::vector<run> runs_of_sums() {
  return {{"sums/gaussian/d=4", sums<float, 2048, 4, gaussian>},
          {"sums/gaussian/d=384", sums<float, 512, 384, gaussian>},
          {"sums/gaussian/d=64/double", sums<double, 1024, 64, gaussian>},
          {"sums/laplace/d=64", sums<float, 1024, 64, laplace>},
          {"sums/rational_quadratic/d=16", sums<float, 1024, 16, rational_quadratic>},
          {"sums/five_gaussians/d=64", sums<float, 1024, 64, five_gaussians>}};
}
