// SPDX-License-Identifier: MIT
// Every kernel, every combination of slots and spaces, on the device against fp64 by definition; how a pass is cut, reported and cancelled.
#include <algorithm>
#include <cmath>
#include <functional>
#include <string>
#include <vector>

#include "mmd/engine/float_suffices.hpp"
#include "oracle/kernels.hpp"
#include "support/catch2.hpp"
#include "tiles.cuh"

namespace {

using mmd::index_t;
using mmd::precision;
using mmd::product_by;
using tiles::arithmetic;
using tiles::problem;
using tiles::ways;
namespace ref = oracle::kernels;

// A map that is never called: the features of its space are given.
struct made {};
// k of a pair of rows in the s-th space of the problem.
using pair_function = std::function<ref::real(const std::vector<ref::row>&, const std::vector<ref::row>&)>;
pair_function in(std::size_t s, ref::kernel_function k) {
  return [=](const auto& x, const auto& y) { return k(x[s], y[s]); };
}
pair_function sum(pair_function a, pair_function b) {
  return [=](const auto& x, const auto& y) { return a(x, y) + b(x, y); };
}
pair_function product(pair_function a, pair_function b) {
  return [=](const auto& x, const auto& y) { return a(x, y) * b(x, y); };
}
pair_function constant(double c) {
  return [=](const auto&, const auto&) { return c; };
}

// Row sums of what the pass wrote, relative to the sums of absolute terms.
template <class T, class K>
double worst_row(const problem<T>& z, const K& k, const pair_function& want, const ways& how) {
  const tiles::written got = tiles::values_of(z, k, how);
  const auto row = [&](index_t i) {
    std::vector<ref::row> out;
    for (const auto& space : z.spaces) out.push_back(space[tiles::at(i)]);
    return out;
  };
  double worst = 0;
  for (index_t i = 0; i < z.rows; ++i) {
    const auto x = row(i);
    long double error = 0, size = 0;
    for (index_t j = 0; j < z.rows; ++j) {
      if (i == j || z.skips(i, j)) continue;
      const auto y = row(j);
      const long double exact = want(x, y), value = got.times[tiles::at(i * z.rows + j)] ? got(i, j) : got(j, i);
      error += value - exact;
      size += std::abs(exact);
    }
    const double relative = static_cast<double>(std::abs(error) / size);
    if (size > 0 && !(relative <= worst)) worst = relative;
  }
  return worst;
}

const std::vector<ways> float_ways = {{{precision::accurate, product_by::fused}},
                                      {{precision::accurate, product_by::fused}, arithmetic::multiply_add},
                                      {{precision::accurate, product_by::library}}};

template <class K>
void check(const char* name, const K& k, const pair_function& want, const std::vector<index_t>& widths,
           const std::vector<index_t>& groups = {129, 40}) {
  INFO(name);
  for (const ways& how : float_ways) CHECK(worst_row(problem<float>(groups, widths), k, want, how) <= 1e-5);
  CHECK(worst_row(problem<double>(groups, widths), k, want, {{precision::accurate, product_by::fused}}) <= 1e-12);
  CHECK(worst_row(problem<double>(groups, widths), k, want, {{precision::accurate, product_by::library}}) <= 1e-12);
}

TEST_CASE("every basic kernel on the device is its definition", "[device]") {
  for (const index_t d : {1, 17}) {
    const double h = std::sqrt(static_cast<double>(d));
    INFO("d " << d);
    check("gaussian", mmd::gaussian(h), in(0, ref::gaussian(h)), {d});
    check("laplace", mmd::laplace(2 * h), in(0, ref::laplace(2 * h)), {d});
    check("inverse multiquadric", mmd::inverse_multiquadric(h), in(0, ref::inverse_multiquadric(h)), {d});
    check("rational quadratic", mmd::rational_quadratic(h, 0.7), in(0, ref::rational_quadratic(h, 0.7)), {d});
    check("matern 3/2", mmd::matern32(h), in(0, ref::matern32(h)), {d});
    check("matern 5/2", mmd::matern52(h), in(0, ref::matern52(h)), {d});
    check("energy", mmd::energy(), in(0, ref::energy()), {d});
    check("polynomial", mmd::polynomial(3, 1.0 / h, 1), in(0, ref::polynomial(3, 1.0 / h, 1)), {d});
    check("linear", mmd::linear(), in(0, ref::linear()), {d});
  }
}

// Of the user's own making.
struct cauchy {
  static constexpr auto reads = mmd::pair::exact_squared_distance;
  double scale = 1;
  template <class V>
  MMD_HD V operator()(V d2) const {
    return V(1) / (V(1) + V(1 / scale) * d2);
  }
};

TEST_CASE("sums, products and mixtures of kernels, with one to four slots", "[device]") {
  using namespace mmd;
  const auto g = [](double h) { return in(0, ref::gaussian(h)); };
  check("five Gaussians", mixture(gaussian(1), gaussian(2), gaussian(4), gaussian(8), gaussian(16)),
        product(constant(0.2), sum(g(1), sum(g(2), sum(g(4), sum(g(8), g(16)))))), {9});
  check("Gaussians with bandwidths of no grid", gaussian(1) + gaussian(1.7) + gaussian(3), sum(g(1), sum(g(1.7), g(3))), {9});
  check("two quantities", gaussian(2) * laplace(5), product(g(2), in(0, ref::laplace(5))), {9});
  check("distance and product of one space", gaussian(2) + 0.5 * polynomial(2),
        sum(g(2), product(constant(0.5), in(0, ref::polynomial(2, 1, 1)))), {9});
  check("three quantities", gaussian(2) * laplace(5) + linear(), sum(product(g(2), in(0, ref::laplace(5))), in(0, ref::linear())), {9});
  const pair_function own = [](const auto& x, const auto& y) { return 1 / (1 + ref::squared_distance(x[0], y[0]) / 3); };
  check("four quantities", gaussian(2) * laplace(5) + linear() * cauchy{3},
        sum(product(g(2), in(0, ref::laplace(5))), product(in(0, ref::linear()), own)), {9}, {70, 60, 20});
}

TEST_CASE("kernels on mapped features, beside the samples and alone", "[device]") {
  using namespace mmd;
  check("mapped", on(made{}, gaussian(2)), in(0, ref::gaussian(2)), {7});
  const auto deep = (0.9 * on(made{}, gaussian(1.5)) + 0.1) * gaussian(3);
  check("deep", deep, product(sum(product(constant(0.9), in(0, ref::gaussian(1.5))), constant(0.1)), in(1, ref::gaussian(3))), {6, 20});
  check("three spaces", on(made{}, gaussian(2)) + gaussian(3) + on(made{}, laplace(4)),
        sum(sum(in(0, ref::gaussian(2)), in(1, ref::gaussian(3))), in(2, ref::laplace(4))), {5, 12, 3});
  // Of two products cuBLAS takes one: its space has many features.
  problem<float> z({129, 30}, {6, 400});
  const double h = 12;
  const auto two = (0.9 * on(made{}, gaussian(1.5)) + 0.1) * gaussian(h);
  const pair_function want = product(sum(product(constant(0.9), in(0, ref::gaussian(1.5))), constant(0.1)), in(1, ref::gaussian(h)));
  const double r2 = 2 * 400.0 / 3, error = worst_row(z, two, want, {{precision::tf32, product_by::automatic}});
  CHECK(error <= r2 * 0x1p-10 / (2 * h * h) + 4 * 0x1p-10 / (2 * 1.5 * 1.5));
  CHECK(error > 1e-7);
}

TEST_CASE("tf32 and bf16 keep the error that they state", "[device]") {
  const index_t d = 24;
  const double h = 4;
  const problem<float> z({129, 40}, {d});
  double largest = 0;
  for (const auto& row : z.spaces[0]) largest = std::max(largest, static_cast<double>(ref::inner_product(row, row)));
  for (const product_by by : {product_by::fused, product_by::library}) {
    for (const auto& [p, unit] : {std::pair{precision::tf32, 0x1p-10}, std::pair{precision::bf16, 0x1p-7}}) {
      const double error = worst_row(z, mmd::gaussian(h), in(0, ref::gaussian(h)), {{p, by}});
      CHECK(error <= 2 * unit * largest / (2 * h * h));
      CHECK(error > 1e-7);  // it is not the accurate one
    }
  }
}

// What an exponential on the device may be off by.
TEST_CASE("powers of e and of 2 on the device", "[device]") {
  using mmd::number;
  constexpr double eps = 0x1p-23;
  for (double x = -86; x <= 60; x += 0.37) {
    for (const double c : {1.0, -0.3, 2.5}) {
      const auto arg = static_cast<float>(x / c);
      const double t = c * static_cast<double>(arg), want = std::exp(t);
      CHECK(std::abs(static_cast<double>(exp_product(c, number<float>(arg)).v) / want - 1) <= (2 + 1.1 * std::abs(t)) * eps);
      const float rate = static_cast<float>(c);
      const double t2 = static_cast<double>(rate) * static_cast<double>(arg);
      CHECK(std::abs(static_cast<double>(exp2_product(number<float>(rate), number<float>(arg)).v) / std::exp2(t2) - 1) <=
            (2 + 1.1 * std::abs(t2)) * eps);
    }
  }
  CHECK(exp_product(-1, number<float>(100.0f)).v == 0);
  CHECK(std::isnan(exp_product(-1, number<float>(NAN)).v));
  CHECK(std::isinf(exp_product(1, number<float>(1e30f)).v));
  CHECK(exp_product(-1, number<float>(0.0f)).v == 1);
}

TEST_CASE("reducers take the tile in turn, each with the shared memory to itself", "[device]") {
  const problem<float> z({140, 30}, {4});
  tiles::written a, b, c;
  tiles::pass(z, mmd::gaussian(2) * mmd::laplace(3), {}, tiles::every_pass{}, a, b, c);
  const auto same = [](const tiles::written& p, const tiles::written& q) {
    bool equal = p.times == q.times && p.astray == q.astray;
    for (std::size_t i = 0; i < p.value.size(); ++i) equal = equal && (p.value[i] == q.value[i] || p.times[i] == 0);
    return equal;
  };
  CHECK(same(a, b));
  CHECK(same(a, c));
}

struct told {
  std::vector<std::pair<index_t, index_t>>* calls;
  index_t stop;
  bool wanted() const { return true; }
  void operator()(index_t done, index_t total) const {
    calls->push_back({done, total});
    if (done == stop) throw mmd::cancelled();
  }
};
TEST_CASE("a pass reports between macros and can be cancelled there", "[device]") {
  const problem<float> z({700}, {2});
  std::vector<std::pair<index_t, index_t>> calls;
  tiles::written out;
  tiles::pass(z, mmd::gaussian(1), {{}, {}, 2}, told{&calls, -1}, out);
  REQUIRE(calls.size() == 7);
  for (index_t i = 0; i < 7; ++i) CHECK(calls[tiles::at(i)] == std::pair<index_t, index_t>{i, 6});
  calls.clear();
  CHECK_THROWS_AS(tiles::pass(z, mmd::gaussian(1), {{}, {}, 2}, told{&calls, 3}, out), mmd::cancelled);
  CHECK(calls.size() == 4);
  const std::uint64_t held = tiles::device().held_bytes;
  CHECK_THROWS_AS(tiles::pass(z, mmd::gaussian(1), {{precision::accurate, product_by::library}, {}, 2}, told{&calls, 3}, out),
                  mmd::cancelled);
  CHECK(tiles::device().held_bytes <= held + 2 * (std::uint64_t{32} << 20));  // cuBLAS's workspaces
  tiles::pass(z, mmd::gaussian(1), {{}, {}, 2}, told{&calls, -1}, out);
  CHECK(out.astray[0] == 0);
}

TEST_CASE("what takes a product, and how large macros are", "[device]") {
  using mmd::detail::choose_product;
  using mmd::detail::macro_side;
  const auto library = [](int capability, precision p, product_by by, index_t d) {
    return choose_product<float>(capability, p, by, d).library;
  };
  for (const int capability : {80, 86, 89, 90, 100, 120}) {
    for (const precision p : {precision::accurate, precision::tf32, precision::bf16}) {
      CHECK(!library(capability, p, product_by::automatic, 16));
      CHECK(!library(capability, p, product_by::fused, 100000));
      CHECK(library(capability, p, product_by::library, 1));
    }
    CHECK(library(capability, precision::tf32, product_by::automatic, 768));
    CHECK(library(capability, precision::bf16, product_by::automatic, 768));
  }
  for (const int wide : {80, 90, 100, 103}) {
    CHECK(choose_product<float>(wide, precision::accurate, product_by::automatic, 768).by == arithmetic::three_tf32);
    CHECK(!library(wide, precision::accurate, product_by::automatic, 768));
  }
  for (const int narrow : {86, 89, 120}) {
    CHECK(choose_product<float>(narrow, precision::accurate, product_by::automatic, 768).by == arithmetic::multiply_add);
    CHECK(library(narrow, precision::accurate, product_by::automatic, 768));
  }
  CHECK(macro_side(50 << 20, 1000, 1, 4, 768) == 16);  // two products of 2048 x 2048 floats
  CHECK(macro_side(50 << 20, 1000, 2, 4, 768) == 11);
  CHECK(macro_side(6 << 20, 1000, 1, 4, 768) == 5);
  CHECK(macro_side(0, 1000, 1, 4, 768) == 4);
  CHECK(macro_side(50 << 20, 3, 1, 4, 768) == 3);
  CHECK(macro_side(50 << 20, 1000, 0, 4, 16) == 64);
  CHECK(macro_side(50 << 20, 1000, 0, 4, 4096) == 16);
  CHECK(macro_side(50 << 20, 7, 0, 4, 0) == 7);
}

TEST_CASE("a plan keeps to the room it is given, and says what the pass will allocate", "[device]") {
  using list = mmd::slots_of<mmd::gaussian>;
  mmd::layout lay;
  const auto panels = mmd::detail::cut_groups({3000}, mmd::panel_rows, lay);
  const tiles::written none{};
  const auto plan = [&](std::uint64_t room) {
    return mmd::detail::plan_tiles<float>(tiles::device(), {precision::accurate, product_by::library}, list{}, {8}, lay,
                                          static_cast<index_t>(panels.size()), room, none);
  };
  const std::uint64_t fixed = mmd::detail::device_part<tiles::written>::bytes(none, lay, 1, 1);
  CHECK(plan(~std::uint64_t{0}).side == 16);
  CHECK(plan(~std::uint64_t{0}).bytes == fixed + 2 * 2048 * 2048 * 4);
  CHECK(plan(fixed + 2 * 1024 * 1024 * 4).side == 8);
  CHECK(plan(fixed + 2 * 1024 * 1024 * 4 - 1).side == 4);
  CHECK(plan(0).side == 1);
  // With bf16 the copy of the features is counted too.
  const auto bf16 = mmd::detail::plan_tiles<float>(tiles::device(), {precision::bf16, product_by::library}, list{}, {9}, lay,
                                                   static_cast<index_t>(panels.size()), ~std::uint64_t{0}, none);
  CHECK(bf16.bytes == fixed + 2 * 2048 * 2048 * 4 + 24 * 128 * 16 * 2);
}

#if defined(CUSHIM)
TEST_CASE("a pass that does not get its memory is cut smaller", "[device]") {
  const problem<float> z({600}, {3});
  const ways how{{precision::accurate, product_by::library}, {}, 4};
  const tiles::written want = tiles::values_of(z, mmd::gaussian(1), how);
  const auto live = [] {  // when all that was freed is
    for (int s = 0; s < 2; ++s) tiles::device().synchronize(tiles::device().stream(s));
    return cuda_shim::counters().live_bytes;
  };
  auto& options = cuda_shim::options();
  const std::uint64_t total = options.total_bytes, taken = options.taken_bytes;
  // Room for the values that the test keeps and macros of two panels, not of four.
  options.taken_bytes = total - live() - (600 * 600 * 12 + 2 * 300 * 300 * 4 + (1 << 19));
  const tiles::written got = tiles::values_of(z, mmd::gaussian(1), how);
  options.taken_bytes = taken;
  bool equal = true;
  for (std::size_t i = 0; i < want.value.size(); ++i) equal = equal && (want.value[i] == got.value[i] || want.times[i] == 0);
  CHECK(equal);
  options.taken_bytes = total - live() - 600 * 600 * 4;
  CHECK_THROWS_AS(tiles::values_of(z, mmd::gaussian(1), how), mmd::device_out_of_memory);
  options.taken_bytes = taken;
}
#endif

TEST_CASE("where float suffices", "[device]") {
  const auto suffices = [](const auto& k, double norm) {
    return mmd::detail::float_suffices(k, mmd::slots_of<std::decay_t<decltype(k)>>{}, {{{norm, 3}}});
  };
  CHECK(suffices(mmd::gaussian(1), 1.0));
  CHECK(suffices(mmd::gaussian(1), 0.0));
  CHECK(!suffices(mmd::gaussian(1), 1e31));
  CHECK(!suffices(mmd::gaussian(1), 1e-31));
  CHECK(suffices(mmd::polynomial(3), 1e9));
  CHECK(!suffices(mmd::polynomial(3), 1e11));
}

}  // namespace
