#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# check.sh SCRATCH [CXXFLAGS...]: the same source on 64-bit Arm. Cross-compiles unit tests of the parts that know the processor, looks for
# packed instructions, and runs the tests under qemu; without qemu it says so and runs nothing.
set -euo pipefail
root=$(cd "$(dirname "$0")/../.." && pwd)
mkdir -p "$1/include"
scratch=$(cd "$1" && pwd)
shift
tests=(kernels/basic kernels/algebra core/philox engine/reducers backends/simd backends/reduce inference/permutation)

# Only this folder of /usr/include: the rest is of another processor.
for folder in /usr/include /usr/local/include; do
  if [[ -d $folder/catch2 ]]; then ln -sfn "$folder/catch2" "$scratch/include/catch2"; fi
done
[[ -e $scratch/include/catch2/catch.hpp ]] || { echo "Left out: cross-compiling needs Catch2 as one header (version 2)."; exit 0; }
eigen=$(pkg-config --cflags-only-I eigen3 | sed 's/-I/-isystem /g')

export compile="${CMAKE_CXX_COMPILER_LAUNCHER:-} aarch64-linux-gnu-g++ -std=c++20 -O1 -Wall -Wextra -Wconversion -Wshadow -Werror -Wno-restrict
  -I$root/include -I$root/tests $eigen -isystem $scratch/include $*"
export root scratch
one() {
  $compile -c "$root/tests/$1.cpp" -o "$scratch/$(basename "$1").o"
}
export -f one
printf '%s\n' support/main "${tests[@]/#/unit/}" | sed '/^unit/s/$/_test/' | xargs -P "$(nproc)" -I{} bash -c 'one {}'
objects=("$scratch/main.o")
for test in "${tests[@]}"; do objects+=("$scratch/$(basename "$test")_test.o"); done
aarch64-linux-gnu-g++ -static "${objects[@]}" -o "$scratch/tests"

# Packed products by a lane of the other operand, and packed roots.
$compile -O2 -c "$root/tests/arm/loops.cpp" -o "$scratch/loops.o"
for wanted in 'fmla\s+v[0-9]+\.4s, v[0-9]+\.4s, v[0-9]+\.s\[' 'fsqrt\s+v[0-9]+\.4s'; do
  aarch64-linux-gnu-objdump -d --no-show-raw-insn "$scratch/loops.o" | grep -cE "$wanted" > /dev/null || {
    echo "error: no instruction $wanted in the code for Arm"
    exit 1
  }
done

if ! command -v qemu-aarch64-static > /dev/null; then
  echo "Compiled for Arm, not run: there is no qemu-aarch64-static."
  exit 0
fi
qemu-aarch64-static "$scratch/tests"
