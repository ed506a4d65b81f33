// SPDX-License-Identifier: MIT
#include "mmd/io/jsonl.hpp"

#include "support/catch2.hpp"
#include "support/failures.hpp"
#include "support/standard_input.hpp"
#include "support/temporary_folder.hpp"

using namespace std::string_literals;

namespace {
std::vector<mmd::text_record> parsed(const std::string& file) { return mmd::parse_jsonl(mmd::detail::as_bytes_of(file), "t.jsonl"); }
std::string refusal(const std::string& file) {
  return message_of<mmd::io_error>([&] { static_cast<void>(parsed(file)); });
}
}  // namespace

TEST_CASE("a record has its fields, as strings, and empty ones where the line has none") {
  const auto records = parsed(
      "{\"text\": \"one \\u00e9 \\ud83c\\udfad\", \"id\": 17, \"label\": \"human\", \"domain\": \"news\", \"source\": \"a\", \"group\": "
      "\"g\", "
      "\"pair_id\": \"p\", \"doc\": \"d\"}\n"
      "{\"pair_id\": 18446744073709551615, \"text\": \"\", \"label\": null, \"other\": [{\"text\": [1]}, -1.5, true, null]}");
  REQUIRE(records.size() == 2);
  CHECK(records[0].text == "one é 🎭");
  CHECK(records[0].id == "17");
  CHECK(records[0].label == "human");
  CHECK(records[0].domain == "news");
  CHECK(records[0].source == "a");
  CHECK(records[0].group == "g");
  CHECK(records[0].doc == "d");
  CHECK(records[1].text.empty());
  CHECK(records[1].group == "18446744073709551615");
  CHECK(records[1].label.empty());
  CHECK(records[1].doc.empty());
}

TEST_CASE("line ends of both kinds, empty lines and a byte order mark are as good as none") {
  const auto records = parsed("\xef\xbb\xbf{\"text\":\"a\"}\r\n\r\n  \t\n{\"text\":\"b\"}\n\n{\"text\":\"c\"}");
  REQUIRE(records.size() == 3);
  CHECK(records[0].text + records[1].text + records[2].text == "abc");
}

TEST_CASE("texts from a file and from standard input") {
  const temporary_folder folder;
  put_contents(folder.file("t.jsonl"), "{\"text\":\"from a file\"}\n");
  CHECK(mmd::read_jsonl(folder.file("t.jsonl")).at(0).text == "from a file");
  const standard_input input("{\"text\":\"from outside\"}");
  CHECK(mmd::read_jsonl("-").at(0).text == "from outside");
}

TEST_CASE("what is not text is refused with line and byte") {
  CHECK(refusal("{\"text\":\"a\"}\n{\"text\":\"caf\xe9 b\"}\n") == "t.jsonl: line 2 is not UTF-8 (at byte 25)");
  CHECK(refusal("{\"text\":\"\xed\xa0\x80\"}") == "t.jsonl: line 1 is not UTF-8 (at byte 9)");
  CHECK(refusal("\n{\"text\":\"a\0b\"}"s) == "t.jsonl: line 2 holds a NUL byte, expected text (at byte 11)");
  CHECK(refusal("{\"text\":\"a\\u0000b\"}") == "t.jsonl: line 1 field \"text\" holds U+0000, expected text");
  CHECK(mentions(refusal("{\"text\":\"\\ud800\"}"), "t.jsonl: line 1 malformed JSON"));
  CHECK(refusal("\xff\xfe{\0"s) == "t.jsonl: line 1 holds a NUL byte, expected text (at byte 3)");
}

TEST_CASE("fields that are missing, double or of another type are refused with the line") {
  CHECK(refusal("{\"text\":\"a\"}\n{\"label\":\"human\"}") == "t.jsonl: line 2 has no field \"text\" (at byte 13)");
  CHECK(refusal("{\"text\":3}") == "t.jsonl: line 1 field \"text\" is a number, expected a string");
  CHECK(refusal("{\"text\":null}") == "t.jsonl: line 1 field \"text\" is null, expected a string");
  CHECK(refusal("{\"text\":[\"a\"]}") == "t.jsonl: line 1 field \"text\" is an array, expected a string");
  CHECK(refusal("{\"text\":\"a\",\"label\":true}") ==
        "t.jsonl: line 1 field \"label\" is true or false, expected a string or a whole number");
  CHECK(refusal("{\"text\":\"a\",\"doc\":{}}") == "t.jsonl: line 1 field \"doc\" is an object, expected a string or a whole number");
  CHECK(refusal("{\"text\":\"a\",\"id\":1.5}") ==
        "t.jsonl: line 1 field \"id\" is a number with a fraction, expected a string or a whole number");
  CHECK(refusal("{\"text\":\"a\",\"text\":\"b\"}") == "t.jsonl: line 1 has the field \"text\" twice");
  CHECK(refusal("[\"text\"]") == "t.jsonl: line 1 is not an object, expected {\"text\": ...}");
  CHECK(refusal("\"text\"") == "t.jsonl: line 1 is not an object, expected {\"text\": ...}");
}

TEST_CASE("malformed, endless and bottomless lines are refused") {
  CHECK(mentions(refusal("{\"text\":\"a\"}\n{\"text\":\"b\""), "t.jsonl: line 2 malformed JSON: "));
  CHECK(mentions(refusal("{\"text\":\"a\"} x"), "line 1 malformed JSON"));
  CHECK(mentions(refusal("{\"text\":\"a\"}{\"text\":\"b\"}"), "line 1 malformed JSON"));
  CHECK(mentions(refusal("{\"text\":\"a\",\"x\":" + std::string(100000, '[')), "line 1 nested more than 32 deep"));
  CHECK(mentions(refusal("{\"text\":\"" + std::string(mmd::line_limit, 'a') + "\"}"),
                 "line 1 is 16777227 bytes long, expected at most 16777216"));
  CHECK(refusal("") == "t.jsonl: holds no texts, expected one JSON object a line: {\"text\": ...}");
  CHECK(refusal("\n \n") == "t.jsonl: holds no texts, expected one JSON object a line: {\"text\": ...}");
}

TEST_CASE("a file of texts cut at any length is read up to a line's end or refused, and never crashes") {
  const std::string whole = "{\"text\":\"a\",\"id\":1}\n{\"text\":\"é\",\"x\":[1,{}]}\n";
  for (std::size_t length = 0; length < whole.size(); ++length) {
    const std::string message = refusal(whole.substr(0, length));
    const bool at_line_end = length == 19 || length == 20 || length + 1 == whole.size();
    CHECK((message == "(nothing was thrown)") == at_line_end);
    if (!at_line_end) CHECK(mentions(message, "t.jsonl: "));
  }
}

TEST_CASE("a folder and a missing file of texts are errors that name them") {
  const temporary_folder folder;
  const auto reading = [](const std::string& path) { return message_of<mmd::io_error>([&] { static_cast<void>(mmd::read_jsonl(path)); }); };
  CHECK(reading(folder.file("")) == folder.file("") + ": is a directory, expected a file");
  CHECK(mentions(reading(folder.file("none")), folder.file("none") + ": cannot be opened for reading: No such file or directory"));
}
