// SPDX-License-Identifier: MIT
// As much of Google Benchmark's interface and report as the programs here use, for machines that do not have it: cases run once each, with
// the time that they set themselves.
#pragma once

#include <chrono>
#include <cstdint>
#include <cstdio>
#include <cstring>
#include <ctime>
#include <functional>
#include <map>
#include <regex>
#include <string>
#include <utility>
#include <vector>

namespace benchmark {

template <class T>
void DoNotOptimize(const T& value) {
  asm volatile("" : : "r,m"(&value) : "memory");
}
inline void ClobberMemory() { asm volatile("" : : : "memory"); }

enum TimeUnit { kNanosecond, kMicrosecond, kMillisecond, kSecond };

class State {
 public:
  std::map<std::string, double> counters;

  // The loop of a case: one round.
  struct round {
    bool left;
    friend bool operator!=(const round& a, const round& b) { return a.left != b.left; }
    round& operator++() {
      left = false;
      return *this;
    }
    struct [[maybe_unused]] value {};
    value operator*() const { return {}; }
  };
  round begin() { return {true}; }
  round end() { return {false}; }
  void SetIterationTime(double seconds) { seconds_ = seconds; }
  void SetLabel(const std::string& label) { label_ = label; }
  void SkipWithError(const char* why) { error_ = why; }

  double seconds() const { return seconds_; }
  const std::string& label() const { return label_; }
  const std::string& error() const { return error_; }

 private:
  double seconds_ = 0;
  std::string label_, error_;
};

namespace stand_in {
struct test {
  std::string name;
  std::function<void(State&)> run;
  test* Iterations(long) { return this; }
  test* UseManualTime() { return this; }
  test* Unit(TimeUnit) { return this; }
};
struct program {
  std::vector<std::pair<std::string, std::string>> context;
  std::vector<test*> tests;
  std::string name, filter = ".*", out;
  bool list = false;
};
inline program& all() {
  static program one;
  return one;
}
inline std::string quoted(const std::string& text) {
  std::string out = "\"";
  for (const char c : text) {
    if (c == '"' || c == '\\') out += '\\';
    if (static_cast<unsigned char>(c) >= 0x20) out += c;
  }
  return out + '"';
}
inline std::string number(double v) {
  char digits[40];
  std::snprintf(digits, sizeof digits, "%.17g", v);
  return v - v == 0 ? digits : "null";
}
}  // namespace stand_in

inline void AddCustomContext(const std::string& key, const std::string& value) { stand_in::all().context.emplace_back(key, value); }

template <class F>
stand_in::test* RegisterBenchmark(const char* name, F&& f) {
  stand_in::all().tests.push_back(new stand_in::test{name, std::forward<F>(f)});
  return stand_in::all().tests.back();
}

inline void Initialize(int* argc, char** argv) {
  auto& p = stand_in::all();
  p.name = argv[0];
  int kept = 1;
  for (int i = 1; i < *argc; ++i) {
    const std::string argument = argv[i];
    const auto value_of = [&](const std::string& key, std::string& to) {
      if (argument.rfind(key, 0) != 0) return false;
      to = argument.substr(key.size());
      return true;
    };
    std::string ignored;
    if (value_of("--benchmark_filter=", p.filter) || value_of("--benchmark_out=", p.out)) continue;
    if (value_of("--benchmark_list_tests", ignored)) {
      p.list = ignored != "=false";
    } else if (argument.rfind("--benchmark_", 0) != 0) {
      argv[kept++] = argv[i];
    }
  }
  *argc = kept;
}
inline bool ReportUnrecognizedArguments(int argc, char** argv) {
  for (int i = 1; i < argc; ++i) std::fprintf(stderr, "%s: error: unrecognized command-line flag: %s\n", argv[0], argv[i]);
  return argc > 1;
}

inline void RunSpecifiedBenchmarks() {
  auto& p = stand_in::all();
  const std::regex filter(p.filter);
  const std::time_t now = std::time(nullptr);
  char date[32];
  std::strftime(date, sizeof date, "%Y-%m-%dT%H:%M:%S", std::gmtime(&now));
  std::string text = "{\n\"context\": {\"date\": " + stand_in::quoted(date) + ", \"executable\": " + stand_in::quoted(p.name);
  for (const auto& [key, value] : p.context) text += ", " + stand_in::quoted(key) + ": " + stand_in::quoted(value);
  text += "},\n\"benchmarks\": [";
  bool first = true;
  for (auto* test : p.tests) {
    if (!std::regex_search(test->name, filter)) continue;
    if (p.list) {
      std::printf("%s\n", test->name.c_str());
      continue;
    }
    State state;
    test->run(state);
    std::printf("%-90s %12.4f ms", test->name.c_str(), 1e3 * state.seconds());
    text += std::string(first ? "\n" : ",\n") + "{\"name\": " + stand_in::quoted(test->name) + ", \"run_type\": \"iteration\"";
    first = false;
    if (!state.error().empty()) text += ", \"error_occurred\": true, \"error_message\": " + stand_in::quoted(state.error());
    text += ", \"real_time\": " + stand_in::number(1e3 * state.seconds()) + ", \"time_unit\": \"ms\"";
    for (const auto& [key, value] : state.counters) {
      text += ", " + stand_in::quoted(key) + ": " + stand_in::number(value);
      std::printf(" %s=%.4g", key.c_str(), value);
    }
    if (!state.label().empty()) text += ", \"label\": " + stand_in::quoted(state.label());
    text += "}";
    std::printf("%s\n", state.error().empty() ? "" : (" " + state.error()).c_str());
    std::fflush(stdout);
  }
  text += "\n]\n}\n";
  if (p.list || p.out.empty()) return;
  if (std::FILE* const file = std::fopen(p.out.c_str(), "w")) {
    std::fputs(text.c_str(), file);
    std::fclose(file);
  }
}
inline void Shutdown() {}

}  // namespace benchmark
