// SPDX-License-Identifier: MIT
// The feature spaces that a kernel reads: the samples themselves, and what its maps make of them; which of them every backend packs, and
// how.
#pragma once

#include <concepts>
#include <cstdint>
#include <memory>
#include <string>
#include <type_traits>
#include <vector>

#include "mmd/core/matrix.hpp"
#include "mmd/engine/pooled.hpp"
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
  return std::is_same_v<S, computed<S>>
             ? 0
             : static_cast<std::uint64_t>(z.rows()) * static_cast<std::uint64_t>(z.cols()) * sizeof(compute_type<S>);
}

// A view of rows, whatever their number type: what is done with them is compiled once for all.
struct stored_rows {
  enum class storage { f64, f32, f16, bf16 };
  template <class S>
  static constexpr storage storage_of = std::same_as<S, double>    ? storage::f64
                                        : std::same_as<S, float>   ? storage::f32
                                        : std::same_as<S, float16> ? storage::f16
                                                                   : storage::bf16;
  static constexpr index_t value_bytes(storage type) { return type == storage::f64 ? 8 : type == storage::f32 ? 4 : 2; }

  const void* data;
  storage type;
  bool in_device;
  index_t rows, cols, row_stride, col_stride;
  template <class S>
  stored_rows(const samples<S>& x)
      : data(x.data()),
        type(storage_of<host_value<S>>),
        in_device(on_device<S>),
        rows(x.rows()),
        cols(x.cols()),
        row_stride(x.rowStride()),
        col_stride(x.colStride()) {}
  // The view that it was made of.
  template <class S>
  samples<S> as() const {
    return {static_cast<const S*>(data), rows, cols, row_stride, col_stride};
  }
};
// The rows of one feature space: a view for each group, read in the pooled order.
struct space_rows {
  std::vector<stored_rows> parts;
  const std::vector<index_t>* order;
  bool raw;  // the samples themselves
};

// What maps are given of samples x and hand on: the same numbers, computed with.
struct convert_on_host {
  template <class S>
  matrix<compute_type<S>> operator()(const samples<S>& x) const {
    return converted<compute_type<S>>(x);
  }
};

// The rows of every space, before packing. Maps run here, once for each group, on the calling thread. `convert` makes what maps take of
// half samples.
template <class S, class Convert = convert_on_host>
class space_sources {
  using value = computed<S>;
  using number = compute_type<S>;
  static constexpr bool host_only = std::is_same_v<Convert, convert_on_host>;  // no device's memory can be read
  static_assert(!host_only || !on_device<S>, "samples in a device's memory need that device's backend: mmd::cuda");
  template <class E>
  static constexpr bool readable = std::is_same_v<host_value<E>, number> && !(host_only && on_device<E>);

 public:
  std::vector<space_rows> spaces;
  std::uint64_t made_bytes = 0;  // values that maps returned

  template <class K, class... Q>
  space_sources(const K& k, const pooled<S>& z, expression::list<Q...> slots, Convert convert = {}) : convert_(convert) {
    [&]<class... Space>(expression::list<Space...>) { (add<Space>(k, z), ...); }(expression::spaces_of(slots));
  }

 private:
  Convert convert_;
  std::vector<std::shared_ptr<const void>> made_;
  std::vector<matrix_of<value>> converted_;

  template <class Space, class K>
  void add(const K& k, const pooled<S>& z) {
    spaces.push_back({{}, &z.order, std::is_same_v<Space, expression::raw>});
    std::vector<stored_rows>& parts = spaces.back().parts;
    if constexpr (std::is_same_v<Space, expression::raw>) {
      parts.assign(z.groups.begin(), z.groups.end());
    } else {
      expression::plan<K>::maps(k, [&]<class Place>(const auto& map) {
        if constexpr (std::is_same_v<Place, Space>) {
          if constexpr (is_given<std::decay_t<decltype(map)>>::value) {
            static_assert(readable<typename decltype(map.features)::Scalar>,
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
        for (const auto& g : z.groups) converted_.push_back(convert_(g));
        made_bytes += converted_bytes(z);
      }
      return {converted_.begin(), converted_.end()};
    }
  }
  template <class F>
  stored_rows mapped_group(const F& map, const samples<value>& group, const std::vector<stored_rows>& before) {
    using result = std::decay_t<decltype(map(group))>;
    static_assert(strided_matrix<result>, "a feature map returns a matrix: a row of features for each row of its argument");
    static_assert(readable<typename result::Scalar>, "a feature map returns the number type of its argument");
    const auto owned = std::make_shared<const result>(map(group));
    made_.push_back(owned);
    const samples<typename result::Scalar> out(*owned);
    require(out.rows() == group.rows(), "map: rows()", out.rows(),
            ("one row of features for each of the " + std::to_string(group.rows()) + " rows").c_str());
    require(before.empty() || out.cols() == before.front().cols, "map: cols()", out.cols(), "as many features for every group");
    made_bytes += static_cast<std::uint64_t>(out.rows()) * static_cast<std::uint64_t>(out.cols()) * sizeof(number);
    return out;
  }
};

// How many features each space has, and what maps will make of all rows; maps are asked for the features of one row.
struct widths_of_spaces {
  std::vector<index_t> widths;
  std::uint64_t made_bytes = 0;
};
template <class S, class K, class... Q, class Convert = convert_on_host>
widths_of_spaces space_widths(const K& k, const pooled<S>& z, expression::list<Q...> slots, const Convert& convert = {}) {
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
              const auto one = convert(z.groups.front().middle_rows(0, 1));
              d = map(samples<computed<S>>(one)).cols();
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

}  // namespace MMD_ISA
}  // namespace detail
}  // namespace mmd
