// SPDX-License-Identifier: MIT
// The deep kernel: a standardiser, a network, and a Gaussian on what the network makes of a sample.
#pragma once

#include <cmath>
#include <memory>
#include <utility>

#include "mmd/estimators/deep_objective.hpp"
#include "mmd/learning/perceptron.hpp"
#include "mmd/learning/standardizer.hpp"

namespace mmd {

// The feature map that reads `count` columns from `first` on: a view, nothing is copied.
struct columns {
  index_t first, count;
  template <class T>
  samples<T> operator()(const samples<T>& x) const {
    detail::require(first >= 0 && count >= 0 && first + count <= x.cols(), "columns: first + count", first + count,
                    "no more columns than the sample has");
    return {count == 0 ? x.data() : x.data() + first * x.colStride(), x.rows(), count, x.rowStride(), x.colStride()};
  }
};

inline namespace MMD_ISA {

// k(a, b) = [(1 - epsilon) exp(-|phi(z(a)) - phi(z(b))|^2 / sigma_phi) + epsilon] q(a, b), z the standardiser, phi the network. q is 1, or
// with `raw_kernel` exp(-|z(a) - z(b)|^2 / sigma_q), as in the paper.
// epsilon, sigma_phi and sigma_q are kept and trained in unconstrained form: epsilon = sigmoid(logit_epsilon), sigma = exp(log_sigma). A
// sigma is 2 h^2 of the Gaussian's bandwidth h.
//
//   const auto k = model.kernel(on);                                  // between samples: the network runs in every call
//   const auto rx = model.features(on, x), ry = model.features(on, y);
//   const auto kf = model.feature_kernel();                           // between rows of features: run the network once, test often
template <class T>
class DeepKernel {
 public:
  Standardizer standardizer;
  Perceptron<T> network;
  double logit_epsilon = -4.59511985013459, log_sigma_phi = 0, log_sigma_q = 0;  // epsilon = .01
  bool raw_kernel = false;

  double epsilon() const { return 1 / (1 + std::exp(-logit_epsilon)); }
  double sigma_phi() const { return std::exp(log_sigma_phi); }
  double sigma_q() const { return std::exp(log_sigma_q); }
  // As estimators/deep_objective.hpp takes them.
  DeepKernelParameters parameters() const { return {epsilon(), sigma_phi(), sigma_q(), raw_kernel}; }
  // Columns of a sample that the kernel is made for.
  index_t dimension() const { return standardizer.dimension(); }
  // Columns of `features`.
  index_t feature_columns() const { return network.outputs() + (raw_kernel ? dimension() : 0); }

  // What the kernel reads of each row: phi(z(x)), and behind it z(x) with `raw_kernel`; in the memory that x is in. Throws invalid_input
  // when x has other columns than the training rows had, or a value that is not finite.
  template <backend B, sample_matrix M>
  requires std::same_as<host_value<typename M::Scalar>, T> matrix_of<typename M::Scalar> features(const B& on, const M& x)
  const { return map(on, samples<typename M::Scalar>(x), raw_kernel); }
  template <floating_matrix M, class B = detail::default_backend<M>>
  matrix<T> features(const M& x) const {
    return features(B{}, samples<T>(x));
  }

  // The kernel between rows of `features`.
  auto feature_kernel() const {
    const index_t outputs = network.outputs(), rest = raw_kernel ? dimension() : 0;
    return combine(columns{0, outputs}, columns{outputs, rest});
  }

  // The kernel between samples. It refers to this object, which must outlive it.
  template <backend B>
  auto kernel(const B& on) const {
    const auto phi = [this, on]<class S>(const samples<S>& x) { return this->map(on, x, false); };
    const auto raw = [this, on]<class S>(const samples<S>& x) { return this->standardized(on, x); };
    return combine(phi, raw);
  }

  friend bool operator==(const DeepKernel&, const DeepKernel&) = default;

 private:
  // phi(z(x)), and behind it z(x) where asked for, a block of rows at a time.
  template <backend B, class S>
  matrix_of<S> map(const B& on, const samples<S>& x, bool with_raw) const {
    using E = typename B::template element<T>;
    if (x.rows() == 0) check_sample(x, "x", 0);
    matrix_of<E> out, moved, z;
    detail::reshape(on, out, x.rows(), network.outputs() + (with_raw ? x.cols() : 0));
    const detail::writable_rows<E> all(out);
    network.by_blocks(on, detail::writable_rows<E>(out.data(), out.rows(), network.outputs(), out.cols()),
                      [&](index_t first, index_t rows) {
                        const samples<S> block = x.middle_rows(first, rows);
                        bool finite = true;
                        if constexpr (std::same_as<S, E>) {
                          finite = standardizer(on, block, z);
                        } else {
                          moved = on.upload(block);
                          finite = standardizer(on, samples<E>(moved), z);
                        }
                        if (!finite) check_finite(on, x);
                        if (with_raw) detail::copy_rows(on, samples<E>(z), {}, all.part(first, rows, network.outputs()));
                        return samples<E>(z);
                      });
    return detail::handed_back<S>(on, std::move(out));
  }
  // z(x) where it is read, else no columns.
  template <backend B, class S>
  matrix_of<S> standardized(const B& on, const samples<S>& x) const {
    matrix_of<S> z;
    if constexpr (on_device<S>) {
      detail::reshape(on, z, x.rows(), 0);
      if (raw_kernel) standardizer(on, x, z);
      return z;
    } else {
      return raw_kernel ? standardizer(x) : matrix<T>(x.rows(), 0);
    }
  }
  // Names the value that is not finite.
  template <backend B, class S>
  static void check_finite(const B& on, const samples<S>& x) {
    if constexpr (on_device<S>) {
      const auto copy = on.download(x);
      check_sample(samples<T>(copy), "x", 0);
    } else {
      check_sample(x, "x", 0);
    }
  }
  // Without q the second map has no columns: all distances are 0 and its factor is exactly 1, so that both forms are of one type.
  template <class Phi, class Raw>
  auto combine(Phi phi, Raw raw) const {
    const double e = epsilon();
    return ((1 - e) * on(std::move(phi), gaussian(bandwidth(log_sigma_phi))) + e) * on(std::move(raw), gaussian(bandwidth(log_sigma_q)));
  }
  static double bandwidth(double log_sigma) { return std::exp(0.5 * (log_sigma - 0.6931471805599453)); }
};

}  // namespace MMD_ISA
}  // namespace mmd
