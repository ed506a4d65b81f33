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

// Whose gradient is wanted. Samples that are data need none; leaving them out saves their product.
struct gradient_of {
  bool raw = true;     // the samples themselves
  bool mapped = true;  // the features that maps made, or that were given
};

// sum over weighted entries of the derivatives of k. E: what the features are computed in, where the samples lie: device<float> of samples
// in a device's memory.
template <class E>
struct kernel_gradient {
  // [feature space in the order of the expression]: d / d features of that space, N x d of it; 0 x 0 where not wanted. For a mapped space
  // it is the gradient with respect to what the map returned: to go on through the map is the caller's business.
  std::vector<matrix_of<E>> features;
  std::vector<double> scales;     // [slot]: sum weight * dk/du * u, u the slot's quantity. For exp(-u / s): minus s times d / d s
  std::vector<double> constants;  // [constant of the expression, in reading order]: d / d that constant
};

}  // namespace mmd
