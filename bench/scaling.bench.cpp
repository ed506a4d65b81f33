// SPDX-License-Identifier: MIT
// Time and memory over three decades of N (each case is meant for a process of its own: scripts/bench), one thread against two, and how the
// work is cut into parts, which is all that is known here about more threads.
#include <numeric>
#include <queue>

#include "mmd/inference/permutation_test.hpp"
#include "support/batches.hpp"
#include "support/kernel_sums.hpp"
#include "support/training.hpp"

namespace bench {
namespace {

// A reducer that keeps nothing but how many pairs each part of the pass had.
struct part_sizes {
  double pairs = 0;
  std::vector<double> parts = {};
  static constexpr bool shared = false;
  void prepare(const mmd::layout&) {
    pairs = 0;
    parts.clear();
  }
  void merge(const part_sizes& other) { parts.push_back(other.pairs); }
};
template <class T>
void add(part_sizes& r, const mmd::tile<T>& t) {
  r.pairs += t.diagonal ? 0.5 * t.I.rows * (t.I.rows - 1) : 1.0 * t.I.rows * t.J.rows;
}

// The time, in pairs, in which `team` threads are done that take the parts in order, each when it is free.
double makespan(const std::vector<double>& parts, int team) {
  std::priority_queue<double, std::vector<double>, std::greater<>> free;
  for (int t = 0; t < team; ++t) free.push(0);
  double last = 0;
  for (const double p : parts) {
    const double end = free.top() + p;
    free.pop();
    free.push(end);
    last = std::max(last, end);
  }
  return last;
}

void add_parts(index_t n, index_t d) {
  bench::add(at("parts", {{"N", n}, {"d", d}}), [=](State& state) {
    const auto x = rows<float>(n, d);
    part_sizes sizes;
    for ([[maybe_unused]] auto _ : state) {
      state.SetIterationTime(seconds([&] { mmd::cpu{}.reduce(mmd::linear{}, mmd::pooled<float>{{x}}, sizes); }));
    }
    if (sizes.parts.empty()) sizes.parts.push_back(sizes.pairs);
    state.counters["parts"] = static_cast<double>(sizes.parts.size());
    state.counters["pairs"] = std::accumulate(sizes.parts.begin(), sizes.parts.end(), 0.0);
    state.counters["largest_part"] = *std::max_element(sizes.parts.begin(), sizes.parts.end());
    for (const int team : {1, 2, 4, 8, 16, 32, 64}) {
      state.counters["modelled_speedup_" + std::to_string(team)] = state.counters["pairs"].value / makespan(sizes.parts, team);
    }
  });
}

// f(on): the work on one backend; with one thread and with two, in turn.
template <class F>
void one_and_two(State& state, F f) {
  const auto times = in_turn(state, {[&] { f(mmd::cpu{.threads = 2}); }, [&] { f(mmd::cpu{.threads = 1}); }}, 4 * budget());
  state.counters["one_thread_s"] = times[1];
  state.counters["speedup_2"] = times[1] / times[0];
}

}  // namespace
}  // namespace bench

void bench::cases() {
  const double most = quick ? 30000 : 400'000;
  for (const index_t n : {320, 1000, 3200, 10'000, 32'000, 100'000, 320'000}) {
    if (static_cast<double>(n) > most) continue;
    add(at("scaling", {{"N", n}, {"d", 64}}), [=](State& state) {
      const auto x = rows<float>(n, 64);
      kernel_sums(state, mmd::gaussian(bandwidth_for(64)), x, {.flops = 2 * 64}, mmd::gaussian(8));
    });
  }
  for (const index_t d : {16, 64, 768}) {
    add(at("threads/kernel_sums", {{"N", 10000}, {"d", d}}), [=](State& state) {
      const auto x = rows<float>(10000, d);
      one_and_two(state, [&](const mmd::cpu& on) {
        mmd::row_sums sums;
        on.reduce(mmd::gaussian(bandwidth_for(d)), mmd::pooled<float>{{x}}, sums);
        benchmark::DoNotOptimize(sums.sums.data());
      });
    });
  }
  for (const auto how : {mmd::method::full, mmd::method::binned}) {
    add(at(std::string("threads/permutation_test_") + mmd::to_string(how), {{"N", 4000}, {"d", 64}, {"B", 999}}), [=](State& state) {
      const auto x = rows<float>(2000, 64), y = rows<float>(2000, 64, 128'000);
      const mmd::PermutationTest test({.permutations = 999, .method = how});
      one_and_two(state, [&](const mmd::cpu& on) { benchmark::DoNotOptimize(test(on, x, y, mmd::gaussian(11)).p_value); });
    });
  }
  add("threads/batches/n:10/R:500/B:999", [](State& state) {
    const document_batch batch(10, 500, 999, false);
    one_and_two(state, [&](const mmd::cpu& on) { batch.run(on); });
  });
  add("threads/training_step/d:669/batch:200", [](State& state) {
    const training_run<float> run(669, 200);
    for ([[maybe_unused]] auto _ : state) {
      std::vector<double> one, two;
      for (int round = 0; round < 3; ++round) {
        two.push_back(run.step_seconds(2, 24));
        one.push_back(run.step_seconds(1, 24));
      }
      state.SetIterationTime(median_of(two));
      state.counters["one_thread_s"] = median_of(one);
      state.counters["speedup_2"] = median_of(one) / median_of(two);
    }
  });
  for (const index_t n : {1000, 10'000, 32'000}) add_parts(n, 64);
}
