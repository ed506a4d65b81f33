// SPDX-License-Identifier: MIT
// What the tests of detection share: the message of an error, and random tables of scored texts.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "mmd/core/errors.hpp"
#include "mmd/core/philox.hpp"
#include "oracle/roc.hpp"

namespace support {

template <class F>
std::string message(F f) {
  try {
    f();
  } catch (const mmd::error& e) {
    return e.what();
  }
  return "nothing was thrown";
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
