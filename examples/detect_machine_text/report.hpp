// SPDX-License-Identifier: MIT
// The report of an evaluation: one self-contained HTML page, the same figures as SVG, and everything as JSON.
#pragma once

#include <nlohmann/json.hpp>
#include <sstream>
#include <string>
#include <utility>
#include <vector>

namespace detect {

struct Band {
  double value = 0, low = 0, high = 0;
};

// The detector's ROC curve on a grid of false-positive rates, with a pointwise interval, and others' curves beside it.
struct RocFigure {
  std::vector<double> fpr;
  std::vector<Band> tpr;
  struct Other {
    std::string name;
    std::vector<double> fpr, tpr;
  };
  std::vector<Other> others = {};
};

struct ScoreFigure {
  struct Source {
    std::string name;
    bool human = false;
    std::vector<double> scores;
  };
  std::vector<Source> sources;
  double threshold = 0;  // of the decision at `fpr`
  double fpr = 0.05;
};

struct PowerFigure {
  struct Size {
    int texts = 0;
    Band power, type_1;
  };
  std::vector<Size> sizes;
  double alpha = 0.05;
};

struct HistoryFigure {
  std::vector<double> step, objective;
  std::vector<double> validation_step, validation;
  double best_step = 0;
  std::string validation_name;
};

struct Table {
  std::string title;
  std::vector<std::string> columns;
  std::vector<std::vector<std::string>> rows;
  std::string note = {};
};

struct Report {
  std::string title, summary;
  std::vector<std::pair<std::string, std::string>> headline, settings;
  RocFigure roc;
  ScoreFigure scores;
  PowerFigure power;
  HistoryFigure history;
  std::vector<Table> tables;
  std::vector<std::string> notes;
  nlohmann::ordered_json figures;  // what report.json holds
};

// DIR/report.html, DIR/report.json and DIR/figures/*.svg, each written whole or not at all; DIR is made if its parent exists. Without
// gnuplot the page says that its figures are missing. Returns the path of the page. Throws mmd::write_error.
std::string write_report(const std::string& directory, const Report& report);

// For text that reads the same in every locale.
std::ostringstream stream(int precision = 6);
// A number with `digits` after the point; "-" for NaN.
std::string fixed(double value, int digits);
std::string with_interval(const Band& band, int digits);

}  // namespace detect
