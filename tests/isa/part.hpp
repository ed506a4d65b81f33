// SPDX-License-Identifier: MIT
// One program of parts that were compiled for different machines. What crosses between them is what lies outside the instruction set's
// namespace: views go in, results and errors come out.
#pragma once

#include <string>

#include "mmd/mmd.hpp"

struct results {
  mmd::MmdEstimate estimate;
  mmd::TestResult test;
};
struct part {
  std::string isa;
  results (*run)(const mmd::samples<float>& x, const mmd::samples<float>& y);
};

part baseline_part();
part wide_part();
