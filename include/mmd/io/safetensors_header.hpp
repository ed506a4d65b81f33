// SPDX-License-Identifier: MIT
// The header of a safetensors file: JSON of one fixed shape, read as it comes.
#pragma once

#include <array>
#include <set>

#include "mmd/io/file.hpp"
#include "mmd/io/json_events.hpp"
#include "mmd/io/tensor.hpp"

namespace mmd {
namespace detail {

inline constexpr std::uint64_t safetensors_header_limit = 100'000'000;

struct tensor_entry {
  std::string name;
  tensor_type type = tensor_type::f32;
  std::vector<std::uint64_t> shape;
  std::uint64_t begin = 0, end = 0;
};

inline namespace MMD_ISA {

// {"__metadata__": {"key": "text", ...}, "name": {"dtype": "F32", "shape": [3, 4], "data_offsets": [0, 48]}, ...}
class safetensors_header_reader final : public json_events {
 public:
  std::vector<tensor_entry> entries;
  std::map<std::string, std::string> metadata;

  safetensors_header_reader(const std::string& name, std::string_view header) : name_(name) {
    if (!header.starts_with('{')) fail("the header does not begin with '{'", 1);
    if (const std::size_t at = header.find('\0'); at != header.npos) fail("the header holds a NUL byte", at + 1);
    parse(header);
  }

 private:
  static constexpr std::size_t dimension_limit = 16;

  [[noreturn]] void fail(const std::string& reason, std::size_t at) override {
    throw io_error(name_, at > 0 ? 7 + at : 0, "not a usable safetensors file: " + reason);
  }
  std::string here() const {
    return in_metadata_ ? "__metadata__" + (key_.empty() ? std::string() : " \"" + key_ + "\"")
                        : "tensor \"" + tensor_name_ + "\"" + (key_.empty() ? "" : ": " + key_);
  }
  [[noreturn]] void reject(const std::string& found) {
    const char* wanted = in_metadata_ || key_ == "dtype" ? "a string" : key_ == "shape" ? "an array of sizes" : "an array of two offsets";
    fail(here() + " is " + found + ", expected " + (depth < 2 || key_.empty() ? "an object" : wanted), 0);
  }

  void on_key(std::string& name) override {
    if (depth == 1) {
      key_.clear();
      in_metadata_ = name == "__metadata__";
      tensor_name_ = name;
      if (!names_.insert(std::move(name)).second) fail(here() + " is there twice", 0);
      return;
    }
    key_ = std::move(name);
    if (in_metadata_) {
      if (metadata.contains(key_)) fail(here() + " is there twice", 0);
      return;
    }
    const std::size_t which = key_ == "dtype" ? 0 : key_ == "shape" ? 1 : key_ == "data_offsets" ? 2 : 3;
    if (which == 3) fail("tensor \"" + tensor_name_ + "\" has the entry \"" + key_ + "\", expected dtype, shape and data_offsets", 0);
    if (seen_[which]) fail(here() + " is there twice", 0);
    seen_[which] = true;
  }
  void on_text(std::string& value) override {
    if (depth != 2 || (!in_metadata_ && key_ != "dtype")) reject("a string");
    if (in_metadata_) {
      metadata[key_] = std::move(value);
      return;
    }
    for (const tensor_type_name& known : tensor_types) {
      if (value == known.name) {
        entry_.type = known.type;
        return;
      }
    }
    fail(here() + " \"" + value.substr(0, 40) + "\" cannot be read, expected BF16, F16, F32, F64, I32, I64, U8, U32 or U64", 0);
  }
  void on_unsigned(std::uint64_t value) override {
    if (depth != 3) reject("a number");
    if (key_ == "shape") {
      if (entry_.shape.size() == dimension_limit) fail(here() + " has more than " + std::to_string(dimension_limit) + " sizes", 0);
      entry_.shape.push_back(value);
    } else {
      if (offsets_ == 2) fail(here() + " has more than two offsets", 0);
      (offsets_++ == 0 ? entry_.begin : entry_.end) = value;
    }
  }
  void on_other(const char* kind) override { reject(kind); }
  void on_open(bool object) override {
    if (depth == 2) {
      if (!object) reject("an array");
      entry_ = {};
      seen_ = {};
      offsets_ = 0;
    } else if (depth == 3 && (object || in_metadata_ || key_ == "dtype")) {
      reject(object ? "an object" : "an array");
    } else if (depth > 3) {
      reject(object ? "an array of objects" : "an array of arrays");
    }
  }
  void on_close() override {
    if (depth != 1 || in_metadata_) return;
    key_.clear();
    const char* const names[] = {"dtype", "shape", "data_offsets"};
    for (std::size_t which = 0; which < 3; ++which) {
      if (!seen_[which]) fail(here() + " has no " + names[which], 0);
    }
    if (offsets_ != 2) fail(here() + ": data_offsets has " + std::to_string(offsets_) + " numbers, expected 2", 0);
    entry_.name = tensor_name_;
    entries.push_back(std::move(entry_));
  }

  const std::string& name_;
  std::set<std::string> names_;
  std::string tensor_name_, key_;
  bool in_metadata_ = false;
  tensor_entry entry_;
  std::array<bool, 3> seen_{};
  int offsets_ = 0;
};

}  // namespace MMD_ISA
}  // namespace detail
}  // namespace mmd
