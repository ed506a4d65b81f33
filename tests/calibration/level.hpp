// SPDX-License-Identifier: MIT
// Whether simulated p-values have the level that they claim.
#pragma once

#include <cmath>
#include <cstddef>
#include <vector>

namespace calibration {

// The z with P(N(0, 1) > z) = tail.
inline double normal_limit(double tail) {
  double low = 0, high = 40;
  for (int i = 0; i < 200; ++i) {
    const double middle = (low + high) / 2;
    (0.5 * std::erfc(middle / std::sqrt(2.0)) > tail ? low : high) = middle;
  }
  return low;
}
// The value that chi-square with `df` degrees of freedom exceeds with probability `tail` (Wilson and Hilferty; within 1 % from df = 5).
inline double chi_square_limit(double df, double tail) {
  const double c = 2 / (9 * df), z = normal_limit(tail), root = 1 - c + z * std::sqrt(c);
  return df * root * root * root;
}

// Counts of ranks 1 .. cells.
inline double chi_square(const std::vector<std::size_t>& counts) {
  double total = 0, sum = 0;
  for (const std::size_t c : counts) total += static_cast<double>(c);
  const double expected = total / static_cast<double>(counts.size());
  for (const std::size_t c : counts) sum += (static_cast<double>(c) - expected) * (static_cast<double>(c) - expected) / expected;
  return sum;
}
inline bool uniform(const std::vector<std::size_t>& counts, double tail = 1e-4) {
  return chi_square(counts) <= chi_square_limit(static_cast<double>(counts.size() - 1), tail);
}

// P(Binomial(trials, p) >= count).
inline double upper_tail(std::size_t count, std::size_t trials, double p) {
  double sum = 0;
  const auto n = static_cast<double>(trials);
  for (std::size_t i = count; i <= trials; ++i) {
    const auto x = static_cast<double>(i);
    sum += std::exp(std::lgamma(n + 1) - std::lgamma(x + 1) - std::lgamma(n - x + 1) + x * std::log(p) + (n - x) * std::log1p(-p));
  }
  return sum;
}

// Rejections among simulated tests against the level they should have, at 1 - .001 / cells.
struct band {
  std::size_t cells = 1;
  bool not_above(std::size_t rejected, std::size_t tests, double level) const {
    return upper_tail(rejected, tests, level) >= 0.001 / static_cast<double>(cells) / 2;
  }
  bool not_below(std::size_t rejected, std::size_t tests, double level) const {
    return 1 - upper_tail(rejected + 1, tests, level) >= 0.001 / static_cast<double>(cells) / 2;
  }
  bool holds(std::size_t rejected, std::size_t tests, double level) const {
    return not_above(rejected, tests, level) && not_below(rejected, tests, level);
  }
};

// floor(alpha (B + 1)) / (B + 1): what an exact test with B draws rejects.
inline double exact_level(double alpha, std::size_t draws) {
  const auto all = static_cast<double>(draws + 1);
  auto k = static_cast<std::size_t>(alpha * all) + 1;
  while (static_cast<double>(k) / all > alpha) --k;
  return static_cast<double>(k) / all;
}

// Runs `once(seed)` -> p for seeds 1 .. tests and keeps the ranks (B + 1) p.
struct simulation {
  std::size_t draws, tests;
  std::vector<std::size_t> ranks;
  template <class F>
  simulation(std::size_t b, std::size_t count, F&& once) : draws(b), tests(count), ranks(b + 1) {
    for (std::size_t seed = 1; seed <= tests; ++seed) {
      const double rank = once(seed) * static_cast<double>(draws + 1);
      ++ranks[static_cast<std::size_t>(std::llround(rank)) - 1];
    }
  }
  std::size_t rejected(double alpha) const {
    std::size_t count = 0;
    for (std::size_t r = 1; r <= ranks.size(); ++r) {
      if (static_cast<double>(r) / static_cast<double>(draws + 1) <= alpha) count += ranks[r - 1];
    }
    return count;
  }
};

}  // namespace calibration
