// SPDX-License-Identifier: MIT
// The beta distribution and what rests on it: exact intervals for a proportion, and the beta-binomial distribution of counts.
//
// The incomplete beta function is evaluated by its continued fraction (modified Lentz; DiDonato and Morris, "Significant digit computation
// of the incomplete beta function ratios", ACM TOMS 18, 1992), the logarithm of the gamma function by Stirling's series; quantiles by
// bisection. Relative error below 1e-12 for parameters up to some hundreds, below 1e-10 up to 1e4. No shared state (std::lgamma writes a
// global), the same bits everywhere that exp and log have the same bits.
#pragma once

#include <cmath>
#include <cstdint>
#include <limits>
#include <vector>

#include "mmd/core/config.hpp"
#include "mmd/core/errors.hpp"

namespace mmd {

// Both ends belong to the interval.
struct Interval {
  double low = 0, high = 0;
};

// A range of counts, both ends included.
struct CountBand {
  index_t low = 0, high = 0;
};

namespace detail {
inline namespace MMD_ISA {

// log Gamma(x), x > 0.
inline double log_gamma(double x) {
  double product = 1;
  while (x < 16) product *= x++;
  const double y = 1 / (x * x);
  const double series =
      (1.0 / 12 + y * (-1.0 / 360 + y * (1.0 / 1260 + y * (-1.0 / 1680 + y * (1.0 / 1188 + y * (-691.0 / 360360 + y / 156)))))) / x;
  return (x - 0.5) * std::log(x) - x + 0.9189385332046727418 + series - std::log(product);
}
inline double log_beta(double a, double b) { return log_gamma(a) + log_gamma(b) - log_gamma(a + b); }

// The continued fraction of I_x(a, b), for x < (a + 1)/(a + b + 2).
inline double beta_fraction(double a, double b, double x) {
  constexpr double tiny = 1e-300;
  const auto away = [](double v) { return std::abs(v) < tiny ? tiny : v; };
  double c = 1, d = 1 / away(1 - (a + b) * x / (a + 1)), h = d;
  for (int i = 1; i <= 100000; ++i) {
    const double m = i, even = m * (b - m) * x / ((a + 2 * m - 1) * (a + 2 * m));
    d = 1 / away(1 + even * d);
    c = away(1 + even / c);
    h *= d * c;
    const double odd = -(a + m) * (a + b + m) * x / ((a + 2 * m) * (a + 2 * m + 1));
    d = 1 / away(1 + odd * d);
    c = away(1 + odd / c);
    const double step = d * c;
    h *= step;
    if (std::abs(step - 1) < 4 * std::numeric_limits<double>::epsilon()) break;
  }
  return h;
}

inline void require_beta(const char* what_a, double a, const char* what_b, double b) {
  require(std::isfinite(a) && a > 0, what_a, a, "a finite number above 0");
  require(std::isfinite(b) && b > 0, what_b, b, "a finite number above 0");
}
}  // namespace MMD_ISA
}  // namespace detail

inline namespace MMD_ISA {

// P(X <= x) for X ~ Beta(a, b): the regularised incomplete beta function I_x(a, b). Throws invalid_input unless a, b > 0 and 0 <= x <= 1.
inline double beta_cdf(double x, double a, double b) {
  detail::require_beta("beta_cdf: a", a, "beta_cdf: b", b);
  detail::require(x >= 0 && x <= 1, "beta_cdf: x", x, "a number in [0, 1]");
  if (x == 0 || x == 1) return x;
  const double front = std::exp(a * std::log(x) + b * std::log1p(-x) - detail::log_beta(a, b));
  if (x < (a + 1) / (a + b + 2)) return front * detail::beta_fraction(a, b, x) / a;
  return 1 - front * detail::beta_fraction(b, a, 1 - x) / b;
}

// The x with P(X <= x) = p for X ~ Beta(a, b), by bisection to the last bit but one. Throws invalid_input unless a, b > 0 and 0 <= p <= 1.
inline double beta_quantile(double p, double a, double b) {
  detail::require_beta("beta_quantile: a", a, "beta_quantile: b", b);
  detail::require(p >= 0 && p <= 1, "beta_quantile: p", p, "a number in [0, 1]");
  if (p == 0 || p == 1) return p;
  double low = 0, high = 1;
  while (high - low > 2 * std::numeric_limits<double>::epsilon() * high) {
    const double middle = low + (high - low) / 2;
    (beta_cdf(middle, a, b) < p ? low : high) = middle;
  }
  return low + (high - low) / 2;
}

// The exact (Clopper-Pearson, Biometrika 26, 1934) interval for a proportion of which `successes` of `trials` independent trials were seen:
// it covers the proportion with probability `level` or more.
//
// Validity: independent trials with one common probability. Texts that share a prompt are not independent: take one a prompt, or a cluster
// bootstrap. Throws invalid_input unless 0 <= successes <= trials, trials >= 1 and 0 < level < 1.
inline Interval clopper_pearson(index_t successes, index_t trials, double level = 0.95) {
  detail::require(trials >= 1, "clopper_pearson: trials", trials, "1 or more");
  detail::require(successes >= 0 && successes <= trials, "clopper_pearson: successes", successes, "between 0 and trials");
  detail::require(level > 0 && level < 1, "clopper_pearson: level", level, "a number between 0 and 1, such as 0.95");
  const auto x = static_cast<double>(successes), n = static_cast<double>(trials);
  return {successes == 0 ? 0 : beta_quantile((1 - level) / 2, x, n - x + 1),
          successes == trials ? 1 : beta_quantile((1 + level) / 2, x + 1, n - x)};
}

// The central band of a beta-binomial count: X ~ Binomial(n, P) with P ~ Beta(a, b). low is the largest count with P(X < low) <= (1 -
// level)/2, high the smallest with P(X > high) <= (1 - level)/2, so that P(low <= X <= high) >= level. O(n).
// Throws invalid_input unless n >= 1, a, b > 0 and 0 < level < 1.
inline CountBand beta_binomial_band(index_t n, double a, double b, double level = 0.999) {
  detail::require(n >= 1, "beta_binomial_band: n", n, "1 or more");
  detail::require_beta("beta_binomial_band: a", a, "beta_binomial_band: b", b);
  detail::require(level > 0 && level < 1, "beta_binomial_band: level", level, "a number between 0 and 1, such as 0.999");
  const auto mass = [&](index_t x) {
    const auto u = static_cast<double>(x), v = static_cast<double>(n - x), base = static_cast<double>(n) + 1;
    return std::exp(detail::log_beta(u + a, v + b) - detail::log_beta(a, b) - detail::log_beta(u + 1, v + 1) - std::log(base));
  };
  const double tail = (1 - level) / 2;
  CountBand band{0, n};
  for (double below = mass(0); below <= tail && band.low < n; below += mass(++band.low)) {
  }
  for (double above = mass(n); above <= tail && band.high > band.low; above += mass(--band.high)) {
  }
  return band;
}

}  // namespace MMD_ISA
}  // namespace mmd
