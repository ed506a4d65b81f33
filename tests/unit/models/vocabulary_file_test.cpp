// SPDX-License-Identifier: MIT
#include "mmd/models/vocabulary_file.hpp"

#include "support/catch2.hpp"
#include "support/failures.hpp"
#include "support/temporary_folder.hpp"

namespace {
const std::vector<std::string> training = {"the cat sat on the mat", "the dog sat, and the cat ran", "a dog ran to the door"};

// The message for a vocabulary file whose content was changed and sealed again.
template <class F>
std::string refusal(F&& change) {
  mmd::safetensors file;
  mmd::put_vocabulary(file, mmd::TextEmbedder::fit(training));
  file.metadata()["format"] = "mmd vocabulary";
  file.metadata()["format_version"] = "1";
  file.seal();
  change(file);
  return message_of<mmd::io_error>([&] { static_cast<void>(mmd::parse_vocabulary(file.serialize(), "v.safetensors")); });
}
}  // namespace

TEST_CASE("a vocabulary comes back from its file as it was, in both forms") {
  const temporary_folder folder;
  const std::string path = folder.file("v.safetensors");
  for (const auto form : {mmd::ngram_form::words, mmd::ngram_form::style}) {
    const auto embedder = mmd::TextEmbedder::fit(training, form);
    mmd::save_vocabulary(path, embedder);
    const auto back = mmd::load_vocabulary(path);
    CHECK(back.vocabulary() == embedder.vocabulary());
    CHECK(back.identity() == embedder.identity());
    CHECK(back.embed(training) == embedder.embed(training));
    const std::string bytes = contents_of(path);
    mmd::save_vocabulary(path, back);
    CHECK(contents_of(path) == bytes);
    CHECK(folder.entries() == 1);
  }
}

TEST_CASE("a vocabulary file cut at any length or with any byte changed is refused") {
  const temporary_folder folder;
  const std::string path = folder.file("v.safetensors");
  mmd::save_vocabulary(path, mmd::TextEmbedder::fit(training));
  const std::string whole = contents_of(path);
  const auto loading = [](const std::string& bytes) {
    return message_of<mmd::io_error>([&] { static_cast<void>(mmd::parse_vocabulary(mmd::detail::as_bytes_of(bytes), "v.safetensors")); });
  };
  CHECK(loading(whole) == "(nothing was thrown)");
  for (std::size_t i = 0; i < whole.size(); ++i) {
    INFO("byte " << i);
    CHECK(mentions(loading(whole.substr(0, i)), "v.safetensors: not a usable safetensors file: truncated"));
    std::string edited = whole;
    edited[i] = static_cast<char>(edited[i] ^ 1);
    CHECK(mentions(loading(edited), "v.safetensors: "));
  }
  std::string moment = whole;
  moment.back() = static_cast<char>(moment.back() ^ 1);
  CHECK(mentions(loading(moment), "v.safetensors: was edited: its content has the hash"));
}

TEST_CASE("files that are no vocabulary, or a newer one, are refused with what is wrong") {
  CHECK(refusal([](auto&) {}) == "(nothing was thrown)");
  CHECK(refusal([](auto& f) { f.metadata().erase("format"); }) ==
        "v.safetensors: is not a vocabulary file: metadata \"format\" is not \"mmd vocabulary\"");
  CHECK(refusal([](auto& f) { f.metadata()["format_version"] = "2"; }) ==
        "v.safetensors: is a vocabulary file of format version 2, expected 1; a newer version of mmd may read it");
  CHECK(mentions(refusal([](auto& f) { f.metadata().erase("content_hash"); }), "metadata has no entry \"content_hash\""));
  const auto resealed = [](auto&& change) {
    return refusal([&](auto& f) {
      change(f);
      f.seal();
    });
  };
  CHECK(resealed([](auto& f) { f.metadata()["vocabulary.form"] = "letters"; }) ==
        "v.safetensors: metadata \"vocabulary.form\" is \"letters\", expected \"words\" or \"style\"");
  CHECK(resealed([](auto& f) { f.put("vocabulary.keys", std::vector<float>{1}); }) ==
        "v.safetensors: tensor \"vocabulary.keys\" has the dtype F32, expected U32");
  CHECK(mentions(resealed([](auto& f) { f.put("vocabulary.keys", std::vector<std::uint32_t>{1}); }),
                 "v.safetensors: mmd: Vocabulary: means.size() = "));
  CHECK(
      mentions(resealed([](auto& f) { f.put("vocabulary.keys", std::vector<std::uint32_t>{}); }), "keys.size() = 0, expected at least 1"));
}

TEST_CASE("a missing vocabulary file and a target that cannot be written are errors that name them") {
  const temporary_folder folder;
  const std::string missing = folder.file("none/v.safetensors");
  CHECK(mentions(message_of<mmd::io_error>([&] { static_cast<void>(mmd::load_vocabulary(missing)); }), missing + ": cannot be opened"));
  const auto embedder = mmd::TextEmbedder::fit(training);
  CHECK(
      mentions(message_of<mmd::write_error>([&] { mmd::save_vocabulary(missing, embedder); }), missing + ": cannot be written in folder"));
  CHECK(mentions(message_of<mmd::write_error>([&] { mmd::save_vocabulary("/dev/full", embedder); }), "No space left on device"));
}
