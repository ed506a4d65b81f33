// SPDX-License-Identifier: MIT
#include "mmd/detection/group_evaluation.hpp"

#include <cmath>
#include <set>

#include "mmd/backends/cpu.hpp"
#include "oracle/group_rejection.hpp"
#include "oracle/reference_scores.hpp"
#include "support/catch2.hpp"
#include "support/detection.hpp"

using support::normal_rows;

namespace {
// `humans` and `machines` texts in each of some cells; machine rows are shifted.
struct pool_of_texts {
  mmd::matrix<double> rows;
  std::vector<std::uint8_t> machine;
  std::vector<mmd::index_t> cell, cluster;

  pool_of_texts(const std::vector<std::pair<int, int>>& cells, std::uint64_t seed, double shift, mmd::index_t texts_a_cluster = 1) {
    for (std::size_t c = 0; c < cells.size(); ++c) {
      for (int i = 0; i < cells[c].first + cells[c].second; ++i) {
        machine.push_back(i >= cells[c].first);
        cell.push_back(static_cast<mmd::index_t>(c));
        cluster.push_back(static_cast<mmd::index_t>(cluster.size()) / texts_a_cluster);
      }
    }
    rows = normal_rows(static_cast<mmd::index_t>(cell.size()), 2, seed);
    for (std::size_t i = 0; i < cell.size(); ++i) {
      rows(static_cast<mmd::index_t>(i), 0) += shift * machine[i];
      rows(static_cast<mmd::index_t>(i), 1) += 3.0 * static_cast<double>(cell[i]);  // cells differ: a reference of another cell would show
    }
  }
  mmd::grouped_texts texts() const { return {machine, cell, cluster}; }
};
}  // namespace

TEST_CASE("the kernel matrix is the kernel's") {
  const auto x = normal_rows(150, 3, 1);
  const auto k = mmd::kernel_matrix(mmd::cpu{}, mmd::gaussian(1.5), x);
  const auto rows = support::to_rows(x);
  const auto by_hand = oracle::gaussian(1.5);
  for (mmd::index_t i = 0; i < 150; i += 7) {
    for (mmd::index_t j = 0; j < 150; ++j) {
      CHECK(k(i, j) == Approx(by_hand(rows[static_cast<std::size_t>(i)], rows[static_cast<std::size_t>(j)])).epsilon(1e-12));
    }
  }
}

TEST_CASE("draws: distinct texts of one cell, cells by their machine texts, small cells skipped") {
  const pool_of_texts p({{40, 30}, {150, 10}, {24, 50}, {60, 4}}, 1, 0);
  const mmd::GroupOptions options;
  const mmd::GroupDraws draws(p.texts(), 5, options);
  REQUIRE(draws.cells().size() == 4);
  CHECK(draws.cells()[0].used);
  CHECK(draws.cells()[1].used);
  CHECK(!draws.cells()[2].used);  // 24 < 5 + 20 human texts
  CHECK(!draws.cells()[3].used);  // 4 < 5 machine texts
  int first = 0;
  std::vector<int> in_null_group(p.cell.size(), 0);
  for (std::uint64_t i = 0; i < 4000; ++i) {
    mmd::random_stream draw(9, mmd::purpose::group_draws, 5, i);
    mmd::GroupDraws::Draw one;
    REQUIRE(draws(draw, {}, one));
    const auto c = p.cell[static_cast<std::size_t>(one.machine.group[0])];
    first += c == 0;
    REQUIRE(one.human.group.size() == 5);
    REQUIRE(one.machine.group.size() == 5);
    REQUIRE(one.human.reference.size() == (c == 0 ? 35 : 100));
    REQUIRE(one.machine.reference == one.human.reference);
    std::set<mmd::index_t> humans(one.human.group.begin(), one.human.group.end());
    humans.insert(one.human.reference.begin(), one.human.reference.end());
    REQUIRE(humans.size() == 5 + one.human.reference.size());
    for (const auto h : humans) REQUIRE((!p.machine[static_cast<std::size_t>(h)] && p.cell[static_cast<std::size_t>(h)] == c));
    REQUIRE(std::set<mmd::index_t>(one.machine.group.begin(), one.machine.group.end()).size() == 5);
    for (const auto m : one.machine.group) REQUIRE((p.machine[static_cast<std::size_t>(m)] && p.cell[static_cast<std::size_t>(m)] == c));
    for (const auto h : one.human.group) ++in_null_group[static_cast<std::size_t>(h)];
  }
  CHECK(std::abs(first - 3000) < 4 * std::sqrt(4000 * 0.75 * 0.25));
  for (std::size_t i = 0; i < 40; ++i) CHECK(std::abs(in_null_group[i] - 375) < 5 * std::sqrt(375));
}

TEST_CASE("weighted draws hold no text of weight 0, and heavier texts more often") {
  const pool_of_texts p({{40, 12}}, 1, 0);
  std::vector<double> weight(52, 1);
  for (std::size_t i = 0; i < 10; ++i) weight[i] = 0;
  weight[40] = 0;
  weight[41] = 4;
  const mmd::GroupDraws draws(p.texts(), 5, {});
  std::ptrdiff_t heavy = 0, light = 0;
  for (std::uint64_t i = 0; i < 2000; ++i) {
    mmd::random_stream draw(9, mmd::purpose::group_draws, 5, i);
    mmd::GroupDraws::Draw one;
    REQUIRE(draws(draw, weight, one));
    REQUIRE(one.human.reference.size() == 25);
    for (const auto* set : {&one.human.group, &one.human.reference, &one.machine.group}) {
      REQUIRE(std::set<mmd::index_t>(set->begin(), set->end()).size() == set->size());
      for (const auto t : *set) REQUIRE(weight[static_cast<std::size_t>(t)] > 0);
    }
    heavy += std::count(one.machine.group.begin(), one.machine.group.end(), 41);
    light += std::count(one.machine.group.begin(), one.machine.group.end(), 42);
  }
  CHECK(2 * heavy > 3 * light);
  mmd::GroupDraws::Draw one;
  mmd::random_stream draw(9, mmd::purpose::group_draws);
  CHECK(!draws(draw, std::vector<double>(52, 0.0), one));
}

TEST_CASE("power and type I are the shares of exact p-values at or below the level") {
  const pool_of_texts p({{9, 6}, {8, 7}}, 3, 2);
  const auto gram = mmd::kernel_matrix(mmd::cpu{}, mmd::gaussian(1.5), p.rows);
  mmd::GroupOptions options{.sizes = {2, 3}, .draws = 60, .alpha = 0.1, .spare_humans = 4, .bootstrap_samples = 100, .bootstrap_draws = 2};
  options.seed = 4;
  const auto out = mmd::evaluate_groups(mmd::cpu{}, gram, p.texts(), options);
  REQUIRE(out.size() == 2);
  for (const auto& r : out) {
    const mmd::GroupDraws draws(p.texts(), r.size, options);
    int rejected[2] = {0, 0};
    for (std::uint64_t i = 0; i < 60; ++i) {
      mmd::random_stream draw(4, mmd::purpose::group_draws, static_cast<std::uint64_t>(r.size), i);
      mmd::GroupDraws::Draw one;
      draws(draw, {}, one);
      for (const bool of_machine : {false, true}) {
        auto rows = of_machine ? one.machine.group : one.human.group;
        rows.insert(rows.end(), one.human.reference.begin(), one.human.reference.end());
        std::vector<std::vector<double>> k;
        for (const auto a : rows) {
          k.emplace_back();
          for (const auto b : rows) k.back().push_back(gram(a, b));
        }
        rejected[of_machine] += oracle::exact_p(k, static_cast<std::size_t>(r.size)) <= 0.1;
      }
    }
    CHECK(r.draws == 60);
    CHECK(r.type_1 == rejected[0] / 60.0);
    CHECK(r.power == rejected[1] / 60.0);
    CHECK(r.type_1_interval.low == mmd::clopper_pearson(rejected[0], 60).low);
    CHECK(r.power_interval.low <= mmd::clopper_pearson(rejected[1], 60).low);
    CHECK(r.power > r.type_1);
  }
  const auto again = mmd::evaluate_groups(mmd::cpu{.threads = 1}, gram, p.texts(), options);
  CHECK(again[1].power == out[1].power);
  CHECK(again[1].power_interval.low == out[1].power_interval.low);
}

TEST_CASE("human groups are rejected at the level in any one pool") {
  const pool_of_texts p({{70, 40}, {60, 30}}, 8, 0);
  const auto gram = mmd::kernel_matrix(mmd::cpu{}, mmd::gaussian(1.5), p.rows);
  const auto out = mmd::evaluate_groups(mmd::cpu{}, gram, p.texts(),
                                        {.sizes = {5}, .draws = 2500, .permutations = 99, .bootstrap_samples = 100, .bootstrap_draws = 2});
  CHECK(std::abs(out[0].type_1 - 0.05) < 3.9 * std::sqrt(0.05 * 0.95 / 2500));
}

TEST_CASE("the power's interval covers the power over pools") {
  constexpr int pools = 40;
  std::vector<mmd::GroupSizeResult> results;
  double power = 0, of_draws = 0;
  for (std::uint64_t s = 0; s < pools; ++s) {
    const pool_of_texts p({{60, 24}}, 100 + s, 1.1);
    const auto gram = mmd::kernel_matrix(mmd::cpu{}, mmd::gaussian(1.5), p.rows);
    results.push_back(mmd::evaluate_groups(mmd::cpu{}, gram, p.texts(),
                                           {.sizes = {5},
                                            .draws = 400,
                                            .permutations = 99,
                                            .bootstrap_samples = 100,
                                            .bootstrap_draws = 20,
                                            .bootstrap_permutations = 99,
                                            .seed = s})
                          .front());
    power += results.back().power / pools;
  }
  int covered = 0;
  double spread = 0, width = 0;
  for (const auto& r : results) {
    covered += r.power_interval.low <= power && power <= r.power_interval.high;
    const auto binomial = mmd::clopper_pearson(static_cast<mmd::index_t>(std::lround(r.power * 400)), 400);
    of_draws += binomial.low <= power && power <= binomial.high;
    spread += (r.power - power) * (r.power - power) / (pools - 1);
    width += (r.power_interval.high - r.power_interval.low) / pools;
  }
  INFO("power " << power << ", covered " << covered << " of " << pools << " (by the draws alone " << of_draws << "), sd "
                << std::sqrt(spread) << ", mean width " << width);
  CHECK(covered >= 32);
  CHECK(of_draws < covered);
  CHECK(width < 8 * std::sqrt(spread));
}

TEST_CASE("a size that no cell can serve has no figures") {
  const pool_of_texts p({{30, 30}}, 1, 1);
  const auto gram = mmd::kernel_matrix(mmd::cpu{}, mmd::gaussian(1.5), p.rows);
  const auto out = mmd::evaluate_groups(mmd::cpu{}, gram, p.texts(), {.sizes = {11}});
  CHECK(out[0].draws == 0);
  CHECK(std::isnan(out[0].power));
  CHECK(!out[0].cells[0].used);
}

TEST_CASE("bad tables and options of a group evaluation are named") {
  const pool_of_texts p({{30, 10}}, 1, 1);
  const auto gram = mmd::kernel_matrix(mmd::cpu{}, mmd::gaussian(1.5), p.rows);
  const mmd::cpu on;
  const std::vector<mmd::index_t> few{1}, negative(40, -1);
  const std::vector<std::uint8_t> odd(40, 3);
  const auto run = [&](const mmd::grouped_texts& t, const mmd::GroupOptions& o = {}) {
    return message([&] { mmd::evaluate_groups(on, gram, t, o); });
  };
  CHECK(run({p.machine, few, p.cluster}) == "mmd: cell.size() = 1, expected one entry for each row of gram");
  CHECK(run({p.machine, p.cell, few}) == "mmd: cluster.size() = 1, expected one entry for each row of gram");
  CHECK(run({odd, p.cell, p.cluster}) == "mmd: machine = 3, expected 1 for a machine text or 0 for a human one");
  CHECK(run({p.machine, negative, p.cluster}) == "mmd: cell = -1, expected a number from 0 to 2^20 - 1");
  CHECK(run(p.texts(), {.sizes = {1}}) == "mmd: sizes = 1, expected groups of 2 texts or more");
  CHECK(run(p.texts(), {.draws = 0}) == "mmd: draws = 0, expected 1 or more");
  CHECK(run(p.texts(), {.alpha = 1}) == "mmd: alpha = 1, expected a number between 0 and 1, such as 0.05");
  CHECK(run(p.texts(), {.most_reference = 1}) == "mmd: most_reference = 1, expected 2 or more");
  CHECK(run(p.texts(), {.spare_humans = 1}) == "mmd: spare_humans = 1, expected 2 or more");
  CHECK(run(p.texts(), {.bootstrap_draws = 1}) == "mmd: bootstrap_draws = 1, expected 2 or more");
}
