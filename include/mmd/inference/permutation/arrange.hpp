// SPDX-License-Identifier: MIT
// The pooled rows in the order in which a test looks at them.
#pragma once

#include <type_traits>
#include <utility>
#include <vector>

#include "mmd/engine/backend.hpp"
#include "mmd/inference/result.hpp"
#include "mmd/kernels/plan.hpp"

namespace mmd {
namespace detail {
inline namespace MMD_ISA {

// Whether a kernel calls maps of the user's, and whether it reads features that exist already.
struct maps_of_kernel {
  bool called = false, given = false;
  template <class K>
  explicit maps_of_kernel(const K& k) {
    expression::plan<K>::maps(k, [&]<class Place>(const auto& map) { see(map); });
  }

 private:
  template <class F>
  void see(const F&) {
    called = true;
  }
  template <class T>
  void see(const mmd::given<T>&) {
    given = true;
  }
};

// Labels move between units of consecutive rows (single rows where `unit_rows` is empty). Nothing that is computed from `rows` can know
// their samples: maps too see all rows as one sample, in the order of the test, unless the kernel reads given features as well, which keep
// their own numbering.
template <class T>
class shuffled_pool {
 public:
  template <class B, class K>
  shuffled_pool(const B& on, const K& k, const pooled<T>& z, std::vector<index_t> order, std::vector<index_t> units, estimator e)
      : samples_as_given(z), unit_rows(std::move(units)), which(e) {
    const maps_of_kernel maps(k);
    if (maps.called && !maps.given) {
      joined_ = joined_rows(on, pooled<T>{z.groups, std::move(order)});
      rows.groups = {samples<T>(joined_)};
    } else {
      rows = {z.groups, std::move(order)};
    }
  }
  shuffled_pool(const shuffled_pool&) = delete;
  shuffled_pool& operator=(const shuffled_pool&) = delete;

  pooled<T> samples_as_given;  // x and y
  pooled<T> rows;
  std::vector<index_t> unit_rows;
  estimator which;

 private:
  matrix_of<T> joined_;
};

}  // namespace MMD_ISA
}  // namespace detail
}  // namespace mmd
