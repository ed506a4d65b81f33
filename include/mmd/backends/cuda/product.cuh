// SPDX-License-Identifier: MIT
// What the pairs of a tile have in common before norms are added: inner products, or sums over their differences. Features pass through
// shared memory in stages, two of them in turn, with one barrier each; the next stage is on its way in registers meanwhile, because
// operands are split and rounded once, on their way to shared memory, and not by every warp that reads them (so cp.async is of no use
// here).
#pragma once

#include <cuda_runtime.h>

#include <type_traits>

#include "mmd/backends/cuda/fragment.cuh"
#include "mmd/backends/cuda/mma.cuh"
#include "mmd/kernels/basic.hpp"

namespace mmd {
namespace detail {
inline namespace MMD_ISA {

// How inner products of floats are taken: multiply-adds; three tf32 products of the operands' high and low parts, x = h + l, as
// l h' + h l' + h h', which leaves out l l', 2^-22 of the product; or one product of operands rounded to tf32 or bf16. A run-time value,
// the same for a whole pass: one kernel has them all. Of no effect on doubles (tensor cores take them as they are) and differences.
enum class arithmetic : int { multiply_add, three_tf32, tf32, bf16 };

// Where a slot's values come from.
template <class T>
struct slot_source {
  const T* z;     // packed rows x width, row-major; width a multiple of 8, zeros behind the features
  const T* norm;  // squared norms of the packed rows
  index_t width;
  const T* product;  // inner products of the macro that cuBLAS has taken, panel after panel: [row * ld + column]. nullptr: not taken yet
  index_t ld;
  arithmetic by;
};

struct multiply_step {
  template <class T>
  static __device__ T next(T c, T x, T y) {
    return c + x * y;
  }
};
struct absolute_step {
  template <class T>
  static __device__ T next(T c, T x, T y) {
    return c + abs(x - y);
  }
};
struct squared_step {
  template <class T>
  static __device__ T next(T c, T x, T y) {
    const T difference = x - y;
    return c + difference * difference;
  }
};

__device__ inline void load(const unsigned char* p, float (&v)[4]) {
  const float4 x = *reinterpret_cast<const float4*>(p);
  v[0] = x.x, v[1] = x.y, v[2] = x.z, v[3] = x.w;
}
__device__ inline void load(const unsigned char* p, float (&v)[2]) {
  const float2 x = *reinterpret_cast<const float2*>(p);
  v[0] = x.x, v[1] = x.y;
}
__device__ inline void load(const unsigned char* p, double (&v)[1]) { v[0] = *reinterpret_cast<const double*>(p); }

// A stage in shared memory: two planes of 128 rows of I, then two of 16 C rows of J; a row of a plane is 32 bytes of features, in two
// halves. The planes are the high and low parts of the same 8 features, or the next 2 x 32 bytes of features. In every other group of four
// rows the halves are exchanged, so that eight rows' halves of one side lie in 32 different banks: whatever reads or writes 8 x 16 bytes
// has no conflicts.
template <int C>
struct stage {
  static constexpr int row_bytes = 32, plane_i = panel_rows * row_bytes, plane_j = 16 * C * row_bytes;
  static constexpr int begin_j = 2 * plane_i, bytes = 2 * (plane_i + plane_j);
  static_assert(2 * bytes + 2 * tile_threads * 16 <= tile_shared);
  static __device__ int offset(int row, int half) { return row * row_bytes + ((half ^ (row >> 2 & 1)) << 4); }
};

// What happens to features on their way to a stage: they are split in two tf32 parts, or left as they are.
enum class operands { split, whole };

// A thread's share of the way from the packed features to a stage: 16 bytes of a row of I, the same of J; twice unless they are split.
template <class T, int C, operands as>
class stager {
  static constexpr int plane = 32 / sizeof(T);  // features of a row in one plane
  static constexpr int pieces = as == operands::split ? 1 : 2, depth = pieces * plane;

 public:
  __device__ stager(const slot_source<T>& s, const tile_place& p)
      : left_(static_cast<int>(s.width)), thread_(thread_of_block()), to_(stage<C>::offset(thread_ / 2, thread_ % 2)) {
    const index_t row = thread_ / 2, feature = thread_ % 2 * (plane / 2);
    i_ = s.z + (p.packed_i + row) * s.width + feature;
    j_ = has_j() ? s.z + (p.packed_j + row) * s.width + feature : i_;
  }
  __device__ int left() const { return left_; }  // features that have not set out

  // The next stage sets out. Features come in eights: the second piece of the last stage may not exist, and is zero then.
  __device__ void start(unsigned char* shared, int begin) {
    if constexpr (as == operands::split) {
      start_copy(landing(shared, 0), i_, true);
      if (has_j()) start_copy(landing(shared, 1), j_, true);
    } else {
      unsigned char* const to = shared + begin + to_;
#pragma unroll
      for (int n = 0; n < pieces; ++n) {
        const bool exists = n == 0 || left_ > plane;
        start_copy(to + n * stage<C>::plane_i, i_ + n * plane, exists);
        if (has_j()) start_copy(to + stage<C>::begin_j + n * stage<C>::plane_j, j_ + n * plane, exists);
      }
    }
    i_ += depth, j_ += depth, left_ -= depth;
  }
  // It arrives; the other threads see it after a barrier.
  __device__ void finish(unsigned char* shared, int begin) const {
    copies_done();
    if constexpr (as == operands::split) {
      unsigned char* const to = shared + begin + to_;
      split(landing(shared, 0), to, to + stage<C>::plane_i);
      if (has_j()) split(landing(shared, 1), to + stage<C>::begin_j, to + stage<C>::begin_j + stage<C>::plane_j);
    }
  }

 private:
  int left_, thread_, to_;
  const T *i_, *j_;

  // Where what is to be split lands: behind both stages, 16 bytes of each side for each thread.
  __device__ unsigned char* landing(unsigned char* shared, int side) const {
    return shared + 2 * stage<C>::bytes + (side * tile_threads + thread_) * 16;
  }
  __device__ bool has_j() const { return C == 8 || thread_ < 32 * C; }
  static __device__ float4 rounded(float4 x) { return make_float4(tf32_of(x.x), tf32_of(x.y), tf32_of(x.z), tf32_of(x.w)); }
  static __device__ void split(const unsigned char* from, unsigned char* plane_0, unsigned char* plane_1) {
    const float4 x = *reinterpret_cast<const float4*>(from), high = rounded(x);
    *reinterpret_cast<float4*>(plane_0) = high;
    *reinterpret_cast<float4*>(plane_1) = rounded(make_float4(x.x - high.x, x.y - high.y, x.z - high.z, x.w - high.w));
  }
};

// f(stage) for all stages. Begins without a barrier, ends with one.
template <operands as, class T, int C, class F>
__device__ inline void for_stages(const slot_source<T>& s, const tile_place& p, unsigned char* shared, F&& f) {
  stager<T, C, as> features(s, p);
  features.start(shared, 0);
  features.finish(shared, 0);
  __syncthreads();
  int now = 0;
#pragma unroll 1
  for (bool more = true; more; now = stage<C>::bytes - now) {
    more = features.left() > 0;
    if (more) features.start(shared, stage<C>::bytes - now);
    f(static_cast<const unsigned char*>(shared + now));
    if (more) features.finish(shared, stage<C>::bytes - now);
    __syncthreads();
  }
}

// Operands of one tf32 product, as bits: rounded to 11 significant bits, or to the 8 of bf16, ties away from zero.
struct round_bits {
  std::uint32_t half, kept;
  __device__ explicit round_bits(arithmetic by) : half(by == arithmetic::bf16 ? 0x8000u : 0x1000u), kept(~(2 * half - 1)) {}
  template <int n>
  __device__ void operator()(std::uint32_t (&word)[n]) const {
#pragma unroll
    for (int i = 0; i < n; ++i) word[i] = (word[i] + half) & kept;
  }
};

// What tensor cores add to a warp's 64 x 4 C values from one stage. Of split operands three products are summed apart and added by an
// ordinary addition: tensor cores truncate their sums, which over many stages would not be float's accuracy.
template <operands as, int C>
__device__ inline void add_products(const unsigned char* from, [[maybe_unused]] round_bits rounded, fragment<float, C>& out) {
  const int thread = thread_of_block(), lane = thread % 32, warp = thread / 32;
  using S = stage<C>;
  // Matrices for lanes 0-7, 8-15, ...: of I rows 0-7 and 8-15 of the first half, then of the second; of J both halves of plane 0, then
  // of 1.
  const unsigned char* const i = from + warp / 4 * 64 * S::row_bytes + S::offset(lane % 16, lane / 16);
  const unsigned char* const j =
      from + S::begin_j + lane / 16 * S::plane_j + warp % 4 * (4 * C) * S::row_bytes + S::offset(lane % 8, lane / 8 % 2);
  std::uint32_t b[C / 2][4];
#pragma unroll
  for (int n = 0; n < C / 2; ++n) {
    load_matrices(b[n], j + n * 8 * S::row_bytes);
    if constexpr (as == operands::whole) rounded(b[n]);
  }
#pragma unroll
  for (int m = 0; m < 4; ++m) {
    std::uint32_t a0[4], a1[4];
    load_matrices(a0, i + m * 16 * S::row_bytes);
    load_matrices(a1, i + m * 16 * S::row_bytes + S::plane_i);
    if constexpr (as == operands::whole) {
      rounded(a0);
      rounded(a1);
    }
#pragma unroll
    for (int n = 0; n < C / 2; ++n) {
      float &c0 = out.v[2 * m][2 * n], &c1 = out.v[2 * m][2 * n + 1], &c2 = out.v[2 * m + 1][2 * n], &c3 = out.v[2 * m + 1][2 * n + 1];
      if constexpr (as == operands::split) {
        float t0 = 0, t1 = 0, t2 = 0, t3 = 0;
        mma_tf32(t0, t1, t2, t3, a1, b[n][0], b[n][1]);
        mma_tf32(t0, t1, t2, t3, a0, b[n][2], b[n][3]);
        mma_tf32(t0, t1, t2, t3, a0, b[n][0], b[n][1]);
        c0 += t0, c1 += t1, c2 += t2, c3 += t3;
      } else {
        mma_tf32(c0, c1, c2, c3, a0, b[n][0], b[n][1]);
        mma_tf32(c0, c1, c2, c3, a1, b[n][2], b[n][3]);
      }
    }
  }
}
template <int C>
__device__ inline void add_products(const unsigned char* from, fragment<double, C>& out) {
  const int thread = thread_of_block(), lane = thread % 32, warp = thread / 32;
  using S = stage<C>;
  // Half a warp reads 4 rows of 32 bytes that follow one another.
  const int mine = S::offset(lane / 4, lane % 4 / 2) + lane % 2 * 8;
  const auto at = [](const unsigned char* p) { return *reinterpret_cast<const double*>(p); };
#pragma unroll
  for (int plane = 0; plane < 2; ++plane) {
    const unsigned char* const i = from + plane * S::plane_i + warp / 4 * 64 * S::row_bytes + mine;
    const unsigned char* const j = from + S::begin_j + plane * S::plane_j + warp % 4 * (4 * C) * S::row_bytes + mine;
    double b[C / 2];
#pragma unroll
    for (int n = 0; n < C / 2; ++n) b[n] = at(j + n * 8 * S::row_bytes);
#pragma unroll
    for (int m = 0; m < 4; ++m) {
      const double a0 = at(i + m * 16 * S::row_bytes), a1 = at(i + (m * 16 + 8) * S::row_bytes);
#pragma unroll
      for (int n = 0; n < C / 2; ++n)
        mma_double(out.v[2 * m][2 * n], out.v[2 * m][2 * n + 1], out.v[2 * m + 1][2 * n], out.v[2 * m + 1][2 * n + 1], a0, a1, b[n]);
    }
  }
}

// The same without tensor cores, for any step. Reads of I are of eight neighbouring rows, reads of J of four: of 16 bytes each, or of 8
// where differences need registers too.
template <class Step, class T, int C>
__device__ inline void add_steps(const unsigned char* from, fragment<T, C>& out) {
  using S = stage<C>;
  constexpr int bytes = std::is_same_v<Step, multiply_step> ? 16 : 8, W = bytes / sizeof(T), reads = S::row_bytes / bytes;
  const int t = thread_of_block();
#pragma unroll 1
  for (int part = 0; part < 2 * reads; ++part) {
    const int plane = part / reads, byte = part % reads * bytes;
    const auto start = [&](int row) { return S::offset(row, byte / 16) + byte % 16; };
    const unsigned char* const i = from + plane * S::plane_i + start(fragment<T, C>::row(t, 0));
    const unsigned char* const j = from + S::begin_j + plane * S::plane_j + start(fragment<T, C>::column(t, 0));
    T x[8][W];
#pragma unroll
    for (int a = 0; a < 8; ++a) load(i + a * 8 * S::row_bytes, x[a]);
#pragma unroll
    for (int b = 0; b < C; ++b) {
      T y[W];
      load(j + (b / 2 * 8 + b % 2) * S::row_bytes, y);
#pragma unroll
      for (int k = 0; k < W; ++k) {
#pragma unroll
        for (int a = 0; a < 8; ++a) out.v[a][b] = Step::next(out.v[a][b], x[a][k], y[k]);
      }
    }
  }
}

// Inner products of the tile's rows, or the sums over their differences, by the block's own hands.
template <pair quantity, class T, int C>
__device__ inline void fused_product(const slot_source<T>& s, const tile_place& p, unsigned char* shared, fragment<T, C>& out) {
#pragma unroll
  for (int a = 0; a < 8; ++a) {
#pragma unroll
    for (int b = 0; b < C; ++b) out.v[a][b] = T(0);
  }
  if (s.width == 0) return;  // a map to no columns
  if constexpr (quantity == pair::l1_distance) {
    for_stages<operands::whole, T, C>(s, p, shared, [&](const unsigned char* from) { add_steps<absolute_step>(from, out); });
  } else if constexpr (quantity == pair::exact_squared_distance) {
    for_stages<operands::whole, T, C>(s, p, shared, [&](const unsigned char* from) { add_steps<squared_step>(from, out); });
  } else if constexpr (sizeof(T) == 8) {
    for_stages<operands::whole, T, C>(s, p, shared, [&](const unsigned char* from) { add_products(from, out); });
  } else {
    const round_bits rounded(s.by);
    if (s.by == arithmetic::three_tf32) {
      for_stages<operands::split, T, C>(s, p, shared,
                                        [&](const unsigned char* from) { add_products<operands::split>(from, rounded, out); });
    } else if (s.by == arithmetic::multiply_add) {
      for_stages<operands::whole, T, C>(s, p, shared, [&](const unsigned char* from) { add_steps<multiply_step>(from, out); });
    } else {
      for_stages<operands::whole, T, C>(s, p, shared,
                                        [&](const unsigned char* from) { add_products<operands::whole>(from, rounded, out); });
    }
  }
}

// Inner products of the tile's rows from what cuBLAS left: 32 bytes of every row that a warp reads, all of them used.
template <class T, int C>
__device__ inline void read_product(const slot_source<T>& s, const tile_place& p, fragment<T, C>& out) {
  using two = std::conditional_t<sizeof(T) == 4, float2, double2>;
  using F = fragment<T, C>;
  const int t = thread_of_block();
  const T* const from = s.product + (p.slot_i * panel_rows + F::row(t, 0)) * s.ld + p.slot_j * F::tile_columns + F::column(t, 0);
#pragma unroll
  for (int a = 0; a < 8; ++a) {
#pragma unroll
    for (int n = 0; n < C / 2; ++n) {
      const two x = __ldcg(reinterpret_cast<const two*>(from + a * 8 * s.ld + n * 8));
      out.v[a][2 * n] = x.x;
      out.v[a][2 * n + 1] = x.y;
    }
  }
}

}  // namespace MMD_ISA
}  // namespace detail
}  // namespace mmd
