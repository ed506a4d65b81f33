// SPDX-License-Identifier: MIT
// One version of the library under the clock: reads the name of a case from each line of its input, runs the case once and prints the
// seconds it took. Compiled against each version that run.py compares, the early core (mmd/cpu.hpp and mmd/statistics.hpp alone) among
// them.
#include <Eigen/Core>
#include <chrono>
#include <cstdio>
#include <functional>
#include <iostream>
#include <map>
#include <string>
#include <utility>

#if __has_include("mmd/mmd.hpp")
#include "mmd/mmd.hpp"
#else
#define MMD_EARLY_CORE
#include "mmd/cpu.hpp"
#include "mmd/statistics.hpp"
#endif

namespace {

using rows = Eigen::Matrix<float, Eigen::Dynamic, Eigen::Dynamic, Eigen::RowMajor>;
struct sample_pair {
  rows x, y;
};

#ifdef MMD_EARLY_CORE
template <class K>
double estimate(const K& k, const sample_pair& s) {
  return mmd::compare(mmd::cpu{}, k, s.x, s.y).unbiased();
}
double full_test(double h, const sample_pair& s, int permutations) {
  return mmd::permutation_test(mmd::cpu{}, mmd::gaussian(h), s.x, s.y, permutations, 1).p_value;
}
double binned_test(double h, const sample_pair& s, int permutations) {
  return mmd::binned_permutation_test(mmd::cpu{}, mmd::gaussian(h), s.x, s.y, (s.x.rows() + s.y.rows()) / 250, permutations, 1).p_value;
}
#else
template <class K>
double estimate(const K& k, const sample_pair& s) {
  return mmd::Mmd{k}(s.x, s.y).unbiased;
}
double full_test(double h, const sample_pair& s, int permutations) {
  return mmd::PermutationTest{{.permutations = permutations, .method = mmd::method::full}}(s.x, s.y, mmd::gaussian(h)).p_value;
}
double binned_test(double h, const sample_pair& s, int permutations) {
  return mmd::PermutationTest{{.permutations = permutations, .method = mmd::method::binned}}(s.x, s.y, mmd::gaussian(h)).p_value;
}
#endif

volatile double sink = 0;

}  // namespace

int main() {
  std::map<std::string, std::function<double()>> cases;
  const auto sample = [](int n, int m, int d) { return sample_pair{rows::Random(n, d), rows::Random(m, d)}; };
  for (const int d : {16, 64, 384, 768}) {
    const double h = std::sqrt(d);
    const std::string size = " N=10000 d=" + std::to_string(d);
    cases["gaussian" + size] = [=, s = sample(5000, 5000, d)] { return estimate(mmd::gaussian(h), s); };
    cases["five gaussians" + size] = [=, s = sample(5000, 5000, d)] {
      return estimate(
          mmd::mixture(mmd::gaussian(h / 2), mmd::gaussian(h / 1.4), mmd::gaussian(h), mmd::gaussian(1.4 * h), mmd::gaussian(2 * h)), s);
    };
  }
  cases["laplace N=4000 d=64"] = [s = sample(2000, 2000, 64)] { return estimate(mmd::laplace(64), s); };
  cases["full test N=5000 d=64 B=999"] = [s = sample(2500, 2500, 64)] { return full_test(8, s, 999); };
  cases["binned test N=10000 d=64 B=999"] = [s = sample(5000, 5000, 64)] { return binned_test(8, s, 999); };
  cases["100 full tests 10+12 d=20 B=199"] = [s = sample(10, 12, 20)] {
    double sum = 0;
    for (int i = 0; i < 100; ++i) sum += full_test(8, s, 199);
    return sum;
  };

  for (std::string line; std::getline(std::cin, line);) {
    if (line == "list") {
      for (const auto& [name, run] : cases) std::cout << name << '\n';
      std::cout << std::endl;
      continue;
    }
    const auto start = std::chrono::steady_clock::now();
    sink = cases.at(line)();
    std::cout << std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count() << std::endl;
  }
}
