// SPDX-License-Identifier: MIT
// The feature spaces that a kernel reads: the samples themselves, and what its maps make of them.
#pragma once

#include <memory>
#include <string>
#include <type_traits>
#include <vector>

#include "mmd/backends/cpu/features.hpp"
#include "mmd/kernels/plan.hpp"

namespace mmd {
namespace detail {
inline namespace MMD_ISA {

template <class T>
struct is_given : std::false_type {};
template <class T>
struct is_given<given<T>> : std::true_type {};

// The rows of every space, before packing. Maps run here, once for each group, on the calling thread.
template <class S>
struct space_sources {
  struct one {
    row_source<S> rows;
    bool centre;  // no kernel reads an inner product of this space
    bool raw;
  };
  std::vector<one> all;
  std::vector<std::shared_ptr<const void>> made;  // what the maps returned

  template <class K, class... Q>
  space_sources(const K& k, const pooled<S>& z, expression::list<Q...> slots) {
    [&]<class... Space>(expression::list<Space...>) {
      all.reserve(sizeof...(Space));
      (add<Space>(k, z, slots), ...);
    }(expression::spaces_of(slots));
  }

 private:
  template <class Space, class K, class... Q>
  void add(const K& k, const pooled<S>& z, expression::list<Q...>) {
    constexpr bool centre = !((std::is_same_v<typename Q::space, Space> && Q::quantity == pair::inner_product) || ...);
    constexpr bool raw = std::is_same_v<Space, expression::raw>;
    all.push_back({{{}, &z.order}, centre, raw});
    std::vector<samples<S>>& parts = all.back().rows.parts;
    if constexpr (raw) {
      parts = z.groups;
    } else {
      expression::plan<K>::maps(k, [&]<class Place>(const auto& map) {
        if constexpr (std::is_same_v<Place, Space>) {
          using map_type = std::decay_t<decltype(map)>;
          if constexpr (is_given<map_type>::value) {
            static_assert(std::is_same_v<map_type, given<S>>, "given(features): features and samples need the same number type");
            require(map.features.rows() == z.rows(), "given: features.rows()", map.features.rows(), "one row for each pooled row");
            parts.push_back(map.features);
          } else {
            for (const auto& g : z.groups) parts.push_back(mapped_group(map, g));
          }
        }
      });
    }
  }
  template <class F>
  samples<S> mapped_group(const F& map, const samples<S>& group) {
    using result = std::decay_t<decltype(map(group))>;
    static_assert(strided_matrix<result>, "a feature map returns a matrix: a row of features for each row of its argument");
    static_assert(std::is_same_v<typename result::Scalar, S>, "a feature map returns the number type of its argument");
    const auto owned = std::make_shared<const result>(map(group));
    made.push_back(owned);
    const samples<S> out(*owned);
    require(out.rows() == group.rows(), "map: rows()", out.rows(), ("one row for each of the " + std::to_string(group.rows())).c_str());
    require(all.back().rows.parts.empty() || out.cols() == all.back().rows.parts.front().cols(), "map: cols()", out.cols(),
            "as many columns for every group");
    return out;
  }
};

// Packs every space as T. Names the first value of a map that is not finite.
template <class T, class S>
std::vector<features<T>> pack_spaces(int threads, const layout& lay, const std::vector<panel>& panels, const space_sources<S>& sources) {
  std::vector<features<T>> packed;
  packed.reserve(sources.all.size());
  for (const auto& s : sources.all) {
    packed.emplace_back(threads, lay, panels, s.rows, s.centre);
    if (s.raw || std::isfinite(packed.back().largest_norm)) continue;
    for (const samples<S>& part : s.rows.parts) check_sample(part, "mapped features");
  }
  return packed;
}

}  // namespace MMD_ISA
}  // namespace detail
}  // namespace mmd
