// SPDX-License-Identifier: MIT
#include "mmd/io/jsonl.hpp"

#include "fuzz.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  return read_or_refuse(data, size, [](std::span<const std::byte> file) { mmd::parse_jsonl(file, "input"); });
}
