// SPDX-License-Identifier: MIT
// The subcommands of detect_machine_text. Each fills in its options, and returns what it prints.
#pragma once

#include <CLI/CLI.hpp>
#include <functional>
#include <string>

#include "detect_machine_text/processor.hpp"

namespace detect {

// A subcommand that was chosen: run(on) does the work and returns the text for stdout.
using Command = std::function<std::string(const Processor& on)>;

void add_demo(CLI::App& app, Command& chosen);
void add_embed(CLI::App& app, Command& chosen);
void add_train(CLI::App& app, Command& chosen);
void add_score(CLI::App& app, Command& chosen);
void add_test(CLI::App& app, Command& chosen);
void add_evaluate(CLI::App& app, Command& chosen);
void add_check(CLI::App& app, Command& chosen);
void add_info(CLI::App& app, Command& chosen);

}  // namespace detect
