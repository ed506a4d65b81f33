// SPDX-License-Identifier: MIT
#include "texts.hpp"

#include <sys/stat.h>
#include <algorithm>
#include <cstring>
#include <filesystem>
#include <mmd/io/jsonl.hpp>
#include <mmd/io/npy.hpp>
#include <mmd/io/tsv.hpp>

namespace detect {
namespace {

using column = std::vector<std::string> TextSet::*;
constexpr std::pair<const char*, column> columns[] = {
    {"id", &TextSet::id},         {"split", &TextSet::split},   {"label", &TextSet::label}, {"set", &TextSet::set},
    {"domain", &TextSet::domain}, {"source", &TextSet::source}, {"group", &TextSet::group}, {"doc", &TextSet::doc}};

bool exists(const std::string& path) {
  struct stat found = {};
  return stat(path.c_str(), &found) == 0;
}

TextSet from_npy(const std::string& path, std::span<const std::byte> bytes, const std::string& labels_given) {
  TextSet out;
  out.path = path;
  const std::string source = path == "-" ? "standard input" : path;
  out.embeddings = mmd::parse_npy<float>(bytes, source);
  mmd::check_sample(mmd::samples<float>(out.embeddings), source.c_str());
  const std::string labels = labels_given.empty() ? mmd::sidecar_of(path) : labels_given;
  if (labels_given.empty() && (path == "-" || !exists(labels))) return out;
  const mmd::text_table table = mmd::read_tsv(labels);
  table.require_rows(out.embeddings.rows(), path);
  for (const auto& [title, member] : columns) {
    if (table.has(title)) out.*member = table.column(title);
  }
  if (table.has("embedder")) {
    const auto& names = table.column("embedder");
    out.embedder = names.front();
    for (std::size_t i = 0; i < names.size(); ++i) {
      if (names[i] != out.embedder)
        throw mmd::invalid_input("mmd: " + labels + ": embedder of row " + std::to_string(i) + " = " + names[i] +
                                 ", expected one embedder for all rows, that of the first, " + out.embedder);
    }
  }
  return out;
}

TextSet from_jsonl(const std::string& path, std::span<const std::byte> bytes) {
  TextSet out;
  out.path = path;
  out.from_texts = true;
  for (mmd::text_record& r : mmd::parse_jsonl(bytes, path == "-" ? "standard input" : path)) {
    out.texts.push_back(std::move(r.text));
    out.id.push_back(std::move(r.id));
    out.label.push_back(std::move(r.label));
    out.domain.push_back(std::move(r.domain));
    out.source.push_back(std::move(r.source));
    out.group.push_back(std::move(r.group));
    out.doc.push_back(std::move(r.doc));
  }
  for (const auto& [name, member] : columns) {
    auto& cells = out.*member;
    const auto given = std::count_if(cells.begin(), cells.end(), [](const std::string& c) { return !c.empty(); });
    if (given == 0) cells.clear();
  }
  return out;
}

}  // namespace

TextSet TextSet::rows(std::span<const mmd::index_t> which) const {
  TextSet out;
  out.path = path;
  out.from_texts = from_texts;
  out.embedder = embedder;
  for (const mmd::index_t i : which) {
    if (from_texts) out.texts.push_back(texts[static_cast<std::size_t>(i)]);
    for (const auto& [name, member] : columns) {
      if (!(this->*member).empty()) (out.*member).push_back((this->*member)[static_cast<std::size_t>(i)]);
    }
  }
  if (embeddings.rows() > 0) {
    out.embeddings.resize(static_cast<mmd::index_t>(which.size()), embeddings.cols());
    for (std::size_t r = 0; r < which.size(); ++r) {
      const auto from = embeddings.row(which[r]);
      std::copy(from.begin(), from.end(), out.embeddings.row(static_cast<mmd::index_t>(r)).begin());
    }
  }
  return out;
}

std::vector<std::string> TextSet::clusters() const {
  std::vector<std::string> out;
  const mmd::TextIds rows = from_texts ? mmd::TextIds(texts) : mmd::TextIds::of_rows(embeddings);
  for (std::size_t i = 0; i < static_cast<std::size_t>(size()); ++i) {
    const std::string own = !group.empty() ? group[i] : std::string();
    out.push_back(!own.empty() ? own : !id.empty() && !id[i].empty() ? id[i] : "content " + std::to_string(rows.hashes()[i]));
  }
  return out;
}

TextSet read_texts(const std::string& path, const std::string& labels) {
  const auto bytes = mmd::read_bytes(path);
  const bool npy = bytes.size() >= 6 && std::memcmp(bytes.data(), "\x93NUMPY", 6) == 0;
  return npy || path.ends_with(".npy") ? from_npy(path, bytes, labels) : from_jsonl(path, bytes);
}

void embed(TextSet& set, const mmd::TextEmbedder& embedder) {
  if (!set.from_texts) return;
  set.embeddings = embedder.embed(set.texts);
  set.embedder = embedder.identity();
}

void require_label(const TextSet& set, const char* option, const std::string& label) {
  for (std::size_t i = 0; i < set.label.size(); ++i) {
    if (set.label[i].empty() || set.label[i] == label) continue;
    throw mmd::invalid_input("mmd: " + std::string(option) + " " + set.path + ": row " + std::to_string(i) + " is labelled \"" +
                             set.label[i] + "\", expected only \"" + label + "\" texts");
  }
}

void require_other_file(const char* option, const std::string& target, const std::vector<std::string>& others) {
  for (const std::string& other : others) {
    std::error_code none;  // of a file that does not exist
    if (target == other || std::filesystem::equivalent(target, other, none))
      throw mmd::invalid_input("mmd: " + std::string(option) + " = " + target + ", expected another file than " + other);
  }
}

TextSet joined(const TextSet& a, const TextSet& b) {
  mmd::detail::require(a.embeddings.cols() == b.embeddings.cols(), (b.path + ": columns").c_str(), b.embeddings.cols(),
                       ("as many as " + a.path + " has, " + std::to_string(a.embeddings.cols())).c_str());
  TextSet out;
  out.path = a.path + ", " + b.path;
  std::vector<float> values = a.embeddings.values();
  values.insert(values.end(), b.embeddings.values().begin(), b.embeddings.values().end());
  out.embeddings = mmd::matrix<float>(a.embeddings.rows() + b.embeddings.rows(), a.embeddings.cols(), std::move(values));
  for (const auto& [name, member] : columns) {
    if ((a.*member).empty() || (b.*member).empty()) continue;
    out.*member = a.*member;
    (out.*member).insert((out.*member).end(), (b.*member).begin(), (b.*member).end());
  }
  return out;
}

}  // namespace detect
