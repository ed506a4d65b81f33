// SPDX-License-Identifier: MIT
// safetensors files that are not as they should be: each is refused with the path and the reason.
#include <cstring>

#include "mmd/io/safetensors.hpp"
#include "support/catch2.hpp"
#include "support/failures.hpp"
#include "support/temporary_folder.hpp"

using namespace std::string_literals;

namespace {

std::string refusal(const std::string& file) {
  return message_of<mmd::io_error>([&] { static_cast<void>(mmd::safetensors::parse(mmd::detail::as_bytes_of(file), "x.safetensors")); });
}
std::string with_length(std::uint64_t length, const std::string& rest) {
  std::string file(8, '\0');
  std::memcpy(file.data(), &length, 8);
  return file + rest;
}
// A file with this header and so many bytes of data.
std::string with_header(const std::string& header, std::size_t bytes = 0) {
  return with_length(header.size(), header + std::string(bytes, '\0'));
}
std::string entry(const std::string& name, const std::string& shape, const std::string& offsets, const std::string& dtype = "\"F32\"") {
  return "\"" + name + "\":{\"dtype\":" + dtype + ",\"shape\":" + shape + ",\"data_offsets\":" + offsets + "}";
}
std::string one(const std::string& shape, const std::string& offsets, const std::string& dtype = "\"F32\"") {
  return std::string("{").append(entry("w", shape, offsets, dtype)).append("}");
}
// The reason, without what all messages begin with.
std::string reason(const std::string& header, std::size_t bytes = 0) {
  const std::string message = refusal(with_header(header, bytes)), begin = "x.safetensors: not a usable safetensors file: ";
  return message.starts_with(begin) ? message.substr(begin.size()) : message;
}

}  // namespace

TEST_CASE("the hand-made headers of these tests are good before they are spoilt") {
  CHECK(reason(one("[2]", "[0,8]"), 8) == "(nothing was thrown)");
  CHECK(reason("{}") == "(nothing was thrown)");
  CHECK(reason("{\"__metadata__\":{}}   ") == "(nothing was thrown)");
  CHECK(reason("{" + entry("b", "[1]", "[4,8]") + "," + entry("e", "[0]", "[4,4]") + "," + entry("a", "[]", "[0,4]") + "}", 8) ==
        "(nothing was thrown)");
}

TEST_CASE("a file cut at any length is refused, and so is one that goes on") {
  mmd::safetensors file;
  file.put("w", std::vector<float>{1, 2, 3});
  file.metadata()["k"] = "v";
  const auto bytes = file.serialize();
  const std::string whole(mmd::detail::as_text(bytes));
  for (std::size_t length = 0; length < whole.size(); ++length) {
    INFO("cut to " << length);
    const std::string message = refusal(whole.substr(0, length));
    CHECK(mentions(message, "x.safetensors: not a usable safetensors file: truncated: "));
    if (length > 0) CHECK(mentions(message, "(at byte " + std::to_string(length) + ")"));
  }
  CHECK(mentions(refusal(whole + "xy"), "2 bytes follow the last tensor (at byte " + std::to_string(whole.size()) + ")"));
}

TEST_CASE("header lengths that cannot be are refused before anything is read") {
  CHECK(mentions(refusal(with_length(0xffffffffffffffffu, "{}")), "header of 18446744073709551615 bytes, expected at most 100000000"));
  CHECK(mentions(refusal(with_length(100000001, "{}")), "header of 100000001 bytes"));
  CHECK(mentions(refusal(with_length(3, "{}")), "truncated: the header needs 3 bytes, 2 are there"));
  CHECK(mentions(refusal(with_length(0, "")), "the header does not begin with '{'"));
}

TEST_CASE("shapes and offsets must match each other and the file") {
  CHECK(reason(one("[3]", "[0,8]"), 8) == "tensor \"w\": data_offsets [0, 8] hold 8 bytes, its dtype and shape [3] need 12");
  CHECK(reason(one("[2]", "[8,0]"), 8) == "tensor \"w\": data_offsets [8, 0] run backwards");
  CHECK(reason(one("[4611686018427387904,4611686018427387904]", "[0,0]")) ==
        "tensor \"w\": the shape [4611686018427387904, 4611686018427387904] overflows");
  CHECK(reason(one("[4611686018427387904,0,4611686018427387904]", "[0,0]")) ==
        "tensor \"w\": the shape [4611686018427387904, 0, 4611686018427387904] overflows");
  CHECK(reason(one("[2]", "[4,12]"), 12) == "tensor \"w\": data_offsets [4, 12] leave a hole after the tensor before it");
  CHECK(reason("{" + entry("a", "[2]", "[0,8]") + "," + entry("b", "[2]", "[4,12]") + "}", 12) ==
        "tensor \"b\": data_offsets [4, 12] overlap the tensor before it");
  CHECK(mentions(reason(one("[1152921504606846976]", "[0,4611686018427387904]"), 8),
                 "truncated: tensor \"w\" needs bytes up to 4611686018427387904"));
  CHECK(mentions(reason(one("[18446744073709551616]", "[0,8]"), 8), "a number with a fraction, expected an array of sizes"));
  CHECK(mentions(reason(one("[1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1]", "[0,4]"), 4), "tensor \"w\": shape has more than 16 sizes"));
}

TEST_CASE("entries must be those of the format, each once") {
  CHECK(reason("{" + entry("w", "[0]", "[0,0]") + "," + entry("w", "[0]", "[0,0]") + "}") == "tensor \"w\" is there twice");
  CHECK(reason("{\"__metadata__\":{},\"__metadata__\":{}}") == "__metadata__ is there twice");
  CHECK(reason("{\"__metadata__\":{\"k\":\"a\",\"k\":\"b\"}}") == "__metadata__ \"k\" is there twice");
  CHECK(reason("{\"__metadata__\":{\"k\":1}}") == "__metadata__ \"k\" is a number, expected a string");
  CHECK(reason("{\"__metadata__\":{\"k\":{}}}") == "__metadata__ \"k\" is an object, expected a string");
  CHECK(reason("{\"__metadata__\":null}") == "__metadata__ is null, expected an object");
  CHECK(reason("{\"w\":{\"dtype\":\"F32\",\"dtype\":\"F32\"}}") == "tensor \"w\": dtype is there twice");
  CHECK(reason("{\"w\":{\"dtype\":\"F32\",\"shape\":[]}}") == "tensor \"w\" has no data_offsets");
  CHECK(reason("{\"w\":{}}") == "tensor \"w\" has no dtype");
  CHECK(reason("{\"w\":[1]}") == "tensor \"w\" is an array, expected an object");
  CHECK(reason("{\"w\":7}") == "tensor \"w\" is a number, expected an object");
  CHECK(reason("{\"w\":{\"size\":1}}") == "tensor \"w\" has the entry \"size\", expected dtype, shape and data_offsets");
  CHECK(mentions(reason(one("[2]", "[0,4]", "\"F8_E4M3\""), 4),
                 "tensor \"w\": dtype \"F8_E4M3\" cannot be read, expected BF16, F16, F32, F64"));
  CHECK(reason(one("[2]", "[0,8]", "4"), 8) == "tensor \"w\": dtype is a number, expected a string");
  CHECK(reason(one("[2]", "[0,8]", "[\"F32\"]"), 8) == "tensor \"w\": dtype is an array, expected a string");
  CHECK(reason(one("2", "[0,8]"), 8) == "tensor \"w\": shape is a number, expected an array of sizes");
  CHECK(reason(one("\"2\"", "[0,8]"), 8) == "tensor \"w\": shape is a string, expected an array of sizes");
  CHECK(reason(one("[-2]", "[0,8]"), 8) == "tensor \"w\": shape is a negative number, expected an array of sizes");
  CHECK(reason(one("[[2]]", "[0,8]"), 8) == "tensor \"w\": shape is an array of arrays, expected an array of sizes");
  CHECK(reason(one("[2]", "[0]"), 8) == "tensor \"w\": data_offsets has 1 numbers, expected 2");
  CHECK(reason(one("[2]", "[0,8,8]"), 8) == "tensor \"w\": data_offsets has more than two offsets");
  CHECK(reason(one("[2]", "[0,8.0]"), 8) == "tensor \"w\": data_offsets is a number with a fraction, expected an array of two offsets");
}

TEST_CASE("headers that are no JSON are refused with the byte") {
  CHECK(mentions(reason("{\"w\":}"), "malformed JSON: "));
  CHECK(mentions(reason("{\"w\":}"), "(at byte 13)"));
  CHECK(mentions(reason("[1]"), "the header does not begin with '{' (at byte 8)"));
  CHECK(mentions(reason("\xef\xbb\xbf{}"), "does not begin with '{'"));
  CHECK(mentions(reason("{} {}"), "malformed JSON"));
  CHECK(mentions(reason("{\"\xff\":{}}"), "malformed JSON"));
  CHECK(mentions(reason("{}\0junk"s), "the header holds a NUL byte (at byte 10)"));
  CHECK(mentions(reason("{\"w\":" + std::string(100000, '[')), "is an array, expected an object"));
  CHECK(mentions(reason("{\"w\":" + std::string(100000, '{')), "malformed JSON"));
}

TEST_CASE("a folder and a missing file are errors that name them") {
  const temporary_folder folder;
  const auto reading = [](const std::string& path) {
    return message_of<mmd::io_error>([&] { static_cast<void>(mmd::safetensors::read(path)); });
  };
  CHECK(reading(folder.file("")) == folder.file("") + ": is a directory, expected a file");
  CHECK(mentions(reading(folder.file("none")), folder.file("none") + ": cannot be opened for reading: No such file or directory"));
}
