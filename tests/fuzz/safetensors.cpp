// SPDX-License-Identifier: MIT
#include "mmd/io/safetensors.hpp"

#include "fuzz.hpp"

// What was read is the same after it was written and read again.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  return read_or_refuse(data, size, [](std::span<const std::byte> file) {
    const auto content = mmd::safetensors::parse(file, "input");
    expect(mmd::safetensors::parse(content.serialize(), "again") == content);
  });
}
