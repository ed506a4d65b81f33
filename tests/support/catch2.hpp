// SPDX-License-Identifier: MIT
// Catch2 v3 where it is installed, v2 otherwise: the tests are written against what both have.
#pragma once

#include <string>

#if __has_include(<catch2/catch_all.hpp>)
#include <catch2/catch_all.hpp>
using Catch::Approx;
// What a message must hold: CHECK_THROWS_WITH(f(-1), says("bandwidth = -1") && says("above 0")).
inline auto says(const std::string& text) { return Catch::Matchers::ContainsSubstring(text); }
#else
#include <catch2/catch.hpp>
inline auto says(const std::string& text) { return Catch::Matchers::Contains(text); }
#endif
