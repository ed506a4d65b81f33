// SPDX-License-Identifier: MIT
// Standardises columns by the training split; part of a trained model.
#pragma once

#include <algorithm>
#include <cmath>
#include <string>
#include <vector>

#include "mmd/core/matrix.hpp"
#include "mmd/engine/pooled.hpp"
#include "mmd/learning/rows.hpp"

namespace mmd {
inline namespace MMD_ISA {

// z = (x - mean) / deviation by columns, clipped to +-4, so that no outlier can dominate a distance. Means and (population) deviations are
// those of all training rows together; a column that is the same in all of them has the deviation 1 and gives zeros there.
class Standardizer {
 public:
  static constexpr double clip = 4;

  Standardizer() = default;
  // From moments that are known. Throws invalid_input: sizes that differ, values that are not finite, deviations that are not above 0.
  Standardizer(std::vector<double> means, std::vector<double> deviations) : means_(std::move(means)), deviations_(std::move(deviations)) {
    detail::require(deviations_.size() == means_.size(), "deviations.size()", deviations_.size(), "as many as means");
    for (std::size_t k = 0; k < means_.size(); ++k) {
      detail::require(std::isfinite(means_[k]), "means", means_[k], "finite numbers");
      detail::require(std::isfinite(deviations_[k]) && deviations_[k] > 0, "deviations", deviations_[k], "finite numbers above 0");
    }
  }
  // Learns from the rows of x and y together. Two passes in double, O(n d). Throws invalid_input as the statistics do: no rows, other
  // columns, values that are not finite.
  template <class T>
  static Standardizer fit(const samples<T>& x, const samples<T>& y) {
    check_samples(x, y);
    const auto d = static_cast<std::size_t>(x.cols());
    const double count = static_cast<double>(x.rows() + y.rows());
    std::vector<double> means(d), squares(d);
    const auto over_rows = [&](const auto& add) {
      for (const samples<T>* s : {&x, &y}) {
        for (index_t i = 0; i < s->rows(); ++i) {
          for (std::size_t k = 0; k < d; ++k) add(k, static_cast<double>((*s)(i, static_cast<index_t>(k))));
        }
      }
    };
    over_rows([&](std::size_t k, double v) { means[k] += v / count; });
    over_rows([&](std::size_t k, double v) { squares[k] += (v - means[k]) / count * (v - means[k]); });
    for (std::size_t k = 0; k < d; ++k) {
      const double deviation = std::sqrt(squares[k]);
      squares[k] = deviation > 1e-12 * std::abs(means[k]) ? deviation : 1;  // below that only the rounding of the mean is left
    }
    return {std::move(means), std::move(squares)};
  }

  index_t dimension() const { return static_cast<index_t>(means_.size()); }
  const std::vector<double>& means() const { return means_; }
  const std::vector<double>& deviations() const { return deviations_; }

  // Row-major n x d. Throws invalid_input when x has other columns than the training rows had. NaN stays NaN.
  template <class T>
  matrix<T> operator()(const samples<T>& x) const {
    check_columns(x.cols());
    matrix<T> z(x.rows(), x.cols());
    for (index_t i = 0; i < x.rows(); ++i) {
      for (index_t k = 0; k < x.cols(); ++k) {
        const auto at = static_cast<std::size_t>(k);
        z(i, k) = static_cast<T>(std::clamp((static_cast<double>(x(i, k)) - means_[at]) / deviations_[at], -clip, clip));
      }
    }
    return z;
  }
  // The same bits into z (resized), in parallel, in the memory that x is in. Says whether all values of x are finite.
  template <backend B, class E>
  bool operator()(const B& on, const samples<E>& x, matrix_of<E>& z) const {
    using detail::raw;
    check_columns(x.cols());
    matrix_of<detail::beside<E, double>> mean, deviation;
    matrix_of<E> wrong;
    detail::reshape(on, z, x.rows(), x.cols());
    detail::reshape(on, wrong, 1, x.rows());
    detail::for_each_row<E>(on, x.rows(),
                            detail::standardized_row<host_value<E>>{raw(x.data()), x.rowStride(), x.colStride(), x.cols(),
                                                                    raw(detail::placed(on, std::span(means_), mean).data()),
                                                                    raw(detail::placed(on, std::span(deviations_), deviation).data()), clip,
                                                                    raw(z.data()), raw(wrong.data())});
    return detail::all_finite_in(on, wrong);
  }

  friend bool operator==(const Standardizer&, const Standardizer&) = default;

 private:
  void check_columns(index_t cols) const {
    if (cols != dimension()) detail::reject("x.cols()", cols, std::to_string(dimension()) + ", as many columns as the training rows had");
  }
  std::vector<double> means_, deviations_;
};

}  // namespace MMD_ISA
}  // namespace mmd
