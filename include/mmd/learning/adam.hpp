// SPDX-License-Identifier: MIT
// Adam (Kingma & Ba, ICLR 2015), step by step as PyTorch's torch.optim.Adam takes it.
#pragma once

#include <cmath>
#include <cstdint>
#include <span>
#include <vector>

#include "mmd/core/config.hpp"
#include "mmd/core/errors.hpp"

namespace mmd {

struct AdamOptions {
  double learning_rate = 3e-4, beta1 = 0.9, beta2 = 0.999, epsilon = 1e-8;
  bool ascend = false;  // follow the gradient upwards: PyTorch's `maximize`
};

inline namespace MMD_ISA {

// One optimiser for one vector of parameters. Memory: two numbers a parameter.
//   m = b1 m + (1 - b1) g,  v = b2 v + (1 - b2) g^2,  p -= rate / (1 - b1^t) m / (sqrt(v) / sqrt(1 - b2^t) + epsilon).
template <class T>
class Adam {
 public:
  explicit Adam(const AdamOptions& options = {}) : options_(options) {
    detail::require(std::isfinite(options.learning_rate) && options.learning_rate > 0, "learning_rate", options.learning_rate,
                    "a finite number above 0");
    detail::require(options.beta1 >= 0 && options.beta1 < 1, "beta1", options.beta1, "0 <= beta1 < 1");
    detail::require(options.beta2 >= 0 && options.beta2 < 1, "beta2", options.beta2, "0 <= beta2 < 1");
    detail::require(std::isfinite(options.epsilon) && options.epsilon > 0, "epsilon", options.epsilon, "a finite number above 0");
  }

  // Moves the parameters by one step. Throws invalid_input when sizes differ from each other or from the first step's.
  void step(std::span<T> parameters, std::span<const T> gradient) {
    detail::require(gradient.size() == parameters.size(), "gradient.size()", gradient.size(), "as many entries as parameters");
    if (steps_ == 0) {
      mean_.assign(parameters.size(), T(0));
      square_.assign(parameters.size(), T(0));
    }
    detail::require(mean_.size() == parameters.size(), "parameters.size()", parameters.size(), "as many as in the first step");
    ++steps_;
    const double t = static_cast<double>(steps_);
    const T rate = static_cast<T>(options_.learning_rate / (1 - std::pow(options_.beta1, t)));
    const T root = static_cast<T>(std::sqrt(1 - std::pow(options_.beta2, t))), epsilon = static_cast<T>(options_.epsilon);
    const T keep1 = static_cast<T>(options_.beta1), take1 = static_cast<T>(1 - options_.beta1);
    const T keep2 = static_cast<T>(options_.beta2), take2 = static_cast<T>(1 - options_.beta2);
    const T sign = options_.ascend ? T(-1) : T(1);
    for (std::size_t i = 0; i < parameters.size(); ++i) {
      const T g = sign * gradient[i];
      mean_[i] = keep1 * mean_[i] + take1 * g;
      square_[i] = keep2 * square_[i] + take2 * g * g;
      parameters[i] -= rate * (mean_[i] / (std::sqrt(square_[i]) / root + epsilon));
    }
  }
  std::uint64_t steps() const { return steps_; }

 private:
  AdamOptions options_;
  std::uint64_t steps_ = 0;
  std::vector<T> mean_, square_;
};

}  // namespace MMD_ISA
}  // namespace mmd
