// SPDX-License-Identifier: MIT
// Reading a whole file, or standard input, with a clear error for everything that is not a readable file.
#pragma once

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <system_error>
#include <utility>
#include <vector>

#include "mmd/core/config.hpp"
#include "mmd/core/errors.hpp"

namespace mmd {

// Most bytes that are read from what has no size of its own: standard input, a pipe, a device. A regular file is bounded by its size.
inline constexpr std::uint64_t stream_limit = std::uint64_t{1} << 30;

namespace detail {

// An open file: closed when it goes out of scope.
class file_descriptor {
 public:
  explicit file_descriptor(int number = -1) noexcept : number_(number) {}
  file_descriptor(const file_descriptor&) = delete;
  file_descriptor& operator=(const file_descriptor&) = delete;
  ~file_descriptor() { close(); }
  void open(const std::string& path, int flags, mode_t mode = 0) {
    close();
    number_ = ::open(path.c_str(), flags | O_CLOEXEC, mode);
  }
  int number() const noexcept { return number_; }
  // 0, or the error number. The descriptor is gone in both cases.
  int close() noexcept {
    if (number_ < 0) return 0;
    return ::close(std::exchange(number_, -1)) == 0 ? 0 : errno;
  }

 private:
  int number_;
};

inline std::string system_message(int error_number) { return std::generic_category().message(error_number); }

inline std::string_view as_text(std::span<const std::byte> bytes) { return {reinterpret_cast<const char*>(bytes.data()), bytes.size()}; }
inline std::span<const std::byte> as_bytes_of(std::string_view text) {
  return {reinterpret_cast<const std::byte*>(text.data()), text.size()};
}

}  // namespace detail

inline namespace MMD_ISA {

// All bytes of a file; "-" is standard input. A regular file is read to the end, anything else up to `limit` bytes.
// Memory: the file's size (a stream's: up to twice). Throws io_error: missing, unreadable, a directory, a stream above the limit.
inline std::vector<std::byte> read_bytes(const std::string& path, std::uint64_t limit = stream_limit) {
  const bool standard_input = path == "-";
  const std::string name = standard_input ? "standard input" : path;
  detail::file_descriptor own;
  if (!standard_input) {
    own.open(path, O_RDONLY);
    if (own.number() < 0) throw io_error(name, 0, "cannot be opened for reading: " + detail::system_message(errno));
  }
  const int descriptor = standard_input ? STDIN_FILENO : own.number();
  struct stat status {};
  if (::fstat(descriptor, &status) != 0) throw io_error(name, 0, "cannot be read: " + detail::system_message(errno));
  if (S_ISDIR(status.st_mode)) throw io_error(name, 0, "is a directory, expected a file");
  const bool regular = S_ISREG(status.st_mode);

  // One byte more than expected is asked for: the end of the file is seen without growing the buffer.
  std::vector<std::byte> bytes(regular ? static_cast<std::size_t>(status.st_size) + 1 : 65536);
  std::size_t used = 0;
  for (;;) {
    if (used == bytes.size()) bytes.resize(2 * bytes.size());
    const ssize_t got = ::read(descriptor, bytes.data() + used, bytes.size() - used);
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) throw io_error(name, used, "cannot be read: " + detail::system_message(errno));
    if (got == 0) break;
    used += static_cast<std::size_t>(got);
    if (!regular && used > limit) {
      throw io_error(name, limit, "is longer than " + std::to_string(limit) + " bytes, the most that is read from a stream; give a file");
    }
  }
  bytes.resize(used);
  return bytes;
}

}  // namespace MMD_ISA

namespace detail {
inline namespace MMD_ISA {
// What messages call the input of that path.
inline std::string input_name(const std::string& path) { return path == "-" ? "standard input" : path; }
}  // namespace MMD_ISA
}  // namespace detail

}  // namespace mmd
