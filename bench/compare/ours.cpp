// SPDX-License-Identifier: MIT
// This library's side of peers.py: the public API, one verb a task.
#include <algorithm>
#include <vector>

#include "mmd/mmd.hpp"
#include "server.hpp"

namespace {

using server::answer;
using server::request;
using server::stopwatch;

mmd::cpu on(const request& r) { return {.threads = static_cast<int>(r.count("threads"))}; }

// All estimates of MMD^2 with one Gaussian.
answer value(const request& r) {
  const auto &x = r.rows("x"), &y = r.rows("y");
  const stopwatch clock;
  const mmd::MmdEstimate e = mmd::Mmd{mmd::gaussian(r.number("bandwidth"))}(on(r), x, y);
  return answer().add("seconds", clock.seconds()).add("unbiased", e.unbiased).add("biased", e.biased).add("paired", e.paired.value());
}

answer energy_value(const request& r) {
  const auto &x = r.rows("x"), &y = r.rows("y");
  const stopwatch clock;
  const mmd::EnergyDistance e = mmd::energy_distance(on(r), x, y);
  return answer().add("seconds", clock.seconds()).add("unbiased", e.unbiased).add("biased", e.biased);
}

template <class K>
answer test(const request& r, const K& kernel, mmd::method how, mmd::estimator estimator) {
  const auto &x = r.rows("x"), &y = r.rows("y");
  const mmd::PermutationTest test{{.permutations = r.count("permutations"), .seed = 1, .estimator = estimator, .method = how}};
  const stopwatch clock;
  const mmd::TestResult t = test(on(r), x, y, kernel);
  const double seconds = clock.seconds();
  // As the peers count: without the tolerance for ties.
  const auto above = std::ranges::count_if(t.null, [&](double draw) { return draw >= t.statistic; });
  const double strict = static_cast<double>(1 + above) / static_cast<double>(1 + t.permutations);
  return answer().add("seconds", seconds).add("statistic", t.statistic).add("p_value", t.p_value).add("p_without_tolerance", strict);
}
answer full_test(const request& r) { return test(r, mmd::gaussian(r.number("bandwidth")), mmd::method::full, mmd::estimator::unbiased); }
answer binned_test(const request& r) {
  return test(r, mmd::gaussian(r.number("bandwidth")), mmd::method::binned, mmd::estimator::unbiased);
}
answer energy_test(const request& r) { return test(r, mmd::energy{}, mmd::method::full, mmd::estimator::biased); }

// A full test for every bandwidth: the work of an aggregated test, without the aggregation.
answer many_tests(const request& r) {
  const auto &x = r.rows("x"), &y = r.rows("y");
  const mmd::PermutationTest test{{.permutations = r.count("permutations"), .seed = 1, .method = mmd::method::full}};
  std::vector<double> statistics;
  const stopwatch clock;
  for (const double h : r.numbers("bandwidths")) statistics.push_back(test(on(r), x, y, mmd::gaussian(h)).statistic);
  return answer().add("seconds", clock.seconds()).add("statistics", statistics);
}

mmd::TrainingOptions training_options(const request& r) {
  return {.steps = r.count("steps"),
          .batch = r.count("batch"),
          .hidden = {256},
          .output = 128,
          .input_dropout = r.number("dropout"),
          .seed = 1};
}

// `seconds` is one step's: the first five are left out.
answer train(const request& r) {
  constexpr std::uint64_t skipped = 5;
  std::optional<stopwatch> clock;
  double seconds = 0;
  mmd::cpu backend = on(r);
  backend.progress = [&](const mmd::progress_report& p) {
    if (p.stage == "training" && p.done == skipped) clock.emplace();
    if (p.stage == "training" && p.done == p.total && clock) seconds = clock->seconds() / static_cast<double>(p.total - skipped);
    return true;
  };
  const auto trained = mmd::MmdMpTrainer{training_options(r)}.fit(backend, r.rows("x"), r.rows("y"));
  return answer().add("seconds", seconds).add("objective", trained.history.objective);
}

// The network that `train` starts from, for the peers to start from as well.
answer initial_weights(const request& r) {
  const mmd::Perceptron<float> network({r.rows("x").cols(), 256, 128}, 1);
  const auto p = network.parameters();
  mmd::write_npy(r["to"], mmd::matrix<float>(1, static_cast<mmd::index_t>(p.size()), {p.begin(), p.end()}));
  return answer().add("seconds", 0);
}

// Scores of the texts in x against the reference in y; the reference's features are kept from before.
answer score(const request& r) {
  const auto &x = r.rows("x"), &y = r.rows("y");
  const auto backend = on(r);
  mmd::DeepKernel<float> model;
  model.standardizer = mmd::Standardizer::fit(mmd::samples<float>(x), mmd::samples<float>(y));
  model.network = mmd::Perceptron<float>({x.cols(), 256, 128}, 1);
  model.log_sigma_phi = std::log(r.number("sigma"));
  const auto reference = model.features(backend, mmd::samples<float>(y));
  const mmd::ReferenceDetector detector(backend, model.feature_kernel(), reference);
  const stopwatch clock;
  const auto scores = detector.scores(backend, model.features(backend, mmd::samples<float>(x)));
  const double seconds = clock.seconds();
  return answer()
      .add("seconds", seconds)
      .add("scores", std::vector<double>(scores.begin(), scores.begin() + std::min<std::ptrdiff_t>(100, std::ssize(scores))));
}

}  // namespace

int main() {
  return server::serve({{"value", value},
                        {"energy_value", energy_value},
                        {"test", full_test},
                        {"binned_test", binned_test},
                        {"energy_test", energy_test},
                        {"many_tests", many_tests},
                        {"train", train},
                        {"initial_weights", initial_weights},
                        {"score", score}});
}
