// SPDX-License-Identifier: MIT
// One case in one process, so that its peak memory is its own: MMD^2 with its variance, and a binned test with 999 permutations, of N
// pooled rows. One line of JSON.
//   large_sample N d [f32|f16|bf16]
#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <string>

#include "mmd/backends/cpu.hpp"
#include "mmd/core/philox.hpp"
#include "mmd/estimators/mmd.hpp"
#include "mmd/inference/permutation_test.hpp"

namespace {

using mmd::index_t;

double seconds_now() { return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count(); }

// Standard normal rows, moved by `shift`.
template <class T>
mmd::matrix<T> normal_rows(const mmd::cpu& on, index_t rows, index_t cols, std::uint64_t seed, double shift) {
  constexpr index_t chunk = 1000;
  mmd::matrix<T> x(rows, cols);
  on.for_each((rows + chunk - 1) / chunk, [&](index_t c) {
    mmd::random_stream random(seed, mmd::purpose::user, 0, static_cast<std::uint64_t>(c));
    for (index_t i = c * chunk; i < std::min(rows, (c + 1) * chunk); ++i) {
      for (T& value : x.row(i)) value = T(random.normal() + shift);
    }
  });
  return x;
}

// The largest resident set so far; of this program alone, which getrusage does not promise after exec.
long peak_bytes() {
  std::ifstream status("/proc/self/status");
  for (std::string line; std::getline(status, line);) {
    if (line.starts_with("VmHWM:")) return std::atol(line.c_str() + 6) * 1024;
  }
  return 0;
}

template <class T>
int run(index_t rows, index_t cols, const char* storage) {
  const mmd::cpu on;
  const index_t n = rows / 2, m = rows - n;
  const mmd::gaussian kernel(std::sqrt(static_cast<double>(cols)));
  const double start = seconds_now();
  const auto x = normal_rows<T>(on, n, cols, 1, 0), y = normal_rows<T>(on, m, cols, 2, .02);
  const long with_samples = peak_bytes();
  const double made = seconds_now();
  const auto estimate = mmd::Mmd{kernel}(on, x, y);
  const double estimated = seconds_now();
  const auto test = mmd::PermutationTest({.permutations = 999, .seed = 1, .method = mmd::method::binned})(on, x, y, kernel);
  const double tested = seconds_now();
  const double pairs = static_cast<double>(rows) * static_cast<double>(rows - 1) / 2;
  std::printf(
      "{\"rows\": %td, \"columns\": %td, \"storage\": \"%s\", \"isa\": \"%s\", \"samples_seconds\": %.3f, \"estimate_seconds\": %.3f, "
      "\"estimate_pairs_per_second\": %.4g, \"test_seconds\": %.3f, \"test_pairs_per_second\": %.4g, \"peak_bytes\": %ld, "
      "\"peak_bytes_with_samples_alone\": %ld, \"unbiased\": %.6g, \"standard_error\": %.3g, \"p_value\": %.3g}\n",
      rows, cols, storage, mmd::isa, made - start, estimated - made, pairs / (estimated - made), tested - estimated,
      pairs / (tested - estimated), peak_bytes(), with_samples, estimate.unbiased, estimate.standard_error, test.p_value);
  return 0;
}

}  // namespace

int main(int argc, char** argv) {
  const std::string storage = argc == 4 ? argv[3] : "f32";
  const index_t rows = argc >= 3 ? std::atoll(argv[1]) : 0, cols = argc >= 3 ? std::atoll(argv[2]) : 0;
  if (argc <= 4 && rows >= 40 && cols >= 1) {
    if (storage == "f32") return run<float>(rows, cols, "f32");
    if (storage == "f16") return run<mmd::float16>(rows, cols, "f16");
    if (storage == "bf16") return run<mmd::bfloat16>(rows, cols, "bf16");
  }
  std::fputs("usage: large_sample N d [f32|f16|bf16], N >= 40, d >= 1\n", stderr);
  return 2;
}
