// SPDX-License-Identifier: MIT
#include <algorithm>
#include <cmath>
#include <limits>
#include <vector>

#include "mmd/backends/cpu/simd_math.hpp"
#include "mmd/kernels/gaussian_sum.hpp"
#include "support/catch2.hpp"

using mmd::simd;

namespace {

template <class T>
struct limits : std::numeric_limits<T> {};

// f of every value of `in`, by packs.
template <class T, class F>
std::vector<T> by_packs(std::vector<T> in, F f) {
  constexpr std::size_t W = simd<T>::width;
  const std::size_t n = in.size();
  in.resize((n + W - 1) / W * W, T(1));
  std::vector<T> out(in.size());
  for (std::size_t i = 0; i < in.size(); i += W) f(simd<T>::load(&in[i])).store(&out[i]);
  out.resize(n);
  return out;
}
template <class T>
T one(T x, auto f) {
  return by_packs(std::vector<T>{x}, f)[0];
}
const auto exponential = [](auto x) { return exp(x); };
const auto logarithm = [](auto x) { return log(x); };

}  // namespace

TEMPLATE_TEST_CASE("exp is within its bound for all exponents", "[simd]", float, double) {
  using T = TestType;
  const double low = std::log(static_cast<double>(limits<T>::min())), high = std::log(static_cast<double>(limits<T>::max()) / 2);
  std::vector<T> x;
  for (int i = 0; i <= 200000; ++i) x.push_back(static_cast<T>(low + (high - low) * i / 200000.0));
  for (int e = -40; e <= 0; ++e) {
    for (int i = 0; i < 64; ++i) x.push_back(static_cast<T>(std::ldexp(1 + i / 64.0, e))), x.push_back(-x.back());
  }
  const std::vector<T> y = by_packs(x, exponential);
  double worst = 0;  // in units of the bound
  for (std::size_t i = 0; i < x.size(); ++i) {
    const long double exact = std::exp(static_cast<long double>(x[i]));
    if (exact < static_cast<long double>(limits<T>::min()) * 2) continue;
    const double error = std::abs(static_cast<double>((static_cast<long double>(y[i]) - exact) / exact));
    worst = std::max(worst, error / ((2.5 + 0.6 * std::abs(static_cast<double>(x[i]))) * static_cast<double>(limits<T>::epsilon())));
  }
  CHECK(worst <= 1);
  CHECK(worst > 0.01);  // the bound is worth stating
}

TEMPLATE_TEST_CASE("the exponential of a product is within its bound for all exponents and constants", "[simd]", float, double) {
  using T = TestType;
  const double low = std::log(static_cast<double>(limits<T>::min())), high = std::log(static_cast<double>(limits<T>::max()) / 2);
  double worst = 0;  // in units of the bound
  for (const double c : {-1.0, 1.0, -0.37, 1e-12, -7e11}) {
    std::vector<T> x;
    for (int i = 0; i <= 40000; ++i) x.push_back(static_cast<T>((low + (high - low) * i / 40000.0) / c));
    for (int e = -40; e <= 0; ++e) {
      for (int i = 0; i < 16; ++i) x.push_back(static_cast<T>(std::ldexp(1 + i / 16.0, e) / c)), x.push_back(-x.back());
    }
    const std::vector<T> y = by_packs(x, [c](auto v) { return exp_product(c, v); });
    for (std::size_t i = 0; i < x.size(); ++i) {
      const long double u = static_cast<long double>(c) * static_cast<long double>(x[i]), exact = std::exp(u);
      if (exact < static_cast<long double>(limits<T>::min()) * 2) continue;
      const double error = std::abs(static_cast<double>((static_cast<long double>(y[i]) - exact) / exact));
      worst = std::max(worst, error / ((2.5 + 1.1 * std::abs(static_cast<double>(u))) * static_cast<double>(limits<T>::epsilon())));
    }
  }
  CHECK(worst <= 1);
  CHECK(worst > 0.01);
  const auto with = [](double c, T x) { return one(x, [c](auto v) { return exp_product(c, v); }); };
  CHECK(with(-3, T(0)) == T(1));
  CHECK(with(-3, -T(0)) == T(1));
  for (T x = 1000; x < T(4e23); x *= T(1.37)) {  // up to 2^80 nothing on the way loses its sign or overflows
    CHECK(with(-3, x) == T(0));
    CHECK(with(3, x) == limits<T>::infinity());
  }
  CHECK(with(-1, static_cast<T>(-1.5 * low)) == T(0));
  CHECK(std::isnan(with(-1, limits<T>::quiet_NaN())));
}

TEMPLATE_TEST_CASE("squares of one another stay within their bound for all exponents", "[simd]", float, double) {
  using T = TestType;
  const mmd::gaussian_sum<2> both(mmd::gaussian(0.5) + mmd::gaussian(1));  // e^(-2 x) and e^(-x / 2)
  const double low = -std::log(static_cast<double>(limits<T>::min()));
  std::vector<T> x;
  for (int i = 0; i <= 100000; ++i) x.push_back(static_cast<T>(low / 2 * i / 100000.0));
  const std::vector<T> y = by_packs(x, both);
  double worst = 0;  // of the fourth power's error, in units of its bound
  for (std::size_t i = 0; i < x.size(); ++i) {
    const long double u = 2 * static_cast<long double>(x[i]), fourth = std::exp(-u), single = std::exp(-u / 4), eps = limits<T>::epsilon();
    const long double bound = fourth * (12 + 1.1L * u) + single * (2.5L + 0.3L * u) + (fourth + single) / 2;
    worst = std::max(worst, static_cast<double>(std::abs(static_cast<long double>(y[i]) - (fourth + single)) / (eps * bound)));
  }
  CHECK(worst <= 1);
  CHECK(worst > 0.01);
}

TEMPLATE_TEST_CASE("exp at the ends of the range", "[simd]", float, double) {
  using T = TestType;
  const T inf = limits<T>::infinity();
  CHECK(one(T(0), exponential) == T(1));
  CHECK(one(-T(0), exponential) == T(1));
  CHECK(one(-inf, exponential) == T(0));
  CHECK(one(inf, exponential) == inf);
  CHECK(std::isnan(one(limits<T>::quiet_NaN(), exponential)));
  CHECK(one(T(1e30), exponential) == inf);
  CHECK(one(T(-1e30), exponential) == T(0));
  const T far = std::log(limits<T>::min()) * T(1.5);
  CHECK(one(far, exponential) == T(0));
  const T tiny = one(std::log(limits<T>::min()) * T(1.01), exponential);
  CHECK((tiny >= 0 && tiny <= limits<T>::min()));
}

TEMPLATE_TEST_CASE("log is within 2 ulp for all exponents", "[simd]", float, double) {
  using T = TestType;
  std::vector<T> x;
  for (int e = limits<T>::min_exponent - limits<T>::digits + 1; e <= limits<T>::max_exponent; ++e) {
    for (int i = 0; i < 97; ++i) {
      const T v = std::ldexp(T(0.5) + T(0.5) * static_cast<T>(i) / T(97), e);
      if (v > 0) x.push_back(v);
    }
  }
  for (int i = 0; i < 20000; ++i) x.push_back(T(0.5) + static_cast<T>(i) / T(10000));
  x.push_back(limits<T>::denorm_min());
  x.push_back(limits<T>::max());
  const std::vector<T> y = by_packs(x, logarithm);
  double worst = 0;
  for (std::size_t i = 0; i < x.size(); ++i) {
    const long double exact = std::log(static_cast<long double>(x[i]));
    if (exact == 0) {
      CHECK(y[i] == T(0));
      continue;
    }
    worst = std::max(worst, std::abs(static_cast<double>((static_cast<long double>(y[i]) - exact) / exact)));
  }
  CHECK(worst <= 2 * static_cast<double>(limits<T>::epsilon()));
}

TEMPLATE_TEST_CASE("log at the ends of the range", "[simd]", float, double) {
  using T = TestType;
  const T inf = limits<T>::infinity();
  CHECK(one(T(1), logarithm) == T(0));
  CHECK(one(T(0), logarithm) == -inf);
  CHECK(one(inf, logarithm) == inf);
  CHECK(std::isnan(one(T(-1), logarithm)));
  CHECK(std::isnan(one(-inf, logarithm)));
  CHECK(std::isnan(one(limits<T>::quiet_NaN(), logarithm)));
}

TEMPLATE_TEST_CASE("max and min take their second argument where one is NaN", "[simd]", float, double) {
  using T = TestType;
  using S = simd<T>;
  const T nan = limits<T>::quiet_NaN();
  CHECK(std::isnan(one(nan, [](S x) { return max(S(T(0)), x); })));
  CHECK(std::isnan(one(nan, [](S x) { return min(S(T(0)), x); })));
  CHECK(one(nan, [](S x) { return max(x, S(T(3))); }) == T(3));
  CHECK(one(T(2), [](S x) { return max(S(T(0)), x); }) == T(2));
  CHECK(one(T(-2), [](S x) { return max(S(T(0)), x); }) == T(0));
  CHECK(one(T(-2), [](S x) { return min(S(T(0)), x); }) == T(-2));
}

TEMPLATE_TEST_CASE("arithmetic, selection and conversion", "[simd]", float, double) {
  using T = TestType;
  using S = simd<T>;
  constexpr int W = S::width;
  std::vector<T> a, b;
  for (int i = 0; i < W; ++i) a.push_back(static_cast<T>(i) - T(W) / 2), b.push_back(T(0.5) + static_cast<T>(i));
  const S x = S::load(a.data()), y = S::load(b.data());
  const auto values = [](S s) {
    std::vector<T> out(W);
    s.store(out.data());
    return out;
  };
  for (int i = 0; i < W; ++i) {
    const std::size_t l = static_cast<std::size_t>(i);
    CHECK(values(x + y)[l] == a[l] + b[l]);
    CHECK(values(x - y)[l] == a[l] - b[l]);
    CHECK(values(x * y)[l] == a[l] * b[l]);
    CHECK(values(x / y)[l] == a[l] / b[l]);
    CHECK(values(-x)[l] == -a[l]);
    CHECK(values(abs(x))[l] == std::abs(a[l]));
    CHECK(values(sqrt(y))[l] == std::sqrt(b[l]));
    CHECK(values(fma(x, y, y))[l] == Approx(a[l] * b[l] + b[l]));
    CHECK(values(where_positive(x, y))[l] == (a[l] > 0 ? b[l] : T(0)));
    CHECK(values(where_nonzero(x, y))[l] == (a[l] != 0 ? b[l] : T(0)));
  }
  T sum = 0;
  for (const T v : b) sum += v;
  CHECK(y.sum() == sum);
  CHECK(std::signbit(values(S(T(-0.0)))[0]));

  using U = std::conditional_t<sizeof(T) == 4, double, float>;
  std::vector<U> other(W);
  x.store_to(other.data());
  CHECK(values(S::load_from(other.data())) == a);
}
