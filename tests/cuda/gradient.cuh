// SPDX-License-Identifier: MIT
// Kernels with their derivatives in words, random weights of pairs, and how far a gradient is off.
#pragma once

#include <algorithm>
#include <cmath>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>

#include "mmd/core/philox.hpp"
#include "mmd/cuda.cuh"
#include "oracle/weighted_gradient.hpp"

namespace gradients {

using mmd::index_t;
using mmd::matrix;
using mmd::samples;
using mmd::operator*;  // kernels of one's own are not found by it otherwise

inline std::size_t at(index_t i) { return static_cast<std::size_t>(i); }

// rows x cols normal values, around `centre` and times `scale`.
template <class T>
matrix<T> normal_rows(index_t rows, index_t cols, std::uint64_t seed, double scale = 1, double centre = 0) {
  matrix<T> out(rows, cols);
  mmd::random_stream random(seed, mmd::purpose::splits);
  for (index_t i = 0; i < out.size(); ++i) out.data()[i] = static_cast<T>(scale * (centre + random.normal()));
  return out;
}

struct sizes {
  std::vector<index_t> rows;
  index_t cols;
  index_t total() const {
    index_t sum = 0;
    for (const index_t r : rows) sum += r;
    return sum;
  }
};
inline std::string shown(const sizes& s) {
  std::string out = "rows";
  for (const index_t r : s.rows) out += " " + std::to_string(r);
  return out + ", columns " + std::to_string(s.cols);
}

// Groups of samples, the second row like the first, the last column constant where there are several; and one row of features for each.
template <class T>
struct problem {
  std::vector<matrix<T>> groups;
  matrix<T> features;
  sizes shape;
  problem(const sizes& s, double scale = 1, double centre = 0, index_t width = 3) : shape(s) {
    for (std::size_t g = 0; g < s.rows.size(); ++g) {
      groups.push_back(normal_rows<T>(s.rows[g], s.cols, 7 + g, scale, centre + 0.2 * static_cast<double>(g)));
      matrix<T>& x = groups.back();
      if (s.cols > 2) {
        for (index_t i = 0; i < x.rows(); ++i) x(i, s.cols - 1) = static_cast<T>(scale);
      }
      for (index_t k = 0; x.rows() > 2 && s.cols < 100 && k < s.cols; ++k) x(1, k) = x(0, k);
    }
    features = normal_rows<T>(s.total(), width, 3);
  }
  mmd::pooled<T> pool() const {
    mmd::pooled<T> z;
    for (const auto& g : groups) z.groups.push_back(samples<T>(g));
    return z;
  }
  // The features, then the samples.
  std::vector<oracle::rows> spaces() const {
    std::vector<oracle::rows> out(2);
    const auto append = [](oracle::rows& to, const matrix<T>& x) {
      for (index_t i = 0; i < x.rows(); ++i) {
        to.emplace_back();
        for (index_t k = 0; k < x.cols(); ++k) to.back().push_back(static_cast<double>(x(i, k)));
      }
    };
    append(out[0], features);
    for (const auto& g : groups) append(out[1], g);
    return out;
  }
  std::vector<std::size_t> group_of_rows() const {
    std::vector<std::size_t> out;
    for (std::size_t g = 0; g < shape.rows.size(); ++g) out.insert(out.end(), at(shape.rows[g]), g);
    return out;
  }
};

inline mmd::pair_weights random_weights(const std::vector<index_t>& rows, bool diagonal, bool paired) {
  mmd::random_stream random(11, mmd::purpose::splits);
  const std::size_t groups = rows.size();
  mmd::pair_weights w;
  w.ww.resize(groups * groups);
  w.wp.resize(groups * groups);
  for (std::size_t g = 0; g < groups; ++g) {
    for (std::size_t h = g; h < groups; ++h) {
      w.ww[g * groups + h] = w.ww[h * groups + g] = random.normal();
      w.wp[g * groups + h] = w.wp[h * groups + g] = random.normal();
    }
    for (index_t i = 0; i < rows[g]; ++i) {
      w.w.push_back(random.normal());
      w.p.push_back(random.normal());
      if (diagonal) w.diagonal.push_back(random.normal());
      if (paired && g == 0) w.paired.push_back(random.normal());
    }
  }
  return w;
}
// The weight of K_ij, i <= j, both orders together.
inline double weight(const mmd::pair_weights& w, const std::vector<std::size_t>& group, std::size_t i, std::size_t j) {
  if (i == j) return w.diagonal.empty() ? 0 : w.diagonal[i];
  const std::size_t groups = at(static_cast<index_t>(std::lround(std::sqrt(static_cast<double>(w.ww.size()))))),
                    cell = group[i] * groups + group[j];
  double sum = w.ww[cell] * w.w[i] * w.w[j] + w.wp[cell] * (w.w[i] * w.p[j] + w.p[i] * w.w[j]);
  if (!w.paired.empty() && group[i] == 0 && group[j] == 1 && j == i + w.paired.size()) sum += w.paired[i];
  return sum;
}

struct exact_gaussian {  // exp(-u / 10) of exact squared distances
  static constexpr auto reads = mmd::pair::exact_squared_distance;
  template <class V>
  MMD_HD V operator()(V u) const {
    return exp_product(-0.1, u);
  }
};

// Kernels of samples (space 1) and of features (space 0), with the oracle's view of them. E: where the features lie.
struct of_gaussian {
  static constexpr const char* name = "gaussian";
  template <class E>
  static auto kernel(const samples<E>&) {
    return mmd::gaussian(3);
  }
  static std::vector<oracle::slot> slots() { return {{oracle::quantity::squared_distance, 1}}; }
  static constexpr std::size_t constants = 0;
  static oracle::slopes at(const std::vector<double>& u) { return {{-std::exp(-u[0] / 18) / 18}, {}}; }
};
struct of_laplace {
  static constexpr const char* name = "laplace";
  template <class E>
  static auto kernel(const samples<E>&) {
    return mmd::laplace(4);
  }
  static std::vector<oracle::slot> slots() { return {{oracle::quantity::l1_distance, 1}}; }
  static constexpr std::size_t constants = 0;
  static oracle::slopes at(const std::vector<double>& u) { return {{-std::exp(-u[0] / 4) / 4}, {}}; }
};
struct of_cube {
  static constexpr const char* name = "cube";
  template <class E>
  static auto kernel(const samples<E>&) {
    return mmd::polynomial(3, 0.1, 1);
  }
  static std::vector<oracle::slot> slots() { return {{oracle::quantity::inner_product, 1}}; }
  static constexpr std::size_t constants = 0;
  static oracle::slopes at(const std::vector<double>& u) { return {{0.3 * (0.1 * u[0] + 1) * (0.1 * u[0] + 1)}, {}}; }
};
// Two packings of one space.
struct of_both_distances {
  static constexpr const char* name = "gaussian + exact gaussian";
  template <class E>
  static auto kernel(const samples<E>&) {
    return mmd::gaussian(3) + 0.5 * exact_gaussian{};
  }
  static std::vector<oracle::slot> slots() { return {{oracle::quantity::squared_distance, 1}, {oracle::quantity::squared_distance, 1}}; }
  static constexpr std::size_t constants = 1;
  static oracle::slopes at(const std::vector<double>& u) {
    return {{-std::exp(-u[0] / 18) / 18, -0.05 * std::exp(-u[1] / 10)}, {std::exp(-u[1] / 10)}};
  }
};
struct of_deep {
  static constexpr const char* name = "deep";
  template <class E>
  static auto kernel(const samples<E>& features) {
    return (0.9 * mmd::on(mmd::given(features), mmd::gaussian(1.5)) + 0.1) * mmd::gaussian(3);
  }
  static std::vector<oracle::slot> slots() { return {{oracle::quantity::squared_distance, 0}, {oracle::quantity::squared_distance, 1}}; }
  static constexpr std::size_t constants = 2;
  static oracle::slopes at(const std::vector<double>& u) {
    const double e = std::exp(-u[0] / 4.5), q = std::exp(-u[1] / 18);
    return {{-0.9 * e * q / 4.5, -(0.9 * e + 0.1) * q / 18}, {e * q, q}};
  }
};
// Four quantities, four constants.
struct of_all {
  static constexpr const char* name = "all quantities";
  template <class E>
  static auto kernel(const samples<E>& features) {
    return of_deep::kernel(features) + 0.2 * mmd::polynomial(2, 0.1, 1) + 0.3 * mmd::laplace(5);
  }
  static std::vector<oracle::slot> slots() {
    using oracle::quantity;
    return {{quantity::squared_distance, 0}, {quantity::squared_distance, 1}, {quantity::inner_product, 1}, {quantity::l1_distance, 1}};
  }
  static constexpr std::size_t constants = 4;
  static oracle::slopes at(const std::vector<double>& u) {
    oracle::slopes d = of_deep::at(u);
    const double t = 0.1 * u[2] + 1, l = std::exp(-u[3] / 5);
    d.by_slot.insert(d.by_slot.end(), {0.04 * t, -0.06 * l});
    d.by_constant.insert(d.by_constant.end(), {t * t, l});
    return d;
  }
};

template <class Example, class T>
oracle::gradient expected(const problem<T>& p, const mmd::pair_weights& w) {
  const auto group = p.group_of_rows();
  return oracle::weighted_gradient(
      p.spaces(), Example::slots(), Example::constants, [&](std::size_t i, std::size_t j) { return weight(w, group, i, j); }, Example::at);
}

// The norm of the error over the norm of the whole, of one tensor.
template <class T>
double off(const matrix<T>& found, const std::vector<double>& exact) {
  if (found.size() != static_cast<index_t>(exact.size())) return INFINITY;
  double error = 0, size = 0;
  for (std::size_t i = 0; i < exact.size(); ++i) {
    const double difference = static_cast<double>(found.data()[i]) - exact[i];
    error += difference * difference;
    size += exact[i] * exact[i];
  }
  const double relative = error == 0 ? 0 : std::sqrt(error / size);
  return relative == relative ? relative : INFINITY;  // comparisons and std::max would hide NaN
}
// The largest error of sums, each relative to its absolute terms.
inline double off(const std::vector<double>& found, const std::vector<double>& exact, const std::vector<double>& terms) {
  if (found.size() != exact.size()) return INFINITY;
  double worst = 0;
  for (std::size_t i = 0; i < exact.size(); ++i) {
    const double error = std::abs(found[i] - exact[i]);
    if (!(error == 0)) worst = std::max(worst, error == error ? error / terms[i] : INFINITY);
  }
  return worst;
}
// Of a whole gradient; the features' space is not there where the kernel does not read it.
template <class T>
double off(const mmd::kernel_gradient<T>& found, const oracle::gradient& exact) {
  double worst = std::max(off(found.scales, exact.scales, exact.scales_size), off(found.constants, exact.constants, exact.constants_size));
  const std::size_t first = exact.features.size() - found.features.size();
  for (std::size_t s = 0; s < found.features.size(); ++s) worst = std::max(worst, off(found.features[s], exact.features[first + s]));
  return worst;
}
template <class T>
inline constexpr double allowed = std::is_same_v<T, double> ? 1e-13 : 1e-5;

template <class E>
bool same_bits(const mmd::kernel_gradient<E>& a, const mmd::kernel_gradient<E>& b) {
  return a.features == b.features && a.scales == b.scales && a.constants == b.constants;
}
// The features of a gradient on the device brought to the host.
template <class T>
mmd::kernel_gradient<T> fetched(const mmd::cuda& on, const mmd::kernel_gradient<mmd::device<T>>& g) {
  mmd::kernel_gradient<T> out{{}, g.scales, g.constants};
  for (const auto& f : g.features) out.features.push_back(f.rows() == 0 ? matrix<T>() : on.download(f));
  return out;
}

}  // namespace gradients
