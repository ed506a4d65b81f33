// SPDX-License-Identifier: MIT
// One pass over the tiles: how the work is cut, what memory it takes, and how the reducers' copies are filled and merged.
#pragma once

#include <algorithm>
#include <memory>
#include <tuple>
#include <vector>

#include "mmd/backends/cpu/add.hpp"
#include "mmd/backends/cpu/evaluator.hpp"
#include "mmd/engine/backend.hpp"

namespace mmd {
namespace detail {
inline namespace MMD_ISA {

// What a copy of the reducer takes; one that owns memory says so by `bytes(layout)`.
template <class R>
std::uint64_t reducer_bytes(const R& r, const layout& lay) {
  if constexpr (requires {
                  { r.bytes(lay) } -> std::convertible_to<std::uint64_t>;
                }) {
    return sizeof(R) + static_cast<std::uint64_t>(r.bytes(lay));
  } else {
    return sizeof(R);
  }
}
template <class R>
auto copy_or_pointer(R& r) {
  if constexpr (R::shared) {
    return &r;
  } else {
    return R(r);
  }
}
template <class R>
R& object(R& r) {
  return r;
}
template <class R>
R& object(R*& r) {
  return *r;
}

// The parts of a pass are fixed by the sizes alone. `copies` (of the reducers) are alive at a time; 0 when there is one part, which fills
// the reducers themselves.
struct pass_plan {
  std::uint64_t fixed_bytes = 0, copy_bytes = 0, result_bytes = 0;
  index_t parts = 1, copies = 0;
  std::uint64_t bytes() const { return fixed_bytes + copy_bytes * static_cast<std::uint64_t>(copies + (copies > 0)); }
};

template <class T, class... Q, class... R>
pass_plan plan_pass(int threads, std::uint64_t limit, const layout& lay, const std::vector<panel>& panels, const tile_list& tiles,
                    const std::vector<index_t>& widths, expression::list<Q...> slots, std::uint64_t made_bytes, const R&... reducers) {
  constexpr std::uint64_t slack = 1 << 16;  // small vectors
  const auto width = [&]<class Space>(expression::list<Space>) {
    return widths[at(expression::position<Space>(expression::spaces_of(slots)))];
  };
  pass_plan plan;
  plan.fixed_bytes = slack + made_bytes + panels.size() * (sizeof(panel) + sizeof(double));
  [&]<class... P>(expression::list<P...>) {
    ((plan.fixed_bytes += features<T>::bytes(lay.rows, packed_rows(panels), width(expression::list<typename P::space>{}))), ...);
  }(packings_of(slots));
  std::uint64_t merged_bytes = 0;
  (((R::shared ? plan.result_bytes : merged_bytes) += reducer_bytes(reducers, lay)), ...);
  const std::uint64_t buffer = sizeof...(Q) * std::uint64_t{panel_rows} * panel_rows * sizeof(T);
  plan.copy_bytes = merged_bytes + buffer;
  plan.result_bytes += merged_bytes + static_cast<std::uint64_t>(lay.rows) * sizeof(double);

  // A part is worth its copy: clearing and merging it takes a few per cent of the part's own work, and one part takes about .1 s at most.
  double depth = 0;
  ((depth += 2 * static_cast<double>(width(expression::list<typename Q::space>{})) + 30), ...);
  const double work = tiles.pairs() * depth, least = std::max(8e6, 250 * static_cast<double>(merged_bytes));
  plan.parts = std::clamp<index_t>(static_cast<index_t>(std::max(std::min(256.0, work / least), work / 1e10)), 1,
                                   std::max<index_t>(1, tiles.size()));
  if (plan.parts == 1) {
    plan.fixed_bytes += buffer;
  } else {
    const int team = team_size(threads, plan.parts);
    const std::uint64_t room = plan.fixed_bytes < limit ? (limit - plan.fixed_bytes) / plan.copy_bytes : 0;
    plan.copies = std::clamp<index_t>(static_cast<index_t>(std::min<std::uint64_t>(room, 1 << 20)) - 1, 1,
                                      std::min<index_t>(plan.parts, team == 1 ? 1 : 2 * team));
  }
  if (plan.bytes() > limit) throw memory_limit_exceeded("mmd: a pass over " + std::to_string(lay.rows) + " rows", plan.bytes(), limit);
  return plan;
}

// A copy of the reducers, and the tile that it is filled from.
template <class T, int slots, class... R>
struct pass_copy {
  std::tuple<std::conditional_t<R::shared, R*, R>...> reducers;
  aligned<T> buffer;
  explicit pass_copy(R&... r) : reducers(copy_or_pointer(r)...), buffer(std::size_t{slots} * panel_rows * panel_rows) {}
};

template <class T, class Evaluator, class Report, class... R>
void run_pass(int threads, const pass_plan& plan, const std::vector<panel>& panels, const tile_list& tiles, const Evaluator& eval,
              Report&& report, R&... reducers) {
  constexpr int slots = Evaluator::n;
  constexpr index_t parts_between_reports = 4;  // for each thread
  const auto fill = [&](index_t part, T* buffer, auto&... to) {
    T* out[slots];
    for (int s = 0; s < slots; ++s) out[s] = buffer + s * panel_rows * panel_rows;
    tiles.visit(tiles.size() * part / plan.parts, tiles.size() * (part + 1) / plan.parts, [&](tile_list::place p) {
      const panel &I = panels[at(p.i)], &J = panels[at(p.j)];
      eval(I, J, p.i == p.j, out);
      const tile<T> t{out[0], panel_rows, I, J, p.i == p.j};
      (add(to, t), ...);
    });
  };
  report(index_t{0}, tiles.size());
  if (plan.parts == 1) {
    const aligned<T> buffer(std::size_t{slots} * panel_rows * panel_rows);
    fill(0, buffer.p, reducers...);
    report(tiles.size(), tiles.size());
    return;
  }
  using copy = pass_copy<T, slots, R...>;
  const std::tuple<std::conditional_t<R::shared, R*, R>...> empty(copy_or_pointer(reducers)...);
  std::vector<std::unique_ptr<copy>> copies;
  std::vector<copy*> free;
  for (index_t c = 0; c < plan.copies; ++c) free.push_back(copies.emplace_back(std::make_unique<copy>(reducers...)).get());

  const int team = team_size(threads, plan.parts);
  const index_t round = report.wanted() ? std::max<index_t>(parts_between_reports * team, plan.parts / 64) : plan.parts;
  for (index_t first = 0; first < plan.parts; first += round) {
    const index_t last = std::min(plan.parts, first + round);
    parallel_merge(
        team, first, last, free,
        [&](index_t part, copy& c) {
          c.reducers = empty;
          std::apply([&](auto&... r) { fill(part, c.buffer.p, object(r)...); }, c.reducers);
        },
        [&](copy& c) {
          [&]<std::size_t... r>(std::index_sequence<r...>) {
            (
                [&] {
                  if constexpr (!R::shared) reducers.merge(std::get<r>(c.reducers));
                }(),
                ...);
          }
          (std::index_sequence_for<R...>{});
        });
    report(tiles.size() * last / plan.parts, tiles.size());
  }
}

}  // namespace MMD_ISA
}  // namespace detail
}  // namespace mmd
