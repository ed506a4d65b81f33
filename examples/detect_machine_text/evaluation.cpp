// SPDX-License-Identifier: MIT
#include "evaluation.hpp"

#include <algorithm>
#include <cmath>
#include <locale>
#include <map>
#include <set>
#include <sstream>

namespace detect {
namespace {

mmd::scored_texts view(const ScoredTexts& s, std::span<const mmd::index_t> set = {}) {
  return {s.scores, s.machine, s.cell, s.cluster, set};
}

// The AUROC of the machine texts of each name, against the humans of their own domains.
std::vector<NamedAuroc> auroc_by(const ScoredTexts& s, const std::vector<std::string>& column, const EvaluationOptions& o) {
  std::vector<NamedAuroc> out;
  if (column.empty()) return out;
  const mmd::Labels names = mmd::label(column);
  const auto figures =
      mmd::evaluate_scores(view(s, names.ids), {.fprs = {}, .band_points = 0, .bootstrap = {.draws = o.bootstrap_draws, .seed = o.seed}});
  for (const auto& set : figures.sets) out.push_back({names.names[static_cast<std::size_t>(set.set)], set.machines, set.auroc});
  return out;
}

Band band(const mmd::Estimate& e) { return {e.value, e.interval.low, e.interval.high}; }
Band power_of(const mmd::GroupSizeResult& g) { return {g.power, g.power_interval.low, g.power_interval.high}; }
Band type_1_of(const mmd::GroupSizeResult& g) { return {g.type_1, g.type_1_interval.low, g.type_1_interval.high}; }
nlohmann::ordered_json number(double v) { return std::isfinite(v) ? nlohmann::ordered_json(v) : nlohmann::ordered_json(); }
nlohmann::ordered_json interval(const mmd::Interval& i) { return {number(i.low), number(i.high)}; }

Table auroc_table(const std::string& title, const std::vector<NamedAuroc>& rows) {
  Table t{title, {"", "machine texts", "AUROC (95 %)"}, {}};
  for (const auto& r : rows) t.rows.push_back({r.name, std::to_string(r.machines), with_interval(band(r.auroc), 3)});
  return t;
}

std::string pad(std::string text, std::size_t width) {
  // Multi-byte dashes count as one column.
  std::size_t shown = 0;
  for (const char c : text) shown += (static_cast<unsigned char>(c) & 0xC0) != 0x80;
  if (shown < width) text.append(width - shown, ' ');
  return text;
}
void write_table(std::ostream& out, const Table& t) {
  std::vector<std::size_t> width(t.columns.size());
  const auto measure = [&](const std::vector<std::string>& row) {
    for (std::size_t c = 0; c < row.size(); ++c) width[c] = std::max(width[c], row[c].size() + 2);
  };
  measure(t.columns);
  for (const auto& row : t.rows) measure(row);
  out << t.title << '\n';
  const auto line = [&](const std::vector<std::string>& row) {
    std::string text = "  ";
    for (std::size_t c = 0; c < row.size(); ++c) text += pad(row[c], width[c]);
    out << text.substr(0, text.find_last_not_of(' ') + 1) << '\n';
  };
  line(t.columns);
  for (const auto& row : t.rows) line(row);
  if (!t.note.empty()) out << "  " << t.note << '\n';
  out << '\n';
}

std::vector<Table> tables_of(const Evaluation& e) {
  std::vector<Table> out;
  Table texts{"Single texts, weighted so that every domain is half human and half machine", {"", "value (95 %)"}, {}};
  texts.rows.push_back({"AUROC", with_interval(band(e.figures.auroc), 3)});
  const char* rates[] = {"1 %", "5 %"};
  for (std::size_t i = 0; i < 2; ++i)
    texts.rows.push_back({std::string("TPR at exactly ") + rates[i] + " FPR on these texts", with_interval(band(e.figures.tpr_at[i]), 3)});
  for (std::size_t i = 0; i < 2; ++i) {
    const auto& r = e.figures.rates[i];
    texts.rows.push_back({std::string("TPR at the conformal threshold for ") + rates[i], with_interval(band(r.tpr), 3)});
    texts.rows.push_back({std::string("FPR at the conformal threshold for ") + rates[i],
                          with_interval(band(r.fpr), 3) + "; one text a prompt: " + std::to_string(e.conformal[i].false_positives) +
                              " of " + std::to_string(e.conformal[i].texts) + ", 99.9 % band " + std::to_string(e.conformal[i].band.low) +
                              " to " + std::to_string(e.conformal[i].band.high)});
  }
  out.push_back(std::move(texts));
  Table groups{"Groups of independent texts, tested at level .05 against human texts of their domain",
               {"texts", "power (95 %)", "type I error (95 %)"},
               {}};
  for (const auto& g : e.groups)
    groups.rows.push_back({std::to_string(g.size), with_interval(power_of(g), 3), with_interval(type_1_of(g), 3)});
  if (!e.groups.empty()) out.push_back(std::move(groups));
  if (!e.by_set.empty()) out.push_back(auroc_table("By set", e.by_set));
  if (!e.by_source.empty()) out.push_back(auroc_table("By generator", e.by_source));
  if (!e.by_domain.empty()) out.push_back(auroc_table("By domain", e.by_domain));
  return out;
}

// Some domain must have texts of both kinds, and enough of them.
void require_judgeable(const TextSet& human, const TextSet& machine, const ScoredTexts& texts) {
  const mmd::index_t least = mmd::ScoreOptions{}.min_humans;
  std::map<mmd::index_t, std::pair<mmd::index_t, mmd::index_t>> counts;
  mmd::index_t humans = 0;
  for (std::size_t i = 0; i < texts.cell.size(); ++i) ++(texts.machine[i] ? counts[texts.cell[i]].second : counts[texts.cell[i]].first);
  for (const auto& [cell, count] : counts) {
    if (count.first >= least && count.second > 0) return;
    humans = std::max(humans, count.first);
  }
  throw mmd::invalid_input("mmd: --human " + human.path + ", --machine " + machine.path + ": " + std::to_string(counts.size()) +
                           " domains with up to " + std::to_string(humans) + " human texts, expected one domain with at least " +
                           std::to_string(least) + " human texts, and machine texts");
}

}  // namespace

ScoredTexts test_texts(const TextSet& human, const TextSet& machine) {
  ScoredTexts out;
  out.texts = joined(human, machine);
  out.machine.assign(static_cast<std::size_t>(human.size()), 0);
  out.machine.resize(static_cast<std::size_t>(out.texts.size()), 1);
  const std::vector<std::string> domain =
      out.texts.domain.empty() ? std::vector<std::string>(out.machine.size(), "all texts") : out.texts.domain;
  out.domains = mmd::label(domain);
  out.cell = out.domains.ids;
  out.cluster = mmd::label(out.texts.clusters()).ids;
  return out;
}

void require_unseen(const Model& model, const ScoredTexts& texts) {
  mmd::Roles roles = model.roles;
  about(texts.texts, [&] { roles.assign(mmd::role::test, texts.texts.ids()); });
}

Evaluation evaluate(const Processor& on, ScoredTexts texts, const mmd::matrix<float>& gram, const mmd::ConformalCalibration& calibration,
                    const EvaluationOptions& o) {
  Evaluation e;
  e.scored = std::move(texts);
  const TextSet& set = e.scored.texts;
  const auto& machine = e.scored.machine;
  const auto &cell = e.scored.cell, &cluster = e.scored.cluster;
  const auto& domains = e.scored.domains;
  const auto& scores = e.scored.scores;
  mmd::ScoreOptions options{.fprs = {0.01, 0.05}, .bootstrap = {.draws = o.bootstrap_draws, .seed = o.seed}};
  for (const double fpr : {0.01, 0.05}) {
    e.thresholds.push_back(calibration.threshold(fpr));
    options.thresholds.push_back(e.thresholds.back().threshold);
    ConformalCheck check;
    std::set<mmd::index_t> seen;
    for (std::size_t i = 0; i < scores.size(); ++i) {
      if (machine[i] || !seen.insert(cluster[i]).second) continue;
      ++check.texts;
      check.false_positives += scores[i] > e.thresholds.back().threshold;
    }
    check.band = calibration.false_positive_band(fpr, check.texts);
    e.conformal.push_back(check);
  }
  e.figures = mmd::evaluate_scores(view(e.scored), options);
  e.by_set = auroc_by(e.scored, set.set, o);
  e.by_source = auroc_by(e.scored, set.source, o);
  e.by_domain = auroc_by(e.scored, set.domain, o);
  const auto name = [&](mmd::index_t id) { return domains.names[static_cast<std::size_t>(id)]; };
  for (const auto& c : e.figures.cells) {
    if (!c.used) e.left_out.push_back(name(c.id) + ": " + std::to_string(c.humans) + " human texts, fewer than 10");
  }
  e.groups = on.groups(gram, {machine, cell, cluster},
                       {.sizes = o.group_sizes, .draws = o.group_draws, .permutations = o.permutations, .alpha = o.alpha, .seed = o.seed});
  for (const auto& g : e.groups) {
    for (const auto& c : g.cells) {
      if (c.used) continue;
      e.left_out.push_back("groups of " + std::to_string(g.size) + ", " + name(c.id) + ": " + std::to_string(c.humans) + " human and " +
                           std::to_string(c.machines) + " machine texts");
    }
  }
  return e;
}

Evaluation evaluate(const Detector& detector, const TextSet& human, const TextSet& machine, const EvaluationOptions& o) {
  ScoredTexts texts = test_texts(detector.embedded(human), detector.embedded(machine));
  require_unseen(detector.model(), texts);
  require_judgeable(human, machine, texts);
  const mmd::matrix<float> features = detector.features(texts.texts);
  texts.scores = detector.scores(features);
  return evaluate(detector.on(), std::move(texts), detector.on().gram(detector.kernel(), features), detector.calibration(), o);
}

nlohmann::ordered_json as_json(const Evaluation& e) {
  nlohmann::ordered_json out;
  out["auroc"] = number(e.figures.auroc.value);
  out["auroc_interval"] = interval(e.figures.auroc.interval);
  const char* names[] = {"0.01", "0.05"};
  for (std::size_t i = 0; i < 2; ++i) out["tpr"][names[i]] = number(e.figures.rates[i].tpr.value);
  for (std::size_t i = 0; i < 2; ++i) out["fpr"][names[i]] = number(e.figures.rates[i].fpr.value);
  for (std::size_t i = 0; i < 2; ++i) out["tpr_at_exact_fpr"][names[i]] = number(e.figures.tpr_at[i].value);
  out["groups"] = nlohmann::ordered_json::object();
  for (const auto& g : e.groups) {
    out["groups"][std::to_string(g.size)] = {{"power", number(g.power)},
                                             {"power_interval", interval(g.power_interval)},
                                             {"type_1", number(g.type_1)},
                                             {"type_1_interval", interval(g.type_1_interval)}};
  }
  for (const auto& [name, rows] : {std::pair{"sets", &e.by_set}, {"generators", &e.by_source}, {"domains", &e.by_domain}}) {
    for (const auto& r : *rows)
      out[name][r.name] = {{"machine_texts", r.machines}, {"auroc", number(r.auroc.value)}, {"auroc_interval", interval(r.auroc.interval)}};
  }
  for (std::size_t i = 0; i < 2; ++i) {
    out["conformal_check"][names[i]] = {{"human_texts", e.conformal[i].texts},
                                        {"false_positives", e.conformal[i].false_positives},
                                        {"band_99.9", {e.conformal[i].band.low, e.conformal[i].band.high}}};
  }
  out["effective_texts"] = {{"human", e.figures.effective_humans}, {"machine", e.figures.effective_machines}};
  out["left_out"] = e.left_out;
  return out;
}

std::string as_text(const Evaluation& e) {
  auto out = stream();
  for (const Table& t : tables_of(e)) write_table(out, t);
  if (!e.left_out.empty()) {
    out << "Left out:\n";
    for (const std::string& cell : e.left_out) out << "  " << cell << '\n';
  }
  return out.str();
}

Report make_report(const Detector& detector, const Evaluation& e, const EvaluationOptions& o, std::string title) {
  const Model& model = detector.model();
  Report r;
  r.title = std::move(title);
  const auto humans = std::count(e.scored.machine.begin(), e.scored.machine.end(), 0);
  r.summary = std::to_string(humans) + " human and " + std::to_string(e.scored.texts.size() - humans) +
              " machine-written texts of prompts that were in no other role, judged by a kernel learned with " +
              (model.options.objective == mmd::proxy::full ? "the full MMD (MMD-D)" : "the multi-population proxy (MMD-MP)") + ".";
  r.headline = {{"AUROC per text", fixed(e.figures.auroc.value, 3)}, {"TPR at exactly 5 % FPR", fixed(e.figures.tpr_at[1].value, 3)}};
  for (const auto& g : e.groups) r.headline.emplace_back("power, groups of " + std::to_string(g.size), fixed(g.power, 3));

  const auto& b = e.figures.band;
  r.roc.fpr = b.fpr;
  for (std::size_t i = 0; i < b.fpr.size(); ++i) r.roc.tpr.push_back({b.tpr[i], b.low[i], b.high[i]});
  std::map<std::pair<bool, std::string>, std::vector<double>> by_source;
  const auto& t = e.scored.texts;
  for (std::size_t i = 0; i < e.scored.scores.size(); ++i) {
    const bool human = e.scored.machine[i] == 0;
    const std::string name = human ? (t.domain.empty() ? "human" : "human, " + t.domain[i]) : (t.source.empty() ? "machine" : t.source[i]);
    by_source[{human, name}].push_back(e.scored.scores[i]);
  }
  for (const auto& [key, scores] : by_source) r.scores.sources.push_back({key.second, key.first, scores});
  r.scores.threshold = e.thresholds[1].threshold;
  r.scores.fpr = e.thresholds[1].fpr;
  for (const auto& g : e.groups) r.power.sizes.push_back({static_cast<int>(g.size), power_of(g), type_1_of(g)});
  r.power.alpha = o.alpha;
  for (std::size_t i = 0; i < model.history.objective.size(); ++i) {
    r.history.step.push_back(static_cast<double>(i + 1));
    r.history.objective.push_back(model.history.objective[i]);
  }
  for (const auto& c : model.history.checkpoints) {
    r.history.validation_step.push_back(static_cast<double>(c.step));
    r.history.validation.push_back(c.validation);
  }
  r.history.best_step = static_cast<double>(model.history.best_step);
  r.history.validation_name =
      model.options.select == mmd::criterion::auroc ? "AUROC on the checkpoint texts" : "power on the checkpoint texts";
  r.tables = tables_of(e);

  const auto& c = e.thresholds[1];
  r.notes = {
      "Intervals are percentiles of " + std::to_string(o.bootstrap_draws) + " bootstraps over " + std::to_string(e.figures.clusters) +
          " prompt clusters with the weights counted again; they say nothing about other training seeds. Effective sizes: " +
          fixed(e.figures.effective_humans, 0) + " human and " + fixed(e.figures.effective_machines, 0) + " machine texts.",
      "The conformal threshold for 5 % is number " + std::to_string(c.rank) + " from the top of " + std::to_string(c.calibration_texts) +
          " human calibration scores: given these, its false-positive rate is between " + fixed(c.fpr_90.low, 3) + " and " +
          fixed(c.fpr_90.high, 3) + " (90 %). It holds for texts of the calibration texts' domains.",
      "Group tests compare a group with human texts of the same domain by a permutation test; their p-values hold for independent texts, "
      "on average over references. A two-sample test finds any difference: with references of another domain, human groups are rejected "
      "too.",
      "The sentences of one document are not independent: documents are to be tested with their calibrated p-value (`test --documents`)."};
  for (const auto& threshold : e.thresholds) {
    if (!threshold.warning.empty())
      r.notes.push_back("At a false-positive rate of " + fixed(threshold.fpr, 2) + ": " + threshold.warning + ".");
  }
  for (const std::string& cell : e.left_out) r.notes.push_back("Left out: " + cell + ".");
  const auto& s = model.options;
  r.settings = {
      {"objective", s.objective == mmd::proxy::full ? "MMD-D" : "MMD-MP"},
      {"embedder", model.embedder},
      {"steps; batch", std::to_string(model.history.objective.size()) + "; " + std::to_string(s.batch) + " + " + std::to_string(s.batch)},
      {"learning rate", mmd::detail::shown(s.learning_rate)},
      {"network",
       [&] {
         std::string sizes;
         for (const auto n : model.kernel.network.sizes()) sizes += (sizes.empty() ? "" : " - ") + std::to_string(n);
         return sizes;
       }()},
      {"epsilon; sigma_phi", fixed(model.kernel.epsilon(), 5) + "; " + fixed(model.kernel.sigma_phi(), 3)},
      {"seed of training; of evaluation", std::to_string(s.seed) + "; " + std::to_string(o.seed)},
      {"reference; calibration texts", std::to_string(model.reference.rows()) + "; " + std::to_string(model.calibration_scores.size())},
      {"permutations; draws of groups", std::to_string(o.permutations) + "; " + std::to_string(o.group_draws)},
      {"backend", detector.on().name()},
      {"instruction set", mmd::isa}};
  r.figures = as_json(e);
  r.figures["roc"] = {{"fpr", b.fpr}, {"tpr", b.tpr}, {"low", b.low}, {"high", b.high}};
  r.figures["history"] = {{"objective", model.history.objective},
                          {"checkpoint_step", r.history.validation_step},
                          {"checkpoint_value", r.history.validation},
                          {"best_step", model.history.best_step}};
  for (const auto& source : r.scores.sources) r.figures["scores"][source.name] = source.scores;
  for (const auto& [name, value] : r.settings) r.figures["settings"][name] = value;
  return r;
}

}  // namespace detect
