// SPDX-License-Identifier: MIT
// Logistic regression with a ridge penalty: the baseline that the study compares with.
#pragma once

#include <Eigen/Dense>
#include <cmath>
#include <vector>

#include "mmd/core/eigen.hpp"
#include "mmd/core/matrix.hpp"

namespace detect {

class LogisticRegression {
 public:
  // Minimises sum_i log(1 + exp(-s_i (a + b' x_i))) + ridge / 2 |b|^2 by Newton's method, s = 1 for rows of y, -1 for rows of x.
  LogisticRegression(const mmd::matrix<float>& x, const mmd::matrix<float>& y, double ridge) {
    const Eigen::Index n = x.rows(), m = y.rows(), d = x.cols();
    Eigen::MatrixXd z(n + m, d + 1);
    z.topLeftCorner(n, d) = mmd::as_eigen(x).cast<double>();
    z.bottomLeftCorner(m, d) = mmd::as_eigen(y).cast<double>();
    z.col(d).setOnes();
    Eigen::VectorXd target = Eigen::VectorXd::Zero(n + m);
    target.tail(m).setOnes();
    Eigen::VectorXd penalty = Eigen::VectorXd::Constant(d + 1, ridge);
    penalty(d) = 0;
    b_ = Eigen::VectorXd::Zero(d + 1);
    for (int step = 0; step < 30; ++step) {
      const Eigen::ArrayXd p = 1 / (1 + (-(z * b_).array()).exp());
      const Eigen::VectorXd gradient = z.transpose() * (p.matrix() - target) + penalty.cwiseProduct(b_);
      const Eigen::ArrayXd weight = (p * (1 - p)).max(1e-10).sqrt();
      const Eigen::MatrixXd scaled = z.array().colwise() * weight;
      Eigen::MatrixXd hessian = penalty.asDiagonal();
      hessian.selfadjointView<Eigen::Lower>().rankUpdate(scaled.transpose());
      const Eigen::VectorXd change = hessian.selfadjointView<Eigen::Lower>().ldlt().solve(gradient);
      b_ -= change;
      if (change.norm() <= 1e-8 * (1 + b_.norm())) break;
    }
  }
  // The log odds of each row being of y.
  std::vector<double> scores(const mmd::matrix<float>& x) const {
    const Eigen::VectorXd s = (mmd::as_eigen(x).cast<double>() * b_.head(b_.size() - 1)).array() + b_(b_.size() - 1);
    return {s.data(), s.data() + s.size()};
  }

 private:
  Eigen::VectorXd b_;
};

}  // namespace detect
