// SPDX-License-Identifier: MIT
// Everything that a detector of machine-written texts consists of, as plain fields.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "mmd/detection/document_calibration.hpp"
#include "mmd/detection/roles.hpp"
#include "mmd/learning/deep_kernel.hpp"
#include "mmd/learning/training.hpp"
#include "mmd/text/embedder.hpp"

namespace mmd {

template <class T = float>
struct DetectorModel {
  DeepKernel<T> kernel;          // standardiser, network, epsilon, sigma_phi, sigma_q
  TrainingOptions options = {};  // how it was trained
  TrainingHistory history = {};
  matrix<T> reference = {};                       // kernel.features of the human reference texts
  matrix<T> machine_reference = {};               // the same of machine texts, 0 x 0 where the detector uses none
  Roles roles = {};                               // ids of the training, checkpoint, reference and calibration texts
  std::vector<double> calibration_scores = {};    // of single human texts
  std::vector<DocumentStatistic> documents = {};  // of whole human documents, for their calibration
  DocumentOptions document_options = {};
  std::string embedder = {};                       // what made the embeddings; empty where it is not known
  std::optional<TextEmbedder> text_embedder = {};  // the built-in embedder, where that was it
  std::map<std::string, std::string> notes = {};   // whatever else should be said, in words
};

}  // namespace mmd
