// SPDX-License-Identifier: MIT
// Known ways to break a permutation test, each planted on purpose: the checks of the level must see it, and must not see it without.
#include <algorithm>
#include <cmath>
#include <string_view>
#include <vector>

#include "calibration/level.hpp"
#include "permutation_support.hpp"
#include "support/catch2.hpp"

namespace {
using namespace support;
using calibration::simulation;
using mmd::method;
using mmd::PermutationTest;

const mmd::cpu serial{.threads = 1};

bool sound(const simulation& s, double alpha = 0.05) {
  return calibration::uniform(s.ranks) && calibration::band{}.holds(s.rejected(alpha), s.tests, calibration::exact_level(alpha, s.draws));
}

// Adds eight products at a time to one accumulator of 14 bits that rounds toward zero, as the sums of tensor cores do in small.
struct truncating {
  template <class T, class K, class... R>
  mmd::layout reduce(const K& k, const mmd::pooled<T>& z, R&... r) const {
    mmd::gram<T> g;
    auto lay = serial.reduce(k, z, g);
    for (index_t i = 0; i < g.rows; ++i) g.values[at(i * g.rows + i)] = 0;
    (r.prepare(lay), ...);
    (fill(r, g), ...);
    return lay;
  }
  template <class F>
  void for_each(index_t count, F&& f) const {
    for (index_t i = 0; i < count; ++i) f(i);
  }
  void report(std::string_view, std::uint64_t, std::uint64_t) const {}

 private:
  static double truncated(double v) {
    int exponent = 0;
    const double mantissa = std::frexp(v, &exponent);
    return std::ldexp(std::trunc(std::ldexp(mantissa, 14)), exponent - 14);
  }
  template <class T>
  static void fill(mmd::row_sums& r, const mmd::gram<T>& g) {
    for (index_t i = 0; i < g.rows; ++i) {
      for (index_t j = 0; j < g.rows; ++j) r.sums[at(i)] += static_cast<double>(g(i, j));
    }
  }
  template <class T>
  static void fill(mmd::quadratic_forms& q, const mmd::gram<T>& g) {
    for (index_t c = 0; c < q.labels->columns(); ++c) {
      double sum = 0;
      for (index_t i = 0; i < g.rows; ++i) {
        if (!(*q.labels)(i, c)) continue;
        for (index_t start = 0; start < g.rows; start += 8) {
          double eight = 0;
          for (index_t j = start; j < std::min(start + 8, g.rows); ++j) eight += static_cast<double>(g(i, j)) * (*q.labels)(j, c);
          sum = truncated(sum + eight);
        }
      }
      q.value[at(c)] = sum;
    }
  }
  template <class R, class T>
  static void fill(R&, const mmd::gram<T>&) {}  // not asked for by the full test
};

// The full test, with its rows in a random order or, planted, in the order of the samples.
double full_p(const mmd::matrix<float>& x, const mmd::matrix<float>& y, std::uint64_t seed, bool random_order) {
  const index_t n = x.rows(), rows = n + y.rows();
  std::vector<index_t> order;
  for (index_t i = 0; i < rows; ++i) order.push_back(i);
  if (random_order) mmd::random_stream(seed, mmd::purpose::row_order).shuffle(std::span(order));
  mmd::detail::position_set observed(rows);
  for (index_t p = 0; p < rows; ++p) {
    if (order[at(p)] < n) observed.insert(p);
  }
  const mmd::detail::split_columns columns(observed, rows, n, seed, 0, 20, false);
  const mmd::detail::shuffled_pool<float> shuffled(mmd::cpu{}, mmd::gaussian(1), mmd::pool(x, y), order, {}, mmd::estimator::unbiased);
  mmd::TestResult out;
  conclude(out, evaluate_labels(truncating{}, mmd::gaussian(1), shuffled, columns));
  return out.p_value;
}

// The binned test with bins of `size` rows in the order of the data, planted.
double unshuffled_bins_p(const mmd::matrix<float>& x, const mmd::matrix<float>& y, index_t size, std::uint64_t seed) {
  const index_t bx = x.rows() / size, bins = bx + y.rows() / size;
  std::vector<index_t> order;
  const auto place = mmd::random_stream(seed, mmd::purpose::row_order).permutation(bins);
  mmd::detail::position_set observed(bins);
  for (index_t p = 0; p < bins; ++p) {
    for (index_t i = 0; i < size; ++i) order.push_back(place[at(p)] * size + i);
    if (place[at(p)] < bx) observed.insert(p);
  }
  const mmd::detail::split_columns columns(observed, bins, bx, seed, 0, 20, false);
  const mmd::detail::shuffled_pool<float> pool(mmd::cpu{}, mmd::gaussian(1), mmd::pool(x, y), order, std::vector<index_t>(at(bins), size),
                                               mmd::estimator::unbiased);
  mmd::TestResult out;
  conclude(out, evaluate_blocks(serial, mmd::gaussian(1), pool, {}, columns));
  return out.p_value;
}
mmd::matrix<float> sorted(mmd::matrix<float> a) {
  std::sort(a.data(), a.data() + a.size());
  return a;
}
// Rows dealt round over strata that differ, in turn: every bin of consecutive rows has the same mixture.
mmd::matrix<float> stratified(index_t rows, std::uint64_t seed) {
  auto a = sorted(normal<float>(rows, 1, seed));
  auto out = a;
  const index_t strata = 4, each = rows / strata;
  for (index_t i = 0; i < rows; ++i) out(i, 0) = a(i % strata * each + i / strata, 0);
  return out;
}
double median_distance(const mmd::matrix<double>& a) {
  std::vector<double> d;
  for (index_t i = 0; i < a.rows(); ++i) {
    for (index_t j = 0; j < i; ++j) d.push_back(std::abs(a(i, 0) - a(j, 0)));
  }
  std::nth_element(d.begin(), d.begin() + static_cast<std::ptrdiff_t>(d.size() / 2), d.end());
  return d[d.size() / 2];
}
}  // namespace

TEST_CASE("planted: the observed split left out of the count") {
  // #/B instead of (1 + #)/(B + 1): at level .05 with B = 20 that rejects twice as often as it may, and p can be 0.
  std::size_t planted = 0, zero = 0, library = 0;
  for (std::uint64_t seed = 1; seed <= 2000; ++seed) {
    const auto r = PermutationTest{{.permutations = 20, .seed = seed, .method = method::full}}(
        serial, normal<float>(9, 2, 2 * seed), normal<float>(12, 2, 2 * seed + 1), mmd::gaussian(1));
    const auto reached = std::count_if(r.null.begin(), r.null.end(), [&](double v) { return v >= r.statistic - r.tolerance; });
    planted += static_cast<double>(reached) / 20 <= 0.05;
    zero += reached == 0;
    library += r.reject(0.05);
  }
  const double level = calibration::exact_level(0.05, 20);
  CHECK(zero > 0);
  CHECK_FALSE(calibration::band{}.holds(planted, 2000, level));
  CHECK(calibration::band{}.holds(library, 2000, level));
}

TEST_CASE("planted: a bandwidth chosen from x alone") {
  const auto run = [](bool planted) {
    return simulation(19, 2000, [&](std::uint64_t seed) {
      const auto x = normal<double>(3, 1, 2 * seed), y = normal<double>(12, 1, 2 * seed + 1);
      mmd::matrix<double> both(15, 1);
      for (index_t i = 0; i < 15; ++i) both(i, 0) = i < 3 ? x(i, 0) : y(i - 3, 0);
      const double h = planted ? median_distance(x) : median_distance(both);
      return PermutationTest{{.permutations = 19, .seed = seed, .method = method::full}}(serial, x, y, mmd::gaussian(h)).p_value;
    });
  };
  CHECK_FALSE(sound(run(true)));
  CHECK(sound(run(false)));
}

TEST_CASE("planted: rows left in the order of their samples, on arithmetic that truncates") {
  const auto run = [](bool random_order) {
    return simulation(19, 1000, [&](std::uint64_t seed) {
      return full_p(normal<float>(48, 2, 2 * seed), normal<float>(48, 2, 2 * seed + 1), seed, random_order);
    });
  };
  CHECK_FALSE(sound(run(false)));
  CHECK(sound(run(true)));
  const simulation library(19, 1000, [](std::uint64_t seed) {
    return PermutationTest{{.permutations = 19, .seed = seed, .method = method::full}}(truncating{}, normal<float>(48, 2, 2 * seed),
                                                                                       normal<float>(48, 2, 2 * seed + 1), mmd::gaussian(1))
        .p_value;
  });
  CHECK(sound(library));
}

TEST_CASE("planted: bins of rows in the order of the data") {
  const auto data = [](bool strata, index_t rows, std::uint64_t seed) {
    return strata ? stratified(rows, seed) : sorted(normal<float>(rows, 1, seed));
  };
  for (const bool strata : {false, true}) {
    const simulation planted(19, 500, [&](std::uint64_t seed) {
      return unshuffled_bins_p(data(strata, 64, 2 * seed), data(strata, 80, 2 * seed + 1), 8, seed);
    });
    const simulation library(19, 500, [&](std::uint64_t seed) {
      return PermutationTest{{.permutations = 19, .seed = seed, .method = method::binned, .bins = 18}}(
                 serial, data(strata, 64, 2 * seed), data(strata, 80, 2 * seed + 1), mmd::gaussian(1))
          .p_value;
    });
    INFO((strata ? "stratified" : "sorted") << ": planted " << planted.rejected(0.05) << ", library " << library.rejected(0.05)
                                            << " of 500");
    CHECK_FALSE(sound(planted));
    CHECK(sound(library));
  }
}

TEST_CASE("a map that looks at its whole sample sees the pooled rows, not the samples") {
  // Centred and scaled sample by sample, as batch normalisation would: rows of x and y then differ in distribution given their labels.
  const auto normalised = [](const mmd::samples<double>& z) {
    double mean = 0, squares = 0;
    const auto count = static_cast<double>(z.rows());
    for (index_t i = 0; i < z.rows(); ++i) mean += z(i, 0) / count;
    for (index_t i = 0; i < z.rows(); ++i) squares += (z(i, 0) - mean) * (z(i, 0) - mean) / count;
    mmd::matrix<double> out(z.rows(), 1);
    for (index_t i = 0; i < z.rows(); ++i) out(i, 0) = (z(i, 0) - mean) / std::sqrt(squares);
    return out;
  };
  for (const auto how : {method::full, method::subset, method::binned}) {
    const auto run = [&](bool planted) {
      return simulation(19, 1000, [&](std::uint64_t seed) {
        const auto x = normal<double>(12, 1, 2 * seed), y = normal<double>(17, 1, 2 * seed + 1);
        const PermutationTest test{{.permutations = 19, .seed = seed, .method = how}};
        return planted ? test(serial, normalised(x), normalised(y), mmd::gaussian(1)).p_value
                       : test(serial, x, y, on(normalised, mmd::gaussian(1))).p_value;
      });
    };
    INFO(to_string(how));
    CHECK_FALSE(sound(run(true)));
    CHECK(sound(run(false)));
  }
}

TEST_CASE("planted: tests that share their draws do not reject independently") {
  // Counts of 40 batches of 250 tests, each on data of its own, against the variance of a binomial count.
  const auto dispersion = [](bool shared) {
    constexpr std::uint64_t batches = 40, size = 250;
    double sum = 0;
    for (std::uint64_t b = 0; b < batches; ++b) {
      double rejected = 0;
      for (std::uint64_t t = 0; t < size; ++t) {
        const auto x = normal<double>(5, 1, 2 * (b * size + t)), y = normal<double>(6, 1, 2 * (b * size + t) + 1);
        rejected +=
            PermutationTest{{.permutations = 19, .seed = b, .method = method::full, .test = shared ? 0 : t}}(serial, x, y, mmd::gaussian(1))
                .reject(0.05);
      }
      sum += (rejected - size * 0.05) * (rejected - size * 0.05);
    }
    return sum / (size * 0.05 * 0.95);
  };
  const double limit = calibration::chi_square_limit(40, 1e-3);
  CHECK(dispersion(true) > limit);
  CHECK(dispersion(false) < limit);
}
