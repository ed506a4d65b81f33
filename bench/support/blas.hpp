// SPDX-License-Identifier: MIT
// Full products by others: Eigen, and the BLAS libraries that this machine happens to have. They are opened when the program runs: nothing
// is linked to them, and one that is not there is left out.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "support/bench.hpp"

namespace bench {

// C = A op(B) of row-major matrices: m x k, k x n (or n x k, transposed), m x n.
template <class T>
struct full_product {
  std::string name;
  std::function<void(index_t m, index_t n, index_t k, const T* a, bool transposed, const T* b, T* c)> run;
};

// All that there are, opened once. The first call comes before the first parallel loop: in `cases`.
template <class T>
const std::vector<full_product<T>>& products();

// The fastest of them at n = m = 1,500, k = 384.
template <class T>
const full_product<T>& fastest_product();

}  // namespace bench
