// SPDX-License-Identifier: MIT
// Tables of text: tab-separated, with a header. The labels of NAME.npy stand in NAME.tsv, one line per row, in the same order.
#pragma once

#include "mmd/io/lines.hpp"

namespace mmd {

struct text_column {
  std::string name;
  std::vector<std::string> cells;
};

inline namespace MMD_ISA {

// Columns of equal length, found by name. Cells are as they stand in the file: no quoting, no escapes.
class text_table {
 public:
  text_table(std::string name, std::vector<text_column> columns, std::size_t rows)
      : name_(std::move(name)), columns_(std::move(columns)), rows_(rows) {}

  std::size_t rows() const { return rows_; }
  const std::vector<text_column>& columns() const { return columns_; }
  bool has(std::string_view column) const { return find(column) != columns_.end(); }
  // Throws io_error, naming the columns that there are.
  const std::vector<std::string>& column(std::string_view wanted) const {
    const auto found = find(wanted);
    if (found != columns_.end()) return found->cells;
    std::string there;
    for (const text_column& c : columns_) there += (there.empty() ? "" : ", ") + c.name;
    throw io_error(name_, 0, "has no column '" + std::string(wanted) + "', only " + there);
  }
  // Throws io_error unless the table has one line for each of the matrix's rows.
  void require_rows(index_t rows, const std::string& matrix_name) const {
    if (static_cast<index_t>(rows_) == rows) return;
    throw io_error(name_, 0, "has " + std::to_string(rows_) + " rows, expected " + std::to_string(rows) + " as in " + matrix_name);
  }

 private:
  std::vector<text_column>::const_iterator find(std::string_view wanted) const {
    return std::find_if(columns_.begin(), columns_.end(), [&](const text_column& c) { return c.name == wanted; });
  }
  std::string name_;
  std::vector<text_column> columns_;
  std::size_t rows_;
};

// A table that is in memory already; `name` stands in messages. See read_tsv.
inline text_table parse_tsv(std::span<const std::byte> file, const std::string& name) {
  detail::line_reader lines(file, name);
  const auto cells_of = [](std::string_view line) {
    std::vector<std::string> cells;
    for (std::size_t tab; (tab = line.find('\t')) != line.npos; line.remove_prefix(tab + 1)) cells.emplace_back(line.substr(0, tab));
    cells.emplace_back(line);
    return cells;
  };
  if (!lines.next()) throw io_error(name, 0, "is empty, expected a header line with the columns' names");
  std::vector<text_column> columns;
  for (std::string& title : cells_of(lines.line())) {
    if (title.empty()) lines.fail("names a column with no characters");
    for (const text_column& before : columns) {
      if (before.name == title) lines.fail("names the column '" + title + "' twice");
    }
    columns.push_back({std::move(title), {}});
  }
  std::size_t rows = 0;
  while (lines.next()) {
    std::vector<std::string> cells = cells_of(lines.line());
    if (cells.size() != columns.size()) {
      lines.fail("has " + std::to_string(cells.size()) + " cells, expected " + std::to_string(columns.size()) + " as in the header");
    }
    for (std::size_t c = 0; c < cells.size(); ++c) columns[c].cells.push_back(std::move(cells[c]));
    ++rows;
  }
  return {name, std::move(columns), rows};
}

// Reads a table: a header line, then one line per row, cells separated by tabs; "-" is standard input. UTF-8, "\n" or "\r\n".
// Throws io_error with the path, the line, the byte and the reason: missing, unreadable, empty, not UTF-8, a NUL byte, a line with more or
// fewer cells than the header, a column named twice.
inline text_table read_tsv(const std::string& path) { return parse_tsv(read_bytes(path), detail::input_name(path)); }

// "rows.npy" -> "rows.tsv": where the labels of a .npy file are looked for.
inline std::string sidecar_of(std::string npy_path) {
  if (npy_path.ends_with(".npy")) npy_path.resize(npy_path.size() - 4);
  return npy_path + ".tsv";
}

}  // namespace MMD_ISA
}  // namespace mmd
