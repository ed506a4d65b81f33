// SPDX-License-Identifier: MIT
// The quantities of tiles against their definitions: every product, every size that meets an edge of a tile.
#include <algorithm>
#include <cmath>
#include <string>
#include <vector>

#include "support/catch2.hpp"
#include "tiles.cuh"

namespace {

using mmd::index_t;
using mmd::pair;
using mmd::precision;
using mmd::product_by;
using tiles::arithmetic;
using tiles::problem;
using tiles::ways;

// A kernel that is what it reads.
template <pair quantity>
struct bare {
  static constexpr auto reads = quantity;
  template <class V>
  MMD_HD V operator()(V u) const {
    return u;
  }
};

double exact(pair quantity, const std::vector<double>& x, const std::vector<double>& y) {
  long double s = 0;
  for (std::size_t k = 0; k < x.size(); ++k) {
    const long double a = x[k], b = y[k];
    s += quantity == pair::inner_product ? a * b : quantity == pair::l1_distance ? std::abs(a - b) : (a - b) * (a - b);
  }
  return static_cast<double>(s);
}
double length(const std::vector<double>& x) { return std::sqrt(exact(pair::inner_product, x, x)); }

// What an inner product may be off by, relative to |x||y|.
template <class T>
double allowed(const ways& how) {
  if (sizeof(T) == 8) return 1e-14;
  if (how.options.exact == precision::bf16 || how.by == arithmetic::bf16) return 0x1.01p-7;
  if (how.options.exact == precision::tf32 || how.by == arithmetic::tf32) return 0x1.01p-10;
  return 0x1p-21;
}

std::string shown(const std::vector<index_t>& groups, index_t d) {
  std::string out = "d " + std::to_string(d) + ", groups";
  for (const index_t g : groups) out += " " + std::to_string(g);
  return out;
}

// Every wanted entry once, all others never, zeros on the diagonal and outside; and the error of the worst entry.
template <pair quantity, class T>
void check(const problem<T>& z, const ways& how) {
  INFO(shown(z.groups, static_cast<index_t>(z.spaces[0][0].size())));
  INFO("quantity " << static_cast<int>(quantity) << ", double " << (sizeof(T) == 8) << ", by " << (how.by ? static_cast<int>(*how.by) : -1)
                   << ", " << static_cast<int>(how.options.exact) << ", " << static_cast<int>(how.options.by));
  const tiles::written got = tiles::values_of(z, bare<quantity>{}, how);
  CHECK(got.astray[0] == 0);
  bool once = true;
  double worst = 0;
  const auto panel = [&](index_t i) {  // its number, and whether it is the same as another's
    index_t before = 0;
    for (const index_t n : z.groups) {
      if (i < n) return before + i / mmd::panel_rows;
      i -= n;
      before += (n + mmd::panel_rows - 1) / mmd::panel_rows;
    }
    return before;
  };
  const auto& rows = z.spaces[0];
  for (index_t i = 0; i < z.rows; ++i) {
    for (index_t j = 0; j < z.rows; ++j) {
      const bool wanted = panel(i) <= panel(j) && !z.skips(i, j);
      once = once && got.times[tiles::at(i * z.rows + j)] == (wanted ? 1 : 0);
      if (!wanted) continue;
      const auto &x = rows[tiles::at(i)], &y = rows[tiles::at(j)];
      const double want = i == j ? 0 : exact(quantity, x, y), error = std::abs(got(i, j) - want);
      double most = allowed<T>(how) * length(x) * length(y);
      if (quantity == pair::squared_distance)
        most = 2 * most + (sizeof(T) == 8 ? 0x1p-51 : 0x1p-22) * (std::pow(length(x), 2) + std::pow(length(y), 2));
      if (quantity == pair::l1_distance || quantity == pair::exact_squared_distance) most = (sizeof(T) == 8 ? 1e-14 : 2e-6) * want;
      worst = std::max(worst, error == 0 ? 0 : error / most);
      if (mmd::is_squared(quantity)) once = once && got(i, j) >= 0;
    }
  }
  CHECK(once);
  CHECK(worst <= 1);
}

const std::vector<ways> float_products = {{{}, arithmetic::three_tf32},
                                          {{}, arithmetic::multiply_add},
                                          {{precision::tf32, product_by::fused}},
                                          {{precision::bf16, product_by::fused}},
                                          {{precision::accurate, product_by::library}},
                                          {{precision::tf32, product_by::library}},
                                          {{precision::bf16, product_by::library}}};
const std::vector<ways> double_products = {{{precision::accurate, product_by::fused}}, {{precision::accurate, product_by::library}}};

const std::vector<std::vector<index_t>> sizes = {{1},   {2},    {127},      {128},    {129},    {255},         {256},
                                                 {257}, {1, 1}, {127, 129}, {130, 3}, {3, 257}, {5, 128, 200}, {1, 2, 90, 40}};

TEST_CASE("every size of groups gives every pair once, by every product", "[device]") {
  for (const auto& groups : sizes) {
    for (const ways& how : float_products) check<pair::squared_distance>(problem<float>(groups, {3}), how);
    for (const ways& how : double_products) check<pair::squared_distance>(problem<double>(groups, {3}), how);
  }
}

TEST_CASE("every number of features, every quantity, by every product", "[device]") {
  for (const index_t d : {1, 3, 8, 17, 64, 130}) {
    for (const ways& how : float_products) {
      check<pair::squared_distance>(problem<float>({70, 61}, {d}), how);
      check<pair::inner_product>(problem<float>({70, 61}, {d}), how);
    }
    for (const ways& how : double_products) {
      check<pair::squared_distance>(problem<double>({70, 61}, {d}), how);
      check<pair::inner_product>(problem<double>({70, 61}, {d}), how);
    }
    check<pair::l1_distance>(problem<float>({70, 61}, {d}), {});
    check<pair::l1_distance>(problem<double>({70, 61}, {d}), {});
    check<pair::exact_squared_distance>(problem<float>({70, 61}, {d}), {});
    check<pair::exact_squared_distance>(problem<double>({70, 61}, {d}), {});
  }
}

TEST_CASE("skipped pairs of groups are not evaluated, nor macros without a wanted tile", "[device]") {
  for (const std::vector<std::pair<int, int>>& skip :
       {std::vector<std::pair<int, int>>{{0, 0}, {1, 1}}, {{1, 0}}, {{2, 0}, {2, 2}}, {{0, 0}, {0, 1}, {0, 2}, {1, 1}, {1, 2}, {2, 2}}}) {
    const problem<float> z({129, 20, 257}, {5}, 1, skip);
    for (const int side : {1, 2, 8}) {
      check<pair::squared_distance>(z, {{}, {}, side});
      check<pair::inner_product>(z, {{precision::accurate, product_by::library}, {}, side});
    }
  }
#if defined(CUSHIM)
  const problem<float> z({200, 200, 200, 200}, {2}, 1, {{0, 0}, {0, 1}, {0, 2}, {0, 3}, {1, 1}, {1, 2}, {1, 3}, {2, 2}, {3, 3}});
  const std::uint64_t before = cuda_shim::counters().launches;
  tiles::values_of(z, bare<pair::inner_product>{}, {{precision::accurate, product_by::fused}, {}, 2});
  CHECK(cuda_shim::counters().launches - before == 1);  // of the 10 macros of 2 x 2 panels
#endif
}

TEST_CASE("squared distances of equal rows are never below 0, and NaN is seen", "[device]") {
  problem<float> z({40, 100}, {33}, 100);
  for (index_t i = 1; i < z.rows; i += 2) z.spaces[0][tiles::at(i)] = z.spaces[0][tiles::at(i - 1)];
  for (const ways& how : float_products) check<pair::squared_distance>(z, how);
  check<pair::exact_squared_distance>(z, {});
  z.spaces[0][7][3] = NAN;
  for (const ways& how : float_products) {
    const tiles::written got = tiles::values_of(z, bare<pair::squared_distance>{}, how);
    for (index_t j = 0; j < z.rows; ++j) {
      if (j != 7) CHECK(std::isnan(j < 7 ? got(j, 7) : got(7, j)));
    }
    CHECK(!std::isnan(got(6, 8)));
  }
}

TEST_CASE("accurate products of floats are as good as float arithmetic over many features", "[device]") {
  // All products of one sign: sums that are cut off instead of rounded would be low by d / 8 times half an ulp.
  problem<float> z({40}, {1024});
  for (auto& row : z.spaces[0]) {
    for (double& v : row) v = std::abs(v);
  }
  for (const ways& how : {ways{{}, arithmetic::three_tf32}, ways{{}, arithmetic::multiply_add}}) {
    const tiles::written got = tiles::values_of(z, bare<pair::inner_product>{}, how);
    double worst = 0, mean = 0;
    for (index_t i = 0; i < z.rows; ++i) {
      for (index_t j = 0; j < z.rows; ++j) {
        if (i == j) continue;
        const double want = exact(pair::inner_product, z.spaces[0][tiles::at(i)], z.spaces[0][tiles::at(j)]);
        worst = std::max(worst, std::abs(got(i, j) / want - 1));
        mean += (got(i, j) / want - 1) / static_cast<double>(z.rows * (z.rows - 1));
      }
    }
    CHECK(worst < 2e-6);
    CHECK(std::abs(mean) < 2e-7);
  }
}

TEST_CASE("the same bits from run to run, for threads in any order", "[device]") {
  const problem<float> z({130, 40}, {19});
  const problem<double> wide({130, 40}, {19});
  const auto same = [](const tiles::written& a, const tiles::written& b) {
    bool equal = true;
    for (std::size_t i = 0; i < a.value.size(); ++i) equal = equal && (a.value[i] == b.value[i] || (a.times[i] == 0 && b.times[i] == 0));
    CHECK(equal);
  };
  for (const ways& how : float_products) {
    tiles::thread_order(0);
    const auto first = tiles::values_of(z, bare<pair::squared_distance>{}, how);
    tiles::thread_order(11);
    same(first, tiles::values_of(z, bare<pair::squared_distance>{}, how));
  }
  tiles::thread_order(0);
  const auto first = tiles::values_of(wide, bare<pair::squared_distance>{}), l1 = tiles::values_of(wide, bare<pair::l1_distance>{});
  tiles::thread_order(12);
  same(first, tiles::values_of(wide, bare<pair::squared_distance>{}));
  same(l1, tiles::values_of(wide, bare<pair::l1_distance>{}));
  tiles::thread_order(0);
}

}  // namespace
