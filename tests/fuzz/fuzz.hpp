// SPDX-License-Identifier: MIT
// What the fuzzers share: a file of any bytes is either read or refused with an error of the library, and nothing else.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <span>

#include "mmd/core/errors.hpp"

template <class F>
int read_or_refuse(const std::uint8_t* data, std::size_t size, F&& read) {
  try {
    read(std::as_bytes(std::span(data, size)));
  } catch (const mmd::error&) {
  }
  return 0;
}
inline void expect(bool good) {
  if (!good) std::abort();
}
