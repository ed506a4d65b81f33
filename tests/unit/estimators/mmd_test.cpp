// SPDX-License-Identifier: MIT
#include "mmd/estimators/mmd.hpp"

#include <cmath>
#include <functional>
#include <random>
#include <string>

#include "mmd/backends/cpu.hpp"
#include "mmd/core/eigen.hpp"
#include "mmd/estimators/energy_distance.hpp"
#include "mmd/estimators/mmd_mp.hpp"
#include "oracle/mmd.hpp"
#include "support/catch2.hpp"
#include "support/failures.hpp"
#include "support/rows.hpp"

namespace {

using kernel_function = std::function<double(const oracle::row&, const oracle::row&)>;

// Every estimate against its definition, errors relative to the sum of the absolute terms.
template <class T, class K>
void compare(const K& kernel, const kernel_function& k, mmd::index_t n, mmd::index_t m) {
  std::mt19937_64 rng(static_cast<std::uint64_t>(n * 1000 + m));
  const auto x = support::normal_rows<T>(n, 4, 0, rng), y = support::normal_rows<T>(m, 4, .4, rng);
  const auto rx = support::rows_of(x), ry = support::rows_of(y);
  const double size = oracle::mean_absolute_kernel(k, rx, ry);
  const double tolerance = (std::is_same_v<T, float> ? 4e-6 : 1e-13) * size;
  INFO("n = " << n << ", m = " << m);
  auto close = [](double a, double b, double allowed) {
    INFO(a << " and " << b << ", allowed " << allowed);
    return std::abs(a - b) <= allowed;
  };

  const auto e = mmd::Mmd{kernel}(mmd::cpu{.threads = 1}, x, y);
  CHECK(close(e.biased, oracle::biased_mmd(k, rx, ry), tolerance));
  CHECK(close(e.unbiased, oracle::unbiased_mmd(k, rx, ry), 2 * tolerance));
  CHECK(close(e.variance, oracle::unpaired_variance(k, rx, ry, 1), 8 * tolerance * size));
  const double n0 = 2. * static_cast<double>(n) * static_cast<double>(m) / static_cast<double>(n + m);
  CHECK(e.standard_error == Approx(std::sqrt(e.variance / n0)));
  CHECK(e.n == n);
  CHECK(e.m == m);
  CHECK(e.paired.has_value() == (n == m));
  CHECK(e.paired_variance.has_value() == (n == m));
  const auto p = mmd::MmdMp{kernel}(mmd::cpu{.threads = 1}, x, y);
  CHECK(close(p.mpp, oracle::mpp(k, rx, ry), 2 * tolerance));
  CHECK(close(p.variance, oracle::unpaired_variance(k, rx, ry, 0), 8 * tolerance * size));
  CHECK(p.standard_error == Approx(std::sqrt(p.variance / n0)));
  CHECK(p.objective(.25) == Approx(p.mpp / std::sqrt(p.variance + .25)));
  CHECK(p.paired.has_value() == (n == m));
  CHECK(p.paired_objective().has_value() == (n == m));
  if (n == m) {
    CHECK(close(e.paired.value(), oracle::paired_mmd(k, rx, ry, 1), 2 * tolerance));
    CHECK(close(e.paired_variance.value(), oracle::paired_variance(k, rx, ry, 1), 8 * tolerance * size));
    CHECK(close(p.paired.value(), oracle::paired_mmd(k, rx, ry, 0), 2 * tolerance));
    CHECK(close(p.paired_variance.value(), oracle::paired_variance(k, rx, ry, 0), 8 * tolerance * size));
    CHECK(p.paired_objective(.25).value() == Approx(*p.paired / std::sqrt(*p.paired_variance + .25)));
  }
  for (const int threads : {2, 7}) {
    const auto again = mmd::Mmd{kernel}(mmd::cpu{.threads = threads}, x, y);
    CHECK(again.unbiased == e.unbiased);
    CHECK(again.variance == e.variance);
    CHECK(mmd::MmdMp{kernel}(mmd::cpu{.threads = threads}, x, y).variance == p.variance);
  }
  CHECK(mmd::Mmd{kernel}(x, y).biased == e.biased);
  CHECK(mmd::Mmd{kernel}.biased(x, y) == e.biased);
  CHECK(mmd::MmdMp{kernel}(x, y).mpp == p.mpp);
}

}  // namespace

TEMPLATE_TEST_CASE("MMD and MPP agree with their definitions", "", float, double) {
  const kernel_function gaussian = [](const auto& a, const auto& b) { return std::exp(-oracle::squared_distance(a, b) / (2 * 1.3 * 1.3)); };
  const kernel_function laplace = [](const auto& a, const auto& b) { return std::exp(-oracle::l1_distance(a, b) / 2.5); };
  const kernel_function cubic = [](const auto& a, const auto& b) { return std::pow(oracle::inner_product(a, b) / 4 + 1, 3); };
  for (const auto& [n, m] : {std::pair<mmd::index_t, mmd::index_t>{2, 2}, {2, 3}, {19, 7}, {128, 129}, {150, 150}}) {
    compare<TestType>(mmd::gaussian(1.3), gaussian, n, m);
    compare<TestType>(mmd::laplace(2.5), laplace, n, m);
    compare<TestType>(mmd::polynomial(3, .25, 1), cubic, n, m);
  }
}

TEMPLATE_TEST_CASE("energy distance agrees with its definition", "", float, double) {
  std::mt19937_64 rng(8);
  const auto x = support::normal_rows<TestType>(83, 3, 0, rng), y = support::normal_rows<TestType>(140, 3, .3, rng);
  const auto rx = support::rows_of(x), ry = support::rows_of(y);
  const auto r = [](const oracle::row& a, const oracle::row& b) { return std::sqrt(oracle::squared_distance(a, b)); };
  const double tolerance = std::is_same_v<TestType, float> ? 3e-5 : 1e-12;
  const auto e = mmd::energy_distance(x, y);
  CHECK(std::abs(e.biased - (2 * oracle::mean_kernel(r, rx, ry, false) - oracle::mean_kernel(r, rx, rx, false) -
                             oracle::mean_kernel(r, ry, ry, false))) < tolerance);
  CHECK(std::abs(e.unbiased - (2 * oracle::mean_kernel(r, rx, ry, false) - oracle::mean_kernel(r, rx, rx, true) -
                               oracle::mean_kernel(r, ry, ry, true))) < tolerance);
  CHECK(e.n == 83);
  CHECK(e.m == 140);
  CHECK(mmd::energy_distance(mmd::cpu{.threads = 3}, x, y).biased == e.biased);
}

TEST_CASE("variance predicts the spread of the estimate where the distributions differ") {
  std::mt19937_64 rng(9);
  const int repeats = 400;
  std::vector<double> mmd2, mpp;
  double of_mmd = 0, of_mpp = 0;
  for (int r = 0; r < repeats; ++r) {
    const auto x = support::normal_rows<double>(60, 1, 0, rng), y = support::normal_rows<double>(120, 1, 1, rng);
    const auto e = mmd::Mmd{mmd::gaussian(1.)}(mmd::cpu{.threads = 1}, x, y);
    const auto p = mmd::MmdMp{mmd::gaussian(1.)}(mmd::cpu{.threads = 1}, x, y);
    mmd2.push_back(e.unbiased);
    mpp.push_back(p.mpp);
    of_mmd += e.standard_error * e.standard_error / repeats;
    of_mpp += p.standard_error * p.standard_error / repeats;
  }
  // The standard deviation of a variance from 400 normal values is 7 % of it; the estimate itself is a little too large at this size.
  CHECK(of_mmd / oracle::population_variance(mmd2) == Approx(1.1).margin(.3));
  CHECK(of_mpp / oracle::population_variance(mpp) == Approx(1.1).margin(.3));
}

TEST_CASE("estimates do not depend on how the samples lie in memory") {
  std::mt19937_64 rng(12);
  const auto x = support::normal_rows<double>(40, 3, 0, rng), y = support::normal_rows<double>(50, 3, 1, rng);
  const Eigen::MatrixXd columns = mmd::as_eigen(x), transposed = mmd::as_eigen(y).transpose();
  Eigen::MatrixXd padded = Eigen::MatrixXd::Constant(60, 9, 7);
  padded.block(4, 2, 40, 3) = columns;
  const mmd::Mmd estimator{mmd::matern52(1.5)};
  const auto expected = estimator(x, y);
  CHECK(estimator(columns, transposed.transpose()).unbiased == expected.unbiased);
  CHECK(estimator(padded.block(4, 2, 40, 3), y).variance == expected.variance);
  CHECK(estimator(mmd::samples(x), mmd::samples(y)).biased == expected.biased);
}

TEST_CASE("a single row has a biased estimate only") {
  std::mt19937_64 rng(10);
  const auto x = support::normal_rows<double>(6, 2, 0, rng), one = support::normal_rows<double>(1, 2, 0, rng);
  const auto k = [](const oracle::row& a, const oracle::row& b) { return std::exp(-oracle::squared_distance(a, b) / 2); };
  const mmd::Mmd estimator{mmd::gaussian(1.)};
  CHECK(estimator.biased(x, one) == Approx(oracle::biased_mmd(k, support::rows_of(x), support::rows_of(one))).epsilon(1e-13));
  CHECK(estimator.biased(one, one) == 0);
  CHECK(message([&] { estimator(x, one); }) == "mmd: y.rows() = 1, expected at least 2");
  CHECK(message([&] { estimator(one, x); }) == "mmd: x.rows() = 1, expected at least 2");
  CHECK(message([&] { mmd::MmdMp{mmd::gaussian(1.)}(x, one); }) == "mmd: y.rows() = 1, expected at least 2");
  CHECK(message([&] { mmd::energy_distance(one, x); }) == "mmd: x.rows() = 1, expected at least 2");
}

TEST_CASE("estimators refuse what they cannot use") {
  std::mt19937_64 rng(11);
  const auto x = support::normal_rows<float>(6, 2, 0, rng), wide = support::normal_rows<float>(6, 3, 0, rng);
  const mmd::matrix<float> empty(0, 2), no_columns(4, 0);
  auto infinite = x;
  infinite(5, 1) = INFINITY;
  const mmd::Mmd estimator{mmd::gaussian(1.)};
  CHECK(message([&] { estimator(x, wide); }) == "mmd: y.cols() = 3, expected as many columns as x, 2");
  CHECK(message([&] { estimator(x, infinite); }) == "mmd: y(5, 1) = inf, expected a finite number");
  CHECK(message([&] { estimator(empty, x); }) == "mmd: x.rows() = 0, expected at least 2");
  CHECK(message([&] { estimator.biased(empty, x); }) == "mmd: x.rows() = 0, expected at least 1");
  CHECK(message([&] { estimator(no_columns, no_columns); }) == "mmd: x.cols() = 0, expected at least 1");
  CHECK(message([&] { mmd::energy_distance(infinite, x); }) == "mmd: x(5, 1) = inf, expected a finite number");
}
