// SPDX-License-Identifier: MIT
// Figures as SVG, drawn by gnuplot (run as a process, without a shell).
#pragma once

#include <string>

namespace detect {

// False where there is no gnuplot on the PATH; the report then has its tables and numbers, but no figures.
bool gnuplot_available();

// Runs the commands and returns what they draw: `width` x `height` SVG. Throws mmd::error with gnuplot's own words if it fails.
std::string draw_svg(const std::string& commands, int width, int height);

// A string as gnuplot takes it between double quotes.
std::string quoted(const std::string& text);

}  // namespace detect
