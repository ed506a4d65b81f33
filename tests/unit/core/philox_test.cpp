// SPDX-License-Identifier: MIT
#include "mmd/core/philox.hpp"

#include <algorithm>
#include <cmath>
#include <set>
#include <string>

#include "mmd/core/hash.hpp"
#include "support/catch2.hpp"
#include "support/failures.hpp"

namespace {

using mmd::purpose;
using mmd::random_stream;

// Pearson's chi-square against equal counts, less its degrees of freedom, in standard deviations.
double chi_square_excess(const std::vector<int>& counts) {
  double total = 0, sum = 0;
  for (int c : counts) total += c;
  const double expected = total / static_cast<double>(counts.size()), freedom = static_cast<double>(counts.size()) - 1;
  for (int c : counts) sum += (c - expected) * (c - expected) / expected;
  return (sum - freedom) / std::sqrt(2 * freedom);
}
}  // namespace

TEST_CASE("Philox 4x32-10 gives Random123's known answers") {
  using block = std::array<std::uint32_t, 4>;
  CHECK(mmd::philox4x32({0, 0, 0, 0}, {0, 0}) == block{0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8});
  CHECK(mmd::philox4x32({0xffffffff, 0xffffffff, 0xffffffff, 0xffffffff}, {0xffffffff, 0xffffffff}) ==
        block{0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd});
  CHECK(mmd::philox4x32({0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344}, {0xa4093822, 0x299f31d0}) ==
        block{0xd16cfe09, 0x94fdcceb, 0x5001e420, 0x24126ea1});
}

TEST_CASE("a stream is its blocks in order, low half first") {
  random_stream s(0x0123456789abcdef, purpose::permutation, 0x12345678ab, 0xcd98765432);
  const std::array<std::uint32_t, 2> key{0x89abcdef, 0x01234567};
  const auto first = mmd::philox4x32({0, 0x98765432, 0x345678ab, 0x000312cd}, key);
  const auto second = mmd::philox4x32({1, 0x98765432, 0x345678ab, 0x000312cd}, key);
  for (std::uint32_t expected : first) CHECK(s.next32() == expected);
  CHECK(s.next64() == (std::uint64_t{second[1]} << 32 | second[0]));
  CHECK(s.uniform() == static_cast<double>((std::uint64_t{second[3]} << 32 | second[2]) >> 11) * 0x1p-53);
}

namespace {
// Number k of a stream, block by block.
std::uint32_t number(std::uint64_t seed, std::uint32_t why, std::uint64_t test, std::uint64_t draw, std::uint64_t k) {
  return mmd::philox4x32({static_cast<std::uint32_t>(k / 4), static_cast<std::uint32_t>(draw), static_cast<std::uint32_t>(test),
                          why << 16 | static_cast<std::uint32_t>(test >> 32) << 8 | static_cast<std::uint32_t>(draw >> 32)},
                         {static_cast<std::uint32_t>(seed), static_cast<std::uint32_t>(seed >> 32)})[k % 4];
}
constexpr std::uint64_t large_seed = 0x0123456789abcdef, large_test = 0xfe12345678;
}  // namespace

TEST_CASE("a long stream, and one that fills arrays, is its blocks in order") {
  const std::uint64_t draw = 0xabffffffff;
  random_stream one(large_seed, purpose::dropout, large_test, draw), many(large_seed, purpose::dropout, large_test, draw);
  std::vector<std::uint32_t> expected, in_turn, filled;
  for (std::uint64_t k = 0; k < 1500; ++k) {
    expected.push_back(number(large_seed, 6, large_test, draw, k));
    in_turn.push_back(one.next32());
  }
  CHECK(in_turn == expected);
  for (const std::size_t count : std::vector<std::size_t>{0, 3, 2, 64, 1, 200, 7, 512, 64, 5, 642}) {
    if (count == 7) {
      for (int k = 0; k < 7; ++k) filled.push_back(many.next32());
      continue;
    }
    std::vector<std::uint32_t> part(count);
    many.fill(part);
    filled.insert(filled.end(), part.begin(), part.end());
  }
  CHECK(filled == expected);
}

TEST_CASE("streams side by side are the streams of their draws") {
  for (const std::uint64_t first : {std::uint64_t{0}, std::uint64_t{999}, std::uint64_t{0x7fffffff9}, (std::uint64_t{1} << 40) - 16}) {
    mmd::random_streams all(large_seed, purpose::permutation, large_test, first),
        drawn(large_seed, purpose::permutation, large_test, first);
    std::vector<random_stream> one;
    for (std::uint64_t s = 0; s < 16; ++s) one.emplace_back(large_seed, purpose::permutation, large_test, first + s);
    std::uint32_t found[16], below[16];
    for (std::uint64_t k = 0; k < 40; ++k) {
      const auto n = static_cast<std::uint32_t>(7 + 1000 * k);
      all.next32(found);
      REQUIRE(drawn.below(n, below) == 0);
      for (std::uint64_t s = 0; s < 16; ++s) {
        CHECK(found[s] == number(large_seed, 3, large_test, first + s, k));
        CHECK(below[s] == one[s].below(n));
      }
    }
  }
  CHECK(message([] { mmd::random_streams(0, purpose::user, 0, (std::uint64_t{1} << 40) - 15); }) ==
        "mmd: random_stream: draw = 1099511627761, expected less than 2^40 - 15");
}

TEST_CASE("streams side by side name those that would draw again") {
  const std::uint32_t n = 0xC0000001u;  // a quarter of all numbers
  mmd::random_streams all(1, purpose::user, 0, 0);
  std::uint32_t found[16], again = 0;
  std::vector<random_stream> one, plain;
  for (std::uint64_t s = 0; s < 16; ++s) {
    one.emplace_back(1, purpose::user, 0, s);
    plain.emplace_back(1, purpose::user, 0, s);
  }
  for (int k = 0; k < 8; ++k) {
    const std::uint32_t now = all.below(n, found);
    std::uint32_t expected = 0;
    for (std::uint32_t s = 0; s < 16; ++s) {
      const std::uint64_t product = std::uint64_t{plain[s].next32()} * n;
      expected |= static_cast<std::uint32_t>(static_cast<std::uint32_t>(product) < (0u - n) % n) << s;
    }
    CHECK(now == expected);
    again |= now;
    for (std::uint32_t s = 0; s < 16; ++s) {
      const auto value = one[s].below(n);
      if (!(again >> s & 1)) CHECK(found[s] == value);
    }
  }
  CHECK(again != 0);
  CHECK(again != 0xFFFF);
}

TEST_CASE("every seed, purpose, test and draw has a stream of its own") {
  std::set<std::uint64_t> first;
  int streams = 0;
  const std::uint64_t large = std::uint64_t{1} << 32, last = (std::uint64_t{1} << 40) - 1;
  for (const std::uint64_t seed : {std::uint64_t{0}, std::uint64_t{1}, large}) {
    for (std::uint32_t why = 1; why <= 11; ++why) {
      for (const std::uint64_t test : {std::uint64_t{0}, std::uint64_t{1}, std::uint64_t{256}, large, last}) {
        for (const std::uint64_t draw : {std::uint64_t{0}, std::uint64_t{1}, std::uint64_t{256}, large, last}) {
          first.insert(random_stream(seed, static_cast<purpose>(why), test, draw).next64());
          ++streams;
        }
      }
    }
  }
  CHECK(first.size() == static_cast<std::size_t>(streams));
  CHECK(random_stream(7, purpose::user, 1, 2).next64() == random_stream(7, purpose::user, 1, 2).next64());
  CHECK(message([] { random_stream(0, purpose::user, std::uint64_t{1} << 40, 0); }) ==
        "mmd: random_stream: test = 1099511627776, expected less than 2^40");
  CHECK(message([] { random_stream(0, purpose::user, 0, std::uint64_t{1} << 40); }) ==
        "mmd: random_stream: draw = 1099511627776, expected less than 2^40");
  CHECK(message([] { random_stream(0, static_cast<purpose>(65536)); }) == "mmd: random_stream: purpose = 65536, expected less than 2^16");
}

TEST_CASE("below is uniform, for sizes that do not divide the range too") {
  for (const std::uint64_t n : {std::uint64_t{1}, std::uint64_t{2}, std::uint64_t{7}, std::uint64_t{1000}}) {
    random_stream s(1, purpose::user, n);
    std::vector<int> counts(n);
    for (int i = 0; i < 100'000; ++i) ++counts[s.below(n)];
    CHECK((n == 1 || std::abs(chi_square_excess(counts)) < 5));
  }
  // With 3 * 2^30 values a draw without rejection would give each residue pattern 1, 1, 2 times: the thirds would get 1/2, 1/4, 1/4.
  for (const std::uint64_t third : {std::uint64_t{1} << 30, std::uint64_t{1} << 62}) {
    random_stream s(2, purpose::user, 0, third >> 30);
    std::vector<int> counts(3), low(2);
    for (int i = 0; i < 30'000; ++i) {
      const std::uint64_t v = s.below(3 * third);
      REQUIRE(v < 3 * third);
      ++counts[v / third];
      ++low[v % 3 == 0];
    }
    CHECK(std::abs(chi_square_excess(counts)) < 5);
    CHECK(std::abs(low[1] - 10'000) < 5 * 82);
  }
}

TEST_CASE("uniform and normal numbers have their moments") {
  random_stream s(3, purpose::user);
  const int count = 200'000;
  double u1 = 0, u2 = 0, n1 = 0, n2 = 0, n3 = 0, n4 = 0, lag = 0, before = 0;
  for (int i = 0; i < count; ++i) {
    const double u = s.uniform();
    REQUIRE((u >= 0 && u < 1));
    u1 += u / count;
    u2 += u * u / count;
    const double z = s.normal();
    REQUIRE(std::isfinite(z));
    n1 += z / count;
    n2 += z * z / count;
    n3 += z * z * z / count;
    n4 += z * z * z * z / count;
    lag += z * before / count;
    before = z;
  }
  const double unit = 5 / std::sqrt(count);  // five standard deviations of a mean of variance 1
  CHECK(std::abs(u1 - .5) < unit * .29);
  CHECK(std::abs(u2 - 1. / 3) < unit * .3);
  CHECK(std::abs(n1) < unit);
  CHECK(std::abs(n2 - 1) < unit * std::sqrt(2.));
  CHECK(std::abs(n3) < unit * std::sqrt(15.));
  CHECK(std::abs(n4 - 3) < unit * std::sqrt(96.));
  CHECK(std::abs(lag) < unit);
}

TEST_CASE("permutations and subsets are uniform") {
  std::vector<int> orders(24), subsets(10), shuffled(6);
  for (std::uint64_t draw = 0; draw < 24'000; ++draw) {
    random_stream s(4, purpose::user, 0, draw);
    const auto p = s.permutation(4);
    int rank = 0;
    for (std::size_t i = 0; i < 4; ++i) {
      int smaller = 0;
      for (std::size_t j = i + 1; j < 4; ++j) smaller += p[j] < p[i];
      rank = rank * static_cast<int>(4 - i) + smaller;
    }
    ++orders[static_cast<std::size_t>(rank)];
    const auto chosen = s.subset(5, 2);
    REQUIRE(chosen.size() == 2);
    REQUIRE(chosen[0] < chosen[1]);
    ++subsets[static_cast<std::size_t>(chosen[1] * (chosen[1] - 1) / 2 + chosen[0])];
    std::array<char, 3> word{'a', 'b', 'c'};
    s.shuffle(std::span(word));
    ++shuffled[static_cast<std::size_t>(2 * (word[0] - 'a') + (word[1] > word[2]))];
  }
  CHECK(std::abs(chi_square_excess(orders)) < 5);
  CHECK(std::abs(chi_square_excess(subsets)) < 5);
  CHECK(std::abs(chi_square_excess(shuffled)) < 5);
}

TEST_CASE("subsets at the edges") {
  random_stream s(5, purpose::user);
  CHECK(s.subset(0, 0).empty());
  CHECK(s.subset(6, 0).empty());
  CHECK(s.subset(4, 4) == std::vector<mmd::index_t>{0, 1, 2, 3});
  CHECK(s.permutation(0).empty());
  CHECK(s.permutation(1) == std::vector<mmd::index_t>{0});
  CHECK(message([&] { s.subset(3, 4); }) == "mmd: subset: count = 4, expected 0 or more and no more than n");
  CHECK(message([&] { s.subset(-1, 0); }) == "mmd: subset: n = -1, expected 0 or more");
  CHECK(message([&] { s.permutation(-1); }) == "mmd: permutation: n = -1, expected 0 or more");
}

TEST_CASE("hashes give known values") {
  using mmd::detail::fnv1a;
  constexpr std::uint64_t published = 14695981039346656037ull;
  CHECK(fnv1a(published).value() == published);
  CHECK(fnv1a(published).add("a").value() == 0xaf63dc4c8601ec8cull);
  CHECK(fnv1a(published).add("foo").add("bar").value() == 0x85944171f73967e8ull);
  CHECK(fnv1a(published).add_number(0x61).value() == fnv1a(published).add(std::string_view("a\0\0\0\0\0\0\0", 8)).value());
  CHECK(mmd::detail::fmix64(0) == 0);
  CHECK(mmd::detail::fmix64(1) == 0xb456bcfc34c2cb2cull);
}
