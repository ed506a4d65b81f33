// SPDX-License-Identifier: MIT
#include "mmd/learning/perceptron.hpp"

#include "mmd/backends/cpu.hpp"
#include "support/catch2.hpp"
#include "support/failures.hpp"
#include "support/learning.hpp"

namespace {

using support::distance;
using support::normal;
using support::to_rows;

// The network by the oracle's layers, for parameters in the library's order; masks[0] on the input, masks[l] behind hidden layer l.
oracle::rows forward(const oracle::rows& x, const std::vector<mmd::ParameterPart>& parts, const std::vector<double>& parameters,
                     const std::vector<oracle::rows>& masks = {}) {
  const auto vector = [&](std::size_t i) {
    const auto from = parameters.begin() + parts[i].offset;
    return std::vector<double>(from, from + parts[i].rows * parts[i].cols);
  };
  const auto masked = [&](oracle::rows z, std::size_t layer) {
    if (layer < masks.size() && !masks[layer].empty()) {
      for (std::size_t i = 0; i < z.size(); ++i) {
        for (std::size_t k = 0; k < z[i].size(); ++k) z[i][k] *= masks[layer][i][k];
      }
    }
    return z;
  };
  oracle::rows z = masked(x, 0);
  for (std::size_t p = 0; p < parts.size(); p += 4) {
    oracle::rows weight;
    for (mmd::index_t r = 0; r < parts[p].rows; ++r) {
      const auto from = parameters.begin() + parts[p].offset + r * parts[p].cols;
      weight.emplace_back(from, from + parts[p].cols);
    }
    z = oracle::linear(z, weight, vector(p + 1));
    if (p + 2 < parts.size()) z = masked(oracle::gelu_norm(z, vector(p + 2), vector(p + 3), 1e-5), p / 4 + 1);
  }
  return z;
}
template <class T>
mmd::Perceptron<T> random_network(std::vector<mmd::index_t> sizes) {
  mmd::Perceptron<T> network(std::move(sizes), 1);
  network.set_parameters(support::normal_vector<T>(network.parameters().size(), 2, 0.5));
  return network;
}

}  // namespace

TEMPLATE_TEST_CASE("a perceptron agrees with plain loops", "[perceptron]", float, double) {
  using T = TestType;
  const std::vector<mmd::index_t> sizes = GENERATE(std::vector<mmd::index_t>{3, 2}, std::vector<mmd::index_t>{5, 4, 3},
                                                   std::vector<mmd::index_t>{13, 7, 9, 2}, std::vector<mmd::index_t>{1, 2, 1});
  const mmd::index_t rows = GENERATE(1, 33, 600);
  const auto network = random_network<T>(sizes);
  const auto x = normal<T>(rows, sizes.front(), 3);
  const auto parameters = std::vector<double>(network.parameters().begin(), network.parameters().end());
  const auto expected = forward(to_rows(x), network.parts(), parameters);
  const double limit = sizeof(T) == 4 ? 2e-5 : 1e-12;
  CHECK(distance(network(mmd::cpu{}, mmd::samples<T>(x)), expected) < limit);
  typename mmd::Perceptron<T>::Tape tape;
  CHECK(distance(network.forward(mmd::cpu{}, mmd::samples<T>(x), tape), expected) < limit);
}

TEST_CASE("a perceptron reads strided samples", "[perceptron]") {
  const auto network = random_network<double>({4, 3, 2});
  const auto x = normal<double>(6, 4, 1);
  mmd::matrix<double> transposed(4, 6);
  for (mmd::index_t i = 0; i < 6; ++i) {
    for (mmd::index_t k = 0; k < 4; ++k) transposed(k, i) = x(i, k);
  }
  const mmd::samples<double> strided(transposed.data(), 6, 4, 1, 6);
  CHECK(network(mmd::cpu{}, strided) == network(mmd::cpu{}, x));
}

TEST_CASE("a row's output does not depend on the rows beside it", "[perceptron]") {
  const auto network = random_network<float>({33, 21, 9});
  const auto x = normal<float>(700, 33, 1);
  const auto all = network(mmd::cpu{}, mmd::samples<float>(x));
  for (const mmd::index_t i : {0, 5, 511, 512, 699}) {
    const auto alone = network(mmd::cpu{}, mmd::samples<float>(x).middle_rows(i, 1));
    CHECK(std::ranges::equal(alone.row(0), all.row(i)));
  }
}

TEST_CASE("a perceptron's derivatives are those of differences, with and without dropout", "[perceptron]") {
  const auto sizes = GENERATE(std::vector<mmd::index_t>{4, 3}, std::vector<mmd::index_t>{4, 5, 3}, std::vector<mmd::index_t>{4, 5, 6, 3});
  const mmd::Dropout dropout{GENERATE(0.0, 0.3), GENERATE(0.0, 0.2), 7, 3};
  const mmd::cpu on;
  const auto network = random_network<double>(sizes);
  const auto x = normal<double>(6, 4, 3), grad = normal<double>(6, 3, 4);

  std::vector<oracle::rows> masks(sizes.size() - 1);
  for (std::size_t l = 0; l + 1 < sizes.size(); ++l) {
    const double p = l == 0 ? dropout.input : dropout.hidden;
    if (p == 0) continue;
    mmd::matrix<double> mask(6, sizes[l], std::vector<double>(static_cast<std::size_t>(6 * sizes[l]), 1));
    mmd::apply_dropout(on, p, dropout.seed, dropout.step, static_cast<int>(l), mmd::samples<double>(mask), mask);
    masks[l] = to_rows(mask);
  }
  std::vector<double> parameters(network.parameters().begin(), network.parameters().end());
  auto ox = to_rows(x);
  const auto weights = to_rows(grad);
  mmd::Perceptron<double>::Tape tape;
  CHECK(distance(network.forward(on, mmd::samples<double>(x), tape, dropout), forward(ox, network.parts(), parameters, masks)) < 1e-12);

  std::vector<double> gradient(parameters.size());
  mmd::matrix<double> grad_x;
  network.backward(on, tape, mmd::samples<double>(grad), std::span(gradient), &grad_x);
  const auto f = [&] {
    const auto out = forward(ox, network.parts(), parameters, masks);
    double sum = 0;
    for (std::size_t i = 0; i < out.size(); ++i) {
      for (std::size_t k = 0; k < out[i].size(); ++k) sum += weights[i][k] * out[i][k];
    }
    return sum;
  };
  std::vector<double> expected, expected_x;
  for (double& p : parameters) expected.push_back(oracle::derivative(f, p));
  for (auto& row : ox) {
    for (double& v : row) expected_x.push_back(oracle::derivative(f, v));
  }
  CHECK(distance(gradient, expected) < 1e-7);
  CHECK(distance(grad_x.values(), expected_x) < 1e-7);
}

TEST_CASE("a tape can be used again for batches of any size and dropout", "[perceptron]") {
  const mmd::cpu on;
  const auto network = random_network<double>({5, 4, 3});
  const auto large = normal<double>(40, 5, 1), small = normal<double>(3, 5, 2), grad = normal<double>(3, 3, 3);
  mmd::Perceptron<double>::Tape used, fresh;
  network.forward(on, mmd::samples<double>(large), used, {.input = 0.4, .hidden = 0.4});
  std::vector<double> a(network.parameters().size()), b(a.size(), 9);
  mmd::matrix<double> grad_a, grad_b;
  network.forward(on, mmd::samples<double>(small), used);
  network.backward(on, used, mmd::samples<double>(grad), std::span(a), &grad_a);
  network.forward(on, mmd::samples<double>(small), fresh);
  network.backward(on, fresh, mmd::samples<double>(grad), std::span(b), &grad_b);
  CHECK(a == b);
  CHECK(grad_a == grad_b);
}

TEST_CASE("initial weights are uniform between -1 and 1 over the root of the inputs", "[perceptron]") {
  const mmd::Perceptron<double> network({100, 80, 60}, 4);
  const auto& parts = network.parts();
  REQUIRE(parts.size() == 6);
  const char* names[] = {"weight0", "bias0", "gain0", "shift0", "weight1", "bias1"};
  for (std::size_t p = 0; p < 6; ++p) CHECK(parts[p].name == names[p]);
  const auto values = [&](std::size_t p) {
    return network.parameters().subspan(static_cast<std::size_t>(parts[p].offset), static_cast<std::size_t>(parts[p].rows * parts[p].cols));
  };
  for (const std::size_t p : {0u, 4u}) {
    const double bound = 1 / std::sqrt(static_cast<double>(parts[p].cols)), n = static_cast<double>(values(p).size());
    double sum = 0, squares = 0;
    for (const double w : values(p)) {
      CHECK(std::abs(w) <= bound);
      sum += w;
      squares += w * w;
    }
    CHECK(std::abs(sum / n) < 4.5 * bound / std::sqrt(3 * n));
    CHECK(squares / n == Approx(bound * bound / 3).epsilon(0.05));
  }
  for (const double b : values(1)) CHECK(std::abs(b) <= 0.1);
  for (const double g : values(2)) CHECK(g == 1);
  for (const double s : values(3)) CHECK(s == 0);
  CHECK(network == mmd::Perceptron<double>({100, 80, 60}, 4));
  CHECK_FALSE(network == mmd::Perceptron<double>({100, 80, 60}, 5));
}

TEST_CASE("a perceptron names what it cannot use", "[perceptron]") {
  const mmd::cpu on;
  const auto message = [](auto&& f) { return message_of<mmd::invalid_input>(f); };
  CHECK(mentions(message([] { mmd::Perceptron<float>({3}); }), "sizes.size() = 1, expected at least 2"));
  CHECK(mentions(message([] { mmd::Perceptron<float>({3, 0, 2}); }), "sizes = 0, expected widths from 1"));
  CHECK(mentions(message([] { mmd::Perceptron<float>({3, 2}, 0, -1); }), "norm_epsilon = -1, expected a finite number above 0"));
  mmd::Perceptron<float> network({3, 4, 2});
  const auto x = normal<float>(2, 5, 1);
  CHECK(mentions(message([&] { network(on, mmd::samples<float>(x)); }), "x.cols() = 5, expected 3, the network's inputs"));
  CHECK(mentions(message([&] { mmd::Perceptron<float>()(on, mmd::samples<float>(x)); }), "network = empty"));
  mmd::Perceptron<float>::Tape tape;
  const auto right = normal<float>(2, 3, 1);
  CHECK(mentions(message([&] { network.forward(on, mmd::samples<float>(right), tape, {.input = 1}); }),
                 "dropout = 1, expected a probability"));
  std::vector<float> values(network.parameters().begin(), network.parameters().end());
  values[13] = std::numeric_limits<float>::quiet_NaN();
  CHECK(mentions(message([&] { network.set_parameters(values); }), "bias0[1] = nan, expected a finite number"));
  values.pop_back();
  CHECK(mentions(message([&] { network.set_parameters(values); }), "parameters.size() = 33, expected 34"));
  network.forward(on, mmd::samples<float>(right), tape);
  std::vector<float> gradient(34);
  const auto grad = normal<float>(3, 2, 1);
  CHECK(mentions(message([&] { network.backward(on, tape, mmd::samples<float>(grad), std::span(gradient)); }), "grad_output.rows() = 3"));
}
