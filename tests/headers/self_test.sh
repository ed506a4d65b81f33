#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# self_test.sh SCRATCH COMPILER CXXFLAGS...: check.sh passes a sound header and finds each planted fault.
set -uo pipefail
here=$(cd "$(dirname "$0")" && pwd)
scratch=$1
shift
failed=0

try() {  # name, expected status, text that the output must hold, header
  rm -rf "$scratch"
  mkdir -p "$scratch/include/mmd"
  printf '#pragma once\n%s\n' "$4" > "$scratch/include/mmd/planted.hpp"
  local said status
  said=$(bash "$here/check.sh" "$scratch" "$scratch/work" hpp "${compiler[@]}" 2>&1)
  status=$?
  if [[ $status != "$2" || $said != *"$3"* ]]; then
    printf 'planted %s: expected status %s and "%s", got %s:\n%s\n' "$1" "$2" "$3" "$status" "$said"
    failed=1
  fi
}

compiler=("$@")
try nothing 0 "1 headers compile alone" 'inline int f() { return 1; }'
try "a missing include" 1 "does not compile alone" 'inline std::size_t f() { return 1; }'
try "a warning" 1 "does not compile alone" 'inline float f(double x) { return x; }'
try "a function that is not inline" 1 "one-definition rule" 'int f() { return 1; }'
try "a variable that is not inline" 1 "one-definition rule" 'int f = 1;'
exit $failed
