// SPDX-License-Identifier: MIT
// Calibration of documents by length: a document is compared with human documents of like length only.
#pragma once

#include <algorithm>
#include <cmath>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "mmd/detection/conformal.hpp"

namespace mmd {

struct DocumentOptions {
  double level = 0.05;  // a class holds 1/level - 1 calibration documents or more
  std::vector<index_t> class_starts = {2, 5, 10, 20,
                                       40};  // the shortest length, in sentences, of each class: fixed before any score is seen
  index_t cut_to = 0;  // above 0: every document is cut to its first `cut_to` sentences, shorter ones are refused; one class
};

// The statistic of one document. doc: the caller's number of it; sentences: how many there are.
struct DocumentStatistic {
  index_t doc = 0, sentences = 0;
  double statistic = 0;
};

struct DocumentResult {
  index_t doc = 0, sentences = 0;
  double statistic = 0;
  std::optional<double> p_value = {};  // none: refused
  std::string refused = {};            // why
};

// One class of lengths, shortest..longest sentences (of its calibration documents), and what its threshold at options.level rests on.
struct LengthClass {
  index_t shortest = 0, longest = 0;
  ConformalThreshold threshold = {};
};
struct LengthClassRate {
  index_t shortest = 0, longest = 0, documents = 0, rejected = 0;
  Interval interval = {};  // Clopper-Pearson, 95 %; {0, 1} without documents
};

inline namespace MMD_ISA {

// Conformal p-values within length classes: p = (1 + #{calibration documents of the class with a statistic >= s}) / (n_class + 1). Classes
// of too few documents are joined with the next longer one (the last with the one before): a decision on lengths alone, before any score.
//
// Validity: null: the document is human and exchangeable with the calibration documents of its length class (same domain). Sentences of
// one document may depend on each other in any way: whole documents are compared, not sentences. Then at most a share t of human documents
// of each class has p <= t, exactly, on average over calibration sets. Outside the lengths of the calibration documents nothing is known,
// and a document is refused: the null distribution of MMD^2 depends on the length (raw MMD^2 of short documents was rejected at .126 for
// .05).
class DocumentCalibration {
 public:
  // documents: whole human documents; ids: one each, entered in `roles` as calibration texts. Documents shorter than the first class (or
  // than cut_to) are left out. Throws invalid_input for fewer than 19 documents or fewer than 1/level - 1 of usable length, a bad option,
  // or an id with another role.
  DocumentCalibration(std::span<const DocumentStatistic> documents, const TextIds& ids, Roles& roles, const DocumentOptions& options = {})
      : DocumentCalibration(documents, options) {
    detail::require(ids.size() == static_cast<index_t>(documents.size()), "ids.size()", ids.size(), "one id for each calibration document");
    roles.assign(role::calibration, ids);
  }
  // For documents that the caller knows to have no other role, and for what a model file kept of checked ones.
  static DocumentCalibration of_documents_known_to_be_unseen(std::span<const DocumentStatistic> documents,
                                                             const DocumentOptions& options = {}) {
    return DocumentCalibration(documents, options);
  }

  const DocumentOptions& options() const { return options_; }
  const std::vector<LengthClass>& classes() const { return classes_; }
  // Calibration documents too short to be used.
  index_t left_out() const { return left_out_; }

  // Throws invalid_input for a length that was not calibrated.
  double p_value(double statistic, index_t sentences) const {
    const auto c = class_of(sentences);
    if (!c) detail::reject("sentences", sentences, refusal());
    return calibrations_[*c].p_value(statistic);
  }
  std::vector<DocumentResult> test(std::span<const DocumentStatistic> documents) const {
    std::vector<DocumentResult> out;
    for (const auto& d : documents) {
      DocumentResult r{d.doc, d.sentences, d.statistic};
      if (class_of(d.sentences)) {
        r.p_value = p_value(d.statistic, d.sentences);
      } else {
        r.refused = std::to_string(d.sentences) + " sentences, expected " + refusal();
      }
      out.push_back(std::move(r));
    }
    return out;
  }

  // How often human documents were rejected at this level, by length class: what a report of the test should show. Refused ones are left
  // out.
  std::vector<LengthClassRate> rates(std::span<const DocumentResult> human_documents, double level) const {
    detail::require(level > 0 && level < 1, "level", level, "a number between 0 and 1, such as 0.05");
    std::vector<LengthClassRate> out;
    for (const auto& c : classes_) out.push_back({c.shortest, c.longest, 0, 0, {0, 1}});
    for (const auto& d : human_documents) {
      if (!d.p_value) continue;
      auto& rate = out[*class_of(d.sentences)];
      ++rate.documents;
      rate.rejected += *d.p_value <= level;
    }
    for (auto& r : out) {
      if (r.documents > 0) r.interval = clopper_pearson(r.rejected, r.documents);
    }
    return out;
  }

 private:
  DocumentCalibration(std::span<const DocumentStatistic> documents, const DocumentOptions& options) : options_(options) {
    check(documents);
    starts_ = options.cut_to > 0 ? std::vector{options.cut_to} : options.class_starts;
    std::vector<std::vector<const DocumentStatistic*>> members(starts_.size());
    for (const auto& d : documents) {
      const auto c = std::upper_bound(starts_.begin(), starts_.end(), length_of(d.sentences)) - starts_.begin();
      c == 0 ? void(++left_out_) : members[static_cast<std::size_t>(c - 1)].push_back(&d);
    }
    const auto needed = static_cast<std::size_t>(std::ceil(1 / options.level - 1 - 1e-9));
    // Classes c and c + 1 become one, from the start of c.
    const auto join = [&](std::size_t c) {
      members[c].insert(members[c].end(), members[c + 1].begin(), members[c + 1].end());
      members.erase(members.begin() + static_cast<std::ptrdiff_t>(c + 1));
      starts_.erase(starts_.begin() + static_cast<std::ptrdiff_t>(c + 1));
    };
    for (std::size_t c = 0; c + 1 < members.size();) members[c].size() < needed ? join(c) : void(++c);
    if (members.size() > 1 && members.back().size() < needed) join(members.size() - 2);
    detail::require(members.back().size() >= needed, "calibration documents of usable length", members.back().size(),
                    ("at least " + std::to_string(needed) + " (1/level - 1)").c_str());
    for (const auto& of_class : members) {
      std::vector<double> scores;
      LengthClass c{length_of(of_class.front()->sentences), length_of(of_class.front()->sentences)};
      for (const auto* d : of_class) {
        scores.push_back(d->statistic);
        c.shortest = std::min(c.shortest, length_of(d->sentences));
        c.longest = std::max(c.longest, length_of(d->sentences));
      }
      calibrations_.push_back(ConformalCalibration::of_texts_known_to_be_unseen(scores));
      c.threshold = calibrations_.back().threshold(options.level);
      classes_.push_back(c);
    }
  }
  void check(std::span<const DocumentStatistic> documents) const {
    detail::require(options_.level > 0 && options_.level < 1, "level", options_.level, "a number between 0 and 1, such as 0.05");
    detail::require(options_.cut_to == 0 || options_.cut_to >= 2, "cut_to", options_.cut_to, "0 (no cut) or 2 sentences or more");
    detail::require(!options_.class_starts.empty(), "class_starts.size()", 0, "at least one class of lengths");
    for (std::size_t c = 0; c < options_.class_starts.size(); ++c) {
      detail::require(options_.class_starts[c] >= 2 && (c == 0 || options_.class_starts[c] > options_.class_starts[c - 1]), "class_starts",
                      options_.class_starts[c], "rising lengths of 2 sentences or more");
    }
    detail::require(documents.size() >= 19, "calibration documents", documents.size(), "at least 19 human documents");
  }
  index_t length_of(index_t sentences) const { return options_.cut_to > 0 ? std::min(sentences, options_.cut_to) : sentences; }
  std::optional<std::size_t> class_of(index_t sentences) const {
    const index_t length = length_of(sentences);
    if (length < classes_.front().shortest || length > classes_.back().longest) return std::nullopt;
    return static_cast<std::size_t>(std::upper_bound(starts_.begin() + 1, starts_.end(), length) - starts_.begin() - 1);
  }
  std::string refusal() const {
    if (options_.cut_to > 0) return std::to_string(options_.cut_to) + " or more, to be cut to that";
    return std::to_string(classes_.front().shortest) + " to " + std::to_string(classes_.back().longest) +
           ", as the calibration documents have";
  }

  DocumentOptions options_;
  std::vector<index_t> starts_;
  std::vector<LengthClass> classes_;
  std::vector<ConformalCalibration> calibrations_;
  index_t left_out_ = 0;
};

}  // namespace MMD_ISA
}  // namespace mmd
