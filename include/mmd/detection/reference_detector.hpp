// SPDX-License-Identifier: MIT
// Scores of single texts against a reference.
#pragma once

#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "mmd/detection/reference_sums.hpp"
#include "mmd/detection/roles.hpp"

namespace mmd {
inline namespace MMD_ISA {

// score(y) = biased MMD^2 of {reference} against {y} = mean_ij k(r_i, r_j) - (2/n) sum_i k(r_i, y) + k(y, y): the sentence score of MMD-MP
// (Zhang et al., ICLR 2024, algorithm 3). Higher: farther from the human reference, more machine-like. With a machine reference M the score
// is that minus the same against M, so that texts near M score high too. The order of scores is that of -mean_i k(r_i, y) when k(y, y) is
// constant.
//
// Generic in the kernel: a basic kernel, or a learned one (run its network once and hand its rows of features here:
// `model.features(on, x)` with `model.feature_kernel()`).
// Cost: construction O(n^2 d); a batch of m texts O(m n d) in one pass, O((m + n) d) memory. Reproducible: the same bits for any number of
// threads; the score of a text agrees between batches to rounding (rows are centred on the batch's mean).
//
// Validity: a score is no p-value and has no level. Thresholds and p-values come from ConformalCalibration on scores of further human
// texts. The reference must be of the domain of the texts: whatever differs from it scores high, machine-written or not
// (`check_reference`).
template <class T, kernel K>
class ReferenceDetector {
 public:
  // Throws invalid_input for an empty reference, values that are not finite, or samples of different columns.
  template <backend B, sample_matrix X>
  ReferenceDetector(const B& on, const K& k, const X& human) : human_(on, k, samples<T>(human), "reference") {}
  template <sample_matrix X, class B = detail::default_backend<X>>
  ReferenceDetector(const K& k, const X& human) : ReferenceDetector(B{}, k, human) {}
  // Enters the reference texts in `roles` (one id a row), and throws where one has another role.
  template <backend B, sample_matrix X>
  ReferenceDetector(const B& on, const K& k, const X& human, const TextIds& ids, Roles& roles) : ReferenceDetector(on, k, human) {
    detail::require(ids.size() == human.rows(), "ids.size()", ids.size(), "one id for each reference text");
    roles.assign(role::reference, ids);
  }
  // With a machine reference too.
  template <backend B, sample_matrix X, sample_matrix Y>
  ReferenceDetector(const B& on, const K& k, const X& human, const Y& machine)
      : human_(on, k, samples<T>(human), "reference"), machine_(std::in_place, on, k, samples<T>(machine), "machine_reference") {
    detail::require(machine.cols() == human.cols(), "machine_reference.cols()", machine.cols(),
                    ("as many columns as the reference, " + std::to_string(human.cols())).c_str());
  }

  const matrix_of<T>& reference() const { return human_.reference(); }
  bool has_machine_reference() const { return machine_.has_value(); }

  // One score a row of x. Throws invalid_input for x without rows, with other columns than the reference, or with values not finite.
  template <backend B, sample_matrix X>
  std::vector<double> scores(const B& on, const X& x) const {
    auto out = against(human_, human_.cross(on, samples<T>(x), "x"));
    if (machine_) {
      const auto other = against(*machine_, machine_->cross(on, samples<T>(x), "x"));
      for (std::size_t i = 0; i < out.size(); ++i) out[i] -= other[i];
    }
    return out;
  }
  template <sample_matrix X, class B = detail::default_backend<X>>
  std::vector<double> scores(const X& x) const {
    return scores(B{}, x);
  }

 private:
  static std::vector<double> against(const ReferenceSums<T, K>& reference, const CrossSums& cross) {
    std::vector<double> out(cross.diagonal.size());
    for (std::size_t i = 0; i < out.size(); ++i) {
      out[i] = reference.mean_with_diagonal() - 2 * cross.to_reference[i] / static_cast<double>(reference.rows()) + cross.diagonal[i];
    }
    return out;
  }
  ReferenceSums<T, K> human_;
  std::optional<ReferenceSums<T, K>> machine_;
};
template <backend B, kernel K, sample_matrix X, class... Rest>
ReferenceDetector(const B&, const K&, const X&, Rest&&...) -> ReferenceDetector<typename X::Scalar, K>;
template <kernel K, sample_matrix X>
ReferenceDetector(const K&, const X&) -> ReferenceDetector<typename X::Scalar, K>;

}  // namespace MMD_ISA
}  // namespace mmd
