// SPDX-License-Identifier: MIT
// What the benchmarks of the CPU backend share: samples, rounds in turn, peak memory.
#pragma once

#include <algorithm>
#include <chrono>
#include <functional>
#include <thread>
#include <vector>

#include "mmd/backends/cpu.hpp"
#include "mmd/core/matrix.hpp"
#include "mmd/core/philox.hpp"
#include "support/cases.hpp"

namespace bench {

using mmd::samples;

// n x d values of mean 0 and variance 1, from value number `first` on. All samples of a type are views of one block, which stays.
template <class T>
samples<T> rows(index_t n, index_t d, index_t first = 0) {
  constexpr index_t chunk = index_t{1} << 18;
  static std::vector<std::vector<T>> blocks;  // each larger than the one before; views of the last few stay valid
  const index_t needed = first + n * d;
  if (blocks.empty() || static_cast<index_t>(blocks.back().size()) < needed) {
    std::vector<T> block(static_cast<std::size_t>((needed + chunk - 1) / chunk * chunk));
    mmd::cpu{}.for_each(static_cast<index_t>(block.size()) / chunk, [&](index_t part) {
      mmd::random_stream random(1, mmd::purpose::user, static_cast<std::uint64_t>(part));
      for (index_t i = part * chunk; i < (part + 1) * chunk; ++i) {
        block[static_cast<std::size_t>(i)] = static_cast<T>(3.4641016151377544 * (random.uniform() - 0.5));
      }
    });
    if (blocks.size() == 4) blocks.erase(blocks.begin());
    blocks.push_back(std::move(block));
  }
  return {blocks.back().data() + first, n, d, d, 1};
}
// The same as a matrix of its own, with another mean.
template <class T>
mmd::matrix<T> shifted_rows(index_t n, index_t d, T shift = 0, index_t first = 0) {
  const samples<T> from = rows<T>(n, d, first);
  mmd::matrix<T> to(n, d);
  for (index_t i = 0; i < to.size(); ++i) to.data()[i] = from.data()[i] + shift;
  return to;
}

// Threads of one library that wait for work keep the cores busy for a while: the next library starts when they are asleep, on cores that
// have been woken, which takes milliseconds on a virtual machine.
inline void let_others_sleep() {
  std::this_thread::sleep_for(std::chrono::milliseconds(50));
  const auto end = std::chrono::steady_clock::now() + std::chrono::milliseconds(5);
  const auto stay_awake = [end] {
    while (std::chrono::steady_clock::now() < end) {
    }
  };
  std::vector<std::thread> others;
  for (int i = 1; i < threads(); ++i) others.emplace_back(stay_awake);
  stay_awake();
  for (std::thread& other : others) other.join();
}

// Runs the functions in turn, round by round, and reports the first one's median time; the median of each is returned. Where there is time
// for more than one round, the first does not count. `peak_bytes`: of memory that the first run of the first one took beyond what was
// there.
inline std::vector<double> in_turn(State& state, const std::vector<std::function<void()>>& each, double limit = budget()) {
  std::vector<std::vector<double>> times(each.size());
  for ([[maybe_unused]] auto _ : state) {
    reset_peak();
    const std::uint64_t before = memory_now();
    double spent = 0;
    int rounds = 0;
    do {
      for (std::size_t i = 0; i < each.size(); ++i) {
        if (each.size() > 1) spent += seconds(let_others_sleep);
        const double t = seconds(each[i]);
        times[i].push_back(t);
        spent += t;
        if (i == 0 && rounds == 0) {
          const std::uint64_t after = memory_peak();
          state.counters["peak_bytes"] = static_cast<double>(after > before ? after - before : 0);
        }
      }
    } while (again(spent, ++rounds, limit));
    for (auto& t : times) {
      if (t.size() > 1) t.erase(t.begin());
    }
    state.SetIterationTime(median_of(times[0]));
  }
  std::vector<double> medians;
  for (const auto& t : times) medians.push_back(median_of(t));
  state.counters["min_s"] = *std::min_element(times[0].begin(), times[0].end());
  state.counters["runs"] = static_cast<double>(times[0].size());
  return medians;
}
// One function: its median time.
template <class F>
double measure(State& state, F&& f) {
  return in_turn(state, {std::function<void()>(std::ref(f))})[0];
}

}  // namespace bench
