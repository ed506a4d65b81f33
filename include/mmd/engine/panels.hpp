// SPDX-License-Identifier: MIT
// The pooled rows in panels, and the tiles between them: how every backend cuts its work.
#pragma once

#include <algorithm>
#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "mmd/engine/pooled.hpp"

namespace mmd {
inline namespace MMD_ISA {

inline constexpr int panel_rows = 128;  // rows of a full panel, and of each side of a full tile

// `panel_rows` consecutive rows of one group, or what is left of it. padded: rows as they lie packed, rounded up to whole packs; packed:
// the first of them.
struct panel {
  index_t first;
  int rows, padded, group;
  index_t packed;
};

}  // namespace MMD_ISA

namespace detail {
inline namespace MMD_ISA {

inline std::size_t at(index_t i) { return static_cast<std::size_t>(i); }

// Throws invalid_input where an order of `rows` rows, or what to skip beside it, does not fit.
inline void check_order(const std::vector<index_t>& order, index_t rows, const std::vector<std::pair<int, int>>& skip) {
  require(static_cast<index_t>(order.size()) == rows, "order.size()", order.size(),
          ("one position for each of the " + std::to_string(rows) + " rows").c_str());
  for (index_t p : order) require(p >= 0 && p < rows, "order", p, "the number of a row");
  require(skip.empty(), "skip.size()", skip.size(), "nothing to skip where `order` makes one group of all rows");
}
// Panels of groups of these sizes, their padded rows multiples of `group_rows`; fills in the layout's sizes.
inline std::vector<panel> cut_groups(const std::vector<index_t>& sizes, int group_rows, layout& lay) {
  std::vector<panel> panels;
  index_t packed = 0;
  for (std::size_t g = 0; g < sizes.size(); ++g) {
    const index_t n = sizes[g];
    for (index_t a = 0; a < n; a += panel_rows) {
      const index_t rows = std::min<index_t>(panel_rows, n - a);
      const int padded = static_cast<int>((rows + group_rows - 1) / group_rows * group_rows);
      panels.push_back({lay.rows + a, static_cast<int>(rows), padded, static_cast<int>(g), packed});
      packed += padded;
    }
    lay.rows += n;
    lay.group_rows.push_back(n);
  }
  return panels;
}
// The sizes of the groups as the pass sees them: one where there is an order. Throws invalid_input where groups or order do not fit.
template <class S>
std::vector<index_t> group_sizes(const pooled<S>& z) {
  std::vector<index_t> sizes;
  for (const auto& g : z.groups) {
    require(g.rows() >= 1, "group.rows()", g.rows(), "at least 1");
    if (g.cols() != z.cols()) reject("group.cols()", g.cols(), "as many columns as the first group, " + std::to_string(z.cols()));
    sizes.push_back(g.rows());
  }
  require(!sizes.empty(), "groups", 0, "at least one group of rows");
  if (!z.order.empty()) {
    check_order(z.order, z.rows(), z.skip);
    sizes = {z.rows()};
  }
  return sizes;
}
inline index_t packed_rows(const std::vector<panel>& panels) { return panels.back().packed + panels.back().padded; }

// The tiles to evaluate, in a fixed order: for each pair of groups that is not skipped, by rows; within a group the upper triangle.
class tile_list {
 public:
  struct place {
    index_t i, j;
  };
  tile_list(const layout& lay, const std::vector<panel>& panels, const std::vector<std::pair<int, int>>& skip) {
    const int groups = lay.groups();
    groups_ = groups;
    skipped_.resize(at(groups * groups));
    for (const auto& [g, h] : skip) {
      require(g >= 0 && g < groups, "skip: group", g, "the number of a group");
      require(h >= 0 && h < groups, "skip: group", h, "the number of a group");
      skipped_[at(g * groups + h)] = skipped_[at(h * groups + g)] = 1;
    }
    std::vector<index_t> first(at(groups + 1), static_cast<index_t>(panels.size()));
    for (index_t p = static_cast<index_t>(panels.size()); p-- > 0;) first[at(panels[at(p)].group)] = p;
    for (int g = 0; g < groups; ++g) {
      for (int h = g; h < groups; ++h) {
        if (!holds(g, h)) continue;
        const block b{first[at(g)], first[at(g + 1)], first[at(h)], first[at(h + 1)], size_};
        const index_t down = b.i1 - b.i0;
        size_ += g == h ? down * (down + 1) / 2 : down * (b.j1 - b.j0);
        const double n = static_cast<double>(lay.group_rows[at(g)]);
        pairs_ += n * (g == h ? (n + panel_rows) / 2 : static_cast<double>(lay.group_rows[at(h)]));
        blocks_.push_back(b);
      }
    }
  }
  bool holds(int g, int h) const { return !skipped_[at(g * groups_ + h)]; }
  index_t size() const { return size_; }
  double pairs() const { return pairs_; }  // that the tiles hold, about

  // Calls f(place) for tiles first .. last - 1.
  template <class F>
  void visit(index_t first, index_t last, F&& f) const {
    for (const block& b : blocks_) {
      index_t before = b.before;
      for (index_t i = b.i0; i < b.i1 && before < last; ++i) {
        const index_t j0 = b.i0 == b.j0 ? i : b.j0, row = b.j1 - j0;
        for (index_t n = std::max(first, before); n < std::min(last, before + row); ++n) f(place{i, j0 + n - before});
        before += row;
      }
    }
  }

 private:
  struct block {
    index_t i0, i1, j0, j1, before;  // panels of both sides; tiles before this block
  };
  int groups_ = 0;
  std::vector<char> skipped_;
  std::vector<block> blocks_;
  index_t size_ = 0;
  double pairs_ = 0;
};

}  // namespace MMD_ISA
}  // namespace detail
}  // namespace mmd
