// SPDX-License-Identifier: MIT
#include "report.hpp"

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <filesystem>
#include <locale>
#include <sstream>

#include "mmd/io/atomic_file.hpp"
#include "plots.hpp"

namespace detect {
namespace {

constexpr const char* accent = "#1f5fa8";
constexpr const char* human_colour = "#2a7f62";
constexpr const char* machine_colour = "#b5562b";

std::string roc_svg(const RocFigure& f) {
  auto out = stream(8);
  out << "$band << EOD\n";
  for (std::size_t i = 0; i < f.fpr.size(); ++i)
    out << f.fpr[i] << ' ' << f.tpr[i].value << ' ' << f.tpr[i].low << ' ' << f.tpr[i].high << '\n';
  out << "EOD\n";
  for (std::size_t k = 0; k < f.others.size(); ++k) {
    out << "$other" << k << " << EOD\n";
    for (std::size_t i = 0; i < f.others[k].fpr.size(); ++i) out << f.others[k].fpr[i] << ' ' << f.others[k].tpr[i] << '\n';
    out << "EOD\n";
  }
  out << "set xrange [0:1]\nset yrange [0:1]\nset xlabel 'false-positive rate (human texts called machine-written)'\n"
         "set ylabel 'true-positive rate'\nset key bottom right\nset size square\n"
         "plot $band using 1:3:4 with filledcurves lc rgb '#cfe0f3' title '95 % band', x with lines dt 2 lc rgb '#aaaaaa' notitle, "
         "$band using 1:2 with lines lw 2.5 lc rgb '"
      << accent << "' title 'this detector'";
  const char* colours[] = {"#777777", "#c98a1b", "#7a5aa6", "#2a7f62"};
  for (std::size_t k = 0; k < f.others.size(); ++k) {
    out << ", $other" << k << " using 1:2 with lines lw 1.5 lc rgb '" << colours[k % 4] << "' title " << quoted(f.others[k].name);
  }
  return draw_svg(out.str(), 560, 520);
}

double quantile(const std::vector<double>& sorted, double p) {
  const double place = p * static_cast<double>(sorted.size() - 1);
  const auto i = static_cast<std::size_t>(place);
  return sorted[i] + (place - static_cast<double>(i)) * (sorted[std::min(i + 1, sorted.size() - 1)] - sorted[i]);
}

std::string scores_svg(const ScoreFigure& f) {
  struct row {
    const ScoreFigure::Source* source;
    std::vector<double> sorted;
  };
  std::vector<row> rows;
  for (const auto& s : f.sources) {
    if (s.scores.empty()) continue;
    rows.push_back({&s, s.scores});
    std::sort(rows.back().sorted.begin(), rows.back().sorted.end());
  }
  std::stable_sort(rows.begin(), rows.end(), [](const row& a, const row& b) {
    return a.source->human != b.source->human ? a.source->human : quantile(a.sorted, 0.5) > quantile(b.sorted, 0.5);
  });
  auto out = stream(8);
  out << "set ytics (";
  for (std::size_t i = 0; i < rows.size(); ++i) {
    out << (i ? ", " : "") << quoted(rows[i].source->name + " (" + std::to_string(rows[i].sorted.size()) + ")") << ' ' << rows.size() - i;
  }
  out << ")\nset yrange [0.3:" << static_cast<double>(rows.size()) + 0.7
      << "]\nset xlabel 'score (higher: more machine-like)'\nset key outside top horizontal\n";
  for (const bool human : {true, false}) {
    out << (human ? "$human" : "$machine") << " << EOD\n";
    for (std::size_t i = 0; i < rows.size(); ++i) {
      if (rows[i].source->human != human) continue;
      out << rows.size() - i;
      for (const double p : {0.05, 0.25, 0.5, 0.75, 0.95}) out << ' ' << quantile(rows[i].sorted, p);
      out << '\n';
    }
    out << "EOD\n";
  }
  if (std::isfinite(f.threshold)) {
    out << "set arrow from " << f.threshold << ", graph 0 to " << f.threshold << ", graph 1 nohead dt 2 lw 1.5 lc rgb '#555555'\n";
  }
  out << "plot ";
  for (const bool human : {true, false}) {
    const char* data = human ? "$human" : "$machine";
    const char* colour = human ? human_colour : machine_colour;
    out << (human ? "" : ", ") << data << " using 2:1:2:6 with xerrorbars pt -1 lw 1.2 lc rgb '" << colour << "' notitle, " << data
        << " using 4:1:3:5:($1-0.28):($1+0.28) with boxxyerror fs solid 0.35 noborder lc rgb '" << colour << "' title '"
        << (human ? "human" : "machine") << "', " << data << " using 4:1 with points pt 7 ps 0.45 lc rgb '" << colour << "' notitle";
  }
  out << ", NaN with lines dt 2 lc rgb '#555555' title 'threshold at " << 100 * f.fpr << " % false positives'";
  return draw_svg(out.str(), 760, 150 + 24 * static_cast<int>(rows.size()));
}

std::string power_svg(const PowerFigure& f) {
  auto out = stream(8);
  out << "$power << EOD\n";
  for (const auto& s : f.sizes) {
    out << s.texts << ' ' << s.power.value << ' ' << s.power.low << ' ' << s.power.high << ' ' << s.type_1.value << ' ' << s.type_1.low
        << ' ' << s.type_1.high << '\n';
  }
  out << "EOD\nset xlabel 'texts in the group'\nset ylabel 'share of groups rejected'\nset yrange [0:1.02]\n"
      << "set offsets graph 0.05, graph 0.05, 0, 0\nset xtics (";
  for (std::size_t i = 0; i < f.sizes.size(); ++i) out << (i ? ", " : "") << f.sizes[i].texts;
  out << ")\nset key center right\nplot $power using 1:2:3:4 with yerrorlines lw 2 pt 7 ps 0.7 lc rgb '" << machine_colour
      << "' title 'power: machine groups', $power using 1:5:6:7 with yerrorlines lw 2 pt 7 ps 0.7 lc rgb '" << human_colour
      << "' title 'type I: human groups', " << f.alpha << " with lines dt 2 lc rgb '#555555' title 'level " << f.alpha << "'";
  return draw_svg(out.str(), 560, 400);
}

std::string history_svg(const HistoryFigure& f) {
  auto out = stream(8);
  out << "$objective << EOD\n";
  for (std::size_t i = 0; i < f.step.size(); ++i) out << f.step[i] << ' ' << f.objective[i] << '\n';
  out << "EOD\n$validation << EOD\n";
  for (std::size_t i = 0; i < f.validation_step.size(); ++i) out << f.validation_step[i] << ' ' << f.validation[i] << '\n';
  out << "EOD\nset xlabel 'training step'\nset ylabel 'objective J'\nset y2label " << quoted(f.validation_name)
      << "\nset y2tics out\nset border 11\nset key bottom right\nset arrow from " << f.best_step << ", graph 0 to " << f.best_step
      << ", graph 1 nohead dt 2 lc rgb '#555555'\n"
      << "plot $objective using 1:2 with lines lw 1.2 lc rgb '#9db8d6' title 'objective (mini-batch)', $validation using 1:2 axes x1y2 "
         "with linespoints "
         "lw 2 pt 7 ps 0.5 lc rgb '"
      << accent << "' title " << quoted(f.validation_name) << ", NaN with lines dt 2 lc rgb '#555555' title 'kept'";
  return draw_svg(out.str(), 560, 400);
}

std::string escaped(const std::string& text) {
  std::string out;
  for (const char c : text) {
    if (c == '&') {
      out += "&amp;";
    } else if (c == '<') {
      out += "&lt;";
    } else if (c == '>') {
      out += "&gt;";
    } else if (c == '"') {
      out += "&quot;";
    } else {
      out += c;
    }
  }
  return out;
}

void write_table(std::ostream& out, const Table& t) {
  out << "<h3>" << escaped(t.title) << "</h3>\n<div class=\"scroll\"><table><thead><tr>";
  for (const auto& c : t.columns) out << "<th>" << escaped(c) << "</th>";
  out << "</tr></thead><tbody>\n";
  for (const auto& row : t.rows) {
    out << "<tr>";
    for (const auto& cell : row) out << "<td>" << escaped(cell) << "</td>";
    out << "</tr>\n";
  }
  out << "</tbody></table></div>\n";
  if (!t.note.empty()) out << "<p class=\"note\">" << escaped(t.note) << "</p>\n";
}

constexpr const char* style = R"(
:root { color-scheme: light; }
body { font: 15px/1.5 system-ui, -apple-system, "Segoe UI", Helvetica, Arial, sans-serif; color: #222; background: #fff; margin: 0; }
main { max-width: 1060px; margin: 0 auto; padding: 28px 20px 60px; }
h1 { font-size: 26px; margin: 0 0 6px; } h2 { font-size: 19px; margin: 36px 0 10px; border-bottom: 1px solid #ddd; padding-bottom: 4px; }
h3 { font-size: 15px; margin: 22px 0 6px; } p { margin: 6px 0; } .note { color: #555; font-size: 13px; }
.cards { display: flex; flex-wrap: wrap; gap: 12px; margin: 18px 0; }
.card { border: 1px solid #ddd; border-radius: 6px; padding: 10px 14px; min-width: 150px; }
.card b { display: block; font-size: 22px; font-weight: 600; color: #1f5fa8; } .card span { color: #555; font-size: 13px; }
.figures { display: flex; flex-wrap: wrap; gap: 24px; align-items: flex-start; } figure { margin: 0; flex: 1 1 440px; max-width: 520px; }
figure.wide { flex-basis: 100%; max-width: 860px; } figure svg { width: 100%; height: auto; display: block; } figcaption { color: #555; font-size: 13px; }
.scroll { overflow-x: auto; } table { border-collapse: collapse; font-variant-numeric: tabular-nums; font-size: 14px; }
th, td { text-align: right; padding: 4px 12px 4px 0; border-bottom: 1px solid #eee; white-space: nowrap; } th { color: #555; font-weight: 600; }
th:first-child, td:first-child { text-align: left; } ul { padding-left: 20px; } li { margin: 4px 0; }
)";

}  // namespace

std::ostringstream stream(int precision) {
  std::ostringstream out;
  out.imbue(std::locale::classic());
  out.precision(precision);
  return out;
}

std::string fixed(double value, int digits) {
  if (std::isnan(value)) return "-";
  auto out = stream(8);
  out.setf(std::ios::fixed);
  out.precision(digits);
  out << value;
  return out.str();
}
std::string with_interval(const Band& b, int digits) {
  return fixed(b.value, digits) + " (" + fixed(b.low, digits) + "–" + fixed(b.high, digits) + ")";
}

std::string write_report(const std::string& directory, const Report& r) {
  namespace fs = std::filesystem;
  const fs::path base(directory), figures = base / "figures";
  std::error_code failed;
  for (const fs::path& folder : {base, figures}) {
    fs::create_directory(folder, failed);
    if (!fs::is_directory(folder))
      throw mmd::write_error(folder.string(), 0, "the folder cannot be made" + (failed ? ": " + failed.message() : std::string()));
  }

  struct figure {
    const char *file, *caption;
    bool wide;
    std::string svg;
  };
  std::vector<figure> drawn;
  if (gnuplot_available()) {
    if (!r.roc.fpr.empty())
      drawn.push_back(
          {"roc",
           "ROC curve, texts weighted so that every domain is half human and half machine; pointwise 95 % band by bootstrap over prompts.",
           false, roc_svg(r.roc)});
    if (!r.power.sizes.empty())
      drawn.push_back({"power",
                       "Permutation tests of groups of independent texts against a human reference, by the number of texts in the group.",
                       false, power_svg(r.power)});
    if (!r.scores.sources.empty())
      drawn.push_back({"scores", "Scores by source: 5th, 25th, 50th, 75th and 95th percentile (number of texts in brackets).", true,
                       scores_svg(r.scores)});
    if (!r.history.step.empty())
      drawn.push_back({"history",
                       "Training: the objective on each mini-batch, and the checkpoint criterion on texts that were not trained on.", false,
                       history_svg(r.history)});
  }
  for (const figure& f : drawn) mmd::write_text((figures / (std::string(f.file) + ".svg")).string(), f.svg);

  auto out = stream(8);
  out << "<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\"><meta name=\"viewport\" content=\"width=device-width, "
         "initial-scale=1\"><title>"
      << escaped(r.title) << "</title><style>" << style << "</style></head><body><main>\n<h1>" << escaped(r.title) << "</h1>\n<p>"
      << escaped(r.summary) << "</p>\n<div class=\"cards\">";
  for (const auto& [name, value] : r.headline)
    out << "<div class=\"card\"><b>" << escaped(value) << "</b><span>" << escaped(name) << "</span></div>";
  out << "</div>\n<h2>Figures</h2>\n";
  if (drawn.empty()) out << "<p class=\"note\">The figures are missing: gnuplot was not found when this page was made.</p>\n";
  out << "<div class=\"figures\">\n";
  for (const figure& f : drawn) {
    out << "<figure" << (f.wide ? " class=\"wide\"" : "") << " id=\"" << f.file << "\">" << f.svg << "<figcaption>" << f.caption
        << "</figcaption></figure>\n";
  }
  out << "</div>\n<h2>Tables</h2>\n";
  for (const Table& t : r.tables) write_table(out, t);
  out << "<h2>What these figures rest on</h2>\n<ul>\n";
  for (const std::string& note : r.notes) out << "<li>" << escaped(note) << "</li>\n";
  out << "</ul>\n<h2>Settings</h2>\n<div class=\"scroll\"><table><tbody>\n";
  for (const auto& [name, value] : r.settings) out << "<tr><td>" << escaped(name) << "</td><td>" << escaped(value) << "</td></tr>\n";
  out << "</tbody></table></div>\n</main></body></html>\n";
  mmd::write_text((base / "report.json").string(), r.figures.dump(2) + "\n");
  mmd::write_text((base / "report.html").string(), out.str());
  return (base / "report.html").string();
}

}  // namespace detect
