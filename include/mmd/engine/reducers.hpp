// SPDX-License-Identifier: MIT
// What a pass can keep of the kernel matrix K (zero diagonal) of the pooled samples. Reducers are plain data: what a statistic needs of K.
// Each backend knows how to add a piece of K to each of them. Tiles are summed in T, everything larger in double and in an order fixed by
// the sizes alone: the same bits for any number of threads.
#pragma once

#include <concepts>
#include <cstdint>
#include <span>
#include <vector>

#include "mmd/engine/pooled.hpp"

namespace mmd {

// The work is cut into parts by the sizes alone; every part fills a copy of the prepared reducer, and the copies are merged in order.
// A reducer whose pieces write disjoint entries says `shared = true`: all parts then fill the one object. A reducer that owns memory says
// how much a prepared copy takes by `std::uint64_t bytes(const layout&) const`, so that a memory limit can be kept; without it, none is
// assumed.
template <class R>
concept reducer = std::copyable<R> && requires(R& r, const R& part, const layout& lay) {
  { R::shared } -> std::convertible_to<bool>;
  r.prepare(lay);  // sizes the result and sets it to zero
  r.merge(part);
};

namespace detail {
// Stand-ins for what backends give to `places`, below.
struct any_table {
  template <class X>
  const X* operator()(const std::vector<X>&) const {
    return nullptr;
  }
};
struct any_put {
  MMD_HD void operator()(index_t) const {}
};
}  // namespace detail

// A reducer that keeps single values of K, in one array `stored()`, and can say where they belong, has a part on every device:
// `places(table)` makes a plain object whose call (group_i, i, group_j, j, put), i < j the numbers of two pooled rows, calls put(place) for
// every place of k(z_i, z_j) in the array, none or several. What it reads of the reducer's own vectors it reads through pointers that
// table(vector) makes. `stored()` is zero where nothing is put, unless `set_diagonal(layout)` sets it.
template <class R>
concept keeps_values = reducer<R> && requires(R& r, const R& same, const detail::any_table& table) {
  r.stored().data();
  same.places(table)(0, index_t{}, 0, index_t{}, detail::any_put{});
};

namespace detail {
inline std::uint64_t doubles(index_t count) { return sizeof(double) * static_cast<std::uint64_t>(count); }

inline namespace MMD_ISA {
inline void add_to(std::vector<double>& sum, const std::vector<double>& part) {
  for (std::size_t i = 0; i < sum.size(); ++i) sum[i] += part[i];
}
}  // namespace MMD_ISA
}  // namespace detail

inline namespace MMD_ISA {

// sums(i, g): the sum of row i of K over the columns of group g; with `absolute`, of |K|. N x groups doubles.
struct row_sums {
  bool absolute = false;
  index_t rows = 0;
  int groups = 0;
  std::vector<double> sums = {};
  double operator()(index_t i, int g) const { return sums[static_cast<std::size_t>(g * rows + i)]; }

  static constexpr bool shared = false;
  std::uint64_t bytes(const layout& l) const { return detail::doubles(l.rows) * static_cast<std::uint64_t>(l.groups()); }
  void prepare(const layout& l) {
    rows = l.rows;
    groups = l.groups();
    sums.assign(static_cast<std::size_t>(rows * groups), 0);
  }
  void merge(const row_sums& o) { detail::add_to(sums, o.sums); }
};

// sums(a, b): the sum of K over bin a x bin b; diagonal[a]: the sum of k(z, z) over bin a. Bin a is the next bin_rows[a] rows; the sizes
// add up to N. s x s doubles.
struct block_sums {
  std::vector<index_t> bin_rows;
  std::vector<double> sums = {}, diagonal = {};
  std::vector<int> bin = {};  // of each row
  index_t bins() const { return static_cast<index_t>(bin_rows.size()); }
  double operator()(index_t a, index_t b) const { return sums[static_cast<std::size_t>(a * bins() + b)]; }

  static constexpr bool shared = false;
  std::uint64_t bytes(const layout& l) const {
    return detail::doubles(bins()) * static_cast<std::uint64_t>(bins() + 2) + static_cast<std::uint64_t>(l.rows) * sizeof(int);
  }
  void prepare(const layout& l) {
    bin.clear();
    bin.reserve(static_cast<std::size_t>(l.rows));
    for (std::size_t b = 0; b < bin_rows.size(); ++b) {
      detail::require(bin_rows[b] >= 1, "block_sums: bin_rows", bin_rows[b], "at least one row in every bin");
      bin.insert(bin.end(), static_cast<std::size_t>(bin_rows[b]), static_cast<int>(b));
    }
    detail::require(static_cast<index_t>(bin.size()) == l.rows, "block_sums: the sum of bin_rows", bin.size(), "the number of pooled rows");
    sums.assign(bin_rows.size() * bin_rows.size(), 0);
    diagonal.assign(bin_rows.size(), 0);
    for (std::size_t i = 0; i < bin.size(); ++i) diagonal[static_cast<std::size_t>(bin[i])] += l.diagonal[i];
  }
  void merge(const block_sums& o) { detail::add_to(sums, o.sums); }
};

// N x B labels, 0 or 1, as bits: word(w, b) holds those of rows 64 w ... 64 w + 63 in column b, the first of them in its lowest bit.
// Columns lie in blocks of 64, [block][word][64], so that a pass reads those of 64 columns together; every column ends with a word of
// zeros. N B / 8 bytes.
class label_matrix {
 public:
  static constexpr index_t block = 64;
  label_matrix(index_t rows, index_t columns)
      : rows_(rows),
        columns_(columns),
        words_(rows / 64 + 2),
        values_(static_cast<std::size_t>((columns + block - 1) / block * words_ * block)) {}
  index_t rows() const { return rows_; }
  index_t columns() const { return columns_; }
  bool operator()(index_t i, index_t b) const { return *word(i / 64, b) >> (i % 64) & 1; }
  void set(index_t i, index_t b) { *word(i / 64, b) |= std::uint64_t{1} << (i % 64); }
  // The words of the columns from b to the end of its block follow one another.
  std::uint64_t* word(index_t w, index_t b) { return &values_[place(w, b)]; }
  const std::uint64_t* word(index_t w, index_t b) const { return &values_[place(w, b)]; }
  index_t words_of_column() const { return words_; }
  std::span<const std::uint64_t> words() const { return values_; }  // all of them

 private:
  std::size_t place(index_t w, index_t b) const { return static_cast<std::size_t>((b / block * words_ + w) * block + b % block); }
  index_t rows_, columns_, words_;
  std::vector<std::uint64_t> values_;
};

// value[b] = v_b' K v_b for the columns v_b of a label matrix.
struct quadratic_forms {
  const label_matrix* labels;
  std::vector<double> value = {};
  explicit quadratic_forms(const label_matrix& l) : labels(&l) {}
  explicit quadratic_forms(const label_matrix&&) = delete;

  static constexpr bool shared = false;
  std::uint64_t bytes(const layout&) const { return detail::doubles(labels->columns()); }
  void prepare(const layout& l) {
    detail::require(labels->rows() == l.rows, "quadratic_forms: labels.rows()", labels->rows(), "one label for each pooled row");
    value.assign(static_cast<std::size_t>(labels->columns()), 0);
  }
  void merge(const quadratic_forms& o) { detail::add_to(value, o.value); }
};

// pairs[i] = k(x_i, y_i) for two groups of equal size, for the paired estimators.
struct paired_values {
  std::vector<double> pairs = {};

  static constexpr bool shared = true;
  std::uint64_t bytes(const layout& l) const { return detail::doubles(l.group_rows.front()); }
  void prepare(const layout& l) {
    detail::require(l.groups() == 2 && l.group_rows[0] == l.group_rows[1], "y.rows()", l.group_rows.back(),
                    "two samples of equal size for a paired estimator");
    pairs.assign(static_cast<std::size_t>(l.group_rows[0]), 0);
  }
  void merge(const paired_values&) {}

  struct row_of_x {
    index_t count;
    template <class Put>
    MMD_HD void operator()(int, index_t i, int, index_t j, Put put) const {
      if (j - i == count) put(i);  // j < 2 count, so i < count
    }
  };
  std::vector<double>& stored() { return pairs; }
  template <class Table>
  row_of_x places(const Table&) const {
    return {static_cast<index_t>(pairs.size())};
  }
};

// The whole matrix, for small samples and for callers' own statistics: N x N values, the true diagonal included.
template <class T>
struct gram {
  index_t rows = 0;
  std::vector<T> values = {};
  T operator()(index_t i, index_t j) const { return values[static_cast<std::size_t>(i * rows + j)]; }

  static constexpr bool shared = true;
  std::uint64_t bytes(const layout& l) const { return sizeof(T) * static_cast<std::uint64_t>(l.rows) * static_cast<std::uint64_t>(l.rows); }
  void prepare(const layout& l) {
    rows = l.rows;
    values.assign(static_cast<std::size_t>(rows) * static_cast<std::size_t>(rows), T(0));
    set_diagonal(l);
  }
  void merge(const gram&) {}

  void set_diagonal(const layout& l) {
    for (index_t i = 0; i < rows; ++i)
      values[static_cast<std::size_t>(i * rows + i)] = static_cast<T>(l.diagonal[static_cast<std::size_t>(i)]);
  }
  struct both_orders {
    int rows;  // an int: there is memory for their square
    template <class Put>
    MMD_HD void operator()(int, index_t i, int, index_t j, Put put) const {
      put(index_t{static_cast<int>(i)} * rows + j);
      put(index_t{static_cast<int>(j)} * rows + i);
    }
  };
  std::vector<T>& stored() { return values; }
  template <class Table>
  both_orders places(const Table&) const {
    return {static_cast<int>(rows)};
  }
};

}  // namespace MMD_ISA
}  // namespace mmd
