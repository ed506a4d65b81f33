// SPDX-License-Identifier: MIT
// The test itself, written once for the CPU and for a device.
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>

#include "mmd/estimators/bandwidth.hpp"
#include "mmd/inference/permutation_test.hpp"

namespace two_sample {

struct settings {
  std::string kernel = "gaussian";
  std::optional<double> bandwidth = {};  // none: the median heuristic in the kernel's own distance
  mmd::PermutationOptions test = {};
};

struct outcome {
  mmd::TestResult test;
  std::optional<double> bandwidth;
  double seconds = 0;  // of bandwidth and test
};

// What a run needs of its surroundings.
struct resources {
  int threads = 0;
  mmd::progress_callback progress = {};
};

// The test on the device (device.cu).
outcome run_on_device(const resources& r, const settings& s, const mmd::samples<float>& x, const mmd::samples<float>& y);
outcome run_on_device(const resources& r, const settings& s, const mmd::samples<double>& x, const mmd::samples<double>& y);

template <mmd::backend B, class T>
class Runner {
 public:
  Runner(const B& on, const settings& s, const mmd::samples<T>& x, const mmd::samples<T>& y) : on_(on), s_(s), x_(x), y_(y) {}

  outcome operator()() {
    const auto begin = std::chrono::steady_clock::now();
    if (s_.kernel == "gaussian") with_bandwidth<mmd::gaussian>();
    if (s_.kernel == "laplace") with_bandwidth<mmd::laplace>();
    if (s_.kernel == "inverse_multiquadric") with_bandwidth<mmd::inverse_multiquadric>();
    if (s_.kernel == "rational_quadratic") with_bandwidth<mmd::rational_quadratic>();
    if (s_.kernel == "matern32") with_bandwidth<mmd::matern32>();
    if (s_.kernel == "matern52") with_bandwidth<mmd::matern52>();
    if (s_.kernel == "energy") test(mmd::energy{});
    if (s_.kernel == "polynomial") test(mmd::polynomial(3, 1.0 / static_cast<double>(x_.cols()), 1));
    if (s_.kernel == "linear") test(mmd::linear{});
    result_.seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
    return result_;
  }

 private:
  template <class K>
  void with_bandwidth() {
    result_.bandwidth = s_.bandwidth ? *s_.bandwidth : mmd::median_heuristic<K>(on_, x_, y_, {.seed = s_.test.seed});
    test(K(*result_.bandwidth));
  }
  template <class K>
  void test(const K& kernel) {
    result_.test = mmd::PermutationTest(s_.test)(on_, x_, y_, kernel);
  }

  const B& on_;
  const settings& s_;
  const mmd::samples<T>&x_, &y_;
  outcome result_;
};

}  // namespace two_sample
