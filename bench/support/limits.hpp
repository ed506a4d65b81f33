// SPDX-License-Identifier: MIT
// What this machine can do, measured in the run whose figures are set against it: multiply-adds in registers, a kernel's formula over an
// array in the first cache, a stream through memory; on as many threads as the library uses, through the library's own packs, so that it is
// the limit of the instruction set that the program was compiled for.
#pragma once

#include <array>
#include <limits>
#include <vector>

#include "mmd/backends/cpu/simd_math.hpp"
#include "support/bench.hpp"

namespace bench {

// The compiler knows nothing of the value from here on.
template <class T>
[[gnu::always_inline]] inline void unknown(mmd::simd<T>& x) {
#if defined(__AVX512F__)
  asm volatile("" : "+v"(x.v));
#elif defined(__SSE2__)
  asm volatile("" : "+x"(x.v));
#elif defined(__ARM_NEON)
  asm volatile("" : "+w"(x.v));
#else
  asm volatile("" : "+m"(x.v));
#endif
}

// Operations a second where each call of `f` does so many: one call a thread. The best of some rounds: a limit is what is never passed.
template <class F>
double best_rate(double operations, const F& f) {
  const mmd::cpu on;
  const index_t team = threads();
  double best = std::numeric_limits<double>::infinity();
  for (int round = 0; round < 8; ++round) best = std::min(best, seconds([&] { on.for_each(team, f); }));
  return operations * static_cast<double>(team) / best;
}

enum class step { multiply_add, absolute_difference };

// Operations a second in registers alone, two for each step of an entry: a product and a sum, or for the l1 distance a difference and the
// sum of its absolute values.
template <class T, step kind = step::multiply_add>
double register_peak() {
  static const double rate = [] {
    constexpr int chains = 12, rounds = 4'000'000;
    std::vector<double> sink(static_cast<std::size_t>(threads()));
    return best_rate(2.0 * chains * rounds * mmd::simd<T>::width, [&](index_t part) {
      std::array<mmd::simd<T>, chains> sum;
      for (int c = 0; c < chains; ++c) sum[static_cast<std::size_t>(c)] = T(c);
      mmd::simd<T> x = T(0.999), y = T(0.5);
      for (int r = 0; r < rounds; ++r) {
        unknown(x);
#pragma GCC unroll 12
        for (int c = 0; c < chains; ++c) {
          auto& s = sum[static_cast<std::size_t>(c)];
          if constexpr (kind == step::multiply_add) {
            s = fma(s, x, y);
          } else {
            unknown(y);
            s += abs(x - y);
          }
        }
      }
      mmd::simd<T> all = T(0);
      for (const auto& s : sum) all += s;
      sink[static_cast<std::size_t>(part)] = static_cast<double>(all.sum());
    });
  }();
  return rate;
}

// Values of a kernel's formula a second, summed, from quantities in the first cache. Measured once for each type of formula.
template <class T, class Formula>
double value_rate(const Formula& formula) {
  static const double rate = [&] {
    constexpr int entries = 2048, rounds = 20'000, W = mmd::simd<T>::width;
    std::vector<T> quantity(entries);
    for (int i = 0; i < entries; ++i) quantity[static_cast<std::size_t>(i)] = T(i % 61) / T(16);
    std::vector<double> sink(static_cast<std::size_t>(threads()));
    return best_rate(static_cast<double>(entries) * rounds, [&](index_t part) {
      const auto own = formula;  // its constants stay in registers
      std::array<mmd::simd<T>, 4> sum{T(0), T(0), T(0), T(0)};
      for (int r = 0; r < rounds; ++r) {
        for (int i = 0; i < entries; i += 4 * W) {
          for (int u = 0; u < 4; ++u) {
            auto q = mmd::simd<T>::load(quantity.data() + i + u * W);
            unknown(q);
            sum[static_cast<std::size_t>(u)] += own(q);
          }
        }
      }
      sink[static_cast<std::size_t>(part)] = static_cast<double>((sum[0] + sum[1] + sum[2] + sum[3]).sum());
    });
  }();
  return rate;
}

// Bytes a second of a = b + s c over arrays far larger than the caches: two read, one written.
inline double memory_bandwidth() {
  static const double rate = [] {
    const index_t each = index_t{1} << 23, count = each * threads();
    std::vector<float> a(static_cast<std::size_t>(count)), b(a), c(a);
    return best_rate(3.0 * sizeof(float) * static_cast<double>(each), [&](index_t part) {
      using S = mmd::simd<float>;
      const S s = 0.5f;
      for (index_t i = part * each; i < (part + 1) * each; i += S::width) {
        fma(s, S::load(c.data() + i), S::load(b.data() + i)).store(a.data() + i);
      }
      benchmark::ClobberMemory();
    });
  }();
  return rate;
}

// What a case does, for its counters.
struct work {
  double pairs = 0;
  double flops = 0;          // of products, two a multiply-add
  double l1_flops = 0;       // of l1 distances, two a step
  double value_seconds = 0;  // all kernel values at their limit
  double bytes = 0;          // to be read at least
};

// of_peak: of the multiply-adds that the registers could do. of_limit: the time in which all parts would be done at their own limits, one
// after the other (or in which the bytes would be read, if that is longer), over the time taken.
template <class T>
void rates(State& state, const work& w, double time) {
  if (w.pairs > 0) state.counters["pairs/s"] = w.pairs / time;
  if (w.bytes > 0) state.counters["bytes"] = w.bytes;
  const double flops = w.flops + w.l1_flops;
  if (flops > 0) state.counters["FLOP/s"] = flops / time;
  if (flops == 0 && w.value_seconds == 0) return;
  double limit = w.flops / register_peak<T>() + w.value_seconds;
  if (w.l1_flops > 0) {
    limit += w.l1_flops / register_peak<T, step::absolute_difference>();
  } else {
    state.counters["of_peak"] = w.flops / register_peak<T>() / time;
  }
  if (w.value_seconds > 0) state.counters["of_value"] = w.value_seconds / time;
  if (w.bytes > 0) limit = std::max(limit, w.bytes / memory_bandwidth());
  state.counters["of_limit"] = limit / time;
}

}  // namespace bench
