// SPDX-License-Identifier: MIT
// The derivatives of a weighted sum of kernel values, pair by pair, from what the kernel's author knows: its derivatives by the quantities
// it reads and by its constants.
#pragma once

#include <cmath>
#include <cstddef>
#include <vector>

namespace oracle {

enum class quantity { squared_distance, inner_product, l1_distance };
struct slot {
  quantity reads;
  std::size_t space;
};
using rows = std::vector<std::vector<double>>;
struct slopes {
  std::vector<double> by_slot, by_constant;
};
struct gradient {
  std::vector<std::vector<double>> features;        // [space]: row after row
  std::vector<double> scales, constants;            // sum of weight dk/du u, sum of weight dk/dc
  std::vector<double> scales_size, constants_size;  // the same of absolute terms
};

inline double value(quantity q, const std::vector<double>& x, const std::vector<double>& y) {
  double sum = 0;
  for (std::size_t k = 0; k < x.size(); ++k) {
    const double difference = x[k] - y[k];
    sum += q == quantity::inner_product ? x[k] * y[k] : q == quantity::l1_distance ? std::abs(difference) : difference * difference;
  }
  return sum;
}
// The derivative of the quantity by x[k], y held.
inline double by_x(quantity q, double x, double y) {
  if (q == quantity::inner_product) return y;
  if (q == quantity::squared_distance) return 2 * (x - y);
  return (x > y) - (x < y);
}

// weight(i, j), i <= j, for k(z_i, z_j); derivatives(u): of the kernel where its slots have the values u.
template <class Weight, class Derivatives>
gradient weighted_gradient(const std::vector<rows>& spaces, const std::vector<slot>& slots, std::size_t constants, Weight&& weight,
                           Derivatives&& derivatives) {
  gradient out;
  for (const rows& z : spaces) out.features.emplace_back(z.size() * z.front().size());
  out.scales.resize(slots.size());
  out.scales_size.resize(slots.size());
  out.constants.resize(constants);
  out.constants_size.resize(constants);
  std::vector<double> u(slots.size());
  for (std::size_t i = 0; i < spaces.front().size(); ++i) {
    for (std::size_t j = i; j < spaces.front().size(); ++j) {
      const double w = weight(i, j);
      if (w == 0) continue;
      for (std::size_t s = 0; s < slots.size(); ++s) u[s] = value(slots[s].reads, spaces[slots[s].space][i], spaces[slots[s].space][j]);
      const slopes d = derivatives(u);
      for (std::size_t c = 0; c < constants; ++c) {
        out.constants[c] += w * d.by_constant[c];
        out.constants_size[c] += std::abs(w * d.by_constant[c]);
      }
      for (std::size_t s = 0; s < slots.size(); ++s) {
        const quantity q = slots[s].reads;
        const rows& z = spaces[slots[s].space];
        std::vector<double>& to = out.features[slots[s].space];
        const double slope = w * d.by_slot[s];
        const std::size_t width = z[i].size();
        out.scales[s] += slope * u[s];
        out.scales_size[s] += std::abs(slope * u[s]);
        for (std::size_t k = 0; k < width; ++k) {
          to[i * width + k] += slope * by_x(q, z[i][k], z[j][k]);
          to[j * width + k] += slope * by_x(q, z[j][k], z[i][k]);  // on the diagonal k(z, z) moves with both
        }
      }
    }
  }
  return out;
}

}  // namespace oracle
