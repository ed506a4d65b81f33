// SPDX-License-Identifier: MIT
#include "cpu_training.hpp"

#include <algorithm>

#include "mmd/backends/cpu.hpp"
#include "mmd/learning/trainer.hpp"

namespace cpu_results {

namespace {
const mmd::cpu on{.threads = 2};

template <class V>
std::vector<double> wide(const V& values) {
  return {values.begin(), values.end()};
}
}  // namespace

template <class T>
network_result network(const network_run& run, const mmd::samples<T>& x, const std::vector<mmd::index_t>& rows,
                       const mmd::samples<T>& grad) {
  mmd::Perceptron<T> net(run.sizes, 3);
  typename mmd::Perceptron<T>::Tape tape;
  mmd::Adam<T> adam({.learning_rate = 0.01, .ascend = true});
  std::vector<T> gradient(net.parameters().size());
  mmd::matrix<T> grad_input;
  for (int step = 0; step < run.steps; ++step) {
    net.forward(on, x, tape, {run.input_dropout, run.hidden_dropout, 5, static_cast<std::uint64_t>(step)}, rows);
    net.backward(on, tape, grad, gradient, &grad_input);
    adam.step(on, net.parameters(), gradient);
  }
  return {wide(tape.output().values()), wide(gradient), wide(grad_input.values()), wide(net.parameters())};
}

template <class T>
training_result training(const mmd::TrainingOptions& options, const mmd::samples<T>& x, const mmd::samples<T>& y,
                         const mmd::samples<T>& validation_x, const mmd::samples<T>& validation_y) {
  const auto trained = mmd::MmdMpTrainer{options}.fit(on, x, y, {.human = validation_x, .machine = validation_y});
  const auto& k = trained.kernel;
  return {trained.history, wide(k.network.parameters()), wide(k.features(on, x).values()), k.epsilon(), k.sigma_phi(), k.sigma_q()};
}

template <class T>
mmd::matrix<T> mask(double probability, std::uint64_t seed, std::uint64_t step, int layer, mmd::index_t rows, mmd::index_t cols) {
  mmd::matrix<T> out(rows, cols);
  std::fill_n(out.data(), out.size(), T(1));
  mmd::apply_dropout(on, probability, seed, step, layer, mmd::samples<T>(out), out);
  return out;
}

#define CPU_TRAINING_OF(T)                                                                                          \
  template network_result network<T>(const network_run&, const mmd::samples<T>&, const std::vector<mmd::index_t>&,  \
                                     const mmd::samples<T>&);                                                       \
  template training_result training<T>(const mmd::TrainingOptions&, const mmd::samples<T>&, const mmd::samples<T>&, \
                                       const mmd::samples<T>&, const mmd::samples<T>&);                             \
  template mmd::matrix<T> mask<T>(double, std::uint64_t, std::uint64_t, int, mmd::index_t, mmd::index_t);
CPU_TRAINING_OF(float)
CPU_TRAINING_OF(double)

}  // namespace cpu_results
