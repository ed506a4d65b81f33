// SPDX-License-Identifier: MIT
// Any bytes as a safetensors file: content that a second round trip keeps, or io_error.
#include "mmd/io/safetensors.hpp"

#include <cstdlib>

extern "C" int LLVMFuzzerTestOneInput(const unsigned char* data, std::size_t size) {
  try {
    mmd::safetensors file = mmd::safetensors::parse(std::as_bytes(std::span(data, size)), "fuzz.safetensors");
    file.seal();
    const auto bytes = file.serialize();
    const mmd::safetensors back = mmd::safetensors::parse(bytes, "again.safetensors");
    back.require_seal();
    if (!(back == file) || back.serialize() != bytes) std::abort();
    const auto get = [&]<class T>(const std::string& name, T) {
      try {
        static_cast<void>(back.get<T>(name));
        static_cast<void>(back.get_matrix<T>(name));
      } catch (const mmd::io_error&) {
      }
    };
    for (const auto& [name, value] : back.tensors()) {
      get(name, float{});
      get(name, mmd::float16{});
      get(name, mmd::bfloat16{});
    }
  } catch (const mmd::io_error&) {
  }
  return 0;
}
