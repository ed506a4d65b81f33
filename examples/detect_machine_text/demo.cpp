// SPDX-License-Identifier: MIT
// demo: trains a detector on the committed embeddings, judges it on prompts that it has not seen, and writes a report.
#include <chrono>
#include <filesystem>
#include <memory>
#include <sstream>

#include "commands.hpp"
#include "demo_data.hpp"
#include "evaluation.hpp"
#include "report.hpp"
#include "support/program.hpp"

namespace detect {
namespace {

struct demo_options {
  std::string data = MMD_DEMO_DATA, output = "demo_report";
  std::uint64_t seed = 0;
};

class stopwatch {
 public:
  double lap() {
    const auto now = std::chrono::steady_clock::now();
    const double seconds = std::chrono::duration<double>(now - last_).count();
    last_ = now;
    return seconds;
  }

 private:
  std::chrono::steady_clock::time_point last_ = std::chrono::steady_clock::now();
};

std::string demo(const Processor& on, const demo_options& o) {
  namespace fs = std::filesystem;
  if (!fs::is_directory(o.output)) {
    std::error_code failed;
    if (!fs::create_directory(o.output, failed)) throw mmd::write_error(o.output, 0, "the folder cannot be made: " + failed.message());
  }
  stopwatch watch;
  const TextSet all = read_texts((fs::path(o.data) / "smollm2.npy").string(), (fs::path(o.data) / "rows.tsv").string());
  const DemoData data = demo_data(all, o.seed);
  Model model = train_detector(on, data.training, {.seed = o.seed}, demo_embedder);
  model.notes["data"] = "the demo's embeddings of 100-word texts; see examples/detect_machine_text/data/README.md";
  const double training = watch.lap();
  const std::string model_file = (fs::path(o.output) / "model.safetensors").string();
  mmd::save_model(model_file, model);
  const Detector detector(on, std::move(model));
  const EvaluationOptions options{.seed = o.seed};
  const Evaluation evaluation = evaluate(detector, data.test_human, data.test_machine, options);
  const std::string page = write_report(o.output, make_report(detector, evaluation, options, "MMD-MP on the demo's embeddings"));
  std::ostringstream out;
  out.imbue(std::locale::classic());
  out << "MMD-MP: a kernel learned on " << data.training.human.size() << " human and " << data.training.machine.size()
      << " machine texts (669 figures a text), " << fixed(training, 1) << " s; checkpoint at step " << detector.model().history.best_step
      << ".\nJudged on " << evaluation.scored.texts.size() << " texts of prompts that it has not seen, " << fixed(watch.lap(), 1)
      << " s.\n\n"
      << as_text(evaluation) << "\nreport  " << page << "\nmodel   " << model_file << "\n";
  return out.str();
}

}  // namespace

void add_demo(CLI::App& app, Command& chosen) {
  auto o = std::make_shared<demo_options>();
  auto* c = app.add_subcommand("demo", "train and judge a detector on the committed embeddings, and write a report (the default)");
  c->add_option("--data", o->data, "folder of smollm2.npy and rows.tsv");
  c->add_option("--output", o->output, "folder for the report and the model")->capture_default_str();
  c->add_option("--seed", o->seed)->capture_default_str()->check(program::seed());
  chosen = [o](const Processor& on) { return demo(on, *o); };
  c->callback([&chosen, o] { chosen = [o](const Processor& on) { return demo(on, *o); }; });
}

}  // namespace detect
