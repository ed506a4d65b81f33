// SPDX-License-Identifier: MIT
// What every backend's dense product asks of its matrices.
#pragma once

#include <string>

#include "mmd/core/samples.hpp"
#include "mmd/engine/backend.hpp"

namespace mmd {
namespace detail {

// A matrix whose values can be written through data().
template <class M>
concept writable_matrix = strided_matrix<M> && requires(M& m) {
  { m.data() } -> std::same_as<typename M::Scalar*>;
};

// C = op(A) op(B) is rows x cols, summed over `depth`.
struct product_sizes {
  index_t rows, cols, depth;
};
// The sizes of a product, taken from A and C. Throws invalid_input, naming the first shape that does not fit.
template <strided_matrix A, strided_matrix B, strided_matrix C>
product_sizes check_product(transposed of_a, transposed of_b, const A& a, const B& b, const C& c) {
  const bool turn_a = of_a == transposed::yes, turn_b = of_b == transposed::yes;
  const product_sizes sizes{turn_a ? a.cols() : a.rows(), turn_b ? b.rows() : b.cols(), turn_a ? a.rows() : a.cols()};
  const auto check = [](index_t found, index_t expected, const char* name, const char* what) {
    if (found != expected) reject(name, found, std::string(what) + ", " + std::to_string(expected));
  };
  check(turn_b ? b.cols() : b.rows(), sizes.depth, turn_b ? "gemm: B.cols()" : "gemm: B.rows()", "the inner dimension of op(A)");
  check(c.rows(), sizes.rows, "gemm: C.rows()", "the rows of op(A)");
  check(c.cols(), sizes.cols, "gemm: C.cols()", "the columns of op(B)");
  return sizes;
}

}  // namespace detail
}  // namespace mmd
