// SPDX-License-Identifier: MIT
#include "mmd/learning/layers.hpp"

#include "mmd/backends/cpu.hpp"
#include "support/catch2.hpp"
#include "support/failures.hpp"
#include "support/learning.hpp"

namespace {

using support::distance;
using support::normal;
using support::normal_vector;
using support::to_rows;

// The mask itself: what is left of ones.
template <class T>
void dropout_mask(const mmd::cpu& on, double probability, std::uint64_t seed, std::uint64_t step, int layer, mmd::matrix<T>& mask) {
  std::fill_n(mask.data(), mask.size(), T(1));
  mmd::apply_dropout(on, probability, seed, step, layer, mmd::samples<T>(mask), mask);
}
// sum over all entries of weights * out: a scalar whose derivative by out is `weights`.
double weighted_sum(const oracle::rows& out, const oracle::rows& weights) {
  double sum = 0;
  for (std::size_t i = 0; i < out.size(); ++i) {
    for (std::size_t k = 0; k < out[i].size(); ++k) sum += weights[i][k] * out[i][k];
  }
  return sum;
}
template <class F>
std::vector<double> derivatives(std::vector<double>& at, const F& f) {
  std::vector<double> out;
  for (double& v : at) out.push_back(oracle::derivative(f, v));
  return out;
}
template <class F>
std::vector<double> derivatives(oracle::rows& at, const F& f) {
  std::vector<double> out;
  for (auto& row : at) {
    for (double& v : row) out.push_back(oracle::derivative(f, v));
  }
  return out;
}

}  // namespace

TEMPLATE_TEST_CASE("a linear layer agrees with a plain loop, for odd sizes", "[layers]", float, double) {
  using T = TestType;
  const auto [rows, in, out] =
      GENERATE(std::tuple<int, int, int>{1, 1, 1}, std::tuple<int, int, int>{3, 5, 2}, std::tuple<int, int, int>{70, 33, 17});
  const auto x = normal<T>(rows, in, 1), w = normal<T>(out, in, 2);
  const auto b = normal_vector<T>(static_cast<std::size_t>(out), 3);
  mmd::matrix<T> y;
  mmd::linear_forward(mmd::cpu{}, mmd::samples<T>(x), mmd::samples<T>(w), std::span<const T>(b), y);
  const double limit = sizeof(T) == 4 ? 1e-6 : 1e-14;
  CHECK(distance(y, oracle::linear(to_rows(x), to_rows(w), {b.begin(), b.end()})) < limit);
  mmd::linear_forward(mmd::cpu{}, mmd::samples<T>(x), mmd::samples<T>(w), std::span<const T>(), y);
  CHECK(distance(y, oracle::linear(to_rows(x), to_rows(w), {})) < limit);
}

TEST_CASE("the derivatives of a linear layer are those of differences", "[layers]") {
  const mmd::index_t rows = GENERATE(5, 70);  // one chunk of rows, and three
  const auto x = normal<double>(rows, 4, 1), w = normal<double>(3, 4, 2), grad = normal<double>(rows, 3, 4);
  const auto b = normal_vector<double>(3, 3);
  std::vector<double> grad_w(12), grad_b(3);
  mmd::matrix<double> grad_x, partials;
  mmd::linear_backward(mmd::cpu{}, mmd::samples<double>(x), mmd::samples<double>(w), grad, std::span(grad_w), std::span(grad_b), partials,
                       &grad_x);
  auto ox = to_rows(x), ow = to_rows(w);
  auto ob = b;
  const auto f = [&] { return weighted_sum(oracle::linear(ox, ow, ob), to_rows(grad)); };
  CHECK(distance(grad_w, derivatives(ow, f)) < 1e-9);
  CHECK(distance(grad_b, derivatives(ob, f)) < 1e-9);
  CHECK(distance(grad_x.values(), derivatives(ox, f)) < 1e-9);
}

TEMPLATE_TEST_CASE("GELU and LayerNorm agree with a plain loop", "[layers]", float, double) {
  using T = TestType;
  const auto [rows, width] = GENERATE(std::pair<int, int>{1, 2}, std::pair<int, int>{37, 9}, std::pair<int, int>{65, 64});
  const double epsilon = GENERATE(1e-5, 1e-12);
  const auto z = normal<T>(rows, width, 1, 2);
  const auto gain = normal_vector<T>(static_cast<std::size_t>(width), 2, 0.3, 1),
             shift = normal_vector<T>(static_cast<std::size_t>(width), 3);
  mmd::GeluNormTape<T> tape;
  mmd::matrix<T> out;
  mmd::gelu_norm_forward(mmd::cpu{}, z, std::span<const T>(gain), std::span<const T>(shift), epsilon, tape, out);
  const auto expected = oracle::gelu_norm(to_rows(z), {gain.begin(), gain.end()}, {shift.begin(), shift.end()}, epsilon);
  CHECK(distance(out, expected) < (sizeof(T) == 4 ? 3e-6 : 1e-13));

  const auto bias = normal_vector<T>(static_cast<std::size_t>(width), 4);
  auto moved = to_rows(z);
  for (auto& row : moved) {
    for (std::size_t k = 0; k < row.size(); ++k) row[k] += static_cast<double>(bias[k]);
  }
  mmd::gelu_norm_forward(mmd::cpu{}, z, std::span<const T>(gain), std::span<const T>(shift), epsilon, tape, out, std::span<const T>(bias));
  CHECK(distance(out, oracle::gelu_norm(moved, {gain.begin(), gain.end()}, {shift.begin(), shift.end()}, epsilon)) <
        (sizeof(T) == 4 ? 3e-6 : 1e-13));
}

TEST_CASE("the derivatives of GELU and LayerNorm are those of differences", "[layers]") {
  const mmd::index_t rows = GENERATE(6, 70);
  const auto z = normal<double>(rows, 5, 1), grad = normal<double>(rows, 5, 2);
  const auto gain = normal_vector<double>(5, 3, 0.3, 1), shift = normal_vector<double>(5, 4);
  mmd::GeluNormTape<double> tape;
  mmd::matrix<double> out, g = grad;
  std::vector<double> grad_gain(5), grad_shift(5), grad_bias(5), columns(5);
  mmd::gelu_norm_forward(mmd::cpu{}, z, std::span<const double>(gain), std::span<const double>(shift), 1e-5, tape, out);
  mmd::gelu_norm_backward(mmd::cpu{}, tape, std::span<const double>(gain), g, std::span(grad_gain), std::span(grad_shift),
                          std::span(grad_bias));
  auto oz = to_rows(z);
  auto og = gain, os = shift;
  const auto f = [&] { return weighted_sum(oracle::gelu_norm(oz, og, os, 1e-5), to_rows(grad)); };
  CHECK(distance(g.values(), derivatives(oz, f)) < 1e-8);
  CHECK(distance(grad_gain, derivatives(og, f)) < 1e-8);
  CHECK(distance(grad_shift, derivatives(os, f)) < 1e-8);
  for (mmd::index_t i = 0; i < rows; ++i) {
    for (std::size_t k = 0; k < 5; ++k) columns[k] += g(i, static_cast<mmd::index_t>(k));
  }
  CHECK(distance(grad_bias, columns) < 1e-14);
}

TEST_CASE("GELU of huge values is the value or 0, and its slope 1 or 0", "[layers]") {
  float slope = -1;
  CHECK(mmd::gelu(1e30f, slope) == 1e30f);
  CHECK(slope == 1);
  CHECK(mmd::gelu(-1e30f, slope) == 0);
  CHECK(slope == 0);
  CHECK(std::isnan(mmd::gelu(std::numeric_limits<float>::quiet_NaN(), slope)));
}

TEMPLATE_TEST_CASE("GELU of numbers and of packs agrees with the C library's erfc", "[layers]", float, double) {
  using T = TestType;
  using V = mmd::cpu::pack<T>;
  double value = 0, derivative = 0, tail = 0;
  const auto compare = [&](T z, T g, T slope) {
    const double x = static_cast<double>(z), phi = std::exp(-x * x / 2) * 0.39894228040143267794, expected = oracle::gelu(x);
    value = std::max(value, std::abs(static_cast<double>(g) - expected) / std::max(1.0, std::abs(x)));
    derivative = std::max(derivative, std::abs(static_cast<double>(slope) - (std::erfc(-x / std::sqrt(2.0)) / 2 + x * phi)));
    if (x < 0 && x > -9) tail = std::max(tail, std::abs(static_cast<double>(g) / expected - 1));
  };
  for (int i = -14000; i <= 14000; ++i) {
    const T z = static_cast<T>(i / 1000.0);
    T slope = 0;
    const T alone = mmd::gelu(z, slope);
    compare(z, alone, slope);
    V slopes = T(0);
    const T g = mmd::gelu<T>(V(z), slopes).v[V::width - 1];
    compare(z, g, slopes.v[0]);
  }
  const double eps = static_cast<double>(std::numeric_limits<T>::epsilon());
  CHECK(value < 2 * eps);
  CHECK(derivative < 2 * eps);
  CHECK(tail < 150 * eps);  // z^2/2 <= 40.5 is rounded, here and in the oracle
}

TEST_CASE("a dropout mask is a function of seed, step, layer, row and column alone", "[layers]") {
  const mmd::index_t width = GENERATE(9, 64, 130);
  mmd::matrix<float> a(70, width), b(3, width), c(70, width);
  dropout_mask(mmd::cpu{.threads = 1}, 0.3, 5, 11, 2, a);
  dropout_mask(mmd::cpu{.threads = 7}, 0.3, 5, 11, 2, c);
  dropout_mask(mmd::cpu{}, 0.3, 5, 11, 2, b);
  CHECK(a == c);
  for (mmd::index_t i = 0; i < 3; ++i) CHECK(std::ranges::equal(a.row(i), b.row(i)));
  mmd::random_stream random(5, mmd::purpose::dropout, 11, std::uint64_t{2} << 32 | 1);
  const auto limit = static_cast<std::uint32_t>(0.3 * 4294967296.0);
  for (mmd::index_t k = 0; k < width; ++k) CHECK(a(1, k) == (random.next32() < limit ? 0.0f : static_cast<float>(1 / 0.7)));
  for (const auto& [seed, step, layer] : {std::tuple(6u, 11u, 2), std::tuple(5u, 12u, 2), std::tuple(5u, 11u, 1)}) {
    dropout_mask(mmd::cpu{}, 0.3, seed, step, layer, c);
    CHECK(a != c);
  }
}

TEST_CASE("dropout drops the share it says and keeps the mean", "[layers]") {
  mmd::matrix<double> mask(400, 250);
  dropout_mask(mmd::cpu{}, 0.3, 1, 0, 0, mask);
  double dropped = 0, sum = 0;
  for (const double v : mask.values()) {
    dropped += v == 0;
    sum += v;
  }
  const double n = 1e5, sd = std::sqrt(0.3 * 0.7 / n);
  CHECK(std::abs(dropped / n - 0.3) < 4.5 * sd);
  CHECK(std::abs(sum / n - 1) < 4.5 * sd / 0.7);
}

TEST_CASE("the layers give the same bits on any number of threads", "[layers]") {
  const auto x = normal<float>(203, 67, 1), w = normal<float>(41, 67, 2), grad = normal<float>(203, 41, 3);
  const auto b = normal_vector<float>(41, 4), gain = normal_vector<float>(41, 5), shift = normal_vector<float>(41, 6);
  const auto run = [&](int threads) {
    const mmd::cpu on{.threads = threads};
    mmd::matrix<float> z, out, g = grad, grad_x, partials;
    mmd::GeluNormTape<float> tape;
    std::vector<float> gw(41 * 67), gb(41), gg(41), gs(41);
    mmd::linear_forward(on, mmd::samples<float>(x), mmd::samples<float>(w), std::span<const float>(b), z);
    mmd::gelu_norm_forward(on, z, std::span<const float>(gain), std::span<const float>(shift), 1e-5, tape, out);
    mmd::gelu_norm_backward(on, tape, std::span<const float>(gain), g, std::span(gg), std::span(gs));
    mmd::linear_backward(on, mmd::samples<float>(x), mmd::samples<float>(w), g, std::span(gw), std::span(gb), partials, &grad_x);
    return std::tuple(out, g, grad_x, gw, gb, gg, gs);
  };
  const auto one = run(1);
  CHECK(run(2) == one);
  CHECK(run(7) == one);
}

TEST_CASE("layers name what does not fit", "[layers]") {
  const auto x = normal<double>(2, 3, 1), w = normal<double>(2, 4, 2);
  mmd::matrix<double> y;
  const auto message = message_of<mmd::invalid_input>(
      [&] { mmd::linear_forward(mmd::cpu{}, mmd::samples<double>(x), mmd::samples<double>(w), std::span<const double>(), y); });
  CHECK(mentions(message, "x.cols() = 3"));
  CHECK(mentions(message, "as many columns as the weight has"));
}
