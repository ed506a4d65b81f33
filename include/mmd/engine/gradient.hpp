// SPDX-License-Identifier: MIT
// The weighted gradient of a kernel matrix: what training needs, in O(N d) memory.
#pragma once

#include <vector>

#include "mmd/core/matrix.hpp"
#include "mmd/engine/pooled.hpp"

namespace mmd {

// Weights on the entries of K: J's derivative by K. For an unordered pair i < j in groups g, h the weight of K_ij (both orders together) is
//   ww[g][h] w_i w_j + wp[g][h] (w_i p_j + p_i w_j),
// plus paired[i] for k(x_i, y_i) (i-th rows of groups 0 and 1) where `paired` is given; diagonal[i] is the weight of k(z_i, z_i).
// Tables are groups x groups, row-major and symmetric. Every objective of the MMD-MP family has this form (rank 2 plus diagonals).
struct pair_weights {
  std::vector<double> w, p;           // one each pooled row
  std::vector<double> ww, wp;         // groups x groups
  std::vector<double> diagonal = {};  // one each pooled row, or empty: none
  std::vector<double> paired = {};    // one each pair, or empty: none
};

// sum over weighted entries of the derivatives of k.
template <class T>
struct kernel_gradient {
  std::vector<matrix<T>> features;  // [feature space in the order of the expression]: d / d features of that space, N x d of it
  std::vector<double> scales;       // [slot]: sum weight * dk/du * u, u the slot's quantity. For exp(-u / s): minus s times d / d s
  std::vector<double> constants;    // [constant of the expression, in reading order]: d / d that constant
};

}  // namespace mmd
