// SPDX-License-Identifier: MIT
// What the tests of detection share: the message of an error, random rows, and random tables of scored texts.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "mmd/core/errors.hpp"
#include "mmd/core/matrix.hpp"
#include "mmd/core/philox.hpp"
#include "oracle/roc.hpp"
#include "support/failures.hpp"

namespace support {

// Standard normal rows, moved by `shift` in every column.
template <class T = double>
mmd::matrix<T> normal_rows(mmd::index_t rows, mmd::index_t cols, std::uint64_t seed, double shift = 0) {
  mmd::matrix<T> x(rows, cols);
  mmd::random_stream draw(seed, mmd::purpose::user, 77);
  for (mmd::index_t i = 0; i < x.size(); ++i) x.data()[i] = static_cast<T>(draw.normal() + shift);
  return x;
}
template <class T>
std::vector<std::vector<double>> to_rows(const mmd::matrix<T>& x) {
  std::vector<std::vector<double>> out;
  for (mmd::index_t i = 0; i < x.rows(); ++i) out.emplace_back(x.row(i).begin(), x.row(i).end());
  return out;
}

// n texts with machine scores shifted upwards; `levels` different scores at most, so that few levels make ties. Cell 2 is rare.
struct table {
  std::vector<oracle::text> texts;
  std::vector<double> scores;
  std::vector<std::uint8_t> machine;
  std::vector<mmd::index_t> cell, cluster, set;

  table(std::size_t n, std::uint64_t seed, std::uint64_t levels) {
    mmd::random_stream draw(seed, mmd::purpose::user);
    for (std::size_t i = 0; i < n; ++i) {
      oracle::text t;
      t.machine = i < 2 ? i == 1 : draw.below(3) != 0;
      const double u = 0.8 * draw.uniform() + (t.machine ? 0.2 : 0.0);
      t.score = static_cast<double>(static_cast<std::uint64_t>(u * static_cast<double>(levels)));
      t.cell = draw.below(12) == 0 ? 2 : static_cast<int>(draw.below(2));
      t.cluster = 1000 - static_cast<int>(draw.below(n / 3 + 1));
      t.set = t.machine ? static_cast<int>(draw.below(3)) : -1;
      add(t);
    }
  }
  void add(const oracle::text& t) {
    texts.push_back(t);
    scores.push_back(t.score);
    machine.push_back(t.machine ? 1 : 0);
    cell.push_back(t.cell);
    cluster.push_back(t.cluster);
    set.push_back(t.set);
  }
};

}  // namespace support
