// SPDX-License-Identifier: MIT
#include "mmd/learning/batches.hpp"

#include <set>

#include "support/catch2.hpp"
#include "support/failures.hpp"

namespace {
std::vector<mmd::index_t> draw(mmd::RowBatches& batches) {
  const auto b = batches.next();
  return {b.begin(), b.end()};
}
}  // namespace

TEST_CASE("an epoch sees no row twice, and leaves fewer than a batch out", "[batches]") {
  const auto [rows, batch] =
      GENERATE(std::pair<int, int>{10, 3}, std::pair<int, int>{12, 4}, std::pair<int, int>{5, 9}, std::pair<int, int>{1, 1});
  mmd::RowBatches batches(rows, batch, 1, 0);
  CHECK(batches.batch() == std::min(rows, batch));
  CHECK(batches.batches_an_epoch() == rows / batches.batch());
  std::set<std::vector<mmd::index_t>> epochs;
  for (int epoch = 0; epoch < 4; ++epoch) {
    std::vector<mmd::index_t> seen;
    for (mmd::index_t b = 0; b < batches.batches_an_epoch(); ++b) {
      for (const auto i : draw(batches)) seen.push_back(i);
    }
    const std::set<mmd::index_t> different(seen.begin(), seen.end());
    CHECK(different.size() == seen.size());
    CHECK(*different.begin() >= 0);
    CHECK(*different.rbegin() < rows);
    epochs.insert(seen);
  }
  if (rows > 4) CHECK(epochs.size() == 4);
}

TEST_CASE("batches depend on the seed and the sample alone", "[batches]") {
  mmd::RowBatches a(50, 7, 3, 0), same(50, 7, 3, 0), other_seed(50, 7, 4, 0), other_sample(50, 7, 3, 1);
  const auto first = draw(a);
  CHECK(draw(same) == first);
  CHECK(draw(other_seed) != first);
  CHECK(draw(other_sample) != first);
}

TEST_CASE("every row is as likely as any other", "[batches]") {
  std::vector<int> count(10);
  for (std::uint64_t seed = 0; seed < 4000; ++seed) {
    mmd::RowBatches batches(10, 3, seed, 0);
    for (const auto i : draw(batches)) ++count[static_cast<std::size_t>(i)];
  }
  for (const int c : count) CHECK(std::abs(c - 1200) < 4.5 * std::sqrt(4000 * 0.3 * 0.7));
}

TEST_CASE("a batch needs a row", "[batches]") {
  CHECK(mentions(message_of<mmd::invalid_input>([] { mmd::RowBatches(5, 0, 1, 0); }), "batch = 0, expected at least 1"));
}
