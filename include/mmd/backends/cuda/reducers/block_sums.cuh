// SPDX-License-Identifier: MIT
// Sums between bins of consecutive rows on the device.
#pragma once

#include <algorithm>
#include <bit>
#include <vector>

#include "mmd/backends/cuda/reducers/part.cuh"

namespace mmd {
namespace detail {
inline namespace MMD_ISA {

// Where the bins lie, on the device: first[b] is the first row of bin b, first[bins] = N; of_row the bin of every row.
struct bins_view {
  const index_t* first;
  const int* of_row;
};

// Every tile leaves, for the bins that meet each half of its rows (64), the sums over their rows there of each of its columns:
// [slot_i][slot_j][2][capacity][16 C]. They need no exchange between warps; columns are put together in double when the macro is folded.
struct block_sums_view {
  bins_view bins;
  double* partial;
  int side, capacity;

  template <class T, int C>
  __device__ void add(const fragment<T, C>& k, const tile_place& p, unsigned char*) const {
    using F = fragment<T, C>;
    constexpr int width = F::tile_columns;
    const int t = static_cast<int>(threadIdx.x), half = t / 128, rows = min(64, p.rows - 64 * half);
    if (rows <= 0 || p.cols <= 0) return;
    const index_t from = p.first_i + 64 * half, tile = index_t{p.slot_i} * side * F::slices + p.slot_j;
    double* to = partial + (2 * tile + half) * capacity * width;
    int begin = 0;  // in this half
    for (int bin = bins.of_row[from]; begin < rows; ++bin, to += width) {
      const int end = min(rows, static_cast<int>(min(bins.first[bin + 1] - from, index_t{64})));
      T sum[C];
#pragma unroll
      for (int b = 0; b < C; ++b) sum[b] = T(0);
#pragma unroll
      for (int a = 0; a < 8; ++a) {
        if (8 * a >= end || 8 * a + 8 <= begin) continue;
        const int row = F::row(t % 128, a);
        const bool inside = row >= begin && row < end;
#pragma unroll
        for (int b = 0; b < C; ++b) sum[b] += inside ? k.v[a][b] : T(0);
      }
      const int column = sum_over_lanes<8, C>(sum, 4);
      if (t % 32 < 4 * C) to[F::column(t, column)] = static_cast<double>(sum[0]);
      begin = end;
    }
  }
};

// Entry (a, b) of the sums takes what the macro holds of rows of bin a and columns of bin b; a team of 2^log_team <= 256 threads shares one
// entry: up to 32 of them neighbouring columns, groups of 32 the tiles in turn. Tiles on the diagonal hold both orders and count half: the
// sums and their transpose together are the reducer's.
template <class S>
struct block_fold {
  pass_view pass;
  macro at;
  bins_view bins;
  const int* panel_of;  // of the first row of every bin, and the number of panels
  const S* partial;
  S* sums;
  index_t all_bins, first_a, first_b;
  int count_b, slices, log_width, capacity, log_team;
};
template <class S>
__global__ void __launch_bounds__(256) fold_block_sums(const __grid_constant__ block_fold<S> f) {
  __shared__ S part[256];
  const int t = static_cast<int>(threadIdx.x), team = 1 << f.log_team, member = t & (team - 1);
  const int across = min(team, 32), turns = max(team / 32, 1), own_turn = member / 32, width = 1 << f.log_width;
  const int entry = static_cast<int>(blockIdx.x) * (256 >> f.log_team) + (t >> f.log_team);
  const index_t a = f.first_a + blockIdx.y, b = f.first_b + entry;
  const bool exists = entry < f.count_b;
  S sum = 0;
  if (exists) {
    const index_t a_begin = f.bins.first[a], a_end = f.bins.first[a + 1], b_begin = f.bins.first[b], b_end = f.bins.first[b + 1];
    const auto first_panel = [&](index_t from, index_t bin) { return max(from, static_cast<index_t>(f.panel_of[bin])); };
    const auto end_panel = [&](index_t end, index_t bin) { return min(end, static_cast<index_t>(f.panel_of[bin + 1]) + 1); };
    int turn = 0;
    for (index_t i = first_panel(f.at.i_panel, a); i < end_panel(f.at.i_panel + f.at.panels_i, a); ++i) {
      const index_t i_first = f.pass.panels[i].first;
      const int i_rows = f.pass.panels[i].rows;
      for (int half = 0; 64 * half < i_rows; ++half) {
        const index_t from = i_first + 64 * half;
        if (a_begin >= i_first + min(i_rows, 64 * half + 64) || a_end <= from) continue;
        const index_t place = a - f.bins.of_row[from];
        for (index_t j = first_panel(f.at.j_panel, b); j < end_panel(f.at.j_panel + f.at.panels_j, b); ++j) {
          if (!f.pass.holds(i, j)) continue;
          if ((turn++ & (turns - 1)) != own_turn) continue;
          const index_t j_first = f.pass.panels[j].first, j_rows = f.pass.panels[j].rows;
          const int low = static_cast<int>(max(b_begin - j_first, index_t{0})), high = static_cast<int>(min(b_end - j_first, j_rows));
          const index_t tile = ((i - f.at.i_panel) * f.at.side + (j - f.at.j_panel)) * f.slices;
          S inside = 0;
          for (int c = low + (member & (across - 1)); c < high; c += across) {
            inside += f.partial[((2 * (tile + (c >> f.log_width)) + half) * f.capacity + place) * width + (c & (width - 1))];
          }
          sum += i == j ? inside / 2 : inside;
        }
      }
    }
  }
  part[t] = sum;
  for (int step = team / 2; step > 0; step /= 2) {
    __syncthreads();
    if (member < step) part[t] += part[t + step];
  }
  if (exists && member == 0) f.sums[a * f.all_bins + b] += part[t];
}

// Memory: 16 s^2 bytes, 12 N, and for a macro 2 KB a tile and bin that 64 rows can meet, twice.
template <>
class device_part<block_sums> {
 public:
  using view = block_sums_view;

  device_part(device_context& on, block_sums& r, const layout& lay, const std::vector<panel>& panels, int side, int slices)
      : r_(&r),
        panels_(&panels),
        side_(side),
        slices_(slices),
        capacity_(most_bins(r)),
        log_team_(floor_log2(std::min<index_t>(256, lay.rows / r.bins()))),
        sums_(on, partial(r, side), r.bins() * r.bins()) {
    std::vector<index_t> first{0};
    std::vector<int> panel_of;
    for (const index_t rows : r.bin_rows) first.push_back(first.back() + rows);
    for (std::size_t p = 0; const index_t row : first) {
      while (p < panels.size() && panels[p].first + panels[p].rows <= row) ++p;
      panel_of.push_back(static_cast<int>(p));
    }
    first_ = upload(on, std::span<const index_t>(first), "the bins' first rows");
    panel_of_ = upload(on, std::span<const int>(panel_of), "the bins' first panels");
    bin_ = upload(on, std::span<const int>(r.bin), "the rows' bins");
  }
  static std::uint64_t bytes(const block_sums& r, const layout& lay, int side, int) {
    const auto bins = static_cast<std::uint64_t>(r.bins() + 1);
    return stream_sums::bytes(partial(r, side), r.bins() * r.bins()) + bins * (sizeof(index_t) + sizeof(int)) +
           static_cast<std::uint64_t>(lay.rows) * sizeof(int);
  }
  view on_stream(int s) const { return {bins(), sums_.partial(s), side_, capacity_}; }
  void fold(int s, const macro& m, const pass_view& pass) {
    const auto first = [&](index_t panel) { return index_t{r_->bin[at((*panels_)[at(panel)].first)]}; };
    const auto last = [&](index_t panel) { return index_t{r_->bin[at((*panels_)[at(panel)].first + (*panels_)[at(panel)].rows - 1)]}; };
    const index_t first_a = first(m.i_panel), first_b = first(m.j_panel);
    const auto count_a = static_cast<unsigned>(last(m.i_panel + m.panels_i - 1) - first_a + 1);
    const auto count_b = static_cast<int>(last(m.j_panel + m.panels_j - 1) - first_b + 1);
    const int log_width = floor_log2(panel_rows / slices_);
    const block_fold<double> f{pass,    m,       bins(),  panel_of_.data(), sums_.partial(s), sums_.sums(s), r_->bins(),
                               first_a, first_b, count_b, slices_,          log_width,        capacity_,     log_team_};
    launch(fold_block_sums<double>, dim3(blocks_for(count_b, 256 >> log_team_), count_a), 256, 0, sums_.stream(s), f);
  }
  void finish() {
    std::vector<double>& sums = r_->sums;
    sums_.finish(sums);
    const index_t bins = r_->bins();
    for (index_t a = 0; a < bins; ++a) {
      for (index_t b = 0; b <= a; ++b) sums[at(a * bins + b)] = sums[at(b * bins + a)] = sums[at(a * bins + b)] + sums[at(b * bins + a)];
    }
  }

 private:
  static int floor_log2(index_t x) { return static_cast<int>(std::bit_width(static_cast<std::uint64_t>(x))) - 1; }
  // How many bins 64 consecutive rows can meet.
  static int most_bins(const block_sums& r) {
    index_t most = 0, inside = 0;  // inside: rows of bins first ... b - 1, all but one of which 64 rows must hold
    std::size_t first = 0;
    for (std::size_t b = 0; b < r.bin_rows.size(); ++b) {
      while (first < b && inside - r.bin_rows[first] > 62) inside -= r.bin_rows[first++];
      most = std::max(most, static_cast<index_t>(b - first + 1));
      inside += r.bin_rows[b];
    }
    return static_cast<int>(most);
  }
  static index_t partial(const block_sums& r, int side) { return index_t{side} * side * 2 * most_bins(r) * panel_rows; }
  bins_view bins() const { return {first_.data(), bin_.data()}; }

  block_sums* r_;
  const std::vector<panel>* panels_;
  int side_, slices_, capacity_, log_team_;
  stream_sums sums_;
  buffer<index_t> first_;
  buffer<int> panel_of_, bin_;
};

}  // namespace MMD_ISA
}  // namespace detail
}  // namespace mmd
