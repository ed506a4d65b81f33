// SPDX-License-Identifier: MIT
// Any bytes as a vocabulary file, its seal renewed so that the figures behind it are reached: an embedder that works, or io_error.
#include "mmd/models/vocabulary_file.hpp"

#include <cmath>
#include <cstdlib>

extern "C" int LLVMFuzzerTestOneInput(const unsigned char* data, std::size_t size) {
  const auto bytes = std::as_bytes(std::span(data, size));
  try {
    static_cast<void>(mmd::parse_vocabulary(bytes, "fuzz.safetensors"));
  } catch (const mmd::io_error&) {
  }
  try {
    mmd::safetensors file = mmd::safetensors::parse(bytes, "fuzz.safetensors");
    file.seal();
    const mmd::TextEmbedder embedder = mmd::parse_vocabulary(file.serialize(), "sealed.safetensors");
    const std::vector<std::string> texts = {"the cat and the dog", "\xff 12 Cats!"};
    const auto embedded = embedder.embed(texts);
    for (const float value : embedded.values()) {
      if (!(std::fabs(value) <= 4)) std::abort();
    }
  } catch (const mmd::io_error&) {
  }
  return 0;
}
