// SPDX-License-Identifier: MIT
#include "mmd/io/atomic_file.hpp"

#include <sys/stat.h>

#include <thread>

#include "support/catch2.hpp"
#include "support/failures.hpp"
#include "support/temporary_folder.hpp"

TEST_CASE("a file appears at commit, whole, and nothing is left beside it") {
  const temporary_folder folder;
  const std::string path = folder.file("a.bin");
  std::string content(200000, 'x');
  content[70000] = 'y';
  mmd::atomic_file file(path);
  file.write(std::string_view(content).substr(0, 100000));
  file.write(std::string_view(content).substr(100000));
  CHECK_FALSE(std::filesystem::exists(path));
  file.commit();
  CHECK(contents_of(path) == content);
  CHECK(folder.entries() == 1);
}

TEST_CASE("without commit the old file stays and the temporary one goes, also when an exception passes") {
  const temporary_folder folder;
  const std::string path = folder.file("a.txt");
  put_contents(path, "old");
  try {
    mmd::atomic_file file(path);
    file.write(std::string(100000, 'n'));
    CHECK(folder.entries() == 2);
    throw std::runtime_error("the user's");
  } catch (const std::runtime_error&) {
  }
  CHECK(contents_of(path) == "old");
  CHECK(folder.entries() == 1);
}

TEST_CASE("two writers of one file do not meet: the last to commit wins") {
  const temporary_folder folder;
  const std::string path = folder.file("a.txt");
  mmd::atomic_file first(path), second(path);
  first.write("first");
  second.write("second");
  second.commit();
  CHECK(contents_of(path) == "second");
  first.commit();
  CHECK(contents_of(path) == "first");
  CHECK(folder.entries() == 1);
}

TEST_CASE("a replaced file keeps its permissions") {
  const temporary_folder folder;
  const std::string path = folder.file("a.txt");
  put_contents(path, "old");
  REQUIRE(::chmod(path.c_str(), 0640) == 0);
  mmd::write_text(path, "new");
  struct stat status {};
  REQUIRE(::stat(path.c_str(), &status) == 0);
  CHECK((status.st_mode & 07777) == 0640);
  CHECK(contents_of(path) == "new");
}

TEST_CASE("links are followed: the file behind them is replaced, also one that is not there yet") {
  const temporary_folder folder;
  std::filesystem::create_directory(folder.file("sub"));
  put_contents(folder.file("sub/target"), "old");
  std::filesystem::create_symlink("sub/target", folder.file("inner"));
  std::filesystem::create_symlink("inner", folder.file("outer"));
  mmd::write_text(folder.file("outer"), "new");
  CHECK(contents_of(folder.file("sub/target")) == "new");
  CHECK(std::filesystem::is_symlink(folder.file("outer")));
  CHECK(std::filesystem::is_symlink(folder.file("inner")));

  std::filesystem::create_symlink("sub/later", folder.file("dangling"));
  mmd::write_text(folder.file("dangling"), "there");
  CHECK(contents_of(folder.file("sub/later")) == "there");
  CHECK(std::filesystem::is_symlink(folder.file("dangling")));

  std::filesystem::create_symlink("b", folder.file("a"));
  std::filesystem::create_symlink("a", folder.file("b"));
  const std::string message = message_of<mmd::write_error>([&] { mmd::write_text(folder.file("a"), "x"); });
  CHECK(mentions(message, folder.file("a")));
}

TEST_CASE("a full disk is an error that names the file") {
  for (const std::size_t size : {std::size_t{1}, std::size_t{1} << 20}) {
    const std::string message = message_of<mmd::write_error>([&] { mmd::write_text("/dev/full", std::string(size, 'x')); });
    CHECK(mentions(message, "/dev/full: cannot be written: No space left on device"));
  }
  CHECK(std::filesystem::is_character_file("/dev/full"));
}

TEST_CASE("a pipe is written directly") {
  const temporary_folder folder;
  const std::string path = folder.file("pipe");
  REQUIRE(::mkfifo(path.c_str(), 0600) == 0);
  std::string received;
  std::thread reader([&] { received = contents_of(path); });
  mmd::write_text(path, "through the pipe");
  reader.join();
  CHECK(received == "through the pipe");
  CHECK(std::filesystem::is_fifo(path));
  CHECK(folder.entries() == 1);
}

TEST_CASE("an open file behind /dev/fd is written directly and not replaced") {
  const temporary_folder folder;
  const std::string path = folder.file("behind");
  put_contents(path, "");
  mmd::detail::file_descriptor open_file;
  open_file.open(path, O_RDWR);
  REQUIRE(open_file.number() >= 0);
  mmd::write_text("/dev/fd/" + std::to_string(open_file.number()), "seen by both");
  char seen[13] = {};
  CHECK(::pread(open_file.number(), seen, 12, 0) == 12);
  CHECK(std::string(seen) == "seen by both");
  CHECK(contents_of(path) == "seen by both");
  CHECK(folder.entries() == 1);
}

TEST_CASE("targets that cannot be are errors that name path and reason") {
  const temporary_folder folder;
  const std::string missing = folder.file("missing/a.npy");
  std::string message = message_of<mmd::write_error>([&] { mmd::write_text(missing, "x"); });
  CHECK(mentions(message, missing));
  CHECK(mentions(message, "cannot be written in folder " + folder.file("missing")));
  CHECK(mentions(message, "No such file or directory"));

  message = message_of<mmd::write_error>([&] { mmd::write_text(folder.file(""), "x"); });
  CHECK(mentions(message, "is a directory, expected a file to write"));

  put_contents(folder.file("file"), "");
  message = message_of<mmd::write_error>([&] { mmd::write_text(folder.file("file/a.npy"), "x"); });
  CHECK(mentions(message, "Not a directory"));
  message = message_of<mmd::write_error>([&] { mmd::write_text("", "x"); });
  CHECK(mentions(message, "No such file or directory"));
  CHECK(folder.entries() == 1);
}

TEST_CASE("a failing rename removes the temporary file") {
  const temporary_folder folder;
  const std::string path = folder.file("a");
  mmd::atomic_file file(path);
  file.write("x");
  std::filesystem::create_directory(path);
  const std::string message = message_of<mmd::write_error>([&] { file.commit(); });
  CHECK(mentions(message, path));
  CHECK(mentions(message, "cannot be renamed"));
  CHECK(folder.entries() == 1);
}
