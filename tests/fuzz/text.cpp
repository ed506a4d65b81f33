// SPDX-License-Identifier: MIT
#include "mmd/text/embedder.hpp"

#include <string>
#include <vector>

#include "fuzz.hpp"

// Any bytes are a text: the embedder takes them, and gives finite figures.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  return read_or_refuse(data, size, [](std::span<const std::byte> bytes) {
    const std::string all(reinterpret_cast<const char*>(bytes.data()), bytes.size());
    const std::vector<std::string> texts = {all.substr(0, all.size() / 2), all.substr(all.size() / 2), "a text of its own"};
    const auto x = mmd::TextEmbedder::fit(texts).embed(texts);
    for (const float v : x.values()) expect(v - v == 0);
  });
}
