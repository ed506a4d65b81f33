// SPDX-License-Identifier: MIT
// What the commands read: embeddings (.npy, with labels in the .tsv beside it) or texts (.jsonl), brought to one form.
#pragma once

#include <mmd/mmd.hpp>
#include <span>
#include <string>
#include <vector>

namespace detect {

// Columns are empty where the file does not give them, else one entry a row.
struct TextSet {
  std::string path;
  bool from_texts = false;         // .jsonl: `texts` holds them, and an embedder makes the rows
  std::vector<std::string> texts;  // .jsonl only
  mmd::matrix<float> embeddings;   // one row a text
  std::vector<std::string> id, split, label, set, domain, source, group, doc;
  std::string embedder;  // what made the rows, where the file says so

  mmd::index_t size() const { return from_texts ? static_cast<mmd::index_t>(texts.size()) : embeddings.rows(); }
  TextSet rows(std::span<const mmd::index_t> which) const;
  // What tells independent texts apart, one name a row: the group where it is given, else the id, else the text or the row itself.
  std::vector<std::string> clusters() const;
  mmd::TextIds ids() const { return mmd::TextIds(clusters()); }
};

// Reads PATH: a .npy file, or JSON lines; "-" is standard input, told apart by its first bytes. Throws mmd::io_error.
// `labels`: the table of the rows' labels where it is not PATH.tsv.
TextSet read_texts(const std::string& path, const std::string& labels = "");

// Fills in `embeddings` where the set came as texts.
void embed(TextSet& set, const mmd::TextEmbedder& embedder);

// Throws unless no row is labelled otherwise: a file of machine texts must not be taken for human ones.
void require_label(const TextSet& set, const char* option, const std::string& label);

// Throws where writing `target` would destroy an input, or another output, of the same command.
void require_other_file(const char* option, const std::string& target, const std::vector<std::string>& others);

// f(), whose complaints about texts name the file that they are from.
template <class F>
auto about(const TextSet& set, F f) {
  try {
    return f();
  } catch (const mmd::invalid_input& e) {
    const std::string what = e.what(), prefix = "mmd: ";
    throw mmd::invalid_input(prefix + set.path + ": " + (what.starts_with(prefix) ? what.substr(prefix.size()) : what));
  }
}

// "x, y" joined below each other: the rows of both, columns kept where both have them.
TextSet joined(const TextSet& a, const TextSet& b);

}  // namespace detect
