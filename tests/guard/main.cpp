// SPDX-License-Identifier: MIT
// guard NAME: one run; its instructions are those inside `guarded_run`. guard: the compiler, then the names of all runs.
#include <cstdio>
#include <string_view>

#include "runs.hpp"

namespace {
volatile double last_result;
}
void keep(double result) { last_result = result; }

extern "C" [[gnu::noinline]] void guarded_run(const std::function<void()>& f) { f(); }

int main(int argc, char** argv) {
  const std::string_view wanted = argc > 1 ? argv[1] : "";
#if defined(__clang__)
  if (wanted.empty()) std::puts(__VERSION__);
#else
  if (wanted.empty()) std::puts("GNU " __VERSION__);
#endif
  for (const auto& runs : {runs_of_sums(), runs_of_tests(), runs_of_learning()}) {
    for (const run& r : runs) {
      if (wanted.empty()) std::puts(r.name);
      if (wanted != r.name) continue;
      guarded_run(r.prepare());
      return 0;
    }
  }
  if (wanted.empty()) return 0;
  std::fprintf(stderr, "no run of the name \"%s\"\n", argv[1]);
  return 2;
}
