// SPDX-License-Identifier: MIT
// The layers of a perceptron and their derivatives, as functions on row-major matrices: one row a sample. They hold no state and compose
// freely; `Perceptron` is made of them, and so is any network of one's own that wants to train with the library's gradient.
#pragma once

#include <cstdint>
#include <span>
#include <type_traits>

#include "mmd/core/matrix.hpp"
#include "mmd/learning/rows.hpp"

namespace mmd {

// What a LayerNorm of GELU keeps of its forward pass for the backward pass. Reused from step to step without new memory. E: a number, or a
// device's number.
template <class E>
struct GeluNormTape {
  matrix_of<E> slope;       // d gelu(z) / dz
  matrix_of<E> normal;      // (gelu(z) - mean) / sqrt(variance + epsilon), by rows
  matrix_of<E> inverse_sd;  // 1 / sqrt(variance + epsilon): one row, a value for each row of z
  matrix_of<E> partials;    // sums of the row chunks
};

namespace detail {
inline namespace MMD_ISA {

// Rows of values side by side that a loop or a product may write to.
template <class E>
struct writable_rows {
  using Scalar = E;
  E* values;
  index_t row_count, col_count, row_stride;
  writable_rows(E* v, index_t rows, index_t cols, index_t stride) : values(v), row_count(rows), col_count(cols), row_stride(stride) {}
  template <class M>
  explicit writable_rows(M& m) : writable_rows(m.data(), m.rows(), m.cols(), m.rowStride()) {}
  E* data() const { return values; }
  index_t rows() const { return row_count; }
  index_t cols() const { return col_count; }
  index_t rowStride() const { return row_stride; }
  index_t colStride() const { return 1; }
  // Rows first .. first + count - 1, the columns from `col` on.
  writable_rows part(index_t first, index_t count, index_t col = 0) const {
    return {values + first * row_stride + col, count, col_count - col, row_stride};
  }
};

// Row i of out = row rows[i] of in, or row i without `rows`.
template <backend B, class E>
void copy_rows(const B& on, const samples<E>& in, std::type_identity_t<std::span<const beside<E, index_t>>> rows,
               const std::type_identity_t<writable_rows<E>>& out) {
  for_each_row<E>(on, out.rows(),
                  copied_row<host_value<E>>{raw(in.data()), in.rowStride(), in.colStride(), in.cols(), raw(rows.data()), raw(out.data()),
                                            out.rowStride()});
}
template <backend B, class E>
void copy_rows(const B& on, const samples<E>& in, std::type_identity_t<std::span<const beside<E, index_t>>> rows, matrix_of<E>& out) {
  reshape(on, out, static_cast<index_t>(rows.size()), in.cols());
  copy_rows(on, in, rows, writable_rows<E>(out));
}

// As linear_forward, into rows that have their shape.
template <backend B, class E>
void linear_into(const B& on, const samples<E>& x, const samples<E>& weight, std::span<const E> bias, writable_rows<E> out) {
  require(x.cols() == weight.cols(), "x.cols()", x.cols(), "as many columns as the weight has");
  using T = host_value<E>;
  on.gemm(transposed::no, transposed::yes, T(1), x, weight, T(0), out);
  if (!bias.empty()) for_each_row<E>(on, out.rows(), biased_row<T>{raw(out.data()), out.rowStride(), out.cols(), raw(bias.data())});
}

// sums[k] = the sum over the chunks of column k of `partials`, then the same for the columns behind those, for up to three vectors of as
// many columns; an empty one is left alone. In double.
template <backend B, class E>
void merge_sums(const B& on, const matrix_of<E>& partials, index_t width, std::span<E> first, std::span<E> second = {},
                std::span<E> third = {}) {
  for_each_part<E>(on, width,
                   merged_sums<host_value<E>>{raw(partials.data()), partials.rows(), partials.cols(), width, raw(first.data()),
                                              raw(second.data()), raw(third.data())});
}

}  // namespace MMD_ISA
}  // namespace detail

inline namespace MMD_ISA {

// All layers take values in the host's memory (E = T) or in the device's of the backend (E = device<T>).

// out = x weight' + bias; x: n x inputs, weight: outputs x inputs, bias: outputs or empty, out: n x outputs (resized).
template <backend B, class E>
void linear_forward(const B& on, const samples<E>& x, const samples<E>& weight, std::type_identity_t<std::span<const E>> bias,
                    matrix_of<E>& out) {
  detail::reshape(on, out, x.rows(), weight.rows());
  detail::linear_into(on, x, weight, bias, detail::writable_rows<E>(out));
}

// grad_weight = grad_out' x (row-major, as large as weight), grad_bias = the column sums of grad_out (left alone where the span is empty),
// and, where asked for, grad_x = grad_out weight. The values of a row of grad_out lie side by side. partials: working memory.
template <backend B, class E>
void linear_backward(const B& on, const samples<E>& x, const samples<E>& weight, const std::type_identity_t<samples<E>>& grad_out,
                     std::type_identity_t<std::span<E>> grad_weight, std::type_identity_t<std::span<E>> grad_bias, matrix_of<E>& partials,
                     matrix_of<E>* grad_x) {
  using T = host_value<E>;
  detail::require(static_cast<index_t>(grad_weight.size()) == weight.rows() * weight.cols(), "grad_weight.size()", grad_weight.size(),
                  "as many entries as weight");
  detail::require(grad_out.colStride() == 1, "grad_out.colStride()", grad_out.colStride(), "1");
  detail::writable_rows<E> to(grad_weight.data(), weight.rows(), weight.cols(), weight.cols());
  on.gemm(transposed::yes, transposed::no, T(1), grad_out, x, T(0), to);
  if (!grad_bias.empty()) {
    detail::sum_rows<E>(on, grad_out.rows(), grad_out.cols(), partials,
                        detail::summed_row<T>{detail::raw(grad_out.data()), grad_out.rowStride(), grad_out.cols()});
    detail::merge_sums(on, partials, grad_out.cols(), grad_bias);
  }
  if (grad_x == nullptr) return;
  detail::reshape(on, *grad_x, x.rows(), x.cols());
  on.gemm(transposed::no, transposed::no, T(1), grad_out, weight, T(0), *grad_x);
}

// out = gain * (gelu(z + bias) - mean) / sqrt(variance + epsilon) + shift, mean and (population) variance of each row: GELU, then
// LayerNorm, in one sweep. bias: one each column, or empty: none.
template <backend B, class E>
void gelu_norm_forward(const B& on, const matrix_of<E>& z, std::span<const E> gain, std::span<const E> shift, double epsilon,
                       GeluNormTape<E>& tape, matrix_of<E>& out, std::type_identity_t<std::span<const E>> bias = {}) {
  using detail::raw;
  const auto width = static_cast<index_t>(gain.size());
  detail::require(z.cols() == width, "z.cols()", z.cols(), "as many columns as gains");
  detail::reshape(on, out, z.rows(), width);
  detail::reshape(on, tape.slope, z.rows(), width);
  detail::reshape(on, tape.normal, z.rows(), width);
  detail::reshape(on, tape.inverse_sd, 1, z.rows());
  detail::for_each_row<E>(
      on, z.rows(),
      detail::gelu_norm_row<host_value<E>>{raw(z.data()), raw(bias.data()), raw(gain.data()), raw(shift.data()), raw(tape.slope.data()),
                                           raw(tape.normal.data()), raw(tape.inverse_sd.data()), raw(out.data()), width, epsilon});
}

// grad: d / d out on entry, d / dz on return, in one sweep. grad_gain, grad_shift and, where there is a bias, grad_bias have as many
// entries as gain.
template <backend B, class E>
void gelu_norm_backward(const B& on, GeluNormTape<E>& tape, std::span<const E> gain, matrix_of<E>& grad, std::span<E> grad_gain,
                        std::span<E> grad_shift, std::type_identity_t<std::span<E>> grad_bias = {}) {
  using detail::raw;
  const auto width = static_cast<index_t>(gain.size());
  detail::sum_rows<E>(
      on, grad.rows(), 3 * width, tape.partials,
      detail::gelu_norm_back_row<host_value<E>>{raw(std::as_const(tape.normal).data()), raw(std::as_const(tape.slope).data()),
                                                raw(std::as_const(tape.inverse_sd).data()), raw(gain.data()), raw(grad.data()), width});
  detail::merge_sums(on, tape.partials, width, grad_gain, grad_shift, grad_bias);
}

// Inverted dropout, out = in * mask: mask(i, k) is 0 with the given probability, else 1 / (1 - probability). Row i reads the stream (seed,
// dropout, step, layer and i) from its start, one number a column. out may be in; it must have in's columns, and a row for each of in's or,
// with `rows`, for each of those rows of in.
template <backend B, class E>
void apply_dropout(const B& on, double probability, std::uint64_t seed, std::uint64_t step, int layer, const samples<E>& in,
                   matrix_of<E>& out, std::type_identity_t<std::span<const detail::beside<E, index_t>>> rows = {}) {
  using T = host_value<E>;
  detail::for_each_row<E>(
      on, out.rows(),
      detail::dropped_row<T>{detail::raw(in.data()), in.rowStride(), in.colStride(), detail::raw(rows.data()), detail::raw(out.data()),
                             out.cols(), detail::dropout_draws<T>(probability, seed, step, layer)});
}

}  // namespace MMD_ISA
}  // namespace mmd
