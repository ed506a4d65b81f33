// SPDX-License-Identifier: MIT
// Which rows each training step sees.
#pragma once

#include <algorithm>
#include <numeric>
#include <span>
#include <vector>

#include "mmd/core/philox.hpp"

namespace mmd {
inline namespace MMD_ISA {

// Batches of one sample without replacement: every epoch puts the rows in a new random order and cuts it into whole batches; the rows left
// over sit that epoch out. The order of epoch e is a function of (seed, batches, sample, e) alone.
class RowBatches {
 public:
  RowBatches(index_t rows, index_t batch, std::uint64_t seed, std::uint64_t sample)
      : rows_(rows), batch_(std::min(rows, batch)), seed_(seed), sample_(sample) {
    detail::require(batch_ >= 1, "batch", batch_, "at least 1");
  }
  index_t batch() const { return batch_; }
  index_t batches_an_epoch() const { return rows_ / batch_; }
  // Valid until the next call.
  std::span<const index_t> next() {
    if (order_.empty() || used_ + batch_ > rows_) {
      order_.resize(static_cast<std::size_t>(rows_));
      std::iota(order_.begin(), order_.end(), index_t{0});
      random_stream(seed_, purpose::batches, sample_, epoch_++).shuffle(std::span(order_));
      used_ = 0;
    }
    used_ += batch_;
    return std::span(order_).subspan(static_cast<std::size_t>(used_ - batch_), static_cast<std::size_t>(batch_));
  }

 private:
  index_t rows_, batch_, used_ = 0;
  std::uint64_t seed_, sample_, epoch_ = 0;
  std::vector<index_t> order_;
};

}  // namespace MMD_ISA
}  // namespace mmd
