// SPDX-License-Identifier: MIT
// Texts as JSON Lines: one object a line.
#pragma once

#include <set>

#include "mmd/io/json_events.hpp"
#include "mmd/io/lines.hpp"

namespace mmd {

// A text and what is known of it; what a line does not give is empty.
struct text_record {
  std::string text;
  std::string id, label, domain, source;
  std::string group;  // "group", or "pair_id" where there is no "group": texts that share it are not independent
  std::string doc;    // the document that this sentence is from
};

namespace detail {
inline namespace MMD_ISA {

class text_record_reader final : public json_events {
 public:
  explicit text_record_reader(const line_reader& lines) : lines_(lines) {}
  text_record read() {
    parse(lines_.line());
    if (!seen_.contains("text")) fail("has no field \"text\"", 0);
    if (record_.group.empty()) record_.group = pair_id_;
    return std::move(record_);
  }

 private:
  [[noreturn]] void fail(const std::string& reason, std::size_t at) override { lines_.fail(reason, at > 0 ? at - 1 : 0); }
  [[noreturn]] void reject(const std::string& kind) {
    fail("field \"" + field_ + "\" is " + kind + ", expected a string" + (field_ == "text" ? "" : " or a whole number"), 0);
  }
  std::string* target() {
    if (field_ == "text") return &record_.text;
    if (field_ == "id") return &record_.id;
    if (field_ == "label") return &record_.label;
    if (field_ == "domain") return &record_.domain;
    if (field_ == "source") return &record_.source;
    if (field_ == "group") return &record_.group;
    if (field_ == "pair_id") return &pair_id_;
    if (field_ == "doc") return &record_.doc;
    return nullptr;
  }
  // A value of a field that is looked at; all others may be anything.
  bool wanted() {
    if (depth == 0) fail("is not an object, expected {\"text\": ...}", 0);
    return depth == 1 && target() != nullptr;
  }

  void on_key(std::string& name) override {
    if (depth != 1) return;
    field_ = std::move(name);
    if (target() != nullptr && !seen_.insert(field_).second) fail("has the field \"" + field_ + "\" twice", 0);
  }
  void on_text(std::string& value) override {
    if (!wanted()) return;
    if (value.find('\0') != value.npos) fail("field \"" + field_ + "\" holds U+0000, expected text", 0);
    *target() = std::move(value);
  }
  void on_unsigned(std::uint64_t value) override {
    if (!wanted()) return;
    if (field_ == "text") reject("a number");
    *target() = std::to_string(value);
  }
  void on_other(const char* kind) override {
    if (!wanted()) return;
    if (std::string_view(kind) == "null" && field_ != "text") return;
    reject(kind);
  }
  void on_open(bool object) override {
    if (depth == 1 && !object) fail("is not an object, expected {\"text\": ...}", 0);
    if (depth == 2 && target() != nullptr) reject(object ? "an object" : "an array");
  }

  const line_reader& lines_;
  std::string field_, pair_id_;
  std::set<std::string, std::less<>> seen_;
  text_record record_;
};

}  // namespace MMD_ISA
}  // namespace detail

inline namespace MMD_ISA {

// Lines that are in memory already; `name` stands in messages. See read_jsonl.
inline std::vector<text_record> parse_jsonl(std::span<const std::byte> file, const std::string& name) {
  std::vector<text_record> records;
  detail::line_reader lines(file, name);
  while (lines.next()) {
    if (lines.line().find_first_not_of(" \t\r") == std::string_view::npos) continue;
    records.push_back(detail::text_record_reader(lines).read());
  }
  if (records.empty()) throw io_error(name, 0, "holds no texts, expected one JSON object a line: {\"text\": ...}");
  return records;
}

// Reads texts, one JSON object a line; "-" is standard input. "text" is required and a string; "id", "label", "domain", "source", "group",
// "pair_id" and "doc" are strings or whole numbers; other fields are ignored and empty lines skipped. UTF-8 with or without a byte order
// mark, lines end with "\n" or "\r\n". Memory: the file and the texts.
// Throws io_error with the path, the line, the byte and the reason: missing, unreadable, no texts, not UTF-8, a NUL, a line of more than
// line_limit bytes, malformed JSON, nested too deep, "text" missing, a field twice or of another type.
inline std::vector<text_record> read_jsonl(const std::string& path) { return parse_jsonl(read_bytes(path), detail::input_name(path)); }

}  // namespace MMD_ISA
}  // namespace mmd
