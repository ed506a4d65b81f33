// SPDX-License-Identifier: MIT
// main() of the test programs where Catch2 is v2; v3 has its own in Catch2WithMain.
#if !__has_include(<catch2/catch_all.hpp>)
#define CATCH_CONFIG_MAIN
#include <catch2/catch.hpp>
#endif
