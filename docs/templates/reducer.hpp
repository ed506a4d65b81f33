// SPDX-License-Identifier: MIT
// Template of a reducer: something that one pass over the kernel matrix K can keep. Copy the first half into include/mmd/engine/ and the
// second into include/mmd/backends/cpu/ (or both into your own program), rename `my_reducer`, and change the lines marked [1] to [5]. It
// compiles and is tested as it stands.
#pragma once

#include <algorithm>
#include <cmath>
#include <vector>

#include "mmd/backends/cpu/add.hpp"
#include "mmd/engine/reducers.hpp"

namespace mmd {
inline namespace MMD_ISA {

// [1] What it holds, in which shape, and how many bytes: largest[g * groups + h] is the largest |k(x, y)|, x != y, of group g against group
// h.
struct my_reducer {
  int groups = 0;
  std::vector<double> largest = {};

  // [2] False: each part of the work fills a copy of its own, and the copies are merged in order. True: the parts write disjoint entries of
  // one.
  static constexpr bool shared = false;
  // [3] Takes its shape from the layout and forgets everything.
  void prepare(const layout& l) {
    groups = l.groups();
    largest.assign(static_cast<std::size_t>(groups * groups), 0);
  }
  // [4] Takes in what another part found. The same order for any number of threads: a sum need not be exact to be reproducible.
  void merge(const my_reducer& other) {
    for (std::size_t i = 0; i < largest.size(); ++i) largest[i] = std::max(largest[i], other.largest[i]);
  }
};

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
