#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# check.sh ROOT SCRATCH ARCHITECTURES [NVCC]: nvcc compiles every kernel for all of the architectures that it knows, without a warning, a register
# spilled or a variable in local memory. Exit 77 where there is no nvcc.
set -uo pipefail
root=$1 scratch=$2 architectures=$3 nvcc=${4:-}
here=$root/tests/cuda/compile
if [[ ! -x $nvcc ]]; then
  echo "Skipped: there is no nvcc here, so nothing shows that device code compiles for a device."
  exit 77
fi
mkdir -p "$scratch"
strict=(-Xptxas --warn-on-spills,--warn-on-local-memory-usage,--warning-as-error --Werror all-warnings -Xcompiler -Wall,-Wextra)

# A planted spill is found: without this, a silent nvcc would prove nothing.
if "$nvcc" -std=c++20 -arch=sm_90 "${strict[@]}" -c "$here/planted.cu" -o "$scratch/planted.o" > "$scratch/planted.log" 2>&1 ||
  ! grep -q "spill" "$scratch/planted.log"; then
  echo "error: a kernel that spills registers was not refused:"
  cat "$scratch/planted.log"
  exit 1
fi

known=$("$nvcc" --list-gpu-arch)
jobs=()
for architecture in $architectures; do
  if grep -qx "compute_$architecture" <<< "$known"; then
    jobs+=("$architecture float" "$architecture double")
  else
    echo "nvcc does not know compute_$architecture: left out"
  fi
done
one() {
  local architecture=$1 number=$2
  "$NVCC" -std=c++20 -gencode "arch=compute_$architecture,code=sm_$architecture" $STRICT "-DMMD_NUMBER=$number" "-I$ROOT/include" \
    -c "$ROOT/tests/cuda/compile/kernels.cu" -o "$SCRATCH/$architecture-$number.o" > "$SCRATCH/$architecture-$number.log" 2>&1 ||
    { echo "error: sm_$architecture, $number:" && head -40 "$SCRATCH/$architecture-$number.log" && return 1; }
}
export -f one
export NVCC=$nvcc STRICT="${strict[*]}" ROOT=$root SCRATCH=$scratch
printf '%s\n' "${jobs[@]}" | xargs -P "$(nproc)" -L 1 bash -c 'one "$@"' one || exit 1
echo "All kernels compile for sm_${architectures// /, sm_} where nvcc knows it, without a spill."
