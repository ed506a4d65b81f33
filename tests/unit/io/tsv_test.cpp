// SPDX-License-Identifier: MIT
#include "mmd/io/tsv.hpp"

#include "support/catch2.hpp"
#include "support/failures.hpp"
#include "support/temporary_folder.hpp"

using namespace std::string_literals;

namespace {
mmd::text_table parsed(const std::string& file) { return mmd::parse_tsv(mmd::detail::as_bytes_of(file), "rows.tsv"); }
std::string refusal(const std::string& file) {
  return message_of<mmd::io_error>([&] { static_cast<void>(parsed(file)); });
}
}  // namespace

TEST_CASE("a table has its columns by name, cells as they stand, empty ones too") {
  for (const std::string end : {"\n", "\r\n"}) {
    const auto table = parsed("\xef\xbb\xbfid\tset\tdomain" + end + "a:0\t\tnews" + end + "b:1\t\"x\"\té" + end);
    CHECK(table.rows() == 2);
    CHECK(table.columns().size() == 3);
    CHECK(table.column("id") == std::vector<std::string>{"a:0", "b:1"});
    CHECK(table.column("set") == std::vector<std::string>{"", "\"x\""});
    CHECK(table.column("domain") == std::vector<std::string>{"news", "é"});
    CHECK(table.has("set"));
    CHECK_FALSE(table.has("group"));
  }
  CHECK(parsed("id").rows() == 0);
  CHECK(parsed("id\n\n").column("id") == std::vector<std::string>{""});
}

TEST_CASE("the table beside a .npy file, and its number of rows") {
  CHECK(mmd::sidecar_of("folder/x.npy") == "folder/x.tsv");
  CHECK(mmd::sidecar_of("folder.npy/x") == "folder.npy/x.tsv");
  const auto table = parsed("id\na\nb\n");
  CHECK_NOTHROW(table.require_rows(2, "rows.npy"));
  CHECK(message_of<mmd::io_error>([&] { table.require_rows(3, "rows.npy"); }) == "rows.tsv: has 2 rows, expected 3 as in rows.npy");
}

TEST_CASE("tables that are none are refused with line and byte") {
  CHECK(refusal("") == "rows.tsv: is empty, expected a header line with the columns' names");
  CHECK(refusal("id\tset\na\tb\nc\n") == "rows.tsv: line 3 has 1 cells, expected 2 as in the header (at byte 11)");
  CHECK(refusal("id\na\tb\n") == "rows.tsv: line 2 has 2 cells, expected 1 as in the header (at byte 3)");
  CHECK(refusal("id\tset\tid\n") == "rows.tsv: line 1 names the column 'id' twice");
  CHECK(refusal("id\t\n") == "rows.tsv: line 1 names a column with no characters");
  CHECK(refusal("id\nb\xff\n") == "rows.tsv: line 2 is not UTF-8 (at byte 4)");
  CHECK(refusal("id\nb\0c\n"s) == "rows.tsv: line 2 holds a NUL byte, expected text (at byte 4)");
  CHECK(message_of<mmd::io_error>([] { static_cast<void>(parsed("id\tset\n").column("group")); }) ==
        "rows.tsv: has no column 'group', only id, set");
  const temporary_folder folder;
  CHECK(message_of<mmd::io_error>([&] { static_cast<void>(mmd::read_tsv(folder.file(""))); }) ==
        folder.file("") + ": is a directory, expected a file");
}
