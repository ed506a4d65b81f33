// SPDX-License-Identifier: MIT
// A fixed reference and its kernel sums, kept once: what a new text costs is its own row of kernel values.
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "mmd/engine/backend.hpp"
#include "mmd/engine/pooled.hpp"
#include "mmd/engine/reducers.hpp"

namespace mmd {
inline namespace MMD_ISA {

// The rows of one sample against the reference.
struct CrossSums {
  std::vector<double> to_reference;  // sum_j k(x_i, r_j) of each row
  std::vector<double> diagonal;      // k(x_i, x_i)
};

// Holds a copy of the reference (n x d values) and of the kernel. The sums are computed on construction: O(n^2 d) time, O(n d) memory.
template <class T, kernel K>
class ReferenceSums {
 public:
  // Throws invalid_input for an empty reference or values that are not finite.
  template <backend B>
  ReferenceSums(const B& on, K k, const samples<T>& reference, const char* name = "reference") : kernel_(std::move(k)) {
    check_sample(reference, name);
    reference_ = detail::joined_rows(on, pooled<T>{{reference}});
    row_sums sums;
    const layout lay = on.reduce(kernel_, pooled<T>{{samples<T>(reference_)}}, sums);
    for (const double s : sums.sums) off_diagonal_ += s;
    for (const double d : lay.diagonal) diagonal_ += d;
  }

  index_t rows() const { return reference_.rows(); }
  const matrix_of<T>& reference() const { return reference_; }
  const K& kernel() const { return kernel_; }
  // The sum of k(r_i, r_j) over i != j.
  double off_diagonal() const { return off_diagonal_; }
  // The mean of k(r_i, r_j) over all i and j.
  double mean_with_diagonal() const { return (off_diagonal_ + diagonal_) / static_cast<double>(rows()) / static_cast<double>(rows()); }
  // The mean of k(r_i, r_j) over i != j; needs 2 rows.
  double mean_off_diagonal() const { return off_diagonal_ / (static_cast<double>(rows()) * static_cast<double>(rows() - 1)); }

  // O(rows n d), one pass that evaluates the pairs of a row of x and a reference row only.
  template <backend B>
  CrossSums cross(const B& on, const samples<T>& x, const char* name) const {
    check_sample(x, name);
    detail::require(x.cols() == reference_.cols(), (std::string(name) + ".cols()").c_str(), x.cols(),
                    ("as many columns as the reference, " + std::to_string(reference_.cols())).c_str());
    row_sums sums;
    const layout lay = on.reduce(kernel_, pooled<T>{{samples<T>(reference_), x}, {}, {{0, 0}, {1, 1}}}, sums);
    CrossSums out;
    for (index_t i = rows(); i < lay.rows; ++i) {
      out.to_reference.push_back(sums(i, 0));
      out.diagonal.push_back(lay.diagonal[static_cast<std::size_t>(i)]);
    }
    return out;
  }

 private:
  K kernel_;
  matrix_of<T> reference_;
  double off_diagonal_ = 0, diagonal_ = 0;
};

}  // namespace MMD_ISA
}  // namespace mmd
