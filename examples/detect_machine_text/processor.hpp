// SPDX-License-Identifier: MIT
// The work over all pairs of texts and the training, on the CPU or on a device. Only plain values cross: the device's code is compiled
// apart, and the library's kernels and statistics belong to the instruction set that they were compiled for.
#pragma once

#include <memory>
#include <span>
#include <vector>

#include "mmd/core/matrix.hpp"
#include "mmd/core/progress.hpp"
#include "mmd/detection/document_calibration.hpp"
#include "mmd/detection/group_evaluation.hpp"
#include "mmd/detection/group_test.hpp"
#include "mmd/learning/training.hpp"

namespace detect {

// A trained kernel.
struct KernelValues {
  std::vector<double> means, deviations;
  std::vector<mmd::index_t> sizes;
  std::vector<float> parameters;
  double logit_epsilon = 0, log_sigma_phi = 0, log_sigma_q = 0;
  bool raw_kernel = false;
};

class Processor {
 public:
  using Rows = mmd::matrix<float>;
  struct Trained {
    KernelValues kernel;
    mmd::TrainingHistory history;
  };

  virtual ~Processor() = default;
  virtual const char* name() const = 0;  // as --backend takes it
  virtual Trained train(const mmd::TrainingOptions& options, const Rows& human, const Rows& machine,
                        const mmd::ValidationSet<float>& checkpoint) const = 0;
  // What the kernel reads of each row of embeddings.
  virtual Rows features(const KernelValues& k, const Rows& embeddings) const = 0;
  // The others take rows of features.
  virtual std::vector<double> scores(const KernelValues& k, const Rows& reference, const Rows& x) const = 0;
  virtual Rows gram(const KernelValues& k, const Rows& x) const = 0;
  virtual mmd::GroupTestResult test(const KernelValues& k, const Rows& reference, const Rows& group,
                                    const mmd::BatchOptions& options) const = 0;
  virtual mmd::ReferenceCheck check(const KernelValues& k, const Rows& reference, const Rows& known_human, double alpha,
                                    const mmd::PermutationOptions& options) const = 0;
  virtual std::vector<mmd::DocumentStatistic> documents(const KernelValues& k, const Rows& reference, const Rows& sentences,
                                                        std::span<const mmd::index_t> document, mmd::index_t cut_to) const = 0;
  // On a kernel matrix that is there.
  virtual std::vector<mmd::GroupSizeResult> groups(const Rows& gram, const mmd::grouped_texts& texts,
                                                   const mmd::GroupOptions& options) const = 0;
};

// threads: of the host. on_device is there only in programs built with CUDA, and throws mmd::device_error where it finds no device.
std::shared_ptr<const Processor> on_cpu(int threads, mmd::progress_callback progress);
std::shared_ptr<const Processor> on_device(int threads, mmd::progress_callback progress);

}  // namespace detect
