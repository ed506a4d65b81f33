// SPDX-License-Identifier: MIT
#include "mmd/io/npy.hpp"

#include "fuzz.hpp"

// A matrix that was read has the size that the file has bytes for.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  return read_or_refuse(data, size, [](std::span<const std::byte> file) {
    const auto x = mmd::parse_npy<double>(file, "input");
    expect(x.rows() >= 1 && x.cols() >= 1 && static_cast<std::size_t>(x.size()) <= file.size());
    mmd::parse_npy_any(file, "input");
  });
}
