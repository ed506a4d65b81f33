// SPDX-License-Identifier: MIT
// Samples of one size that share their draws: what a draw takes from the reference alone is summed once for all of them, the rest for a
// pack of samples at a time.
#pragma once

#include <algorithm>
#include <bit>
#include <cstdint>
#include <span>
#include <vector>

#include "mmd/inference/permutation/table.hpp"

namespace mmd {
namespace detail {
inline namespace MMD_ISA {

// One sample of n rows beside a reference of R: entries 0 ... R - 1 of the table are the reference's, then come the sample's own. rows[i]
// holds the R + i values of row i against what comes before it.
template <class G>
struct tested_sample {
  std::vector<const G*> rows;
  unit_table table;
  double tolerance = 0;
};

// What a draw of every column takes from the reference alone.
struct sixteen_columns {
  const std::uint32_t* chosen;  // as column_reader::read gives them
  double far[column_lanes];     // sums over their pairs of reference rows
  std::uint32_t near;           // bit c: column c chooses rows of the sample
};

// Samples side by side, one a lane.
template <class G>
class sample_pack {
 public:
  static constexpr std::size_t lanes = static_cast<std::size_t>(simd<double>::width);

  // At most `lanes` samples of equal size; missing ones repeat the last.
  sample_pack(std::span<const tested_sample<G>> each, index_t reference)
      : reference_(reference), all_(reference + static_cast<index_t>(each[0].rows.size())), sample_(each[0].rows.size()) {
    values_.resize(sample_ * at(all_) * lanes);
    for (std::size_t i = 0; i < sample_; ++i) {
      for (index_t u = 0; u < reference_ + static_cast<index_t>(i); ++u) {
        for (std::size_t l = 0; l < lanes; ++l) values_[(i * at(all_) + at(u)) * lanes + l] = lane(each, l).rows[i][u];
      }
    }
    entries_ = beside(each, &unit_table::entries);
    diagonal_ = beside(each, &unit_table::diagonal);
    if (std::all_of(each.begin(), each.end(), [](const auto& s) { return s.table.diagonal.constant(); })) diagonal_.deviation.clear();
  }

  // Statistics of sixteen columns for every sample: that of column c for sample l at out[c * lanes + l].
  void statistics(estimator which, const split_weights& weights, const sixteen_columns& columns, index_t count, double* out) const {
    for (int c = 0; c < column_lanes; ++c) S(columns.far[c]).store(out + at(c) * lanes);
    for (std::uint32_t left = columns.near; left != 0; left &= left - 1) {
      const int c = std::countr_zero(left);
      const std::uint32_t* chosen = columns.chosen + c;
      S inside = 0.0;
      for (index_t k = count; k-- > 0 && chosen[k * column_lanes] >= reference_;) {
        const G* row = &values_[(at(chosen[k * column_lanes]) - at(reference_)) * at(all_) * lanes];
        inside += sum(k, [&](index_t j) { return S::load_from(row + chosen[j * column_lanes] * lanes); });
      }
      (S::load(out + at(c) * lanes) + inside).store(out + at(c) * lanes);
    }
    for (int c = 0; c < column_lanes; ++c, out += lanes) {
      split_statistic(which, weights, entries_.total, diagonal_.total, S(2.0) * S::load(out), over(entries_, columns.chosen + c, count),
                      over(diagonal_, columns.chosen + c, count))
          .store(out);
    }
  }

 private:
  using S = simd<double>;
  struct singles {
    S total, mean;
    std::vector<double> deviation;
  };

  template <class I>
  static std::size_t at(I i) {
    return static_cast<std::size_t>(i);
  }
  static const tested_sample<G>& lane(std::span<const tested_sample<G>> each, std::size_t l) { return each[std::min(l, each.size() - 1)]; }
  singles beside(std::span<const tested_sample<G>> each, position_sums unit_table::*which) const {
    double total[lanes], mean[lanes];
    singles out;
    out.deviation.resize(at(all_) * lanes);
    for (std::size_t l = 0; l < lanes; ++l) {
      const position_sums& of = lane(each, l).table.*which;
      total[l] = of.total();
      mean[l] = of.mean();
      for (std::size_t u = 0; u < at(all_) && !of.constant(); ++u) out.deviation[u * lanes + l] = of.deviation(u);
    }
    out.total = S::load(total);
    out.mean = S::load(mean);
    return out;
  }
  template <class Value>
  static S sum(index_t count, Value&& value) {
    S out = 0.0;
    for (index_t start = 0; start < count; start += sum_block) {
      S part = 0.0;
      for (index_t j = start; j < std::min(start + sum_block, count); ++j) part += value(j);
      out += part;
    }
    return out;
  }
  static S over(const singles& of, const std::uint32_t* chosen, index_t count) {
    const S whole = S(count) * of.mean;
    if (of.deviation.empty()) return whole;
    return whole + sum(count, [&](index_t k) { return S::load(&of.deviation[chosen[k * column_lanes] * lanes]); });
  }

  index_t reference_, all_;
  std::size_t sample_;
  std::vector<G> values_;
  singles entries_, diagonal_;
};

// values[s][c] = the statistic of column c for sample s, in parallel over columns. triangle: the strict lower triangle of the reference's
// Gram matrix, row after row.
template <class B, class G>
void evaluate_shared(const B& on, std::span<const tested_sample<G>> each, const G* triangle, index_t reference, estimator which,
                     const split_columns& columns, const std::int32_t* row_of, std::span<std::vector<double>> values) {
  constexpr std::size_t lanes = sample_pack<G>::lanes;
  const auto packs = static_cast<index_t>((each.size() + lanes - 1) / lanes);
  struct far_pairs {
    const G* triangle;
    const G* zeros;
    index_t reference;
    const G* row(index_t u) const { return u < reference ? triangle + u * (u - 1) / 2 : zeros; }
  };
  const std::vector<G> zeros(static_cast<std::size_t>(columns.units()));
  const far_pairs far{triangle, zeros.data(), reference};
  const index_t count = columns.chosen(), total = columns.columns();
  const split_weights weights(which, static_cast<double>(count), static_cast<double>(columns.units() - count));
  // The draws of a slab, no more than 16 MB of them where they are short, are made once; then every pack reads them, all by one thread that
  // has just made the pack, unless there are few packs.
  constexpr index_t drawn_together = 16, read_together = 128, most = 1024;  // sixteens
  const index_t slab = std::clamp<index_t>((index_t{1} << 22) / (count * column_lanes), drawn_together, most);
  std::vector<std::uint32_t> chosen(static_cast<std::size_t>(slab * column_lanes * count));
  std::vector<sixteen_columns> sixteens(static_cast<std::size_t>(slab));
  for (index_t first = 0, end = 1; first < total; first = end, end = std::min(end + slab * column_lanes, total)) {
    const index_t used = (end - first + column_lanes - 1) / column_lanes;
    on.for_each((used + drawn_together - 1) / drawn_together, [&](index_t part) {
      column_reader read(columns, row_of);
      for (index_t i = part * drawn_together; i < std::min((part + 1) * drawn_together, used); ++i) {
        std::uint32_t* names = chosen.data() + i * column_lanes * count;
        sixteen_columns& these = sixteens[static_cast<std::size_t>(i)];
        these = {names, {}, 0};
        read.read(first + i * column_lanes, names);
        pair_sums(far, names, count, these.far);
        for (int c = 0; c < column_lanes; ++c) {  // the sample's rows come last
          these.near |= static_cast<std::uint32_t>(names[(count - 1) * column_lanes + c] >= reference) << c;
        }
      }
    });
    const index_t parts = packs < 16 ? (used + read_together - 1) / read_together : 1, share = (used + parts - 1) / parts;
    on.for_each(parts * packs, [&](index_t part) {
      const auto p = static_cast<std::size_t>(part / parts);
      const sample_pack<G> pack(each.subspan(p * lanes, std::min(lanes, each.size() - p * lanes)), reference);
      const index_t begin = part % parts * share;
      for (index_t i = begin; i < std::min(begin + share, used); ++i) {
        double found[column_lanes * lanes];
        pack.statistics(which, weights, sixteens[static_cast<std::size_t>(i)], count, found);
        const index_t column = first + i * column_lanes, width = std::min<index_t>(column_lanes, end - column);
        for (std::size_t l = 0; l < lanes && p * lanes + l < each.size(); ++l) {
          double* out = &values[p * lanes + l][static_cast<std::size_t>(column)];
          for (index_t c = 0; c < width; ++c) out[c] = found[static_cast<std::size_t>(c) * lanes + l];
        }
      }
    });
  }
}

}  // namespace MMD_ISA
}  // namespace detail
}  // namespace mmd
