// SPDX-License-Identifier: MIT
#include "mmd/learning/trainer.hpp"

#include "mmd/backends/cpu.hpp"
#include "support/catch2.hpp"
#include "support/failures.hpp"
#include "support/learning.hpp"

namespace {

using support::normal;

// Wider than normal draws in half of the columns; the means are the same.
template <class T>
mmd::matrix<T> wide(mmd::index_t rows, std::uint64_t seed) {
  auto x = normal<T>(rows, 10, seed);
  for (mmd::index_t i = 0; i < rows; ++i) {
    for (mmd::index_t k = 0; k < 5; ++k) x(i, k) *= T(2.5);
  }
  return x;
}
mmd::TrainingOptions small_options() {
  return {.steps = 30, .batch = 40, .learning_rate = 3e-3, .hidden = {16}, .output = 8, .checkpoint_every = 10, .seed = 3};
}
template <class T>
struct Data {
  mmd::matrix<T> x = normal<T>(90, 10, 1), y = wide<T>(130, 2), vx = normal<T>(60, 10, 3), vy = wide<T>(50, 4);
  mmd::ValidationSet<T> validation() const { return {.human = vx, .machine = vy}; }
};

}  // namespace

TEMPLATE_TEST_CASE("the same seed gives the same weights on 1, 2 and 7 threads", "[trainer]", float, double) {
  const Data<TestType> data;
  auto options = small_options();
  options.input_dropout = 0.3;
  options.hidden_dropout = 0.1;
  options.raw_kernel = GENERATE(false, true);
  options.select = GENERATE(mmd::criterion::auroc, mmd::criterion::power);
  const mmd::MmdMpTrainer trainer{options};
  const auto one = trainer.fit(mmd::cpu{.threads = 1}, data.x, data.y, data.validation());
  for (const int threads : {2, 7}) {
    const auto other = trainer.fit(mmd::cpu{.threads = threads}, data.x, data.y, data.validation());
    CHECK(other.kernel == one.kernel);
    CHECK(other.history == one.history);
  }
}

TEST_CASE("another seed gives other weights", "[trainer]") {
  const Data<float> data;
  auto options = small_options();
  const auto a = mmd::MmdMpTrainer{options}.fit(data.x, data.y);
  options.seed = 4;
  const auto b = mmd::MmdMpTrainer{options}.fit(data.x, data.y);
  CHECK_FALSE(a.kernel == b.kernel);
}

TEST_CASE("training raises the objective and tells new texts apart, with every objective, pairing and kernel", "[trainer]") {
  const Data<float> data;
  auto options = small_options();
  options.steps = 150;
  options.checkpoint_every = 50;
  options.objective = GENERATE(mmd::proxy::multi_population, mmd::proxy::full);
  options.form = GENERATE(mmd::pairing::unpaired, mmd::pairing::paired);
  options.raw_kernel = GENERATE(false, true);
  const auto trained = mmd::MmdMpTrainer{options}.fit(data.x, data.y, data.validation());
  const auto& h = trained.history;
  REQUIRE(h.objective.size() == 150);
  const auto mean = [&](std::size_t from) {
    double sum = 0;
    for (std::size_t i = from; i < from + 20; ++i) sum += h.objective[i] / 20;
    return sum;
  };
  CHECK(mean(130) > mean(0) + 0.05);
  double best = 0;
  for (const auto& c : h.checkpoints) best = std::max(best, c.validation);
  CHECK(best > 0.8);
}

TEST_CASE("the result is the checkpoint that did best on the validation texts", "[trainer]") {
  const Data<float> data;
  const auto options = small_options();
  const auto trained = mmd::MmdMpTrainer{options}.fit(data.x, data.y, data.validation());
  const auto& h = trained.history;
  REQUIRE(h.checkpoints.size() == 3);
  const mmd::TrainingCheckpoint* best = nullptr;
  for (std::size_t i = 0; i < 3; ++i) {
    CHECK(h.checkpoints[i].step == static_cast<mmd::index_t>(10 * (i + 1)));
    if (best == nullptr || h.checkpoints[i].validation > best->validation) best = &h.checkpoints[i];
  }
  CHECK(h.best_step == best->step);
  const mmd::Validator<float> validator(mmd::samples<float>(data.x), data.validation(), options.select, options.seed);
  CHECK(validator(mmd::cpu{}, trained.kernel) == best->validation);
  CHECK(trained.kernel.epsilon() == best->epsilon);
  CHECK(trained.kernel.sigma_phi() == best->sigma_phi);

  // The same steps without a choice: the parameters are those of the last step, and the objectives are the same.
  const auto last = mmd::MmdMpTrainer{options}.fit(data.x, data.y);
  CHECK(last.history.best_step == 30);
  CHECK(last.history.objective == h.objective);
  CHECK(last.kernel.sigma_phi() == h.checkpoints[2].sigma_phi);
}

TEST_CASE("of checkpoints that do equally well, the earliest is kept", "[trainer]") {
  const Data<double> data;
  auto options = small_options();
  options.learning_rate = 1e-12;
  const auto history = mmd::MmdMpTrainer{options}.fit(data.x, data.y, data.validation()).history;
  REQUIRE(history.checkpoints.size() == 3);
  CHECK(history.checkpoints[0].validation == history.checkpoints[2].validation);
  CHECK(history.best_step == 10);
}

TEST_CASE("training is the network, the objective and Adam, put together", "[trainer]") {
  const Data<double> data;
  const mmd::cpu on;
  auto options = small_options();
  options.batch = 1000;  // all rows: their order in a batch changes nothing but rounding
  options.input_dropout = 0;
  options.raw_kernel = GENERATE(false, true);
  options.steps = 1;
  options.learning_rate = 1e-12;
  auto model = mmd::MmdMpTrainer{options}.fit(data.x, data.y).kernel;  // the start, but for 1e-12
  options.steps = 6;
  options.learning_rate = 0.05;
  const auto trained = mmd::MmdMpTrainer{options}.fit(data.x, data.y);

  mmd::matrix<double> all(220, 10);
  std::ranges::copy(data.x.values(), all.data());
  std::ranges::copy(data.y.values(), all.data() + data.x.size());
  const auto z = model.standardizer(mmd::samples<double>(all));
  std::vector<double> own{model.logit_epsilon, model.log_sigma_phi, model.log_sigma_q}, gradient(model.network.parameters().size());
  mmd::Adam<double> adam({.learning_rate = 0.05, .ascend = true}), own_adam({.learning_rate = 0.05, .ascend = true});
  mmd::Perceptron<double>::Tape tape;
  for (std::size_t step = 0; step < 6; ++step) {
    const auto& features = model.network.forward(on, mmd::samples<double>(z), tape);
    const double e = 1 / (1 + std::exp(-own[0])), s_phi = std::exp(own[1]), s_q = std::exp(own[2]);
    const auto j =
        mmd::deep_objective(on, mmd::samples<double>(features), mmd::samples<double>(z), 90, {e, s_phi, s_q, options.raw_kernel});
    CHECK(trained.history.objective[step] == Approx(j.objective).epsilon(1e-8));
    model.network.backward(on, tape, mmd::samples<double>(j.grad_features), std::span(gradient));
    adam.step(model.network.parameters(), gradient);
    own_adam.step(
        own, std::vector<double>{j.grad_epsilon * e * (1 - e), j.grad_sigma_phi * s_phi, options.raw_kernel ? j.grad_sigma_q * s_q : 0});
  }
  CHECK(trained.kernel.logit_epsilon == Approx(own[0]).epsilon(1e-9));
  CHECK(trained.kernel.log_sigma_phi == Approx(own[1]).epsilon(1e-9));
  CHECK(trained.kernel.log_sigma_q == Approx(own[2]).epsilon(1e-9));
}

TEST_CASE("sigma starts at the median squared distance under the initial network", "[trainer]") {
  const Data<double> data;
  auto options = small_options();
  options.steps = 1;
  options.learning_rate = 1e-12;
  options.raw_kernel = true;
  options.hidden = {6, 5};
  const auto trained = mmd::MmdMpTrainer{options}.fit(data.x, data.y);
  CHECK(trained.kernel.network.sizes() == std::vector<mmd::index_t>{10, 6, 5, 8});
  mmd::matrix<double> all(220, 10);
  std::ranges::copy(data.x.values(), all.data());
  std::ranges::copy(data.y.values(), all.data() + data.x.size());
  const auto features = trained.kernel.features(all);
  const auto median = [&](mmd::index_t first, mmd::index_t last) {
    std::vector<double> d2;
    for (mmd::index_t i = 0; i < 220; ++i) {
      for (mmd::index_t j = i + 1; j < 220; ++j) {
        double sum = 0;
        for (mmd::index_t k = first; k < last; ++k) sum += std::pow(features(i, k) - features(j, k), 2);
        d2.push_back(sum);
      }
    }
    std::sort(d2.begin(), d2.end());
    return (d2[d2.size() / 2 - 1] + d2[d2.size() / 2]) / 2;  // 24,090 pairs
  };
  CHECK(trained.kernel.sigma_phi() == Approx(median(0, 8)).epsilon(1e-9));
  CHECK(trained.kernel.sigma_q() == Approx(median(8, 18)).epsilon(1e-9));
  CHECK(trained.kernel.epsilon() == Approx(0.01).epsilon(1e-9));
}

TEST_CASE("samples of any size train: smaller than a batch, and epochs count the larger sample", "[trainer]") {
  const auto x = normal<float>(2, 10, 1), y = wide<float>(7, 2);
  auto options = small_options();
  options.batch = 3;
  options.epochs = 4;
  CHECK(mmd::MmdMpTrainer{options}.fit(x, y).history.objective.size() == 8);
  options.form = mmd::pairing::paired;
  CHECK(mmd::MmdMpTrainer{options}.fit(x, y).history.objective.size() == 12);  // batches of 2
  options.epochs = 0;
  CHECK(mmd::MmdMpTrainer{options}.fit(x, y).history.objective.size() == 30);
}

TEST_CASE("training reports its steps and can be cancelled at any of them", "[trainer]") {
  const Data<float> data;
  std::vector<std::uint64_t> done;
  mmd::cpu on;
  on.progress = [&](const mmd::progress_report& r) {
    CHECK(r.stage == "training");  // and nothing of what a step does inside
    CHECK(r.total == 30);
    done.push_back(r.done);
    return true;
  };
  const auto whole = mmd::MmdMpTrainer{small_options()}.fit(on, data.x, data.y);
  REQUIRE(done.size() == 31);
  for (std::size_t i = 0; i < done.size(); ++i) CHECK(done[i] == i);
  on.progress = [](const mmd::progress_report& r) { return r.done < 7; };
  CHECK(message_of<mmd::cancelled>([&] { mmd::MmdMpTrainer{small_options()}.fit(on, data.x, data.y); }) ==
        "cancelled by the progress callback");
  CHECK(mmd::MmdMpTrainer{small_options()}.fit(data.x, data.y).kernel == whole.kernel);
}

TEST_CASE("a training that diverges says so", "[trainer]") {
  const Data<float> data;
  auto options = small_options();
  options.learning_rate = 1e30;
  const auto message = message_of<mmd::invalid_input>([&] { mmd::MmdMpTrainer{options}.fit(data.x, data.y); });
  CHECK(mentions(message, "in training step"));
  CHECK(mentions(message, "a smaller learning_rate"));
}

TEST_CASE("training names samples and options that it cannot use", "[trainer]") {
  const Data<float> data;
  const auto message = [&](auto change) {
    auto options = small_options();
    change(options);
    return message_of<mmd::invalid_input>([&] { mmd::MmdMpTrainer{options}.fit(data.x, data.y); });
  };
  using options = mmd::TrainingOptions;
  CHECK(mentions(message([](options& o) { o.steps = 0; }), "steps = 0, expected at least 1"));
  CHECK(mentions(message([](options& o) { o.epochs = -1; }), "epochs = -1, expected 0"));
  CHECK(mentions(message([](options& o) { o.epochs = 1'000'000'000'000'000'000; }), "epochs = 1000000000000000000, expected 0"));
  CHECK(mentions(message([](options& o) { o.batch = 1; }), "batch = 1, expected at least 2"));
  CHECK(mentions(message([](options& o) { o.learning_rate = -1; }), "learning_rate = -1"));
  CHECK(mentions(message([](options& o) { o.lambda = -1; }), "lambda = -1"));
  CHECK(mentions(message([](options& o) { o.hidden = {0}; }), "sizes = 0"));
  CHECK(mentions(message([](options& o) { o.output = 0; }), "sizes = 0"));
  CHECK(mentions(message([](options& o) { o.epsilon = 1; }), "epsilon = 1, expected a number between 0 and 1"));
  CHECK(mentions(message([](options& o) { o.input_dropout = 1; }), "input_dropout = 1"));
  CHECK(mentions(message([](options& o) { o.hidden_dropout = -0.1; }), "hidden_dropout = -0.1"));
  CHECK(mentions(message([](options& o) { o.checkpoint_every = 0; }), "checkpoint_every = 0"));

  const auto fit = [&](const mmd::matrix<float>& x, const mmd::matrix<float>& y) {
    return message_of<mmd::invalid_input>([&] { mmd::MmdMpTrainer{small_options()}.fit(x, y); });
  };
  auto bad = data.y;
  bad(5, 6) = NAN;
  CHECK(mentions(fit(data.x, bad), "y(5, 6) = nan, expected a finite number"));
  CHECK(mentions(fit(normal<float>(1, 10, 1), data.y), "x.rows() = 1, expected at least 2"));
  CHECK(mentions(fit(data.x, normal<float>(20, 9, 1)), "y.cols() = 9"));
  const mmd::matrix<float> constant(20, 10);
  CHECK(mentions(fit(constant, constant), "the median squared distance of features = 0"));
}

// A network of one's own: anything that maps rows to features and can carry a gradient back. Here: one matrix, without a bias.
TEST_CASE("anyone can train a network of their own with the objective's gradient", "[trainer]") {
  const Data<double> data;
  const mmd::cpu on;
  mmd::matrix<double> z(data.x.rows() + data.y.rows(), 10);
  std::ranges::copy(data.x.values(), z.data());
  std::ranges::copy(data.y.values(), z.data() + data.x.size());
  auto weight = normal<double>(10, 4, 9, 0.3);
  mmd::matrix<double> features(z.rows(), 4), gradient(10, 4);
  mmd::Adam<double> adam({.learning_rate = 0.02, .ascend = true});
  std::vector<double> objective;
  for (int step = 0; step < 40; ++step) {
    on.gemm(mmd::transposed::no, mmd::transposed::no, 1.0, z, weight, 0.0, features);
    const auto j = mmd::deep_objective(on, mmd::samples<double>(features), {}, data.x.rows(), {.epsilon = 0.01, .sigma_phi = 2});
    on.gemm(mmd::transposed::yes, mmd::transposed::no, 1.0, z, j.grad_features, 0.0, gradient);
    adam.step({weight.data(), 40}, gradient.values());
    objective.push_back(j.objective);
  }
  CHECK(objective.back() > objective.front() + 0.2);
}
