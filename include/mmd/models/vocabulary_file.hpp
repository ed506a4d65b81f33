// SPDX-License-Identifier: MIT
// Vocabularies of the built-in embedder in safetensors files: one of their own, or inside a model file.
#pragma once

#include "mmd/io/safetensors.hpp"
#include "mmd/text/embedder.hpp"

namespace mmd {
inline namespace MMD_ISA {

// Adds the embedder's vocabulary to a file: the tensors "vocabulary.keys" (U32), "vocabulary.means" and "vocabulary.deviations" (F32), and
// the metadata "vocabulary.form" ("words" or "style").
inline void put_vocabulary(safetensors& file, const TextEmbedder& embedder) {
  const Vocabulary& vocabulary = embedder.vocabulary();
  file.put("vocabulary.keys", vocabulary.keys);
  file.put("vocabulary.means", vocabulary.means);
  file.put("vocabulary.deviations", vocabulary.deviations);
  file.metadata()["vocabulary.form"] = vocabulary.form == ngram_form::words ? "words" : "style";
}

// The embedder of a file that put_vocabulary wrote to. Throws io_error: a part is missing or of another type, or the figures cannot be a
// vocabulary.
inline TextEmbedder get_vocabulary(const safetensors& file) {
  const std::string& form = file.metadata("vocabulary.form");
  if (form != "words" && form != "style") {
    file.fail("metadata \"vocabulary.form\" is \"" + form.substr(0, 40) + "\", expected \"words\" or \"style\"");
  }
  try {
    return TextEmbedder(Vocabulary{form == "words" ? ngram_form::words : ngram_form::style, file.get<std::uint32_t>("vocabulary.keys"),
                                   file.get<float>("vocabulary.means"), file.get<float>("vocabulary.deviations")});
  } catch (const invalid_input& unusable) {
    file.fail(unusable.what());
  }
}

// Writes a vocabulary to a file of its own, atomically. Throws write_error.
inline void save_vocabulary(const std::string& path, const TextEmbedder& embedder) {
  safetensors file;
  put_vocabulary(file, embedder);
  file.metadata()["format"] = "mmd vocabulary";
  file.metadata()["format_version"] = "1";
  file.seal();
  file.write(path);
}

// A vocabulary file that is in memory already; `name` stands in messages. See load_vocabulary.
inline TextEmbedder parse_vocabulary(std::span<const std::byte> bytes, const std::string& name) {
  const safetensors file = safetensors::parse(bytes, name);
  if (!file.metadata().contains("format") || file.metadata("format") != "mmd vocabulary") {
    file.fail("is not a vocabulary file: metadata \"format\" is not \"mmd vocabulary\"");
  }
  if (const std::string& version = file.metadata("format_version"); version != "1") {
    file.fail("is a vocabulary file of format version " + version.substr(0, 40) + ", expected 1; a newer version of mmd may read it");
  }
  file.require_seal();
  return get_vocabulary(file);
}
// Reads what save_vocabulary wrote. Throws io_error: as safetensors::read does, or no vocabulary file, of a newer format, edited.
inline TextEmbedder load_vocabulary(const std::string& path) { return parse_vocabulary(read_bytes(path), detail::input_name(path)); }

}  // namespace MMD_ISA
}  // namespace mmd
