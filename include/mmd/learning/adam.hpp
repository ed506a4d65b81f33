// SPDX-License-Identifier: MIT
// Adam (Kingma & Ba, ICLR 2015), step by step as PyTorch's torch.optim.Adam takes it.
#pragma once

#include <cmath>
#include <cstdint>
#include <span>

#include "mmd/core/errors.hpp"
#include "mmd/core/matrix.hpp"
#include "mmd/learning/rows.hpp"

namespace mmd {

struct AdamOptions {
  double learning_rate = 3e-4, beta1 = 0.9, beta2 = 0.999, epsilon = 1e-8;
  bool ascend = false;  // follow the gradient upwards: PyTorch's `maximize`
};

inline namespace MMD_ISA {

// One optimiser for one vector of parameters, in the host's memory (E = T) or in a device's (E = device<T>). Memory: two numbers a
// parameter, where the parameters are.
//   m = b1 m + (1 - b1) g,  v = b2 v + (1 - b2) g^2,  p -= rate / (1 - b1^t) m / (sqrt(v) / sqrt(1 - b2^t) + epsilon).
template <class E>
class Adam {
  using T = host_value<E>;

 public:
  explicit Adam(const AdamOptions& options = {}) : options_(options) {
    detail::require(std::isfinite(options.learning_rate) && options.learning_rate > 0, "learning_rate", options.learning_rate,
                    "a finite number above 0");
    detail::require(options.beta1 >= 0 && options.beta1 < 1, "beta1", options.beta1, "0 <= beta1 < 1");
    detail::require(options.beta2 >= 0 && options.beta2 < 1, "beta2", options.beta2, "0 <= beta2 < 1");
    detail::require(std::isfinite(options.epsilon) && options.epsilon > 0, "epsilon", options.epsilon, "a finite number above 0");
  }

  // Moves the parameters by one step, in parallel. Throws invalid_input when sizes differ from each other or from the first step's.
  // Not inlined: where GCC sees parameters fewer than a pack has values it warns of the loop that is not entered.
  template <backend B>
  [[gnu::noinline]] void step(const B& on, std::span<E> parameters, std::span<const E> gradient) {
    detail::require(gradient.size() == parameters.size(), "gradient.size()", gradient.size(), "as many entries as parameters");
    const auto size = static_cast<index_t>(parameters.size());
    if (steps_ == 0) {
      detail::zeros<E>(on, mean_, size);
      detail::zeros<E>(on, square_, size);
    }
    detail::require(mean_.cols() == size, "parameters.size()", parameters.size(), "as many as in the first step");
    ++steps_;
    const double t = static_cast<double>(steps_);
    using detail::raw;
    detail::for_each_part<E>(
        on, size,
        detail::adam_part<T>{raw(parameters.data()), raw(mean_.data()), raw(square_.data()), raw(gradient.data()),
                             static_cast<T>(options_.learning_rate / (1 - std::pow(options_.beta1, t))),
                             static_cast<T>(std::sqrt(1 - std::pow(options_.beta2, t))), static_cast<T>(options_.epsilon),
                             static_cast<T>(options_.beta1), static_cast<T>(1 - options_.beta1), static_cast<T>(options_.beta2),
                             static_cast<T>(1 - options_.beta2), options_.ascend ? T(-1) : T(1)});
  }
  template <class D = E>
  void step(std::span<E> parameters, std::span<const E> gradient) {
    step(detail::default_backend<D>{}, parameters, gradient);
  }
  std::uint64_t steps() const { return steps_; }

 private:
  AdamOptions options_;
  std::uint64_t steps_ = 0;
  matrix_of<E> mean_, square_;
};

}  // namespace MMD_ISA
}  // namespace mmd
