// SPDX-License-Identifier: MIT
// The deep kernel's objective and its gradient on the device against the authors' code, with everything in the device's memory.
#include <string>
#include <type_traits>

#include "golden.hpp"
#include "gradient.cuh"
#include "mmd/estimators/deep_objective.hpp"
#include "support/catch2.hpp"
#include "support/failures.hpp"

using gradients::off;
using mmd::device;
using mmd::samples;

TEST_CASE("objective and gradient of samples on the device agree with the authors' code") {
  const mmd::cuda gpu;
  const std::string size = GENERATE("n5", "n37", "n128"), name = GENERATE("mpp", "mmd");
  const auto g = golden::read_objective(size, name);
  const mmd::ObjectiveOptions options{.statistic = name == "mpp" ? mmd::proxy::multi_population : mmd::proxy::full,
                                      .form = mmd::pairing::paired};
  const auto features = gpu.upload(g.features), raw = gpu.upload(g.raw);
  const auto got = mmd::deep_objective(gpu, samples<device<double>>(features), samples<device<double>>(raw), g.n, g.parameters, options);
  static_assert(std::is_same_v<decltype(got.grad_features), mmd::DeviceMatrix<double>>);
  CHECK(std::abs(got.statistic - g.statistic) < 1e-12);
  CHECK(std::abs(got.variance - g.variance) < 1e-12);
  CHECK(got.objective == Approx(g.value).epsilon(1e-10));
  CHECK(got.grad_epsilon == Approx(g.by_epsilon).epsilon(1e-10));
  CHECK(got.grad_sigma_phi == Approx(g.by_sigma_phi).epsilon(1e-10));
  CHECK(got.grad_sigma_q == Approx(g.by_sigma_q).epsilon(1e-10));
  CHECK(off(gpu.download(got.grad_features), g.by_features) < 1e-10);
  CHECK(off(gpu.download(got.grad_raw), g.by_raw) < 1e-10);

  const auto on_host = mmd::deep_objective(gpu, samples<double>(g.features), samples<double>(g.raw), g.n, g.parameters, options);
  static_assert(std::is_same_v<decltype(on_host.grad_features), mmd::matrix<double>>);
  CHECK(on_host.grad_features == gpu.download(got.grad_features));
  CHECK(on_host.grad_raw == gpu.download(got.grad_raw));
  const auto data =
      mmd::deep_objective(gpu, samples<device<double>>(features), samples<device<double>>(raw), g.n, g.parameters, options, {.raw = false});
  CHECK(data.grad_raw.rows() == 0);
  CHECK(gpu.download(data.grad_features) == on_host.grad_features);
}

TEST_CASE("features on the device that are not finite are named by the objective") {
  const mmd::cuda gpu;
  auto x = gradients::normal_rows<float>(9, 3, 1), q = gradients::normal_rows<float>(9, 2, 2);
  x(6, 1) = std::numeric_limits<float>::infinity();
  const auto features = gpu.upload(x), raw = gpu.upload(q);
  const auto said = [&](bool use_q) {
    return message([&] {
      mmd::deep_objective(gpu, samples<device<float>>(features), samples<device<float>>(raw), 4, {.epsilon = 0.1, .use_q = use_q});
    });
  };
  CHECK(mentions(said(false), "(2, 1) = inf, expected a finite number"));  // the third row of the second group
  CHECK(mentions(said(true), "(6, 1) = inf, expected a finite number"));
}
