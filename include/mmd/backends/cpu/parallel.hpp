// SPDX-License-Identifier: MIT
// The library's only parallel loop.
#pragma once

#include <algorithm>
#include <exception>
#include <vector>

#include "mmd/core/config.hpp"
#if defined(_OPENMP)
#include <omp.h>
#define MMD_OMP(...) _Pragma(#__VA_ARGS__)
#else
#define MMD_OMP(...)
#endif

namespace mmd {
namespace detail {
inline namespace MMD_ISA {

// How many threads a loop of `count` parts uses; `threads` = 0 means as many as OpenMP offers.
inline int team_size([[maybe_unused]] int threads, [[maybe_unused]] index_t count) {
#if defined(_OPENMP)
  return static_cast<int>(std::clamp<index_t>(count, 1, threads > 0 ? threads : omp_get_max_threads()));
#else
  return 1;
#endif
}

// f(0), ..., f(count - 1), each once, in any order and on any thread. What they throw is caught for each part, all parts run to their end
// or their own exception, and the exception of the lowest part is thrown again here: the same for any number of threads.
template <class F>
void parallel_for(int threads, index_t count, F&& f) {
  std::vector<std::exception_ptr> thrown(static_cast<std::size_t>(count));
  [[maybe_unused]] const int team = team_size(threads, count);
  MMD_OMP(omp parallel for schedule(dynamic, 1) num_threads(team) if (team > 1))
  for (index_t i = 0; i < count; ++i) {
    try {
      f(i);
    } catch (...) {
      thrown[static_cast<std::size_t>(i)] = std::current_exception();
    }
  }
  for (const auto& e : thrown) {
    if (e) std::rethrow_exception(e);
  }
}

}  // namespace MMD_ISA
}  // namespace detail
}  // namespace mmd
