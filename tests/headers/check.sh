#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# check.sh [--together] ROOT SCRATCH SUFFIX COMPILER CXXFLAGS...
# Each header of the suffix, hpp or cuh, compiles alone and without a warning; all of them together, in two translation units, link into one
# program. With --together only the latter. The compiler may be nvcc; what else to link stands in LIBRARIES.
set -uo pipefail
together=
if [[ $1 == --together ]]; then
  together=yes
  shift
fi
root=$1 scratch=$2 suffix=$3
shift 3
export compiler="$*" check=-fsyntax-only language=c++
if [[ ${1##*/} == nvcc ]]; then
  check="-c -o /dev/null" language=cu
fi
mkdir -p "$scratch"
cd "$root/include" || exit 1

alone() {
  echo "#include \"$1\"" | $compiler -I. $check -x $language - || { echo "error: $1 does not compile alone with $compiler"; return 1; }
}
export -f alone
mapfile -t headers < <(find mmd -name "*.$suffix" | sort)
if [[ ! $together ]]; then
  printf '%s\n' "${headers[@]}" | xargs -P "$(nproc)" -I{} bash -c 'alone {}' || exit 1
fi

for name in first second; do
  printf '#include "%s"\n' "${headers[@]}" > "$scratch/$name.cpp"
done
echo 'int main() {}' >> "$scratch/first.cpp"
for name in first second; do
  $compiler -O0 -I. -x "$language" -c "$scratch/$name.cpp" -o "$scratch/$name.o" &
done
wait
read -ra libraries <<< "${LIBRARIES:-}"
if ! $compiler "$scratch/first.o" "$scratch/second.o" "${libraries[@]}" -o "$scratch/program"; then
  echo "error: the headers break the one-definition rule when linked twice ($compiler)"
  exit 1
fi
echo "${#headers[@]} headers compile $([[ $together ]] && echo together || echo alone) and link twice with $compiler"
