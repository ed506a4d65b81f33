// SPDX-License-Identifier: MIT
// The test of a group of independent texts against a human reference, the check of a reference, and what is left of the paper's paragraph
// test.
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "mmd/inference/permutation_test.hpp"
#include "mmd/inference/subset_reference.hpp"

namespace mmd {

struct GroupTestResult {
  TestResult test = {};
  index_t texts = 0, reference_texts = 0;
  std::string averages_over = {};  // what the level of the p-value is an average over, in words
};

struct ReferenceCheck {
  TestResult test = {};
  double alpha = 0;
  bool fits = false;         // no difference found at this level
  std::string verdict = {};  // in words
};

inline namespace MMD_ISA {
namespace group_detail {
template <class T>
void check_group(const samples<T>& x, index_t columns, const std::string& argument) {
  detail::require(x.rows() != 1, (argument + ".rows()").c_str(), x.rows(),
                  "at least 2 texts: one text has no unbiased MMD^2, it has a score (ReferenceDetector)");
  check_sample(x, argument.c_str(), 2);
  detail::require(x.cols() == columns, (argument + ".cols()").c_str(), x.cols(),
                  ("as many columns as the reference, " + std::to_string(columns)).c_str());
}
}  // namespace group_detail

// Were these texts written by humans like those of the reference? The permutation test of the group against the reference, with MMD^2; the
// same p-value as PermutationTest with the same seed and number of the test.
// Cost: construction O(R^2 d); a group of n texts O((n R + n^2) d + B n^2), groups in parallel. Memory: R^2 values and a copy of the
// reference. The same bits for any number of threads.
//
// Validity: null: the group's texts and the reference texts are exchangeable: independent texts (one a prompt, not sentences of one
// document) of the same domain. Then P(p <= alpha) <= alpha exactly, in finite samples, on average over references drawn with the group:
// for one given reference the rate of false alarms is near alpha, not alpha (20 texts, 100 references: standard deviation .023). The kernel
// must have been fixed before the group and the reference were seen. A rejection says that the group differs from the reference; another
// domain is enough (`check_reference`). Groups tested against one reference have dependent p-values: Holm or Benjamini-Yekutieli, not
// Benjamini-Hochberg.
template <class T, kernel K>
class GroupTest {
 public:
  // Throws invalid_input for a reference of fewer than 2 texts or values that are not finite; memory_limit_exceeded where its Gram matrix
  // does not fit.
  template <backend B, sample_matrix X>
  GroupTest(const B& on, const K& k, const X& reference, const BatchOptions& options = {})
      : reference_(on, (check_sample(samples<T>(reference), "reference", 2), reference), k), options_(options) {}

  const matrix_of<T>& reference() const { return reference_.reference(); }

  // x: n texts, n >= 2. Throws invalid_input for one text, other columns than the reference, values that are not finite.
  template <backend B, sample_matrix X>
  GroupTestResult operator()(const B& on, const X& x) const {
    group_detail::check_group(samples<T>(x), reference().cols(), "group");
    return result(reference_.test(on, x, options_));
  }
  // Several groups: group i is test first_test + i, with draws of its own unless options.shared_draws.
  template <backend B>
  std::vector<GroupTestResult> operator()(const B& on, const std::vector<samples<T>>& groups) const {
    for (std::size_t i = 0; i < groups.size(); ++i) {
      group_detail::check_group(groups[i], reference().cols(), "groups[" + std::to_string(i) + "]");
    }
    std::vector<GroupTestResult> out;
    for (auto& test : reference_.test(on, groups, options_)) out.push_back(result(std::move(test)));
    return out;
  }

 private:
  GroupTestResult result(TestResult test) const {
    const index_t texts = test.n;
    return {
        std::move(test), texts, reference_.rows(),
        "groups of independent human texts of the reference's domain and references drawn like this one; for this one reference the rate "
        "of false alarms may differ"};
  }
  SubsetReference<K, T> reference_;
  BatchOptions options_;
};
template <backend B, kernel K, sample_matrix X>
GroupTest(const B&, const K&, const X&, const BatchOptions& = {}) -> GroupTest<typename X::Scalar, K>;

// Does a reference serve a new domain? Tests known human texts of that domain against it: what the reference takes for machine-written is
// then known to be human.
//
// Validity: of the test as GroupTest. `fits` is no proof: a small sample of known texts finds only large differences. Known texts that the
// kernel was trained on say nothing.
template <backend B, sample_matrix X, sample_matrix Y, kernel K>
ReferenceCheck check_reference(const B& on, const X& reference, const Y& known_human, const K& k, double alpha = 0.05,
                               const PermutationOptions& options = {}) {
  using T = typename X::Scalar;
  detail::require(alpha > 0 && alpha < 1, "alpha", alpha, "a number between 0 and 1, such as 0.05");
  check_sample(samples<T>(reference), "reference", 2);
  group_detail::check_group(samples<T>(known_human), reference.cols(), "known_human");
  ReferenceCheck out{PermutationTest(options)(on, samples<T>(known_human), samples<T>(reference), k), alpha};
  out.fits = !out.test.reject(alpha);
  const std::string p = "p = " + detail::shown(out.test.p_value) + " with " + std::to_string(out.test.n) + " known human texts against " +
                        std::to_string(out.test.m) + " reference texts";
  out.verdict = out.fits
                    ? "no difference found between known human texts and the reference (" + p + "); a small one may remain"
                    : "the reference does not fit: known human texts differ from it (" + p +
                          "); human texts of this domain will be called machine too often. Use human texts of this domain as reference";
  return out;
}

// The paper's paragraph test: a permutation test of the sentences of one document against human sentences.
//
// Validity: only if the sentences were independent, and they are not: at level .05 it rejected 63 to 69 % (MMD-MP) and 86 to 92 % (MMD-D)
// of human texts with contextual sentence vectors, 14 to 21 % with isolated ones. Use DocumentTest. Throws as PermutationTest.
template <backend B, sample_matrix X, sample_matrix Y, kernel K>
TestResult p_value_if_sentences_were_independent(const B& on, const X& sentences, const Y& reference, const K& k,
                                                 const PermutationOptions& options = {}) {
  return PermutationTest(options)(on, sentences, reference, k);
}

}  // namespace MMD_ISA
}  // namespace mmd
