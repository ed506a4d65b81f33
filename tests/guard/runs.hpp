// SPDX-License-Identifier: MIT
// The fixed small runs whose instructions are counted. One thread, fixed data.
#pragma once

#include <functional>
#include <vector>

#include "mmd/core/matrix.hpp"

// `prepare` makes what the run needs and is not counted; what it returns is the run.
struct run {
  const char* name;
  std::function<void()> (*prepare)();
};
std::vector<run> runs_of_sums();
std::vector<run> runs_of_tests();
std::vector<run> runs_of_learning();

// Takes a result, so that it is not left out.
void keep(double result);

template <class T>
mmd::matrix<T> rows(mmd::index_t n, mmd::index_t d, unsigned seed, double shift = 0) {
  mmd::matrix<T> out(n, d);
  for (mmd::index_t i = 0; i < n; ++i) {
    for (mmd::index_t c = 0; c < d; ++c) {
      double value = shift;
      for (int k = 0; k < 4; ++k) {
        seed = seed * 1664525u + 1013904223u;
        value += (seed >> 8) * 0x1p-24 - 0.5;
      }
      out(i, c) = static_cast<T>(value);
    }
  }
  return out;
}
