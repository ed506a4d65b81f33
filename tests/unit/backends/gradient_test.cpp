// SPDX-License-Identifier: MIT
// The weighted gradient against its definition: derivatives of the basic kernels by hand, the double loop in long double.
#include <functional>
#include <string>

#include "support.hpp"
#include "support/catch2.hpp"

using namespace mmd;
using namespace backends_test;

namespace {

using real = long double;

pair_weights random_weights(const std::vector<index_t>& rows, bool diagonal, bool paired) {
  random_stream random(11, purpose::splits);
  const std::size_t groups = rows.size();
  pair_weights w;
  w.ww.resize(groups * groups);
  w.wp.resize(groups * groups);
  for (std::size_t g = 0; g < groups; ++g) {
    for (std::size_t h = g; h < groups; ++h) {
      w.ww[g * groups + h] = w.ww[h * groups + g] = random.normal();
      w.wp[g * groups + h] = w.wp[h * groups + g] = random.normal();
    }
    for (index_t i = 0; i < rows[g]; ++i) {
      w.w.push_back(random.normal());
      w.p.push_back(random.normal());
      if (diagonal) w.diagonal.push_back(random.normal());
      if (paired && g == 0) w.paired.push_back(random.normal());
    }
  }
  return w;
}

// The weight of K_ij, both orders together.
real weight(const pair_weights& w, const std::vector<int>& group, std::size_t i, std::size_t j) {
  if (i > j) std::swap(i, j);
  const std::size_t groups = static_cast<std::size_t>(std::lround(std::sqrt(static_cast<double>(w.ww.size()))));
  const std::size_t cell = static_cast<std::size_t>(group[i]) * groups + static_cast<std::size_t>(group[j]);
  real sum = w.ww[cell] * static_cast<real>(w.w[i]) * w.w[j] +
             w.wp[cell] * (static_cast<real>(w.w[i]) * w.p[j] + static_cast<real>(w.p[i]) * w.w[j]);
  if (!w.paired.empty() && group[i] == 0 && group[j] == 1 && j == i + w.paired.size()) sum += w.paired[i];
  return sum;
}

// Of one row by itself: d k(x, y) / d x, and d k(x, x) / d x.
using slope = std::function<std::vector<real>(const ref::row&, const ref::row&)>;
struct example {
  slope by_x, at_same_point;
};
slope radial(std::function<real(real)> by_d2) {
  return [=](const ref::row& x, const ref::row& y) {
    const real s = by_d2(ref::squared_distance(x, y));
    std::vector<real> out;
    for (std::size_t k = 0; k < x.size(); ++k) out.push_back(2 * s * (static_cast<real>(x[k]) - y[k]));
    return out;
  };
}
slope by_product(std::function<real(real)> by_xy, real times) {
  return [=](const ref::row& x, const ref::row& y) {
    const real s = times * by_xy(ref::inner_product(x, y));
    std::vector<real> out;
    for (const double v : y) out.push_back(s * v);
    return out;
  };
}
slope by_l1(real h) {
  return [=](const ref::row& x, const ref::row& y) {
    const real s = -std::exp(-ref::l1_distance(x, y) / h) / h;
    std::vector<real> out;
    for (std::size_t k = 0; k < x.size(); ++k) out.push_back(s * static_cast<real>((x[k] > y[k]) - (x[k] < y[k])));
    return out;
  };
}
slope none() {
  return [](const ref::row& x, const ref::row&) { return std::vector<real>(x.size()); };
}

// The largest error of a gradient, relative to its largest value.
template <class T>
double error_of(const matrix<T>& got, const ref::rows& z, const std::vector<int>& group, const pair_weights& w, const example& e) {
  double worst = 0, size = 1e-300;
  for (std::size_t i = 0; i < z.size(); ++i) {
    std::vector<real> sum(z[i].size());
    for (std::size_t j = 0; j < z.size(); ++j) {
      const real weight_ij = i == j ? (w.diagonal.empty() ? real(0) : static_cast<real>(w.diagonal[i])) : weight(w, group, i, j);
      const auto s = i == j ? e.at_same_point(z[i], z[i]) : e.by_x(z[i], z[j]);
      for (std::size_t k = 0; k < sum.size(); ++k) sum[k] += weight_ij * s[k];
    }
    for (std::size_t k = 0; k < sum.size(); ++k) {
      size = std::max(size, static_cast<double>(std::fabs(sum[k])));
      worst =
          std::max(worst, std::abs(static_cast<double>(static_cast<real>(got(static_cast<index_t>(i), static_cast<index_t>(k))) - sum[k])));
    }
  }
  return worst / size;
}

template <class T>
void check(const auto& kernel, const example& e, double tolerance) {
  const std::vector<std::pair<std::vector<index_t>, index_t>> shapes{{{1, 1}, 1},     {{9, 14}, 3}, {{20, 20}, 33},     {{129, 40}, 5},
                                                                     {{128, 128}, 2}, {{257}, 17},  {{60, 31, 5}, 140}, {{1100, 30}, 1}};
  for (const auto& [rows, cols] : shapes) {
    std::vector<matrix<T>> groups;
    for (std::size_t g = 0; g < rows.size(); ++g) groups.push_back(normal_rows<T>(rows[g], cols, 7 + g, 1, 0.2 * static_cast<double>(g)));
    if (rows[0] > 1 && cols < 100) {  // in many dimensions equal rows would outweigh all others by far
      for (index_t k = 0; k < cols; ++k) groups[0](1, k) = groups[0](0, k);  // equal rows
    }
    const auto z = pool_of(groups);
    const bool paired = rows.size() == 2 && rows[0] == rows[1], large = z.rows() > 1000;
    if (large && std::is_same_v<T, float>) continue;
    for (const bool diagonal : {true, false}) {
      if (large && !diagonal) continue;
      const pair_weights w = random_weights(rows, diagonal, paired);
      const auto one = cpu{.threads = 1}.gradient(kernel, z, w);
      INFO("rows " << Catch::rangeToString(rows) << " columns " << cols << " diagonal " << diagonal);
      CHECK(one.features.size() == 1);
      const double error = error_of(one.features[0], oracle_rows(z), groups_of(z), w, e);
      CHECK(error <= tolerance);
      for (const int threads : {2, 3, 7}) {
        const auto more = cpu{.threads = threads}.gradient(kernel, z, w);
        CHECK(more.features[0] == one.features[0]);
        CHECK(more.scales == one.scales);
        CHECK(more.constants == one.constants);
      }
    }
  }
}

const example of_gaussian{radial([](real d2) { return -std::exp(-d2 / 18) / 18; }), none()};
const example of_laplace{by_l1(4), none()};
real cube_slope(real xy) { return 3 * 0.1L * (0.1L * xy + 1) * (0.1L * xy + 1); }
const example of_cube{by_product(cube_slope, 1), by_product(cube_slope, 2)};

// sum over weighted entries of k.
template <class T, class K>
double objective(const K& k, const pooled<T>& z, const pair_weights& w) {
  gram<T> values;
  cpu{}.reduce(k, z, values);
  const auto group = groups_of(z);
  real sum = 0;
  for (std::size_t i = 0; i < group.size(); ++i) {
    if (!w.diagonal.empty()) sum += w.diagonal[i] * static_cast<real>(values(static_cast<index_t>(i), static_cast<index_t>(i)));
    for (std::size_t j = i + 1; j < group.size(); ++j)
      sum += weight(w, group, i, j) * static_cast<real>(values(static_cast<index_t>(i), static_cast<index_t>(j)));
  }
  return static_cast<double>(sum);
}

}  // namespace

TEST_CASE("the gradient through squared distances", "[gradient]") {
  check<double>(gaussian(3), of_gaussian, 1e-12);
  check<float>(gaussian(3), of_gaussian, 2e-5);
}
TEST_CASE("the gradient through l1 distances", "[gradient]") {
  check<double>(laplace(4), of_laplace, 1e-12);
  check<float>(laplace(4), of_laplace, 2e-5);
}
TEST_CASE("the gradient through inner products, the diagonal's included", "[gradient]") {
  check<double>(polynomial(3, 0.1, 1), of_cube, 1e-12);
  check<float>(polynomial(3, 0.1, 1), of_cube, 2e-5);
}

TEST_CASE("the gradient of an expression in all its spaces, constants and scales", "[gradient]") {
  auto x = normal_rows<double>(40, 6, 1), y = normal_rows<double>(40, 6, 2);
  auto f = normal_rows<double>(80, 3, 3);
  const pair_weights w = random_weights({40, 40}, true, true);
  double c = 0.9, e = 0.1, rate_f = 1, rate_q = 1;
  const auto kernel = [&] {
    return (c * on(given(f), gaussian(1.5 / std::sqrt(rate_f))) + e) * gaussian(3 / std::sqrt(rate_q)) + 0.2 * polynomial(2, 0.1, 1) +
           0.3 * laplace(5);
  };
  const auto g = cpu{}.gradient(kernel(), pool(x, y), w);
  REQUIRE(g.features.size() == 2);  // that of f, then the samples themselves
  REQUIRE(g.constants.size() == 4);
  REQUIRE(g.scales.size() == 4);
  const auto by = [&](double& variable, double step) {  // a difference of the sixth order
    const double at = variable;
    const auto value = [&](double shift) {
      variable = at + shift;
      return objective(kernel(), pool(x, y), w);
    };
    const double d =
        (45 * (value(step) - value(-step)) - 9 * (value(2 * step) - value(-2 * step)) + (value(3 * step) - value(-3 * step))) / (60 * step);
    variable = at;
    return d;
  };
  for (const index_t i : {0, 17, 39}) {
    for (const index_t k : {0, 2}) {
      CHECK(g.features[0](i, k) == Approx(by(f(i, k), 1e-2)).epsilon(1e-8).margin(1e-8));
      CHECK(g.features[0](40 + i, k) == Approx(by(f(40 + i, k), 1e-2)).epsilon(1e-8).margin(1e-8));
      CHECK(g.features[1](i, k) == Approx(by(x(i, k), 1e-4)).epsilon(1e-7).margin(1e-7));
      CHECK(g.features[1](40 + i, k) == Approx(by(y(i, k), 1e-4)).epsilon(1e-7).margin(1e-7));
    }
  }
  CHECK(g.constants[0] == Approx(by(c, 1e-2)).epsilon(1e-9));
  CHECK(g.constants[1] == Approx(by(e, 1e-2)).epsilon(1e-9));
  CHECK(g.scales[0] == Approx(by(rate_f, 1e-2)).epsilon(1e-8));  // exp(-rate u): sum weight k' u = d / d log rate
  CHECK(g.scales[1] == Approx(by(rate_q, 1e-2)).epsilon(1e-8));
}

TEST_CASE("only the gradients that are wanted are made", "[gradient]") {
  const auto x = normal_rows<double>(40, 6, 1), y = normal_rows<double>(30, 6, 2), f = normal_rows<double>(70, 3, 3);
  const pair_weights w = random_weights({40, 30}, false, false);
  const auto k = on(given(f), gaussian(1.5)) * gaussian(3);
  const auto all = cpu{}.gradient(k, pool(x, y), w);
  const auto mapped = cpu{}.gradient(k, pool(x, y), w, {.raw = false});
  const auto raw = cpu{}.gradient(k, pool(x, y), w, {.mapped = false});
  CHECK(mapped.features[0] == all.features[0]);
  CHECK(mapped.features[1].rows() == 0);
  CHECK(raw.features[0].rows() == 0);
  CHECK(raw.features[1] == all.features[1]);
  CHECK(mapped.scales == all.scales);
}

TEST_CASE("zero weights and skipped pairs of groups leave the rest as it is", "[gradient]") {
  const auto x = normal_rows<double>(140, 4, 1), y = normal_rows<double>(30, 4, 2);
  auto w = random_weights({140, 30}, false, false);
  w.ww[3] = w.wp[3] = 0;
  auto z = pool(x, y);
  const auto zero = cpu{}.gradient(gaussian(2), z, w);
  CHECK(error_of(zero.features[0], oracle_rows(z), groups_of(z), w, {radial([](real d2) { return -std::exp(-d2 / 8) / 8; }), none()}) <=
        1e-12);
  w.ww[3] = 1;
  z.skip = {{1, 1}};
  const auto skipped = cpu{}.gradient(gaussian(2), z, w);
  CHECK(skipped.features[0] == zero.features[0]);
  CHECK(skipped.scales == zero.scales);
}

TEST_CASE("weights that do not fit are refused by name", "[gradient]") {
  const auto x = normal_rows<double>(4, 2, 1), y = normal_rows<double>(3, 2, 2);
  const auto refused = [&](auto change) {
    pair_weights w = random_weights({4, 3}, true, false);
    auto z = pool(x, y);
    change(w, z);
    return message_of<invalid_input>([&] { cpu{}.gradient(gaussian(1), z, w); });
  };
  using Catch::Matchers::Equals;
  CHECK_THAT(refused([](auto& w, auto&) { w.w.pop_back(); }),
             Equals("mmd: weights.w.size() = 6, expected 7: one weight for each pooled row"));
  CHECK_THAT(refused([](auto& w, auto&) { w.p.clear(); }), Equals("mmd: weights.p.size() = 0, expected 7: one weight for each pooled row"));
  CHECK_THAT(refused([](auto& w, auto&) { w.ww.pop_back(); }), Equals("mmd: weights.ww.size() = 3, expected 4: groups x groups weights"));
  CHECK_THAT(refused([](auto& w, auto&) { w.wp.push_back(0); }), Equals("mmd: weights.wp.size() = 5, expected 4: groups x groups weights"));
  CHECK_THAT(refused([](auto& w, auto&) { w.ww = {0, 1, 2, 0}; }), Equals("mmd: weights.ww = 2, expected a symmetric table"));
  CHECK_THAT(refused([](auto& w, auto&) { w.wp = {0, 1, 3, 0}; }), Equals("mmd: weights.wp = 3, expected a symmetric table"));
  CHECK_THAT(refused([](auto& w, auto&) { w.diagonal.pop_back(); }),
             Equals("mmd: weights.diagonal.size() = 6, expected 7: one weight for each pooled row, or none"));
  CHECK_THAT(refused([](auto& w, auto&) {
               w.paired = {1, 2, 3};
             }),
             Equals("mmd: weights.paired.size() = 3, expected none, as there are no two groups of equal size"));
  CHECK_THAT(refused([](auto&, auto& z) { z.order = {0, 1, 2, 3, 4, 5, 6}; }),
             Equals("mmd: order.size() = 7, expected no order: weights belong to rows and groups as given"));
}
