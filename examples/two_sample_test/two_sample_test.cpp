// SPDX-License-Identifier: MIT
// two_sample_test X.npy Y.npy: an exact permutation test of whether two samples come from one distribution.
#include <chrono>
#include <mmd/mmd.hpp>
#include <nlohmann/json.hpp>
#include <optional>
#include <sstream>
#include <string>

#include "support/program.hpp"

namespace {

struct settings {
  std::string x, y, kernel = "gaussian", bandwidth = "median", estimator = "unbiased", method = "automatic";
  int permutations = 999, threads = 0;
  std::uint64_t seed = 0;
  double alpha = 0.05;
  bool json = false;
};

struct outcome {
  mmd::TestResult test;
  std::optional<double> bandwidth;
  mmd::index_t n = 0, m = 0, d = 0;
  double seconds = 0;
};

// The named kernel, made once its bandwidth is known: by the median heuristic in its own distance, or from the command line.
template <class T>
class Runner {
 public:
  Runner(const settings& s, const mmd::cpu& on, const mmd::matrix<T>& x, const mmd::matrix<T>& y) : s_(s), on_(on), x_(x), y_(y) {}

  outcome run() {
    result_.n = x_.rows();
    result_.m = y_.rows();
    result_.d = x_.cols();
    const auto begin = std::chrono::steady_clock::now();
    if (s_.kernel == "gaussian") with_bandwidth<mmd::gaussian>();
    if (s_.kernel == "laplace") with_bandwidth<mmd::laplace>();
    if (s_.kernel == "inverse_multiquadric") with_bandwidth<mmd::inverse_multiquadric>();
    if (s_.kernel == "rational_quadratic") with_bandwidth<mmd::rational_quadratic>();
    if (s_.kernel == "matern32") with_bandwidth<mmd::matern32>();
    if (s_.kernel == "matern52") with_bandwidth<mmd::matern52>();
    if (s_.kernel == "energy") test(mmd::energy{});
    if (s_.kernel == "polynomial") test(mmd::polynomial(3, 1.0 / static_cast<double>(x_.cols()), 1));
    if (s_.kernel == "linear") test(mmd::linear{});
    result_.seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
    return result_;
  }

 private:
  template <class K>
  void with_bandwidth() {
    double h = 0;
    if (s_.bandwidth == "median") {
      h = mmd::median_heuristic<K>(on_, x_, y_, {.seed = s_.seed});
    } else {
      h = CLI::detail::lexical_cast(s_.bandwidth, h) ? h : 0;
      mmd::detail::require(std::isfinite(h) && h > 0, "--bandwidth", s_.bandwidth, "\"median\" or a finite number above 0");
    }
    result_.bandwidth = h;
    test(K(h));
  }
  template <class K>
  void test(const K& kernel) {
    const mmd::PermutationTest run{{.permutations = s_.permutations,
                                    .seed = s_.seed,
                                    .estimator = mmd::parse_estimator(s_.estimator),
                                    .method = mmd::parse_method(s_.method)}};
    result_.test = run(on_, x_, y_, kernel);
  }

  const settings& s_;
  const mmd::cpu& on_;
  const mmd::matrix<T>&x_, &y_;
  outcome result_;
};

template <class T>
mmd::matrix<T> values_as(const mmd::NpyArray& file) {
  if (const auto* same = std::get_if<mmd::matrix<T>>(&file.values)) return *same;
  return std::visit([&](const auto& m) { return mmd::matrix<T>(m.rows(), m.cols(), std::vector<T>(m.values().begin(), m.values().end())); },
                    file.values);
}
template <class T>
outcome run_as(const settings& s, const mmd::cpu& on, const mmd::NpyArray& x, const mmd::NpyArray& y) {
  const mmd::matrix<T> a = values_as<T>(x), b = values_as<T>(y);
  return Runner<T>(s, on, a, b).run();
}

nlohmann::ordered_json number_or_null(double v) { return std::isfinite(v) ? nlohmann::ordered_json(v) : nlohmann::ordered_json(); }

std::string as_json(const settings& s, const outcome& r) {
  nlohmann::ordered_json out;
  out["statistic"] = number_or_null(r.test.statistic);
  out["p_value"] = r.test.p_value;
  out["threshold"] = number_or_null(r.test.threshold(s.alpha));
  out["reject"] = r.test.reject(s.alpha);
  out["estimator"] = s.estimator;
  out["method"] = std::string(to_string(r.test.method));
  out["permutations"] = r.test.permutations;
  out["seed"] = s.seed;
  out["n"] = r.n;
  out["m"] = r.m;
  out["d"] = r.d;
  out["kernel"]["name"] = s.kernel;
  out["kernel"]["bandwidth"] = r.bandwidth ? nlohmann::ordered_json(*r.bandwidth) : nlohmann::ordered_json();
  out["seconds"] = r.seconds;
  return out.dump() + "\n";
}

std::string as_text(const settings& s, const outcome& r) {
  std::ostringstream out;
  out.imbue(std::locale::classic());
  out << "samples      " << r.n << " x " << r.d << " (" << s.x << ") and " << r.m << " x " << r.d << " (" << s.y << ")\n";
  out << "kernel       " << s.kernel;
  if (r.bandwidth) out << ", bandwidth " << *r.bandwidth << (s.bandwidth == "median" ? " (median of the pooled pairs)" : "");
  out << "\nMMD^2        " << r.test.statistic << " (" << s.estimator << ")\n";
  out << "p-value      " << r.test.p_value << " (" << r.test.permutations << " permutations, " << to_string(r.test.method) << ", seed "
      << s.seed << ")\n";
  out << "threshold    " << r.test.threshold(s.alpha) << " at level " << s.alpha << "\n";
  out << "decision     " << (r.test.reject(s.alpha) ? "the samples differ" : "no difference was found") << "\n";
  out << "time         " << r.seconds << " s (bandwidth and test)\n";
  for (const std::string& warning : r.test.warnings) out << "note         " << warning << "\n";
  return out.str();
}

void run(const settings& s) {
  const mmd::NpyArray x = mmd::read_npy_any(s.x), y = mmd::read_npy_any(s.y);
  program::progress_bar bar;
  const mmd::cpu on{.threads = s.threads, .progress = bar.callback()};
  const bool single = std::holds_alternative<mmd::matrix<float>>(x.values) && std::holds_alternative<mmd::matrix<float>>(y.values);
  const outcome r = single ? run_as<float>(s, on, x, y) : run_as<double>(s, on, x, y);
  if (!r.test.attainable(s.alpha)) {
    throw mmd::invalid_input("mmd: --alpha = " + mmd::detail::shown(s.alpha) + " cannot be reached with " +
                             std::to_string(r.test.permutations) + " permutations (p = " + mmd::detail::shown(r.test.p_value) +
                             " is valid all the same), expected a larger level or more permutations or rows");
  }
  program::print(s.json ? as_json(s, r) : as_text(s, r));
}

}  // namespace

int main(int argc, char** argv) {
  settings s;
  CLI::App app("Exact two-sample test: do the rows of X and Y come from one distribution?", "two_sample_test");
  app.add_option("X", s.x, "first sample, .npy, rows are observations (\"-\": standard input)")->required();
  app.add_option("Y", s.y, "second sample, .npy")->required();
  app.add_option("--kernel", s.kernel)
      ->capture_default_str()
      ->check(CLI::IsMember(
          {"gaussian", "laplace", "inverse_multiquadric", "rational_quadratic", "matern32", "matern52", "energy", "polynomial", "linear"}));
  auto* bandwidth = app.add_option("--bandwidth", s.bandwidth, "median, or a number above 0")->capture_default_str();
  app.add_option("--estimator", s.estimator)->capture_default_str()->check(CLI::IsMember({"unbiased", "biased"}));
  app.add_option("--method", s.method)->capture_default_str()->check(CLI::IsMember({"automatic", "full", "binned", "enumerate", "subset"}));
  app.add_option("--permutations", s.permutations)->capture_default_str()->check(program::whole(1, mmd::most_permutations));
  app.add_option("--seed", s.seed)->capture_default_str()->check(program::seed());
  app.add_option("--alpha", s.alpha, "level of the decision")->capture_default_str()->check(program::rate());
  app.add_option("--threads", s.threads, "0: all")->capture_default_str()->check(program::whole(0, 4096));
  app.add_flag("--json", s.json, "one JSON object on stdout and nothing else");
  return program::run(app, argc, argv, [&] {
    const bool given = bandwidth->count() > 0, none = s.kernel == "energy" || s.kernel == "polynomial" || s.kernel == "linear";
    mmd::detail::require(!(given && none), "--bandwidth", s.bandwidth,
                         ("no bandwidth with --kernel " + s.kernel + ", which has none").c_str());
    run(s);
  });
}
