// SPDX-License-Identifier: MIT
// embed, train and evaluate: making a model and judging it.
#include <locale>
#include <memory>
#include <mmd/io/npy.hpp>
#include <mmd/models/vocabulary_file.hpp>
#include <sstream>

#include "commands.hpp"
#include "detector.hpp"
#include "evaluation.hpp"
#include "report.hpp"
#include "support/program.hpp"

namespace detect {
namespace {

struct embed_options {
  std::string input, output, model, vocabulary, fit_on, save_vocabulary;
  bool style = false;
};

// The labels of the rows, and the embedder that made them, as a table beside the .npy file.
std::string sidecar(const TextSet& set, const std::string& embedder) {
  const std::pair<const char*, const std::vector<std::string>*> given[] = {
      {"id", &set.id},         {"label", &set.label}, {"set", &set.set}, {"domain", &set.domain},
      {"source", &set.source}, {"group", &set.group}, {"doc", &set.doc}};
  auto out = stream();
  for (const auto& [name, cells] : given) {
    if (!cells->empty()) out << name << '\t';
  }
  out << "embedder\n";
  for (std::size_t i = 0; i < set.texts.size(); ++i) {
    for (const auto& [name, cells] : given) {
      if (cells->empty()) continue;
      for (const char c : (*cells)[i]) out << (c == '\t' || c == '\n' || c == '\r' ? ' ' : c);
      out << '\t';
    }
    out << embedder << '\n';
  }
  return out.str();
}

std::string embed_texts(const embed_options& o) {
  const int sources = !o.model.empty() + !o.vocabulary.empty() + !o.fit_on.empty();
  if (sources != 1)
    throw mmd::invalid_input("mmd: embed: " + std::to_string(sources) + " of --model, --vocabulary, --fit-on, expected exactly one");
  if (o.save_vocabulary.empty() != o.fit_on.empty())
    throw mmd::invalid_input("mmd: embed: --fit-on and --save-vocabulary, expected both or neither");
  if (!o.output.ends_with(".npy")) throw mmd::invalid_input("mmd: --output = " + o.output + ", expected a name that ends with .npy");
  const std::vector<std::string> inputs = {o.input, o.model, o.vocabulary, o.fit_on};
  require_other_file("--output", o.output, inputs);
  require_other_file("the labels of --output", mmd::sidecar_of(o.output), inputs);
  if (!o.save_vocabulary.empty()) {
    require_other_file("--save-vocabulary", o.save_vocabulary, {o.input, o.fit_on, o.output, mmd::sidecar_of(o.output)});
  }
  TextSet input = read_texts(o.input);
  if (!input.from_texts) throw mmd::invalid_input("mmd: --input " + o.input + " holds embeddings, expected .jsonl texts");
  const auto embedder = [&]() -> mmd::TextEmbedder {
    if (!o.vocabulary.empty()) return mmd::load_vocabulary(o.vocabulary);
    if (!o.model.empty()) {
      const Model model = mmd::load_model<float>(o.model);
      if (!model.text_embedder)
        throw mmd::invalid_input("mmd: --model " + o.model + " was trained on embeddings of another program (" + model.embedder +
                                 "), expected a model that was trained on texts");
      return *model.text_embedder;
    }
    const TextSet training = read_texts(o.fit_on);
    if (!training.from_texts) throw mmd::invalid_input("mmd: --fit-on " + o.fit_on + " holds embeddings, expected .jsonl texts");
    return mmd::TextEmbedder::fit(training.texts, o.style ? mmd::ngram_form::style : mmd::ngram_form::words);
  }();
  embed(input, embedder);
  if (!o.save_vocabulary.empty()) mmd::save_vocabulary(o.save_vocabulary, embedder);
  mmd::write_npy(o.output, input.embeddings);
  mmd::write_text(mmd::sidecar_of(o.output), sidecar(input, embedder.identity()));
  auto out = stream();
  out << "wrote " << o.output << ": " << input.embeddings.rows() << " x " << input.embeddings.cols() << ", by " << embedder.identity()
      << '\n';
  return out.str();
}

struct train_options {
  std::string human, machine, reference, calibration, vocabulary, model, objective = "mpp";
  mmd::TrainingOptions training;
  mmd::index_t hidden = 256;
  bool style = false;
  bool learning_rate_given = false;
};

// Embeds what came as texts, by one embedder for all; learns it from the training texts unless a vocabulary is given.
std::optional<mmd::TextEmbedder> embed_all(TrainingTexts& t, const train_options& o) {
  TextSet* const sets[] = {&t.human, &t.machine, &t.human_checkpoint, &t.machine_checkpoint, &t.reference, &t.calibration};
  for (const TextSet* set : sets) {
    if (set->from_texts != t.human.from_texts)
      throw mmd::invalid_input("mmd: " + set->path + " and " + t.human.path +
                               ", expected all files as .jsonl texts or all as .npy embeddings");
    if (!set->embedder.empty() && !t.human.embedder.empty() && set->embedder != t.human.embedder) {
      throw mmd::invalid_input("mmd: " + set->path + ": embedder = " + set->embedder + ", expected that of " + t.human.path + ", " +
                               t.human.embedder);
    }
  }
  if (!t.human.from_texts) {
    if (!o.vocabulary.empty()) throw mmd::invalid_input("mmd: --vocabulary = " + o.vocabulary + ", expected none with .npy embeddings");
    if (o.style) throw mmd::invalid_input("mmd: --style, expected no such flag with .npy embeddings");
    return std::nullopt;
  }
  std::vector<std::string> texts = t.human.texts;
  texts.insert(texts.end(), t.machine.texts.begin(), t.machine.texts.end());
  auto embedder = !o.vocabulary.empty() ? mmd::load_vocabulary(o.vocabulary)
                                        : mmd::TextEmbedder::fit(texts, o.style ? mmd::ngram_form::style : mmd::ngram_form::words);
  for (TextSet* set : sets) embed(*set, embedder);
  return embedder;
}

std::string train(const Processor& on, train_options o) {
  require_other_file("--model", o.model, {o.human, o.machine, o.reference, o.calibration, o.vocabulary});
  require_other_file("--machine", o.machine, {o.human});
  const TextSet human = read_texts(o.human), machine = read_texts(o.machine);
  require_label(human, "--human", "human");
  require_label(machine, "--machine", "machine");
  std::optional<TextSet> reference, calibration;
  if (!o.reference.empty()) require_label(reference.emplace(read_texts(o.reference)), "--reference", "human");
  if (!o.calibration.empty()) require_label(calibration.emplace(read_texts(o.calibration)), "--calibration", "human");
  TrainingTexts texts = split_texts(human, machine, reference, calibration, o.training.seed);
  const auto embedder = embed_all(texts, o);
  o.training.objective = o.objective == "mmd" ? mmd::proxy::full : mmd::proxy::multi_population;
  o.training.hidden = {o.hidden};
  if (embedder && !o.learning_rate_given) o.training.learning_rate = 1e-3;  // what suits the built-in embedder
  Model model = train_detector(on, texts, o.training, embedder ? embedder->identity() : human.embedder);
  model.text_embedder = embedder;
  model.notes["human"] = o.human;
  model.notes["machine"] = o.machine;
  mmd::save_model(o.model, model);
  auto out = stream();
  out << "trained on    " << texts.human.size() << " human and " << texts.machine.size() << " machine texts, " << model.kernel.dimension()
      << " columns";
  if (embedder) out << " (" << embedder->identity() << ")";
  out << "\ncheckpoint    step " << model.history.best_step << " of " << model.history.objective.size() << ", AUROC "
      << fixed(best_validation(model), 4) << " on " << texts.human_checkpoint.size() << " + " << texts.machine_checkpoint.size()
      << " checkpoint texts\nreference     " << texts.reference.size() << " human texts\ncalibration   " << texts.calibration.size()
      << " human texts\n";
  if (texts.machines_left_out > 0)
    out << "left out      " << texts.machines_left_out << " machine texts that share a prompt with reference or calibration texts\n";
  for (const double fpr : {0.01, 0.05}) {
    const auto t = mmd::ConformalCalibration::of_texts_known_to_be_unseen(model.calibration_scores).threshold(fpr);
    if (!t.warning.empty()) out << "note          at a false-positive rate of " << fpr << ": " << t.warning << '\n';
  }
  out << "wrote         " << o.model << '\n';
  return out.str();
}

struct evaluate_options {
  std::string model, human, machine, report;
  EvaluationOptions options;
  bool json = false;
};

std::string run_evaluation(const Processor& on, const evaluate_options& o) {
  require_other_file("--machine", o.machine, {o.human});
  const TextSet human = read_texts(o.human), machine = read_texts(o.machine);
  require_label(human, "--human", "human");
  require_label(machine, "--machine", "machine");
  const Detector detector(on, mmd::load_model<float>(o.model));
  const Evaluation evaluation = evaluate(detector, human, machine, o.options);
  const std::string page = write_report(o.report, make_report(detector, evaluation, o.options, "Detector of machine-written text"));
  if (!o.json) return as_text(evaluation) + "report: " + page + "\n";
  auto out = as_json(evaluation);
  out["backend"] = on.name();
  return out.dump() + "\n";
}

}  // namespace

void add_embed(CLI::App& app, Command& chosen) {
  auto o = std::make_shared<embed_options>();
  auto* c = app.add_subcommand("embed", "texts to embeddings, by the built-in embedder");
  c->add_option("--input", o->input, ".jsonl texts")->required();
  c->add_option("--output", o->output, ".npy; the labels go to the .tsv beside it")->required();
  c->add_option("--model", o->model, "the embedder of this model");
  c->add_option("--vocabulary", o->vocabulary, "the embedder of this vocabulary file");
  c->add_option("--fit-on", o->fit_on, "learn a vocabulary from these .jsonl texts");
  c->add_option("--save-vocabulary", o->save_vocabulary, "where to keep it");
  c->add_flag("--style", o->style, "with --fit-on: the 4,096-column form")->excludes("--vocabulary")->excludes("--model");
  c->callback([&chosen, o] { chosen = [o](const Processor&) { return embed_texts(*o); }; });
}
void add_train(CLI::App& app, Command& chosen) {
  auto o = std::make_shared<train_options>();
  auto* c = app.add_subcommand("train", "learn a kernel and calibrate a detector");
  c->add_option("--human", o->human, "human texts: .npy (labels in the .tsv beside it) or .jsonl")->required();
  c->add_option("--machine", o->machine, "machine texts")->required();
  c->add_option("--model", o->model, "where to write the model")->required();
  c->add_option("--objective", o->objective, "mpp: MMD-MP; mmd: MMD-D")->capture_default_str()->check(CLI::IsMember({"mpp", "mmd"}));
  c->add_option("--epochs", o->training.epochs, "0: --steps counts")->capture_default_str()->check(program::whole(0, 1000000));
  c->add_option("--steps", o->training.steps)->capture_default_str()->check(program::whole(1, 100000000));
  c->add_option("--batch", o->training.batch)->capture_default_str()->check(program::whole(2, 1000000));
  c->add_option("--hidden", o->hidden)->capture_default_str()->check(program::whole(1, 1 << 16));
  c->add_option("--output-dim", o->training.output)->capture_default_str()->check(program::whole(1, 1 << 16));
  auto* rate = c->add_option("--learning-rate", o->training.learning_rate, "default 3e-4; 1e-3 for texts")->capture_default_str();
  rate->check(program::between(0, HUGE_VAL, "a finite number above 0"));
  c->add_option("--seed", o->training.seed)->capture_default_str()->check(program::seed());
  c->add_option("--reference", o->reference, "human texts to compare with, instead of 10 % of --human");
  c->add_option("--calibration", o->calibration, "human texts that set the thresholds, instead of 10 % of --human");
  c->add_option("--vocabulary", o->vocabulary, "with texts: this vocabulary instead of one learned from the training texts");
  c->add_flag("--style", o->style, "with texts: the 4,096-column form")->excludes("--vocabulary");
  c->callback([&chosen, o, rate] {
    o->learning_rate_given = rate->count() > 0;
    chosen = [o](const Processor& on) { return train(on, *o); };
  });
}
void add_evaluate(CLI::App& app, Command& chosen) {
  auto o = std::make_shared<evaluate_options>();
  auto* c = app.add_subcommand("evaluate", "judge a model on texts that it has not seen, and write a report");
  c->add_option("--model", o->model)->required();
  c->add_option("--human", o->human)->required();
  c->add_option("--machine", o->machine)->required();
  c->add_option("--report", o->report, "folder for report.html, report.json and figures/")->required();
  c->add_option("--seed", o->options.seed, "of bootstrap and group draws")->capture_default_str()->check(program::seed());
  c->add_flag("--json", o->json, "one JSON object on stdout");
  c->callback([&chosen, o] { chosen = [o](const Processor& on) { return run_evaluation(on, *o); }; });
}

}  // namespace detect
