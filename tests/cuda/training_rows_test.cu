// SPDX-License-Identifier: MIT
// The loops of learning over rows, on the device: random numbers and masks are the host's to the last bit, layers agree with plain loops in
// double, for rows and columns of any number.
#include <cmath>
#include <cstdint>
#include <utility>
#include <vector>

#include "cpu_training.hpp"
#include "mmd/backends/cuda.cuh"
#include "mmd/learning/adam.hpp"
#include "mmd/learning/layers.hpp"
#include "mmd/learning/standardizer.hpp"
#include "support/catch2.hpp"
#include "support/learning.hpp"

namespace {

using mmd::device;
using mmd::index_t;
using support::distance;
using support::normal;
using support::to_rows;

const mmd::cuda& gpu() {
  static const mmd::cuda on;
  return on;
}
template <class T>
mmd::matrix<T> back(const mmd::DeviceMatrix<T>& m) {
  return gpu().download(m);
}
template <class T>
std::span<const device<T>> values(const mmd::DeviceMatrix<T>& m) {
  return {m.data(), static_cast<std::size_t>(m.size())};
}
template <class T>
std::span<device<T>> values(mmd::DeviceMatrix<T>& m) {
  return {m.data(), static_cast<std::size_t>(m.size())};
}
template <class T>
mmd::DeviceMatrix<T> row_on_device(index_t size) {
  mmd::DeviceMatrix<T> m;
  gpu().resize(m, 1, size);
  return m;
}
template <class T>
std::vector<double> row_of(const mmd::matrix<T>& m) {
  return {m.values().begin(), m.values().end()};
}
template <class T>
inline constexpr double layer_error = sizeof(T) == 4 ? 3e-6 : 1e-13;

// The numbers of one stream, one each row of a column.
struct numbers {
  std::uint64_t seed, test, draw;
  double* to;
  template <class L>
  __device__ void operator()(L lanes, index_t i) const {
    lanes.put(static_cast<double>(mmd::detail::number_of_stream(seed, mmd::purpose::dropout, test, draw, static_cast<std::uint64_t>(i))),
              to + i);
  }
};

}  // namespace

TEST_CASE("a device's threads draw the numbers of the host's streams", "[training]") {
  const std::uint64_t last = (std::uint64_t{1} << 40) - 1;
  for (const auto& [seed, test, draw] : {std::tuple<std::uint64_t, std::uint64_t, std::uint64_t>{0, 0, 0},
                                         {0x123456789abcdef0u, 77, (std::uint64_t{3} << 32) + 5},
                                         {~std::uint64_t{0}, last, last - 16}}) {
    auto there = row_on_device<double>(71);
    gpu().for_each_row(71, numbers{seed, test, draw, raw_pointer(there.data())});
    mmd::random_stream random(seed, mmd::purpose::dropout, test, draw);
    const auto found = back(there);
    for (index_t i = 0; i < 71; ++i) CHECK(found(0, i) == static_cast<double>(random.next32()));
  }
}

TEMPLATE_TEST_CASE("dropout masks on the device are the CPU's", "[training]", float, double) {
  using T = TestType;
  for (const auto& [rows, cols] : {std::pair<index_t, index_t>{1, 1}, {5, 31}, {4, 32}, {3, 33}, {9, 130}}) {
    const auto expected = cpu_results::mask<T>(0.3, 5, 11, 2, rows, cols);
    mmd::matrix<T> ones(rows, cols);
    std::fill_n(ones.data(), ones.size(), T(1));
    auto there = gpu().upload(ones);
    mmd::apply_dropout(gpu(), 0.3, 5, 11, 2, mmd::samples<device<T>>(there), there);
    CHECK(back(there) == expected);
  }
}

TEMPLATE_TEST_CASE("rows are chosen, turned and dropped out on the device", "[training]", float, double) {
  using T = TestType;
  const index_t cols = GENERATE(7, 70);
  const auto x = normal<T>(20, cols, 1);
  const std::vector<index_t> chosen{3, 19, 0, 3, 7};
  mmd::matrix<T> turned(cols, 20);  // the same rows, a stride apart
  for (index_t i = 0; i < 20; ++i) {
    for (index_t k = 0; k < cols; ++k) turned(k, i) = x(i, k);
  }
  const auto there = gpu().upload(x), across = gpu().upload(turned);
  mmd::DeviceMatrix<index_t> memory;
  const auto rows = mmd::detail::placed(gpu(), std::span<const index_t>(chosen), memory);
  mmd::DeviceMatrix<T> copied, dropped, strided;
  mmd::detail::copy_rows(gpu(), mmd::samples<device<T>>(there), rows, copied);
  gpu().resize(dropped, 5, cols);
  gpu().resize(strided, 5, cols);
  mmd::apply_dropout(gpu(), 0.4, 1, 2, 3, mmd::samples<device<T>>(there), dropped, rows);
  mmd::apply_dropout(gpu(), 0.4, 1, 2, 3, mmd::samples<device<T>>(across.data(), 20, cols, 1, 20), strided, rows);
  const auto mask = cpu_results::mask<T>(0.4, 1, 2, 3, 5, cols);
  const auto found = back(copied), masked = back(dropped);
  CHECK(back(strided) == masked);
  for (index_t i = 0; i < 5; ++i) {
    for (index_t k = 0; k < cols; ++k) {
      const T value = x(chosen[static_cast<std::size_t>(i)], k);
      REQUIRE(found(i, k) == value);
      REQUIRE(masked(i, k) == value * mask(i, k));
    }
  }
}

TEMPLATE_TEST_CASE("a linear layer on the device agrees with a plain loop", "[training]", float, double) {
  using T = TestType;
  using E = device<T>;
  const auto [rows, in, out] = GENERATE(std::tuple<int, int, int>{1, 1, 1}, std::tuple<int, int, int>{3, 5, 2},
                                        std::tuple<int, int, int>{70, 33, 37}, std::tuple<int, int, int>{600, 4, 3});
  const auto x = normal<T>(rows, in, 1), w = normal<T>(out, in, 2), b = normal<T>(1, out, 3), grad = normal<T>(rows, out, 4);
  const auto dx = gpu().upload(x), dw = gpu().upload(w), db = gpu().upload(b), dg = gpu().upload(grad);
  mmd::DeviceMatrix<T> y, partials, grad_x, grad_w = row_on_device<T>(w.size()), grad_b = row_on_device<T>(out);
  mmd::linear_forward(gpu(), mmd::samples<E>(dx), mmd::samples<E>(dw), values(db), y);
  CHECK(distance(back(y), oracle::linear(to_rows(x), to_rows(w), row_of(b))) < layer_error<T>);
  mmd::linear_forward(gpu(), mmd::samples<E>(dx), mmd::samples<E>(dw), {}, y);
  CHECK(distance(back(y), oracle::linear(to_rows(x), to_rows(w), {})) < layer_error<T>);

  mmd::linear_backward(gpu(), mmd::samples<E>(dx), mmd::samples<E>(dw), dg, values(grad_w), values(grad_b), partials, &grad_x);
  std::vector<double> of_w(static_cast<std::size_t>(w.size())), of_b(static_cast<std::size_t>(out)),
      of_x(static_cast<std::size_t>(x.size()));
  for (index_t i = 0; i < rows; ++i) {
    for (index_t o = 0; o < out; ++o) {
      const double g = static_cast<double>(grad(i, o));
      of_b[static_cast<std::size_t>(o)] += g;
      for (index_t k = 0; k < in; ++k) {
        of_w[static_cast<std::size_t>(o * in + k)] += g * static_cast<double>(x(i, k));
        of_x[static_cast<std::size_t>(i * in + k)] += g * static_cast<double>(w(o, k));
      }
    }
  }
  CHECK(distance(back(grad_w).values(), of_w) < layer_error<T>);
  CHECK(distance(back(grad_b).values(), of_b) < layer_error<T>);
  CHECK(distance(back(grad_x).values(), of_x) < layer_error<T>);
}

TEMPLATE_TEST_CASE("GELU and LayerNorm on the device agree with plain loops and their differences", "[training]", float, double) {
  using T = TestType;
  const auto [rows, width] = GENERATE(std::pair<int, int>{1, 2}, std::pair<int, int>{5, 32}, std::pair<int, int>{19, 33});
  const auto z = normal<T>(rows, width, 1, 2), gain = normal<T>(1, width, 2, 0.3, 1), shift = normal<T>(1, width, 3),
             bias = normal<T>(1, width, 4), grad = normal<T>(rows, width, 5);
  const auto dz = gpu().upload(z), dgain = gpu().upload(gain), dshift = gpu().upload(shift), dbias = gpu().upload(bias);
  auto g = gpu().upload(grad);
  mmd::GeluNormTape<device<T>> tape;
  mmd::DeviceMatrix<T> out;
  auto oz = to_rows(z);
  for (auto& row : oz) {
    for (std::size_t k = 0; k < row.size(); ++k) row[k] += static_cast<double>(bias.values()[k]);
  }
  auto og = row_of(gain), os = row_of(shift);
  const double epsilon = 1e-5;
  mmd::gelu_norm_forward(gpu(), dz, values(dgain), values(dshift), epsilon, tape, out, values(dbias));
  CHECK(distance(back(out), oracle::gelu_norm(oz, og, os, epsilon)) < layer_error<T>);

  auto grad_gain = row_on_device<T>(width), grad_shift = row_on_device<T>(width), grad_bias = row_on_device<T>(width);
  mmd::gelu_norm_backward(gpu(), tape, values(dgain), g, values(grad_gain), values(grad_shift), values(grad_bias));
  const auto weights = to_rows(grad);
  const auto by = [&](double& at) {
    return oracle::derivative(
        [&] {
          const auto y = oracle::gelu_norm(oz, og, os, epsilon);
          double sum = 0;
          for (std::size_t i = 0; i < y.size(); ++i) {
            for (std::size_t k = 0; k < y[i].size(); ++k) sum += weights[i][k] * y[i][k];
          }
          return sum;
        },
        at);
  };
  std::vector<double> of_z, of_gain, of_shift, of_bias(static_cast<std::size_t>(width));
  for (auto& row : oz) {
    for (std::size_t k = 0; k < row.size(); ++k) {
      of_z.push_back(by(row[k]));
      of_bias[k] += of_z.back();
    }
  }
  for (double& v : og) of_gain.push_back(by(v));
  for (double& v : os) of_shift.push_back(by(v));
  const double limit = sizeof(T) == 4 ? 2e-5 : 1e-7;  // of differences in double
  CHECK(distance(back(g).values(), of_z, 1e-2) < limit);
  CHECK(distance(back(grad_gain).values(), of_gain) < limit);
  CHECK(distance(back(grad_shift).values(), of_shift) < limit);
  CHECK(distance(back(grad_bias).values(), of_bias, 1e-2) < limit);
}

TEMPLATE_TEST_CASE("GELU on the device keeps its digits in the tail", "[training]", float, double) {
  using T = TestType;
  mmd::matrix<T> z(1, 401);
  for (index_t k = 0; k < 401; ++k) z(0, k) = static_cast<T>(0.05 * static_cast<double>(k - 200));
  const mmd::matrix<T> one(1, 401, std::vector<T>(401, T(1))), none(1, 401);
  mmd::GeluNormTape<device<T>> tape;
  mmd::DeviceMatrix<T> out;
  const auto gain = gpu().upload(one), shift = gpu().upload(none);
  mmd::gelu_norm_forward(gpu(), gpu().upload(z), values(gain), values(shift), 1e-5, tape, out);
  const auto slope = back(tape.slope);
  const double eps = static_cast<double>(std::numeric_limits<T>::epsilon());
  double worst = 0;
  for (index_t k = 0; k < 401; ++k) {
    const double x = static_cast<double>(z(0, k)), phi = std::exp(-x * x / 2) * 0.39894228040143267794;
    worst = std::max(worst, std::abs(static_cast<double>(slope(0, k)) - (std::erfc(-x / std::sqrt(2.0)) / 2 + x * phi)));
  }
  CHECK(worst < 3 * eps);
}

TEMPLATE_TEST_CASE("Adam on the device takes the oracle's steps", "[training]", float, double) {
  using T = TestType;
  const index_t size = GENERATE(1, 33, 1000);
  const auto start = normal<T>(1, size, 1);
  auto parameters = gpu().upload(start);
  mmd::Adam<device<T>> adam({.learning_rate = 0.05});
  oracle::rows gradients;
  for (std::uint64_t step = 0; step < 4; ++step) {
    const auto g = normal<T>(1, size, 10 + step);
    const auto there = gpu().upload(g);
    adam.step(gpu(), values(parameters), values(there));
    gradients.push_back(row_of(g));
  }
  CHECK(distance(back(parameters).values(), oracle::adam(row_of(start), gradients, 0.05).back()) < (sizeof(T) == 4 ? 1e-6 : 1e-13));
}

TEMPLATE_TEST_CASE("samples are standardised on the device to the same bits", "[training]", float, double) {
  using T = TestType;
  const index_t cols = GENERATE(1, 32, 45);
  auto x = normal<T>(37, cols, 1, 3, 5);
  const mmd::samples<T> view(x);
  const auto standardizer = mmd::Standardizer::fit(view, view);
  mmd::DeviceMatrix<T> z;
  const auto good = gpu().upload(x);
  CHECK(standardizer(gpu(), mmd::samples<device<T>>(good), z));
  CHECK(back(z) == standardizer(view));
  x(36, cols - 1) = std::numeric_limits<T>::infinity();
  const auto bad = gpu().upload(x);
  CHECK_FALSE(standardizer(gpu(), mmd::samples<device<T>>(bad), z));
}
