// SPDX-License-Identifier: MIT
// Passes over tiles of given features, with all values of the tiles written out: no packing, no reducers of the library.
#pragma once

#include <cmath>
#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "mmd/backends/cuda/pass.cuh"

namespace tiles {

using mmd::index_t;
namespace part = mmd::detail;
using part::arithmetic;
using part::product_options;

inline std::size_t at(index_t i) { return static_cast<std::size_t>(i); }

// A reducer that keeps every entry of every tile as it stood in the registers, through shared memory, and counts how often it came.
struct written {
  index_t rows = 0;
  std::vector<double> value = {};  // N x N, NaN where nothing was written
  std::vector<int> times = {}, astray = {};
  double operator()(index_t i, index_t j) const { return value[at(i * rows + j)]; }

  static constexpr bool shared = true;
  void prepare(const mmd::layout& l) {
    rows = l.rows;
    value.assign(at(rows * rows), NAN);
    times.assign(value.size(), 0);
    astray.assign(1, 0);
  }
  void merge(const written&) {}
};

struct written_view {
  double* value;
  int *times, *astray;
  index_t rows;

  template <class T, int C>
  __device__ void add(const part::fragment<T, C>& k, const part::tile_place& p, unsigned char* shared) const {
    using F = part::fragment<T, C>;
    const int t = static_cast<int>(threadIdx.x);
    // By rows of 128 bytes at most: 40 KiB hold a quarter of the widest tile of doubles.
    auto* const tile = reinterpret_cast<T*>(shared);
    for (int a = 0; a < 8; ++a) {
      if (a > 0) __syncthreads();  // the first time it is the pass that has to wait
      for (int b = 0; b < C; ++b) tile[(F::row(t, a) / 64 * 8 + F::row(t, a) % 8) * F::tile_columns + F::column(t, b)] = k.v[a][b];
      __syncthreads();
      for (int e = t; e < 16 * F::tile_columns; e += part::tile_threads) {
        const int line = e / F::tile_columns, row = line / 8 * 64 + 8 * a + line % 8, column = e % F::tile_columns;
        const double v = static_cast<double>(tile[e]);
        const index_t i = p.first_i + row, j = p.first_j + column;
        if (row >= p.rows || column >= p.cols || i == j) {
          if (v != 0) atomicAdd(astray, 1);
        }
        if (row < p.rows && column < p.cols) {
          value[i * rows + j] = v;
          atomicAdd(times + i * rows + j, 1);
        }
      }
    }
  }
};

}  // namespace tiles

template <>
class mmd::detail::device_part<tiles::written> {
 public:
  using view = tiles::written_view;
  device_part(device_context& on, tiles::written& r, const layout&, const std::vector<panel>&, int, int)
      : on_(on),
        r_(r),
        value_(upload(on, std::span<const double>(r.value), "values")),
        times_(upload(on, std::span<const int>(r.times), "counts")),
        astray_(upload(on, std::span<const int>(r.astray), "a count")) {}
  static std::uint64_t bytes(const tiles::written&, const layout& l, int, int) {
    return static_cast<std::uint64_t>(l.rows * l.rows) * 12 + 4;
  }
  view on_stream(int) const { return {value_.data(), times_.data(), astray_.data(), r_.rows}; }
  void fold(int, const macro&, const pass_view&) {}
  void finish() {
    on_.order(1, 0);
    value_.get(r_.value, on_.stream(0));
    times_.get(r_.times, on_.stream(0));
    astray_.get(r_.astray, on_.stream(0));
  }

 private:
  device_context& on_;
  tiles::written& r_;
  buffer<double> value_;
  buffer<int> times_, astray_;
};

namespace tiles {

inline part::device_context& device() {
  static part::device_context on(0);
  return on;
}
inline void thread_order([[maybe_unused]] unsigned seed) {
#if defined(CUSHIM)
  cuda_shim::options().seed = seed;
#endif
}

// Rows of several spaces, the same groups in each.
template <class T>
struct problem {
  std::vector<index_t> groups;
  std::vector<std::pair<int, int>> skip = {};
  index_t rows = 0;
  std::vector<std::vector<std::vector<double>>> spaces = {};  // [space][row][feature]: values that T holds

  // Values in [-scale, scale], with all bits of T.
  problem(std::vector<index_t> sizes, const std::vector<index_t>& widths, double scale = 1, std::vector<std::pair<int, int>> skipped = {})
      : groups(std::move(sizes)), skip(std::move(skipped)) {
    for (const index_t n : groups) rows += n;
    std::uint64_t state = 99;
    for (const index_t d : widths) {
      auto& space = spaces.emplace_back(at(rows), std::vector<double>(at(d)));
      for (auto& row : space) {
        for (double& v : row) {
          state = state * 6364136223846793005u + 1442695040888963407u;
          v = static_cast<double>(static_cast<T>(scale * (static_cast<double>(state >> 11) * 0x1p-52 - 1)));
        }
      }
    }
  }
  int group_of(index_t i) const {
    int g = 0;
    while (i >= groups[at(g)]) i -= groups[at(g++)];
    return g;
  }
  bool skips(index_t i, index_t j) const {
    for (const auto& [g, h] : skip) {
      if ((group_of(i) == g && group_of(j) == h) || (group_of(i) == h && group_of(j) == g)) return true;
    }
    return false;
  }
};

struct every_pass {
  bool wanted() const { return false; }
  void operator()(index_t, index_t) const {}
};

// What a pass is to do apart from what the options say; and what it did.
struct ways {
  product_options options = {};
  std::optional<arithmetic> by = {};
  int side = 2;
};

template <class T>
part::device_features<T> packed(const problem<T>& z, const std::vector<mmd::panel>& panels, std::size_t space) {
  const auto& from = z.spaces[space];
  const index_t d = static_cast<index_t>(from.front().size());
  part::device_features<T> out(device(), d, static_cast<index_t>(panels.size()) * mmd::panel_rows);
  std::vector<T> value(at(out.rows * out.d_padded)), norm(at(out.rows));
  for (const mmd::panel& p : panels) {
    for (int r = 0; r < p.rows; ++r) {
      double sum = 0;
      for (index_t k = 0; k < d; ++k) {
        const double v = from[at(p.first + r)][at(k)];
        value[at((p.packed + r) * out.d_padded + k)] = static_cast<T>(v);
        sum += v * v;
      }
      norm[at(p.packed + r)] = static_cast<T>(sum);
      out.largest_norm = std::max(out.largest_norm, sum);
    }
  }
  out.z.put(value, device().stream(0));
  out.norm.put(norm, device().stream(0));
  return out;
}

// The kernel's spaces are z.spaces in the order of the expression.
template <class T, class K, class Report, class... R>
void pass(const problem<T>& z, const K& k, const ways& how, const Report& report, R&... reducers) {
  using slots = mmd::slots_of<K>;
  auto& on = device();
  mmd::layout lay;
  const auto panels = part::cut_groups(z.groups, mmd::panel_rows, lay);
  const part::tile_list tiles(lay, panels, z.skip);
  const auto panels_there = part::upload(on, std::span<const mmd::panel>(panels), "panels");
  std::vector<part::device_features<T>> features;
  std::vector<index_t> widths;
  for (const auto& p : part::numbers_of(slots{}).packings) {
    features.push_back(packed(z, panels, at(p.space)));
    widths.push_back(features.back().d);
  }
  (reducers.prepare(lay), ...);
  auto plan =
      part::plan_tiles<T>(on, how.options, slots{}, widths, lay, static_cast<index_t>(panels.size()), ~std::uint64_t{0}, reducers...);
  plan.side = std::min(plan.side, how.side);
  if (how.by) {
    for (auto& slot : plan.slots) slot.by = *how.by;
  }
  part::run_tiles<T>(on, how.options, mmd::without_maps(k), slots{}, plan, features, lay, panels, panels_there, tiles, report, reducers...);
}
template <class T, class K>
written values_of(const problem<T>& z, const K& k, const ways& how = {}) {
  written out;
  pass(z, k, how, every_pass{}, out);
  return out;
}

}  // namespace tiles
