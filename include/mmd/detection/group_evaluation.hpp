// SPDX-License-Identifier: MIT
// Power and type I error of group tests, by many draws from one pool of test texts.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "mmd/core/matrix.hpp"
#include "mmd/detection/bootstrap.hpp"
#include "mmd/inference/gram_tests.hpp"

namespace mmd {

// One entry a text: machine 1 or 0, cell its domain, cluster its prompt cluster.
struct grouped_texts {
  std::span<const std::uint8_t> machine;
  std::span<const index_t> cell;
  std::span<const index_t> cluster;
};

struct GroupOptions {
  std::vector<index_t> sizes = {5, 10, 20};
  index_t draws = 2000;  // of each size
  index_t permutations = 999;
  double alpha = 0.05;
  index_t most_reference = 100;     // reference texts of one draw
  index_t spare_humans = 20;        // a cell needs this many human texts beyond the group
  index_t bootstrap_samples = 200;  // of the power's interval: samples of clusters, each with ...
  index_t bootstrap_draws = 40;     // ... this many draws ...
  index_t bootstrap_permutations = 199;
  double level = 0.95;  // of the intervals
  std::uint64_t seed = 0;
};

struct GroupCell {
  index_t id = 0, humans = 0, machines = 0;
  bool used = false;  // false: too few human texts for a reference beside the group, or fewer machine texts than the group
};
struct GroupSizeResult {
  index_t size = 0, draws = 0;
  double power = 0, type_1 = 0;
  Interval power_interval = {}, type_1_interval = {};
  std::vector<GroupCell> cells = {};
};

inline namespace MMD_ISA {

// The whole kernel matrix of x, diagonal included: N^2 values of memory.
template <backend B, kernel K, sample_matrix X>
matrix<compute_type<typename X::Scalar>> kernel_matrix(const B& on, const K& k, const X& x) {
  using T = typename X::Scalar;
  check_sample(samples<T>(x), "x");
  gram<compute_type<T>> all;
  on.reduce(k, pooled<T>{{samples<T>(x)}}, all);
  return {x.rows(), x.rows(), std::move(all.values)};
}

// Draws of groups and references of one size. Texts may be weighed (how often a bootstrap sample holds them).
class GroupDraws {
 public:
  struct Draw {
    IndexSets human, machine;  // the same reference
  };

  GroupDraws(const grouped_texts& texts, index_t size, const GroupOptions& options) : size_(size), options_(options) {
    for (std::size_t i = 0; i < texts.cell.size(); ++i) {
      const auto c = static_cast<std::size_t>(texts.cell[i]);
      while (cells_.size() <= c) {
        cells_.push_back({static_cast<index_t>(cells_.size())});
        members_.emplace_back();
      }
      ++(texts.machine[i] ? cells_[c].machines : cells_[c].humans);
      members_[c].of[texts.machine[i]].push_back(static_cast<index_t>(i));
    }
    for (auto& c : cells_) c.used = c.humans >= size + options.spare_humans && c.machines >= size;
  }
  const std::vector<GroupCell>& cells() const { return cells_; }
  bool any() const {
    return std::any_of(cells_.begin(), cells_.end(), [](const GroupCell& c) { return c.used; });
  }

  // A cell with probability proportional to its machine texts; size + r of its human texts, r = min(most_reference, humans - size), the
  // first `size` of which are the null group; `size` of its machine texts. With weights: texts one after the other with probability
  // proportional to their weight among those left. False if the weights leave no cell with enough texts.
  bool operator()(random_stream& draw, std::span<const double> weight, Draw& out) const {
    std::vector<double> mass(cells_.size(), 0);
    double all = 0;
    for (std::size_t c = 0; c < cells_.size(); ++c) {
      if (!cells_[c].used || present(members_[c].of[1], weight) < size_ || present(members_[c].of[0], weight) < size_ + 2) continue;
      for (const index_t i : members_[c].of[1]) mass[c] += weight_of(i, weight);
      all += mass[c];
    }
    if (!(all > 0)) return false;
    double place = draw.uniform() * all;
    std::size_t c = 0;
    for (std::size_t next = 0; next < mass.size(); ++next) {
      if (!(mass[next] > 0)) continue;
      c = next;
      if (place < mass[next]) break;
      place -= mass[next];
    }
    const index_t r = std::min(options_.most_reference, present(members_[c].of[0], weight) - size_);
    auto humans = choose(draw, members_[c].of[0], size_ + r, weight);
    out.human.group.assign(humans.begin(), humans.begin() + size_);
    out.human.reference.assign(humans.begin() + size_, humans.end());
    out.machine.group = choose(draw, members_[c].of[1], size_, weight);
    out.machine.reference = out.human.reference;
    return true;
  }

 private:
  struct Members {
    std::vector<index_t> of[2];  // human, machine
  };
  static double weight_of(index_t i, std::span<const double> weight) { return weight.empty() ? 1 : weight[static_cast<std::size_t>(i)]; }
  static index_t present(const std::vector<index_t>& texts, std::span<const double> weight) {
    return static_cast<index_t>(std::count_if(texts.begin(), texts.end(), [&](index_t i) { return weight_of(i, weight) > 0; }));
  }
  // `count` different texts in random order: a shuffle of all copies, repeats dropped.
  static std::vector<index_t> choose(random_stream& draw, const std::vector<index_t>& texts, index_t count,
                                     std::span<const double> weight) {
    std::vector<index_t> copies, out;
    for (const index_t i : texts) copies.insert(copies.end(), static_cast<std::size_t>(weight_of(i, weight)), i);
    std::size_t left = copies.size();
    while (static_cast<index_t>(out.size()) < count) {
      std::swap(copies[static_cast<std::size_t>(draw.below(left))], copies[left - 1]);
      --left;
      if (weight.empty() || std::find(out.begin(), out.end(), copies[left]) == out.end()) out.push_back(copies[left]);
    }
    return out;
  }

  index_t size_;
  GroupOptions options_;
  std::vector<GroupCell> cells_;
  std::vector<Members> members_;
};

namespace group_detail {
inline void check(const grouped_texts& texts, index_t rows, const GroupOptions& options) {
  detail::require(static_cast<index_t>(texts.machine.size()) == rows, "machine.size()", texts.machine.size(),
                  "one entry for each row of gram");
  detail::require(static_cast<index_t>(texts.cell.size()) == rows, "cell.size()", texts.cell.size(), "one entry for each row of gram");
  detail::require(static_cast<index_t>(texts.cluster.size()) == rows, "cluster.size()", texts.cluster.size(),
                  "one entry for each row of gram");
  for (const auto m : texts.machine) {
    detail::require(m <= 1, "machine", static_cast<int>(m), "1 for a machine text or 0 for a human one");
  }
  for (const auto c : texts.cell) detail::require(c >= 0 && c < (index_t{1} << 20), "cell", c, "a number from 0 to 2^20 - 1");
  for (const auto g : options.sizes) detail::require(g >= 2, "sizes", g, "groups of 2 texts or more");
  detail::require(options.draws >= 1, "draws", options.draws, "1 or more");
  detail::require(options.alpha > 0 && options.alpha < 1, "alpha", options.alpha, "a number between 0 and 1, such as 0.05");
  detail::require(options.spare_humans >= 2, "spare_humans", options.spare_humans, "2 or more");
  detail::require(options.most_reference >= 2, "most_reference", options.most_reference, "2 or more");
  detail::require(options.bootstrap_draws >= 2, "bootstrap_draws", options.bootstrap_draws, "2 or more");
}
// z with P(|Z| <= z) = level for a standard normal Z.
inline double normal_width(double level) {
  double low = 0, high = 40;
  for (int i = 0; i < 100; ++i) {
    const double z = (low + high) / 2;
    (std::erf(z / std::sqrt(2.0)) < level ? low : high) = z;
  }
  return low;
}

// The variance of the power between bootstrap samples of clusters: that of the samples' rates, less what their few draws add to it.
template <backend B, floating_matrix G>
double variance_between_samples(const B& on, const G& gram, const grouped_texts& texts, const GroupDraws& draws,
                                const GroupOptions& options, std::uint64_t first_test, std::uint64_t size) {
  const ClusterBootstrap bootstrap(texts.cluster, {.draws = options.bootstrap_samples, .level = options.level, .seed = options.seed});
  std::vector<IndexSets> tests;
  std::uint64_t sample = 0;
  bootstrap(1, [&](std::span<const double> weight, std::span<double>) {
    random_stream draw(options.seed, purpose::group_draws, size, (std::uint64_t{1} << 32) + sample++);
    GroupDraws::Draw one;
    for (index_t i = 0; i < options.bootstrap_draws && draws(draw, weight, one); ++i) tests.push_back(std::move(one.machine));
  });
  const auto results =
      gram_subset_tests(on, gram, tests, {.permutations = options.bootstrap_permutations, .seed = options.seed, .first_test = first_test});
  const auto each = static_cast<std::size_t>(options.bootstrap_draws);
  const double n = static_cast<double>(results.size() / each);
  double sum = 0, squares = 0, within = 0;
  for (std::size_t first = 0; first + each <= results.size(); first += each) {
    double rate = 0;
    for (std::size_t i = first; i < first + each; ++i) rate += results[i].p_value <= options.alpha;
    rate /= static_cast<double>(each);
    sum += rate;
    squares += rate * rate;
    within += rate * (1 - rate) / static_cast<double>(each - 1);
  }
  return n < 2 ? 0 : std::max(0.0, (squares - sum * sum / n) / (n - 1) - within / n);
}
}  // namespace group_detail

// For each group size g: in each draw a cell is chosen (by its machine texts), g + r of its human texts are drawn without repeats, r =
// min(most_reference, humans - g); r of them are the reference, g the null group; the power's group is g machine texts of the cell.
// power and type_1 are the shares of draws whose permutation p-value is <= alpha. Cells with fewer than g + spare_humans human texts, or
// fewer than g machine texts, are skipped and marked; where all are, draws = 0 and the figures are NaN.
//
// gram: the kernel matrix of the texts (`kernel_matrix`), by a kernel that has seen none of them. Cost: 2 draws subset tests a size, O(B
// g^2) look-ups each, and bootstrap_samples x bootstrap_draws shorter ones; O(N^2) memory with gram. Reproducible: a function of the input
// and the seed, the same bits for any number of threads.
//
// Validity: type_1_interval is Clopper-Pearson over the draws: it speaks of draws from this pool, not of other pools. power_interval joins
// that with a normal interval whose variance comes from resampling clusters (tests of `bootstrap_permutations` draws; what the few draws
// of a sample add to the variance is taken off); asymptotic in the number of clusters. Each test is exact for independent texts; texts of
// one prompt in one draw are not.
// Throws invalid_input for lengths that do not fit, options out of range, fewer than 2 clusters, and as gram_subset_tests.
template <backend B, floating_matrix G>
std::vector<GroupSizeResult> evaluate_groups(const B& on, const G& gram, const grouped_texts& texts, const GroupOptions& options = {}) {
  group_detail::check(texts, gram.rows(), options);
  std::vector<GroupSizeResult> out;
  for (std::size_t s = 0; s < options.sizes.size(); ++s) {
    const index_t size = options.sizes[s];
    const auto number = static_cast<std::uint64_t>(size);
    const GroupDraws draws(texts, size, options);
    GroupSizeResult result{.size = size, .power = std::nan(""), .type_1 = std::nan(""), .cells = draws.cells()};
    if (!draws.any()) {
      out.push_back(std::move(result));
      continue;
    }
    std::vector<IndexSets> tests;
    for (index_t i = 0; i < options.draws; ++i) {
      random_stream draw(options.seed, purpose::group_draws, number, static_cast<std::uint64_t>(i));
      GroupDraws::Draw one;
      draws(draw, {}, one);
      tests.push_back(std::move(one.human));
      tests.push_back(std::move(one.machine));
    }
    const std::uint64_t first_test = number << 32;
    const auto results =
        gram_subset_tests(on, gram, tests, {.permutations = options.permutations, .seed = options.seed, .first_test = first_test});
    index_t rejected[2] = {0, 0};
    for (std::size_t i = 0; i < results.size(); ++i) rejected[i % 2] += results[i].p_value <= options.alpha;
    result.draws = options.draws;
    result.type_1 = static_cast<double>(rejected[0]) / static_cast<double>(options.draws);
    result.power = static_cast<double>(rejected[1]) / static_cast<double>(options.draws);
    result.type_1_interval = clopper_pearson(rejected[0], options.draws, options.level);
    const Interval of_draws = clopper_pearson(rejected[1], options.draws, options.level);
    const double between =
        group_detail::normal_width(options.level) *
        std::sqrt(group_detail::variance_between_samples(on, gram, texts, draws, options, first_test + (std::uint64_t{1} << 31), number));
    result.power_interval = {std::max(0.0, result.power - std::hypot(result.power - of_draws.low, between)),
                             std::min(1.0, result.power + std::hypot(of_draws.high - result.power, between))};
    out.push_back(std::move(result));
  }
  return out;
}

}  // namespace MMD_ISA
}  // namespace mmd
