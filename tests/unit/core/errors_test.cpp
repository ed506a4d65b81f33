// SPDX-License-Identifier: MIT
#include "mmd/core/errors.hpp"

#include <cmath>
#include <limits>
#include <string>
#include <type_traits>

#include "mmd/core/progress.hpp"
#include "support/catch2.hpp"

TEST_CASE("every error is an mmd::error and a runtime_error") {
  static_assert(std::is_base_of_v<std::runtime_error, mmd::error>);
  static_assert(std::is_base_of_v<mmd::error, mmd::invalid_input>);
  static_assert(std::is_base_of_v<mmd::error, mmd::io_error>);
  static_assert(std::is_base_of_v<mmd::io_error, mmd::write_error>);
  static_assert(std::is_base_of_v<mmd::error, mmd::device_error>);
  static_assert(std::is_base_of_v<mmd::error, mmd::memory_limit_exceeded>);
  static_assert(std::is_base_of_v<mmd::error, mmd::cancelled>);
  static_assert(std::is_nothrow_copy_constructible_v<mmd::invalid_input>);
  SUCCEED();
}

TEST_CASE("messages hold the argument, its value and what was expected") {
  auto text = [](auto value) {
    try {
      mmd::detail::require(false, "thing", value, "something else");
    } catch (const mmd::invalid_input& e) {
      return std::string(e.what());
    }
    return std::string();
  };
  CHECK(text(3) == "mmd: thing = 3, expected something else");
  CHECK(text(-7L) == "mmd: thing = -7, expected something else");
  CHECK(text(std::size_t{18446744073709551615u}) == "mmd: thing = 18446744073709551615, expected something else");
  CHECK(text(true) == "mmd: thing = true, expected something else");
  CHECK(text(0.25f) == "mmd: thing = 0.25, expected something else");
  CHECK(text(1e-300) == "mmd: thing = 1e-300, expected something else");
  CHECK(text(std::nan("")) == "mmd: thing = nan, expected something else");
  CHECK(text(-std::nan("")) == "mmd: thing = nan, expected something else");
  CHECK(text(-std::numeric_limits<double>::infinity()) == "mmd: thing = -inf, expected something else");
  CHECK(text("word") == "mmd: thing = word, expected something else");
  CHECK_NOTHROW(mmd::detail::require(true, "thing", 1, "anything"));
}

TEST_CASE("errors of files and memory carry what a program needs") {
  const mmd::io_error e("a.npy", 12, "truncated");
  CHECK(std::string(e.what()) == "a.npy: truncated (at byte 12)");
  CHECK(e.path() == "a.npy");
  CHECK(e.offset() == 12);
  CHECK(std::string(mmd::io_error("a.npy", 0, "missing").what()) == "a.npy: missing");
  const mmd::memory_limit_exceeded m("the Gram matrix", 800, 100);
  CHECK(std::string(m.what()) == "the Gram matrix needs 800 bytes, but the memory limit is 100 bytes");
  CHECK(m.needed() == 800);
  CHECK(m.limit() == 100);
}

TEST_CASE("progress reports, and a callback that returns false cancels") {
  std::uint64_t seen = 0;
  const mmd::progress_callback callback = [&](const mmd::progress_report& r) {
    CHECK(r.stage == "pairs");
    CHECK(r.total == 10);
    seen = r.done;
    return r.done < 7;
  };
  mmd::detail::report(callback, "pairs", 3, 10);
  CHECK(seen == 3);
  CHECK_THROWS_AS(mmd::detail::report(callback, "pairs", 7, 10), mmd::cancelled);
  CHECK_NOTHROW(mmd::detail::report({}, "pairs", 7, 10));
  const mmd::progress_callback throws = [](const mmd::progress_report&) -> bool { throw std::logic_error("mine"); };
  CHECK_THROWS_AS(mmd::detail::report(throws, "pairs", 0, 1), std::logic_error);
  CHECK(std::string(mmd::cancelled().what()) == "cancelled by the progress callback");
}
