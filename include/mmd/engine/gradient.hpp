// SPDX-License-Identifier: MIT
// The weighted gradient of a kernel matrix: what training needs, in O(N d) memory.
#pragma once

#include <cstddef>
#include <string>
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

namespace detail {
inline namespace MMD_ISA {

// Throws invalid_input where a table or a list of weights does not fit.
inline void check_weights(const pair_weights& weights, const layout& lay) {
  const std::size_t groups = static_cast<std::size_t>(lay.groups()), rows = static_cast<std::size_t>(lay.rows);
  const auto sized = [](const char* name, const std::vector<double>& v, std::size_t size, const char* what) {
    require(v.size() == size, name, v.size(), (std::to_string(size) + what).c_str());
  };
  sized("weights.w.size()", weights.w, rows, ": one weight for each pooled row");
  sized("weights.p.size()", weights.p, rows, ": one weight for each pooled row");
  sized("weights.ww.size()", weights.ww, groups * groups, ": groups x groups weights");
  sized("weights.wp.size()", weights.wp, groups * groups, ": groups x groups weights");
  for (std::size_t g = 0; g < groups; ++g) {
    for (std::size_t h = 0; h < g; ++h) {
      require(weights.ww[g * groups + h] == weights.ww[h * groups + g], "weights.ww", weights.ww[g * groups + h], "a symmetric table");
      require(weights.wp[g * groups + h] == weights.wp[h * groups + g], "weights.wp", weights.wp[g * groups + h], "a symmetric table");
    }
  }
  if (!weights.diagonal.empty()) sized("weights.diagonal.size()", weights.diagonal, rows, ": one weight for each pooled row, or none");
  if (weights.paired.empty()) return;
  require(groups >= 2 && lay.group_rows[0] == lay.group_rows[1], "weights.paired.size()", weights.paired.size(),
          "none, as there are no two groups of equal size");
  sized("weights.paired.size()", weights.paired, static_cast<std::size_t>(lay.group_rows[0]), ": one weight for each pair, or none");
}

}  // namespace MMD_ISA
}  // namespace detail

}  // namespace mmd
