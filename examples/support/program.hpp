// SPDX-License-Identifier: MIT
// What the command lines share: exit codes, one line for every failure, a progress bar, Ctrl-C, and output that appears whole or not at
// all.
#pragma once

#include <unistd.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <charconv>
#include <cmath>
#include <csignal>
#include <cstdint>
#include <cstdio>
#include <iostream>
#include <limits>
#include <new>
#include <string>
#include <string_view>

#include "mmd/core/progress.hpp"
#include "mmd/version.hpp"

namespace program {

inline constexpr int exit_usage = 2, exit_output = 3, exit_interrupted = 130;

// Options that are numbers. The text itself is looked at: CLI11 takes -1 for 2^64 - 1, 010 for 8, and too many digits for the largest
// number.
inline CLI::Validator whole(std::uint64_t low, std::uint64_t high) {
  const std::string range = "a whole number from " + std::to_string(low) + " to " + std::to_string(high);
  return {[low, high, range](const std::string& text) {
            std::uint64_t value = 0;
            const auto [end, problem] = std::from_chars(text.data(), text.data() + text.size(), value);
            const bool plain = problem == std::errc{} && end == text.data() + text.size() && (text.size() == 1 || text[0] != '0');
            return plain && low <= value && value <= high ? std::string() : text + ", expected " + range;
          },
          std::to_string(low) + " to " + std::to_string(high)};
}
inline CLI::Validator seed() { return whole(0, std::numeric_limits<std::uint64_t>::max()); }
inline CLI::Validator between(double low, double high, const std::string& expected) {
  return {[low, high, expected](const std::string& text) {
            double value = 0;
            const bool good = CLI::detail::lexical_cast(text, value) && low < value && value < high;  // not NaN
            return good ? std::string() : text + ", expected " + expected;
          },
          ""};
}
inline CLI::Validator rate() { return between(0, 1, "a number above 0 and below 1"); }

inline volatile std::sig_atomic_t interrupted = 0;
inline void watch_interrupts() {
  std::signal(SIGINT, [](int) { interrupted = 1; });
  std::signal(SIGTERM, [](int) { interrupted = 1; });
  std::signal(SIGXFSZ, SIG_IGN);  // a file above the shell's limit is then an error of write(), and no half file stays
}

// A bar on stderr while it is a terminal; stops the work after Ctrl-C. The bar is wiped when a stage ends.
class progress_bar {
 public:
  mmd::progress_callback callback() {
    return [this](const mmd::progress_report& r) {
      if (terminal_) draw(r);
      return interrupted == 0;
    };
  }

 private:
  void draw(const mmd::progress_report& r) {
    const int percent = r.total ? static_cast<int>(100 * r.done / r.total) : 100;
    if (r.stage == stage_ && percent == percent_) return;
    stage_ = r.stage;
    percent_ = percent;
    const int filled = percent * 30 / 100;
    if (r.done >= r.total) {
      std::fprintf(stderr, "\r%*s\r", 60, "");
    } else {
      std::fprintf(stderr, "\r%-14s [%.*s%*s] %3d %%", stage_.c_str(), filled, "##############################", 30 - filled, "", percent);
    }
    std::fflush(stderr);
  }
  bool terminal_ = isatty(STDERR_FILENO) == 1;
  std::string stage_;
  int percent_ = -1;
};

// Everything a command prints, at once and checked: a full disk behind stdout is an error, not a truncated result.
inline void print(std::string_view text) {
  if (std::fwrite(text.data(), 1, text.size(), stdout) != text.size() || std::fflush(stdout) != 0) {
    throw mmd::write_error("standard output", 0, "cannot be written");
  }
}

inline int fail(const char* name, int code, std::string_view reason) {
  std::string line(reason);
  for (char& c : line) {
    if (c == '\n') c = ' ';
  }
  if (isatty(STDERR_FILENO) == 1) std::fprintf(stderr, "\r%*s\r", 60, "");
  std::fprintf(stderr, "%s: %s\n", name, line.c_str());
  return code;
}

// Parses the command line and runs `body`. 0: it ran; 2: usage or unusable input; 3: output, memory or device; 130: interrupted.
template <class Body>
int run(CLI::App& app, int argc, char** argv, Body&& body) {
  const std::string name = app.get_name();
  app.set_version_flag("--version", name + " " MMD_VERSION);
  try {
    app.parse(argc, argv);
  } catch (const CLI::Success& e) {
    const int code = app.exit(e);  // --help, --version
    return std::cout.flush() ? code : fail(name.c_str(), exit_output, "standard output: cannot be written");
  } catch (const CLI::ParseError& e) {
    return fail(name.c_str(), exit_usage, std::string(e.what()) + " (see " + name + " --help)");
  }
  const auto is_standard_input = [](const char* word) { return std::string_view(word) == "-" || std::string_view(word).ends_with("=-"); };
  if (std::count_if(argv + 1, argv + argc, is_standard_input) > 1)
    return fail(name.c_str(), exit_usage, "- (standard input) is given twice, expected at most one input from it");
  watch_interrupts();
  try {
    body();
    return 0;
  } catch (const mmd::cancelled&) {
    return fail(name.c_str(), exit_interrupted, "interrupted");
  } catch (const mmd::write_error& e) {
    return fail(name.c_str(), exit_output, e.what());
  } catch (const mmd::memory_limit_exceeded& e) {
    return fail(name.c_str(), exit_output, e.what());
  } catch (const mmd::device_error& e) {
    return fail(name.c_str(), exit_output, e.what());
  } catch (const mmd::error& e) {
    return fail(name.c_str(), exit_usage, e.what());
  } catch (const std::bad_alloc&) {
    return fail(name.c_str(), exit_output, "out of memory");
  } catch (const std::exception& e) {
    return fail(name.c_str(), exit_output, e.what());
  }
}

}  // namespace program
