// SPDX-License-Identifier: MIT
// The CPU's part of the template of a reducer (reducer.hpp).
#pragma once

#include <algorithm>
#include <cmath>

#include "mmd/backends/cpu/add.hpp"
#include "templates/reducer.hpp"

namespace mmd {
inline namespace MMD_ISA {

// [5] Takes in a tile: t.k[j * t.ld + i] is k of row i of the panel t.I and row j of the panel t.J; panel.first is the number of its first
// row among all pooled rows, panel.rows how many there are, panel.group whose they are. Each unordered pair of rows comes once, except that
// a tile on the diagonal (t.diagonal) is symmetric and holds both orders, with 0 for k(z, z).
template <class T>
void add(my_reducer& r, const tile<T>& t) {
  double found = 0;
  for (int j = 0; j < t.J.rows; ++j) {
    for (int i = 0; i < t.I.rows; ++i) found = std::max(found, std::abs(static_cast<double>(t.k[j * t.ld + i])));
  }
  for (const int entry : {t.I.group * r.groups + t.J.group, t.J.group * r.groups + t.I.group}) {
    double& largest = r.largest[static_cast<std::size_t>(entry)];
    largest = std::max(largest, found);
  }
}

}  // namespace MMD_ISA
}  // namespace mmd
