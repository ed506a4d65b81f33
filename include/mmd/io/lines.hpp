// SPDX-License-Identifier: MIT
// Walking over the lines of a text file.
#pragma once

#include "mmd/io/file.hpp"
#include "mmd/io/utf8.hpp"

namespace mmd {

// Longest line of a text file that is read, in bytes.
inline constexpr std::size_t line_limit = std::size_t{16} << 20;

namespace detail {
inline namespace MMD_ISA {

// One line after the other, without its end ("\n" or "\r\n"); a byte order mark at the start is skipped. Each line is checked: UTF-8, no
// NUL, not above line_limit.
class line_reader {
 public:
  line_reader(std::span<const std::byte> file, const std::string& name) : name_(name), rest_(as_text(file)) {
    if (rest_.starts_with("\xef\xbb\xbf")) skip(3);
  }
  // False at the end of the file.
  bool next() {
    if (rest_.empty()) return false;
    ++number_;
    begin_ = next_;
    const std::size_t end = rest_.find('\n');
    line_ = rest_.substr(0, end);
    skip(std::min(rest_.size(), line_.size() + 1));
    if (line_.ends_with('\r')) line_.remove_suffix(1);
    if (line_.size() > line_limit) {
      fail("is " + std::to_string(line_.size()) + " bytes long, expected at most " + std::to_string(line_limit));
    }
    if (const std::size_t at = line_.find('\0'); at != line_.npos) fail("holds a NUL byte, expected text", at);
    if (const std::size_t at = find_invalid_utf8(line_); at != line_.npos) fail("is not UTF-8", at);
    return true;
  }
  std::string_view line() const { return line_; }
  // Throws io_error for the current line; `at` counts its bytes.
  [[noreturn]] void fail(const std::string& reason, std::size_t at = 0) const {
    throw io_error(name_, begin_ + at, "line " + std::to_string(number_) + " " + reason);
  }

 private:
  void skip(std::size_t bytes) {
    rest_.remove_prefix(bytes);
    next_ += bytes;
  }
  const std::string& name_;
  std::string_view rest_, line_;
  std::uint64_t begin_ = 0, next_ = 0;
  std::size_t number_ = 0;
};

}  // namespace MMD_ISA
}  // namespace detail
}  // namespace mmd
