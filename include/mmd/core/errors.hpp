// SPDX-License-Identifier: MIT
// Everything the library throws on purpose. Messages name the argument, its value and what was expected.
#pragma once

#include <concepts>
#include <cstdint>
#include <cstdio>
#include <stdexcept>
#include <string>
#include <utility>

namespace mmd {

// Base of all errors of the library.
class error : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

// An argument that cannot be used: its shape, a value that is not finite, a parameter out of range.
class invalid_input : public error {
 public:
  using error::error;
};

// A file that cannot be read or written: which one, where in it, and why.
class io_error : public error {
 public:
  io_error(std::string path, std::uint64_t offset, const std::string& reason)
      : error(path + ": " + reason + (offset ? " (at byte " + std::to_string(offset) + ")" : std::string())),
        path_(std::move(path)),
        offset_(offset) {}
  const std::string& path() const noexcept { return path_; }
  std::uint64_t offset() const noexcept { return offset_; }

 private:
  std::string path_;
  std::uint64_t offset_;
};

// A file that cannot be written: the target, the disk or the folder is at fault, not the data.
class write_error : public io_error {
 public:
  using io_error::io_error;
};

// The device or its driver failed: the code, its name, and what was asked.
class device_error : public error {
 public:
  using error::error;
};

// The device's memory does not hold what was asked for, after all that could be given back was.
class device_out_of_memory : public device_error {
 public:
  [[gnu::cold, gnu::noinline]] device_out_of_memory(const std::string& what, std::uint64_t asked, std::uint64_t free, std::uint64_t total)
      : device_error(what + ": asked for " + std::to_string(asked) + " bytes, but " + std::to_string(free) + " of the device's " +
                     std::to_string(total) + " bytes are free"),
        asked_(asked),
        free_(free),
        total_(total) {}
  std::uint64_t asked() const noexcept { return asked_; }
  std::uint64_t free() const noexcept { return free_; }
  std::uint64_t total() const noexcept { return total_; }

 private:
  std::uint64_t asked_, free_, total_;
};

// The work does not fit in the backend's memory limit, however it is split.
class memory_limit_exceeded : public error {
 public:
  [[gnu::cold, gnu::noinline]] memory_limit_exceeded(const std::string& what, std::uint64_t needed, std::uint64_t limit)
      : error(what + " needs " + std::to_string(needed) + " bytes, but the memory limit is " + std::to_string(limit) + " bytes"),
        needed_(needed),
        limit_(limit) {}
  std::uint64_t needed() const noexcept { return needed_; }
  std::uint64_t limit() const noexcept { return limit_; }

 private:
  std::uint64_t needed_, limit_;
};

// A progress callback asked to stop.
class cancelled : public error {
 public:
  cancelled() : error("cancelled by the progress callback") {}
};

namespace detail {

// A value as it appears in a message: integers in full, others with up to 6 significant digits, always with a decimal point.
template <class V>
std::string shown(const V& value) {
  if constexpr (std::same_as<V, bool>) {
    return value ? "true" : "false";
  } else if constexpr (std::integral<V>) {
    return std::to_string(value);
  } else if constexpr (std::floating_point<V>) {
    if (value != value) return "nan";  // whatever its sign
    char text[40];
    std::snprintf(text, sizeof text, "%.6g", static_cast<double>(value));
    for (char& c : text) {
      if (c == ',') c = '.';
    }
    return text;
  } else {
    return std::string(value);
  }
}

// "mmd: bandwidth = -1, expected a finite number above 0"
[[noreturn, gnu::cold, gnu::noinline]] inline void reject_shown(const char* argument, const std::string& value,
                                                                const std::string& expected) {
  throw invalid_input("mmd: " + std::string(argument) + " = " + value + ", expected " + expected);
}
template <class V>
[[noreturn, gnu::cold]] void reject(const char* argument, const V& value, const std::string& expected) {
  reject_shown(argument, shown(value), expected);
}
template <class V>
void require(bool good, const char* argument, const V& value, const char* expected) {
  if (!good) reject(argument, value, expected);
}

}  // namespace detail
}  // namespace mmd
