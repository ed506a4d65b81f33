// SPDX-License-Identifier: MIT
// The layers of a perceptron and their derivatives, as functions on row-major matrices: one row a sample. They hold no state and compose
// freely; `Perceptron` is made of them, and so is any network of one's own that wants to train with the library's gradient.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <span>
#include <vector>

#include "mmd/core/matrix.hpp"
#include "mmd/core/philox.hpp"
#include "mmd/engine/backend.hpp"

namespace mmd {

// What a LayerNorm of GELU keeps of its forward pass for the backward pass. Reused from step to step without new memory.
template <class T>
struct GeluNormTape {
  matrix<T> slope;               // d gelu(z) / dz
  matrix<T> normal;              // (gelu(z) - mean) / sqrt(variance + epsilon), by rows
  std::vector<T> inverse_sd;     // 1 / sqrt(variance + epsilon), one each row
  std::vector<double> partials;  // sums of the row chunks
};

namespace detail {
inline namespace MMD_ISA {

// Rows are cut into chunks by their number alone, and what chunks add up is merged in order: the same bits for any number of threads.
inline constexpr index_t chunk_rows = 32;
inline index_t chunks_of(index_t rows) { return (rows + chunk_rows - 1) / chunk_rows; }

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

// f(i) for each row, in parallel by chunks.
template <backend B, class F>
void for_each_row(const B& on, index_t rows, const F& f) {
  on.for_each(chunks_of(rows), [&](index_t chunk) {
    for (index_t i = chunk * chunk_rows, end = std::min(rows, i + chunk_rows); i < end; ++i) f(i);
  });
}
// sums[k] = the sum over the rows i of what add(i, partial) adds to partial[k]; added up in double.
template <backend B, class T, class F>
void sum_rows(const B& on, index_t rows, std::vector<double>& partials, std::span<T> sums, const F& add) {
  const std::size_t width = sums.size();
  partials.assign(static_cast<std::size_t>(chunks_of(rows)) * width, 0);
  on.for_each(chunks_of(rows), [&](index_t chunk) {
    double* partial = partials.data() + static_cast<std::size_t>(chunk) * width;
    for (index_t i = chunk * chunk_rows, end = std::min(rows, i + chunk_rows); i < end; ++i) add(i, partial);
  });
  for (std::size_t k = 0; k < width; ++k) {
    double sum = 0;
    for (std::size_t at = k; at < partials.size(); at += width) sum += partials[at];
    sums[k] = static_cast<T>(sum);
  }
}

}  // namespace MMD_ISA
}  // namespace detail

inline namespace MMD_ISA {

// gelu(z) = z Phi(z), Phi the normal distribution function (by erf); slope receives its derivative Phi(z) + z phi(z).
template <class T>
T gelu(T z, T& slope) {
  const T probability = T(0.5) + T(0.5) * std::erf(z * T(0.70710678118654752440));
  slope = probability + z * (T(0.39894228040143267794) * std::exp(T(-0.5) * z * z));
  return z * probability;
}

// out = x weight' + bias; x: n x inputs, weight: outputs x inputs, bias: outputs or empty, out: n x outputs (resized).
template <backend B, class T>
void linear_forward(const B& on, const samples<T>& x, const samples<T>& weight, std::span<const T> bias, matrix<T>& out) {
  detail::require(x.cols() == weight.cols(), "x.cols()", x.cols(), "as many columns as the weight has");
  out.resize(x.rows(), weight.rows());
  on.gemm(transposed::no, transposed::yes, T(1), x, weight, T(0), out);
  if (bias.empty()) return;
  detail::for_each_row(on, x.rows(), [&](index_t i) {
    T* row = out.data() + i * out.cols();
    for (std::size_t k = 0; k < bias.size(); ++k) row[k] += bias[k];
  });
}

// grad_weight = grad_out' x (row-major, as large as weight), grad_bias = the column sums of grad_out (left alone where the span is empty),
// and, where asked for, grad_x = grad_out weight.
template <backend B, class T>
void linear_backward(const B& on, const samples<T>& x, const samples<T>& weight, const matrix<T>& grad_out, std::span<T> grad_weight,
                     std::span<T> grad_bias, std::vector<double>& partials, matrix<T>* grad_x) {
  detail::require(static_cast<index_t>(grad_weight.size()) == weight.rows() * weight.cols(), "grad_weight.size()", grad_weight.size(),
                  "as many entries as weight");
  detail::writable_rows<T> to{grad_weight.data(), weight.rows(), weight.cols()};
  on.gemm(transposed::yes, transposed::no, T(1), grad_out, x, T(0), to);
  if (!grad_bias.empty()) {
    detail::sum_rows(on, grad_out.rows(), partials, grad_bias, [&](index_t i, double* sums) {
      const auto row = grad_out.row(i);
      for (std::size_t k = 0; k < row.size(); ++k) sums[k] += static_cast<double>(row[k]);
    });
  }
  if (grad_x == nullptr) return;
  grad_x->resize(x.rows(), x.cols());
  on.gemm(transposed::no, transposed::no, T(1), grad_out, weight, T(0), *grad_x);
}

// out = gain * (gelu(z) - mean) / sqrt(variance + epsilon) + shift, mean and (population) variance of each row: GELU, then LayerNorm.
template <backend B, class T>
void gelu_norm_forward(const B& on, const matrix<T>& z, std::span<const T> gain, std::span<const T> shift, double epsilon,
                       GeluNormTape<T>& tape, matrix<T>& out) {
  const std::size_t width = gain.size();
  detail::require(z.cols() == static_cast<index_t>(width), "z.cols()", z.cols(), "as many columns as gains");
  out.resize(z.rows(), z.cols());
  tape.slope.resize(z.rows(), z.cols());
  tape.normal.resize(z.rows(), z.cols());
  tape.inverse_sd.resize(static_cast<std::size_t>(z.rows()));
  detail::for_each_row(on, z.rows(), [&](index_t i) {
    const T* in = z.data() + i * z.cols();
    T *slope = tape.slope.data() + i * z.cols(), *normal = tape.normal.data() + i * z.cols(), *to = out.data() + i * z.cols();
    double mean = 0, squares = 0;
    for (std::size_t k = 0; k < width; ++k) {
      normal[k] = gelu(in[k], slope[k]);
      mean += static_cast<double>(normal[k]);
    }
    mean /= static_cast<double>(width);
    for (std::size_t k = 0; k < width; ++k) {
      const double deviation = static_cast<double>(normal[k]) - mean;
      squares += deviation * deviation;
    }
    const double inverse = 1 / std::sqrt(squares / static_cast<double>(width) + epsilon);
    tape.inverse_sd[static_cast<std::size_t>(i)] = static_cast<T>(inverse);
    for (std::size_t k = 0; k < width; ++k) {
      normal[k] = static_cast<T>((static_cast<double>(normal[k]) - mean) * inverse);
      to[k] = gain[k] * normal[k] + shift[k];
    }
  });
}

// grad: d / d out on entry, d / dz on return. grad_gain and grad_shift have as many entries as gain.
template <backend B, class T>
void gelu_norm_backward(const B& on, GeluNormTape<T>& tape, std::span<const T> gain, matrix<T>& grad, std::span<T> grad_gain,
                        std::span<T> grad_shift) {
  const std::size_t width = gain.size();
  detail::sum_rows(on, grad.rows(), tape.partials, grad_gain, [&](index_t i, double* sums) {
    const auto g = grad.row(i), normal = tape.normal.row(i);
    for (std::size_t k = 0; k < width; ++k) sums[k] += static_cast<double>(g[k]) * static_cast<double>(normal[k]);
  });
  detail::sum_rows(on, grad.rows(), tape.partials, grad_shift, [&](index_t i, double* sums) {
    const auto g = grad.row(i);
    for (std::size_t k = 0; k < width; ++k) sums[k] += static_cast<double>(g[k]);
  });
  detail::for_each_row(on, grad.rows(), [&](index_t i) {
    T* g = grad.data() + i * grad.cols();
    const T *normal = tape.normal.data() + i * grad.cols(), *slope = tape.slope.data() + i * grad.cols();
    double mean = 0, along = 0;
    for (std::size_t k = 0; k < width; ++k) {
      g[k] *= gain[k];
      mean += static_cast<double>(g[k]);
      along += static_cast<double>(g[k]) * static_cast<double>(normal[k]);
    }
    const T m = static_cast<T>(mean / static_cast<double>(width)), a = static_cast<T>(along / static_cast<double>(width));
    const T inverse = tape.inverse_sd[static_cast<std::size_t>(i)];
    for (std::size_t k = 0; k < width; ++k) g[k] = (g[k] - m - a * normal[k]) * inverse * slope[k];
  });
}

// Inverted dropout: mask(i, k) is 0 with the given probability, else 1 / (1 - probability). Row i reads the stream (seed, dropout, step,
// layer and i) from its start, one number a column.
template <backend B, class T>
void dropout_mask(const B& on, double probability, std::uint64_t seed, std::uint64_t step, int layer, matrix<T>& mask) {
  const auto threshold = static_cast<std::uint64_t>(std::ldexp(probability, 32));
  const T kept = static_cast<T>(1 / (1 - probability));
  detail::for_each_row(on, mask.rows(), [&](index_t i) {
    random_stream random(seed, purpose::dropout, step, static_cast<std::uint64_t>(layer) << 32 | static_cast<std::uint64_t>(i));
    for (T& entry : mask.row(i)) entry = random.next32() < threshold ? T(0) : kept;
  });
}
// x = x * mask, entry by entry.
template <backend B, class T>
void multiply_entries(const B& on, matrix<T>& x, const matrix<T>& mask) {
  detail::for_each_row(on, x.rows(), [&](index_t i) {
    const auto by = mask.row(i);
    const auto row = x.row(i);
    for (std::size_t k = 0; k < row.size(); ++k) row[k] *= by[k];
  });
}

}  // namespace MMD_ISA
}  // namespace mmd
