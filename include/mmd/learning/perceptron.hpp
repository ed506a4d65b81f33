// SPDX-License-Identifier: MIT
// A multilayer perceptron with its derivatives: the network of a deep kernel.
#pragma once

#include <algorithm>
#include <string>

#include "mmd/learning/layers.hpp"

namespace mmd {

// What a training step drops. Masks are a function of (seed, step, layer, row, column) alone.
struct Dropout {
  double input = 0, hidden = 0;  // probabilities, 0 <= p < 1
  std::uint64_t seed = 0, step = 0;
};

// A named part of the network's parameters: rows x cols numbers from `offset` on. Vectors have one row.
struct ParameterPart {
  std::string name;  // weight0, bias0, gain0, shift0, weight1, bias1, ...
  index_t rows, cols, offset;
};

inline namespace MMD_ISA {

template <class T>
class Perceptron;

// Everything that a backward pass of a perceptron needs of its forward pass, and its working memory, where the values E are. Kept from step
// to step: no new memory once it has seen the largest batch.
template <class E>
class PerceptronTape {
 public:
  const matrix_of<E>& output() const { return output_; }

 private:
  template <class>
  friend class Perceptron;
  struct Layer {
    matrix_of<E> linear, output;
    GeluNormTape<E> norm;
  };
  samples<E> input_;
  Dropout dropout_;
  matrix_of<E> dropped_, output_, grad_, below_, partials_;
  matrix_of<detail::beside<E, index_t>> rows_;
  std::vector<Layer> hidden_;
};

// Linear, GELU, LayerNorm for every hidden layer, and a last Linear. x W' + b with W stored outputs x inputs, as PyTorch does; GELU by erf.
// All parameters lie in one vector, so that an optimiser needs to know nothing about layers. They are the host's; `forward` and `backward`
// also take such a vector in the memory that a backend computes in, where a training keeps it.
// Cost: 2 n (sum of inputs x outputs of the layers) flops forward, twice that backward. Memory: the tape, about 4 n x the hidden widths.
// Reproducibility: the same bits for any number of threads.
template <class T>
class Perceptron {
 public:
  using Tape = PerceptronTape<T>;

  Perceptron() = default;
  // sizes: inputs, hidden widths, outputs; at least inputs and outputs. Weights and biases are uniform on +-1/sqrt(inputs of the layer), as
  // PyTorch's Linear starts, drawn from (seed, initial_weights, layer); gains are 1, shifts 0.
  explicit Perceptron(std::vector<index_t> sizes, std::uint64_t seed = 0, double norm_epsilon = 1e-5)
      : sizes_(std::move(sizes)), norm_epsilon_(norm_epsilon) {
    detail::require(sizes_.size() >= 2, "sizes.size()", sizes_.size(), "at least 2: inputs and outputs");
    for (const index_t s : sizes_) detail::require(s >= 1 && s <= (index_t{1} << 24), "sizes", s, "widths from 1 to 2^24");
    detail::require(std::isfinite(norm_epsilon) && norm_epsilon > 0, "norm_epsilon", norm_epsilon, "a finite number above 0");
    index_t offset = 0;
    const auto add = [&](const char* name, std::size_t layer, index_t rows, index_t cols) {
      parts_.push_back({name + std::to_string(layer), rows, cols, offset});
      offset += rows * cols;
    };
    for (std::size_t l = 0; l + 1 < sizes_.size(); ++l) {
      add("weight", l, sizes_[l + 1], sizes_[l]);
      add("bias", l, 1, sizes_[l + 1]);
      if (l + 2 == sizes_.size()) break;
      add("gain", l, 1, sizes_[l + 1]);
      add("shift", l, 1, sizes_[l + 1]);
    }
    parameters_.resize(static_cast<std::size_t>(offset));
    for (std::size_t l = 0; l < layers(); ++l) {
      random_stream random(seed, purpose::initial_weights, l);
      const double bound = 1 / std::sqrt(static_cast<double>(sizes_[l]));
      for (T& w : part(parameters_, 4 * l)) w = static_cast<T>(bound * (2 * random.uniform() - 1));
      for (T& b : part(parameters_, 4 * l + 1)) b = static_cast<T>(bound * (2 * random.uniform() - 1));
      if (l + 1 < layers()) std::ranges::fill(part(parameters_, 4 * l + 2), T(1));
    }
  }

  index_t inputs() const { return sizes_.empty() ? 0 : sizes_.front(); }
  index_t outputs() const { return sizes_.empty() ? 0 : sizes_.back(); }
  const std::vector<index_t>& sizes() const { return sizes_; }
  double norm_epsilon() const { return norm_epsilon_; }
  // All parameters, and where each part lies among them.
  std::span<T> parameters() { return parameters_; }
  std::span<const T> parameters() const { return parameters_; }
  const std::vector<ParameterPart>& parts() const { return parts_; }
  // Replaces all parameters. Throws invalid_input unless there are as many, and all finite.
  void set_parameters(std::span<const T> values) {
    detail::require(values.size() == parameters_.size(), "parameters.size()", values.size(),
                    (std::to_string(parameters_.size()) + ", the number of parameters of this network").c_str());
    for (const auto& p : parts_) {
      for (index_t i = p.offset; i < p.offset + p.rows * p.cols; ++i) {
        const T value = values[static_cast<std::size_t>(i)];
        detail::require(std::isfinite(value), (p.name + "[" + std::to_string(i - p.offset) + "]").c_str(), value, "a finite number");
      }
    }
    std::ranges::copy(values, parameters_.begin());
  }

  // n x outputs, for x: n x inputs, without dropout, in the memory that x is in; in blocks of rows, so that memory does not grow with n
  // beyond the result.
  template <backend B, sample_matrix M>
  requires std::same_as<host_value<typename M::Scalar>, T> matrix_of<typename M::Scalar>
  operator()(const B& on, const M& all) const {
    using E = typename B::template element<T>;
    using S = typename M::Scalar;
    const samples<S> x(all);
    check_input(x);
    matrix_of<E> result;
    detail::reshape(on, result, x.rows(), outputs());
    matrix_of<E> moved;
    by_blocks(on, detail::writable_rows<E>(result), [&](index_t first, index_t rows) {
      if constexpr (std::same_as<S, E>) {
        return x.middle_rows(first, rows);
      } else {
        moved = on.upload(x.middle_rows(first, rows));
        return samples<E>(moved);
      }
    });
    return detail::handed_back<S>(on, std::move(result));
  }
  // The same for rows that are made a block at a time, in the memory that the backend computes in: block(first, rows) gives rows first ...
  // first + rows - 1, `inputs` columns of them, good until its next call. result: as many rows, `outputs` columns.
  template <backend B, class E, class F>
  void by_blocks(const B& on, const detail::writable_rows<E>& result, const F& block) const {
    PerceptronTape<E> tape;
    matrix_of<E> copy;
    const std::span<const E> all = detail::placed(on, parameters(), copy);
    constexpr index_t most = on_device<E> ? 8192 : 400;  // rows; on a device a launch should be long
    for (index_t first = 0; first < result.rows(); first += most) {
      const index_t count = std::min(most, result.rows() - first);
      run(on, all, block(first, count), tape, {}, {}, result.part(first, count));
    }
  }

  // The same for one batch, remembering what `backward` needs: x, which must stay where it is until then, or a copy of those of its rows
  // that `rows` names, one after another.
  template <backend B>
  const matrix<T>& forward(const B& on, const samples<T>& x, Tape& tape, const Dropout& dropout = {},
                           std::span<const index_t> rows = {}) const {
    return forward(on, parameters(), x, tape, dropout, rows);
  }
  // With parameters that are not the network's own but lie where x does.
  template <backend B, class E>
  requires std::same_as<host_value<E>, T>
  const matrix_of<E>& forward(const B& on, std::span<const E> parameters, const samples<E>& x, PerceptronTape<E>& tape,
                              const Dropout& dropout = {}, std::span<const index_t> rows = {}) const {
    const index_t count = rows.empty() ? x.rows() : static_cast<index_t>(rows.size());
    detail::reshape(on, tape.output_, count, outputs());
    run(on, parameters, x, tape, dropout, rows, detail::writable_rows<E>(tape.output_));
    return tape.output_;
  }

  // The derivatives of a scalar by all parameters, given those by the output of the last `forward` on this tape; and, where asked for, by
  // its input. gradient has as many entries as parameters().
  template <backend B>
  void backward(const B& on, Tape& tape, const samples<T>& grad_output, std::span<T> gradient, matrix<T>* grad_input = nullptr) const {
    backward(on, parameters(), tape, grad_output, gradient, grad_input);
  }
  template <backend B, class E>
  requires std::same_as<host_value<E>, T>
  void backward(const B& on, std::span<const E> parameters, PerceptronTape<E>& tape, const samples<E>& grad_output,
                std::type_identity_t<std::span<E>> gradient, matrix_of<E>* grad_input = nullptr) const {
    check_parameters(parameters.size());
    detail::require(gradient.size() == parameters_.size(), "gradient.size()", gradient.size(), "as many entries as parameters");
    detail::require(grad_output.rows() == tape.output_.rows(), "grad_output.rows()", grad_output.rows(), "as many rows as the last batch");
    detail::require(grad_output.cols() == outputs(), "grad_output.cols()", grad_output.cols(), "as many columns as the network's output");
    samples<E> grad = grad_output;
    if (grad.colStride() != 1) {
      detail::reshape(on, tape.grad_, grad.rows(), grad.cols());
      detail::copy_rows(on, grad_output, {}, detail::writable_rows<E>(tape.grad_));
      grad = tape.grad_;
    }
    for (std::size_t l = layers(); l-- > 0;) {
      const bool last = l + 1 == layers();  // the bias of a hidden layer is part of the GELU's sweep
      const samples<E> in = l == 0 ? tape.input_ : samples<E>(tape.hidden_[l - 1].output);
      linear_backward(on, in, weight(parameters, l), grad, part(gradient, 4 * l), last ? part(gradient, 4 * l + 1) : std::span<E>(),
                      tape.partials_, l > 0 ? &tape.below_ : grad_input);
      if (l == 0) break;
      std::swap(tape.grad_, tape.below_);
      if (tape.dropout_.hidden > 0) drop(on, tape.dropout_.hidden, tape, l, samples<E>(tape.grad_), tape.grad_);
      gelu_norm_backward(on, tape.hidden_[l - 1].norm, part(parameters, 4 * l - 2), tape.grad_, part(gradient, 4 * l - 2),
                         part(gradient, 4 * l - 1), part(gradient, 4 * l - 3));
      grad = tape.grad_;
    }
    if (grad_input != nullptr && tape.dropout_.input > 0) drop(on, tape.dropout_.input, tape, 0, samples<E>(*grad_input), *grad_input);
  }

  friend bool operator==(const Perceptron& a, const Perceptron& b) {
    return a.sizes_ == b.sizes_ && a.norm_epsilon_ == b.norm_epsilon_ && a.parameters_ == b.parameters_;
  }

 private:
  std::size_t layers() const { return sizes_.size() - 1; }
  // `forward`, its result written to out.
  template <backend B, class E>
  void run(const B& on, std::span<const E> all, const samples<E>& x, PerceptronTape<E>& tape, const Dropout& dropout,
           std::span<const index_t> rows, const detail::writable_rows<E>& out) const {
    check_input(x);
    check_parameters(all.size());
    for (const index_t r : rows) detail::require(r >= 0 && r < x.rows(), "rows", r, "the number of a row of x");
    for (const double p : {dropout.input, dropout.hidden}) detail::require(p >= 0 && p < 1, "dropout", p, "a probability, 0 <= p < 1");
    tape.hidden_.resize(layers() - 1);
    tape.input_ = x;
    tape.dropout_ = dropout;
    const auto chosen = rows.empty() ? std::span<const detail::beside<E, index_t>>() : detail::placed(on, rows, tape.rows_);
    if (dropout.input > 0) {
      detail::reshape(on, tape.dropped_, out.rows(), x.cols());
      drop(on, dropout.input, tape, 0, x, tape.dropped_, chosen);
      tape.input_ = tape.dropped_;
    } else if (!rows.empty()) {
      detail::copy_rows(on, x, chosen, tape.dropped_);
      tape.input_ = tape.dropped_;
    }
    samples<E> in = tape.input_;
    for (std::size_t l = 0; l + 1 < layers(); ++l) {
      auto& layer = tape.hidden_[l];
      linear_forward(on, in, weight(all, l), {}, layer.linear);
      gelu_norm_forward(on, layer.linear, part(all, 4 * l + 2), part(all, 4 * l + 3), norm_epsilon_, layer.norm, layer.output,
                        part(all, 4 * l + 1));
      if (dropout.hidden > 0) drop(on, dropout.hidden, tape, l + 1, samples<E>(layer.output), layer.output);
      in = layer.output;
    }
    detail::linear_into(on, in, weight(all, layers() - 1), part(all, 4 * (layers() - 1) + 1), out);
  }
  // Drops what the tape's dropout drops behind a layer, 0 being the input: the masks are drawn again where they are needed again.
  template <backend B, class E>
  static void drop(const B& on, double probability, const PerceptronTape<E>& tape, std::size_t layer, const samples<E>& in,
                   matrix_of<E>& out, std::type_identity_t<std::span<const detail::beside<E, index_t>>> rows = {}) {
    apply_dropout(on, probability, tape.dropout_.seed, tape.dropout_.step, static_cast<int>(layer), in, out, rows);
  }
  // Part number i of a vector of all parameters: weight, bias, gain, shift of each layer in turn.
  template <class V>
  auto part(V&& all, std::size_t i) const {
    const ParameterPart& p = parts_[i];
    return std::span(all).subspan(static_cast<std::size_t>(p.offset), static_cast<std::size_t>(p.rows * p.cols));
  }
  template <class E>
  samples<E> weight(std::span<const E> all, std::size_t layer) const {
    const ParameterPart& p = parts_[4 * layer];
    return {all.data() + p.offset, p.rows, p.cols, p.cols, 1};
  }
  template <class S>
  void check_input(const S& x) const {
    detail::require(!sizes_.empty(), "network", "empty", "a network with sizes");
    if (x.cols() != inputs()) detail::reject("x.cols()", x.cols(), std::to_string(inputs()) + ", the network's inputs");
  }
  void check_parameters(std::size_t count) const {
    detail::require(count == parameters_.size(), "parameters.size()", count, "as many as this network has");
  }

  std::vector<index_t> sizes_;
  double norm_epsilon_ = 1e-5;
  std::vector<ParameterPart> parts_;
  std::vector<T> parameters_;
};

}  // namespace MMD_ISA
}  // namespace mmd
