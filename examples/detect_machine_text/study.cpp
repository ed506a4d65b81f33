// SPDX-License-Identifier: MIT
// study: every comparison of docs/results.md, on the committed embeddings and, with --texts, on the built-in embedder's.
#include <algorithm>
#include <chrono>
#include <cmath>
#include <fstream>
#include <functional>
#include <locale>
#include <map>
#include <mmd/io/jsonl.hpp>
#include <numeric>
#include <optional>
#include <sstream>

#include "demo_data.hpp"
#include "evaluation.hpp"
#include "logistic.hpp"
#include "support/program.hpp"

namespace {

using namespace detect;

constexpr std::uint64_t seeds = 3;

// The backend for what is compared with the learned kernels, and the same as these take it.
struct Host {
  mmd::cpu cpu;
  std::shared_ptr<const Processor> steps = on_cpu(cpu.threads, cpu.progress);
};

struct study_options {
  std::string data = MMD_DEMO_DATA, texts, output = "docs/results.md", date;
  int threads = 0;
};

// One method on one split: its evaluation over all test texts.
struct Trained {
  Evaluation evaluation;
  double checkpoint_auroc = 0, seconds = 0;
};

struct Method {
  std::string name;
  std::vector<Trained> seeds;
};

double seconds_since(std::chrono::steady_clock::time_point begin) {
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
}

Trained deep(const Host& on, const DemoData& data, mmd::proxy objective, std::uint64_t seed, double learning_rate) {
  const auto begin = std::chrono::steady_clock::now();
  Model model = train_detector(*on.steps, data.training, {.objective = objective, .learning_rate = learning_rate, .seed = seed}, "");
  Trained out;
  out.seconds = seconds_since(begin);
  out.checkpoint_auroc = best_validation(model);
  out.evaluation = evaluate(Detector(*on.steps, std::move(model)), data.test_human, data.test_machine, {.seed = seed});
  return out;
}

// The figures of a method that is a kernel between fixed features: scores are the biased MMD^2 against the reference.
template <mmd::kernel K>
Trained fixed_kernel(const Host& on, const DemoData& data, const K& k, const std::function<mmd::matrix<float>(const TextSet&)>& features,
                     std::uint64_t seed) {
  const mmd::matrix<float> reference = features(data.training.reference);
  const mmd::ReferenceDetector detector(on.cpu, k, reference);
  const auto calibration =
      mmd::ConformalCalibration::of_texts_known_to_be_unseen(detector.scores(on.cpu, features(data.training.calibration)));
  ScoredTexts texts = test_texts(data.test_human, data.test_machine);
  const mmd::matrix<float> rows = features(texts.texts);
  texts.scores = detector.scores(on.cpu, rows);
  Trained out;
  out.evaluation = evaluate(*on.steps, std::move(texts), mmd::kernel_matrix(on.cpu, k, rows), calibration, {.seed = seed});
  return out;
}

Trained plain(const Host& on, const DemoData& data, std::uint64_t seed) {
  const auto& t = data.training;
  const auto standard = mmd::Standardizer::fit(mmd::samples<float>(t.human.embeddings), mmd::samples<float>(t.machine.embeddings));
  const auto features = [&](const TextSet& s) { return standard(mmd::samples<float>(s.embeddings)); };
  const double h = mmd::median_heuristic<mmd::gaussian>(on.cpu, features(t.human), features(t.machine), {.seed = seed});
  return fixed_kernel(on, data, mmd::gaussian(h), features, seed);
}

// Log odds as scores; the ridge is chosen on the checkpoint texts. Groups are compared by their mean log odds (a linear kernel).
Trained logistic(const Host& on, const DemoData& data, std::uint64_t seed) {
  const auto begin = std::chrono::steady_clock::now();
  const auto& t = data.training;
  const auto standard = mmd::Standardizer::fit(mmd::samples<float>(t.human.embeddings), mmd::samples<float>(t.machine.embeddings));
  const auto z = [&](const TextSet& s) { return standard(mmd::samples<float>(s.embeddings)); };
  const ScoredTexts checkpoint = test_texts(t.human_checkpoint, t.machine_checkpoint);
  const auto weights = mmd::CellWeighting(checkpoint.cell, checkpoint.machine, 1).weights().weights;
  std::optional<LogisticRegression> best;
  double best_auroc = 0;
  for (const double ridge : {10.0, 100.0, 1000.0, 10000.0}) {
    const LogisticRegression fit(z(t.human), z(t.machine), ridge);
    const double auroc = mmd::RankedScores(fit.scores(z(checkpoint.texts)), checkpoint.machine).auroc(weights);
    if (auroc > best_auroc) best = fit;
    best_auroc = std::max(best_auroc, auroc);
  }
  const auto odds = [&](const TextSet& s) {
    const auto scores = best->scores(z(s));
    return mmd::matrix<float>(s.size(), 1, std::vector<float>(scores.begin(), scores.end()));
  };
  const auto column = [](const mmd::matrix<float>& m) { return std::vector<double>(m.values().begin(), m.values().end()); };
  const auto calibration = mmd::ConformalCalibration::of_texts_known_to_be_unseen(column(odds(t.calibration)));
  ScoredTexts texts = test_texts(data.test_human, data.test_machine);
  const mmd::matrix<float> rows = odds(texts.texts);
  texts.scores = column(rows);
  Trained out;
  out.seconds = seconds_since(begin);
  out.checkpoint_auroc = best_auroc;
  out.evaluation = evaluate(*on.steps, std::move(texts), mmd::kernel_matrix(on.cpu, mmd::linear{}, rows), calibration, {.seed = seed});
  return out;
}

std::vector<Method> run(const Host& on, const std::function<DemoData(std::uint64_t)>& data, double learning_rate) {
  std::vector<Method> out = {{"MMD-MP", {}}, {"MMD-D", {}}, {"logistic regression", {}}, {"plain MMD, median Gaussian", {}}};
  for (std::uint64_t seed = 0; seed < seeds; ++seed) {
    const DemoData d = data(seed);
    out[0].seeds.push_back(deep(on, d, mmd::proxy::multi_population, seed, learning_rate));
    out[1].seeds.push_back(deep(on, d, mmd::proxy::full, seed, learning_rate));
    out[2].seeds.push_back(logistic(on, d, seed));
    out[3].seeds.push_back(plain(on, d, seed));
  }
  return out;
}

// ---- docs/results.md

std::string over_seeds(const Method& m, const std::function<double(const Evaluation&)>& figure, int digits = 3) {
  std::vector<double> v;
  for (const Trained& t : m.seeds) v.push_back(figure(t.evaluation));
  const double mean = std::accumulate(v.begin(), v.end(), 0.0) / static_cast<double>(v.size());
  const auto [low, high] = std::minmax_element(v.begin(), v.end());
  return fixed(mean, digits) + " (" + fixed(*low, digits) + "–" + fixed(*high, digits) + ")";
}

using Figure = std::pair<std::string, std::function<double(const Evaluation&)>>;

void write_rows(std::ostream& out, const std::vector<Method>& methods, const std::vector<Figure>& figures) {
  out << "| |";
  for (const Method& m : methods) out << ' ' << m.name << " |";
  out << "\n|---|";
  for (std::size_t i = 0; i < methods.size(); ++i) out << "---|";
  out << '\n';
  for (const auto& [name, figure] : figures) {
    out << "| " << name << " |";
    for (const Method& m : methods) out << ' ' << over_seeds(m, figure) << " |";
    out << '\n';
  }
  out << '\n';
}

double of_set(const Evaluation& e, const std::string& name) {
  for (const auto& r : e.by_set) {
    if (r.name == name) return r.auroc.value;
  }
  return std::nan("");
}

void write_section(std::ostream& out, const std::vector<Method>& methods, bool by_set) {
  std::vector<Figure> figures = {{"AUROC, all cells", [](const Evaluation& e) { return e.figures.auroc.value; }}};
  if (by_set) {
    for (const char* set : {"closedllm", "fastdetect_openllm", "hc3_qa", "imbd_polish", "imbd_rewrite"}) {
      figures.emplace_back(std::string("AUROC, ") + set, [set](const Evaluation& e) { return of_set(e, set); });
    }
  }
  figures.emplace_back("TPR at exactly 1 % FPR", [](const Evaluation& e) { return e.figures.tpr_at[0].value; });
  figures.emplace_back("TPR at exactly 5 % FPR", [](const Evaluation& e) { return e.figures.tpr_at[1].value; });
  figures.emplace_back("TPR at the conformal 5 % threshold", [](const Evaluation& e) { return e.figures.rates[1].tpr.value; });
  figures.emplace_back("FPR there, weighted", [](const Evaluation& e) { return e.figures.rates[1].fpr.value; });
  figures.emplace_back("FPR there, one text a prompt", [](const Evaluation& e) {
    return static_cast<double>(e.conformal[1].false_positives) / static_cast<double>(e.conformal[1].texts);
  });
  for (std::size_t g = 0; g < 3; ++g) {
    const std::string size = std::to_string(methods[0].seeds[0].evaluation.groups[g].size);
    figures.emplace_back("power, groups of " + size, [g](const Evaluation& e) { return e.groups[g].power; });
    figures.emplace_back("type I error, groups of " + size, [g](const Evaluation& e) { return e.groups[g].type_1; });
  }
  write_rows(out, methods, figures);
  out << "Training and choice of checkpoint:";
  for (const Method& m : methods) {
    double seconds = 0;
    for (const Trained& t : m.seeds) seconds += t.seconds / static_cast<double>(m.seeds.size());
    if (seconds > 0) out << ' ' << m.name << ' ' << fixed(seconds, 1) << " s;";
  }
  out << " mean of " << methods[0].seeds.size() << " seeds.\n\n";
}

void write_difference(std::ostream& out, const Method& a, const Method& b) {
  out << "Difference " << a.name << " − " << b.name
      << ", 95 % by paired bootstrap over prompt clusters:\n\n| seed | AUROC | TPR at exactly 1 % | TPR at exactly 5 % "
         "|\n|---|---|---|---|\n";
  for (std::size_t s = 0; s < a.seeds.size(); ++s) {
    const ScoredTexts &x = a.seeds[s].evaluation.scored, &y = b.seeds[s].evaluation.scored;
    const auto d = mmd::compare_scores({x.scores, x.machine, x.cell, x.cluster}, y.scores,
                                       {.fprs = {0.01, 0.05}, .band_points = 0, .bootstrap = {.seed = s}});
    const auto cell = [](const mmd::Estimate& e) { return with_interval({e.value, e.interval.low, e.interval.high}, 3); };
    out << "| " << s << " | " << cell(d.auroc) << " | " << cell(d.tpr_at[0]) << " | " << cell(d.tpr_at[1]) << " |\n";
  }
  out << '\n';
}

// The committed rows with the built-in embedder's figures in place of the committed ones.
DemoData embedded_texts(const TextSet& all, const std::vector<std::string>& texts, mmd::ngram_form form, std::uint64_t seed,
                        const std::vector<std::string>& without = {}) {
  TextSet rows = all;
  rows.from_texts = true;
  rows.texts = texts;
  rows.embeddings = {};
  DemoData d = demo_data(rows, seed, without);
  std::vector<std::string> training = d.training.human.texts;
  training.insert(training.end(), d.training.machine.texts.begin(), d.training.machine.texts.end());
  const auto embedder = mmd::TextEmbedder::fit(training, form);
  for (TextSet* set : {&d.training.human, &d.training.machine, &d.training.human_checkpoint, &d.training.machine_checkpoint,
                       &d.training.reference, &d.training.calibration, &d.test_human, &d.test_machine}) {
    embed(*set, embedder);
    set->from_texts = false;
  }
  return d;
}

std::vector<std::string> texts_of_rows(const TextSet& all, const std::string& folder) {
  std::map<std::string, std::vector<mmd::text_record>> files;
  std::vector<std::string> out;
  for (const std::string& id : all.id) {
    const auto colon = id.find(':');
    const std::string set = id.substr(0, colon);
    auto found = files.find(set);
    if (found == files.end()) found = files.emplace(set, mmd::read_jsonl(folder + "/" + set + ".jsonl")).first;
    const std::size_t line = std::stoul(id.substr(colon + 1));
    if (line >= found->second.size())
      throw mmd::invalid_input("mmd: " + folder + "/" + set + ".jsonl: " + std::to_string(found->second.size()) +
                               " texts, expected more than " + std::to_string(line));
    out.push_back(found->second[line].text);
  }
  return out;
}

std::string section_of_unseen(const Host& on, const std::function<DemoData(std::uint64_t)>& data, double learning_rate) {
  const auto only_unseen = [&](std::uint64_t seed) {
    DemoData d = data(seed);
    const auto& names = unseen_generators;
    d.test_machine = select(d.test_machine,
                            [&](std::size_t i) { return std::find(names.begin(), names.end(), d.test_machine.source[i]) != names.end(); });
    return d;
  };
  const auto methods = run(on, only_unseen, learning_rate);
  std::ostringstream out;
  out.imbue(std::locale::classic());
  write_section(out, methods, false);
  write_difference(out, methods[0], methods[1]);
  return out.str();
}

// Every look at the test rows stays in the page: the lines of the page that is replaced, and this one.
std::string looks(const study_options& o) {
  std::ostringstream out;
  out << "## Looks at the test rows\n\n";
  std::ifstream before(o.output);
  bool inside = false;
  for (std::string line; std::getline(before, line);) {
    if (inside && line.starts_with("- ")) out << line << '\n';
    inside |= line == "## Looks at the test rows";
  }
  out << "- " << (o.date.empty() ? "undated" : o.date) << ": all of this page, settings as they stand in `TrainingOptions`\n";
  return out.str();
}

void study(const study_options& o) {
  program::progress_bar bar;
  const Host on{.cpu = {.threads = o.threads, .progress = bar.callback()}};
  const TextSet all = read_texts(o.data + "/smollm2.npy", o.data + "/rows.tsv");
  std::ostringstream out;
  out.imbue(std::locale::classic());
  const auto committed = [&](std::uint64_t seed) { return demo_data(all, seed); };
  const auto held_out = [&](std::uint64_t seed) { return demo_data(all, seed, unseen_generators); };
  const auto methods = run(on, committed, 3e-4);
  out << "## All generators, embeddings of SmolLM2 (669 figures a text)\n\n";
  write_section(out, methods, true);
  write_difference(out, methods[0], methods[1]);
  const auto& first = methods[0].seeds[0].evaluation;
  out << "Effective sizes: " << fixed(first.figures.effective_humans, 0) << " human and " << fixed(first.figures.effective_machines, 0)
      << " machine texts in " << first.figures.clusters << " prompt clusters. One seed's sampling error: AUROC of MMD-MP, seed 0, 95 % "
      << fixed(first.figures.auroc.interval.low, 3) << "–" << fixed(first.figures.auroc.interval.high, 3)
      << ". The conformal 5 % threshold called " << first.conformal[1].false_positives << " of " << first.conformal[1].texts
      << " human texts (one a prompt) machine-written at seed 0; the 99.9 % band is " << first.conformal[1].band.low << " to "
      << first.conformal[1].band.high << ".\n\nLeft out:\n\n";
  for (const std::string& cell : first.left_out) out << "- " << cell << '\n';
  out << "\n## Unseen generators\n\nNone of gpt-4o, gemini-1.5-pro, Llama-3-8B, gpt-neox-20b and HC3's chatgpt was in training or "
         "checkpoint; only their texts are judged.\n\n"
      << section_of_unseen(on, held_out, 3e-4);
  if (!o.texts.empty()) {
    const auto texts = texts_of_rows(all, o.texts);
    for (const auto& [form, name] :
         {std::pair{mmd::ngram_form::words, "2,048 columns (words)"}, {mmd::ngram_form::style, "4,096 columns (style)"}}) {
      out << "## The built-in embedder, " << name << "\n\nVocabulary learned from the training texts of each seed; learning rate 1e-3.\n\n";
      write_section(out,
                    run(
                        on, [&, f = form](std::uint64_t seed) { return embedded_texts(all, texts, f, seed); }, 1e-3),
                    true);
    }
  }
  std::ostringstream page;
  page << "# Results on the demo's test split\n\nMade by `scripts/study" << (o.texts.empty() ? "" : " --texts DIR") << "`"
       << (o.date.empty() ? "" : " on " + o.date) << "; not edited by hand. Instruction set of the binary: " << mmd::isa
       << ".\n\n"
          "Protocol: the test rows are prompts that nothing was trained, chosen, referenced or calibrated on. Machine texts weigh 1, the "
          "humans of a domain N_M / N_H each. "
          "Cells show the mean of 3 seeds (lowest–highest): the seed changes the split into training and checkpoint, reference and "
          "calibration, the initial weights and the batches. "
          "The spread over seeds is not sampling error; intervals are. Group tests: 2,000 draws a size, 999 permutations, level .05. "
          "Settings "
          "(`TrainingOptions`) were fixed before the test rows were opened; the ridge of the logistic regression is chosen on the "
          "checkpoint texts.\n\n"
       << out.str() << '\n'
       << looks(o);
  mmd::write_text(o.output, page.str());
  program::print(page.str());
}

}  // namespace

int main(int argc, char** argv) {
  study_options o;
  CLI::App app("Makes docs/results.md: all methods, three seeds, every baseline.", "study");
  app.add_option("--data", o.data, "folder of smollm2.npy and rows.tsv");
  app.add_option("--texts", o.texts, "folder of the texts (SET.jsonl): adds the built-in embedder");
  app.add_option("--output", o.output)->capture_default_str();
  app.add_option("--date", o.date, "as the page should state it");
  app.add_option("--threads", o.threads, "0: all")->check(CLI::Range(0, 4096));
  return program::run(app, argc, argv, [&] { study(o); });
}
