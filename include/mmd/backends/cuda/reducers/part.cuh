// SPDX-License-Identifier: MIT
// What a reducer is on the device, and what the parts of all of them share.
#pragma once

#include <algorithm>
#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "mmd/backends/cuda/buffer.cuh"
#include "mmd/backends/cuda/fragment.cuh"
#include "mmd/engine/reducers.hpp"

namespace mmd {
namespace detail {
inline namespace MMD_ISA {

// The device's part of a reducer: made for one pass, after `prepare`. The pass works through macros of side x side panels; `slices` is how
// many tiles a panel is cut into across (8 / C). A specialisation for a reducer R has
//   device_part(device_context&, R& prepared, const layout&, const std::vector<panel>&, int side, int slices);
//   static std::uint64_t bytes(const R&, const layout&, int side, int slices);   // of device memory that it will hold
//   view on_stream(int s);             // plain data for the tile kernel of stream s, with
//     template <class T, int C>        // T is float and double; C is 8, 4 and 2
//     __device__ void add(const fragment<T, C>& k, const tile_place& p, unsigned char* shared) const;
//   void fold(int s, const macro&, const pass_view&);   // submits to stream s what is to happen after the tiles of a macro
//   void finish();                     // brings what was found into the reducer; waits for both streams
// All threads of a block call `add`; `shared` is tile_shared bytes, and a barrier stands before. A tile may have no columns. The same bits
// from run to run: tiles leave partial sums in memory of the macro, `fold` adds these up in an order of its own, the two streams are merged
// in order.
template <class R>
struct device_part {
  static_assert(
      sizeof(R) == 0,
      "mmd: this reducer has no part for the device. One that keeps single values of K needs two members, places(array) and "
      "stored(), as mmd::paired_values has them; one that keeps sums of a function of K for every row derives a specialisation of "
      "mmd::detail::device_part from mmd::detail::row_sums_part; any other specialises mmd::detail::device_part itself: "
      "mmd/backends/cuda/reducers/part.cuh says how");
};

// The widest tile of T, 16 columns times this, that leaves R's view the registers it needs, on every architecture.
template <class R, class T>
inline constexpr int most_columns = 8;
template <class T>
inline constexpr int most_columns<quadratic_forms, T> = sizeof(T) == 4 ? 4 : 2;
template <>
inline constexpr int most_columns<paired_values, float> = 4;
template <keeps_values R>
inline constexpr int most_columns<R, double> = 2;

// The columns of a thread for `slots` quantities of type T and the reducers R.
template <class T, class... R>
constexpr int columns_of_pass(int slots) {
  return std::min({fragment_columns<T>(slots), most_columns<R, T>...});
}

inline constexpr unsigned all_lanes = 0xffffffffu;

// Adds up v over `lanes` (a power of two) lanes whose numbers differ in the bits stride, 2 stride, ...; every lane ends with the sums of
// max(1, N / lanes) of the N values, in v[0] ..., and is told the number of the first. Where N < lanes, lanes / N of them end with the
// same. The tree is the same for all values.
template <int lanes, int N, class T>
__device__ __forceinline__ int sum_over_lanes(T* v, int stride) {
  if constexpr (lanes == 1) {
    return 0;
  } else if constexpr (N == 1) {
    v[0] += __shfl_xor_sync(all_lanes, v[0], stride);
    return sum_over_lanes<lanes / 2, 1>(v, 2 * stride);
  } else {
    const bool upper = (static_cast<int>(threadIdx.x) & stride) != 0;
#pragma unroll
    for (int i = 0; i < N / 2; ++i) {
      const T kept = upper ? v[i + N / 2] : v[i], sent = upper ? v[i] : v[i + N / 2];
      v[i] = kept + __shfl_xor_sync(all_lanes, sent, stride);
    }
    return (upper ? N / 2 : 0) + sum_over_lanes<lanes / 2, N / 2>(v, 2 * stride);
  }
}

inline unsigned blocks_for(index_t count, index_t each) { return static_cast<unsigned>((count + each - 1) / each); }

template <class S>
__global__ void add_into(S* sum, const S* part, index_t count) {
  const index_t i = static_cast<index_t>(blockIdx.x) * blockDim.x + threadIdx.x;
  if (i < count) sum[i] += part[i];
}

// What the parts of reducers that hold sums have for each stream: partial sums of the tiles of one macro, and sums of all macros so far.
class stream_sums {
 public:
  stream_sums(device_context& on, index_t partial, index_t sums) : on_(&on) {
    for (int s = 0; s < device_context::streams; ++s) {
      partial_[s] = buffer<double>(on, partial, on.stream(s), "partial sums of tiles");
      sums_[s] = buffer<double>(on, sums, on.stream(s), "the sums of a reducer");
      sums_[s].zero(on.stream(s));
    }
  }
  static std::uint64_t bytes(index_t partial, index_t sums) { return device_context::streams * doubles(partial + sums); }
  cudaStream_t stream(int s) const { return on_->stream(s); }
  double* partial(int s) const { return partial_[s].data(); }
  double* sums(int s) const { return sums_[s].data(); }
  // Merges the streams in order.
  void finish(std::span<double> out) {
    for (int s = 1; s < device_context::streams; ++s) {
      on_->order(s, 0);
      launch(add_into<double>, blocks_for(sums_[0].size(), 256), 256, 0, stream(0), sums(0), static_cast<const double*>(sums(s)),
             sums_[0].size());
    }
    sums_[0].get(out, stream(0));
  }

 private:
  device_context* on_;
  buffer<double> partial_[device_context::streams], sums_[device_context::streams];
};

// A copy of a reducer's table on the device, for both streams.
template <class T>
buffer<T> upload(device_context& on, std::span<const T> values, const char* what) {
  buffer<T> out(on, static_cast<index_t>(values.size()), on.stream(0), what);
  out.put(values, on.stream(0));
  for (int s = 1; s < device_context::streams; ++s) on.order(0, s);
  return out;
}

}  // namespace MMD_ISA
}  // namespace detail
}  // namespace mmd
