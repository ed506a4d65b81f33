// SPDX-License-Identifier: MIT
// The header of a .npy file: magic, version, and a Python dictionary of exactly three entries, read by a parser that knows nothing else.
#pragma once

#include <cstdint>
#include <limits>
#include <span>
#include <string>
#include <string_view>

#include "mmd/io/file.hpp"

namespace mmd {

// Element types of .npy files that can be read and written: little-endian halves, floats and doubles.
enum class npy_type { f2, f4, f8 };

namespace detail {
struct npy_header {
  npy_type type = npy_type::f4;
  bool fortran_order = false;
  index_t rows = 0, cols = 0;  // a 1-D array of n values is n x 1
  std::size_t data_begin = 0;  // of the values, in bytes from the start of the file
};
inline constexpr std::size_t npy_header_limit = 65536;
inline constexpr std::size_t npy_bytes(npy_type type) { return type == npy_type::f2 ? 2 : type == npy_type::f4 ? 4 : 8; }
inline constexpr const char* npy_name(npy_type type) { return type == npy_type::f2 ? "<f2" : type == npy_type::f4 ? "<f4" : "<f8"; }
}  // namespace detail

namespace detail {
inline namespace MMD_ISA {

// Reads {'descr': '<f4', 'fortran_order': False, 'shape': (3, 4), } with its entries in any order. Every failure is an io_error that
// names the file and the byte.
class npy_header_parser {
 public:
  npy_header_parser(std::span<const std::byte> file, const std::string& name) : name_(name), text_(as_text(file)) {}

  npy_header parse() {
    find_dictionary();
    bool seen[3] = {};
    expect('{');
    while (!accept('}')) {
      const std::size_t key_at = skip_spaces();
      const std::string_view key = quoted();
      const int which = key == "descr" ? 0 : key == "fortran_order" ? 1 : key == "shape" ? 2 : -1;
      if (which < 0) fail(key_at, "header has the entry '" + printable(key) + "', expected descr, fortran_order and shape");
      if (seen[which]) fail(key_at, "header has the entry '" + std::string(key) + "' twice");
      seen[which] = true;
      expect(':');
      if (which == 0) parse_type();
      if (which == 1) parse_order();
      if (which == 2) parse_shape();
      if (!accept(',')) {
        expect('}');
        break;
      }
    }
    for (int which = 0; which < 3; ++which) {
      const char* const names[] = {"descr", "fortran_order", "shape"};
      if (!seen[which]) fail(at_, std::string("header has no entry '") + names[which] + "'");
    }
    if (skip_spaces() != end_) fail(at_, "header goes on after its dictionary");
    header_.data_begin = end_;
    return header_;
  }

 private:
  [[noreturn]] void fail(std::size_t at, const std::string& reason) const {
    throw io_error(name_, at, "not a usable .npy file: " + reason);
  }

  // What may be shown in a message: at most 40 characters, none of them a control character.
  static std::string printable(std::string_view text) {
    std::string shown(text.substr(0, 40));
    for (char& c : shown) {
      if (c < ' ' || c > '~') c = '?';
    }
    return text.size() > 40 ? shown + "..." : shown;
  }
  std::size_t byte(std::size_t at) const { return static_cast<unsigned char>(text_[at]); }

  void find_dictionary() {
    constexpr std::string_view magic("\x93NUMPY", 6);
    if (text_.substr(0, 6) != magic.substr(0, std::min<std::size_t>(text_.size(), 6))) fail(0, "it does not begin with \\x93NUMPY");
    if (text_.size() < 8) fail(text_.size(), "it ends after " + std::to_string(text_.size()) + " bytes, within magic and version");
    const std::size_t major = byte(6), minor = byte(7);
    if (major < 1 || major > 3 || minor != 0) {
      fail(6, "format version " + std::to_string(major) + "." + std::to_string(minor) + ", expected 1.0, 2.0 or 3.0");
    }
    const std::size_t digits = major == 1 ? 2 : 4;
    if (text_.size() < 8 + digits) fail(text_.size(), "it ends within the header's length");
    std::size_t length = 0;
    for (std::size_t i = digits; i-- > 0;) length = length << 8 | byte(8 + i);
    if (length > npy_header_limit) {
      fail(8, "header of " + std::to_string(length) + " bytes, expected at most " + std::to_string(npy_header_limit));
    }
    at_ = 8 + digits;
    if (length > text_.size() - at_) {
      fail(text_.size(),
           "truncated: the header needs " + std::to_string(length) + " bytes, " + std::to_string(text_.size() - at_) + " are there");
    }
    end_ = at_ + length;
    for (std::size_t i = at_; i < end_; ++i) {
      if (byte(i) >= 0x80) fail(i, "header holds a byte that is not ASCII");
    }
  }

  std::size_t skip_spaces() {
    while (at_ < end_ && (text_[at_] == ' ' || text_[at_] == '\n' || text_[at_] == '\t' || text_[at_] == '\r')) ++at_;
    return at_;
  }
  bool accept(char wanted) {
    if (skip_spaces() == end_ || text_[at_] != wanted) return false;
    ++at_;
    return true;
  }
  void expect(char wanted) {
    if (!accept(wanted)) fail(at_, std::string("header is malformed, expected '") + wanted + "'");
  }
  // A string without escapes, in either kind of quotes.
  std::string_view quoted() {
    if (skip_spaces() == end_ || (text_[at_] != '\'' && text_[at_] != '"')) fail(at_, "header is malformed, expected a quoted string");
    const char quote = text_[at_];
    const std::size_t begin = ++at_;
    while (at_ < end_ && text_[at_] != quote && text_[at_] != '\\') ++at_;
    if (at_ == end_ || text_[at_] != quote) fail(at_, "header is malformed, a string does not end");
    return text_.substr(begin, at_++ - begin);
  }

  void parse_type() {
    const std::size_t at = skip_spaces();
    if (at < end_ && text_[at] == '[') fail(at, "structured dtype; expected one number per element, as '<f4' or '<f8'");
    const std::string_view type = quoted();
    const auto reject = [&](const std::string& why) { fail(at, "dtype '" + printable(type) + "' " + why); };
    if (type == "<f2") {
      header_.type = npy_type::f2;
    } else if (type == "<f4") {
      header_.type = npy_type::f4;
    } else if (type == "<f8") {
      header_.type = npy_type::f8;
    } else if (type.size() < 2) {
      reject("is unknown; expected '<f2', '<f4' or '<f8'");
    } else if (type[1] == 'O') {
      reject("holds pickled Python objects, which are not read; expected '<f2', '<f4' or '<f8'");
    } else if (type == ">f2" || type == ">f4" || type == ">f8") {
      reject("is big-endian; expected little-endian: save array.astype('<" + std::string(type.substr(1)) + "')");
    } else if (type[1] == 'i' || type[1] == 'u' || type[1] == 'b') {
      reject("holds integers; expected floating point: save array.astype('float32') or array.astype('float64')");
    } else {
      reject("cannot be read; expected '<f2', '<f4' or '<f8'");
    }
  }
  void parse_order() {
    skip_spaces();
    for (const bool value : {false, true}) {
      const std::string_view word = value ? "True" : "False";
      if (text_.substr(at_, std::min(word.size(), end_ - at_)) != word) continue;
      header_.fortran_order = value;
      at_ += word.size();
      return;
    }
    fail(at_, "header is malformed, fortran_order must be True or False");
  }
  void parse_shape() {
    const std::size_t at = skip_spaces();
    index_t sizes[2] = {0, 1};
    int dimensions = 0;
    expect('(');
    while (!accept(')')) {
      const index_t size = number();
      if (dimensions < 2) sizes[dimensions] = size;
      ++dimensions;
      if (!accept(',')) {
        expect(')');
        if (dimensions == 1) fail(at, "header is malformed, (" + std::to_string(size) + ") is not a tuple");
        break;
      }
    }
    if (dimensions != 1 && dimensions != 2) fail(at, "array of " + std::to_string(dimensions) + " dimensions, expected 1 or 2");
    if (sizes[1] == 0) fail(at, "array without columns, shape (" + std::to_string(sizes[0]) + ", 0)");
    header_.rows = sizes[0];
    header_.cols = sizes[1];
  }
  index_t number() {
    const std::size_t at = skip_spaces();
    index_t value = 0;
    while (at_ < end_ && text_[at_] >= '0' && text_[at_] <= '9') {
      const index_t digit = text_[at_] - '0';
      if (value > (std::numeric_limits<index_t>::max() - digit) / 10) fail(at, "a size in the shape is too large");
      value = value * 10 + digit;
      ++at_;
    }
    if (at_ == at) fail(at, "header is malformed, expected a size in the shape");
    return value;
  }

  const std::string& name_;
  std::string_view text_;
  std::size_t at_ = 0, end_ = 0;
  npy_header header_;
};

}  // namespace MMD_ISA
}  // namespace detail

}  // namespace mmd
