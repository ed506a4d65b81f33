// SPDX-License-Identifier: MIT
// The weighted gradient on the device against its definition: every quantity, several spaces, sizes that do not fit the tiles.
#include <string>
#include <vector>

#include "gradient.cuh"
#include "support/catch2.hpp"
#include "support/failures.hpp"

using namespace gradients;
using mmd::cuda;
using mmd::CudaOptions;

namespace {

const cuda& gpu() {
  static const cuda on;
  return on;
}

template <class Example, class T>
auto on_host(const cuda& on, const problem<T>& p, const mmd::pair_weights& w, mmd::gradient_of wanted = {}) {
  return on.gradient(Example::kernel(samples<T>(p.features)), p.pool(), w, wanted);
}
// The same with all samples on the device.
template <class Example, class T>
auto on_device(const cuda& on, const problem<T>& p, const mmd::pair_weights& w) {
  std::vector<mmd::DeviceMatrix<T>> groups;
  mmd::pooled<mmd::device<T>> z;
  for (const auto& g : p.groups) groups.push_back(on.upload(g));
  for (const auto& g : groups) z.groups.push_back(samples<mmd::device<T>>(g));
  const auto features = on.upload(p.features);
  return fetched(on, on.gradient(Example::kernel(samples<mmd::device<T>>(features)), z, w));
}

template <class Example, class T>
void check(const std::vector<sizes>& shapes) {
  for (const sizes& s : shapes) {
    const problem<T> p(s);
    const bool paired = s.rows.size() >= 2 && s.rows[0] == s.rows[1];
    for (const bool diagonal : {true, false}) {
      const auto w = random_weights(s.rows, diagonal, paired);
      const auto found = on_host<Example>(gpu(), p, w);
      INFO(Example::name << ": " << shown(s) << (diagonal ? ", diagonal" : ""));
      CHECK(off(found, expected<Example>(p, w)) <= allowed<T>);
      if (diagonal) CHECK(same_bits(on_device<Example>(gpu(), p, w), found));
    }
  }
}
const std::vector<sizes> odd_sizes{{{1, 1}, 1},      {{2, 3}, 1}, {{9, 14}, 3},     {{127, 129}, 2},
                                   {{128, 128}, 33}, {{257}, 5},  {{20, 3, 130}, 9}};
const std::vector<sizes> few_sizes{{{2, 3}, 1}, {{130, 130}, 7}};

}  // namespace

TEMPLATE_TEST_CASE("gradients by the features agree with the definition", "", float, double) {
  check<of_gaussian, TestType>(odd_sizes);
  check<of_laplace, TestType>(odd_sizes);
  check<of_cube, TestType>(odd_sizes);
}
TEMPLATE_TEST_CASE("gradients of expressions, by all spaces, scales and constants, agree with the definition", "", float, double) {
  check<of_both_distances, TestType>(few_sizes);
  check<of_deep, TestType>(few_sizes);
  check<of_all, TestType>(few_sizes);
}

TEST_CASE("a gradient does not depend on the order in which the device works") {
  const problem<float> p({{150, 140}, 5});
  const auto w = random_weights(p.shape.rows, true, false);
  const auto first = on_host<of_all>(gpu(), p, w);
  for (int run = 0; run < 2; ++run) CHECK(same_bits(on_host<of_all>(gpu(), p, w), first));
  CHECK(same_bits(on_host<of_all>(cuda(), p, w), first));
}

TEST_CASE("only the gradients that are wanted are made") {
  const problem<double> p({{40, 30}, 6});
  const auto w = random_weights(p.shape.rows, false, false);
  const auto all = on_host<of_deep>(gpu(), p, w), mapped = on_host<of_deep>(gpu(), p, w, {.raw = false}),
             raw = on_host<of_deep>(gpu(), p, w, {.mapped = false});
  CHECK(mapped.features[0] == all.features[0]);
  CHECK(mapped.features[1].rows() == 0);
  CHECK(raw.features[0].rows() == 0);
  CHECK(raw.features[1] == all.features[1]);
  CHECK(mapped.scales == all.scales);
  CHECK(raw.constants == all.constants);
}

TEST_CASE("zero weights and skipped pairs of groups leave the rest as it is") {
  const problem<double> p({{140, 130}, 4});
  auto w = random_weights(p.shape.rows, false, false);
  w.ww[3] = w.wp[3] = 0;
  const auto zero = on_host<of_gaussian>(gpu(), p, w);
  CHECK(off(zero, expected<of_gaussian>(p, w)) <= allowed<double>);
  w.ww[3] = 1;
  auto z = p.pool();
  z.skip = {{1, 1}};
  CHECK(same_bits(gpu().gradient(mmd::gaussian(3), z, w), zero));

  w.ww = w.wp = {0, 0, 0, 0};
  const auto nothing = on_host<of_gaussian>(gpu(), p, w);
  CHECK(nothing.features[0] == matrix<double>(270, 4));
  CHECK(nothing.scales == std::vector<double>{0});
}

TEST_CASE("weights of a pair do not reach the padding of a panel") {  // the first panel of y begins where x's padding would
  const problem<double> p({{5, 5}, 2});
  auto w = random_weights(p.shape.rows, false, true);
  w.ww = w.wp = {0, 0, 0, 0};
  CHECK(off(on_host<of_gaussian>(gpu(), p, w), expected<of_gaussian>(p, w)) <= allowed<double>);
}

TEST_CASE("products by cuBLAS give the same gradient") {
  const cuda library({.product = mmd::product_by::library});
  const problem<float> p({{130, 60}, 12}, 1, 30);
  const auto w = random_weights(p.shape.rows, true, false);
  CHECK(off(on_host<of_gaussian>(library, p, w), expected<of_gaussian>(p, w)) <= allowed<float>);
  const problem<double> q({{130, 60}, 5});
  CHECK(off(on_host<of_all>(library, q, w), expected<of_all>(q, w)) <= allowed<double>);
  CHECK(off(on_host<of_gaussian>(library, q, w), expected<of_gaussian>(q, w)) <= allowed<double>);
}

TEST_CASE("a gradient in tf32 or bf16 is as exact as these") {
  const problem<float> p({{100, 60}, 40});
  const auto w = random_weights(p.shape.rows, false, false);
  const auto exact = expected<of_gaussian>(p, w);
  for (const auto product : {mmd::product_by::fused, mmd::product_by::library}) {
    const double tf32 = off(on_host<of_gaussian>(cuda({.precision = mmd::precision::tf32, .product = product}), p, w), exact),
                 bf16 = off(on_host<of_gaussian>(cuda({.precision = mmd::precision::bf16, .product = product}), p, w), exact);
    CHECK(tf32 < 0x1p-10);
    CHECK(tf32 > 1e-5);  // it is what was asked for
    CHECK(bf16 < 0x1p-6);
  }
}

TEST_CASE("float samples of any magnitude have the gradient that doubles have") {
  for (const double scale : {1e-20, 1e18}) {
    const problem<float> p({{40, 30}, 3}, scale);
    const auto w = random_weights(p.shape.rows, false, false);
    const auto k = mmd::gaussian(3 * scale);
    const auto found = gpu().gradient(k, p.pool(), w);
    const auto exact = oracle::weighted_gradient(
        p.spaces(), of_gaussian::slots(), 0, [&](std::size_t i, std::size_t j) { return weight(w, p.group_of_rows(), i, j); },
        [&](const std::vector<double>& u) {
          const double s = 18 * scale * scale;
          return oracle::slopes{{-std::exp(-u[0] / s) / s}, {}};
        });
    INFO("scale " << scale);
    CHECK(off(found, exact) <= 1e-6);
  }
}

TEST_CASE("halves have the gradient of the floats that they hold, in float") {
  const problem<float> p({{40, 30}, 3});
  std::vector<matrix<mmd::float16>> halves;
  mmd::pooled<mmd::float16> z;
  mmd::pooled<float> wide;
  for (const auto& g : p.groups) halves.push_back(mmd::converted<mmd::float16>(g));
  std::vector<matrix<float>> floats;
  for (const auto& h : halves) floats.push_back(mmd::converted<float>(h));
  for (std::size_t g = 0; g < halves.size(); ++g) {
    z.groups.push_back(samples<mmd::float16>(halves[g]));
    wide.groups.push_back(samples<float>(floats[g]));
  }
  const auto w = random_weights(p.shape.rows, true, false);
  CHECK(same_bits(gpu().gradient(mmd::gaussian(3), z, w), gpu().gradient(mmd::gaussian(3), wide, w)));
}

TEST_CASE("weights that do not fit are refused by name on the device too") {
  const problem<double> p({{4, 3}, 2});
  const auto refused = [&](auto change) {
    auto w = random_weights(p.shape.rows, true, false);
    auto z = p.pool();
    change(w, z);
    return message([&] { gpu().gradient(mmd::gaussian(1), z, w); });
  };
  CHECK(refused([](auto& w, auto&) { w.w.pop_back(); }) == "mmd: weights.w.size() = 6, expected 7: one weight for each pooled row");
  CHECK(refused([](auto& w, auto&) { w.wp = {0, 1, 3, 0}; }) == "mmd: weights.wp = 3, expected a symmetric table");
  CHECK(refused([](auto& w, auto&) { w.diagonal.pop_back(); }) ==
        "mmd: weights.diagonal.size() = 6, expected 7: one weight for each pooled row, or none");
  CHECK(refused([](auto& w, auto&) {
          w.paired = {1, 2, 3};
        }) == "mmd: weights.paired.size() = 3, expected none, as there are no two groups of equal size");
  CHECK(refused([](auto&, auto& z) { z.order = {0, 1, 2, 3, 4, 5, 6}; }) ==
        "mmd: order.size() = 7, expected no order: weights belong to rows and groups as given");
}
