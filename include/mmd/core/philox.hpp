// SPDX-License-Identifier: MIT
// Counter-based random numbers: Philox 4x32-10 (Salmon, Moraes, Dror, Shaw, "Parallel random numbers: as easy as 1, 2, 3", SC 2011).
// A draw is a function of (seed, purpose, test, draw) alone, so that results do not depend on threads, blocks, backends or the standard
// library, and no two purposes share a stream.
#pragma once

#include <array>
#include <cmath>
#include <cstdint>
#include <numeric>
#include <span>
#include <utility>
#include <vector>

#include "mmd/core/config.hpp"
#include "mmd/core/errors.hpp"

namespace mmd {

// What a stream of random numbers is for. The values are part of what is reproducible: never renumber, only append.
enum class purpose : std::uint32_t {
  row_order = 1,
  bandwidth_subsample = 2,
  permutation = 3,
  initial_weights = 4,
  batches = 5,
  dropout = 6,
  splits = 7,
  bin_shuffle = 8,
  bootstrap = 9,
  group_draws = 10,
  user = 1000
};

inline namespace MMD_ISA {

// Ten rounds on the counter with the key.
inline std::array<std::uint32_t, 4> philox4x32(std::array<std::uint32_t, 4> counter, std::array<std::uint32_t, 2> key) {
  for (int round = 0; round < 10; ++round) {
    const std::uint64_t a = std::uint64_t{0xD2511F53u} * counter[0], b = std::uint64_t{0xCD9E8D57u} * counter[2];
    counter = {static_cast<std::uint32_t>(b >> 32) ^ counter[1] ^ key[0], static_cast<std::uint32_t>(b),
               static_cast<std::uint32_t>(a >> 32) ^ counter[3] ^ key[1], static_cast<std::uint32_t>(a)};
    key[0] += 0x9E3779B9u;
    key[1] += 0xBB67AE85u;
  }
  return counter;
}

// One stream: 2^32 blocks of four numbers for each (seed, purpose, test, draw). The 96 remaining counter bits hold purpose (16), test (40)
// and draw (40); larger values throw invalid_input.
class random_stream {
 public:
  random_stream(std::uint64_t seed, purpose why, std::uint64_t test = 0, std::uint64_t draw = 0)
      : key_{static_cast<std::uint32_t>(seed), static_cast<std::uint32_t>(seed >> 32)} {
    detail::require(static_cast<std::uint32_t>(why) < 65536u, "random_stream: purpose", static_cast<std::uint32_t>(why), "less than 2^16");
    constexpr std::uint64_t limit = std::uint64_t{1} << 40;
    detail::require(test < limit, "random_stream: test", test, "less than 2^40");
    detail::require(draw < limit, "random_stream: draw", draw, "less than 2^40");
    counter_ = {
        0, static_cast<std::uint32_t>(draw), static_cast<std::uint32_t>(test),
        static_cast<std::uint32_t>(why) << 16 | static_cast<std::uint32_t>(test >> 32) << 8 | static_cast<std::uint32_t>(draw >> 32)};
  }

  std::uint32_t next32() {
    if (used_ == 4) {
      block_ = philox4x32(counter_, key_);
      ++counter_[0];
      used_ = 0;
    }
    return block_[used_++];
  }
  std::uint64_t next64() {
    const std::uint64_t low = next32();
    return low | std::uint64_t{next32()} << 32;
  }
  // Uniform on [0, 1), 53 bits.
  double uniform() { return static_cast<double>(next64() >> 11) * 0x1p-53; }
  // Uniform on {0, ..., n - 1}, n >= 1, without bias (Lemire's rejection).
  std::uint64_t below(std::uint64_t n) {
    if (n <= 0xFFFFFFFFu) {
      const auto m = static_cast<std::uint32_t>(n);
      std::uint64_t product = std::uint64_t{next32()} * m;
      if (static_cast<std::uint32_t>(product) < m) {
        const std::uint32_t threshold = (0u - m) % m;
        while (static_cast<std::uint32_t>(product) < threshold) product = std::uint64_t{next32()} * m;
      }
      return product >> 32;
    }
    const std::uint64_t bucket = UINT64_MAX / n, limit = bucket * n;
    std::uint64_t x = next64();
    while (x >= limit) x = next64();
    return x / bucket;
  }
  // Standard normal (Box-Muller; both numbers of a pair are used).
  double normal() {
    if (has_spare_) {
      has_spare_ = false;
      return spare_;
    }
    const double r = std::sqrt(-2 * std::log(1 - uniform())), angle = 6.283185307179586 * uniform();
    spare_ = r * std::sin(angle);
    has_spare_ = true;
    return r * std::cos(angle);
  }
  // A uniformly random order of the values (Fisher-Yates).
  template <class V, std::size_t size>
  void shuffle(std::span<V, size> values) {
    for (std::size_t i = values.size(); i > 1; --i) std::swap(values[i - 1], values[below(i)]);
  }
  // 0..n - 1 in a uniformly random order.
  std::vector<index_t> permutation(index_t n) {
    detail::require(n >= 0, "permutation: n", n, "0 or more");
    std::vector<index_t> order(static_cast<std::size_t>(n));
    std::iota(order.begin(), order.end(), index_t{0});
    shuffle(std::span(order));
    return order;
  }
  // A uniformly random subset of `count` of 0..n - 1, in ascending order (Floyd's algorithm: `count` draws; n bits of memory).
  std::vector<index_t> subset(index_t n, index_t count) {
    detail::require(n >= 0, "subset: n", n, "0 or more");
    detail::require(count >= 0 && count <= n, "subset: count", count, "0 or more and no more than n");
    std::vector<bool> taken(static_cast<std::size_t>(n));
    for (index_t last = n - count; last < n; ++last) {
      const auto drawn = static_cast<std::size_t>(below(static_cast<std::uint64_t>(last) + 1));
      taken[taken[drawn] ? static_cast<std::size_t>(last) : drawn] = true;
    }
    std::vector<index_t> chosen;
    chosen.reserve(static_cast<std::size_t>(count));
    for (index_t i = 0; i < n; ++i) {
      if (taken[static_cast<std::size_t>(i)]) chosen.push_back(i);
    }
    return chosen;
  }

 private:
  std::array<std::uint32_t, 2> key_;
  std::array<std::uint32_t, 4> counter_{}, block_{};
  unsigned used_ = 4;
  double spare_ = 0;
  bool has_spare_ = false;
};

}  // namespace MMD_ISA
}  // namespace mmd
