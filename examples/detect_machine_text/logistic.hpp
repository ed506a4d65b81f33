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
  // Minimises sum_i log(1 + exp(-s_i (a + b' x_i))) + ridge / 2 |b|^2, s = 1 for rows of y, -1 for rows of x, by Newton's method whose
  // steps are solved by conjugate gradients: products with the rows only, no d x d matrix.
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
      const Eigen::ArrayXd weight = (p * (1 - p)).max(1e-10);
      Eigen::VectorXd change = Eigen::VectorXd::Zero(d + 1), residual = gradient, direction = residual;
      double squared = residual.squaredNorm();
      const double enough = 1e-12 * squared;
      for (int i = 0; i < 500 && squared > enough; ++i) {
        const Eigen::VectorXd along = z * direction;
        const Eigen::VectorXd image = z.transpose() * (weight * along.array()).matrix() + penalty.cwiseProduct(direction);
        const double length = squared / direction.dot(image);
        change += length * direction;
        residual -= length * image;
        const double next = residual.squaredNorm();
        direction = residual + next / squared * direction;
        squared = next;
      }
      b_ -= change;
      if (change.norm() <= 1e-6 * (1 + b_.norm())) break;
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
