// SPDX-License-Identifier: MIT
// What the parts of the shim know of one another.
#pragma once

#include <cstdint>
#include <string>

#include "cuda_shim/control.hpp"

namespace cuda_shim {

enum class Fault { none, open, illegal };
// A fault at `address`, in device code or a copy: `open` if the page was locked device memory, which is now open. Called by a signal
// handler.
Fault touched(std::uintptr_t address);
std::string describe(std::uintptr_t address);  // where an address lies among the allocations, in words
std::string lock_again();                      // all that is open; what was written just outside an allocation, in words
void count_switches(std::uint64_t switches, std::uint64_t blocks);

bool allow_shared(const void* kernel, std::size_t bytes);               // by cudaFuncSetAttribute, or few enough without
void open_to_host(const void* p);                                       // until lock_again()
cudaError_t injected(int& fault, cudaError_t error, const char* what);  // an error if a fault is due now
bool is_pinned(const void* p);
cudaError_t drain(Stream* stream);  // runs what waits in a stream, and what that waits for; nullptr: all streams

}  // namespace cuda_shim
