// SPDX-License-Identifier: MIT
// Bad input, exceptions from inside, progress and cancellation.
#include <atomic>
#include <limits>
#include <mutex>
#include <new>
#include <set>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

#include "support.hpp"
#include "support/catch2.hpp"

using namespace mmd;
using namespace backends_test;
using Catch::Matchers::Contains;
using Catch::Matchers::Equals;

namespace user {

// Throws what it is told to at tiles of the panel that starts at row `at`.
struct throwing {
  index_t at = 0;
  bool out_of_memory = false;
  static constexpr bool shared = false;
  void prepare(const layout&) {}
  void merge(const throwing&) {}
};
template <class T>
void add(throwing& r, const tile<T>& t) {
  if (t.I.first < r.at) return;
  if (r.out_of_memory) throw std::bad_alloc();
  throw std::runtime_error("tile " + std::to_string(t.I.first) + ", " + std::to_string(t.J.first));
}

// Counts kernel values, by merging.
struct counter {
  index_t pairs = 0;
  static constexpr bool shared = false;
  void prepare(const layout&) { pairs = 0; }
  void merge(const counter& o) { pairs += o.pairs; }
};
template <class T>
void add(counter& r, const tile<T>& t) {
  r.pairs += t.diagonal ? t.I.rows * (t.I.rows - 1) / 2 : t.I.rows * t.J.rows;
}

struct bad_map {
  enum fault { short_by_a_row, not_finite, uneven, throws, out_of_memory } what;
  matrix<float> operator()(const samples<float>& x) const {
    if (what == throws) throw std::runtime_error("this map is broken");
    if (what == out_of_memory) throw std::bad_alloc();
    matrix<float> out(x.rows() - (what == short_by_a_row), what == uneven ? x.rows() : 3);
    for (index_t i = 0; i < out.size(); ++i) out.data()[i] = 1.0f;
    if (what == not_finite) out(1, 2) = std::numeric_limits<float>::infinity();
    return out;
  }
};

}  // namespace user

TEST_CASE("groups that do not fit are refused by name", "[control]") {
  const auto x = normal_rows<double>(5, 3, 1), y = normal_rows<double>(4, 2, 1);
  const matrix<double> empty(0, 3);
  row_sums r;
  const auto refused = [&](pooled<double> z) { return message_of<invalid_input>([&] { cpu{}.reduce(gaussian(1), z, r); }); };
  const samples<double> X(x), Y(y), E(empty);
  CHECK_THAT(refused({}), Equals("mmd: groups = 0, expected at least one group of rows"));
  CHECK_THAT(refused({{X, E}}), Equals("mmd: group.rows() = 0, expected at least 1"));
  CHECK_THAT(refused({{X, Y}}), Equals("mmd: group.cols() = 2, expected as many columns as the first group, 3"));
  CHECK_THAT(refused({{X}, {0, 1, 2}}), Equals("mmd: order.size() = 3, expected one position for each of the 5 rows"));
  CHECK_THAT(refused({{X}, {0, 1, 2, 3, 5}}), Equals("mmd: order = 5, expected the number of a row"));
  CHECK_THAT(refused({{X}, {0, 1, 2, 3, 4}, {{0, 0}}}),
             Equals("mmd: skip.size() = 1, expected nothing to skip where `order` makes one group of all rows"));
  CHECK_THAT(refused({{X, X}, {}, {{0, 2}}}), Equals("mmd: skip: group = 2, expected the number of a group"));
  CHECK_THAT(refused({{X, X}, {}, {{-1, 0}}}), Equals("mmd: skip: group = -1, expected the number of a group"));
  CHECK_THAT(message_of<invalid_input>([&] { cpu{}.reduce(on(given(y), gaussian(1)), pooled<double>{{X}}, r); }),
             Equals("mmd: given: features.rows() = 4, expected one row for each of the 5 pooled rows"));
}

TEST_CASE("a map whose result does not fit is refused, its own exceptions come out", "[control]") {
  const auto x = normal_rows<float>(5, 3, 1), y = normal_rows<float>(7, 3, 2);
  row_sums r;
  using user::bad_map;
  for (const int threads : {1, 2, 7}) {
    const auto run = [&](bad_map::fault f) { cpu{.threads = threads}.reduce(gaussian(1) * on(bad_map{f}, gaussian(1)), pool(x, y), r); };
    CHECK_THAT(message_of<invalid_input>([&] { run(bad_map::short_by_a_row); }),
               Equals("mmd: map: rows() = 4, expected one row of features for each of the 5 rows"));
    CHECK_THAT(message_of<invalid_input>([&] { run(bad_map::uneven); }),
               Equals("mmd: map: cols() = 7, expected as many features for every group"));
    CHECK_THAT(message_of<invalid_input>([&] { run(bad_map::not_finite); }),
               Equals("mmd: mapped features(1, 2) = inf, expected a finite number"));
    CHECK_THAT(message_of<std::runtime_error>([&] { run(bad_map::throws); }), Equals("this map is broken"));
    CHECK_THROWS_AS(run(bad_map::out_of_memory), std::bad_alloc);
  }
}

TEST_CASE("what a reducer throws in a parallel region comes out, that of the lowest part", "[control]") {
  const auto x = normal_rows<float>(2000, 40, 1);
  const pooled<float> z{{samples<float>(x)}};
  for (const index_t at : {0, 600, 1800}) {
    user::throwing first{at};
    const std::string expected = message_of<std::runtime_error>([&] { cpu{.threads = 1}.reduce(gaussian(5), z, first); });
    CHECK_THAT(expected, Contains("tile"));
    for (const int threads : {2, 3, 7}) {
      for (int repeat = 0; repeat < 5; ++repeat) {
        user::throwing r{at};
        CHECK(message_of<std::runtime_error>([&] { cpu{.threads = threads}.reduce(gaussian(5), z, r); }) == expected);
      }
    }
  }
  user::throwing r{600, true};
  CHECK_THROWS_AS(cpu{.threads = 3}.reduce(gaussian(5), z, r), std::bad_alloc);
}

TEST_CASE("for_each runs every part once and throws what the lowest throws", "[control]") {
  for (const int threads : {1, 2, 7}) {
    const cpu on{.threads = threads};
    std::vector<int> runs(1000);
    on.for_each(1000, [&](index_t i) { ++runs[static_cast<std::size_t>(i)]; });
    CHECK(runs == std::vector<int>(1000, 1));
    on.for_each(0, [](index_t) { throw std::runtime_error("no part"); });
    for (int repeat = 0; repeat < 20; ++repeat) {
      std::vector<std::atomic<int>> done(200);
      const auto message = message_of<std::runtime_error>([&] {
        on.for_each(200, [&](index_t i) {
          ++done[static_cast<std::size_t>(i)];
          if (i % 7 == 3) throw std::runtime_error("part " + std::to_string(i));
        });
      });
      CHECK(message == "part 3");
      CHECK((done[0] == 1 && done[1] == 1 && done[2] == 1));
    }
  }
}

TEST_CASE("a pass inside for_each gives the same and reports nothing", "[control]") {
  const auto x = normal_rows<float>(300, 10, 1);
  const pooled<float> z{{samples<float>(x)}};
  row_sums alone;
  cpu{}.reduce(gaussian(3), z, alone);
  std::vector<row_sums> inside(8);
  std::atomic<int> reports = 0;
  for (const int threads : {1, 3}) {
    cpu on{.threads = threads};
    on.progress = [&](const progress_report&) {
      ++reports;
      return true;
    };
    on.for_each(8, [&](index_t i) { on.reduce(gaussian(3), z, inside[static_cast<std::size_t>(i)]); });
    for (const auto& r : inside) CHECK(r.sums == alone.sums);
    CHECK(reports == 0);
    on.reduce(gaussian(3), z, inside[0]);
    CHECK(reports.exchange(0) > 0);
  }
}

TEST_CASE("progress comes on the calling thread, grows, ends at the total, and changes no bit", "[control]") {
  const auto x = normal_rows<float>(3000, 16, 1);
  const pooled<float> z{{samples<float>(x)}};
  row_sums silent;
  cpu{.threads = 2}.reduce(gaussian(4), z, silent);
  for (const int threads : {1, 2, 7}) {
    cpu on{.threads = threads};
    std::vector<progress_report> seen;
    bool elsewhere = false;
    const auto caller = std::this_thread::get_id();
    on.progress = [&](const progress_report& r) {
      elsewhere = elsewhere || std::this_thread::get_id() != caller;
      seen.push_back(r);
      return true;
    };
    row_sums r;
    user::counter pairs;
    on.reduce(gaussian(4), z, r, pairs);
    CHECK(pairs.pairs == 3000 * 2999 / 2);
    CHECK(r.sums == silent.sums);
    CHECK_FALSE(elsewhere);
    REQUIRE(seen.size() >= 3);
    CHECK(seen.front().done == 0);
    CHECK(seen.back().done == seen.back().total);
    for (std::size_t i = 0; i < seen.size(); ++i) {
      CHECK(seen[i].stage == "pairs");
      CHECK(seen[i].total == seen[0].total);
      if (i > 0) CHECK(seen[i].done >= seen[i - 1].done);
    }
  }
}

TEST_CASE("a callback that says no cancels soon; its own exceptions come out", "[control]") {
  const auto x = normal_rows<float>(3000, 16, 1);
  const pooled<float> z{{samples<float>(x)}};
  for (const int threads : {1, 3}) {
    cpu on{.threads = threads};
    int calls = 0;
    on.progress = [&](const progress_report& r) {
      ++calls;
      return r.done == 0;
    };
    row_sums r;
    CHECK_THROWS_AS(on.reduce(gaussian(4), z, r), cancelled);
    CHECK(calls == 2);
    const pair_weights w{std::vector<double>(3000, 1), std::vector<double>(3000, 1), {1}, {1}};
    calls = 0;
    CHECK_THROWS_AS(on.gradient(gaussian(4), z, w), cancelled);
    CHECK(calls == 2);
    on.progress = [](const progress_report&) -> bool { throw std::runtime_error("from the callback"); };
    CHECK_THAT(message_of<std::runtime_error>([&] { on.reduce(gaussian(4), z, r); }), Equals("from the callback"));
  }
}
