// SPDX-License-Identifier: MIT
// What the CPU backend makes of the same training, as plain values: device code cannot include that backend.
#pragma once

#include <cstdint>
#include <vector>

#include "mmd/core/matrix.hpp"
#include "mmd/learning/training.hpp"

namespace cpu_results {

// Some steps of a network of these sizes: each gathers `rows` of x, drops out, goes forward and, from the same `grad`, back, and moves the
// parameters by Adam upwards.
struct network_run {
  std::vector<mmd::index_t> sizes;
  double input_dropout, hidden_dropout;
  int steps;
};
struct network_result {
  std::vector<double> output, gradient, grad_input, parameters;  // of the last step; the parameters after it
};
template <class T>
network_result network(const network_run& run, const mmd::samples<T>& x, const std::vector<mmd::index_t>& rows,
                       const mmd::samples<T>& grad);

// A whole training, and the features of x under the kernel that it made.
struct training_result {
  mmd::TrainingHistory history;
  std::vector<double> parameters, features;
  double epsilon = 0, sigma_phi = 0, sigma_q = 0;
};
template <class T>
training_result training(const mmd::TrainingOptions& options, const mmd::samples<T>& x, const mmd::samples<T>& y,
                         const mmd::samples<T>& validation_x, const mmd::samples<T>& validation_y);

// Dropout of ones.
template <class T>
mmd::matrix<T> mask(double probability, std::uint64_t seed, std::uint64_t step, int layer, mmd::index_t rows, mmd::index_t cols);

}  // namespace cpu_results
