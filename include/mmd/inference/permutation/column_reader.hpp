// SPDX-License-Identifier: MIT
// Sixteen columns of a test at once: as the units that each of them chooses, or as labels.
#pragma once

#include <algorithm>
#include <cstdint>
#include <vector>

#include "mmd/core/philox.hpp"
#include "mmd/inference/permutation/splits.hpp"

namespace mmd {
namespace detail {
inline namespace MMD_ISA {

inline constexpr int column_lanes = random_streams::count;

// Reads the columns of `columns`, which it refers to, as split_columns::get does. Keeps scratch memory: one a thread.
class column_reader {
 public:
  // With `row_of`, unit u of the columns is called row_of[u].
  explicit column_reader(const split_columns& columns, const std::int32_t* row_of = nullptr)
      : columns_(&columns), row_of_(row_of), set_(columns.units()) {}
  explicit column_reader(const split_columns&&) = delete;

  // The chosen units of columns first ... first + 15, in ascending order of their names: unit k of column first + c at out[16 k + c].
  // Column 0 comes as sixteen copies; after the last column come others that mean nothing.
  void read(index_t first, std::uint32_t* out) {
    std::uint32_t singly = 0xFFFF;
    if (first > 0 && !columns_->enumerated()) singly = draw(first, out);
    for (int c = 0; singly != 0; ++c, singly >>= 1) {
      if (singly & 1) one(first, c, out);
    }
  }
  // The same columns as labels: labels[16 u + c] is 1 where column first + c chooses unit u, else 0.
  void read_labels(index_t first, double* labels) {
    std::uint32_t singly = 0xFFFF;
    if (first > 0 && !columns_->enumerated()) singly = draw_labels(first, labels);
    for (int c = 0; singly != 0; ++c, singly >>= 1) {
      if (!(singly & 1)) continue;
      get(first, c);
      for (index_t u = 0; u < columns_->units(); ++u) labels[u * column_lanes + c] = set_.contains(u);
    }
  }

 private:
  typedef std::uint32_t pack __attribute__((vector_size(MMD_SIMD_BYTES)));
  static constexpr int pack_lanes = MMD_SIMD_BYTES / 4;

  static pack load(const std::uint32_t* from) {
    pack out;
    __builtin_memcpy(&out, from, sizeof out);
    return out;
  }
  static void store(pack v, std::uint32_t* to) { __builtin_memcpy(to, &v, sizeof v); }

  void get(index_t first, int c) { columns_->get(first == 0 ? 0 : std::min(first + c, columns_->columns() - 1), set_); }
  void one(index_t first, int c, std::uint32_t* out) {
    get(first, c);
    names_.clear();
    set_.for_each([&](index_t u) { names_.push_back(static_cast<std::uint32_t>(row_of_ ? row_of_[u] : u)); });
    if (row_of_) std::sort(names_.begin(), names_.end());
    for (std::size_t k = 0; k < names_.size(); ++k) out[k * column_lanes + static_cast<std::size_t>(c)] = names_[k];
  }
  // The numbers of sixteen draws, one for each step of Floyd's algorithm. Bit c of the result: those of column first + c are not usable.
  std::uint32_t numbers(index_t first, std::uint32_t* out) const {
    random_streams from(columns_->seed(), purpose::permutation, columns_->test(), static_cast<std::uint64_t>(first) - 1);
    const index_t units = columns_->units();
    std::uint32_t unusable = 0;
    for (index_t last = units - columns_->chosen(); last < units; ++last, out += column_lanes) {
      unusable |= from.below(static_cast<std::uint32_t>(last) + 1, out);
    }
    return unusable;
  }
  // Floyd's algorithm; what is taken is found by comparison, and names are put in order by insertion: O(a^2) for a chosen units, little
  // beside the look-ups of their pairs.
  std::uint32_t draw(index_t first, std::uint32_t* out) const {
    const index_t units = columns_->units(), chosen = columns_->chosen();
    const std::uint32_t unusable = numbers(first, out);
    for (index_t k = 1; k < chosen; ++k) {
      const pack last = static_cast<std::uint32_t>(units - chosen + k) - pack{};
      for (int l = 0; l < column_lanes; l += pack_lanes) {
        const pack unit = load(out + k * column_lanes + l);
        pack taken{};
        for (index_t j = 0; j < k; ++j) taken |= (pack)(load(out + j * column_lanes + l) == unit);
        store((taken & last) | (~taken & unit), out + k * column_lanes + l);
      }
    }
    if (row_of_) {
      for (index_t k = 0; k < chosen * column_lanes; ++k) out[k] = static_cast<std::uint32_t>(row_of_[out[k]]);
    }
    for (index_t k = 1; k < chosen; ++k) {
      for (int l = 0; l < column_lanes; l += pack_lanes) {
        pack name = load(out + k * column_lanes + l);
        std::uint32_t* sorted = out + l;
        for (index_t j = 0; j < k; ++j, sorted += column_lanes) {
          const pack other = load(sorted);
          store(name < other ? name : other, sorted);
          name = name < other ? other : name;
        }
        store(name, sorted);
      }
    }
    return unusable;
  }
  std::uint32_t draw_labels(index_t first, double* labels) {
    const index_t units = columns_->units(), chosen = columns_->chosen();
    names_.resize(static_cast<std::size_t>(chosen * column_lanes));
    taken_.assign(static_cast<std::size_t>(units * column_lanes), 0);
    const std::uint32_t unusable = numbers(first, names_.data());
    const std::uint32_t* drawn = names_.data();
    for (index_t last = units - chosen; last < units; ++last) {
      for (int c = 0; c < column_lanes; ++c, ++drawn) {
        const index_t unit = *drawn, free = unit + (last - unit) * taken_[static_cast<std::size_t>(unit * column_lanes + c)];
        taken_[static_cast<std::size_t>(free * column_lanes + c)] = 1;
      }
    }
    for (index_t i = 0; i < units * column_lanes; ++i) labels[i] = taken_[static_cast<std::size_t>(i)];
    return unusable;
  }

  const split_columns* columns_;
  const std::int32_t* row_of_;
  position_set set_;
  std::vector<std::uint32_t> names_;
  std::vector<std::uint8_t> taken_;
};

}  // namespace MMD_ISA
}  // namespace detail
}  // namespace mmd
