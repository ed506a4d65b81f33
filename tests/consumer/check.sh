#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# check.sh KIND ROOT BUILD SCRATCH: builds and runs consumer.cpp as a user of the library would. KIND: find_package, find_package_serial (no
# OpenMP on the user's side), add_subdirectory, fetch_content, pkg_config; find_package_cuda and add_subdirectory_cuda, whose program is compiled
# by nvcc, and without_cuda, where mmd was installed without it and the user asks for it. ROOT is the source, BUILD a configured build of it.
set -euo pipefail
kind=$1 root=$2 build=$3 scratch=$4
here=$root/tests/consumer
rm -rf "$scratch"
mkdir -p "$scratch"

install_it() {
  cmake --install "$build" --prefix "$scratch/prefix" > "$scratch/install.log"
}
with_cmake() {  # folder, more arguments for cmake
  local folder=$1
  shift
  cmake -S "$here/$folder" -B "$scratch/build" "$@"
  cmake --build "$scratch/build"
  "$scratch/build/consumer"
}

case $kind in
  find_package)
    install_it
    with_cmake find_package -DCMAKE_PREFIX_PATH="$scratch/prefix" | tee "$scratch/log"
    grep -q '_omp: p' "$scratch/log" || ! grep -q 'find_package(OpenMP' "$scratch/prefix/share/cmake/mmd/mmdConfig.cmake"
    ;;
  find_package_serial)
    install_it
    with_cmake find_package -DCMAKE_PREFIX_PATH="$scratch/prefix" -DCMAKE_DISABLE_FIND_PACKAGE_OpenMP=ON | tee "$scratch/log"
    grep -q '_serial: p' "$scratch/log"
    ;;
  add_subdirectory | fetch_content) with_cmake "$kind" -DMMD_ROOT="$root" ;;
  find_package_cuda)
    install_it
    with_cmake cuda -DMMD_FROM=find_package -DCMAKE_PREFIX_PATH="$scratch/prefix" -DCMAKE_CUDA_ARCHITECTURES=90
    ;;
  add_subdirectory_cuda) with_cmake cuda -DMMD_FROM=add_subdirectory -DMMD_ROOT="$root" -DCMAKE_CUDA_ARCHITECTURES=90 ;;
  without_cuda)
    cmake -S "$root" -B "$scratch/mmd" -DMMD_CUDA=OFF -DMMD_BUILD_TESTS=OFF -DMMD_BUILD_EXAMPLES=OFF -DMMD_BUILD_BENCHMARKS=OFF > "$scratch/mmd.log"
    build=$scratch/mmd
    install_it
    cmake -S "$here/without_cuda" -B "$scratch/build" -DCMAKE_PREFIX_PATH="$scratch/prefix"
    if grep -qi cuda "$scratch/prefix/share/cmake/mmd/mmdTargets.cmake" || [[ -e $scratch/prefix/share/cmake/mmd/mmdCudaTargets.cmake ]]; then
      echo "error: CUDA reaches those who link mmd::mmd" && exit 1
    fi
    ;;
  pkg_config)
    install_it
    export PKG_CONFIG_PATH="$scratch/prefix/share/pkgconfig"
    read -ra flags <<< "$(pkg-config --cflags --libs mmd)"
    "${CXX:-c++}" -std=c++20 "$here/consumer.cpp" -o "$scratch/consumer" "${flags[@]}"
    "$scratch/consumer"
    [[ $("$scratch/consumer") == "mmd $(pkg-config --modversion mmd)"* ]]
    ;;
  *) echo "error: unknown kind $kind" && exit 2 ;;
esac
