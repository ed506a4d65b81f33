// SPDX-License-Identifier: MIT
// score, test and info: what one does with a model.
#include <algorithm>
#include <cmath>
#include <filesystem>
#include <locale>
#include <map>
#include <memory>
#include <sstream>

#include "commands.hpp"
#include "detector.hpp"
#include "report.hpp"
#include "support/program.hpp"

namespace detect {
namespace {

using json = nlohmann::ordered_json;

json number_or_null(double v) { return std::isfinite(v) ? json(v) : json(); }

struct use_options {
  std::string model, input, reference, calibration;
  double fpr = 0.05;
  mmd::index_t permutations = 999;
  std::uint64_t seed = 0;
  bool json = false, documents = false;
};

std::string name_of(const TextSet& set, std::size_t i) {
  return !set.id.empty() && !set.id[i].empty() ? set.id[i] : "row " + std::to_string(i);
}

// Texts to be judged must not have served in making the judge.
void require_unseen(const Model& model, const TextSet& set) {
  mmd::Roles roles = model.roles;
  about(set, [&] { roles.assign(mmd::role::test, set.ids()); });
}

std::string score(const Processor& on, const use_options& o) {
  const TextSet input = read_texts(o.input);
  Detector detector(on, mmd::load_model<float>(o.model));
  if (!o.reference.empty()) detector.use_reference(read_texts(o.reference), o.seed);
  require_unseen(detector.model(), input);
  const auto scores = detector.scores(detector.features(input));
  const auto p_values = detector.calibration().p_values(scores);
  const mmd::ConformalThreshold t = detector.calibration().threshold(o.fpr);
  if (o.json) {
    json out;
    out["scores"] = scores;
    out["p_values"] = p_values;
    out["machine"] = json::array();
    for (const double s : scores) out["machine"].push_back(s > t.threshold);
    out["fpr"] = o.fpr;
    out["threshold"] = number_or_null(t.threshold);
    out["calibration"] = {
        {"texts", t.calibration_texts}, {"rank", t.rank}, {"expected_fpr", t.expected_fpr}, {"fpr_90", {t.fpr_90.low, t.fpr_90.high}}};
    out["backend"] = on.name();
    return out.dump() + "\n";
  }
  auto out = stream();
  out << "score      p-value  decision  text\n";
  mmd::index_t machine = 0;
  for (std::size_t i = 0; i < scores.size(); ++i) {
    const bool is = scores[i] > t.threshold;
    machine += is;
    out << fixed(scores[i], 6) << "   " << fixed(p_values[i], 4) << "   " << (is ? "machine   " : "human?    ") << name_of(input, i)
        << '\n';
  }
  out << machine << " of " << scores.size() << " texts are called machine-written at a false-positive rate of " << o.fpr << ".\n"
      << "The threshold is score number " << t.rank << " from the top of " << t.calibration_texts
      << " human calibration texts: given these, the false-positive rate is between " << fixed(t.fpr_90.low, 3) << " and "
      << fixed(t.fpr_90.high, 3) << " (90 %).\n"
      << "It holds for texts of the calibration texts' domain; elsewhere rates of .1 to .5 were measured for .05.\n";
  if (!t.warning.empty()) out << "note: " << t.warning << '\n';
  return out.str();
}

std::string test_group(const Processor& on, const use_options& o) {
  const TextSet input = read_texts(o.input);
  Detector detector(on, mmd::load_model<float>(o.model));
  require_unseen(detector.model(), input);
  mmd::matrix<float> reference = detector.reference();
  if (!o.reference.empty()) {
    const TextSet own = read_texts(o.reference);
    mmd::Roles roles = detector.model().roles;
    roles = without_references(roles);
    roles.assign(mmd::role::reference, own.ids());
    roles.assign(mmd::role::test, input.ids());
    reference = detector.features(own);
  }
  const mmd::GroupTestResult group =
      on.test(detector.kernel(), reference, detector.features(input), {.permutations = o.permutations, .seed = o.seed});
  const mmd::TestResult& r = group.test;
  if (o.json) {
    json out;
    out["p_value"] = r.p_value;
    out["statistic"] = number_or_null(r.statistic);
    out["n"] = input.size();
    out["reference_n"] = reference.rows();
    out["permutations"] = r.permutations;
    out["method"] = mmd::to_string(r.method);
    out["seed"] = o.seed;
    out["backend"] = on.name();
    return out.dump() + "\n";
  }
  auto out = stream();
  out << "group       " << input.size() << " texts (" << o.input << ")\n"
      << "reference   " << reference.rows() << " human texts\n"
      << "MMD^2       " << r.statistic << " (unbiased)\n"
      << "p-value     " << r.p_value << " (" << r.permutations << " permutations, " << mmd::to_string(r.method) << ", seed " << o.seed
      << ")\n"
      << "The p-value averages over the group, the reference and the permutations: at level .05, 5 % of groups of independent human texts "
         "of the\n"
         "reference's domain are rejected on average over references; for one given reference it may be a little more or less. Texts that "
         "share\n"
         "an author or a document are not independent: see --documents.\n";
  for (const std::string& warning : r.warnings) out << "note: " << warning << '\n';
  return out.str();
}

// Documents as numbers in the order of their first sentences.
struct documents {
  std::vector<std::string> names;
  std::vector<mmd::index_t> of_row;
};
documents documents_of(const TextSet& set) {
  if (set.doc.empty()) throw mmd::invalid_input("mmd: " + set.path + ": no \"doc\", expected the document of every sentence");
  documents out;
  std::map<std::string, mmd::index_t> number;
  for (std::size_t i = 0; i < set.doc.size(); ++i) {
    if (set.doc[i].empty())
      throw mmd::invalid_input("mmd: " + set.path + ": row " + std::to_string(i) +
                               " has no \"doc\", expected the document of every sentence");
    const auto [at, fresh] = number.emplace(set.doc[i], static_cast<mmd::index_t>(out.names.size()));
    if (fresh) out.names.push_back(set.doc[i]);
    out.of_row.push_back(at->second);
  }
  return out;
}

std::string test_documents(const Processor& on, const use_options& o) {
  const TextSet input = read_texts(o.input);
  const documents docs = documents_of(input);
  Detector detector(on, mmd::load_model<float>(o.model));
  mmd::Roles roles = detector.model().roles;
  roles.assign(mmd::role::test, mmd::TextIds(docs.names));
  mmd::matrix<float> reference = detector.reference();
  if (!o.reference.empty()) {
    if (o.calibration.empty())
      throw mmd::invalid_input("mmd: --reference = " + o.reference +
                               ", expected --calibration with it: the model's own was made with another reference");
    const TextSet own = read_texts(o.reference);
    roles = without_references(roles);
    roles.assign(mmd::role::reference, own.ids());
    reference = detector.features(own);
  }
  const auto statistics = [&](const TextSet& set, std::span<const mmd::index_t> document, mmd::index_t cut_to = 0) {
    return on.documents(detector.kernel(), reference, detector.features(set), document, cut_to);
  };
  const auto calibrated = [&] {
    if (!o.calibration.empty()) {
      const TextSet human = read_texts(o.calibration);
      require_label(human, "--calibration", "human");
      const documents known = documents_of(human);
      return mmd::DocumentCalibration(statistics(human, known.of_row), mmd::TextIds(known.names), roles);
    }
    const auto& kept = detector.model().documents;
    mmd::detail::require(kept.size() >= 19, "calibration documents of the model", kept.size(),
                         "at least 19 (give --calibration C.jsonl with whole human documents)");
    return mmd::DocumentCalibration::of_documents_known_to_be_unseen(kept, detector.model().document_options);
  }();
  const auto results = calibrated.test(statistics(input, docs.of_row, calibrated.options().cut_to));
  if (o.json) {
    json out;
    out["documents"] = json::array();
    for (const auto& r : results) {
      out["documents"].push_back(
          {{"doc", docs.names[static_cast<std::size_t>(r.doc)]},
           {"p_value", r.p_value ? json(*r.p_value) : json()},
           {"statistic", r.sentences > 1 ? number_or_null(r.statistic) : json()},  // one sentence has no unbiased MMD^2
           {"sentences", r.sentences}});
    }
    out["backend"] = on.name();
    return out.dump() + "\n";
  }
  auto out = stream();
  out << "p-value   MMD^2      sentences  document\n";
  for (const auto& r : results) {
    out << (r.p_value ? fixed(*r.p_value, 4) : "refused") << "   " << (r.sentences > 1 ? fixed(r.statistic, 6) : "-       ") << "   "
        << r.sentences << "          " << docs.names[static_cast<std::size_t>(r.doc)];
    if (!r.refused.empty()) out << " (" << r.refused << ")";
    out << '\n';
  }
  out << "p-values compare a document with whole human documents of like length and the same domain; they hold however its sentences "
         "depend on each other.\n";
  return out.str();
}

// Does the model's reference serve these known human texts of another domain?
std::string check(const Processor& on, const use_options& o) {
  const TextSet known = read_texts(o.input);
  require_label(known, "--human", "human");
  const Detector detector(on, mmd::load_model<float>(o.model));
  require_unseen(detector.model(), known);
  const mmd::matrix<float> features = detector.features(known);
  const auto c = on.check(detector.kernel(), detector.reference(), features, o.fpr, {.permutations = o.permutations, .seed = o.seed});
  const auto t = detector.calibration().threshold(o.fpr);
  const auto scores = detector.scores(features);
  const auto called = std::count_if(scores.begin(), scores.end(), [&](double s) { return s > t.threshold; });
  if (o.json) {
    json out;
    out["fits"] = c.fits;
    out["p_value"] = c.test.p_value;
    out["statistic"] = number_or_null(c.test.statistic);
    out["n"] = c.test.n;
    out["reference_n"] = c.test.m;
    out["called_machine"] = called;
    out["fpr"] = o.fpr;
    out["backend"] = on.name();
    return out.dump() + "\n";
  }
  auto out = stream();
  out << c.verdict << ".\n"
      << called << " of these " << scores.size() << " human texts are called machine-written at a false-positive rate of " << o.fpr
      << ".\n";
  return out.str();
}

std::string info(const std::string& path, bool as_json) {
  const Model m = mmd::load_model<float>(path);
  const auto count = [&](mmd::role r) { return m.roles.hashes(r).size(); };
  json out;
  out["format_version"] = mmd::detail::model_version;
  out["embedder"] = m.embedder;
  out["dimension"] = m.kernel.dimension();
  out["layers"] = m.kernel.network.sizes();
  out["objective"] = m.options.objective == mmd::proxy::full ? "mmd" : "mpp";
  out["steps"] = m.history.objective.size();
  out["best_step"] = m.history.best_step;
  out["seed"] = m.options.seed;
  out["epsilon"] = m.kernel.epsilon();
  out["sigma_phi"] = m.kernel.sigma_phi();
  out["raw_kernel"] = m.kernel.raw_kernel;
  out["reference_texts"] = m.reference.rows();
  out["machine_reference_texts"] = m.machine_reference.rows();
  out["calibration_texts"] = m.calibration_scores.size();
  out["calibration_documents"] = m.documents.size();
  out["clusters"] = {{"train", count(mmd::role::train)},
                     {"checkpoint", count(mmd::role::checkpoint)},
                     {"reference", count(mmd::role::reference)},
                     {"calibration", count(mmd::role::calibration)}};
  out["notes"] = m.notes;
  if (as_json) return out.dump() + "\n";
  auto text = stream();
  for (const auto& [name, value] : out.items()) {
    text << name << std::string(name.size() < 24 ? 24 - name.size() : 1, ' ')
         << (value.is_string() ? value.get<std::string>() : value.dump()) << '\n';
  }
  return text.str();
}

}  // namespace

void add_score(CLI::App& app, Command& chosen) {
  auto o = std::make_shared<use_options>();
  auto* c = app.add_subcommand("score", "score each text: score, conformal p-value, decision");
  c->add_option("--model", o->model, "model file of train or demo")->required();
  c->add_option("--input", o->input, ".npy embeddings or .jsonl texts (\"-\": standard input)")->required();
  c->add_option("--fpr", o->fpr, "false-positive rate of the decision")->capture_default_str()->check(program::rate());
  c->add_option("--reference", o->reference, "human texts of the domain: half becomes the reference, half calibrates");
  c->add_option("--seed", o->seed, "of the split of --reference")->capture_default_str()->check(program::seed());
  c->add_flag("--json", o->json, "one JSON object on stdout");
  c->callback([&chosen, o] { chosen = [o](const Processor& on) { return score(on, *o); }; });
}
void add_test(CLI::App& app, Command& chosen) {
  auto o = std::make_shared<use_options>();
  auto* c = app.add_subcommand("test", "test a group of independent texts, or with --documents every document by its sentences");
  c->add_option("--model", o->model)->required();
  c->add_option("--input", o->input, ".npy or .jsonl; with --documents one sentence a row, with its \"doc\"")->required();
  c->add_option("--reference", o->reference, "human texts to compare with, in place of the model's");
  auto* calibration =
      c->add_option("--calibration", o->calibration, "with --documents: whole human documents, one sentence a row, with \"doc\"");
  c->add_option("--permutations", o->permutations)->capture_default_str()->check(program::whole(1, mmd::most_permutations));
  c->add_option("--seed", o->seed)->capture_default_str()->check(program::seed());
  calibration->needs(c->add_flag("--documents", o->documents, "one calibrated p-value a document"));
  c->add_flag("--json", o->json, "one JSON object on stdout");
  c->callback([&chosen, o] { chosen = [o](const Processor& on) { return o->documents ? test_documents(on, *o) : test_group(on, *o); }; });
}
void add_check(CLI::App& app, Command& chosen) {
  auto o = std::make_shared<use_options>();
  auto* c = app.add_subcommand("check", "does the model's reference serve known human texts of another domain?");
  c->add_option("--model", o->model)->required();
  c->add_option("--human", o->input, "texts of the domain that are known to be human")->required();
  c->add_option("--fpr", o->fpr, "level of the test and rate of the threshold")->capture_default_str()->check(program::rate());
  c->add_option("--permutations", o->permutations)->capture_default_str()->check(program::whole(1, mmd::most_permutations));
  c->add_option("--seed", o->seed)->capture_default_str()->check(program::seed());
  c->add_flag("--json", o->json, "one JSON object on stdout");
  c->callback([&chosen, o] { chosen = [o](const Processor& on) { return check(on, *o); }; });
}
void add_info(CLI::App& app, Command& chosen) {
  auto o = std::make_shared<use_options>();
  auto* c = app.add_subcommand("info", "what a model file holds");
  c->add_option("--model", o->model)->required();
  c->add_flag("--json", o->json, "one JSON object on stdout");
  c->callback([&chosen, o] { chosen = [o](const Processor&) { return info(o->model, o->json); }; });
}

}  // namespace detect
