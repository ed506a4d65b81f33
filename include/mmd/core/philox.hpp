// SPDX-License-Identifier: MIT
// Counter-based random numbers: Philox 4x32-10 (Salmon, Moraes, Dror, Shaw, "Parallel random numbers: as easy as 1, 2, 3", SC 2011).
// A draw is a function of (seed, purpose, test, draw) alone, so that results do not depend on threads, blocks, backends or the standard
// library, and no two purposes share a stream. Several blocks are made at once where that is faster: the same numbers.
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
#if defined(__SSE2__)
#include <immintrin.h>
#endif

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

namespace detail {
inline namespace MMD_ISA {

inline constexpr std::uint32_t philox_multiplier[2] = {0xD2511F53u, 0xCD9E8D57u}, philox_step[2] = {0x9E3779B9u, 0xBB67AE85u};

// 32-bit words in the low halves of 64-bit lanes; what the high halves hold does not matter.
typedef std::uint64_t philox_words __attribute__((vector_size(MMD_SIMD_BYTES)));
inline constexpr int philox_lanes = MMD_SIMD_BYTES / 8, chained_packs = 2;  // two at once, as each waits for its products
inline constexpr int sequence_blocks = chained_packs * philox_lanes;

// The 64-bit products of the low halves.
[[gnu::always_inline]] inline philox_words philox_product(philox_words a, std::uint32_t b) {
  const philox_words all = b - philox_words{};
#if MMD_SIMD_BYTES == 64
  return (philox_words)_mm512_maskz_mul_epu32(0xff, (__m512i)a, (__m512i)all);  // the plain form makes GCC 12 warn
#elif MMD_SIMD_BYTES == 32
  return (philox_words)_mm256_mul_epu32((__m256i)a, (__m256i)all);
#elif defined(__SSE2__)
  return (philox_words)_mm_mul_epu32((__m128i)a, (__m128i)all);
#else
  return (a & 0xFFFFFFFFu) * all;
#endif
}

struct philox_start {
  std::array<std::uint32_t, 4> counter;
  std::array<std::uint32_t, 2> key;
};

// Ten rounds on `blocks` counters: counter(numbers, c) fills the four words of counters numbers[0], ...; use(first, c) receives the blocks
// first, first + 1, ...
template <int blocks, class Counter, class Use>
[[gnu::always_inline]] inline void philox_blocks(const Counter& counter, const std::array<std::uint32_t, 2>& key, const Use& use) {
  const philox_words lanes = []<std::uint64_t... l>(std::integer_sequence<std::uint64_t, l...>) { return philox_words{l...}; }
  (std::make_integer_sequence<std::uint64_t, philox_lanes>{});
  for (int first = 0; first < blocks; first += sequence_blocks) {
    philox_words c[chained_packs][4];
    MMD_UNROLL(2)
    for (int p = 0; p < chained_packs; ++p) counter(lanes + static_cast<std::uint64_t>(first + p * philox_lanes), c[p]);
    philox_words k0 = philox_words{} + key[0], k1 = philox_words{} + key[1];
    for (int round = 0; round < 10; ++round) {
      MMD_UNROLL(2)
      for (int p = 0; p < chained_packs; ++p) {
        const philox_words a = philox_product(c[p][0], philox_multiplier[0]), b = philox_product(c[p][2], philox_multiplier[1]);
        c[p][0] = (b >> 32) ^ c[p][1] ^ k0;
        c[p][1] = b;
        c[p][2] = (a >> 32) ^ c[p][3] ^ k1;
        c[p][3] = a;
      }
      k0 += philox_step[0];
      k1 += philox_step[1];
    }
    MMD_UNROLL(2)
    for (int p = 0; p < chained_packs; ++p) use(first + p * philox_lanes, c[p]);
  }
}

// `sequence_blocks` blocks in a row of one stream: number k of block b at out[4 b + k].
inline void philox_sequence(const philox_start& from, std::uint32_t* out) {
  philox_blocks<sequence_blocks>(
      [&](philox_words lanes, philox_words* c) {
        c[0] = lanes + from.counter[0];
        for (int k = 1; k < 4; ++k) c[k] = philox_words{} + from.counter[static_cast<std::size_t>(k)];
      },
      from.key,
      [&](int first, const philox_words* c) {
        const philox_words low = (c[0] & 0xFFFFFFFFu) | c[1] << 32, high = (c[2] & 0xFFFFFFFFu) | c[3] << 32;
#if defined(__CUDACC__)  // whose front end loses the packs of a builtin's arguments
        philox_words front, back;
        for (int i = 0; i < philox_lanes; ++i) {
          const int l = i / 2, middle = philox_lanes / 2;
          front[i] = i % 2 ? high[l] : low[l];
          back[i] = i % 2 ? high[middle + l] : low[middle + l];
        }
#else
        const auto interleaved = [&]<int... i>(std::integer_sequence<int, i...>, auto half) {
          constexpr int start = decltype(half)::value * philox_lanes / 2;
          return __builtin_shufflevector(low, high, (start + i / 2 + i % 2 * philox_lanes)...);
        };
        constexpr std::make_integer_sequence<int, philox_lanes> all;
        const philox_words front = interleaved(all, std::integral_constant<int, 0>{}),
                           back = interleaved(all, std::integral_constant<int, 1>{});
#endif
        __builtin_memcpy(out + 4 * first, &front, sizeof front);
        __builtin_memcpy(out + 4 * first + 2 * philox_lanes, &back, sizeof back);
      });
}

// The first counter of draws draw ... draw + more. The 96 bits beside the number of the block hold purpose (16), test (40) and draw (40).
inline philox_start start_of(std::uint64_t seed, purpose why, std::uint64_t test, std::uint64_t draw, std::uint64_t more) {
  const auto number = static_cast<std::uint32_t>(why);
  require(number < 65536u, "random_stream: purpose", number, "less than 2^16");
  constexpr std::uint64_t limit = std::uint64_t{1} << 40;
  require(test < limit, "random_stream: test", test, "less than 2^40");
  require(draw < limit - more, "random_stream: draw", draw, more == 0 ? "less than 2^40" : "less than 2^40 - 15");
  return {{0, static_cast<std::uint32_t>(draw), static_cast<std::uint32_t>(test),
           number << 16 | static_cast<std::uint32_t>(test >> 32) << 8 | static_cast<std::uint32_t>(draw >> 32)},
          {static_cast<std::uint32_t>(seed), static_cast<std::uint32_t>(seed >> 32)}};
}

// Ten rounds on one counter, in place.
MMD_HD inline void philox_rounds(std::uint32_t (&c)[4], std::uint32_t k0, std::uint32_t k1) {
  constexpr std::uint32_t multiplier[] = {philox_multiplier[0], philox_multiplier[1]}, add[] = {philox_step[0], philox_step[1]};
  for (int round = 0; round < 10; ++round) {
    const std::uint64_t a = std::uint64_t{multiplier[0]} * c[0], b = std::uint64_t{multiplier[1]} * c[2];
    c[0] = static_cast<std::uint32_t>(b >> 32) ^ c[1] ^ k0;
    c[1] = static_cast<std::uint32_t>(b);
    c[2] = static_cast<std::uint32_t>(a >> 32) ^ c[3] ^ k1;
    c[3] = static_cast<std::uint32_t>(a);
    k0 += add[0];
    k1 += add[1];
  }
}

// Number `index` of random_stream(seed, why, test, draw), made alone: what each thread of a device draws. Arguments are not checked.
MMD_HD inline std::uint32_t number_of_stream(std::uint64_t seed, purpose why, std::uint64_t test, std::uint64_t draw, std::uint64_t index) {
  std::uint32_t c[4] = {
      static_cast<std::uint32_t>(index / 4), static_cast<std::uint32_t>(draw), static_cast<std::uint32_t>(test),
      static_cast<std::uint32_t>(why) << 16 | static_cast<std::uint32_t>(test >> 32) << 8 | static_cast<std::uint32_t>(draw >> 32)};
  philox_rounds(c, static_cast<std::uint32_t>(seed), static_cast<std::uint32_t>(seed >> 32));
  const std::uint64_t k = index % 4;
  return k == 0 ? c[0] : k == 1 ? c[1] : k == 2 ? c[2] : c[3];
}

}  // namespace MMD_ISA
}  // namespace detail

inline namespace MMD_ISA {

// Ten rounds on the counter with the key.
inline std::array<std::uint32_t, 4> philox4x32(std::array<std::uint32_t, 4> counter, std::array<std::uint32_t, 2> key) {
  std::uint32_t c[4] = {counter[0], counter[1], counter[2], counter[3]};
  detail::philox_rounds(c, key[0], key[1]);
  return {c[0], c[1], c[2], c[3]};
}

// One stream: 2^32 blocks of four numbers for each (seed, purpose, test, draw). A purpose from 2^16, a test or a draw from 2^40 on throws
// invalid_input. The first block is made alone, those after it four to sixteen at once.
class random_stream {
 public:
  random_stream(std::uint64_t seed, purpose why, std::uint64_t test = 0, std::uint64_t draw = 0)
      : start_(detail::start_of(seed, why, test, draw, 0)) {}

  std::uint32_t next32() {
    if (used_ == made_) refill();
    return numbers_[used_++];
  }
  // out[i] = next32() for every i in turn, but faster.
  void fill(std::span<std::uint32_t> out) {
    std::size_t i = 0;
    while (i < out.size() && used_ < made_) out[i++] = numbers_[used_++];
    for (; i + numbers_.size() <= out.size(); i += numbers_.size()) next_blocks(&out[i]);
    while (i < out.size()) out[i++] = next32();
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
  void refill() {
    used_ = 0;
    if (start_.counter[0] == 0) {
      const auto block = philox4x32(start_.counter, start_.key);
      start_.counter[0] = 1;
      made_ = 4;
      for (std::size_t k = 0; k < 4; ++k) numbers_[k] = block[k];
    } else {
      next_blocks(numbers_.data());
      made_ = static_cast<unsigned>(numbers_.size());
    }
  }
  void next_blocks(std::uint32_t* out) {
    detail::philox_sequence(start_, out);
    start_.counter[0] += detail::sequence_blocks;
  }

  detail::philox_start start_;
  std::array<std::uint32_t, 4 * detail::sequence_blocks> numbers_;
  unsigned used_ = 0, made_ = 0;
  double spare_ = 0;
  bool has_spare_ = false;
};

// Sixteen streams side by side: draws first_draw + s, s = 0 ... 15, of (seed, purpose, test), for many draws of few numbers each. Number k
// of stream s is number k of random_stream(seed, why, test, first_draw + s). A first draw from 2^40 - 15 on throws invalid_input.
class random_streams {
 public:
  static constexpr int count = 16;

  random_streams(std::uint64_t seed, purpose why, std::uint64_t test, std::uint64_t first_draw)
      : start_(detail::start_of(seed, why, test, first_draw, count - 1)), first_draw_(first_draw) {}

  // The next number of every stream: out[s] is what next32() of stream s would give.
  void next32(std::uint32_t* out) {
    const detail::philox_words* from = next();
    for (int p = 0; p < packs; ++p) store(from[p], out + p * detail::philox_lanes);
  }
  // out[s] = below(n) of every stream, 1 <= n < 2^32. Bit s of the result: stream s would have drawn again (probability below n / 2^32);
  // from here on its numbers are not what a random_stream gives, and this draw is to be made by one.
  std::uint32_t below(std::uint32_t n, std::uint32_t* out) {
    const detail::philox_words* from = next();
    detail::philox_words low[packs], seen{};
    for (int p = 0; p < packs; ++p) {
      const detail::philox_words product = detail::philox_product(from[p], n);
      store(product >> 32, out + p * detail::philox_lanes);
      low[p] = product & 0xFFFFFFFFu;
      seen |= (detail::philox_words)(low[p] < n);
    }
    std::uint64_t any = 0;
    for (int l = 0; l < detail::philox_lanes; ++l) any |= seen[l];
    if (any == 0) return 0;
    const std::uint32_t threshold = (0u - n) % n;
    std::uint32_t again = 0;
    for (int s = 0; s < count; ++s) {
      again |= static_cast<std::uint32_t>(low[s / detail::philox_lanes][s % detail::philox_lanes] < threshold) << s;
    }
    return again;
  }

 private:
  static constexpr int packs = count / detail::philox_lanes;

  static void store(detail::philox_words v, std::uint32_t* out) {
    typedef std::uint32_t half __attribute__((vector_size(MMD_SIMD_BYTES / 2)));
    const half narrow = __builtin_convertvector(v, half);
    __builtin_memcpy(out, &narrow, sizeof narrow);
  }
  const detail::philox_words* next() {
    if (used_ == 4) {
      detail::philox_blocks<count>(
          [&](detail::philox_words lanes, detail::philox_words* c) {
            const detail::philox_words draw = lanes + first_draw_;
            c[0] = detail::philox_words{} + start_.counter[0];
            c[1] = draw;
            c[2] = detail::philox_words{} + start_.counter[2];
            c[3] = (start_.counter[3] & ~0xFFu) | draw >> 32;
          },
          start_.key,
          [&](int first, const detail::philox_words* c) {
            for (int k = 0; k < 4; ++k) numbers_[k][first / detail::philox_lanes] = c[k];
          });
      ++start_.counter[0];
      used_ = 0;
    }
    return numbers_[used_++];
  }

  detail::philox_start start_;
  std::uint64_t first_draw_;
  detail::philox_words numbers_[4][packs] = {};
  unsigned used_ = 4;
};

}  // namespace MMD_ISA
}  // namespace mmd
