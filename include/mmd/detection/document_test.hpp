// SPDX-License-Identifier: MIT
// The test of one document by its sentences.
#pragma once

#include <algorithm>
#include <map>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "mmd/detection/document_calibration.hpp"
#include "mmd/detection/reference_sums.hpp"
#include "mmd/estimators/sums.hpp"
#include "mmd/inference/permutation/sample_values.hpp"

namespace mmd {
inline namespace MMD_ISA {

// MMD^2 (unbiased) of the sentences of each document against a human reference of sentences: the statistic of the paper's paragraph test
// (Zhang et al., ICLR 2024, algorithm 2).
// Cost: construction O(R^2 d); a batch of D documents of n sentences O(D n (R + n) d). O(N d) memory. Reproducible: the same bits for any
// number of threads.
template <class T, kernel K>
class DocumentStatistics {
 public:
  // Throws invalid_input for a reference of fewer than 2 sentences or values that are not finite.
  template <backend B, sample_matrix X>
  DocumentStatistics(const B& on, const K& k, const X& reference) : reference_(on, k, samples<T>(reference), "reference") {
    detail::require(reference.rows() >= 2, "reference.rows()", reference.rows(), "at least 2 sentences");
  }

  // doc: for each row of `sentences` the number of its document; rows of one document in the order of its sentences, documents in any
  // order. cut_to > 0: no more than the first cut_to sentences count (the number of all is reported). The result is in the order of first
  // rows; a document of one sentence has statistic 0 and cannot be tested. Throws invalid_input for sizes that do not fit.
  template <backend B, sample_matrix X>
  std::vector<DocumentStatistic> operator()(const B& on, const X& sentences, std::span<const index_t> doc, index_t cut_to = 0) const {
    const samples<T> x(sentences);
    detail::require(static_cast<index_t>(doc.size()) == x.rows(), "doc.size()", doc.size(), "one document number for each sentence");
    const auto cross = reference_.cross(on, x, "sentences");
    std::map<index_t, std::size_t> place;
    std::vector<std::vector<index_t>> rows;
    std::vector<DocumentStatistic> out;
    for (std::size_t i = 0; i < doc.size(); ++i) {
      const auto [at, fresh] = place.emplace(doc[i], out.size());
      if (fresh) {
        out.push_back({doc[i]});
        rows.emplace_back();
      }
      ++out[at->second].sentences;
      if (cut_to == 0 || static_cast<index_t>(rows[at->second].size()) < cut_to) rows[at->second].push_back(static_cast<index_t>(i));
    }
    for (std::size_t first = 0, end = 0; first < out.size(); first = end) {
      std::vector<index_t> starts{0};
      for (; end < out.size() && (end == first || starts.back() < most_rows); ++end) {
        starts.push_back(starts.back() + static_cast<index_t>(rows[end].size()));
      }
      const auto within = sums_within(on, x, std::span(rows).subspan(first, end - first), starts);
      for (std::size_t d = first; d < end; ++d) {
        if (rows[d].size() >= 2) out[d].statistic = of_one(rows[d], within[d - first], cross);
      }
    }
    return out;
  }

 private:
  static constexpr index_t most_rows = 1024;  // of documents whose sentences are compared in one pass

  // The sum of k over the pairs of different sentences, for every document.
  template <backend B>
  std::vector<double> sums_within(const B& on, const samples<T>& x, std::span<const std::vector<index_t>> documents,
                                  std::span<const index_t> starts) const {
    pooled<T> chosen{{x}};
    block_sums sums;
    for (const auto& rows : documents) {
      sums.bin_rows.push_back(static_cast<index_t>(rows.size()));
      chosen.order.insert(chosen.order.end(), rows.begin(), rows.end());
    }
    const matrix_of<T> joined = detail::joined_rows(on, chosen);
    on.reduce(reference_.kernel(), detail::with_samples(pooled<T>{}, samples<T>(joined), starts), sums);
    std::vector<double> out;
    for (index_t d = 0; d < sums.bins(); ++d) out.push_back(sums(d, d));
    return out;
  }
  double of_one(const std::vector<index_t>& rows, double within, const CrossSums& cross) const {
    mmd_sums s;
    s.n = static_cast<double>(rows.size());
    s.m = static_cast<double>(reference_.rows());
    s.xx = within;
    s.yy = reference_.off_diagonal();
    for (const index_t row : rows) s.xy += cross.to_reference[static_cast<std::size_t>(row)];
    return s.unbiased();
  }
  ReferenceSums<T, K> reference_;
};
template <backend B, kernel K, sample_matrix X>
DocumentStatistics(const B&, const K&, const X&) -> DocumentStatistics<typename X::Scalar, K>;

// Is a document human-written? Its statistic is compared with those of whole human documents of like length (DocumentCalibration).
//
// Validity: as DocumentCalibration: exact in finite samples for human documents exchangeable with the calibration documents, however their
// sentences depend on each other. The permutation p-value of the sentences has no such property: it rejected 14 to 92 % of human documents
// at level .05, and is to be had only by its own name (`p_value_if_sentences_were_independent`).
template <class T, kernel K>
class DocumentTest {
 public:
  // Calibrates on whole human documents: `doc` numbers the document of each row of `human`, `ids` are the documents' ids in the order of
  // their first rows, entered in `roles`. Throws as DocumentStatistics and DocumentCalibration.
  template <backend B, sample_matrix X, sample_matrix Y>
  DocumentTest(const B& on, const K& k, const X& reference, const Y& human, std::span<const index_t> doc, const TextIds& ids, Roles& roles,
               const DocumentOptions& options = {})
      : statistics_(on, k, reference), calibration_(statistics_(on, human, doc, options.cut_to), ids, roles, options) {}
  // With a calibration made before, with the same kernel and reference.
  template <backend B, sample_matrix X>
  DocumentTest(const B& on, const K& k, const X& reference, DocumentCalibration calibration)
      : statistics_(on, k, reference), calibration_(std::move(calibration)) {}

  const DocumentCalibration& calibration() const { return calibration_; }

  // One result a document, in the order of first rows; a document of a length that was not calibrated is refused, with the reason.
  template <backend B, sample_matrix X>
  std::vector<DocumentResult> operator()(const B& on, const X& sentences, std::span<const index_t> doc) const {
    return calibration_.test(statistics_(on, sentences, doc, calibration_.options().cut_to));
  }
  template <sample_matrix X, class B = detail::default_backend<X>>
  std::vector<DocumentResult> operator()(const X& sentences, std::span<const index_t> doc) const {
    return (*this)(B{}, sentences, doc);
  }

 private:
  DocumentStatistics<T, K> statistics_;
  DocumentCalibration calibration_;
};
template <backend B, kernel K, sample_matrix X, sample_matrix Y>
DocumentTest(const B&, const K&, const X&, const Y&, std::span<const index_t>, const TextIds&, Roles&, const DocumentOptions& = {})
    -> DocumentTest<typename X::Scalar, K>;
template <backend B, kernel K, sample_matrix X>
DocumentTest(const B&, const K&, const X&, DocumentCalibration) -> DocumentTest<typename X::Scalar, K>;

}  // namespace MMD_ISA
}  // namespace mmd
