// SPDX-License-Identifier: MIT
// main() of every benchmark: Google Benchmark's, --quick and --tiny.
#include <malloc.h>

#include <cstring>
#include <fstream>
#include <limits>
#include <string>

#include "support/cases.hpp"
#if defined(_OPENMP)
#include <omp.h>
#endif

namespace bench {

bool quick = false, tiny = false;

namespace {
// "VmRSS:  1234 kB" of this process.
std::uint64_t status_bytes(const char* field) {
  std::ifstream status("/proc/self/status");
  for (std::string word; status >> word;) {
    if (word == field) {
      std::uint64_t kilobytes = 0;
      status >> kilobytes;
      return 1024 * kilobytes;
    }
    status.ignore(std::numeric_limits<std::streamsize>::max(), '\n');
  }
  return 0;
}
}  // namespace

std::uint64_t memory_now() { return status_bytes("VmRSS:"); }
std::uint64_t memory_peak() { return status_bytes("VmHWM:"); }
void reset_peak() {
  malloc_trim(0);
  std::ofstream("/proc/self/clear_refs") << "5";
}
int threads() {
#if defined(_OPENMP)
  return omp_get_max_threads();
#else
  return 1;
#endif
}

void set_isa(const char* isa) {
  static const bool once = (benchmark::AddCustomContext("mmd_isa", isa), true);
  static_cast<void>(once);
}

}  // namespace bench

int main(int argc, char** argv) {
  int kept = 0;
  for (int i = 0; i < argc; ++i) {
    if (std::strcmp(argv[i], "--quick") == 0) {
      bench::quick = true;
    } else if (std::strcmp(argv[i], "--tiny") == 0) {
      bench::quick = bench::tiny = true;
    } else {
      argv[kept++] = argv[i];
    }
  }
  argc = kept;
  benchmark::Initialize(&argc, argv);
  if (benchmark::ReportUnrecognizedArguments(argc, argv)) return 2;
  benchmark::AddCustomContext("threads", std::to_string(bench::threads()));
#if defined(__clang__)
  benchmark::AddCustomContext("compiler", "clang " __clang_version__);
#else
  benchmark::AddCustomContext("compiler", "g++ " __VERSION__);
#endif
  benchmark::AddCustomContext("quick", bench::quick ? "yes" : "no");
  if (bench::tiny) benchmark::AddCustomContext("tiny", "yes");
  bench::cases();
  benchmark::RunSpecifiedBenchmarks();
  benchmark::Shutdown();
  return 0;
}
