// SPDX-License-Identifier: MIT
// The work of a Processor, written once for every backend.
#pragma once

#include <utility>

#include "detect_machine_text/processor.hpp"
#include "mmd/detection/document_test.hpp"
#include "mmd/detection/reference_detector.hpp"
#include "mmd/learning/trainer.hpp"

namespace detect {

inline KernelValues values_of(const mmd::DeepKernel<float>& k) {
  const auto weights = k.network.parameters();
  return {k.standardizer.means(), k.standardizer.deviations(),
          k.network.sizes(),      {weights.begin(), weights.end()},
          k.logit_epsilon,        k.log_sigma_phi,
          k.log_sigma_q,          k.raw_kernel};
}
inline mmd::DeepKernel<float> kernel_of(const KernelValues& v) {
  mmd::DeepKernel<float> k;
  k.standardizer = {v.means, v.deviations};
  k.network = mmd::Perceptron<float>(v.sizes);
  k.network.set_parameters(v.parameters);
  k.logit_epsilon = v.logit_epsilon;
  k.log_sigma_phi = v.log_sigma_phi;
  k.log_sigma_q = v.log_sigma_q;
  k.raw_kernel = v.raw_kernel;
  return k;
}

template <mmd::backend B>
class Steps final : public Processor {
 public:
  Steps(const char* name, B on) : name_(name), on_(std::move(on)) {}

  const char* name() const override { return name_; }
  Trained train(const mmd::TrainingOptions& options, const Rows& human, const Rows& machine,
                const mmd::ValidationSet<float>& checkpoint) const override {
    auto trained = mmd::MmdMpTrainer{options}.fit(on_, human, machine, checkpoint);
    return {values_of(trained.kernel), std::move(trained.history)};
  }
  Rows features(const KernelValues& k, const Rows& embeddings) const override {
    return kernel_of(k).features(on_, mmd::samples<float>(embeddings));
  }
  std::vector<double> scores(const KernelValues& k, const Rows& reference, const Rows& x) const override {
    return mmd::ReferenceDetector(on_, kernel_of(k).feature_kernel(), reference).scores(on_, x);
  }
  Rows gram(const KernelValues& k, const Rows& x) const override { return mmd::kernel_matrix(on_, kernel_of(k).feature_kernel(), x); }
  mmd::GroupTestResult test(const KernelValues& k, const Rows& reference, const Rows& group,
                            const mmd::BatchOptions& options) const override {
    return mmd::GroupTest(on_, kernel_of(k).feature_kernel(), reference, options)(on_, group);
  }
  mmd::ReferenceCheck check(const KernelValues& k, const Rows& reference, const Rows& known_human, double alpha,
                            const mmd::PermutationOptions& options) const override {
    return mmd::check_reference(on_, reference, known_human, kernel_of(k).feature_kernel(), alpha, options);
  }
  std::vector<mmd::DocumentStatistic> documents(const KernelValues& k, const Rows& reference, const Rows& sentences,
                                                std::span<const mmd::index_t> document, mmd::index_t cut_to) const override {
    return mmd::DocumentStatistics(on_, kernel_of(k).feature_kernel(), reference)(on_, sentences, document, cut_to);
  }
  std::vector<mmd::GroupSizeResult> groups(const Rows& gram, const mmd::grouped_texts& texts,
                                           const mmd::GroupOptions& options) const override {
    return mmd::evaluate_groups(on_, gram, texts, options);
  }

 private:
  const char* name_;
  B on_;
};

}  // namespace detect
