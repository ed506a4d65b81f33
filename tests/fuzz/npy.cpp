// SPDX-License-Identifier: MIT
// Any bytes as a .npy file: a matrix of the size that the file has, or io_error.
#include "mmd/io/npy.hpp"

#include <cstdlib>

extern "C" int LLVMFuzzerTestOneInput(const unsigned char* data, std::size_t size) {
  const auto bytes = std::as_bytes(std::span(data, size));
  try {
    const mmd::NpyArray array = mmd::parse_npy_any(bytes, "fuzz.npy");
    const auto values = static_cast<std::size_t>(array.rows() * array.cols());
    if (values * mmd::detail::npy_bytes(array.dtype) >= size || array.cols() < 1) std::abort();
    if (mmd::parse_npy<double>(bytes, "fuzz.npy").rows() != array.rows()) std::abort();
    if (mmd::parse_npy<mmd::float16>(bytes, "fuzz.npy").cols() != array.cols()) std::abort();
  } catch (const mmd::io_error&) {
  }
  return 0;
}
