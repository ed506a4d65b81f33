// SPDX-License-Identifier: MIT
// Sums over many chosen units as products of a table with sixteen columns of labels.
#pragma once

#include <algorithm>
#include <array>
#include <vector>

#include "mmd/core/simd.hpp"
#include "mmd/inference/permutation/column_reader.hpp"
#include "mmd/inference/permutation/statistic.hpp"

namespace mmd {
namespace detail {
inline namespace MMD_ISA {

// The strict lower triangle of a symmetric table of units x units, and four numbers a unit: 4 (units^2 + 16 units) bytes or a little more.
class dense_table {
 public:
  static constexpr int numbers = 4;
  // out[16 i + c]: number i summed over the units that column c chooses; for `inside` one value a column.
  using sums = std::array<double, numbers * column_lanes>;

  // entry(u, v) is asked for u > v; number(i, u) for i = 0 ... 3.
  template <class Entry, class Number>
  dense_table(index_t units, Entry&& entry, Number&& number) : units_(units), numbers_(static_cast<std::size_t>(units * rows)) {
    for (index_t u = 0; u < units; ++u) {
      for (int i = 0; i < numbers; ++i) numbers_[static_cast<std::size_t>(u * rows + i)] = number(i, u);
    }
    const index_t panels = (units + rows - 1) / rows;
    triangle_.reserve(static_cast<std::size_t>(panels * (panels + 1) / 2 * rows * rows));
    for (index_t first = 0; first < units; first += rows) {
      for (index_t v = 0; v < depth(first); ++v) {
        for (index_t u = first; u < first + rows; ++u) triangle_.push_back(v < u && u < units ? entry(u, v) : 0);
      }
    }
  }
  index_t units() const { return units_; }

  // labels: as column_reader::read_labels gives them. pairs[c]: the sum over pairs of units that column c chooses. Every column has lanes
  // of its own, so that its place does not change its bits.
  void operator()(const double* labels, double* pairs, sums& single) const {
    std::array<double, rows * column_lanes> of_row{};
    product(numbers_.data(), units_, labels, of_row.data());
    std::copy_n(of_row.begin(), single.size(), single.begin());
    std::fill_n(pairs, column_lanes, 0.0);
    const double* panel = triangle_.data();
    for (index_t first = 0; first < units_; first += rows) {
      product(panel, depth(first), labels, of_row.data());
      panel += depth(first) * rows;
      for (int c = 0; c < column_lanes; c += width) {
        S sum = 0.0;
        for (index_t u = first; u < std::min(first + rows, units_); ++u) {
          sum =
              fma(S::load(&of_row[static_cast<std::size_t>((u - first) * column_lanes + c)]), S::load(labels + u * column_lanes + c), sum);
        }
        (S::load(pairs + c) + sum).store(pairs + c);
      }
    }
  }

 private:
  using S = simd<double>;
  static constexpr int width = S::width, packs = column_lanes / width;
  // A tile of `rows` table rows and `group` packs of columns has its sums in registers.
  static constexpr int rows = MMD_SIMD_REGISTERS / 4, group = 2;
  static_assert(rows >= numbers && packs % group == 0);

  index_t depth(index_t first) const { return std::min(first + rows, units_); }

  // out[16 r + c] = sum over v of panel[rows v + r] labels[16 v + c], in sums of `sum_block` products.
  static void product(const double* panel, index_t depth, const double* labels, double* out) {
    for (int c = 0; c < column_lanes; c += group * width) {
      for (index_t start = 0; start < depth; start += sum_block) {
        block(panel + start * rows, std::min(sum_block, depth - start), labels + start * column_lanes + c, start > 0, out + c);
      }
    }
  }
  static void block(const double* panel, index_t depth, const double* labels, bool add, double* out) {
    S sum0[rows], sum1[rows];
    for (int r = 0; r < rows; ++r) sum0[r] = sum1[r] = S(0.0);
    for (; depth > 0; --depth, panel += rows, labels += column_lanes) {
      const S label0 = S::load(labels), label1 = S::load(labels + width);
      MMD_UNROLL(8)
      for (int r = 0; r < rows; ++r) {
        const S value = panel[r];
        sum0[r] = fma(label0, value, sum0[r]);
        sum1[r] = fma(label1, value, sum1[r]);
      }
    }
    for (int r = 0; r < rows; ++r, out += column_lanes) {
      if (add) {
        sum0[r] += S::load(out);
        sum1[r] += S::load(out + width);
      }
      sum0[r].store(out);
      sum1[r].store(out + width);
    }
  }

  index_t units_;
  std::vector<double> numbers_, triangle_;
};

}  // namespace MMD_ISA
}  // namespace detail
}  // namespace mmd
