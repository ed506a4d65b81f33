// SPDX-License-Identifier: MIT
// --backend: what the command lines compute on. The device part of a program is compiled by nvcc, in .cu files of its own, and reached
// through plain functions; a program built without CUDA has none.
#pragma once

#include <unistd.h>

#include <CLI/CLI.hpp>
#include <cstdio>
#include <string>

#include "mmd/core/errors.hpp"

namespace program {

#ifdef MMD_EXAMPLES_CUDA
inline constexpr bool built_with_cuda = true;
#else
inline constexpr bool built_with_cuda = false;
#endif

// Whether there is a device that can be used, and else why not (support/device.cu).
bool device_available(std::string* why);

class backend_option {
 public:
  explicit backend_option(CLI::App& app) : name_(app.get_name()) {
    option_ = app.add_option("--backend", word_, "cpu, cuda, or auto: a CUDA device where there is one, else the CPU")
                  ->capture_default_str()
                  ->check(CLI::IsMember({"auto", "cpu", "cuda"}));
  }
  // Looks for a device where one may be used; says whether one is. Throws device_error where --backend cuda has none. Where `auto` has
  // none, and was asked for or could have had one, a terminal hears of it now, anything else with the results: a failure stays one line.
  bool on_device() {
    if (word_ == "cpu") return false;
    std::string why = "this program was built without CUDA";
    bool found = false;
    if constexpr (built_with_cuda) found = device_available(&why);
    if (!found && word_ == "cuda") throw mmd::device_error("--backend cuda: " + why);
    if (!found && (built_with_cuda || option_->count() > 0)) {
      note_ = name_ + ": --backend auto: on the CPU, as " + why + "\n";
      if (isatty(STDERR_FILENO) == 1) say();
    }
    return found;
  }
  // What is still to be said once the results are out.
  void say() {
    std::fputs(note_.c_str(), stderr);
    note_.clear();
  }

 private:
  std::string name_, word_ = "auto", note_;
  CLI::Option* option_ = nullptr;
};

}  // namespace program
