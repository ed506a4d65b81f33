// SPDX-License-Identifier: MIT
// Progress of long work, and the way to stop it.
#pragma once

#include <cstdint>
#include <functional>
#include <string_view>

#include "mmd/core/errors.hpp"

namespace mmd {

// Where long work stands: `done` of `total` steps of the stage. Stages are short words such as "pairs", "permutations", "training".
struct progress_report {
  std::string_view stage;
  std::uint64_t done = 0, total = 0;
};

// Called now and then, always on the thread that called the library and never inside a parallel region. Return false to cancel: the
// call then throws `cancelled`. An empty function is never called. Exceptions it throws reach the caller.
using progress_callback = std::function<bool(const progress_report&)>;

namespace detail {
inline void report(const progress_callback& callback, std::string_view stage, std::uint64_t done, std::uint64_t total) {
  if (callback && !callback({stage, done, total})) throw cancelled();
}
}  // namespace detail

}  // namespace mmd
