// SPDX-License-Identifier: MIT
#include "mmd/io/file.hpp"

#include <sys/stat.h>

#include <thread>

#include "mmd/io/atomic_file.hpp"
#include "mmd/io/utf8.hpp"
#include "support/catch2.hpp"
#include "support/failures.hpp"
#include "support/standard_input.hpp"
#include "support/temporary_folder.hpp"

namespace {
std::string text_of(const std::vector<std::byte>& bytes) { return std::string(mmd::detail::as_text(bytes)); }
}  // namespace

TEST_CASE("files are read whole, whatever their size") {
  const temporary_folder folder;
  for (const std::size_t size : {0u, 1u, 65535u, 65536u, 65537u, 1000000u}) {
    const std::string content(size, static_cast<char>('a' + size % 7));
    put_contents(folder.file("f"), content);
    CHECK(text_of(mmd::read_bytes(folder.file("f"))) == content);
  }
}

TEST_CASE("- is standard input") {
  const standard_input input("from outside");
  CHECK(text_of(mmd::read_bytes("-")) == "from outside");
}

TEST_CASE("a pipe is read to its end, up to the limit") {
  const temporary_folder folder;
  const std::string path = folder.file("pipe");
  REQUIRE(::mkfifo(path.c_str(), 0600) == 0);
  const std::string content(300000, 'p');
  std::thread writer([&] { mmd::write_text(path, content); });
  CHECK(text_of(mmd::read_bytes(path)) == content);
  writer.join();
  const std::string message = message_of<mmd::io_error>([&] { static_cast<void>(mmd::read_bytes("/dev/zero", 100000)); });
  CHECK(mentions(message, "/dev/zero: is longer than 100000 bytes"));
}

TEST_CASE("what is no readable file is an error that names it") {
  const temporary_folder folder;
  std::string message = message_of<mmd::io_error>([&] { static_cast<void>(mmd::read_bytes(folder.file("missing.npy"))); });
  CHECK(message == folder.file("missing.npy") + ": cannot be opened for reading: No such file or directory");
  message = message_of<mmd::io_error>([&] { static_cast<void>(mmd::read_bytes(folder.file(""))); });
  CHECK(mentions(message, folder.file("") + ": is a directory, expected a file"));
  message = message_of<mmd::io_error>([] { static_cast<void>(mmd::read_bytes("")); });
  CHECK(mentions(message, "No such file or directory"));
}

TEST_CASE("UTF-8 is told from what is not") {
  using namespace std::string_literals;
  const std::string good[] = {"",    "plain", "é",        "€",           "𝄞", "\xf4\x8f\xbf\xbf", "\xed\x9f\xbf", "\xee\x80\x80",
                              "\0"s, "\x7f",  "\xc2\x80", "\xe0\xa0\x80"};
  for (const std::string& text : good) CHECK(mmd::find_invalid_utf8(text) == std::string::npos);
  const std::string bad[] = {"\x80",
                             "\xbf",
                             "\xc0\x80",
                             "\xc1\xbf",
                             "\xe0\x9f\xbf",
                             "\xed\xa0\x80",
                             "\xf0\x8f\xbf\xbf",
                             "\xf4\x90\x80\x80",
                             "\xf5\x80\x80\x80",
                             "\xff",
                             "\xc3",
                             "\xe2\x82",
                             "\xf0\x9d\x84",
                             "\xc3(",
                             "\xe2(\xa1",
                             "\xe2\x82("};
  for (const std::string& text : bad) CHECK(mmd::find_invalid_utf8("é, " + text) == 4);
}
