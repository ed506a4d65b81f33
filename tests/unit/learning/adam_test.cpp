// SPDX-License-Identifier: MIT
#include "mmd/learning/adam.hpp"

#include "mmd/backends/cpu.hpp"
#include "support/catch2.hpp"
#include "support/failures.hpp"
#include "support/learning.hpp"

TEST_CASE("Adam takes the steps of its definition", "[adam]") {
  const auto start = support::normal_vector<double>(7, 1);
  const auto gradients = support::to_rows(support::normal<double>(20, 7, 2));
  const auto expected = oracle::adam(start, gradients, 0.01);
  auto p = start;
  mmd::Adam<double> adam({.learning_rate = 0.01});
  for (std::size_t t = 0; t < gradients.size(); ++t) {
    adam.step(p, gradients[t]);
    CHECK(support::distance(p, expected[t]) < 1e-14);
  }
  CHECK(adam.steps() == 20);
}

TEST_CASE("Adam's steps have the same bits on any number of threads and wherever a parameter stands", "[adam]") {
  const auto start = support::normal_vector<float>(20011, 1), gradient = support::normal_vector<float>(20011, 2);
  const auto run = [&](int threads, std::size_t first) {
    std::vector<float> p(start.begin() + static_cast<std::ptrdiff_t>(first), start.end());
    mmd::Adam<float> adam;
    for (int t = 0; t < 3; ++t) adam.step(mmd::cpu{.threads = threads}, p, std::span(gradient).subspan(first));
    return p;
  };
  const auto one = run(1, 0);
  CHECK(run(2, 0) == one);
  CHECK(run(7, 0) == one);
  CHECK(run(1, 5) == std::vector<float>(one.begin() + 5, one.end()));
}

TEST_CASE("Adam ascends when asked to: as descent along the opposite gradient", "[adam]") {
  std::vector<double> up{1, -2}, down = up;
  mmd::Adam<double> ascent({.ascend = true}), descent;
  for (const double g : {0.5, -3.0, 0.1}) {
    ascent.step(up, std::vector<double>{g, -g});
    descent.step(down, std::vector<double>{-g, g});
    CHECK(up == down);
  }
  CHECK(up[0] != 1);
}

TEST_CASE("Adam names what it cannot use", "[adam]") {
  const auto message = [](auto&& f) { return message_of<mmd::invalid_input>(f); };
  CHECK(mentions(message([] { mmd::Adam<float>({.learning_rate = 0}); }), "learning_rate = 0, expected a finite number above 0"));
  CHECK(mentions(message([] { mmd::Adam<float>({.beta1 = 1}); }), "beta1 = 1, expected 0 <= beta1 < 1"));
  CHECK(mentions(message([] { mmd::Adam<float>({.beta2 = -0.5}); }), "beta2 = -0.5"));
  CHECK(mentions(message([] { mmd::Adam<float>({.epsilon = 0}); }), "epsilon = 0"));
  std::vector<double> p{1, 2}, longer{1, 2, 3};
  mmd::Adam<double> adam;
  CHECK(mentions(message([&] { adam.step(p, longer); }), "gradient.size() = 3"));
  adam.step(p, p);
  CHECK(mentions(message([&] { adam.step(longer, longer); }), "parameters.size() = 3, expected as many as in the first step"));
}
