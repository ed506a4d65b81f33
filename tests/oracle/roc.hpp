// SPDX-License-Identifier: MIT
// ROC figures by their definitions: double loops over texts, no sorting of scores, no sums carried along.
#pragma once

#include <cmath>
#include <cstddef>
#include <limits>
#include <vector>

namespace oracle {

struct text {
  double score = 0;
  bool machine = false;
  int cell = 0, cluster = 0, set = 0;
};

inline double auroc(const std::vector<text>& t, const std::vector<double>& w) {
  double sum = 0, pairs = 0;
  for (std::size_t i = 0; i < t.size(); ++i) {
    for (std::size_t j = 0; j < t.size(); ++j) {
      if (t[i].machine || !t[j].machine) continue;
      pairs += w[i] * w[j];
      sum += w[i] * w[j] * (t[j].score > t[i].score ? 1 : t[j].score == t[i].score ? 0.5 : 0);
    }
  }
  return pairs > 0 ? sum / pairs : std::nan("");
}

// Share, by weight, of one kind with a score of at least c.
inline double share_from(const std::vector<text>& t, const std::vector<double>& w, bool machine, double c) {
  double above = 0, all = 0;
  for (std::size_t i = 0; i < t.size(); ++i) {
    if (t[i].machine != machine) continue;
    all += w[i];
    if (t[i].score >= c) above += w[i];
  }
  return above / all;
}

// The best attainable rate at or below fpr, raised by the straight line to the best next point.
inline double tpr_at(const std::vector<text>& t, const std::vector<double>& w, double fpr) {
  double f0 = 0, t0 = 0, f1 = 2, t1 = 2;
  for (const auto& at : t) {
    const double f = share_from(t, w, false, at.score), y = share_from(t, w, true, at.score);
    if (f <= fpr + 1e-12 && (f > f0 || (f >= f0 && y > t0))) f0 = f, t0 = y;
  }
  for (const auto& at : t) {
    const double f = share_from(t, w, false, at.score), y = share_from(t, w, true, at.score);
    if (f > fpr + 1e-12 && (f < f1 || (f <= f1 && y < t1))) f1 = f, t1 = y;
  }
  return f1 > 1.5 ? t0 : t0 + (t1 - t0) * std::fmax(0.0, fpr - f0) / (f1 - f0);
}

// 1 for machine texts, N_M / N_H of their cell for human ones, 0 in cells that do not count.
inline std::vector<double> cell_weights(const std::vector<text>& t, const std::vector<bool>& cell_counts) {
  std::vector<double> w;
  for (const auto& a : t) {
    double humans = 0, machines = 0;
    for (const auto& b : t) {
      if (b.cell == a.cell) (b.machine ? machines : humans) += 1;
    }
    w.push_back(!cell_counts[static_cast<std::size_t>(a.cell)] || humans < 1 ? 0 : a.machine ? 1 : machines / humans);
  }
  return w;
}

// Mean over the set's machine texts of: the share of human texts of the same cell below, ties half.
inline double set_auroc(const std::vector<text>& t, const std::vector<bool>& cell_counts, int set) {
  double sum = 0, texts = 0;
  for (const auto& y : t) {
    if (!y.machine || y.set != set || !cell_counts[static_cast<std::size_t>(y.cell)]) continue;
    double below = 0, humans = 0;
    for (const auto& x : t) {
      if (x.machine || x.cell != y.cell) continue;
      humans += 1;
      below += x.score < y.score ? 1 : x.score == y.score ? 0.5 : 0;
    }
    if (humans < 1) continue;
    sum += below / humans;
    texts += 1;
  }
  return texts > 0 ? sum / texts : std::nan("");
}

}  // namespace oracle
