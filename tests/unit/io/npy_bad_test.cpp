// SPDX-License-Identifier: MIT
// .npy files that are not as they should be: each is refused with the path, the byte and the reason.
#include <cstdint>

#include "mmd/io/npy.hpp"
#include "support/catch2.hpp"
#include "support/failures.hpp"
#include "support/standard_input.hpp"
#include "support/temporary_folder.hpp"

using namespace std::string_literals;

namespace {
const std::string golden = MMD_TEST_DATA "/golden/io/";

std::string refusal(const std::string& file) {
  return message_of<mmd::io_error>([&] { static_cast<void>(mmd::parse_npy_any(mmd::detail::as_bytes_of(file), "x.npy")); });
}
// A file of version 1.0 with this header and so many bytes of values.
std::string with_header(const std::string& header, std::size_t bytes) {
  return "\x93NUMPY\x01\0"s + static_cast<char>(header.size() & 0xff) + static_cast<char>(header.size() >> 8) + header +
         std::string(bytes, '\0');
}
std::string with_type(const std::string& type) {
  return with_header("{'descr': " + type + ", 'fortran_order': False, 'shape': (1, 2), }", 16);
}
std::string with_shape(const std::string& shape, std::size_t bytes) {
  return with_header("{'descr': '<f4', 'fortran_order': False, 'shape': " + shape + ", }", bytes);
}
}  // namespace

TEST_CASE("the hand-made files of these tests are good before they are spoilt") {
  CHECK(refusal(with_type("'<f8'")) == "(nothing was thrown)");
  CHECK(refusal(with_shape("(1, 2)", 8)) == "(nothing was thrown)");
  CHECK(refusal(with_header("{\"shape\":(1,2),\"fortran_order\":True,\"descr\":\"<f4\"}", 8)) == "(nothing was thrown)");
}

TEST_CASE("a file cut at any length is refused as such, and so is one that goes on") {
  for (const std::string name : {"c_f4.npy", "fortran_f2.npy", "version3_f8.npy"}) {
    const std::string whole = contents_of(golden + name);
    for (std::size_t length = 0; length < whole.size(); ++length) {
      INFO(name << " cut to " << length);
      const std::string message = refusal(whole.substr(0, length));
      CHECK(mentions(message, "x.npy: not a usable .npy file: "));
      CHECK((mentions(message, "truncated") || mentions(message, "it ends")));
      if (length > 0) CHECK(mentions(message, "(at byte " + std::to_string(length) + ")"));
    }
    CHECK(mentions(refusal(whole + "x"), "1 bytes follow its 3 x 5 values"));
    CHECK(mentions(refusal(whole + "x"), "(at byte " + std::to_string(whole.size()) + ")"));
  }
  const temporary_folder folder;
  put_contents(folder.file("cut.npy"), contents_of(golden + "c_f4.npy").substr(0, 150));
  const std::string message = message_of<mmd::io_error>([&] { static_cast<void>(mmd::read_npy<float>(folder.file("cut.npy"))); });
  CHECK(message ==
        folder.file("cut.npy") + ": not a usable .npy file: truncated: 3 x 5 values of 4 bytes expected, 22 bytes are there (at byte 150)");
}

TEST_CASE("types that are not read are refused with the remedy") {
  const auto of_numpy = [](const std::string& name) {
    return message_of<mmd::io_error>([&] { static_cast<void>(mmd::read_npy_any(golden + name)); });
  };
  CHECK(mentions(of_numpy("big_endian_f8.npy"),
                 golden + "big_endian_f8.npy: not a usable .npy file: dtype '>f8' is big-endian; expected little-endian"));
  CHECK(mentions(of_numpy("big_endian_f8.npy"), "astype('<f8')"));
  CHECK(mentions(of_numpy("integers_i8.npy"), "dtype '<i8' holds integers; expected floating point: save array.astype('float32')"));
  CHECK(mentions(of_numpy("booleans.npy"), "dtype '|b1' holds integers"));
  CHECK(mentions(of_numpy("complex_c8.npy"), "dtype '<c8' cannot be read; expected '<f2', '<f4' or '<f8'"));
  CHECK(mentions(of_numpy("structured.npy"), "structured dtype"));
  CHECK(mentions(of_numpy("no_dimension_f8.npy"), "array of 0 dimensions, expected 1 or 2"));
  CHECK(mentions(of_numpy("three_dimensions_f4.npy"), "array of 3 dimensions, expected 1 or 2"));
  CHECK(mentions(of_numpy("no_columns_f4.npy"), "array without columns, shape (3, 0)"));
  CHECK(mentions(refusal(with_type("'|O'")), "dtype '|O' holds pickled Python objects"));
  CHECK(mentions(refusal(with_type("'>f4'")), "big-endian"));
  CHECK(mentions(refusal(with_type("'|u1'")), "holds integers"));
  CHECK(mentions(refusal(with_type("'<f16'")), "dtype '<f16' cannot be read"));
  CHECK(mentions(refusal(with_type("''")), "dtype '' is unknown"));
  CHECK(mentions(refusal(with_type("'" + std::string(100, 'q') + "'")), "dtype '" + std::string(40, 'q') + "...'"));
}

TEST_CASE("sizes are checked against the file before anything is allocated") {
  CHECK(mentions(refusal(with_shape("(4611686018427387904, 4)", 8)),
                 "truncated: 4611686018427387904 x 4 values of 4 bytes expected, 8 bytes"));
  CHECK(mentions(refusal(with_shape("(4294967296, 4294967296)", 0)), "4294967296 x 4294967296 values"));
  CHECK(mentions(refusal(with_shape("(1, 9223372036854775807)", 8)), "1 x 9223372036854775807 values"));
  CHECK(mentions(refusal(with_shape("(9223372036854775808, 1)", 8)), "a size in the shape is too large"));
  CHECK(mentions(refusal(with_shape("(99999999999999999999999, 1)", 8)), "a size in the shape is too large"));
  CHECK(mentions(refusal(with_shape("(4611686018427387904, 0)", 0)), "array without columns"));
  CHECK(mentions(refusal(with_shape("(-1, 2)", 8)), "expected a size in the shape"));
  CHECK(mentions(refusal(with_shape("(0, 2)", 8)), "8 bytes follow its 0 x 2 values"));
}

TEST_CASE("headers that are huge, not ASCII, or not the dictionary are refused") {
  const std::string good = contents_of(golden + "version2_f4.npy");
  std::string huge = good;
  huge.replace(8, 4, "\xff\xff\xff\x7f");
  CHECK(refusal(huge) == "x.npy: not a usable .npy file: header of 2147483647 bytes, expected at most 65536 (at byte 8)");
  std::string longer = good;
  longer.replace(8, 4, "\xff\xff\0\0"s);
  CHECK(mentions(refusal(longer), "truncated: the header needs 65535 bytes"));
  std::string accent = good;
  accent[20] = '\xe9';
  CHECK(refusal(accent) == "x.npy: not a usable .npy file: header holds a byte that is not ASCII (at byte 20)");

  CHECK(mentions(refusal("PK\x03\x04 an archive"), "it does not begin with \\x93NUMPY"));
  CHECK(mentions(refusal("\x93NUMPY\x04\0\x10\0"s), "format version 4.0, expected 1.0, 2.0 or 3.0"));
  CHECK(mentions(refusal("\x93NUMPY\x01\x01\x10\0"s), "format version 1.1"));
  const auto header = [](const std::string& text) { return refusal(with_header(text, 8)); };
  CHECK(mentions(header(""), "expected '{'"));
  CHECK(mentions(header("{"), "expected a quoted string"));
  CHECK(mentions(header("{}"), "header has no entry 'descr'"));
  CHECK(mentions(header("{'descr': '<f4'"), "expected '}'"));
  CHECK(mentions(header("{'descr': '<f4', 'fortran_order': False}"), "header has no entry 'shape'"));
  CHECK(mentions(header("{'descr': '<f4', 'descr': '<f4'}"), "the entry 'descr' twice"));
  CHECK(mentions(header("{'other': 1}"), "the entry 'other', expected descr, fortran_order and shape"));
  CHECK(mentions(header("{'de\\x73cr': '<f4'}"), "a string does not end"));
  CHECK(mentions(header("{'descr: "), "a string does not end"));
  CHECK(mentions(header("{'fortran_order': 1}"), "fortran_order must be True or False"));
  CHECK(mentions(header("{'shape': (3)}"), "(3) is not a tuple"));
  CHECK(mentions(header("{'shape': (3 4)}"), "expected ')'"));
  CHECK(mentions(header("{'shape': [3, 4]}"), "expected '('"));
  CHECK(mentions(header("{'shape': (2, 1), 'descr': '<f4', 'fortran_order': False} + 1"), "goes on after its dictionary"));
  CHECK(mentions(header("{'descr': __import__('os')}"), "expected a quoted string"));
}

TEST_CASE("a folder, a missing file and rubbish on standard input are errors that name them") {
  const temporary_folder folder;
  const auto reading = [](const std::string& path) {
    return message_of<mmd::io_error>([&] { static_cast<void>(mmd::read_npy_any(path)); });
  };
  CHECK(reading(folder.file("")) == folder.file("") + ": is a directory, expected a file");
  CHECK(mentions(reading(folder.file("none.npy")), folder.file("none.npy") + ": cannot be opened for reading"));
  const standard_input input("not numpy");
  CHECK(reading("-") == "standard input: not a usable .npy file: it does not begin with \\x93NUMPY");
}
