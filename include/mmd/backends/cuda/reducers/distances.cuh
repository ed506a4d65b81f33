// SPDX-License-Identifier: MIT
// Counts of distances on the device: whole numbers and order statistics only, which any order of the pairs leaves the same.
#pragma once

#include <bit>
#include <cstdint>
#include <vector>

#include "mmd/backends/cuda/reducers/part.cuh"
#include "mmd/engine/distance_counts.hpp"

namespace mmd {
namespace detail {
inline namespace MMD_ISA {

// What all blocks count together. Distances are compared as the bits of doubles, which are ordered as they are.
struct distance_totals {
  using number = unsigned long long;
  number below, inside, above, largest;
  number bins[distance_counts::bin_count];
};

struct distance_view {
  distance_totals* total;
  double* values;
  distance_totals::number room, low_bits;
  double low, high;
  int shift;

  // Order statistics are taken in double: there is no such function for tiles of float.
  template <int C>
  __device__ void add(const fragment<double, C>& k, const tile_place& p, unsigned char* shared) const {
    using number = distance_totals::number;
    constexpr int bins = static_cast<int>(distance_counts::bin_count);
    auto* const bin = reinterpret_cast<unsigned*>(shared);          // this tile's
    auto* const inside_of_warp = bin + bins;                        // [8]
    auto* const place = reinterpret_cast<number*>(bin + bins + 8);  // of the tile's first value among those inside
    const int t = static_cast<int>(threadIdx.x), lane = t % 32;

    unsigned below = 0, inside = 0;
    number above = ~number{0}, largest = 0;
    each(k, p, t, [&](double v) {
      const number bits = bits_of(v);
      below += v < low;
      if (v > high) above = min(above, bits);
      largest = max(largest, bits);
      inside += v >= low && v <= high;
    });
    unsigned before = inside;  // in lanes up to this one, then before it
#pragma unroll
    for (int step = 1; step < 32; step *= 2) {
      const unsigned left = __shfl_up_sync(all_lanes, before, static_cast<unsigned>(step));
      if (lane >= step) before += left;
    }
    if (lane == 31) inside_of_warp[t / 32] = before;
    before -= inside;
#pragma unroll
    for (int step = 16; step > 0; step /= 2) {
      below += __shfl_xor_sync(all_lanes, below, step);
      above = min(above, __shfl_xor_sync(all_lanes, above, step));
      largest = max(largest, __shfl_xor_sync(all_lanes, largest, step));
    }
    if (lane == 0) {
      if (below > 0) atomicAdd(&total->below, number{below});
      if (above != ~number{0}) atomicMin(&total->above, above);
      atomicMax(&total->largest, largest);
    }
    for (int b = t; b < bins; b += tile_threads) bin[b] = 0;
    __syncthreads();
    unsigned found = 0;
    for (int w = 0; w < 8; ++w) {
      if (w == t / 32) before += found;
      found += inside_of_warp[w];
    }
    if (found == 0) return;
    if (t == 0) *place = atomicAdd(&total->inside, number{found});
    __syncthreads();
    number to = *place + before;
    each(k, p, t, [&](double v) {
      if (!(v >= low && v <= high)) return;
      atomicAdd(&bin[(bits_of(v) - low_bits) >> shift], 1u);
      if (to < room) values[to] = v;
      ++to;
    });
    __syncthreads();
    for (int b = t; b < bins; b += tile_threads) {
      if (bin[b] > 0) atomicAdd(&total->bins[b], number{bin[b]});
    }
  }

 private:
  static __device__ distance_totals::number bits_of(double v) { return static_cast<distance_totals::number>(__double_as_longlong(v)); }
  // Every pair of the tile once.
  template <int C, class F>
  static __device__ void each(const fragment<double, C>& k, const tile_place& p, int t, const F& f) {
    using place = fragment<double, C>;
#pragma unroll
    for (int a = 0; a < 8; ++a) {
#pragma unroll
      for (int b = 0; b < C; ++b) {
        const int row = place::row(t, a), column = place::column(t, b);
        if (row < p.rows && column < p.cols && !(p.diagonal && row >= column + p.column)) f(k.v[a][b]);
      }
    }
  }
};

// Memory: what the reducer holds.
template <>
class device_part<distance_counts> {
 public:
  using view = distance_view;

  device_part(device_context& on, distance_counts& r, const layout&, const std::vector<panel>&, int, int)
      : on_(&on), r_(&r), values_(on, static_cast<index_t>(r.values.size()), on.stream(0), "distances") {
    std::vector<distance_totals> none(1);
    none[0].above = distance_counts::bits(r.above);
    total_ = upload(on, std::span<const distance_totals>(none), "counts of distances");
  }
  static std::uint64_t bytes(const distance_counts& r, const layout& lay, int, int) { return r.bytes(lay) + sizeof(distance_totals); }
  view on_stream(int) const {
    return {total_.data(), values_.data(), r_->values.size(), distance_counts::bits(r_->low), r_->low, r_->high, r_->shift};
  }
  void fold(int, const macro&, const pass_view&) {}
  void finish() {
    for (int s = 1; s < device_context::streams; ++s) on_->order(s, 0);
    std::vector<distance_totals> found(1);
    total_.get(found, on_->stream(0));
    const distance_totals& total = found[0];
    r_->below = static_cast<index_t>(total.below);
    r_->inside = static_cast<index_t>(total.inside);
    r_->above = std::bit_cast<double>(total.above);
    r_->largest = std::bit_cast<double>(total.largest);
    for (std::size_t b = 0; b < distance_counts::bin_count; ++b) r_->bins[b] = static_cast<index_t>(total.bins[b]);
    const auto kept = std::min(r_->values.size(), static_cast<std::size_t>(total.inside));
    values_.get(std::span(r_->values).first(kept), on_->stream(0));
  }

 private:
  device_context* on_;
  distance_counts* r_;
  buffer<double> values_;
  buffer<distance_totals> total_;
};

}  // namespace MMD_ISA
}  // namespace detail
}  // namespace mmd
