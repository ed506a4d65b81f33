// SPDX-License-Identifier: MIT
// Many small tests: documents against a kept reference, each with draws of its own or all with the same, and groups from one Gram matrix.
#include "support/batches.hpp"
#include "mmd/inference/gram_tests.hpp"
#include "mmd/inference/subset_reference.hpp"

namespace {

using bench::index_t;
using bench::State;

// Groups of g against references of 100, drawn from one pool: simulations of level and power.
void add_groups(index_t g) {
  bench::add(bench::at("batches/gram_matrix", {{"g", g}, {"R", 100}, {"B", 999}}), [=](State& state) {
    const index_t pool = 500, count = 500;
    const mmd::cpu on;
    mmd::gram<float> gram;
    const mmd::layout lay = on.reduce(mmd::gaussian(8), mmd::pooled<float>{{bench::rows<float>(pool, 64)}}, gram);
    mmd::matrix<float> k(pool, pool);
    for (index_t i = 0; i < pool; ++i) {
      for (index_t j = 0; j < pool; ++j) k(i, j) = static_cast<float>(i == j ? lay.diagonal[static_cast<std::size_t>(i)] : gram(i, j));
    }
    std::vector<mmd::IndexSets> tests;
    for (index_t t = 0; t < count; ++t) {
      const auto order = mmd::random_stream(1, mmd::purpose::user, static_cast<std::uint64_t>(t)).permutation(pool);
      tests.push_back({{order.begin(), order.begin() + g}, {order.begin() + g, order.begin() + g + 100}});
    }
    const double time =
        bench::measure(state, [&] { benchmark::DoNotOptimize(mmd::gram_subset_tests(on, k, tests, {.permutations = 999}).data()); });
    state.counters["tests/s"] = static_cast<double>(count) / time;
  });
}

}  // namespace

void bench::cases() {
  for (const bool shared : {false, true}) {
    for (const index_t n : {5, 10, 20, 30}) {
      for (const index_t r : {100, 300, 500, 1000}) {
        for (const index_t draws : shared ? std::vector<index_t>{9999} : std::vector<index_t>{199, 999}) {
          add(at(std::string("batches/") + (shared ? "shared_draws" : "own_draws"), {{"n", n}, {"R", r}, {"B", draws}}), [=](State& state) {
            const document_batch batch(n, r, draws, shared);
            const double time = measure(state, [&] { batch.run(mmd::cpu{}); });
            state.counters["tests/s"] = static_cast<double>(document_batch::count) / time;
          });
        }
      }
    }
  }
  for (const index_t g : {5, 10, 20}) add_groups(g);
}
