// SPDX-License-Identifier: MIT
// The paper's network behind its transformer, made of the library's layers: per token Linear, GELU and LayerNorm, then one Linear over all
// tokens of a text; both objectives in the paper's paired form with q, and their gradients, against the authors' own code.
#include "mmd/backends/cpu.hpp"
#include "mmd/estimators/deep_objective.hpp"
#include "mmd/io/safetensors.hpp"
#include "mmd/learning/layers.hpp"
#include "support/catch2.hpp"
#include "support/learning.hpp"

TEST_CASE("token perceptron, output, objectives and gradients of the paper's network", "[golden]") {
  using support::distance;
  using view = mmd::samples<double>;
  constexpr mmd::index_t texts = 18, tokens = 7, hidden = 16, width = 12, outputs = 5;
  const auto golden = mmd::safetensors::read(MMD_TEST_DATA "/golden/official/network_small.safetensors");
  const auto start = mmd::safetensors::read(MMD_TEST_DATA "/golden/network_small_start.safetensors");
  const std::string objective = GENERATE("mpp", "mmd");
  const auto get = [&](const std::string& name) { return golden.get<double>(name); };
  const auto w0 = start.get_matrix<double>("mlp.0.weight"), w1 = start.get_matrix<double>("feature.weight");
  const auto b0 = start.get<double>("mlp.0.bias"), gain = start.get<double>("mlp.2.weight"), shift = start.get<double>("mlp.2.bias"),
             b1 = start.get<double>("feature.bias");
  const auto encoded = get("after_transformer"), input = get("input");
  const view in(std::span<const double>(encoded), texts * tokens, hidden), raw(std::span<const double>(input), texts, tokens * hidden);

  const mmd::cpu on;
  mmd::matrix<double> z, normed, out;
  mmd::GeluNormTape<double> tape;
  mmd::linear_forward(on, in, view(w0), std::span<const double>(b0), z);
  mmd::gelu_norm_forward(on, z, std::span<const double>(gain), std::span<const double>(shift), 1e-12, tape, normed);
  const view flat(normed.data(), texts, tokens * width, tokens * width, 1);
  mmd::linear_forward(on, flat, view(w1), std::span<const double>(b1), out);
  CHECK(distance(normed.values(), get("after_token_mlp")) < 1e-10);
  CHECK(distance(out.values(), get("output")) < 1e-10);
  REQUIRE(out.cols() == outputs);

  const auto number = [&](const std::string& name) { return golden.get_number<double>(name); };
  const mmd::DeepKernelParameters kernel{number("epsilon"), number("sigma_phi"), number("sigma_q"), true};
  const auto j = mmd::deep_objective(
      on, view(out), raw, texts / 2, kernel,
      {.statistic = objective == "mpp" ? mmd::proxy::multi_population : mmd::proxy::full, .form = mmd::pairing::paired});
  CHECK(j.objective == Approx(number(objective + ".objective")).epsilon(1e-10));
  CHECK(j.statistic == Approx(number(objective + ".unbiased_paired")).epsilon(1e-10));
  CHECK(j.variance == Approx(number(objective + ".variance")).epsilon(1e-10));

  std::vector<double> grad_w1(static_cast<std::size_t>(w1.size())), grad_b1(outputs), grad_w0(static_cast<std::size_t>(w0.size())),
      grad_b0(width), grad_gain(width), grad_shift(width);
  mmd::matrix<double> grad_flat, partials;
  mmd::linear_backward(on, flat, view(w1), j.grad_features, std::span(grad_w1), std::span(grad_b1), partials, &grad_flat);
  mmd::matrix<double> grad(texts * tokens, width, grad_flat.values());
  mmd::gelu_norm_backward(on, tape, std::span<const double>(gain), grad, std::span(grad_gain), std::span(grad_shift));
  mmd::linear_backward(on, in, view(w0), grad, std::span(grad_w0), std::span(grad_b0), partials,
                       static_cast<mmd::matrix<double>*>(nullptr));

  const std::string prefix = objective + ".grad.";
  const double zero = 1e-3;  // the gradients of feature.bias and mlp.2.bias are zero: compared absolutely
  CHECK(distance(grad_w0, get(prefix + "mlp.0.weight")) < 1e-9);
  CHECK(distance(grad_b0, get(prefix + "mlp.0.bias")) < 1e-9);
  CHECK(distance(grad_gain, get(prefix + "mlp.2.weight")) < 1e-9);
  CHECK(distance(grad_shift, get(prefix + "mlp.2.bias"), zero) < 1e-9);
  CHECK(distance(grad_w1, get(prefix + "feature.weight")) < 1e-9);
  CHECK(distance(grad_b1, get(prefix + "feature.bias"), zero) < 1e-9);
  CHECK(j.grad_epsilon == Approx(number(prefix + "epsilon")).epsilon(1e-9));
  CHECK(j.grad_sigma_phi == Approx(number(prefix + "sigma_phi")).epsilon(1e-9));
  CHECK(j.grad_sigma_q == Approx(number(prefix + "sigma_q")).epsilon(1e-9));
}
