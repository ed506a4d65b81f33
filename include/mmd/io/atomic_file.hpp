// SPDX-License-Identifier: MIT
// Files that appear whole or not at all.
#pragma once

#include "mmd/io/file.hpp"

namespace mmd {
inline namespace MMD_ISA {

// Writes to a temporary name in the target's folder; commit() syncs it to the disk and renames it over the target. Until then, and when
// anything fails, the target is as it was; the temporary file goes with the object. Symbolic links are followed, so that the file that a
// link points to is replaced and the link stays. A target that exists and is no regular file (/dev/stdout, a pipe) is written directly.
// A replaced file's permissions are kept.
// Throws write_error (path, bytes written so far, reason): no such folder, no permission, a full disk, a failure at close.
class atomic_file {
 public:
  explicit atomic_file(std::string path) : path_(std::move(path)) {
    buffer_.reserve(buffer_size);
    struct stat status {};
    const bool exists = ::stat(path_.c_str(), &status) == 0;
    if (exists && S_ISDIR(status.st_mode)) fail("is a directory, expected a file to write");
    target_ = resolved(path_);
    if ((exists && !S_ISREG(status.st_mode)) || names_descriptor(target_)) {
      file_.open(path_, O_WRONLY | O_TRUNC);
      if (file_.number() < 0) fail("cannot be opened for writing", errno);
      return;
    }
    if (exists && ::access(path_.c_str(), W_OK) != 0) fail("cannot be written", errno);
    const std::string folder = folder_of(target_);
    for (int attempt = 0; file_.number() < 0; ++attempt) {
      temporary_ = folder + "/.mmd-" + std::to_string(::getpid()) + "-" + std::to_string(attempt) + ".tmp";
      file_.open(temporary_, O_WRONLY | O_CREAT | O_EXCL, 0666);
      if (file_.number() < 0 && (errno != EEXIST || attempt == 1000)) {
        const int reason = errno;
        temporary_.clear();
        fail("cannot be written in folder " + folder, reason);
      }
    }
    if (exists) static_cast<void>(::fchmod(file_.number(), status.st_mode & 07777));
  }
  atomic_file(const atomic_file&) = delete;
  atomic_file& operator=(const atomic_file&) = delete;
  ~atomic_file() { discard(); }

  void write(std::span<const std::byte> bytes) {
    while (!bytes.empty()) {
      const std::size_t part = std::min(bytes.size(), buffer_size - buffer_.size());
      buffer_.insert(buffer_.end(), bytes.begin(), bytes.begin() + static_cast<std::ptrdiff_t>(part));
      bytes = bytes.subspan(part);
      if (buffer_.size() == buffer_size) flush();
    }
  }
  void write(std::string_view text) { write(detail::as_bytes_of(text)); }

  // Makes the file appear under its name. Nothing may be written afterwards.
  void commit() {
    flush();
    // A pipe or a terminal has nothing to sync.
    if (::fsync(file_.number()) != 0 && errno != EINVAL && errno != ENOTSUP && errno != EROFS) fail("cannot be synced", errno);
    if (const int reason = file_.close(); reason != 0) fail("cannot be closed", reason);
    if (temporary_.empty()) return;
    if (::rename(temporary_.c_str(), target_.c_str()) != 0) fail("cannot be renamed from " + temporary_, errno);
    temporary_.clear();
    // The rename itself reaches the disk with the folder; a folder that cannot be synced is no reason to call the file unwritten.
    detail::file_descriptor folder;
    folder.open(folder_of(target_), O_RDONLY);
    if (folder.number() >= 0) static_cast<void>(::fsync(folder.number()));
  }

 private:
  static constexpr std::size_t buffer_size = 1 << 16;

  [[noreturn]] void fail(const std::string& what, int error_number = 0) {
    discard();
    throw write_error(path_, written_, error_number == 0 ? what : what + ": " + detail::system_message(error_number));
  }
  void discard() noexcept {
    file_.close();
    if (!temporary_.empty()) ::unlink(temporary_.c_str());
    temporary_.clear();
  }
  void flush() {
    for (std::size_t done = 0; done < buffer_.size();) {
      const ssize_t put = ::write(file_.number(), buffer_.data() + done, buffer_.size() - done);
      if (put < 0 && errno == EINTR) continue;
      if (put < 0) fail("cannot be written", errno);
      done += static_cast<std::size_t>(put);
      written_ += static_cast<std::uint64_t>(put);
    }
    buffer_.clear();
  }
  static std::string folder_of(const std::string& name) {
    const std::size_t slash = name.rfind('/');
    return slash == std::string::npos ? "." : name.substr(0, std::max<std::size_t>(slash, 1));
  }
  // The name at the end of a chain of links, also where the last one points to nothing yet.
  std::string resolved(std::string name) {
    char link[4096];
    for (int links = 0; !names_descriptor(name); ++links) {
      const ssize_t length = ::readlink(name.c_str(), link, sizeof link);
      if (length < 0) break;  // no link
      if (links == 40) fail("cannot be written", ELOOP);
      const std::string to(link, static_cast<std::size_t>(length));
      name = to.starts_with('/') ? to : folder_of(name) + "/" + to;
    }
    return name;
  }
  // /dev/stdout and its like lead here: an open file, not a name that could be replaced.
  static bool names_descriptor(const std::string& name) { return name.starts_with("/proc/") || name.starts_with("/dev/fd/"); }

  std::string path_, temporary_, target_;
  detail::file_descriptor file_;
  std::vector<std::byte> buffer_;
  std::uint64_t written_ = 0;
};

// Writes a whole file, atomically. Throws write_error as atomic_file does.
inline void write_bytes(const std::string& path, std::span<const std::byte> bytes) {
  atomic_file file(path);
  file.write(bytes);
  file.commit();
}
inline void write_text(const std::string& path, std::string_view text) { write_bytes(path, detail::as_bytes_of(text)); }

}  // namespace MMD_ISA
}  // namespace mmd
