// SPDX-License-Identifier: MIT
// .npy files (numpy's format, versions 1 to 3): reading matrices and writing them.
#pragma once

#include <bit>
#include <concepts>
#include <cstring>
#include <type_traits>
#include <variant>

#include "mmd/core/matrix.hpp"
#include "mmd/io/atomic_file.hpp"
#include "mmd/io/npy_header.hpp"

namespace mmd {

// The matrix of a .npy file: halves and floats as float, doubles as double. A 1-D file of n values is n x 1.
struct NpyArray {
  npy_type dtype = npy_type::f4;  // as the file has it
  std::variant<matrix<float>, matrix<double>> values;

  index_t rows() const {
    return std::visit([](const auto& m) { return m.rows(); }, values);
  }
  index_t cols() const {
    return std::visit([](const auto& m) { return m.cols(); }, values);
  }
};

namespace detail {
inline namespace MMD_ISA {

static_assert(std::endian::native == std::endian::little, "mmd: files are read on little-endian machines only");

// The values from `bytes` as row-major T.
template <class T>
matrix<T> npy_values(const npy_header& header, std::span<const std::byte> bytes) {
  matrix<T> result(header.rows, header.cols);
  const auto decode = [&]<class Stored>(Stored) {
    const index_t row_step = header.fortran_order ? 1 : header.cols, col_step = header.fortran_order ? header.rows : 1;
    for (index_t i = 0; i < header.rows; ++i) {
      for (index_t k = 0; k < header.cols; ++k) {
        Stored stored;
        std::memcpy(&stored, bytes.data() + static_cast<std::size_t>(i * row_step + k * col_step) * sizeof stored, sizeof stored);
        result(i, k) = number_as<T>(stored);
      }
    }
  };
  switch (header.type) {
    case npy_type::f2:
      decode(float16{});
      break;
    case npy_type::f4:
      decode(float{});
      break;
    case npy_type::f8:
      decode(double{});
      break;
  }
  return result;
}

// The header, after it was found that the file holds exactly the values it promises: nothing is allocated for a file that lies.
inline npy_header checked_npy_header(std::span<const std::byte> file, const std::string& name) {
  const npy_header header = npy_header_parser(file, name).parse();
  const std::uint64_t there = file.size() - header.data_begin;
  const std::uint64_t rows = static_cast<std::uint64_t>(header.rows), cols = static_cast<std::uint64_t>(header.cols);
  const std::uint64_t row_limit = std::numeric_limits<std::uint64_t>::max() / npy_bytes(header.type) / cols;
  const std::string promised =
      std::to_string(rows) + " x " + std::to_string(cols) + " values of " + std::to_string(npy_bytes(header.type)) + " bytes";
  if (rows > row_limit || rows * cols * npy_bytes(header.type) > there) {
    throw io_error(name, file.size(),
                   "not a usable .npy file: truncated: " + promised + " expected, " + std::to_string(there) + " bytes are there");
  }
  const std::uint64_t needed = rows * cols * npy_bytes(header.type);
  if (needed < there) {
    throw io_error(name, header.data_begin + needed,
                   "not a usable .npy file: " + std::to_string(there - needed) + " bytes follow its " + promised);
  }
  return header;
}

}  // namespace MMD_ISA
}  // namespace detail

inline namespace MMD_ISA {

// A .npy file that is in memory already; `name` stands in messages. See read_npy.
inline NpyArray parse_npy_any(std::span<const std::byte> file, const std::string& name) {
  const detail::npy_header header = detail::checked_npy_header(file, name);
  const auto values = file.subspan(header.data_begin);
  if (header.type == npy_type::f8) return {header.type, detail::npy_values<double>(header, values)};
  return {header.type, detail::npy_values<float>(header, values)};
}
template <host_number T>
matrix<T> parse_npy(std::span<const std::byte> file, const std::string& name) {
  const detail::npy_header header = detail::checked_npy_header(file, name);
  return detail::npy_values<T>(header, file.subspan(header.data_begin));
}

// Reads a matrix; "-" is standard input. Format versions 1.0, 2.0 and 3.0; little-endian f2, f4 and f8; C and Fortran order; one or two
// dimensions. read_npy_any gives float for halves and floats, double for doubles; read_npy<T> converts to T, in one rounding where T is
// the narrower: read_npy<float16> keeps a file of halves as it is, two bytes a value. Memory: the file and the matrix. The values are not
// looked at: infinities and NaN are read as they are. Throws io_error with the path, the byte and the reason: missing, unreadable, a
// directory, another format, big-endian, integers or objects, 0 or more than 2 dimensions, truncated, too long. Sizes are checked against
// the file's before anything is allocated.
inline NpyArray read_npy_any(const std::string& path) { return parse_npy_any(read_bytes(path), detail::input_name(path)); }
template <host_number T>
matrix<T> read_npy(const std::string& path) {
  return parse_npy<T>(read_bytes(path), detail::input_name(path));
}

}  // namespace MMD_ISA

namespace detail {
inline namespace MMD_ISA {

// The same bytes as numpy's: version 1.0, padded so that the values start on 64 bytes. (numpy also leaves room for the first size to grow;
// for two dimensions the padding has that room already.)
inline std::string npy_preamble(npy_type type, index_t rows, index_t cols) {
  std::string header = std::string("{'descr': '") + npy_name(type) + "', 'fortran_order': False, 'shape': (" + std::to_string(rows) + ", " +
                       std::to_string(cols) + "), }";
  header.append(63 - (10 + header.size()) % 64, ' ');
  header += '\n';
  return std::string("\x93NUMPY\x01\x00", 8) + static_cast<char>(header.size() & 0xff) + static_cast<char>(header.size() >> 8) + header;
}

template <class Stored, class T>
void write_npy_values(atomic_file& file, const samples<T>& x) {
  std::vector<Stored> row(static_cast<std::size_t>(x.cols()));
  for (index_t i = 0; i < x.rows(); ++i) {
    for (index_t k = 0; k < x.cols(); ++k) {
      row[static_cast<std::size_t>(k)] = number_as<Stored>(x(i, k));
    }
    file.write(std::as_bytes(std::span(row)));
  }
}

}  // namespace MMD_ISA
}  // namespace detail

inline namespace MMD_ISA {

// Writes n x d values in C order, byte for byte as numpy.save does, atomically (see atomic_file). Values that the stored type cannot hold
// are rounded to the nearest, ties to even. Without a type: f4 for float, f8 for double, f2 for float16; f4 for bfloat16, which .npy does
// not have. Throws write_error: a missing folder, a full disk, no permission; invalid_input: a matrix without columns.
template <host_number T>
void write_npy(const std::string& path, samples<T> x, npy_type type) {
  detail::require(x.cols() > 0, "write_npy: cols", x.cols(), "at least 1");
  atomic_file file(path);
  file.write(detail::npy_preamble(type, x.rows(), x.cols()));
  switch (type) {
    case npy_type::f2:
      detail::write_npy_values<float16>(file, x);
      break;
    case npy_type::f4:
      detail::write_npy_values<float>(file, x);
      break;
    case npy_type::f8:
      detail::write_npy_values<double>(file, x);
      break;
  }
  file.commit();
}
template <sample_matrix M>
void write_npy(const std::string& path, const M& x, npy_type type) {
  write_npy(path, samples<typename M::Scalar>(x), type);
}
template <sample_matrix M>
void write_npy(const std::string& path, const M& x) {
  using T = typename M::Scalar;
  write_npy(path, x, std::same_as<T, double> ? npy_type::f8 : std::same_as<T, float16> ? npy_type::f2 : npy_type::f4);
}

}  // namespace MMD_ISA
}  // namespace mmd
