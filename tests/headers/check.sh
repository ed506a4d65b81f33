#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# check.sh ROOT SCRATCH COMPILER CXXFLAGS...
# Each header compiles alone and without a warning; all of them together, in two translation units, link into one program.
set -uo pipefail
root=$1 scratch=$2
shift 2
export compiler="$*"
mkdir -p "$scratch"
cd "$root/include" || exit 1

alone() {
  echo "#include \"$1\"" | $compiler -I. -fsyntax-only -x c++ - || { echo "error: $1 does not compile alone with $compiler"; return 1; }
}
export -f alone
mapfile -t headers < <(find mmd -name '*.hpp' | sort)
printf '%s\n' "${headers[@]}" | xargs -P "$(nproc)" -I{} bash -c 'alone {}' || exit 1

for name in first second; do
  printf '#include "%s"\n' "${headers[@]}" > "$scratch/$name.cpp"
done
echo 'int main() {}' >> "$scratch/first.cpp"
for name in first second; do
  $compiler -O0 -I. -c "$scratch/$name.cpp" -o "$scratch/$name.o" &
done
wait
if ! $compiler "$scratch/first.o" "$scratch/second.o" -o "$scratch/program"; then
  echo "error: the headers break the one-definition rule when linked twice ($compiler)"
  exit 1
fi
echo "${#headers[@]} headers compile alone and link twice with $compiler"
