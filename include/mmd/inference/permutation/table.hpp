// SPDX-License-Identifier: MIT
// Splits evaluated from a table of sums between units (a Gram matrix, or block sums between bins): O(B a^2) look-ups for a chosen units,
// or O(B U^2) multiply-adds for U units, whichever costs less.
#pragma once

#include <algorithm>
#include <cstdint>
#include <optional>
#include <utility>
#include <vector>

#include "mmd/engine/backend.hpp"
#include "mmd/inference/permutation/dense_table.hpp"

namespace mmd {
namespace detail {
inline namespace MMD_ISA {

// Pairs of units: entry (u, v), u > v, is row(u)[v].
template <class G>
struct table_pairs {
  const G* values;
  index_t stride;
  const G* row(index_t u) const { return values + u * stride; }
};

// The same where every row lies somewhere else.
template <class G>
struct row_pairs {
  const G* const* rows;
  const G* row(index_t u) const { return rows[u]; }
};

// What the splits of a table need besides its pairs, one number a movable unit. `fixed` are the sums of the rows that always belong to the
// chosen side.
struct unit_table {
  pool_sums all = {};
  position_sums own = {};       // entries within a unit, and twice those against the chosen side's fixed rows
  position_sums entries = {};   // against everything
  position_sums diagonal = {};  // k(z, z)
  position_sums size = {};      // rows
  side_sums fixed = {};
};

// out[c] = the sum over pairs of the units that column c of sixteen chooses (chosen: as column_reader::read gives them). Four columns at
// a time, so that their additions overlap; in blocks of rows and columns, so that sums stay short: values that repeat, as in discrete
// data, let the rounding of one long sum grow with its length, and ties would come apart.
template <class Pairs>
void pair_sums(const Pairs& pairs, const std::uint32_t* chosen, index_t count, double* out) {
  constexpr int some = 4;
  for (int c = 0; c < column_lanes; c += some, chosen += some, out += some) {
    double sum[some] = {};
    for (index_t i0 = 0; i0 < count; i0 += sum_block) {
      for (index_t j0 = 0; j0 <= i0; j0 += sum_block) {
        double block[some] = {};
        for (index_t i = i0; i < std::min(i0 + sum_block, count); ++i) {
          decltype(pairs.row(0)) row[some];
          for (int l = 0; l < some; ++l) row[l] = pairs.row(static_cast<index_t>(chosen[i * column_lanes + l]));
          double of_row[some] = {};
          for (index_t j = j0; j < std::min(j0 + sum_block, i); ++j) {
            for (int l = 0; l < some; ++l) of_row[l] += static_cast<double>(row[l][chosen[j * column_lanes + l]]);
          }
          for (int l = 0; l < some; ++l) block[l] += of_row[l];
        }
        for (int l = 0; l < some; ++l) sum[l] += block[l];
      }
    }
    std::copy_n(sum, some, out);
  }
}

// out[c] = the sum of `values` over the units that column c of sixteen chooses.
inline void single_sums(const position_sums& values, const std::uint32_t* chosen, index_t count, double* out) {
  std::fill_n(out, column_lanes, static_cast<double>(count) * values.mean());
  if (values.constant()) return;
  const double* deviation = values.deviations();
  for (index_t start = 0; start < count; start += sum_block) {
    double part[column_lanes] = {};
    for (index_t k = start; k < std::min(start + sum_block, count); ++k) {
      for (int c = 0; c < column_lanes; ++c) part[c] += deviation[chosen[k * column_lanes + c]];
    }
    for (int c = 0; c < column_lanes; ++c) out[c] += part[c];
  }
}

// Statistics of the columns of one test. With `row_of`, unit u of the columns is entry row_of[u] of the pairs and the table.
template <class Pairs>
class table_evaluation {
 public:
  // Refers to all of its arguments.
  table_evaluation(const Pairs& pairs, const unit_table& table, estimator which, const split_columns& columns,
                   const std::int32_t* row_of = nullptr)
      : pairs_(&pairs), table_(&table), which_(which), columns_(&columns), row_of_(row_of) {
    if (!dense_is_cheaper(columns.units(), columns.chosen())) return;
    const auto name = [row_of](index_t u) { return row_of ? static_cast<index_t>(row_of[u]) : u; };
    const position_sums* singles[] = {&table.own, &table.entries, &table.diagonal, &table.size};
    dense_.emplace(
        columns.units(),
        [&](index_t u, index_t v) {
          const index_t i = name(u), j = name(v);
          return static_cast<double>(pairs.row(std::max(i, j))[std::min(i, j)]);
        },
        [&](int i, index_t u) { return singles[i]->constant() ? 0 : singles[i]->deviations()[name(u)]; });
  }
  // Which of the two ways costs less: measured, a look-up costs as much as two packs of multiply-adds.
  static constexpr bool dense_is_cheaper(index_t units, index_t chosen) {
    return 2 * simd<double>::width * chosen * chosen >= units * units;
  }

  // All columns, on the calling thread.
  std::vector<double> all() const {
    std::vector<double> out(static_cast<std::size_t>(columns_->columns()));
    (*this)(0, columns_->columns(), out.data());
    return out;
  }
  // Columns first ... first + count - 1, on the calling thread.
  void operator()(index_t first, index_t count, double* out) const {
    column_reader read(*columns_, row_of_);
    std::vector<double> labels(static_cast<std::size_t>(dense_ ? columns_->units() * column_lanes : 0));
    std::vector<std::uint32_t> chosen(static_cast<std::size_t>(dense_ ? 0 : columns_->chosen() * column_lanes));
    for (index_t c = 0; c < count;) {
      double values[column_lanes];
      if (dense_) {
        read.read_labels(first + c, labels.data());
        evaluate(labels.data(), values);
      } else {
        read.read(first + c, chosen.data());
        evaluate(chosen.data(), values);
      }
      const index_t width = first + c == 0 ? 1 : std::min<index_t>(column_lanes, count - c);
      std::copy_n(values, width, out + c);
      c += width;
    }
  }

 private:
  void evaluate(const double* labels, double* out) const {
    double pairs[column_lanes];
    dense_table::sums single;
    (*dense_)(labels, pairs, single);
    const auto count = static_cast<double>(columns_->chosen());
    const position_sums* of[] = {&table_->own, &table_->entries, &table_->diagonal, &table_->size};
    for (std::size_t i = 0; i < std::size(of); ++i) {
      for (std::size_t c = 0; c < column_lanes; ++c) single[i * column_lanes + c] += count * of[i]->mean();
    }
    statistics(pairs, single.data(), out);
  }
  void evaluate(const std::uint32_t* chosen, double* out) const {
    double pairs[column_lanes];
    dense_table::sums single;
    const index_t count = columns_->chosen();
    pair_sums(*pairs_, chosen, count, pairs);
    const position_sums* of[] = {&table_->own, &table_->entries, &table_->diagonal, &table_->size};
    for (std::size_t i = 0; i < std::size(of); ++i) single_sums(*of[i], chosen, count, &single[i * column_lanes]);
    statistics(pairs, single.data(), out);
  }
  void statistics(const double* pairs, const double* single, double* out) const {
    const double *own = single, *entries = own + column_lanes, *diagonal = entries + column_lanes, *size = diagonal + column_lanes;
    const pool_sums& all = table_->all;
    const side_sums& fixed = table_->fixed;
    if (!table_->size.constant()) {
      for (int c = 0; c < column_lanes; ++c) {
        out[c] = split_statistic(
            which_, all,
            {fixed.size + size[c], fixed.inside + own[c] + 2 * pairs[c], fixed.entries + entries[c], fixed.diagonal + diagonal[c]});
      }
      return;
    }
    using S = simd<double>;
    const split_weights weights(which_, fixed.size + size[0], all.size - fixed.size - size[0]);
    for (int c = 0; c < column_lanes; c += S::width) {
      const S inside = S(fixed.inside) + S::load(own + c) + S(2) * S::load(pairs + c);
      split_statistic(which_, weights, S(all.entries), S(all.diagonal), inside, S(fixed.entries) + S::load(entries + c),
                      S(fixed.diagonal) + S::load(diagonal + c))
          .store(out + c);
    }
  }

  const Pairs* pairs_;
  const unit_table* table_;
  estimator which_;
  const split_columns* columns_;
  const std::int32_t* row_of_;
  std::optional<dense_table> dense_;
};

// All columns, in parallel over chunks of fixed size.
template <class B, class Pairs>
std::vector<double> evaluate_table(const B& on, const Pairs& pairs, const unit_table& table, estimator which, const split_columns& columns,
                                   const std::int32_t* row_of = nullptr) {
  constexpr index_t chunk = 64, slab = 256 * chunk;
  const index_t total = columns.columns();
  std::vector<double> out(static_cast<std::size_t>(total));
  const table_evaluation<Pairs> evaluation(pairs, table, which, columns, row_of);
  on.report("permutations", 0, static_cast<std::uint64_t>(total));
  for (index_t first = 0; first < total; first += slab) {
    const index_t last = std::min(first + slab, total);
    on.for_each((last - first + chunk - 1) / chunk, [&](index_t part) {
      const index_t begin = first + part * chunk;
      evaluation(begin, std::min(chunk, last - begin), &out[static_cast<std::size_t>(begin)]);
    });
    on.report("permutations", static_cast<std::uint64_t>(last), static_cast<std::uint64_t>(total));
  }
  return out;
}

}  // namespace MMD_ISA
}  // namespace detail
}  // namespace mmd
