// SPDX-License-Identifier: MIT
// The layers of a perceptron and their derivatives, as functions on row-major matrices: one row a sample. They hold no state and compose
// freely; `Perceptron` is made of them, and so is any network of one's own that wants to train with the library's gradient.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <span>
#include <type_traits>
#include <vector>

#include "mmd/core/matrix.hpp"
#include "mmd/core/philox.hpp"
#include "mmd/learning/gelu.hpp"
#include "mmd/learning/packs.hpp"

namespace mmd {

// What a LayerNorm of GELU keeps of its forward pass for the backward pass. Reused from step to step without new memory.
template <class T>
struct GeluNormTape {
  matrix<T> slope;            // d gelu(z) / dz
  matrix<T> normal;           // (gelu(z) - mean) / sqrt(variance + epsilon), by rows
  std::vector<T> inverse_sd;  // 1 / sqrt(variance + epsilon), one each row
  std::vector<T> partials;    // sums of the row chunks
};

namespace detail {
inline namespace MMD_ISA {

// Row-major values that a product may write to.
template <class T>
struct writable_rows {
  using Scalar = T;
  T* values;
  index_t row_count, col_count;
  T* data() const { return values; }
  index_t rows() const { return row_count; }
  index_t cols() const { return col_count; }
  index_t rowStride() const { return col_count; }
  index_t colStride() const { return 1; }
};

// Row i of out = row rows[i] of in.
template <backend B, class T>
void copy_rows(const B& on, const samples<T>& in, std::span<const index_t> rows, matrix<T>& out) {
  out.resize(static_cast<index_t>(rows.size()), in.cols());
  for_each_row(on, out.rows(), [&](index_t i) {
    for (index_t k = 0; k < in.cols(); ++k) out(i, k) = in(rows[static_cast<std::size_t>(i)], k);
  });
}

}  // namespace MMD_ISA
}  // namespace detail

inline namespace MMD_ISA {

// out = x weight' + bias; x: n x inputs, weight: outputs x inputs, bias: outputs or empty, out: n x outputs (resized).
template <backend B, class T>
void linear_forward(const B& on, const samples<T>& x, const samples<T>& weight, std::span<const T> bias, matrix<T>& out) {
  detail::require(x.cols() == weight.cols(), "x.cols()", x.cols(), "as many columns as the weight has");
  out.resize(x.rows(), weight.rows());
  on.gemm(transposed::no, transposed::yes, T(1), x, weight, T(0), out);
  if (bias.empty()) return;
  detail::for_each_row(on, x.rows(), [&](index_t i) {
    using V = typename B::template pack<T>;
    T* const row = out.data() + i * out.cols();
    detail::for_each_pack<T, V>(out.cols(), [&](index_t k, auto at) { at.store(at.load(row + k) + at.load(bias.data() + k), row + k); });
  });
}

// grad_weight = grad_out' x (row-major, as large as weight), grad_bias = the column sums of grad_out (left alone where the span is empty),
// and, where asked for, grad_x = grad_out weight. The values of a row of grad_out lie side by side.
template <backend B, class T>
void linear_backward(const B& on, const samples<T>& x, const samples<T>& weight, const std::type_identity_t<samples<T>>& grad_out,
                     std::span<T> grad_weight, std::span<T> grad_bias, std::vector<T>& partials, matrix<T>* grad_x) {
  detail::require(static_cast<index_t>(grad_weight.size()) == weight.rows() * weight.cols(), "grad_weight.size()", grad_weight.size(),
                  "as many entries as weight");
  detail::require(grad_out.colStride() == 1, "grad_out.colStride()", grad_out.colStride(), "1");
  detail::writable_rows<T> to{grad_weight.data(), weight.rows(), weight.cols()};
  on.gemm(transposed::yes, transposed::no, T(1), grad_out, x, T(0), to);
  if (!grad_bias.empty()) {
    detail::sum_rows(on, grad_out.rows(), grad_out.cols(), partials, [&](index_t i, T* sums) {
      using V = typename B::template pack<T>;
      const T* const row = grad_out.data() + i * grad_out.rowStride();
      detail::for_each_pack<T, V>(grad_out.cols(), [&](index_t k, auto at) { at.store(at.load(sums + k) + at.load(row + k), sums + k); });
    });
    detail::merge_chunks(partials, grad_out.cols(), 0, grad_bias);
  }
  if (grad_x == nullptr) return;
  grad_x->resize(x.rows(), x.cols());
  on.gemm(transposed::no, transposed::no, T(1), grad_out, weight, T(0), *grad_x);
}

// out = gain * (gelu(z + bias) - mean) / sqrt(variance + epsilon) + shift, mean and (population) variance of each row: GELU, then
// LayerNorm, in one sweep. bias: one each column, or empty: none.
template <backend B, class T>
void gelu_norm_forward(const B& on, const matrix<T>& z, std::span<const T> gain, std::span<const T> shift, double epsilon,
                       GeluNormTape<T>& tape, matrix<T>& out, std::span<const T> bias = {}) {
  using V = typename B::template pack<T>;
  const auto width = static_cast<index_t>(gain.size());
  detail::require(z.cols() == width, "z.cols()", z.cols(), "as many columns as gains");
  out.resize(z.rows(), width);
  tape.slope.resize(z.rows(), width);
  tape.normal.resize(z.rows(), width);
  tape.inverse_sd.resize(static_cast<std::size_t>(z.rows()));
  detail::for_each_row(on, z.rows(), [&](index_t i) {
    const T* const in = z.data() + i * width;
    T *const slope = tape.slope.data() + i * width, *const normal = tape.normal.data() + i * width, *const to = out.data() + i * width;
    V sum = T(0), squares = T(0);
    detail::for_each_pack<T, V>(width, [&](index_t k, auto at) {
      V s, value = at.load(in + k);
      if (!bias.empty()) value += at.load(bias.data() + k);
      value = gelu<T>(value, s);
      at.store(s, slope + k);
      at.store(value, normal + k);
      sum += value;  // 0 beyond the last column
    });
    const V mean = sum.sum() / static_cast<T>(width);
    detail::for_each_pack<T, V>(width, [&](index_t k, auto at) {
      const V deviation = at.only(at.load(normal + k) - mean);
      squares = fma(deviation, deviation, squares);
    });
    const T inverse = static_cast<T>(1 / std::sqrt(static_cast<double>(squares.sum()) / static_cast<double>(width) + epsilon));
    tape.inverse_sd[static_cast<std::size_t>(i)] = inverse;
    detail::for_each_pack<T, V>(width, [&](index_t k, auto at) {
      const V value = (at.load(normal + k) - mean) * V(inverse);
      at.store(value, normal + k);
      at.store(fma(at.load(gain.data() + k), value, at.load(shift.data() + k)), to + k);
    });
  });
}

// grad: d / d out on entry, d / dz on return, in one sweep. grad_gain, grad_shift and, where there is a bias, grad_bias have as many
// entries as gain.
template <backend B, class T>
void gelu_norm_backward(const B& on, GeluNormTape<T>& tape, std::span<const T> gain, matrix<T>& grad, std::span<T> grad_gain,
                        std::span<T> grad_shift, std::span<T> grad_bias = {}) {
  using V = typename B::template pack<T>;
  const auto width = static_cast<index_t>(gain.size());
  detail::sum_rows(on, grad.rows(), 3 * width, tape.partials, [&](index_t i, T* sums) {
    T *const g = grad.data() + i * width, *const of_shift = sums + width, *const of_bias = sums + 2 * width;
    const T *const normal = tape.normal.data() + i * width, *const slope = tape.slope.data() + i * width;
    V sum = T(0), sum_along = T(0);
    detail::for_each_pack<T, V>(width, [&](index_t k, auto at) {
      const V by_out = at.load(g + k), value = at.load(normal + k), by_value = by_out * at.load(gain.data() + k);
      at.store(fma(by_out, value, at.load(sums + k)), sums + k);
      at.store(at.load(of_shift + k) + by_out, of_shift + k);
      at.store(by_value, g + k);
      sum += by_value;
      sum_along = fma(by_value, value, sum_along);
    });
    const V mean = sum.sum() / static_cast<T>(width), along = sum_along.sum() / static_cast<T>(width),
            inverse = tape.inverse_sd[static_cast<std::size_t>(i)];
    detail::for_each_pack<T, V>(width, [&](index_t k, auto at) {
      const V by_z = fma(-along, at.load(normal + k), at.load(g + k) - mean) * inverse * at.load(slope + k);
      at.store(by_z, g + k);
      at.store(at.load(of_bias + k) + by_z, of_bias + k);
    });
  });
  detail::merge_chunks(tape.partials, 3 * width, 0, grad_gain);
  detail::merge_chunks(tape.partials, 3 * width, width, grad_shift);
  detail::merge_chunks(tape.partials, 3 * width, 2 * width, grad_bias);
}

// Inverted dropout, out = in * mask: mask(i, k) is 0 with the given probability, else 1 / (1 - probability). Row i reads the stream (seed,
// dropout, step, layer and i) from its start, one number a column. out may be in; it must have in's columns, and a row for each of in's or,
// with `rows`, for each of those rows of in.
template <backend B, class T>
void apply_dropout(const B& on, double probability, std::uint64_t seed, std::uint64_t step, int layer, const samples<T>& in, matrix<T>& out,
                   std::span<const index_t> rows = {}) {
  using V = typename B::template pack<T>;
  constexpr index_t block = 64;
  detail::for_each_row(on, out.rows(), [&](index_t i) {
    T* const to = out.data() + i * out.cols();
    const T* from = in.data() + (rows.empty() ? i : rows[static_cast<std::size_t>(i)]) * in.rowStride();
    if (in.colStride() != 1) {
      for (index_t k = 0; k < in.cols(); ++k) to[k] = from[k * in.colStride()];
      from = to;
    }
    const auto least = static_cast<std::uint32_t>(std::ldexp(probability, 32));
    const T kept = static_cast<T>(1 / (1 - probability));
    random_stream random(seed, purpose::dropout, step, static_cast<std::uint64_t>(layer) << 32 | static_cast<std::uint64_t>(i));
    std::uint32_t drawn[block];
    T mask[block];
    for (index_t first = 0; first < in.cols(); first += block) {
      random.fill(drawn);
      for (index_t k = 0; k < block; ++k) mask[k] = static_cast<T>(drawn[k] >= least) * kept;
      detail::for_each_pack<T, V>(std::min(block, in.cols() - first),
                                  [&](index_t k, auto at) { at.store(at.load(from + first + k) * at.load(mask + k), to + first + k); });
    }
  });
}

}  // namespace MMD_ISA
}  // namespace mmd
