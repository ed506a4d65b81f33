// SPDX-License-Identifier: MIT
// How good a kernel is on texts that it was not trained on: what chooses the checkpoint.
#pragma once

#include <algorithm>
#include <cmath>
#include <numeric>
#include <span>
#include <string>
#include <vector>

#include "mmd/learning/deep_kernel.hpp"
#include "mmd/learning/training.hpp"

namespace mmd {
namespace detail {
inline namespace MMD_ISA {

// Sum over i, j of w_i v_j [1(b_j > a_i) + 1/2 1(b_j = a_i)] / (Sum w Sum v); no weights: all 1.
inline double weighted_auroc(std::span<const double> a, std::span<const double> w, std::span<const double> b, std::span<const double> v) {
  std::vector<std::size_t> order(a.size() + b.size());
  std::iota(order.begin(), order.end(), std::size_t{0});
  const auto score = [&](std::size_t i) { return i < a.size() ? a[i] : b[i - a.size()]; };
  std::sort(order.begin(), order.end(), [&](std::size_t i, std::size_t j) { return score(i) < score(j); });
  double below = 0, total_b = 0, area = 0;
  for (std::size_t first = 0; first < order.size();) {
    double here_a = 0, here_b = 0;
    for (const double s = score(order[first]); first < order.size() && score(order[first]) == s; ++first) {
      const std::size_t i = order[first];
      if (i < a.size()) {
        here_a += w.empty() ? 1 : w[i];
      } else {
        here_b += v.empty() ? 1 : v[i - a.size()];
      }
    }
    area += here_b * (below + here_a / 2);
    below += here_a;
    total_b += here_b;
  }
  return area / (below * total_b);
}

inline void check_weights(std::span<const double> weights, index_t rows, const char* name) {
  if (weights.empty()) return;
  require(static_cast<index_t>(weights.size()) == rows, (std::string(name) + ".size()").c_str(), weights.size(), "one weight for each row");
  double sum = 0;
  for (const double w : weights) {
    require(std::isfinite(w) && w >= 0, name, w, "finite numbers, 0 or more");
    sum += w;
  }
  require(sum > 0, (std::string("the sum of ") + name).c_str(), sum, "a number above 0");
}

}  // namespace MMD_ISA
}  // namespace detail

inline namespace MMD_ISA {

// Judges a kernel by a validation set. The reference is at most 500 human training rows (a uniform subset on the stream (seed, splits)):
// validation texts are scored against what the kernel knows, as a detector's texts will be.
// auroc: of the score -mean k(reference, text), a monotone function of the biased MMD^2 between reference and text; weighted.
// power: the share of 1,000 random groups of 5 machine texts whose unbiased MMD^2 from the reference exceeds that of 95 % of 1,000 random
// groups of 5 human validation texts.
template <class T>
class Validator {
 public:
  static constexpr index_t reference_rows = 500, group = 5, draws = 1000;

  // Throws invalid_input for rows that do not fit, values that are not finite, weights that cannot be used, too few rows.
  Validator(const samples<T>& training_human, const ValidationSet<T>& set, criterion select, std::uint64_t seed)
      : set_(set), select_(select), seed_(seed) {
    const index_t least = select == criterion::power ? group : 1;
    check_sample(set.human, "validation.human");
    check_sample(set.machine, "validation.machine");
    for (const auto& [rows, name] : {std::pair(&set.human, "validation.human"), std::pair(&set.machine, "validation.machine")}) {
      detail::require(rows->cols() == training_human.cols(), (std::string(name) + ".cols()").c_str(), rows->cols(),
                      "as many columns as the training rows");
      detail::require(rows->rows() >= least, (std::string(name) + ".rows()").c_str(), rows->rows(), "at least 5 to judge by power");
    }
    detail::check_weights(set.human_weights, set.human.rows(), "validation.human_weights");
    detail::check_weights(set.machine_weights, set.machine.rows(), "validation.machine_weights");
    auto order = random_stream(seed, purpose::splits).permutation(training_human.rows());
    order.resize(static_cast<std::size_t>(std::min(training_human.rows(), reference_rows)));
    std::sort(order.begin(), order.end());
    reference_ = matrix<T>(static_cast<index_t>(order.size()), training_human.cols());
    for (index_t i = 0; i < reference_.rows(); ++i) {
      for (index_t k = 0; k < reference_.cols(); ++k) reference_(i, k) = training_human(order[static_cast<std::size_t>(i)], k);
    }
  }

  template <backend B>
  double operator()(const B& on, const DeepKernel<T>& kernel) const {
    const auto r = kernel.features(on, samples<T>(reference_)), h = kernel.features(on, set_.human), m = kernel.features(on, set_.machine);
    pooled<T> z{{samples<T>(r), samples<T>(h), samples<T>(m)}, {}, {{0, 0}, {1, 2}}};
    row_sums sums;
    if (select_ == criterion::auroc) {
      z.skip.insert(z.skip.end(), {{1, 1}, {2, 2}});
      on.reduce(kernel.feature_kernel(), z, sums);
      return detail::weighted_auroc(scores(sums, r.rows(), h.rows()), set_.human_weights, scores(sums, r.rows() + h.rows(), m.rows()),
                                    set_.machine_weights);
    }
    gram<T> values;
    on.reduce(kernel.feature_kernel(), z, sums, values);
    return power(sums, values, r.rows(), h.rows(), m.rows());
  }

 private:
  static std::vector<double> scores(const row_sums& sums, index_t first, index_t count) {
    std::vector<double> out;
    for (index_t i = first; i < first + count; ++i) out.push_back(-sums(i, 0));
    return out;
  }
  double power(const row_sums& sums, const gram<T>& k, index_t r, index_t h, index_t m) const {
    std::vector<double> null;
    const auto statistic = [&](std::uint64_t kind, index_t draw, index_t first, index_t rows) {
      random_stream random(seed_, purpose::group_draws, kind, static_cast<std::uint64_t>(draw));
      std::vector<index_t> members;
      while (static_cast<index_t>(members.size()) < group) {
        const index_t i = first + static_cast<index_t>(random.below(static_cast<std::uint64_t>(rows)));
        if (std::find(members.begin(), members.end(), i) == members.end()) members.push_back(i);
      }
      double within = 0, across = 0;
      for (const index_t i : members) {
        across += sums(i, 0);
        for (const index_t j : members) within += i == j ? 0 : static_cast<double>(k(i, j));
      }
      const double g = static_cast<double>(group);
      return within / (g * (g - 1)) - 2 * across / (g * static_cast<double>(r));  // the reference's own term is the same for all
    };
    for (index_t d = 0; d < draws; ++d) null.push_back(statistic(0, d, r, h));
    std::nth_element(null.begin(), null.begin() + draws * 95 / 100, null.end());
    const double threshold = null[static_cast<std::size_t>(draws * 95 / 100)];
    index_t above = 0;
    for (index_t d = 0; d < draws; ++d) above += statistic(1, d, r + h, m) > threshold;
    return static_cast<double>(above) / static_cast<double>(draws);
  }

  ValidationSet<T> set_;
  criterion select_;
  std::uint64_t seed_;
  matrix<T> reference_;
};

}  // namespace MMD_ISA
}  // namespace mmd
