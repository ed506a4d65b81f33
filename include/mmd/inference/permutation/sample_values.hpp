// SPDX-License-Identifier: MIT
// Passes over many small samples: against a reference, and within each sample, but not from one sample to the next.
#pragma once

#include <algorithm>
#include <cstdint>
#include <span>
#include <utility>
#include <vector>

#include "mmd/engine/pooled.hpp"

namespace mmd {
namespace detail {
inline namespace MMD_ISA {

// A reducer for group 0, the reference of R rows, and the samples' rows in groups of whole samples after it. Row i of these rows has its R
// values against the reference, then those against the rows before it in its own sample. Pairs of different samples are not kept.
template <class G>
struct sample_values {
  std::vector<index_t> first;  // row of every sample; then the number of all rows
  index_t reference = 0;
  std::vector<index_t> sample_of = {}, start = {};  // of every row: its sample, and where its values begin
  std::vector<G> values = {};

  const G* row(index_t i) const { return values.data() + start[static_cast<std::size_t>(i)]; }
  index_t rows(std::size_t sample) const { return first[sample + 1] - first[sample]; }

  static constexpr bool shared = true;
  std::uint64_t bytes(const layout& l) const {
    double count = 0;
    std::uint64_t tables = first.size();
    for (std::size_t s = 0; s + 1 < first.size(); ++s) {
      count += static_cast<double>(rows(s)) * static_cast<double>(l.group_rows[0] + rows(s));
      tables += 2 * static_cast<std::uint64_t>(rows(s));
    }
    return static_cast<std::uint64_t>(count) * sizeof(G) + tables * sizeof(index_t);
  }
  void prepare(const layout& l) {
    reference = l.group_rows[0];
    index_t size = 0;
    sample_of.clear();
    start.clear();
    for (std::size_t s = 0; s + 1 < first.size(); ++s) {
      for (index_t i = 0; i < rows(s); ++i) {
        sample_of.push_back(static_cast<index_t>(s));
        start.push_back(size);
        size += reference + i;
      }
    }
    values.resize(static_cast<std::size_t>(size));
  }
  void merge(const sample_values&) {}

  struct own_places {
    index_t reference;
    const index_t *first, *sample_of, *start;
    template <class Put>
    MMD_HD void operator()(int group_i, index_t i, int, index_t j, Put put) const {
      const index_t row = j - reference;
      if (row < 0) return;
      if (group_i == 0) {
        put(start[row] + i);
      } else if (sample_of[i - reference] == sample_of[row]) {
        put(start[row] + i - first[sample_of[row]]);
      }
    }
  };
  std::vector<G>& stored() { return values; }
  template <class Table>
  own_places places(const Table& table) const {
    return {reference, table(first), table(sample_of), table(start)};
  }
};

template <class G, class Tile>
void add(sample_values<G>& r, const Tile& t) {
  if (t.J.group == 0) return;
  for (int j = 0; j < t.J.rows; ++j) {
    const index_t row = t.J.first + j - r.reference;
    const auto* from = t.k + static_cast<index_t>(j) * t.ld;
    G* to = r.values.data() + r.start[static_cast<std::size_t>(row)];
    if (t.I.group == 0) {
      for (int i = 0; i < t.I.rows; ++i) to[t.I.first + i] = static_cast<G>(from[i]);
    } else {
      const index_t own = r.first[static_cast<std::size_t>(r.sample_of[static_cast<std::size_t>(row)])], above = t.I.first - r.reference;
      const index_t end = std::min(above + t.I.rows, row);
      for (index_t i = std::max(own, above); i < end; ++i) to[r.reference + i - own] = static_cast<G>(from[i - above]);
    }
  }
}

// Adds to `out` the rows of many small samples (that of sample s begin at first[s]; first ends with the number of all rows), in groups of
// whole samples that fill a panel of the pass where they can. Pairs of these groups are left out.
template <class T>
pooled<T> with_samples(pooled<T> out, const samples<T>& rows, std::span<const index_t> first) {
  constexpr index_t panel = 128;
  const auto before = static_cast<int>(out.groups.size());
  for (std::size_t s = 0, end = 0; s + 1 < first.size(); s = end) {
    for (end = s + 1; end + 1 < first.size() && first[end + 1] - first[s] <= panel;) ++end;
    const auto group = static_cast<int>(out.groups.size());
    for (int g = before; g < group; ++g) out.skip.emplace_back(g, group);
    out.groups.push_back(rows.middle_rows(first[s], first[end] - first[s]));
  }
  return out;
}

}  // namespace MMD_ISA
}  // namespace detail
}  // namespace mmd
