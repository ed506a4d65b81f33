// SPDX-License-Identifier: MIT
// Documents of n sentences against one kept reference.
#pragma once

#include <vector>

#include "mmd/inference/subset_reference.hpp"
#include "support/bench.hpp"

namespace bench {

class document_batch {
 public:
  static constexpr index_t count = 200, d = 64;
  document_batch(index_t n, index_t reference_rows, index_t draws, bool shared)
      : reference_(mmd::cpu{}, rows<float>(reference_rows, d), mmd::gaussian(bandwidth)),
        options_{.permutations = draws, .shared_draws = shared} {
    const auto all = rows<float>(n * count, d, reference_rows * d);
    for (index_t i = 0; i < count; ++i) documents_.push_back(all.middle_rows(i * n, n));
  }
  void run(const mmd::cpu& on) const { benchmark::DoNotOptimize(reference_.test(on, documents_, options_).data()); }

 private:
  static constexpr double bandwidth = 11;
  mmd::SubsetReference<mmd::gaussian, float> reference_;
  mmd::BatchOptions options_;
  std::vector<samples<float>> documents_;
};

}  // namespace bench
