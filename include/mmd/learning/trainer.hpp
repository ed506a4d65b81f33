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
  const ordered_distances<gaussian> distances(on, pooled<T>{{samples<T>(z)}}, z.rows(), 0);
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

  // Samples in the device's memory are standardised on the host, like any others; the rows that training draws from are the device's.
  template <backend B, sample_matrix X, sample_matrix Y>
  requires(on_device<typename X::Scalar>&& std::same_as<typename X::Scalar, typename Y::Scalar>&&
               std::floating_point<host_value<typename X::Scalar>>)
      TrainResult<host_value<typename X::Scalar>> fit(const B& on, const X& x, const Y& y,
                                                      const ValidationSet<host_value<typename X::Scalar>>& validation = {})
  const {
    using E = typename X::Scalar;
    const auto from_x = on.download(samples<E>(x)), from_y = on.download(samples<E>(y));
    return fit(on, from_x, from_y, validation);
  }

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

    using E = typename B::template element<T>;  // where all that a step reads and writes stays from step to step
    DeepKernel<T> kernel;
    auto z = standardized<T>(x, y);
    kernel.standardizer = std::move(z.first);
    kernel.network = initial_network<T>(x.cols());
    kernel.raw_kernel = options.raw_kernel;
    kernel.logit_epsilon = std::log(options.epsilon / (1 - options.epsilon));
    start_sigmas(on, kernel, z.second);
    const matrix_of<E> rows = detail::moved_in(on, std::move(z.second));

    const bool paired = options.form == pairing::paired;
    const index_t batch = paired ? std::min({options.batch, x.rows(), y.rows()}) : options.batch;
    RowBatches from_x(x.rows(), batch, options.seed, 0), from_y(y.rows(), batch, options.seed, 1);
    const index_t n = from_x.batch(), m = from_y.batch();
    const index_t an_epoch = std::max(from_x.batches_an_epoch(), from_y.batches_an_epoch());
    const index_t steps = options.epochs > 0 ? options.epochs * an_epoch : options.steps;
    const ObjectiveOptions objective{.statistic = options.objective, .form = options.form, .lambda = options.lambda};

    Adam<E> adam({.learning_rate = options.learning_rate, .ascend = true});
    Adam<double> kernel_adam({.learning_rate = options.learning_rate, .ascend = true});
    std::vector<index_t> drawn(static_cast<std::size_t>(n + m));
    matrix_of<detail::beside<E, index_t>> drawn_memory;
    matrix_of<E> raw, gradient,
        weights = detail::moved_in(on, matrix<T>(1, static_cast<index_t>(kernel.network.parameters().size()),
                                                 {kernel.network.parameters().begin(), kernel.network.parameters().end()}));
    detail::reshape(on, gradient, 1, weights.cols());
    const std::span<E> parameters(weights.data(), static_cast<std::size_t>(weights.cols())), slopes(gradient.data(), parameters.size());
    PerceptronTape<E> tape;
    TrainResult<T> best{kernel, {}};
    TrainingHistory history;
    double best_validation = -std::numeric_limits<double>::infinity();
    for (index_t step = 0; step < steps; ++step) {
      report(step, steps);
      std::ranges::copy(from_x.next(), drawn.begin());
      std::ranges::transform(from_y.next(), drawn.begin() + n, [&](index_t i) { return x.rows() + i; });
      const Dropout dropout{options.input_dropout, options.hidden_dropout, options.seed, static_cast<std::uint64_t>(step)};
      const matrix_of<E>& features = kernel.network.forward(on, std::span<const E>(parameters), samples<E>(rows), tape, dropout, drawn);
      if (kernel.raw_kernel) {
        detail::copy_rows(on, samples<E>(rows), detail::placed(on, std::span<const index_t>(drawn), drawn_memory), raw);
      }
      const auto j = step_objective(on, kernel, features, raw, n, objective, step);
      kernel.network.backward(on, std::span<const E>(parameters), tape, samples<E>(j.grad_features), slopes);
      adam.step(on, parameters, slopes);
      step_kernel(on, kernel, j, kernel_adam);
      history.objective.push_back(j.objective);
      history.statistic.push_back(j.statistic);
      history.variance.push_back(j.variance);
      const index_t done = step + 1;
      if (done < steps && (!validated || done % options.checkpoint_every != 0)) continue;
      keep_weights(on, kernel.network, weights, step);
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
  // The objective of a batch. Features that are not finite are refused by the objective, which knows nothing of steps.
  template <backend B, class T, class M>
  static auto step_objective(const B& on, const DeepKernel<T>& kernel, const M& features, const M& raw, index_t n,
                             const ObjectiveOptions& options, index_t step) {
    using E = typename M::Scalar;
    try {
      auto j = deep_objective(on, samples<E>(features), samples<E>(raw), n, kernel.parameters(), options, {.raw = false});
      require_finite(std::isfinite(j.objective), "the objective", step);
      return j;
    } catch (const invalid_input&) {
      require_finite(detail::all_finite_in(on, features), "the network's output", step);
      throw;
    }
  }
  // The weights of this step, as the network's own.
  template <backend B, class T, class M>
  static void keep_weights(const B& on, Perceptron<T>& network, const M& weights, index_t step) {
    const auto keep = [&](const matrix<T>& values) {
      require_finite(detail::all_finite_in(on, values), "a weight", step);
      std::ranges::copy(values.values(), network.parameters().begin());
    };
    if constexpr (on_device<typename M::Scalar>) {
      keep(on.download(samples<typename M::Scalar>(weights)));
    } else {
      keep(weights);
    }
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
    detail::copy_rows(on, samples<T>(rows), order, some);
    kernel.log_sigma_phi =
        std::log(detail::median_squared_distance(on, kernel.network(on, samples<T>(some)), "the median squared distance of features"));
    if (kernel.raw_kernel)
      kernel.log_sigma_q = std::log(detail::median_squared_distance(on, some, "the median squared distance of standardised rows"));
  }
  // One step of the kernel's own parameters, by the derivatives of their unconstrained forms.
  template <backend B, class T, class Objective>
  static void step_kernel(const B& on, DeepKernel<T>& kernel, const Objective& j, Adam<double>& adam) {
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
