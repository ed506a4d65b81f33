// SPDX-License-Identifier: MIT
// Reading and writing .npy files that are as they should be; tests/golden/io holds numpy's.
#include "mmd/io/npy.hpp"

#include <cmath>
#include <cstring>
#include <limits>

#include "oracle/half.hpp"
#include "support/catch2.hpp"
#include "support/failures.hpp"
#include "support/standard_input.hpp"
#include "support/temporary_folder.hpp"

namespace {
const std::string golden = MMD_TEST_DATA "/golden/io/";

template <class T>
mmd::matrix<T> base() {
  mmd::matrix<T> result(3, 5);
  for (mmd::index_t i = 0; i < 3; ++i) {
    for (mmd::index_t k = 0; k < 5; ++k) result(i, k) = static_cast<T>(5 * i + k - 7) / 4;
  }
  return result;
}
}  // namespace

TEST_CASE("numpy's files are read: versions 1 to 3, f2, f4 and f8, C and Fortran order") {
  for (const std::string name : {"c_f2", "fortran_f2", "c_f4", "fortran_f4", "version2_f4", "c_f8", "fortran_f8", "version3_f8"}) {
    INFO(name);
    const std::string path = golden + name + ".npy";
    const mmd::NpyArray array = mmd::read_npy_any(path);
    CHECK(array.rows() == 3);
    CHECK(array.cols() == 5);
    if (name.ends_with("f8")) {
      CHECK(array.dtype == mmd::npy_type::f8);
      CHECK(std::get<mmd::matrix<double>>(array.values) == base<double>());
    } else {
      CHECK(array.dtype == (name.ends_with("f2") ? mmd::npy_type::f2 : mmd::npy_type::f4));
      CHECK(std::get<mmd::matrix<float>>(array.values) == base<float>());
    }
    CHECK(mmd::read_npy<float>(path) == base<float>());
    CHECK(mmd::read_npy<double>(path) == base<double>());
  }
}

TEST_CASE("one dimension is one column, and no rows are no error") {
  const auto column = mmd::read_npy<double>(golden + "one_dimension_f8.npy");
  REQUIRE(column.rows() == 5);
  REQUIRE(column.cols() == 1);
  for (mmd::index_t k = 0; k < 5; ++k) CHECK(column(k, 0) == base<double>()(0, k));
  const auto none = mmd::read_npy<float>(golden + "no_rows_f4.npy");
  CHECK(none.rows() == 0);
  CHECK(none.cols() == 5);
}

TEST_CASE("what is written equals numpy's bytes") {
  const temporary_folder folder;
  const std::string path = folder.file("written.npy");
  const auto floats = base<float>();
  const auto doubles = base<double>();
  mmd::write_npy(path, floats);
  CHECK(contents_of(path) == contents_of(golden + "c_f4.npy"));
  mmd::write_npy(path, doubles);
  CHECK(contents_of(path) == contents_of(golden + "c_f8.npy"));
  for (const auto& [type, name] :
       {std::pair(mmd::npy_type::f2, "c_f2.npy"), {mmd::npy_type::f4, "c_f4.npy"}, {mmd::npy_type::f8, "c_f8.npy"}}) {
    mmd::write_npy(path, floats, type);
    CHECK(contents_of(path) == contents_of(golden + name));
    mmd::write_npy(path, doubles, type);
    CHECK(contents_of(path) == contents_of(golden + name));
  }
  // A view with strides of its own: the transpose of a column-major copy.
  std::vector<float> columns;
  for (mmd::index_t k = 0; k < 5; ++k) {
    for (mmd::index_t i = 0; i < 3; ++i) columns.push_back(floats(i, k));
  }
  mmd::write_npy(path, mmd::samples<float>(columns.data(), 3, 5, 1, 3));
  CHECK(contents_of(path) == contents_of(golden + "c_f4.npy"));
  mmd::write_npy(path, mmd::samples<float>(floats).middle_rows(0, 0));
  CHECK(contents_of(path) == contents_of(golden + "no_rows_f4.npy"));
  CHECK(folder.entries() == 1);
}

TEST_CASE("a round trip keeps every bit, infinities and NaN included, and rounds where the type is smaller") {
  const temporary_folder folder;
  const std::string path = folder.file("a.npy");
  const double infinity = std::numeric_limits<double>::infinity();
  mmd::matrix<double> values(2, 4, {0.1, -0.0, infinity, -infinity, std::numeric_limits<double>::denorm_min(), 1e308, 65519.0, 1e-7});
  mmd::write_npy(path, values);
  CHECK(mmd::read_npy<double>(path) == values);
  CHECK(std::signbit(mmd::read_npy<double>(path)(0, 1)));
  mmd::write_npy(path, values, mmd::npy_type::f4);
  const auto as_float = mmd::read_npy<float>(path);
  for (mmd::index_t i = 0; i < 8; ++i) CHECK(as_float(i / 4, i % 4) == static_cast<float>(values(i / 4, i % 4)));
  mmd::write_npy(path, values, mmd::npy_type::f2);
  const auto as_half = mmd::read_npy<double>(path);
  for (mmd::index_t i = 0; i < 8; ++i) {
    const double expected = oracle::binary16.value(oracle::binary16.nearest(values(i / 4, i % 4)));
    CHECK((as_half(i / 4, i % 4) == expected || std::isinf(expected)));
  }
  values(0, 0) = std::numeric_limits<double>::quiet_NaN();
  for (const auto type : {mmd::npy_type::f2, mmd::npy_type::f4, mmd::npy_type::f8}) {
    mmd::write_npy(path, values, type);
    CHECK(std::isnan(mmd::read_npy<double>(path)(0, 0)));
    CHECK(mmd::read_npy<double>(path)(0, 2) == infinity);
  }
}

TEST_CASE("halves stay as they are stored where that is asked for") {
  const temporary_folder folder;
  const std::string path = folder.file("half.npy");
  const auto expected = mmd::converted<mmd::float16>(base<double>());
  for (const std::string name : {"c_f2", "fortran_f2", "c_f4", "c_f8"}) {
    CHECK(mmd::read_npy<mmd::float16>(golden + name + ".npy") == expected);
    CHECK(mmd::read_npy<mmd::bfloat16>(golden + name + ".npy") == mmd::converted<mmd::bfloat16>(base<double>()));
  }
  mmd::write_npy(path, expected);
  CHECK(contents_of(path) == contents_of(golden + "c_f2.npy"));
  mmd::write_npy(path, mmd::converted<mmd::bfloat16>(expected));
  CHECK(contents_of(path) == contents_of(golden + "c_f4.npy"));
  // Every bit pattern comes back, those of NaN too; doubles are rounded once.
  mmd::matrix<mmd::float16> all(256, 256);
  for (mmd::index_t i = 0; i < all.size(); ++i) all.data()[i].bits = static_cast<std::uint16_t>(i);
  mmd::write_npy(path, all);
  const auto back = mmd::read_npy<mmd::float16>(path);
  CHECK(std::memcmp(back.data(), all.data(), 2 * 65536) == 0);
  mmd::write_npy(path, mmd::matrix<double>(1, 1, {1 + 0x1p-11 + 0x1p-40}));
  CHECK(mmd::read_npy<mmd::float16>(path)(0, 0).bits == 0x3c01);
}

TEST_CASE("- reads the array from standard input") {
  const standard_input input(contents_of(golden + "c_f4.npy"));
  CHECK(mmd::read_npy<float>("-") == base<float>());
}

TEST_CASE("an array that cannot be written is an error, and no file appears") {
  const temporary_folder folder;
  const auto x = base<float>();
  std::string message = message_of<mmd::write_error>([&] { mmd::write_npy("/dev/full", x); });
  CHECK(mentions(message, "/dev/full: cannot be written: No space left on device"));
  message = message_of<mmd::write_error>([&] { mmd::write_npy(folder.file("none/x.npy"), x); });
  CHECK(mentions(message, folder.file("none/x.npy")));
  CHECK(mentions(message, "No such file or directory"));
  const mmd::matrix<float> no_columns(3, 0);
  message = message_of<mmd::invalid_input>([&] { mmd::write_npy(folder.file("x.npy"), no_columns); });
  CHECK(mentions(message, "write_npy: cols = 0, expected at least 1"));
  CHECK(folder.entries() == 0);
}
