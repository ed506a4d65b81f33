// SPDX-License-Identifier: MIT
// One pass over the tiles: how the work is cut, what memory it takes, and how the reducers' copies are filled and merged.
#pragma once

#include <algorithm>
#include <cstddef>
#include <memory>
#include <vector>

#include "mmd/backends/cpu/add.hpp"
#include "mmd/backends/cpu/evaluator.hpp"
#include "mmd/engine/backend.hpp"

namespace mmd {
namespace detail {
inline namespace MMD_ISA {

// A reducer as the pass sees it: the pass is compiled once, not for every set of reducers. One indirect call a tile.
class any_reducer {
 public:
  explicit any_reducer(bool all_parts_share) : shared(all_parts_share) {}
  virtual ~any_reducer() = default;
  const bool shared;
  virtual std::uint64_t bytes(const layout&) const = 0;
  virtual void prepare(const layout&) = 0;
  virtual std::unique_ptr<any_reducer> copy() const = 0;  // of a shared one: another name for it
  virtual void assign(const any_reducer& same) = 0;       // both are copies of one
  virtual void merge(const any_reducer& part) = 0;
  virtual void take(const tile<float>&) = 0;
  virtual void take(const tile<double>&) = 0;
};
// T: the number type of the samples.
template <class R, class T>
class reducer_of final : public any_reducer {
 public:
  explicit reducer_of(R& r) : any_reducer(R::shared), r_(&r) {}
  reducer_of(const reducer_of&) = delete;
  reducer_of& operator=(const reducer_of&) = delete;
  ~reducer_of() override {
    if (owned_) delete r_;
  }
  std::uint64_t bytes(const layout& lay) const override { return reducer_bytes(*r_, lay); }
  void prepare(const layout& lay) override { r_->prepare(lay); }
  std::unique_ptr<any_reducer> copy() const override {
    auto* const same = new reducer_of(*r_);
    std::unique_ptr<any_reducer> out(same);
    if (!R::shared) {
      same->r_ = new R(*r_);
      same->owned_ = true;
    }
    return out;
  }
  void assign(const any_reducer& same) override {
    if (!R::shared) *r_ = *static_cast<const reducer_of&>(same).r_;
  }
  void merge(const any_reducer& part) override {
    if (!R::shared) r_->merge(*static_cast<const reducer_of&>(part).r_);
  }
  void take([[maybe_unused]] const tile<float>& t) override {
    if constexpr (std::same_as<T, float>) add(*r_, t);
  }
  void take(const tile<double>& t) override { add(*r_, t); }

 private:
  R* r_;
  bool owned_ = false;
};
using reducer_list = std::vector<any_reducer*>;

// The values of a kernel, tile by tile, as the pass sees them: it is compiled once, not for every kernel.
class tile_source {
 public:
  virtual ~tile_source() = default;
  virtual std::uint64_t buffer_bytes() const = 0;
  // Evaluates one tile and adds it to every reducer.
  virtual void feed(const panel& I, const panel& J, bool diagonal, void* buffer, const reducer_list& to) const = 0;
};
template <class T, class K, class Slots>
class tiles_of final : public tile_source {
 public:
  explicit tiles_of(const evaluator<T, K, Slots>& eval) : eval_(eval) {}
  std::uint64_t buffer_bytes() const override { return eval_.n * tile_values * sizeof(T); }
  void feed(const panel& I, const panel& J, bool diagonal, void* buffer, const reducer_list& to) const override {
    T* out[Slots::size];
    for (int s = 0; s < Slots::size; ++s) out[s] = static_cast<T*>(buffer) + at(s) * tile_values;
    eval_(I, J, diagonal, out);
    const tile<T> t{out[0], tile_ld, I, J, diagonal};
    for (any_reducer* r : to) r->take(t);
  }

 private:
  const evaluator<T, K, Slots>& eval_;
};

// The parts of a pass are fixed by the sizes alone. `copies` (of the reducers) are alive at a time; 0 when there is one part, which fills
// the reducers themselves.
struct pass_plan {
  std::uint64_t fixed_bytes = 0, copy_bytes = 0, result_bytes = 0;
  index_t parts = 1, copies = 0;
  std::uint64_t bytes() const { return fixed_bytes + copy_bytes * static_cast<std::uint64_t>(copies + (copies > 0)); }
};

// What the reducers hold: those that every part has a copy of, and those that all parts share.
struct reducers_bytes {
  std::uint64_t merged = 0, shared = 0;
  void add(bool is_shared, std::uint64_t bytes) { (is_shared ? shared : merged) += bytes; }
};

// widths: of each space; value_bytes: of what the pass computes in.
inline pass_plan plan_pass(std::uint64_t value_bytes, int threads, std::uint64_t limit, const layout& lay, const std::vector<panel>& panels,
                           const tile_list& tiles, const space_numbers& numbers, const std::vector<index_t>& widths,
                           std::uint64_t made_bytes, reducers_bytes results) {
  constexpr std::uint64_t slack = 1 << 16;  // small vectors
  pass_plan plan;
  plan.fixed_bytes = slack + made_bytes + panels.size() * (sizeof(panel) + sizeof(double));
  for (const auto& p : numbers.packings) plan.fixed_bytes += packed_bytes(lay.rows, packed_rows(panels), widths[at(p.space)], value_bytes);
  const std::uint64_t buffer = numbers.of_slot.size() * tile_values * value_bytes;
  plan.copy_bytes = results.merged + buffer;
  plan.result_bytes = results.shared + results.merged + static_cast<std::uint64_t>(lay.rows) * sizeof(double);

  // A part is worth its copy: clearing and merging it takes a few per cent of the part's own work; less in a long pass, whose parts take
  // about .1 s, or more where the copy is above 4 MB.
  double depth = 0;
  for (const int space : numbers.of_slot) depth += 2 * static_cast<double>(widths[at(space)]) + 30;
  const double work = tiles.pairs() * depth, least = std::max(8e6, 250 * static_cast<double>(results.merged));
  plan.parts = std::clamp<index_t>(static_cast<index_t>(std::max(std::min(256.0, work / least), work / std::max(1e10, 10 * least))), 1,
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
struct pass_copy {
  std::vector<std::unique_ptr<any_reducer>> own;
  reducer_list reducers;
  aligned<std::byte> buffer;
  pass_copy(const reducer_list& from, std::uint64_t buffer_bytes) : buffer(buffer_bytes) {
    for (const any_reducer* r : from) reducers.push_back(own.emplace_back(r->copy()).get());
  }
};

template <class Report>
void run_pass(int threads, const pass_plan& plan, const std::vector<panel>& panels, const tile_list& tiles, const tile_source& source,
              const Report& report, const reducer_list& reducers) {
  constexpr index_t parts_between_reports = 4;  // for each thread
  const auto fill = [&](index_t part, void* buffer, const reducer_list& to) {
    tiles.visit(tiles.size() * part / plan.parts, tiles.size() * (part + 1) / plan.parts,
                [&](tile_list::place p) { source.feed(panels[at(p.i)], panels[at(p.j)], p.i == p.j, buffer, to); });
  };
  report(index_t{0}, tiles.size());
  if (plan.parts == 1) {
    const aligned<std::byte> buffer(source.buffer_bytes());
    fill(0, buffer.p, reducers);
    report(tiles.size(), tiles.size());
    return;
  }
  const pass_copy empty(reducers, 0);
  std::vector<std::unique_ptr<pass_copy>> copies;
  std::vector<pass_copy*> free;
  for (index_t c = 0; c < plan.copies; ++c) {
    free.push_back(copies.emplace_back(std::make_unique<pass_copy>(reducers, source.buffer_bytes())).get());
  }
  const int team = team_size(threads, plan.parts);
  const index_t round = report.wanted() ? std::max<index_t>(parts_between_reports * team, plan.parts / 64) : plan.parts;
  for (index_t first = 0; first < plan.parts; first += round) {
    const index_t last = std::min(plan.parts, first + round);
    parallel_merge(
        team, first, last, free,
        [&](index_t part, pass_copy& c) {
          for (std::size_t r = 0; r < reducers.size(); ++r) c.reducers[r]->assign(*empty.reducers[r]);
          fill(part, c.buffer.p, c.reducers);
        },
        [&](const pass_copy& c) {
          for (std::size_t r = 0; r < reducers.size(); ++r) reducers[r]->merge(*c.reducers[r]);
        });
    report(tiles.size() * last / plan.parts, tiles.size());
  }
}

}  // namespace MMD_ISA
}  // namespace detail
}  // namespace mmd
