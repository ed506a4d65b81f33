// SPDX-License-Identifier: MIT
// Training on the device: what the CPU's training gives, within rounding; and what crosses between host and device.
#include <cmath>
#include <string>
#include <vector>

#include "cpu_training.hpp"
#include "mmd/backends/cuda.cuh"
#include "mmd/learning/trainer.hpp"
#include "support/catch2.hpp"
#include "support/failures.hpp"
#include "support/learning.hpp"

namespace {

using mmd::index_t;
using support::distance;
using support::normal;

// Wider than normal draws in half of the columns; the means are the same.
template <class T>
mmd::matrix<T> wide(index_t rows, index_t cols, std::uint64_t seed) {
  auto x = normal<T>(rows, cols, seed);
  for (index_t i = 0; i < rows; ++i) {
    for (index_t k = 0; k < cols / 2; ++k) x(i, k) *= T(2.5);
  }
  return x;
}
template <class T>
struct Data {
  mmd::matrix<T> x = normal<T>(45, 9, 1), y = wide<T>(60, 9, 2), vx = normal<T>(20, 9, 3), vy = wide<T>(17, 9, 4);
  mmd::ValidationSet<T> validation() const { return {.human = vx, .machine = vy}; }
};
mmd::TrainingOptions small_options() {
  return {.steps = 6, .batch = 20, .learning_rate = 1e-3, .hidden = {11}, .output = 5, .checkpoint_every = 2, .seed = 3};
}
const mmd::cuda& gpu() {
  static const mmd::cuda on;
  return on;
}

template <class T>
mmd::TrainResult<T> fit(const mmd::TrainingOptions& options, const Data<T>& data, const mmd::cuda& on = gpu()) {
  return mmd::MmdMpTrainer{options}.fit(on, data.x, data.y, data.validation());
}

// |a - b| / |b| over the parameters that features' differences depend on: what is added to all rows alike has a gradient of rounding errors
// alone, which Adam turns into steps of any sign.
template <class T>
double off(const mmd::Perceptron<T>& network, const std::vector<double>& expected) {
  const auto& parts = network.parts();
  std::vector<double> a, b;
  for (std::size_t i = 0; i < parts.size(); ++i) {
    if (i + 1 == parts.size() || (parts.size() > 2 && i + 3 == parts.size())) continue;  // the last bias, the shifts before it
    for (index_t k = parts[i].offset; k < parts[i].offset + parts[i].rows * parts[i].cols; ++k) {
      a.push_back(static_cast<double>(network.parameters()[static_cast<std::size_t>(k)]));
      b.push_back(expected[static_cast<std::size_t>(k)]);
    }
  }
  return distance(a, b);
}
// The rows of a matrix, less the first of them.
template <class V>
std::vector<double> differences(const V& values, std::size_t cols) {
  std::vector<double> out;
  for (std::size_t i = cols; i < values.size(); ++i) out.push_back(static_cast<double>(values[i]) - static_cast<double>(values[i % cols]));
  return out;
}

}  // namespace

TEMPLATE_TEST_CASE("a training on the device is the CPU's within rounding", "[training]", float, double) {
  using T = TestType;
  const Data<T> data;
  auto options = small_options();
  SECTION("MMD-MP, with validation") {}
  SECTION("MMD-D") { options.objective = mmd::proxy::full; }
  SECTION("the paper's paired form") { options.form = mmd::pairing::paired; }
  SECTION("with the raw kernel") { options.raw_kernel = true; }
  SECTION("two layers and dropout behind each, judged by power") {
    options.hidden = {11, 7};
    options.hidden_dropout = 0.2;
    options.select = mmd::criterion::power;
  }
  const auto expected =
      cpu_results::training(options, mmd::samples<T>(data.x), mmd::samples<T>(data.y), mmd::samples<T>(data.vx), mmd::samples<T>(data.vy));
  const auto found = fit(options, data);
  const auto& h = found.history;
  REQUIRE(h.objective.size() == expected.history.objective.size());
  REQUIRE(h.checkpoints.size() == expected.history.checkpoints.size());
  const double limit = sizeof(T) == 4 ? 1e-5 : 1e-11;
  CHECK(distance(h.objective, expected.history.objective) < limit);
  CHECK(distance(h.statistic, expected.history.statistic) < limit);
  CHECK(distance(h.variance, expected.history.variance) < limit);
  // Texts with nearly the same score may change places: two of 20 x 17 pairs, or of 1,000 groups.
  for (std::size_t i = 0; i < h.checkpoints.size(); ++i) {
    CHECK(std::abs(h.checkpoints[i].validation - expected.history.checkpoints[i].validation) < (sizeof(T) == 4 ? 2.0 / 340 : 1e-12));
  }
  REQUIRE(h.best_step == expected.history.best_step);
  if (options.objective == mmd::proxy::multi_population) {  // to J of MMD-D it is a factor, and but for lambda has no slope
    CHECK(std::abs(found.kernel.epsilon() / expected.epsilon - 1) < limit);
  }
  CHECK(std::abs(found.kernel.sigma_phi() / expected.sigma_phi - 1) < limit);
  CHECK(std::abs(found.kernel.sigma_q() / expected.sigma_q - 1) < limit);
  CHECK(off(found.kernel.network, expected.parameters) < limit);
  const auto features = found.kernel.features(gpu(), mmd::samples<T>(data.x));
  const auto cols = static_cast<std::size_t>(features.cols());
  CHECK(distance(differences(features.values(), cols), differences(expected.features, cols)) < limit);
}

TEST_CASE("a training on the device gives the same bits twice, from the host's samples and from the device's", "[training]") {
  const Data<float> data;
  auto options = small_options();
  options.raw_kernel = GENERATE(false, true);
  const auto one = fit(options, data), two = fit(options, data);
  CHECK(one.kernel == two.kernel);
  CHECK(one.history == two.history);
  const auto x = gpu().upload(data.x), y = gpu().upload(data.y);
  const auto there = mmd::MmdMpTrainer{options}.fit(gpu(), x, y, data.validation());
  CHECK(there.kernel == one.kernel);
  CHECK(there.history == one.history);

  // Features, and the kernel between samples.
  const auto f = one.kernel.features(gpu(), mmd::samples<float>(data.y));
  const auto of_device = one.kernel.features(gpu(), y);
  CHECK(gpu().download(of_device) == f);
  mmd::gram<float> between_samples, on_device, between_features;
  gpu().reduce(one.kernel.kernel(gpu()), mmd::pooled<float>{{mmd::samples<float>(data.y)}}, between_samples);
  gpu().reduce(one.kernel.kernel(gpu()), mmd::pooled<mmd::device<float>>{{mmd::samples<mmd::device<float>>(y)}}, on_device);
  gpu().reduce(one.kernel.feature_kernel(), mmd::pooled<float>{{mmd::samples<float>(f)}}, between_features);
  for (index_t i = 0; i < 60; ++i) {
    for (index_t j = 0; j < 60; ++j) {
      REQUIRE(between_samples(i, j) == Approx(between_features(i, j)).epsilon(1e-5));
      REQUIRE(on_device(i, j) == Approx(between_features(i, j)).epsilon(1e-5));
    }
  }
}

TEST_CASE("what a training step moves between host and device does not depend on how wide anything is", "[training]") {
  const auto moved = [](index_t cols, const std::vector<index_t>& hidden, index_t steps) {
    const auto x = normal<float>(50, cols, 1), y = wide<float>(50, cols, 2);
    auto options = small_options();
    options.hidden = hidden;
    options.steps = steps;
    const mmd::cuda on;
    mmd::MmdMpTrainer{options}.fit(on, x, y);
    return std::pair(on.context().bytes_up, on.context().bytes_down);
  };
  const auto each = [&](index_t cols, const std::vector<index_t>& hidden) {
    const auto four = moved(cols, hidden, 4), two = moved(cols, hidden, 2);
    return std::pair((four.first - two.first) / 2, (four.second - two.second) / 2);
  };
  const auto narrow = each(6, {4}), broad = each(40, {33});
  CHECK(narrow == broad);
  CHECK(narrow.first < 100 * 40);  // bytes for each of 40 rows: numbers and weights of rows
  CHECK(narrow.second < 25 * 40);  // sums over rows, numbers of the objective
}

TEST_CASE("a training on the device can be cancelled, and says what it cannot use", "[training]") {
  const Data<float> data;
  mmd::cuda on;
  std::vector<std::uint64_t> done;
  on.progress = [&](const mmd::progress_report& r) {
    CHECK(r.stage == "training");
    done.push_back(r.done);
    return r.done < 2;
  };
  CHECK(message_of<mmd::cancelled>([&] { fit(small_options(), data, on); }) == "cancelled by the progress callback");
  CHECK(done == std::vector<std::uint64_t>{0, 1, 2});

  auto options = small_options();
  options.learning_rate = 1e30;
  const auto diverged = message_of<mmd::invalid_input>([&] { fit(options, data); });
  CHECK(mentions(diverged, "in training step"));
  CHECK(mentions(diverged, "a smaller learning_rate"));

  auto bad = data;
  bad.y(5, 6) = NAN;
  CHECK(mentions(message_of<mmd::invalid_input>([&] { fit(small_options(), bad); }), "y(5, 6) = nan, expected a finite number"));
  const auto there = gpu().upload(bad.y);
  const auto kernel = mmd::MmdMpTrainer{small_options()}.fit(gpu(), data.x, data.y).kernel;
  for (const auto& message : {message_of<mmd::invalid_input>([&] { kernel.features(gpu(), mmd::samples<float>(bad.y)); }),
                              message_of<mmd::invalid_input>([&] { kernel.features(gpu(), mmd::samples<mmd::device<float>>(there)); })}) {
    CHECK(mentions(message, "x(5, 6) = nan, expected a finite number"));
  }
}
