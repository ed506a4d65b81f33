// SPDX-License-Identifier: MIT
#include "mmd/detection/reference_detector.hpp"

#include <Eigen/Dense>
#include <cmath>

#include "mmd/backends/cpu.hpp"
#include "mmd/io/safetensors.hpp"
#include "mmd/learning/deep_kernel.hpp"
#include "oracle/reference_scores.hpp"
#include "support/catch2.hpp"
#include "support/detection.hpp"

using support::normal_rows;
using support::to_rows;

TEMPLATE_TEST_CASE("scores agree with the formula, with one reference and with two", "", float, double) {
  using T = TestType;
  const double epsilon = std::is_same_v<T, float> ? 2e-6 : 1e-13;
  for (const mmd::index_t n : {1, 2, 7, 129, 300}) {
    const auto human = normal_rows<T>(n, 5, 1), machine = normal_rows<T>(n + 3, 5, 2, 1.0), x = normal_rows<T>(140, 5, 3, 0.5);
    const auto h = to_rows(human), m = to_rows(machine), y = to_rows(x);
    const auto against = [&](const auto& k, const oracle::kernel_function& by_hand) {
      const auto one = mmd::ReferenceDetector(k, human).scores(x);
      const auto two = mmd::ReferenceDetector(mmd::cpu{}, k, human, machine).scores(x);
      REQUIRE(one.size() == y.size());
      for (std::size_t i = 0; i < y.size(); i += 13) {
        const double a = oracle::score(by_hand, h, y[i]), b = oracle::score(by_hand, m, y[i]);
        const double scale = 4 * std::abs(by_hand(y[i], y[i])) + 4;
        CHECK(std::abs(one[i] - a) < epsilon * scale);
        CHECK(std::abs(two[i] - (a - b)) < 2 * epsilon * scale);
      }
    };
    against(mmd::gaussian(1.5), oracle::gaussian(1.5));
    if (n < 100) against(mmd::polynomial{3, 0.2, 1.0}, oracle::polynomial(0.2, 1.0));
  }
}

TEST_CASE("scores agree with the authors' code") {
  for (const std::string size : {"n5", "n37", "n128"}) {
    const auto golden = mmd::safetensors::read(std::string(MMD_TEST_DATA) + "/golden/official/objective_" + size + ".safetensors");
    const auto rows = [&](const std::string& which) {  // phi | q
      const auto phi = golden.get_matrix<double>("phi_" + which), q = golden.get_matrix<double>("q_" + which);
      mmd::matrix<double> both(phi.rows(), phi.cols() + q.cols());
      for (mmd::index_t i = 0; i < phi.rows(); ++i) {
        for (mmd::index_t k = 0; k < phi.cols(); ++k) both(i, k) = phi(i, k);
        for (mmd::index_t k = 0; k < q.cols(); ++k) both(i, phi.cols() + k) = q(i, k);
      }
      return both;
    };
    const auto bandwidth = [&](const std::string& name) { return std::sqrt(golden.get_number<double>(name) / 2); };
    const double epsilon = golden.get_number<double>("epsilon");
    const mmd::index_t mapped = golden.get_matrix<double>("phi_x").cols(), raw = golden.get_matrix<double>("q_x").cols();
    const auto kernel = ((1 - epsilon) * mmd::on(mmd::columns{0, mapped}, mmd::gaussian(bandwidth("sigma_phi"))) + epsilon) *
                        mmd::on(mmd::columns{mapped, raw}, mmd::gaussian(bandwidth("sigma_q")));
    const auto x = rows("x"), y = rows("y");
    const auto scores = mmd::ReferenceDetector(kernel, x).scores(y);
    const auto expected = golden.get<double>("sbd_score");
    REQUIRE(scores.size() == expected.size());
    for (std::size_t i = 0; i < scores.size(); ++i) CHECK(std::abs(scores[i] - expected[i]) < 1e-13);
  }
}

TEST_CASE("a deep kernel scores samples and their features alike, one by one as in a batch") {
  mmd::DeepKernel<double> model;
  model.standardizer = mmd::Standardizer({1, -1, 0, 2}, {1, 2, 3, 4});
  model.network = mmd::Perceptron<double>({4, 6, 3}, 1);
  const auto human = normal_rows(30, 4, 1), x = normal_rows(12, 4, 2, 1.0);
  const mmd::cpu on;
  const auto of_samples = mmd::ReferenceDetector(on, model.kernel(on), human).scores(on, x);
  const auto h = model.features(on, mmd::samples<double>(human)), f = model.features(on, mmd::samples<double>(x));
  const mmd::ReferenceDetector detector(on, model.feature_kernel(), h);
  const auto of_features = detector.scores(on, f);
  for (std::size_t i = 0; i < 12; ++i) {
    CHECK(of_samples[i] == Approx(of_features[i]).epsilon(1e-12));
    CHECK(detector.scores(on, mmd::samples<double>(f).middle_rows(static_cast<mmd::index_t>(i), 1)).front() ==
          Approx(of_features[i]).epsilon(1e-12));
  }
}

TEST_CASE("scores do not depend on threads; Eigen matrices of either order are the same") {
  const auto human = normal_rows<float>(200, 16, 1), x = normal_rows<float>(333, 16, 2);
  const mmd::gaussian k(3);
  const auto one = mmd::ReferenceDetector(mmd::cpu{.threads = 1}, k, human).scores(mmd::cpu{.threads = 1}, x);
  for (const int threads : {2, 5}) {
    CHECK(mmd::ReferenceDetector(mmd::cpu{.threads = threads}, k, human).scores(mmd::cpu{.threads = threads}, x) == one);
  }
  Eigen::MatrixXf e(333, 16);
  for (mmd::index_t i = 0; i < 333; ++i) {
    for (mmd::index_t c = 0; c < 16; ++c) e(i, c) = x(i, c);
  }
  CHECK(mmd::ReferenceDetector(k, human).scores(e) == one);
}

TEST_CASE("a reference text with another role is refused") {
  mmd::Roles roles;
  const std::vector<std::string> train{"p1", "p2"}, reference{"p3", "p4", "p1"}, two{"a", "b"};
  roles.assign(mmd::role::train, mmd::TextIds(train));
  const auto human = normal_rows(3, 2, 1);
  const mmd::cpu on;
  CHECK(message([&] { mmd::ReferenceDetector(on, mmd::gaussian(1), human, mmd::TextIds(reference), roles); }) ==
        "mmd: reference text = p1, expected a text of no other role, but it is a train text");
  CHECK(message([&] { mmd::ReferenceDetector(on, mmd::gaussian(1), human, mmd::TextIds(two), roles); }) ==
        "mmd: ids.size() = 2, expected one id for each reference text");
}

TEST_CASE("bad references and texts are named") {
  const auto human = normal_rows(3, 2, 1), wide = normal_rows(3, 4, 1), none = mmd::matrix<double>(0, 2);
  auto nan = normal_rows(3, 2, 1);
  nan(1, 1) = std::nan("");
  const mmd::cpu on;
  const mmd::gaussian k(1);
  const mmd::ReferenceDetector detector(k, human);
  CHECK(message([&] { mmd::ReferenceDetector(k, none); }) == "mmd: reference.rows() = 0, expected at least 1");
  CHECK(message([&] { mmd::ReferenceDetector(k, nan); }) == "mmd: reference(1, 1) = nan, expected a finite number");
  CHECK(message([&] { mmd::ReferenceDetector(on, k, human, wide); }) ==
        "mmd: machine_reference.cols() = 4, expected as many columns as the reference, 2");
  CHECK(message([&] { detector.scores(wide); }) == "mmd: x.cols() = 4, expected as many columns as the reference, 2");
  CHECK(message([&] { detector.scores(nan); }) == "mmd: x(1, 1) = nan, expected a finite number");
  CHECK(message([&] { detector.scores(none); }) == "mmd: x.rows() = 0, expected at least 1");
}
