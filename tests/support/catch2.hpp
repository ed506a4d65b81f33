// SPDX-License-Identifier: MIT
// Catch2 v3 where it is installed, v2 otherwise: the tests are written against what both have.
#pragma once

#if __has_include(<catch2/catch_all.hpp>)
#include <catch2/catch_all.hpp>
using Catch::Approx;
#else
#include <catch2/catch.hpp>
#endif
