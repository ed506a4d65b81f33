// SPDX-License-Identifier: MIT
// The library's only parallel loops.
#pragma once

#include <algorithm>
#include <atomic>
#include <concepts>
#include <condition_variable>
#include <exception>
#include <limits>
#include <mutex>
#include <type_traits>
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

// Marks this thread as inside a part of a loop, however many threads the loop has.
class loop_mark {
 public:
  loop_mark() { inside() = true; }
  ~loop_mark() { inside() = before_; }
  loop_mark(const loop_mark&) = delete;
  loop_mark& operator=(const loop_mark&) = delete;
  static bool& inside() {
    thread_local bool in_part = false;
    return in_part;
  }

 private:
  bool before_ = inside();
};
inline bool in_parallel() {
#if defined(_OPENMP)
  if (omp_in_parallel()) return true;
#endif
  return loop_mark::inside();
}

// How many threads a loop of `count` parts uses; `threads` = 0 means as many as OpenMP offers. Inside a parallel loop it is one.
inline int team_size([[maybe_unused]] int threads, [[maybe_unused]] index_t count) {
#if defined(_OPENMP)
  if (omp_in_parallel()) return 1;
  return static_cast<int>(std::clamp<index_t>(count, 1, threads > 0 ? threads : omp_get_max_threads()));
#else
  return 1;
#endif
}

// The exception of the lowest part that threw. Parts above it need not run; parts below it do: the same exception for any number of
// threads.
class lowest_exception {
 public:
  void keep(index_t part) {
    const std::lock_guard<std::mutex> lock(mutex_);
    if (part >= part_.load(std::memory_order_relaxed)) return;
    part_.store(part, std::memory_order_relaxed);
    thrown_ = std::current_exception();
  }
  bool above(index_t part) const { return part > part_.load(std::memory_order_relaxed); }
  void rethrow() const {
    if (thrown_) std::rethrow_exception(thrown_);
  }

 private:
  std::mutex mutex_;
  std::atomic<index_t> part_ = std::numeric_limits<index_t>::max();
  std::exception_ptr thrown_;
};

// A function that outlives the call, by reference: the loop is compiled once, not for every function. One indirect call a part.
class part_function {
 public:
  template <class F>
  requires(!std::same_as<std::remove_cvref_t<F>, part_function>) part_function(F&& f)
      : f_(&f), call_([](const void* g, index_t part) { (*static_cast<std::remove_reference_t<F>*>(const_cast<void*>(g)))(part); }) {}
  void operator()(index_t part) const { call_(f_, part); }

 private:
  const void* f_;
  void (*call_)(const void*, index_t);
};

// f(0), ..., f(count - 1), each once, in any order and on any thread. Throws what the lowest part threw, after all threads are done.
inline void parallel_for(int threads, index_t count, part_function f) {
  const int team = team_size(threads, count);
  if (team == 1) {
    const loop_mark mark;
    for (index_t i = 0; i < count; ++i) f(i);
    return;
  }
  lowest_exception thrown;
  MMD_OMP(omp parallel for schedule(dynamic, 1) num_threads(team))
  for (index_t i = 0; i < count; ++i) {
    if (thrown.above(i)) continue;
    try {
      f(i);
    } catch (...) {
      thrown.keep(i);
    }
  }
  thrown.rethrow();
}

// Parts that each fill a copy, merged in the order of the parts while later parts are still at work. Every copy of `free` serves one part
// after another, so no more than these exist: parts start in order and only with a copy, so the lowest unmerged part always has one.
template <class Copy, class Work, class Merge>
void parallel_merge(int team, index_t first, index_t last, std::vector<Copy*> free, Work&& work, Merge&& merge) {
  std::mutex mutex;
  std::condition_variable changed;
  std::vector<Copy*> done(static_cast<std::size_t>(last - first));
  index_t next = first, merged = first;
  bool merging = false;
  lowest_exception thrown;
  const auto guarded = [&](index_t part, auto&& f) {
    try {
      f();
    } catch (...) {
      thrown.keep(part);
    }
  };
  const auto run = [&] {
    std::unique_lock<std::mutex> lock(mutex);
    while (true) {
      changed.wait(lock, [&] { return next == last || thrown.above(next) || !free.empty(); });
      if (next == last || thrown.above(next)) return;
      Copy* const copy = free.back();
      free.pop_back();
      const index_t part = next++;
      lock.unlock();
      guarded(part, [&] { work(part, *copy); });
      lock.lock();
      done[static_cast<std::size_t>(part - first)] = copy;
      if (!merging) {
        merging = true;
        while (merged < last && done[static_cast<std::size_t>(merged - first)]) {
          Copy* const ready = done[static_cast<std::size_t>(merged - first)];
          lock.unlock();
          if (!thrown.above(merged + 1)) guarded(merged, [&] { merge(*ready); });
          lock.lock();
          free.push_back(ready);
          ++merged;
          changed.notify_all();
        }
        merging = false;
      }
      changed.notify_all();
    }
  };
  if (team == 1) {
    run();
  } else {
    MMD_OMP(omp parallel num_threads(team))
    run();
  }
  thrown.rethrow();
}

}  // namespace MMD_ISA
}  // namespace detail
}  // namespace mmd
