// SPDX-License-Identifier: MIT
// two_sample_test X.npy Y.npy: an exact permutation test of whether two samples come from one distribution.
#include <mmd/mmd.hpp>
#include <nlohmann/json.hpp>
#include <sstream>
#include <string>

#include "support/backend.hpp"
#include "support/program.hpp"
#include "two_sample_test/run.hpp"

namespace {

struct options {
  std::string x, y, bandwidth = "median", estimator = "unbiased", method = "automatic";
  double alpha = 0.05;
  bool json = false;
  two_sample::settings test;
  two_sample::resources run;
};

struct report {
  two_sample::outcome result;
  const char* backend = "cpu";
  mmd::index_t n = 0, m = 0, d = 0;
};

template <class T>
mmd::matrix<T> values_as(const mmd::NpyArray& file) {
  if (const auto* same = std::get_if<mmd::matrix<T>>(&file.values)) return *same;
  return std::visit([&](const auto& m) { return mmd::matrix<T>(m.rows(), m.cols(), std::vector<T>(m.values().begin(), m.values().end())); },
                    file.values);
}
template <class T>
report run_as(const options& o, bool on_device, const mmd::NpyArray& first, const mmd::NpyArray& second) {
  const mmd::matrix<T> a = values_as<T>(first), b = values_as<T>(second);
  const mmd::samples<T> x(a), y(b);
  report out{{}, on_device ? "cuda" : "cpu", x.rows(), y.rows(), x.cols()};
  if (on_device) {
    if constexpr (program::built_with_cuda) out.result = two_sample::run_on_device(o.run, o.test, x, y);
  } else {
    out.result = two_sample::Runner(mmd::cpu{.threads = o.run.threads, .progress = o.run.progress}, o.test, x, y)();
  }
  return out;
}

nlohmann::ordered_json number_or_null(double v) { return std::isfinite(v) ? nlohmann::ordered_json(v) : nlohmann::ordered_json(); }

std::string as_json(const options& o, const report& r) {
  const mmd::TestResult& test = r.result.test;
  nlohmann::ordered_json out;
  out["statistic"] = number_or_null(test.statistic);
  out["p_value"] = test.p_value;
  out["threshold"] = number_or_null(test.threshold(o.alpha));
  out["reject"] = test.reject(o.alpha);
  out["estimator"] = o.estimator;
  out["method"] = std::string(to_string(test.method));
  out["permutations"] = test.permutations;
  out["seed"] = test.seed;
  out["n"] = r.n;
  out["m"] = r.m;
  out["d"] = r.d;
  out["kernel"]["name"] = o.test.kernel;
  out["kernel"]["bandwidth"] = r.result.bandwidth ? nlohmann::ordered_json(*r.result.bandwidth) : nlohmann::ordered_json();
  out["backend"] = r.backend;
  out["seconds"] = r.result.seconds;
  return out.dump() + "\n";
}

std::string as_text(const options& o, const report& r) {
  const mmd::TestResult& test = r.result.test;
  std::ostringstream out;
  out.imbue(std::locale::classic());
  out << "samples      " << r.n << " x " << r.d << " (" << o.x << ") and " << r.m << " x " << r.d << " (" << o.y << ")\n";
  out << "kernel       " << o.test.kernel;
  if (r.result.bandwidth) {
    out << ", bandwidth " << *r.result.bandwidth << (o.bandwidth == "median" ? " (median of the pooled pairs)" : "");
  }
  out << "\nMMD^2        " << test.statistic << " (" << o.estimator << ")\n";
  out << "p-value      " << test.p_value << " (" << test.permutations << " permutations, " << to_string(test.method) << ", seed "
      << test.seed << ")\n";
  out << "threshold    " << test.threshold(o.alpha) << " at level " << o.alpha << "\n";
  out << "decision     " << (test.reject(o.alpha) ? "the samples differ" : "no difference was found") << "\n";
  out << "time         " << r.result.seconds << " s (bandwidth and test)\n";
  for (const std::string& warning : test.warnings) out << "note         " << warning << "\n";
  return out.str();
}

void run(options& o, program::backend_option& backend) {
  o.test.test.estimator = mmd::parse_estimator(o.estimator);
  o.test.test.method = mmd::parse_method(o.method);
  if (o.bandwidth != "median") {
    double h = 0;
    h = CLI::detail::lexical_cast(o.bandwidth, h) ? h : 0;
    mmd::detail::require(std::isfinite(h) && h > 0, "--bandwidth", o.bandwidth, "\"median\" or a finite number above 0");
    o.test.bandwidth = h;
  }
  const bool on_device = backend.on_device();
  const mmd::NpyArray x = mmd::read_npy_any(o.x), y = mmd::read_npy_any(o.y);
  program::progress_bar bar;
  o.run.progress = bar.callback();
  const bool single = std::holds_alternative<mmd::matrix<float>>(x.values) && std::holds_alternative<mmd::matrix<float>>(y.values);
  const report r = single ? run_as<float>(o, on_device, x, y) : run_as<double>(o, on_device, x, y);
  const mmd::TestResult& test = r.result.test;
  if (!test.attainable(o.alpha)) {
    throw mmd::invalid_input("mmd: --alpha = " + mmd::detail::shown(o.alpha) + " cannot be reached with " +
                             std::to_string(test.permutations) + " permutations (p = " + mmd::detail::shown(test.p_value) +
                             " is valid all the same), expected a larger level or more permutations or rows");
  }
  program::print(o.json ? as_json(o, r) : as_text(o, r));
  backend.say();
}

}  // namespace

int main(int argc, char** argv) {
  options o;
  CLI::App app("Exact two-sample test: do the rows of X and Y come from one distribution?", "two_sample_test");
  app.add_option("X", o.x, "first sample, .npy, rows are observations (\"-\": standard input)")->required();
  app.add_option("Y", o.y, "second sample, .npy")->required();
  app.add_option("--kernel", o.test.kernel)
      ->capture_default_str()
      ->check(CLI::IsMember(
          {"gaussian", "laplace", "inverse_multiquadric", "rational_quadratic", "matern32", "matern52", "energy", "polynomial", "linear"}));
  auto* bandwidth = app.add_option("--bandwidth", o.bandwidth, "median, or a number above 0")->capture_default_str();
  app.add_option("--estimator", o.estimator)->capture_default_str()->check(CLI::IsMember({"unbiased", "biased"}));
  app.add_option("--method", o.method)->capture_default_str()->check(CLI::IsMember({"automatic", "full", "binned", "enumerate", "subset"}));
  app.add_option("--permutations", o.test.test.permutations)->capture_default_str()->check(program::whole(1, mmd::most_permutations));
  app.add_option("--seed", o.test.test.seed)->capture_default_str()->check(program::seed());
  app.add_option("--alpha", o.alpha, "level of the decision")->capture_default_str()->check(program::rate());
  app.add_option("--threads", o.run.threads, "0: all")->capture_default_str()->check(program::whole(0, 4096));
  program::backend_option backend(app);
  app.add_flag("--json", o.json, "one JSON object on stdout and nothing else");
  return program::run(app, argc, argv, [&] {
    const bool given = bandwidth->count() > 0,
               none = o.test.kernel == "energy" || o.test.kernel == "polynomial" || o.test.kernel == "linear";
    mmd::detail::require(!(given && none), "--bandwidth", o.bandwidth,
                         ("no bandwidth with --kernel " + o.test.kernel + ", which has none").c_str());
    run(o, backend);
  });
}
