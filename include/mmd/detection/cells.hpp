// SPDX-License-Identifier: MIT
// Weights for unbalanced sets: texts come in cells (domains), and each cell counts by its machine texts.
#pragma once

#include <algorithm>
#include <cstdint>
#include <map>
#include <span>
#include <string>
#include <vector>

#include "mmd/core/config.hpp"
#include "mmd/core/errors.hpp"

namespace mmd {

// Names turned into numbers 0, 1, ... in the order of the sorted names.
struct Labels {
  std::vector<index_t> ids;
  std::vector<std::string> names;
};

struct Cell {
  index_t id = 0, humans = 0, machines = 0;
  bool used = false;  // false: it has fewer human texts than asked, and all its texts weigh 0
};

struct CellWeights {
  std::vector<double> weights;  // one a text
  std::vector<Cell> cells;
  double effective_humans = 0, effective_machines = 0;  // (Sum w)^2 / Sum w^2
};

inline namespace MMD_ISA {

inline Labels label(std::span<const std::string> names) {
  std::map<std::string, index_t> number;
  for (const auto& name : names) number.emplace(name, 0);
  Labels out;
  for (auto& [name, id] : number) {
    id = static_cast<index_t>(out.names.size());
    out.names.push_back(name);
  }
  for (const auto& name : names) out.ids.push_back(number.at(name));
  return out;
}

// (Sum w)^2 / Sum w^2: how many equally weighted texts would say as much. 0 for no weight.
inline double effective_size(std::span<const double> weights) {
  double sum = 0, squares = 0;
  for (const double w : weights) {
    sum += w;
    squares += w * w;
  }
  return squares > 0 ? sum * sum / squares : 0;
}

// Machine texts weigh 1, the N_H human texts of a cell N_M / N_H each (N_M: its machine texts), so that every cell is half human and half
// machine and counts by its machine texts. Cells with fewer than `min_humans` human texts weigh 0 and are marked.
class CellWeighting {
 public:
  // cell: a number of 0 or more for each text. Throws invalid_input for lengths that differ, a negative cell, or no cell with enough
  // humans.
  CellWeighting(std::span<const index_t> cell, std::span<const std::uint8_t> machine, index_t min_humans = 10)
      : cell_(cell.begin(), cell.end()), machine_(machine.begin(), machine.end()) {
    detail::require(machine.size() == cell.size(), "machine.size()", machine.size(), "as many entries as cell");
    detail::require(min_humans >= 1, "min_humans", min_humans, "1 or more");
    for (std::size_t i = 0; i < cell.size(); ++i) {
      detail::require(cell[i] >= 0 && cell[i] < (index_t{1} << 20), "cell", cell[i], "a number from 0 to 2^20 - 1");
      while (static_cast<index_t>(cells_.size()) <= cell[i]) cells_.push_back({static_cast<index_t>(cells_.size())});
      auto& c = cells_[static_cast<std::size_t>(cell[i])];
      ++(machine[i] ? c.machines : c.humans);
    }
    bool any = false;
    for (auto& c : cells_) any |= c.used = c.humans >= min_humans;
    detail::require(any, "cell", static_cast<index_t>(cells_.size()),
                    ("at least one cell with " + std::to_string(min_humans) + " human texts or more").c_str());
  }

  std::span<const Cell> cells() const { return cells_; }
  std::span<const index_t> cell() const { return cell_; }

  // The weights when text i counts multiplicity[i] times (a bootstrap sample): N_M and N_H are counted again. Cells stay in or out as they
  // are in the data; a cell whose humans were all left out by the sample weighs 0. O(n).
  void reweigh(std::span<const double> multiplicity, std::vector<double>& weights) const {
    std::vector<double> humans(cells_.size(), 0), machines(cells_.size(), 0);
    for (std::size_t i = 0; i < cell_.size(); ++i) {
      (machine_[i] ? machines : humans)[static_cast<std::size_t>(cell_[i])] += multiplicity[i];
    }
    weights.resize(cell_.size());
    for (std::size_t i = 0; i < cell_.size(); ++i) {
      const auto c = static_cast<std::size_t>(cell_[i]);
      const bool counts = cells_[c].used && humans[c] > 0;
      weights[i] = counts ? multiplicity[i] * (machine_[i] ? 1 : machines[c] / humans[c]) : 0;
    }
  }

  CellWeights weights() const {
    CellWeights out;
    out.cells = cells_;
    reweigh(std::vector<double>(cell_.size(), 1.0), out.weights);
    std::vector<double> kind[2];
    for (std::size_t i = 0; i < cell_.size(); ++i) kind[machine_[i]].push_back(out.weights[i]);
    out.effective_humans = effective_size(kind[0]);
    out.effective_machines = effective_size(kind[1]);
    return out;
  }

 private:
  std::vector<index_t> cell_;
  std::vector<std::uint8_t> machine_;
  std::vector<Cell> cells_;
};

}  // namespace MMD_ISA
}  // namespace mmd
