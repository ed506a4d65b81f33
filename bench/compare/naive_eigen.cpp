// SPDX-License-Identifier: MIT
// What one writes with Eigen in ten lines: the whole kernel matrix from one product, then one product with all label columns. Eigen runs
// its products on all threads.
#include <Eigen/Core>
#include <algorithm>
#include <numeric>
#include <random>

#include "server.hpp"

namespace {

using matrix = Eigen::MatrixXf;
using server::answer;
using server::request;

matrix pooled(const request& r) {
  using rows = Eigen::Map<const Eigen::Matrix<float, Eigen::Dynamic, Eigen::Dynamic, Eigen::RowMajor>>;
  const auto &x = r.rows("x"), &y = r.rows("y");
  matrix z(x.rows() + y.rows(), x.cols());
  z << rows(x.data(), x.rows(), x.cols()), rows(y.data(), y.rows(), y.cols());
  return z;
}

// exp(-|a - b|^2 / (2 h^2)) with zeros on the diagonal.
matrix gram(const matrix& z, double h) {
  const Eigen::VectorXf norms = z.rowwise().squaredNorm();
  matrix k = -2 * z * z.transpose();
  k.colwise() += norms;
  k.rowwise() += norms.transpose();
  k = (k.array().max(0) * static_cast<float>(-0.5 / (h * h))).exp();
  k.diagonal().setZero();
  return k;
}

// Unbiased MMD^2 from the sums within the first group, those of its rows over everybody, and the total.
double unbiased(double xx, double x_all, double total, double n, double m) {
  const double xy = x_all - xx, yy = total - 2 * x_all + xx;
  return xx / (n * (n - 1)) + yy / (m * (m - 1)) - 2 * xy / (n * m);
}

answer value(const request& r) {
  const matrix z = pooled(r);
  const auto n = r.rows("x").rows(), m = r.rows("y").rows();
  Eigen::setNbThreads(static_cast<int>(r.count("threads")));
  const server::stopwatch clock;
  const matrix k = gram(z, r.number("bandwidth"));
  const double xx = k.topLeftCorner(n, n).cast<double>().sum(), xy = k.topRightCorner(n, m).cast<double>().sum(),
               yy = k.bottomRightCorner(m, m).cast<double>().sum();
  const double statistic = unbiased(xx, xx + xy, xx + 2 * xy + yy, static_cast<double>(n), static_cast<double>(m));
  return answer().add("seconds", clock.seconds()).add("statistic", statistic);
}

answer test(const request& r) {
  const matrix z = pooled(r);
  const auto n = r.rows("x").rows(), m = r.rows("y").rows();
  Eigen::setNbThreads(static_cast<int>(r.count("threads")));
  const server::stopwatch clock;
  const matrix k = gram(z, r.number("bandwidth"));
  matrix labels = matrix::Zero(n + m, r.count("permutations") + 1);  // the last column is the observed split
  std::mt19937 random(1);
  std::vector<Eigen::Index> order(static_cast<std::size_t>(n + m));
  std::iota(order.begin(), order.end(), 0);
  labels.rightCols(1).topRows(n).setOnes();
  for (Eigen::Index b = 0; b + 1 < labels.cols(); ++b) {
    std::shuffle(order.begin(), order.end(), random);
    for (Eigen::Index i = 0; i < n; ++i) labels(order[static_cast<std::size_t>(i)], b) = 1;
  }
  const matrix sums = k * labels;
  const Eigen::VectorXd within = labels.cwiseProduct(sums).cast<double>().colwise().sum(), all = sums.cast<double>().colwise().sum();
  const double total = k.cast<double>().sum();
  Eigen::VectorXd t(labels.cols());
  for (Eigen::Index b = 0; b < t.size(); ++b) {
    t(b) = unbiased(within(b), all(b), total, static_cast<double>(n), static_cast<double>(m));
  }
  const double observed = t(t.size() - 1);
  const double p = static_cast<double>((t.array() >= observed).count()) / static_cast<double>(t.size());
  return answer().add("seconds", clock.seconds()).add("statistic", observed).add("p_value", p);
}

}  // namespace

int main() { return server::serve({{"value", value}, {"test", test}}); }
