// SPDX-License-Identifier: MIT
// Adam (Kingma & Ba, ICLR 2015), step by step as PyTorch's torch.optim.Adam takes it.
#pragma once

#include <cmath>
#include <cstdint>
#include <span>
#include <vector>

#include "mmd/core/config.hpp"
#include "mmd/core/errors.hpp"
#include "mmd/learning/packs.hpp"

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

  // Moves the parameters by one step, in parallel. Throws invalid_input when sizes differ from each other or from the first step's.
  // Not inlined: where GCC sees parameters fewer than a pack has values it warns of the loop that is not entered.
  template <backend B>
  [[gnu::noinline]] void step(const B& on, std::span<T> parameters, std::span<const T> gradient) {
    using V = typename B::template pack<T>;
    detail::require(gradient.size() == parameters.size(), "gradient.size()", gradient.size(), "as many entries as parameters");
    if (steps_ == 0) {
      mean_.assign(parameters.size(), T(0));
      square_.assign(parameters.size(), T(0));
    }
    detail::require(mean_.size() == parameters.size(), "parameters.size()", parameters.size(), "as many as in the first step");
    ++steps_;
    const double t = static_cast<double>(steps_);
    const V rate = static_cast<T>(options_.learning_rate / (1 - std::pow(options_.beta1, t)));
    const V root = static_cast<T>(std::sqrt(1 - std::pow(options_.beta2, t))), epsilon = static_cast<T>(options_.epsilon);
    const V keep1 = static_cast<T>(options_.beta1), take1 = static_cast<T>(1 - options_.beta1);
    const V keep2 = static_cast<T>(options_.beta2), take2 = static_cast<T>(1 - options_.beta2);
    const V sign = options_.ascend ? T(-1) : T(1);
    constexpr index_t block = 8192;
    const auto size = static_cast<index_t>(parameters.size());
    on.for_each((size + block - 1) / block, [&](index_t part) {
      const index_t first = part * block;
      T *const p = parameters.data() + first, *const mean = mean_.data() + first, *const square = square_.data() + first;
      detail::for_each_pack<T, V>(std::min(block, size - first), [&](index_t i, auto at) {
        const V g = sign * at.load(gradient.data() + first + i);
        const V m = fma(keep1, at.load(mean + i), take1 * g), v = fma(keep2, at.load(square + i), take2 * g * g);
        at.store(m, mean + i);
        at.store(v, square + i);
        at.store(at.load(p + i) - rate * (m / (sqrt(v) / root + epsilon)), p + i);
      });
    });
  }
  template <class D = T>
  void step(std::span<T> parameters, std::span<const T> gradient) {
    step(detail::default_backend<D>{}, parameters, gradient);
  }
  std::uint64_t steps() const { return steps_; }

 private:
  AdamOptions options_;
  std::uint64_t steps_ = 0;
  std::vector<T> mean_, square_;
};

}  // namespace MMD_ISA
}  // namespace mmd
