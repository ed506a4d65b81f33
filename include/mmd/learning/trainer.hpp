// SPDX-License-Identifier: MIT
// Training of a deep kernel: mini-batches, the objective of MMD-MP or MMD-D, Adam, and the checkpoint that does best on validation texts.
#pragma once

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "mmd/estimators/bandwidth.hpp"
#include "mmd/learning/adam.hpp"
#include "mmd/learning/batches.hpp"
#include "mmd/learning/deep_kernel.hpp"
#include "mmd/learning/training.hpp"
#include "mmd/learning/validation.hpp"

namespace mmd {

template <class T>
struct TrainResult {
  DeepKernel<T> kernel;  // at the best checkpoint
  TrainingHistory history;
};

namespace detail {
inline namespace MMD_ISA {

// The median of |z_i - z_j|^2, i < j (the mean of the two middle ones). O(N d) memory.
template <backend B, class T>
double median_squared_distance(const B& on, const matrix<T>& z, const char* name) {
  const ordered_distances<gaussian> distances(pooled<T>{{samples<T>(z)}}, z.rows(), 0);
  const auto found = distances.at_rank(on, (distances.pairs() - 1) / 2);
  const double median = distances.pairs() % 2 == 1 ? found.value * found.value : (found.value * found.value + found.next * found.next) / 2;
  require(std::isfinite(median) && median > 0, name, median, "a number above 0; it is 0 when over half of the training rows coincide");
  return median;
}

// The backend for what a step does inside: it reports no progress of its own, so that "training" is the only stage there is.
template <backend B>
B without_progress(const B& on) {
  B quiet = on;
  if constexpr (requires { quiet.progress = nullptr; }) quiet.progress = nullptr;
  return quiet;
}

}  // namespace MMD_ISA
}  // namespace detail

inline namespace MMD_ISA {

// Learns the kernel that tells two kinds of samples apart, by ascent of J = M / sqrt(V + lambda) (estimators/objective.hpp).
//
//   const auto trained = mmd::MmdMpTrainer{{.seed = 1}}.fit(on, human, machine, {.human = vh, .machine = vm});
//   trained.kernel, trained.history
//
// Samples are standardised by the training rows. sigma_phi (and sigma_q) start at the median squared distance under the initial network,
// dropout off, over at most 2,000 pooled training rows drawn uniformly; training does not bring a bad start back. Every `checkpoint_every`
// steps, and after the last, the kernel is judged by the validation set (see Validator); the best one is the result, the earliest of
// equals. Cost: a step is about 6 (n + m) (parameters of the network) flops for batches of n and m rows. Memory: the standardised training
// rows and the batch's tape. Reproducibility: the same seed and samples give the same bits on any number of threads.
// Validity: whatever is tested later with the kernel must not have been among x, y or the validation set.
// Throws invalid_input: samples (at least 2 rows each), options or weights that cannot be used, an objective that is no longer finite;
// cancelled when the progress callback (stage "training") asks for it. There is no result then.
class MmdMpTrainer {
 public:
  TrainingOptions options = {};

  template <backend B, floating_matrix X, floating_matrix Y>
  requires std::same_as<typename X::Scalar, typename Y::Scalar> TrainResult<typename X::Scalar> fit(
      const B& on, const X& x, const Y& y, const ValidationSet<typename X::Scalar>& validation = {})
  const {
    using T = typename X::Scalar;
    const auto report = [&](index_t done, index_t total) {
      on.report("training", static_cast<std::uint64_t>(done), static_cast<std::uint64_t>(total));
    };
    return train<T>(detail::without_progress(on), report, samples<T>(x), samples<T>(y), validation);
  }
  template <floating_matrix X, floating_matrix Y>
  requires std::same_as<typename X::Scalar, typename Y::Scalar> TrainResult<typename X::Scalar> fit(
      const X& x, const Y& y, const ValidationSet<typename X::Scalar>& validation = {})
  const { return fit(detail::default_backend<X>{}, x, y, validation); }

 private:
  static constexpr index_t median_rows = 2000;

  template <class T, backend B, class Report>
  TrainResult<T> train(const B& on, const Report& report, const samples<T>& x, const samples<T>& y,
                       const ValidationSet<T>& validation) const {
    check_samples(x, y, 2);
    check_options();
    const bool validated = validation.human.rows() > 0 || validation.machine.rows() > 0;
    std::optional<Validator<T>> validator;
    if (validated) validator.emplace(x, validation, options.select, options.seed);

    const auto z = standardized<T>(x, y);
    const matrix<T>& rows = z.second;
    DeepKernel<T> kernel;
    kernel.standardizer = z.first;
    kernel.network = initial_network<T>(x.cols());
    kernel.raw_kernel = options.raw_kernel;
    kernel.logit_epsilon = std::log(options.epsilon / (1 - options.epsilon));
    start_sigmas(on, kernel, rows);

    const bool paired = options.form == pairing::paired;
    const index_t batch = paired ? std::min({options.batch, x.rows(), y.rows()}) : options.batch;
    RowBatches from_x(x.rows(), batch, options.seed, 0), from_y(y.rows(), batch, options.seed, 1);
    const index_t n = from_x.batch(), m = from_y.batch();
    const index_t an_epoch = std::max(from_x.batches_an_epoch(), from_y.batches_an_epoch());
    const index_t steps = options.epochs > 0 ? options.epochs * an_epoch : options.steps;
    const ObjectiveOptions objective{.statistic = options.objective, .form = options.form, .lambda = options.lambda};

    Adam<T> adam({.learning_rate = options.learning_rate, .ascend = true});
    Adam<double> kernel_adam({.learning_rate = options.learning_rate, .ascend = true});
    std::vector<index_t> drawn(static_cast<std::size_t>(n + m));
    matrix<T> raw;
    typename Perceptron<T>::Tape tape;
    std::vector<T> gradient(kernel.network.parameters().size());
    TrainResult<T> best{kernel, {}};
    TrainingHistory history;
    const auto finite = [](std::span<const T> values) { return detail::all_finite<typename B::template pack<T>>(values); };
    double best_validation = -std::numeric_limits<double>::infinity();
    for (index_t step = 0; step < steps; ++step) {
      report(step, steps);
      std::ranges::copy(from_x.next(), drawn.begin());
      std::ranges::transform(from_y.next(), drawn.begin() + n, [&](index_t i) { return x.rows() + i; });
      const Dropout dropout{options.input_dropout, options.hidden_dropout, options.seed, static_cast<std::uint64_t>(step)};
      const matrix<T>& features = kernel.network.forward(on, samples<T>(rows), tape, dropout, drawn);
      require_finite(finite(features.values()), "the network's output", step);
      if (kernel.raw_kernel) detail::copy_rows(on, samples<T>(rows), drawn, raw);
      const auto j = deep_objective(on, samples<T>(features), samples<T>(raw), n, kernel.parameters(), objective, {.raw = false});
      require_finite(std::isfinite(j.objective), "the objective", step);
      kernel.network.backward(on, tape, samples<T>(j.grad_features), gradient);
      adam.step(on, kernel.network.parameters(), gradient);
      step_kernel(on, kernel, j, kernel_adam);
      history.objective.push_back(j.objective);
      history.statistic.push_back(j.statistic);
      history.variance.push_back(j.variance);
      const index_t done = step + 1;
      if (done < steps && (!validated || done % options.checkpoint_every != 0)) continue;
      require_finite(finite(kernel.network.parameters()), "a weight", step);
      history.checkpoints.push_back(
          {done, validated ? (*validator)(on, kernel) : 0, kernel.epsilon(), kernel.sigma_phi(), kernel.sigma_q()});
      if (validated && !(history.checkpoints.back().validation > best_validation)) continue;
      best_validation = history.checkpoints.back().validation;
      best.kernel = kernel;
      history.best_step = done;
    }
    report(steps, steps);
    best.history = std::move(history);
    return best;
  }

  void check_options() const {
    const auto& o = options;
    detail::require(o.steps >= 1, "steps", o.steps, "at least 1");
    detail::require(o.epochs >= 0 && o.epochs <= 1'000'000'000, "epochs", o.epochs, "0 (then `steps` counts) to 1000000000");
    detail::require(o.batch >= 2, "batch", o.batch, "at least 2");
    detail::require(o.checkpoint_every >= 1, "checkpoint_every", o.checkpoint_every, "at least 1");
    detail::require(o.epsilon > 0 && o.epsilon < 1, "epsilon", o.epsilon, "a number between 0 and 1");
    detail::require(o.input_dropout >= 0 && o.input_dropout < 1, "input_dropout", o.input_dropout, "a probability, 0 <= p < 1");
    detail::require(o.hidden_dropout >= 0 && o.hidden_dropout < 1, "hidden_dropout", o.hidden_dropout, "a probability, 0 <= p < 1");
  }
  static void require_finite(bool good, const char* what, index_t step) {
    if (good) return;
    detail::reject((std::string(what) + " in training step " + std::to_string(step + 1)).c_str(), std::numeric_limits<double>::quiet_NaN(),
                   "finite numbers; a smaller learning_rate helps when training diverges");
  }

  template <class T>
  static std::pair<Standardizer, matrix<T>> standardized(const samples<T>& x, const samples<T>& y) {
    auto standardizer = Standardizer::fit(x, y);
    matrix<T> rows(x.rows() + y.rows(), x.cols());
    const matrix<T> zx = standardizer(x), zy = standardizer(y);
    std::ranges::copy(zx.values(), rows.data());
    std::ranges::copy(zy.values(), rows.data() + zx.size());
    return {std::move(standardizer), std::move(rows)};
  }
  template <class T>
  Perceptron<T> initial_network(index_t inputs) const {
    std::vector<index_t> sizes{inputs};
    sizes.insert(sizes.end(), options.hidden.begin(), options.hidden.end());
    sizes.push_back(options.output);
    return Perceptron<T>(std::move(sizes), options.seed);
  }
  template <backend B, class T>
  void start_sigmas(const B& on, DeepKernel<T>& kernel, const matrix<T>& rows) const {
    auto order = random_stream(options.seed, purpose::bandwidth_subsample).permutation(rows.rows());
    order.resize(static_cast<std::size_t>(std::min(rows.rows(), median_rows)));
    matrix<T> some;
    detail::copy_rows(on, samples<T>(rows), std::span<const index_t>(order), some);
    kernel.log_sigma_phi =
        std::log(detail::median_squared_distance(on, kernel.network(on, samples<T>(some)), "the median squared distance of features"));
    if (kernel.raw_kernel)
      kernel.log_sigma_q = std::log(detail::median_squared_distance(on, some, "the median squared distance of standardised rows"));
  }
  // One step of the kernel's own parameters, by the derivatives of their unconstrained forms.
  template <backend B, class T>
  static void step_kernel(const B& on, DeepKernel<T>& kernel, const DeepObjective<T>& j, Adam<double>& adam) {
    const double e = kernel.epsilon();
    std::array<double, 3> values{kernel.logit_epsilon, kernel.log_sigma_phi, kernel.log_sigma_q};
    const std::array<double, 3> slopes{j.grad_epsilon * e * (1 - e), j.grad_sigma_phi * kernel.sigma_phi(),
                                       kernel.raw_kernel ? j.grad_sigma_q * kernel.sigma_q() : 0};
    adam.step(on, values, slopes);
    kernel.logit_epsilon = values[0];
    kernel.log_sigma_phi = values[1];
    kernel.log_sigma_q = values[2];
  }
};

}  // namespace MMD_ISA
}  // namespace mmd
