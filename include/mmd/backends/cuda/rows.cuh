// SPDX-License-Identifier: MIT
// Loops over the rows of matrices on a device: what learning/rows.hpp does to a row, with a warp in the place of a thread. The warp is a
// pack: its lane l holds value k + l, and a value of the whole row is in all lanes.
#pragma once

#include <algorithm>
#include <cstdint>
#include <type_traits>

#include "mmd/backends/cuda/context.cuh"
#include "mmd/core/philox.hpp"
#include "mmd/kernels/number.hpp"

namespace mmd {
namespace detail {
inline namespace MMD_ISA {

inline constexpr int warp_lanes_count = 32;
__device__ inline int warp_lane() { return static_cast<int>(threadIdx.x) % warp_lanes_count; }

// A value in each lane of a warp. All 32 lanes take part in `sum`.
template <class T>
struct warp_pack {
  static constexpr int width = warp_lanes_count;
  T v;

  warp_pack() = default;
  template <class S>
  requires std::is_arithmetic_v<S> __device__ warp_pack(S s) : v(static_cast<T>(s)) {}
  friend __device__ warp_pack operator+(warp_pack a, warp_pack b) { return a.v + b.v; }
  friend __device__ warp_pack operator-(warp_pack a, warp_pack b) { return a.v - b.v; }
  friend __device__ warp_pack operator*(warp_pack a, warp_pack b) { return a.v * b.v; }
  friend __device__ warp_pack operator/(warp_pack a, warp_pack b) { return a.v / b.v; }
  friend __device__ warp_pack operator-(warp_pack a) { return -a.v; }
  friend __device__ warp_pack fma(warp_pack a, warp_pack b, warp_pack c) { return a.v * b.v + c.v; }
  friend __device__ warp_pack max(warp_pack a, warp_pack b) { return a.v > b.v ? a.v : b.v; }  // b if either is NaN
  friend __device__ warp_pack min(warp_pack a, warp_pack b) { return a.v < b.v ? a.v : b.v; }
  friend __device__ warp_pack abs(warp_pack a) { return a.v < 0 ? -a.v : a.v; }
  friend __device__ warp_pack where_positive(warp_pack a, warp_pack b) { return a.v > 0 ? b.v : T(0); }
  friend __device__ warp_pack sqrt(warp_pack a) {
    if constexpr (sizeof(T) == 4) {
      return ::sqrtf(a.v);
    } else {
      return ::sqrt(a.v);
    }
  }
  friend __device__ warp_pack exp(warp_pack a) {
    if constexpr (sizeof(T) == 4) {
      return ::expf(a.v);
    } else {
      return ::exp(a.v);
    }
  }
  __device__ warp_pack& operator+=(warp_pack b) {
    v += b.v;
    return *this;
  }
  __device__ T sum() const {  // lanes in a fixed tree, the same bits in all of them
    T s = v;
    for (int half = width / 2; half > 0; half /= 2) s += __shfl_xor_sync(0xffffffffu, s, half);
    return s;
  }
};

// Reads and writes the lanes below `count`; the others read zeros.
template <class T>
struct warp_access {
  using V = warp_pack<T>;
  index_t count;
  template <class U>
  __device__ V load(const U* p) const {
    return warp_lane() < count ? static_cast<T>(p[warp_lane()]) : T(0);
  }
  template <class U>
  __device__ void store(V value, U* p) const {
    if (warp_lane() < count) p[warp_lane()] = static_cast<U>(value.v);
  }
  __device__ V only(V value) const { return warp_lane() < count ? value.v : T(0); }
};

// The host's pack where nvcc compiles it, which takes no vectors in functions that are also a device's: one value.
template <class T>
struct single_pack : number<T> {
  static constexpr int width = 1;

  single_pack() = default;
  template <class S>
  requires std::is_arithmetic_v<S> MMD_HD single_pack(S s) : number<T>(s) {}
  MMD_HD single_pack(number<T> n) : number<T>(n) {}
  MMD_HD static single_pack load(const T* p) { return *p; }
  template <class U>
  MMD_HD static single_pack load_from(const U* p) {
    return static_cast<T>(*p);
  }
  MMD_HD void store(T* p) const { *p = this->v; }
  template <class U>
  MMD_HD void store_to(U* p) const {
    *p = static_cast<U>(this->v);
  }
  MMD_HD single_pack& operator+=(single_pack b) {
    this->v += b.v;
    return *this;
  }
  MMD_HD T sum() const { return this->v; }
};

// The lanes of a loop on a device: see host_lanes in learning/packs.hpp. Draws is its dropout_draws.
struct warp_lanes {
  template <class T>
  using pack = warp_pack<T>;

  template <class T, class F>
  __device__ static void each(index_t width, const F& f) {
    for (index_t k = 0; k < width; k += warp_lanes_count) f(k, warp_access<T>{width - k});
  }
  template <class T>
  __device__ static void put(T value, T* to) {
    if (warp_lane() == 0) *to = value;
  }
  template <class T>
  __device__ static void gather(const T* from, index_t step, index_t n, T* to) {
    for (index_t k = warp_lane(); k < n; k += warp_lanes_count) to[k] = from[k * step];
  }
  template <class T>
  class mask {
   public:
    static constexpr index_t block = warp_lanes_count;

    template <class Draws>
    __device__ mask(const Draws& draws, index_t row)
        : seed_(draws.seed),
          test_(draws.step),
          draw_(std::uint64_t{draws.layer} << 32 | static_cast<std::uint64_t>(row)),
          least_(draws.least),
          kept_(draws.kept) {}
    __device__ void next() {
      const bool keep = number_of_stream(seed_, purpose::dropout, test_, draw_, column_) >= least_;
      value_ = keep ? kept_ : T(0);
      column_ += static_cast<std::uint64_t>(block);
    }
    template <class At>
    __device__ pack<T> load(At, index_t) const {
      return value_;
    }

   private:
    std::uint64_t seed_, test_, draw_, column_ = static_cast<std::uint64_t>(warp_lane());
    std::uint32_t least_;
    T kept_, value_ = 0;
  };
};

inline constexpr int row_warps = 4;  // of a block
__device__ inline index_t warp_number() { return index_t{blockIdx.x} * row_warps + threadIdx.x / warp_lanes_count; }

template <class F>
__global__ void __launch_bounds__(row_warps* warp_lanes_count) each_row(index_t rows, F f) {
  if (warp_number() < rows) f(warp_lanes{}, warp_number());
}
template <class T, class F>
__global__ void __launch_bounds__(row_warps* warp_lanes_count)
    each_chunk(index_t rows, index_t rows_each, index_t width, T* partials, F f) {
  const index_t first = warp_number() * rows_each;
  if (first >= rows) return;
  T* const sums = partials + warp_number() * width;
  for (index_t k = warp_lane(); k < width; k += warp_lanes_count) sums[k] = T(0);
  __syncwarp();  // a row's lanes need not be those that wrote the zeros
  for (index_t i = first, end = first + rows_each < rows ? first + rows_each : rows; i < end; ++i) f(warp_lanes{}, i, sums);
}
template <class F>
__global__ void __launch_bounds__(row_warps* warp_lanes_count) each_part(index_t size, F f) {
  const index_t first = warp_number() * warp_lanes_count, left = size - first;
  if (left > 0) f(warp_lanes{}, first, left < warp_lanes_count ? left : warp_lanes_count);
}

inline unsigned blocks_of_warps(index_t warps) { return static_cast<unsigned>((warps + row_warps - 1) / row_warps); }

// f(lanes, i) for each row i.
template <class F>
void run_rows(device_context& context, index_t rows, const F& f) {
  const auto turn = context.enter();
  launch(each_row<F>, blocks_of_warps(rows), row_warps * warp_lanes_count, 0, context.stream(0), rows, f);
}
// How rows are cut where they add up: by their number alone; as many chunks as fill a device, and no more, since the sums of all of them
// are then added up column by column.
struct row_chunks {
  static constexpr index_t most = 128, fewest_rows = 4;  // from a model of an H100, not measured
  index_t rows, count;
  explicit row_chunks(index_t all) : rows(std::max(fewest_rows, (all + most - 1) / most)), count((all + rows - 1) / rows) {}
};
// f(lanes, i, sums) for each row i; row c of `partials` becomes the sums of chunk c, which start at 0.
template <class T, class F>
void run_sums(device_context& context, index_t rows, index_t width, T* partials, const F& f) {
  const auto turn = context.enter();
  const row_chunks chunks(rows);
  launch(each_chunk<T, F>, blocks_of_warps(chunks.count), row_warps * warp_lanes_count, 0, context.stream(0), rows, chunks.rows, width,
         partials, f);
}
// f(lanes, first, count) for parts that make up 0 ... size - 1, one value a lane.
template <class F>
void run_parts(device_context& context, index_t size, const F& f) {
  const auto turn = context.enter();
  launch(each_part<F>, blocks_of_warps((size + warp_lanes_count - 1) / warp_lanes_count), row_warps * warp_lanes_count, 0,
         context.stream(0), size, f);
}

}  // namespace MMD_ISA
}  // namespace detail
}  // namespace mmd
