// SPDX-License-Identifier: MIT
// What the layers, Adam and the standardiser do to a row, or to a part of a vector: one text for the host and for a device. `lanes` says
// what a pack is and walks along the row (learning/packs.hpp, backends/cuda/rows.cuh); no lane reads what another has written.
// Pointers are copied into variables first: stores through packs may alias anything else.
#pragma once

#include <cmath>

#include "mmd/learning/gelu.hpp"
#include "mmd/learning/packs.hpp"

#if defined(__CUDACC__)
#pragma nv_diagnostic push
#pragma nv_diag_suppress 20011, 20014  // with the host's lanes these are functions of the host
#endif

namespace mmd {
namespace detail {
inline namespace MMD_ISA {

// Row i of out = row rows[i] of in; without `rows`, row i.
template <class T>
struct copied_row {
  const T* in;
  index_t row_stride, col_stride, cols;
  const index_t* rows;
  T* out;
  index_t out_stride;

  template <class L>
  MMD_HD void operator()(L lanes, index_t i) const {
    lanes.gather(in + (rows == nullptr ? i : rows[i]) * row_stride, col_stride, cols, out + i * out_stride);
  }
};

// Row i of out += bias.
template <class T>
struct biased_row {
  T* out;
  index_t stride, cols;
  const T* bias;

  template <class L>
  MMD_HD void operator()(L lanes, index_t i) const {
    T* const row = out + i * stride;
    const T* const add = bias;
    lanes.template each<T>(cols, [&](index_t k, auto at) { at.store(at.load(row + k) + at.load(add + k), row + k); });
  }
};

// sums += row i.
template <class T>
struct summed_row {
  const T* in;
  index_t stride, cols;

  template <class L>
  MMD_HD void operator()(L lanes, index_t i, T* sums) const {
    const T* const row = in + i * stride;
    lanes.template each<T>(cols, [&](index_t k, auto at) { at.store(at.load(sums + k) + at.load(row + k), sums + k); });
  }
};

// Up to three vectors of `width` sums that lie side by side in each chunk's row of `partials`, added up in double. Null: left alone.
template <class T>
struct merged_sums {
  const T* partials;
  index_t chunks, stride, width;
  T *first_sums, *second_sums, *third_sums;

  template <class L>
  MMD_HD void operator()(L lanes, index_t first, index_t count) const {
    merge(lanes, first, count, 0, first_sums);
    merge(lanes, first, count, width, second_sums);
    merge(lanes, first, count, 2 * width, third_sums);
  }

 private:
  template <class L>
  MMD_HD void merge(L lanes, index_t first, index_t count, index_t offset, T* sums) const {
    using D = typename L::template pack<double>;
    if (sums == nullptr) return;
    const T* const start = partials + offset + first;
    const index_t all = chunks, step = stride;
    lanes.template each<double>(count, [&](index_t k, auto at) {
      D total = 0.0;
      for (index_t chunk = 0; chunk < all; ++chunk) total += at.load(start + chunk * step + k);
      at.store(total, sums + first + k);
    });
  }
};

// out = in * mask, row rows[i] of in, or row i without `rows`. out may be in.
template <class T>
struct dropped_row {
  const T* in;
  index_t row_stride, col_stride;
  const index_t* rows;
  T* out;
  index_t cols;
  dropout_draws<T> draws;

  template <class L>
  MMD_HD void operator()(L lanes, index_t i) const {
    T* const to = out + i * cols;
    const T* from = in + (rows == nullptr ? i : rows[i]) * row_stride;
    if (col_stride != 1) {
      lanes.gather(from, col_stride, cols, to);
      from = to;
    }
    typename L::template mask<T> mask(draws, i);
    const index_t width = cols, block = mask.block;
    for (index_t first = 0; first < width; first += block) {
      mask.next();
      lanes.template each<T>(width - first < block ? width - first : block,
                             [&](index_t k, auto at) { at.store(at.load(from + first + k) * mask.load(at, k), to + first + k); });
    }
  }
};

// GELU of z + bias, then LayerNorm: see gelu_norm_forward.
template <class T>
struct gelu_norm_row {
  const T *z, *bias, *gain, *shift;  // bias: or null
  T *slopes, *normals, *inverse_sd, *out;
  index_t width;
  double epsilon;

  template <class L>
  MMD_HD void operator()(L lanes, index_t i) const {
    using V = typename L::template pack<T>;
    const index_t cols = width;
    const T *const in = z + i * cols, *const add = bias, *const by = gain, *const move = shift;
    T *const slope = slopes + i * cols, *const normal = normals + i * cols, *const to = out + i * cols;
    V sum = T(0), squares = T(0);
    lanes.template each<T>(cols, [&](index_t k, auto at) {
      V s, value = at.load(in + k);
      if (add != nullptr) value += at.load(add + k);
      value = gelu<T>(value, s);
      at.store(s, slope + k);
      at.store(value, normal + k);
      sum += value;  // 0 beyond the last column
    });
    const V mean = sum.sum() / static_cast<T>(cols);
    lanes.template each<T>(cols, [&](index_t k, auto at) {
      const V deviation = at.only(at.load(normal + k) - mean);
      squares = fma(deviation, deviation, squares);
    });
    const T inverse = static_cast<T>(1 / std::sqrt(static_cast<double>(squares.sum()) / static_cast<double>(cols) + epsilon));
    lanes.put(inverse, inverse_sd + i);
    lanes.template each<T>(cols, [&](index_t k, auto at) {
      const V value = (at.load(normal + k) - mean) * V(inverse);
      at.store(value, normal + k);
      at.store(fma(at.load(by + k), value, at.load(move + k)), to + k);
    });
  }
};

// The way back, d / d out on entry in grad and d / dz on return; adds to the sums for gains, shifts and biases.
template <class T>
struct gelu_norm_back_row {
  const T *normals, *slopes, *inverse_sd, *gain;
  T* grad;
  index_t width;

  template <class L>
  MMD_HD void operator()(L lanes, index_t i, T* sums) const {
    using V = typename L::template pack<T>;
    const index_t cols = width;
    T *const g = grad + i * cols, *const of_shift = sums + cols, *const of_bias = sums + 2 * cols;
    const T *const normal = normals + i * cols, *const slope = slopes + i * cols, *const by = gain;
    V sum = T(0), sum_along = T(0);
    lanes.template each<T>(cols, [&](index_t k, auto at) {
      const V by_out = at.load(g + k), value = at.load(normal + k), by_value = by_out * at.load(by + k);
      at.store(fma(by_out, value, at.load(sums + k)), sums + k);
      at.store(at.load(of_shift + k) + by_out, of_shift + k);
      at.store(by_value, g + k);
      sum += by_value;
      sum_along = fma(by_value, value, sum_along);
    });
    const V mean = sum.sum() / static_cast<T>(cols), along = sum_along.sum() / static_cast<T>(cols), inverse = inverse_sd[i];
    lanes.template each<T>(cols, [&](index_t k, auto at) {
      const V by_z = fma(-along, at.load(normal + k), at.load(g + k) - mean) * inverse * at.load(slope + k);
      at.store(by_z, g + k);
      at.store(at.load(of_bias + k) + by_z, of_bias + k);
    });
  }
};

// A step of Adam: see learning/adam.hpp.
template <class T>
struct adam_part {
  T *parameters, *mean, *square;
  const T* gradient;
  T rate, root, epsilon, keep1, take1, keep2, take2, sign;

  template <class L>
  MMD_HD void operator()(L lanes, index_t first, index_t count) const {
    using V = typename L::template pack<T>;
    const V by = rate, divide = root, least = epsilon, old1 = keep1, new1 = take1, old2 = keep2, new2 = take2, direction = sign;
    T *const p = parameters + first, *const ms = mean + first, *const squares = square + first;
    const T* const gradients = gradient + first;
    lanes.template each<T>(count, [&](index_t i, auto at) {
      const V g = direction * at.load(gradients + i);
      const V m = fma(old1, at.load(ms + i), new1 * g), v = fma(old2, at.load(squares + i), new2 * g * g);
      at.store(m, ms + i);
      at.store(v, squares + i);
      at.store(at.load(p + i) - by * (m / (sqrt(v) / divide + least)), p + i);
    });
  }
};

// Row i of z = (x - mean) / deviation, clipped; wrong[i] = 0, or NaN where a value of x is not finite.
template <class T>
struct standardized_row {
  const T* x;
  index_t row_stride, col_stride, cols;
  const double *means, *deviations;
  double clip;
  T *z, *wrong;

  template <class L>
  MMD_HD void operator()(L lanes, index_t i) const {
    using D = typename L::template pack<double>;
    T* const to = z + i * cols;
    const T* from = x + i * row_stride;
    if (col_stride != 1) {
      lanes.gather(from, col_stride, cols, to);
      from = to;
    }
    const double *const mean = means, *const deviation = deviations;
    const D most = clip, least = -clip;
    D zero = 0.0;
    lanes.template each<double>(cols, [&](index_t k, auto at) {
      const D v = at.load(from + k), scaled = (v - at.load(mean + k)) / at.load(deviation + k);
      at.store(min(most, max(least, scaled)), to + k);
      zero = fma(v, D(0.0), zero);
    });
    lanes.put(static_cast<T>(zero.sum()), wrong + i);
  }
};

}  // namespace MMD_ISA
}  // namespace detail
}  // namespace mmd

#if defined(__CUDACC__)
#pragma nv_diagnostic pop
#endif
