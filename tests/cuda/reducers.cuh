// SPDX-License-Identifier: MIT
// Feeds the device's parts of reducers with the tiles of a given matrix, without a product or a kernel.
#pragma once

#include <algorithm>
#include <cstdint>
#include <tuple>
#include <utility>
#include <vector>

#include "mmd/backends/cuda/reducers/all.cuh"

namespace fed {

using mmd::index_t;
namespace part = mmd::detail;

// Groups of rows and a symmetric matrix of their pairs, zero on its diagonal, whose values need all bits of T. k(z, z) lies apart.
template <class T>
struct problem {
  std::vector<index_t> groups;
  std::vector<std::pair<int, int>> skip = {};
  index_t rows = 0;
  std::vector<T> k = {};
  std::vector<double> diagonal = {};
  std::vector<int> group_of = {};

  problem(std::vector<index_t> sizes, std::vector<std::pair<int, int>> skipped = {}, bool positive = false)
      : groups(std::move(sizes)), skip(std::move(skipped)) {
    for (std::size_t g = 0; g < groups.size(); ++g) {
      rows += groups[g];
      group_of.insert(group_of.end(), static_cast<std::size_t>(groups[g]), static_cast<int>(g));
    }
    k.resize(static_cast<std::size_t>(rows * rows));
    std::uint64_t state = 12345;
    const auto next = [&] {
      state = state * 6364136223846793005u + 1442695040888963407u;
      return static_cast<double>(state >> 11) * 0x1p-53;
    };
    for (index_t i = 0; i < rows; ++i) {
      diagonal.push_back(1 + next());
      for (index_t j = 0; j < i; ++j) {
        const auto v = static_cast<T>(positive ? next() : 2 * next() - .5);
        k[static_cast<std::size_t>(i * rows + j)] = k[static_cast<std::size_t>(j * rows + i)] = skips(i, j) ? T(0) : v;
      }
    }
  }
  bool skips(index_t i, index_t j) const {
    for (const auto& [g, h] : skip) {
      const int a = group_of[static_cast<std::size_t>(i)], b = group_of[static_cast<std::size_t>(j)];
      if ((a == g && b == h) || (a == h && b == g)) return true;
    }
    return false;
  }
  double operator()(index_t i, index_t j) const { return static_cast<double>(k[static_cast<std::size_t>(i * rows + j)]); }
  mmd::layout layout() const { return {rows, groups, diagonal}; }
};

// As many registers a thread as the kernel that evaluates tiles has.
template <class T, int C, class... View>
__global__ void __launch_bounds__(part::tile_threads, sizeof(T) * C <= 32 ? 2 : 1)
    feed_tiles(part::pass_view pass, part::macro at, const T* k, index_t rows, View... views) {
  using F = part::fragment<T, C>;
  const int slot_i = static_cast<int>(blockIdx.y), slot_j = static_cast<int>(blockIdx.x), t = static_cast<int>(threadIdx.x);
  if (!pass.holds(at.i_panel + slot_i, at.j_panel + slot_j / (8 / C))) return;
  const part::tile_place p = pass.place<C>(at, slot_i, slot_j);
  F tile;
#pragma unroll
  for (int a = 0; a < 8; ++a) {
#pragma unroll
    for (int b = 0; b < C; ++b) {
      const int row = F::row(t, a), column = F::column(t, b);
      const bool inside = row < p.rows && column < p.cols;
      tile.v[a][b] = inside ? k[(p.first_i + row) * rows + p.first_j + column] : T(0);
    }
  }
  ((__syncthreads(), views.add(static_cast<const F&>(tile), p, part::dynamic_shared<unsigned char>())), ...);
}

// One pass over the tiles of the problem, panels cut into slices of 16 C columns, in macros of side x side panels.
template <int C, class T, class... R>
void pass(part::device_context& on, const problem<T>& z, int side, R&... reducers) {
  mmd::layout lay;
  const std::vector<mmd::panel> panels = part::cut_groups(z.groups, mmd::panel_rows, lay);
  lay.diagonal = z.diagonal;
  const int groups = lay.groups();
  std::vector<unsigned char> skipped(static_cast<std::size_t>(groups * groups));
  for (const auto& [g, h] : z.skip)
    skipped[static_cast<std::size_t>(g * groups + h)] = skipped[static_cast<std::size_t>(h * groups + g)] = 1;
  (reducers.prepare(lay), ...);

  const auto k = part::upload(on, std::span<const T>(z.k), "a matrix");
  const auto d_panels = part::upload(on, std::span<const mmd::panel>(panels), "panels");
  const auto d_skipped = part::upload(on, std::span<const unsigned char>(skipped), "skipped groups");
  const part::pass_view view{d_panels.data(), d_skipped.data(), groups};
  const std::uint64_t before = on.held_bytes;
  std::tuple<part::device_part<R>...> parts{part::device_part<R>(on, reducers, lay, panels, side, 8 / C)...};
  const std::uint64_t said = (part::device_part<R>::bytes(reducers, lay, side, 8 / C) + ...);
  if (on.held_bytes - before > said) throw mmd::error("the reducers hold more memory than they said");
  const auto count = static_cast<index_t>(panels.size());
  int stream = 0;
  for (index_t i = 0; i < count; i += side) {
    for (index_t j = i; j < count; j += side, stream = 1 - stream) {
      const auto length = [&](index_t first) { return static_cast<int>(std::min<index_t>(side, count - first)); };
      const part::macro at{i, j, length(i), length(j), side};
      const dim3 grid(static_cast<unsigned>(at.panels_j * (8 / C)), static_cast<unsigned>(at.panels_i));
      std::apply(
          [&](auto&... p) {
            part::launch(feed_tiles<T, C, typename part::device_part<R>::view...>, grid, part::tile_threads, part::tile_shared,
                         on.stream(stream), view, at, static_cast<const T*>(k.data()), z.rows, p.on_stream(stream)...);
            (p.fold(stream, at, view), ...);
          },
          parts);
    }
  }
  std::apply([](auto&... p) { (p.finish(), ...); }, parts);
}

// Order of the threads in the stand-in for a device: 0 is in turn.
inline void thread_order([[maybe_unused]] unsigned seed) {
#if defined(CUSHIM)
  cuda_shim::options().seed = seed;
#endif
}

// Runs a reducer over every cut of the panels, twice each, threads in turn and shuffled: check(r) each time, same(r, s) for the two.
template <class T, class Make, class Check, class Same>
void every_way(const problem<T>& z, const Make& make, const Check& check, const Same& same) {
  const auto run = [&]<int C>(int side) {
    part::device_context on(0);
    auto first = make(), second = make();
    thread_order(0);
    pass<C>(on, z, side, first);
    check(first);
    thread_order(7);
    pass<C>(on, z, side, second);
    thread_order(0);
    check(second);
    same(first, second);
  };
  run.template operator()<8>(2);
  run.template operator()<4>(3);
  run.template operator()<2>(1);
}

}  // namespace fed
