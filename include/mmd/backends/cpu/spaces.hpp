// SPDX-License-Identifier: MIT
// The feature spaces that a kernel reads: the samples themselves, and what its maps make of them.
#pragma once

#include <cmath>
#include <memory>
#include <string>
#include <type_traits>
#include <vector>

#include "mmd/backends/cpu/features.hpp"
#include "mmd/core/matrix.hpp"
#include "mmd/kernels/plan.hpp"

namespace mmd {
namespace detail {
inline namespace MMD_ISA {

template <class T>
struct is_given : std::false_type {};
template <class T>
struct is_given<given<T>> : std::true_type {};

// Squared distances are read from centred features, everything else from features as they are. A space whose kernels read both is packed
// twice.
template <class Space, bool centred>
struct packing {
  using space = Space;
  static constexpr bool centre = centred;
};
template <class Slot>
using packing_of = packing<typename Slot::space, Slot::quantity == pair::squared_distance>;
template <class... Q>
consteval auto packings_of(expression::list<Q...>) {
  return expression::unite_all(expression::list<>{}, expression::list<packing_of<Q>>{}...);
}
template <class Slot, class... Q>
consteval int packing_index(expression::list<Q...> slots) {
  return expression::position<packing_of<Slot>>(packings_of(slots));
}

// A kernel's spaces in numbers, for what is compiled once for all kernels.
struct space_numbers {
  struct packing {
    int space;
    bool centre;
  };
  std::vector<packing> packings;
  std::vector<int> of_slot;  // the space that each slot reads
};
template <class... Q>
space_numbers numbers_of(expression::list<Q...> slots) {
  constexpr auto spaces = expression::spaces_of(slots);
  return [&]<class... P>(expression::list<P...>) -> space_numbers {
    return {{{expression::position<typename P::space>(spaces), P::centre}...}, {expression::position<typename Q::space>(spaces)...}};
  }(packings_of(slots));
}

// What the copy of half samples takes that maps read.
template <class S>
std::uint64_t converted_bytes(const pooled<S>& z) {
  return std::is_same_v<S, compute_type<S>>
             ? 0
             : static_cast<std::uint64_t>(z.rows()) * static_cast<std::uint64_t>(z.cols()) * sizeof(compute_type<S>);
}

// The rows of every space, before packing. Maps run here, once for each group, on the calling thread.
template <class S>
class space_sources {
  using value = compute_type<S>;

 public:
  std::vector<row_source> spaces;
  std::vector<char> raw;         // the space is the samples themselves
  std::uint64_t made_bytes = 0;  // values that maps returned

  template <class K, class... Q>
  space_sources(const K& k, const pooled<S>& z, expression::list<Q...> slots) {
    [&]<class... Space>(expression::list<Space...>) { (add<Space>(k, z), ...); }(expression::spaces_of(slots));
  }

  // Throws invalid_input where a value of that space, which maps made, is not finite.
  void check(std::size_t space) const {
    for (const auto& p : spaces[space].parts) {
      check_sample(samples<value>(static_cast<const value*>(p.data), p.rows, p.cols, p.row_stride, p.col_stride), "mapped features");
    }
  }

 private:
  std::vector<std::shared_ptr<const void>> made_;
  std::vector<matrix<value>> converted_;

  template <class Space, class K>
  void add(const K& k, const pooled<S>& z) {
    raw.push_back(std::is_same_v<Space, expression::raw>);
    spaces.push_back({{}, &z.order});
    std::vector<row_source::part>& parts = spaces.back().parts;
    if constexpr (std::is_same_v<Space, expression::raw>) {
      parts.assign(z.groups.begin(), z.groups.end());
    } else {
      expression::plan<K>::maps(k, [&]<class Place>(const auto& map) {
        if constexpr (std::is_same_v<Place, Space>) {
          using map_type = std::decay_t<decltype(map)>;
          if constexpr (is_given<map_type>::value) {
            static_assert(std::is_same_v<map_type, given<value>>,
                          "given(features): features and samples need the same number type, float beside half samples");
            require(map.features.rows() == z.rows(), "given: features.rows()", map.features.rows(),
                    ("one row for each of the " + std::to_string(z.rows()) + " pooled rows").c_str());
            parts.push_back(map.features);
          } else {
            const auto groups = computed_groups(z);
            for (const auto& g : groups) parts.push_back(mapped_group(map, g, parts));
          }
        }
      });
    }
  }
  // The samples as maps take them: a copy of half samples, made once for all maps.
  std::vector<samples<value>> computed_groups(const pooled<S>& z) {
    if constexpr (std::is_same_v<S, value>) {
      return z.groups;
    } else {
      if (converted_.empty()) {
        for (const auto& g : z.groups) converted_.push_back(converted<value>(g));
        made_bytes += converted_bytes(z);
      }
      return {converted_.begin(), converted_.end()};
    }
  }
  template <class F>
  samples<value> mapped_group(const F& map, const samples<value>& group, const std::vector<row_source::part>& before) {
    using result = std::decay_t<decltype(map(group))>;
    static_assert(strided_matrix<result>, "a feature map returns a matrix: a row of features for each row of its argument");
    static_assert(std::is_same_v<typename result::Scalar, value>, "a feature map returns the number type of its argument");
    const auto owned = std::make_shared<const result>(map(group));
    made_.push_back(owned);
    const samples<value> out(*owned);
    require(out.rows() == group.rows(), "map: rows()", out.rows(),
            ("one row of features for each of the " + std::to_string(group.rows()) + " rows").c_str());
    require(before.empty() || out.cols() == before.front().cols, "map: cols()", out.cols(), "as many features for every group");
    made_bytes += static_cast<std::uint64_t>(out.rows()) * static_cast<std::uint64_t>(out.cols()) * sizeof(value);
    return out;
  }
};

// How many features each space has, and what maps will make of all rows; maps are asked for the features of one row.
struct widths_of_spaces {
  std::vector<index_t> widths;
  std::uint64_t made_bytes = 0;
};
template <class S, class K, class... Q>
widths_of_spaces space_widths(const K& k, const pooled<S>& z, expression::list<Q...> slots) {
  const auto one = converted<compute_type<S>>(z.groups.front().middle_rows(0, 1));
  const std::uint64_t column_bytes = static_cast<std::uint64_t>(z.rows()) * sizeof(compute_type<S>);
  widths_of_spaces out;
  bool called = false;
  [&]<class... Space>(expression::list<Space...>) {
    const auto width = [&]<class P>(expression::list<P>) {
      index_t d = z.cols();
      if constexpr (!std::is_same_v<P, expression::raw>) {
        expression::plan<K>::maps(k, [&]<class Place>(const auto& map) {
          if constexpr (std::is_same_v<Place, P>) {
            if constexpr (is_given<std::decay_t<decltype(map)>>::value) {
              d = map.features.cols();
            } else {
              d = map(samples<compute_type<S>>(one)).cols();
              out.made_bytes += static_cast<std::uint64_t>(d) * column_bytes;
              called = true;
            }
          }
        });
      }
      out.widths.push_back(d);
    };
    (width(expression::list<Space>{}), ...);
  }(expression::spaces_of(slots));
  if (called) out.made_bytes += converted_bytes(z);
  return out;
}

// Packs every space as T, as the slots read it. Names the first value of a map that is not finite.
template <class T, class S>
std::vector<features<T>> pack_spaces(int threads, const layout& lay, const std::vector<panel>& panels, const space_sources<S>& sources,
                                     const space_numbers& numbers) {
  std::vector<features<T>> packed;
  packed.reserve(numbers.packings.size());
  for (const auto& p : numbers.packings) {
    const std::size_t space = at(p.space);
    packed.emplace_back(threads, lay, panels, sources.spaces[space], p.centre);
    if (!sources.raw[space] && !std::isfinite(packed.back().largest_norm)) sources.check(space);
  }
  return packed;
}

}  // namespace MMD_ISA
}  // namespace detail
}  // namespace mmd
