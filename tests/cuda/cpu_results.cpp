// SPDX-License-Identifier: MIT
#include "cpu_results.hpp"

#include "mmd/backends/cpu.hpp"
#include "mmd/detection/reference_detector.hpp"
#include "mmd/estimators/bandwidth.hpp"

namespace cpu_results {

namespace {
const mmd::cpu on{.threads = 2};

template <class T>
std::vector<double> values(const mmd::matrix<T>& a) {
  return {a.values().begin(), a.values().end()};
}
}  // namespace

template <class T>
mmd::MmdEstimate estimates(const samples<T>& x, const samples<T>& y, const mmd::gaussian& k) {
  return mmd::Mmd{k}(on, x, y);
}
template <class T>
mmd::TestResult permutation_test(const mmd::PermutationOptions& options, const samples<T>& x, const samples<T>& y, const any_kernel& k) {
  return std::visit([&](const auto& kernel) { return mmd::PermutationTest{options}(on, x, y, kernel); }, k);
}
template <class T>
mmd::TestResult test_on_gram(const mmd::PermutationOptions& options, const samples<T>& gram, index_t n) {
  return mmd::PermutationTest{options}.on_gram(on, gram, n);
}
template <class T>
mmd::TestResult clustered_test(const mmd::PermutationOptions& options, const samples<T>& x, const samples<T>& y,
                               std::span<const index_t> x_clusters, std::span<const index_t> y_clusters, const mmd::gaussian& k) {
  return mmd::ClusteredPermutationTest{options}(on, x, y, x_clusters, y_clusters, k);
}
template <class T>
std::vector<mmd::GramTestResult> gram_tests(const mmd::GramTestOptions& options, const samples<T>& gram,
                                            const std::vector<mmd::IndexSets>& tests) {
  return mmd::gram_subset_tests(on, gram, tests, options);
}
template <class T>
std::vector<mmd::TestResult> group_tests(const mmd::BatchOptions& options, const samples<T>& reference,
                                         const std::vector<samples<T>>& groups, const mmd::gaussian& k) {
  std::vector<mmd::TestResult> out;
  for (auto& result : mmd::GroupTest(on, k, reference, options)(on, groups)) out.push_back(std::move(result.test));
  return out;
}
template <class T>
std::vector<mmd::DocumentStatistic> documents(const samples<T>& reference, const samples<T>& sentences, std::span<const index_t> doc,
                                              index_t cut_to, const mmd::gaussian& k) {
  return mmd::DocumentStatistics(on, k, reference)(on, sentences, doc, cut_to);
}
template <class T>
std::vector<double> scores(const samples<T>& reference, const samples<T>& machine, const samples<T>& x, const mmd::gaussian& k) {
  return mmd::ReferenceDetector(on, k, reference, machine).scores(on, x);
}
template <class T>
double median_heuristic(const samples<T>& x, const samples<T>& y) {
  return mmd::median_heuristic(on, x, y);
}

objective_gradient gradient(const samples<double>& x, const samples<double>& y, objective_kernel k, double h,
                            const mmd::ObjectiveOptions& options) {
  const auto with = [&](const auto& kernel) {
    const auto found = mmd::mmd_mp_gradient(on, kernel, x, y, options);
    objective_gradient out{found.value, {}, found.gradient.scales, found.gradient.constants};
    for (const auto& space : found.gradient.features) out.features.push_back(values(space));
    return out;
  };
  if (k == objective_kernel::gaussian) return with(mmd::gaussian(h));
  if (k == objective_kernel::laplace) return with(mmd::laplace(h));
  return with(0.75 * mmd::gaussian(h) + 0.25 * mmd::inverse_multiquadric(2 * h));
}
deep_gradient deep(const samples<double>& features, const samples<double>& raw, index_t n, const mmd::DeepKernelParameters& p) {
  const auto g = mmd::deep_objective(on, features, raw, n, p);
  return {g.objective,       g.statistic, g.variance, g.grad_epsilon, g.grad_sigma_phi, g.grad_sigma_q, values(g.grad_features),
          values(g.grad_raw)};
}

#define CPU_RESULTS_OF(T)                                                                                                             \
  template mmd::MmdEstimate estimates(const samples<T>&, const samples<T>&, const mmd::gaussian&);                                    \
  template mmd::TestResult permutation_test(const mmd::PermutationOptions&, const samples<T>&, const samples<T>&, const any_kernel&); \
  template std::vector<mmd::TestResult> group_tests(const mmd::BatchOptions&, const samples<T>&, const std::vector<samples<T>>&,      \
                                                    const mmd::gaussian&);                                                            \
  template std::vector<mmd::DocumentStatistic> documents(const samples<T>&, const samples<T>&, std::span<const index_t>, index_t,     \
                                                         const mmd::gaussian&);                                                       \
  template std::vector<double> scores(const samples<T>&, const samples<T>&, const samples<T>&, const mmd::gaussian&);                 \
  template double median_heuristic(const samples<T>&, const samples<T>&);
CPU_RESULTS_OF(float)
CPU_RESULTS_OF(double)
CPU_RESULTS_OF(mmd::float16)
CPU_RESULTS_OF(mmd::bfloat16)
#undef CPU_RESULTS_OF

#define CPU_RESULTS_OF(T)                                                                                                                 \
  template mmd::TestResult test_on_gram(const mmd::PermutationOptions&, const samples<T>&, index_t);                                      \
  template mmd::TestResult clustered_test(const mmd::PermutationOptions&, const samples<T>&, const samples<T>&, std::span<const index_t>, \
                                          std::span<const index_t>, const mmd::gaussian&);                                                \
  template std::vector<mmd::GramTestResult> gram_tests(const mmd::GramTestOptions&, const samples<T>&, const std::vector<mmd::IndexSets>&);
CPU_RESULTS_OF(float)
CPU_RESULTS_OF(double)
#undef CPU_RESULTS_OF

}  // namespace cpu_results
