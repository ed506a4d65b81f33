// SPDX-License-Identifier: MIT
// The perceptron with the unpaired objective, its gradients and three steps of Adam against PyTorch in double (golden/make_perceptron.py).
#include <array>

#include "mmd/backends/cpu.hpp"
#include "mmd/estimators/deep_objective.hpp"
#include "mmd/io/safetensors.hpp"
#include "mmd/learning/adam.hpp"
#include "mmd/learning/perceptron.hpp"
#include "support/catch2.hpp"
#include "support/learning.hpp"

namespace {

using support::distance;

constexpr std::array parameter_names{"linear_1.weight", "linear_1.bias", "norm.weight", "norm.bias", "linear_2.weight", "linear_2.bias"};

struct Case {
  const mmd::safetensors& file;
  std::string name;
  std::vector<double> get(const std::string& what) const { return file.get<double>(name + "." + what); }
  double number(const std::string& what) const { return get(what).at(0); }
};

// The network's parameters of that prefix as one vector, in the library's order.
std::vector<double> parameters_of(const mmd::safetensors& file, const std::string& prefix) {
  std::vector<double> all;
  for (const char* name : parameter_names) {
    const auto part = file.get<double>(prefix + name);
    all.insert(all.end(), part.begin(), part.end());
  }
  return all;
}

}  // namespace

TEST_CASE("perceptron, objective, gradients and Adam agree with PyTorch", "[golden]") {
  static const auto file = mmd::safetensors::read(MMD_TEST_DATA "/golden/perceptron.safetensors");
  const std::string rows = GENERATE("unequal", "equal"), masking = GENERATE("dense", "masked"), objective = GENERATE("mpp", "mmd"),
                    form = GENERATE("deep", "raw");
  const Case golden{file, rows + "." + masking + "." + objective + "." + form};
  CAPTURE(golden.name);
  const bool raw = form == "raw", masked = masking == "masked";
  const mmd::index_t n = rows == "unequal" ? 17 : 13, m = 13;

  mmd::matrix<double> z(n + m, 12), in(n + m, 12);
  for (const auto& [sample, mask, first, count] : {std::tuple("x", "mask_x", mmd::index_t{0}, n), std::tuple("y", "mask_y", n, m)}) {
    const auto values = file.get_matrix<double>(sample), kept = file.get_matrix<double>(mask);
    for (mmd::index_t i = 0; i < count; ++i) {
      for (mmd::index_t k = 0; k < 12; ++k) {
        z(first + i, k) = values(i, k);
        in(first + i, k) = values(i, k) * (masked ? kept(i, k) : 1);
      }
    }
  }
  mmd::Perceptron<double> network({12, 10, 6});
  network.set_parameters(parameters_of(file, "start."));
  std::array<double, 3> own{};  // logit epsilon, log sigma_phi, log sigma_q
  for (std::size_t i = 0; i < 3; ++i) {
    own[i] = file.get_number<double>(std::array{"start.logit_epsilon", "start.log_sigma_phi", "start.log_sigma_q"}[i]);
  }
  const mmd::cpu on;
  const mmd::ObjectiveOptions options{.statistic = objective == "mpp" ? mmd::proxy::multi_population : mmd::proxy::full};
  mmd::Adam<double> adam({.learning_rate = 1e-3, .ascend = true}), own_adam({.learning_rate = 1e-3, .ascend = true});
  mmd::Perceptron<double>::Tape tape;
  std::vector<double> gradient(network.parameters().size());
  const auto trajectory = golden.get("adam.objective");
  for (std::size_t step = 0;; ++step) {
    const auto& features = network.forward(on, mmd::samples<double>(in), tape);
    const double e = 1 / (1 + std::exp(-own[0])), s_phi = std::exp(own[1]), s_q = std::exp(own[2]);
    const auto j = mmd::deep_objective(on, mmd::samples<double>(features), mmd::samples<double>(z), n, {e, s_phi, s_q, raw}, options);
    CHECK(j.objective == Approx(trajectory.at(step)).epsilon(1e-9));
    if (step == 3) break;
    network.backward(on, tape, mmd::samples<double>(j.grad_features), std::span(gradient));
    const std::array<double, 3> slopes{j.grad_epsilon * e * (1 - e), j.grad_sigma_phi * s_phi, raw ? j.grad_sigma_q * s_q : 0};
    if (step == 0) {
      const mmd::samples<double> out(features), grad(j.grad_features);
      CHECK(distance(support::to_matrix(support::to_rows(out.middle_rows(0, n))).values(), golden.get("output_x")) < 1e-13);
      CHECK(distance(support::to_matrix(support::to_rows(out.middle_rows(n, m))).values(), golden.get("output_y")) < 1e-13);
      CHECK(distance(support::to_matrix(support::to_rows(grad.middle_rows(0, n))).values(), golden.get("grad.output_x")) < 1e-11);
      CHECK(distance(support::to_matrix(support::to_rows(grad.middle_rows(n, m))).values(), golden.get("grad.output_y")) < 1e-11);
      CHECK(j.statistic == Approx(golden.number("statistic")).epsilon(1e-11));
      CHECK(j.variance == Approx(golden.number("variance")).epsilon(1e-11));
      // Without q, MMD-D does not depend on epsilon but through lambda: what is left of its terms, of size 1, is compared absolutely.
      CHECK(j.grad_epsilon == Approx(golden.number("grad.epsilon")).epsilon(1e-10).margin(1e-13));
      CHECK(j.grad_sigma_phi == Approx(golden.number("grad.sigma_phi")).epsilon(1e-10));
      CHECK(slopes[0] == Approx(golden.number("grad.logit_epsilon")).epsilon(1e-10).margin(1e-14));
      CHECK(slopes[1] == Approx(golden.number("grad.log_sigma_phi")).epsilon(1e-10));
      if (raw) {
        CHECK(j.grad_sigma_q == Approx(golden.number("grad.sigma_q")).epsilon(1e-10));
        CHECK(slopes[2] == Approx(golden.number("grad.log_sigma_q")).epsilon(1e-10));
      }
      for (std::size_t p = 0; p < parameter_names.size(); ++p) {
        const auto& part = network.parts()[p];
        CAPTURE(part.name);
        const auto values =
            std::span(gradient).subspan(static_cast<std::size_t>(part.offset), static_cast<std::size_t>(part.rows * part.cols));
        CHECK(distance(values, golden.get(std::string("grad.") + parameter_names[p]), 1e-2) < 1e-11);  // two of them are zero
      }
    }
    adam.step(network.parameters(), gradient);
    own_adam.step(own, slopes);
  }
  const auto end = parameters_of(file, golden.name + ".adam.");
  for (std::size_t p = 0; p < parameter_names.size(); ++p) {
    // Adam divides a gradient by its own size: where that is zero but for rounding, steps are noise.
    if (parameter_names[p] == std::string("norm.bias") || parameter_names[p] == std::string("linear_2.bias")) continue;
    const auto& part = network.parts()[p];
    const auto at = static_cast<std::size_t>(part.offset), size = static_cast<std::size_t>(part.rows * part.cols);
    CHECK(distance(network.parameters().subspan(at, size), std::span(end).subspan(at, size)) < 1e-9);
  }
  CHECK(own[0] == Approx(golden.number("adam.logit_epsilon")).epsilon(1e-10));
  CHECK(own[1] == Approx(golden.number("adam.log_sigma_phi")).epsilon(1e-10));
  if (raw) CHECK(own[2] == Approx(golden.number("adam.log_sigma_q")).epsilon(1e-10));
}
