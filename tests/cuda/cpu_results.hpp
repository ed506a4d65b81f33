// SPDX-License-Identifier: MIT
// What the CPU backend makes of the same samples, through plain functions: device code cannot include that backend.
#pragma once

#include <exception>
#include <span>
#include <string>
#include <variant>
#include <vector>

#include "mmd/core/errors.hpp"
#include "mmd/core/matrix.hpp"
#include "mmd/detection/document_test.hpp"
#include "mmd/detection/group_test.hpp"
#include "mmd/estimators/deep_objective.hpp"
#include "mmd/estimators/mmd.hpp"
#include "mmd/inference/clustered_permutation_test.hpp"
#include "mmd/inference/gram_tests.hpp"
#include "mmd/inference/permutation_test.hpp"

namespace cpu_results {

using mmd::index_t;
using mmd::samples;

using any_kernel = std::variant<mmd::gaussian, mmd::laplace, mmd::energy, mmd::linear>;

// T: float, double, float16, bfloat16.
template <class T>
mmd::MmdEstimate estimates(const samples<T>& x, const samples<T>& y, const mmd::gaussian& k);
template <class T>
mmd::TestResult permutation_test(const mmd::PermutationOptions& options, const samples<T>& x, const samples<T>& y, const any_kernel& k);
template <class T>
std::vector<mmd::TestResult> group_tests(const mmd::BatchOptions& options, const samples<T>& reference,
                                         const std::vector<samples<T>>& groups, const mmd::gaussian& k);
template <class T>
std::vector<mmd::DocumentStatistic> documents(const samples<T>& reference, const samples<T>& sentences, std::span<const index_t> doc,
                                              index_t cut_to, const mmd::gaussian& k);
template <class T>
std::vector<double> scores(const samples<T>& reference, const samples<T>& machine, const samples<T>& x, const mmd::gaussian& k);
template <class T>
double median_heuristic(const samples<T>& x, const samples<T>& y);

// T: float, double.
template <class T>
mmd::TestResult test_on_gram(const mmd::PermutationOptions& options, const samples<T>& gram, index_t n);
template <class T>
mmd::TestResult clustered_test(const mmd::PermutationOptions& options, const samples<T>& x, const samples<T>& y,
                               std::span<const index_t> x_clusters, std::span<const index_t> y_clusters, const mmd::gaussian& k);
template <class T>
std::vector<mmd::GramTestResult> gram_tests(const mmd::GramTestOptions& options, const samples<T>& gram,
                                            const std::vector<mmd::IndexSets>& tests);

// The objective and its gradient by the samples, in double.
enum class objective_kernel { gaussian, laplace, mixture };
struct objective_gradient {
  mmd::ObjectiveValue value;
  std::vector<std::vector<double>> features;  // of every space, row-major
  std::vector<double> scales, constants;
};
objective_gradient gradient(const samples<double>& x, const samples<double>& y, objective_kernel k, double h,
                            const mmd::ObjectiveOptions& options);
// The same of the deep kernel (deep_objective): features and raw rows, the first n of x.
struct deep_gradient {
  double objective = 0, statistic = 0, variance = 0, epsilon = 0, sigma_phi = 0, sigma_q = 0;
  std::vector<double> features, raw;
};
deep_gradient deep(const samples<double>& features, const samples<double>& raw, index_t n, const mmd::DeepKernelParameters& p);

// "invalid_input: mmd: x.rows() = 0, expected ..." of what f throws, or "nothing was thrown".
template <class F>
std::string what_is_thrown(F&& f) {
  try {
    f();
  } catch (const mmd::invalid_input& e) {
    return std::string("invalid_input: ") + e.what();
  } catch (const mmd::memory_limit_exceeded& e) {
    return std::string("memory_limit_exceeded: ") + e.what();
  } catch (const mmd::cancelled& e) {
    return std::string("cancelled: ") + e.what();
  } catch (const mmd::error& e) {
    return std::string("error: ") + e.what();
  } catch (const std::exception& e) {
    return std::string("another exception: ") + e.what();
  }
  return "nothing was thrown";
}

}  // namespace cpu_results
