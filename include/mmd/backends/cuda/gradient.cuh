// SPDX-License-Identifier: MIT
// The weighted gradient of the kernel matrix on the device: a pass over macros of tiles. For each, a kernel leaves S = weight x dk/du of
// every slot in the second cache, and cuBLAS adds S Z to the gradient of the rows of I and, where J's are others, S' Z to theirs.
#pragma once

#include <algorithm>
#include <array>
#include <cmath>
#include <memory>
#include <span>
#include <vector>

#include "mmd/backends/cuda/gradient_rows.cuh"
#include "mmd/backends/cuda/macros.cuh"
#include "mmd/backends/cuda/pass.cuh"
#include "mmd/engine/gradient.hpp"

namespace mmd {
namespace detail {
inline namespace MMD_ISA {

// The weights of pairs, the panels and the pairs of groups that need no tile, on the device by one transfer. On stream 0.
template <class T>
class pair_weights_on_device {
 public:
  pair_weights_on_device(device_context& context, const pair_weights& weights, const layout& lay, const std::vector<panel>& panels,
                         const tile_list& tiles)
      : groups_(lay.groups()), skipped_(at(groups_ * groups_)) {
    std::vector<T> w(panels.size() * panel_rows), p(w.size());
    for (const panel& q : panels) {
      for (int r = 0; r < q.rows; ++r) {
        w[at(q.packed + r)] = static_cast<T>(weights.w[at(q.first + r)]);
        p[at(q.packed + r)] = static_cast<T>(weights.p[at(q.first + r)]);
      }
    }
    for (int g = 0; g < groups_; ++g) {
      for (int h = 0; h < groups_; ++h) {
        const std::size_t cell = at(g * groups_ + h);
        const bool paired = !weights.paired.empty() && std::min(g, h) == 0 && std::max(g, h) == 1;
        skipped_[cell] = !tiles.holds(g, h) || (weights.ww[cell] == 0 && weights.wp[cell] == 0 && !paired);
      }
    }
    const std::vector<T> ww(weights.ww.begin(), weights.ww.end()), wp(weights.wp.begin(), weights.wp.end()),
        paired(weights.paired.begin(), weights.paired.end());
    std::vector<unsigned char> all;
    const auto place = [&]<class V>(const std::vector<V>& values) {
      const std::size_t offset = (all.size() + 15) / 16 * 16, bytes = values.size() * sizeof(V);
      all.resize(offset + bytes);
      if (bytes > 0) std::memcpy(all.data() + offset, values.data(), bytes);
      return offset;
    };
    const std::size_t offsets[] = {place(w),      place(p),       place(ww), place(wp), place(paired), place(weights.diagonal),
                                   place(panels), place(skipped_)};
    memory_ = buffer<unsigned char>(context, static_cast<index_t>(all.size()), context.stream(0), "weights of pairs");
    memory_.put(all, context.stream(0));
    const auto find = [&]<class V>(std::type_identity<V>, int i) { return reinterpret_cast<const V*>(memory_.data() + offsets[i]); };
    const std::type_identity<T> number;
    view = {find(number, 0),
            find(number, 1),
            find(number, 2),
            find(number, 3),
            find(number, 4),
            weights.diagonal.empty() ? nullptr : find(std::type_identity<double>{}, 5),
            static_cast<index_t>(paired.size()),
            groups_};
    pass = {find(std::type_identity<panel>{}, 6), find(std::type_identity<unsigned char>{}, 7), groups_};
  }
  weights_view<T> view;
  pass_view pass;
  bool holds(int g, int h) const { return !skipped_[at(g * groups_ + h)]; }
  std::uint64_t bytes() const { return memory_.bytes(); }

 private:
  int groups_;
  std::vector<unsigned char> skipped_;
  buffer<unsigned char> memory_;
};

// Panels on a side of a macro: S of one stream takes a quarter of the second cache at most, for products of 2048 rows at most and 256 at
// least (from a model of the hardware, not measured).
inline int gradient_side(std::uint64_t l2_bytes, std::size_t panels, int slots, std::size_t value_bytes) {
  constexpr double share = 1.0 / 4, most = 16, least = 2;
  const double tile = static_cast<double>(panel_rows * panel_rows) * static_cast<double>(value_bytes);
  const double side = std::clamp(std::sqrt(share * static_cast<double>(l2_bytes) / (slots * tile)), least, most);
  return static_cast<int>(std::min(side, static_cast<double>(panels)));
}

// The slots of an expression and where their gradients go, for what happens macro by macro. T: the type of the computation.
template <class T, class K, class Slots>
class gradient_pass;
template <class T, class K, class... Q>
class gradient_pass<T, K, expression::list<Q...>> {
  using slots = expression::list<Q...>;
  using constants = constants_of<K>;
  using packings_list = decltype(packings_of(slots{}));
  using kernel_type = decltype(without_maps(std::declval<const K&>()));
  static constexpr int n = sizeof...(Q), sums = n + constants::size, packings = packings_list::size;
  static constexpr int C = fragment_columns<T>(n), slices = 8 / C, streams = device_context::streams;
  static constexpr std::array<pair, n> quantity{Q::quantity...};
  static constexpr std::array<int, n> packing_of_slot{packing_index<Q>(slots{})...};
  static constexpr bool products_only = (is_product(Q::quantity) && ...), some_blas = ((Q::quantity != pair::l1_distance) || ...);
  static_assert(n > 0, "a constant is not a kernel between samples");
  static_assert(n + constants::size <= 16, "the gradient of a kernel takes 16 quantities and constants at most");

 public:
  // Where the gradient of each space is wanted. Allocates and submits what goes before the first macro; throws device_out_of_memory where
  // even macros of one panel, on one stream, do not fit.
  gradient_pass(device_context& on, product_options how, const K& k, const std::vector<device_features<T>>& packed,
                const std::vector<bool>& wanted, const layout& lay, const std::vector<panel>& panels, const tile_list& tiles,
                const pair_weights& weights, std::uint64_t limit)
      : on_(on),
        how_(how),
        kernel_(without_maps(k)),
        packed_(packed),
        there_(on, weights, lay, panels, tiles),
        panels_(static_cast<index_t>(panels.size())),
        rows_(panels_ * panel_rows) {
    [&]<class... P>(expression::list<P...>) {
      space_ = {at(expression::position<typename P::space>(expression::spaces_of(slots{})))...};
    }(packings_list{});
    for (int q = 0; q < packings; ++q) wanted_[at(q)] = wanted[space_[at(q)]];
    int side = gradient_side(on.l2_bytes, panels.size(), n, sizeof(T)), lanes = streams;
    while (!allocate(panels, side, lanes, limit)) (lanes > 1 ? lanes : side) /= 2;

    const cudaStream_t first = on.stream(0);
    doubles_ = buffer<double>(on, own(streams, 0) - own(0, 0) + (panels_ + streams) * sums, first, "sums of a gradient");
    same_points<slots, constants, T, kernel_type> points{
        kernel_, there_.pass.panels, {}, there_.view.diagonal, rows_, doubles_.data() + own(0, 0), doubles_.data() + points_at(), totals(0),
        streams};
    job_.tiles.pass = there_.pass;
    job_.view.weights = there_.view;
    job_.view.ld = ld();
    for (int s = 0; s < n; ++s) {
      const device_features<T>& f = features(s);
      const product_choice choice = choose_product<T>(on.capability, how.exact, how.by, f.d);
      library_[at(s)] = choice.library && is_product(quantity[at(s)]);
      job_.tiles.slots[s] = {f.z.data(), f.norm.data(), f.d_padded, nullptr, ld(), choice.by};
      if (wants(s)) job_.view.wanted |= 1u << s;
      points.norm[s] = f.norm.data();
    }
    launch(same_points_kernel<decltype(points)>, static_cast<unsigned>(panels_), panel_rows, 0, first, points);
    for (int s = 0; s < lanes_ && !single(); ++s) {
      for (buffer<T>& sum : sum_[at(s)]) sum.zero(first);
    }
    if (lanes_ == 2) on.order(0, 1);
  }
  gradient_pass(const gradient_pass&) = delete;
  gradient_pass& operator=(const gradient_pass&) = delete;
  // Memory is freed in the order of the first stream: what the second does must be done, whatever was thrown.
  ~gradient_pass() {
    if (lanes_ == 2) cudaStreamSynchronize(on_.stream(1));
  }

  index_t macros() const { return static_cast<index_t>(macros_.size()); }
  // Macros go to the streams in turn.
  int stream_of(index_t step) const { return static_cast<int>(step % lanes_); }
  void submit(index_t step) {
    const macro& m = macros_[at(step)];
    const int stream = stream_of(step);
    gradient_job<T, slots, constants> job = job_;
    own_rows<n> own_of{};
    job.tiles.at = m;
    job.view.mirrored = m.i_panel == m.j_panel;
    job.view.row_sums = side_sums_[at(stream)].data();
    job.view.column_sums = job.view.row_sums + n * side_ * slices * ld();
    job.view.totals = tile_sums_[at(stream)].data();
    bool all_library = products_only;
    for (int s = 0; s < n; ++s) {
      job.view.S[s] = S_[at(stream)].data() + s * ld() * ld();
      if (wants(s) && is_squared(quantity[at(s)])) own_of.of[s] = doubles_.data() + own(stream, packing_of_slot[at(s)]);
      all_library = all_library && library_[at(s)];
      if (!library_[at(s)]) continue;
      // Inner products lie where S will: a thread reads its own before it writes. To cuBLAS, which counts by columns, they are Z_J' Z_I.
      const device_features<T>& f = features(s);
      job.tiles.slots[s].product = job.view.S[s];
      blas_product(on_, stream, how_.exact, CUBLAS_OP_T, CUBLAS_OP_N, count(m.panels_j), count(m.panels_i), f.d, T(1),
                   f.z.data() + count(m.j_panel) * f.d_padded, f.d_padded, f.z.data() + count(m.i_panel) * f.d_padded, f.d_padded, T(0),
                   job.view.S[s], ld());
    }
    const dim3 grid(static_cast<unsigned>(m.panels_j * slices), static_cast<unsigned>(m.panels_i));
    const auto start = [&](auto kernel) { launch(kernel, grid, tile_threads, tile_shared, on_.stream(stream), job, kernel_); };
    if constexpr (products_only && sizeof(T) == 4) {
      all_library ? start(gradient_kernel<true, T, C, slots, constants, kernel_type>)
                  : start(gradient_kernel<false, T, C, slots, constants, kernel_type>);
    } else {
      start(gradient_kernel<false, T, C, slots, constants, kernel_type>);
    }
    launch(fold_gradient<slices, T, n, constants::size>, static_cast<unsigned>(m.panels_i + (job.view.mirrored ? 0 : m.panels_j) + 1),
           panel_rows, 0, on_.stream(stream), job.view, m, own_of, totals(stream));
    std::array<bool, packings> begun{};
    begun.fill(!single());
    for (int s = 0; s < n; ++s) {
      if (!wants(s)) continue;
      const bool add = std::exchange(begun[at(packing_of_slot[at(s)])], true);
      add_product<false>(stream, s, job.view.S[s], m.i_panel, m.panels_i, m.j_panel, m.panels_j, add);
      if (!job.view.mirrored) add_product<true>(stream, s, job.view.S[s], m.j_panel, m.panels_j, m.i_panel, m.panels_i, add);
    }
  }

  // What was found, features as R. Waits for both streams.
  template <class R>
  kernel_gradient<device<R>> finish(const std::shared_ptr<device_context>& owner, const std::vector<bool>& wanted, index_t rows) {
    if (lanes_ == 2) on_.order(1, 0);
    kernel_gradient<device<R>> out;
    out.features.resize(wanted.size());
    for (std::size_t w = 0; w < wanted.size(); ++w) {
      if (!wanted[w]) continue;
      space_sums<T> from{};
      from.streams = lanes_;
      for (int q = 0; q < packings; ++q) {
        if (space_[at(q)] != w) continue;
        auto& part = from.parts[from.packings++];
        part.z = packed_[at(q)].z.data();
        from.width = packed_[at(q)].d_padded;
        from.d = packed_[at(q)].d;
        for (int s = 0; s < from.streams; ++s) {
          part.sum[s] = sum_[at(s)][at(q)].data();
          part.own[s] = doubles_.data() + own(s, q);
        }
      }
      out.features[w] = DeviceMatrix<R>(owner, rows, from.d);
      launch(finish_gradient<T, R>, dim3(static_cast<unsigned>(panels_), panel_rows / finish_rows), finish_threads, 0, on_.stream(0),
             there_.pass.panels, from, raw_pointer(out.features[w].data()));
    }
    std::vector<double> found(at((panels_ + streams) * sums));
    doubles_.get(std::span<double>(found), points_at(), on_.stream(0));
    std::array<double, sums> total{};
    for (std::size_t i = 0; i < found.size(); ++i) total[i % sums] += found[i];
    out.scales.assign(total.begin(), total.begin() + n);
    out.constants.assign(total.begin() + n, total.end());
    return out;
  }

 private:
  device_context& on_;
  product_options how_;
  kernel_type kernel_;
  const std::vector<device_features<T>>& packed_;
  pair_weights_on_device<T> there_;
  index_t panels_, rows_;           // rows: packed
  int side_ = 1, lanes_ = 1;        // lanes: streams in use
  std::vector<std::size_t> space_;  // of each packing
  std::array<bool, packings> wanted_{};
  std::array<bool, n> library_{};
  std::vector<macro> macros_;
  gradient_job<T, slots, constants> job_{};
  // What rows take of their own features, [stream][packing][packed row]; sums of every panel's points; sums of both streams.
  buffer<double> doubles_;
  std::array<buffer<T>, streams> S_, side_sums_;  // of one macro: S of every slot; its row sums, then its column sums
  std::array<buffer<double>, streams> tile_sums_;
  std::array<std::array<buffer<T>, packings>, streams> sum_;

  static index_t count(index_t panels) { return panels * panel_rows; }
  index_t ld() const { return count(side_); }
  bool wants(int slot) const { return wanted_[at(packing_of_slot[at(slot)])]; }
  bool single() const { return macros_.size() == 1; }  // its products are the gradient, nothing has to be added to
  index_t own(int stream, int packing) const { return (stream * packings + packing) * rows_; }
  index_t points_at() const { return own(streams, 0); }
  double* totals(int stream) const { return doubles_.data() + points_at() + (panels_ + stream) * sums; }
  index_t side_sums() const { return n * side_ * (slices + 1) * ld(); }
  index_t tile_sums() const { return index_t{side_} * side_ * slices * sums; }
  // Of the device's memory, packed features included.
  std::uint64_t bytes() const {
    index_t numbers = lanes_ * (n * ld() * ld() + side_sums());
    for (int q = 0; q < packings; ++q) numbers += rows_ * packed_[at(q)].d_padded * (wanted_[at(q)] ? 1 + lanes_ : 1) + rows_;
    const std::uint64_t workspaces = some_blas ? static_cast<std::uint64_t>(lanes_) * device_context::workspace_bytes : 0;
    return at(numbers) * sizeof(T) + doubles(points_at() + (panels_ + streams) * sums + lanes_ * tile_sums()) + there_.bytes() + workspaces;
  }
  const device_features<T>& features(int slot) const { return packed_[at(packing_of_slot[at(slot)])]; }

  // Memory for macros of side x side panels on so many streams; false, and none, where the device has too little and less may do.
  bool allocate(const std::vector<panel>& panels, int side, int lanes, std::uint64_t limit) {
    macros_ = wanted_macros(panels, side, [&](int g, int h) { return there_.holds(g, h); });
    side_ = side;
    lanes_ = macros_.size() > 1 ? lanes : 1;
    const bool least = side == 1 && lanes == 1;
    if (const std::uint64_t needed = bytes(); limit > 0 && needed > limit) {
      if (least)
        throw memory_limit_exceeded("mmd: on the device, a gradient over " + std::to_string(rows_) + " packed rows", needed, limit);
      return false;
    }
    const cudaStream_t first = on_.stream(0);
    try {
      for (int s = 0; s < lanes_; ++s) {
        S_[at(s)] = buffer<T>(on_, n * ld() * ld(), first, "weighted slopes of a macro");
        side_sums_[at(s)] = buffer<T>(on_, side_sums(), first, "row sums of weighted slopes");
        tile_sums_[at(s)] = buffer<double>(on_, tile_sums(), first, "sums of a macro's tiles");
        for (int q = 0; q < packings; ++q) {
          if (wanted_[at(q)]) sum_[at(s)][at(q)] = buffer<T>(on_, rows_ * packed_[at(q)].d_padded, first, "a gradient by features");
        }
        if (some_blas) on_.blas(s);  // its workspace
      }
      return true;
    } catch (const device_out_of_memory&) {
      if (least) throw;
      for (int s = 0; s < streams; ++s) S_[at(s)] = {}, side_sums_[at(s)] = {}, tile_sums_[at(s)] = {}, sum_[at(s)] = {};
      return false;
    }
  }
  // The sums of the rows of some panels (+)= S, or S', times the features of others; for l1 distances times the signs of differences.
  template <bool turned>
  void add_product(int stream, int s, const T* S, index_t panel_to, int panels_to, index_t panel_from, int panels_from, bool add) {
    const device_features<T>& f = features(s);
    const T* const from = f.z.data() + count(panel_from) * f.d_padded;
    const index_t to = count(panel_to) * f.d_padded;
    T* const out = sum_[at(stream)][at(packing_of_slot[at(s)])].data() + to;
    if (quantity[at(s)] == pair::l1_distance) {
      const dim3 grid(static_cast<unsigned>((f.d_padded + sign_features - 1) / sign_features),
                      static_cast<unsigned>(count(panels_to) / sign_rows));
      launch(sign_sums<turned, T>, grid, sign_threads, 0, on_.stream(stream), S, ld(), count(panels_from),
             static_cast<const T*>(f.z.data() + to), from, f.d_padded, add, out);
    } else {
      blas_product(on_, stream, how_.exact, CUBLAS_OP_N, turned ? CUBLAS_OP_T : CUBLAS_OP_N, f.d, count(panels_to), count(panels_from),
                   T(1), from, f.d_padded, S, ld(), T(add), out, f.d_padded);
    }
  }
};

// The whole gradient, computed in T and left on the device as R. `wanted` says so for every feature space; report(done, total) is called
// between macros. O(N d) memory beside the features, and two macros of S for every slot; where that exceeds `limit` bytes (0: none) or what
// the device has, one stream and smaller macros. The same bits from run to run on one type of
// device: macros alternate between two streams with sums of their own, merged in order. For one macro (up to 2048 rows of float and one
// slot) n slots and m wanted spaces take one transfer up, 3 + m kernels, n products and one transfer down, the only time the host waits;
// another n products where cuBLAS takes the inner products.
template <class R, class T, class K, class... Q, class Report>
kernel_gradient<device<R>> weighted_gradient(const std::shared_ptr<device_context>& owner, product_options how, const K& k,
                                             expression::list<Q...>, const std::vector<device_features<T>>& packed,
                                             const std::vector<bool>& wanted, const layout& lay, const std::vector<panel>& panels,
                                             const tile_list& tiles, const pair_weights& weights, std::uint64_t limit,
                                             const Report& report) {
  gradient_pass<T, K, expression::list<Q...>> pass(*owner, how, k, packed, wanted, lay, panels, tiles, weights, limit);
  for (index_t step = 0; step < pass.macros(); ++step) {
    if (report.wanted()) owner->synchronize(owner->stream(pass.stream_of(step)));
    report(step, pass.macros());
    pass.submit(step);
  }
  auto found = pass.template finish<R>(owner, wanted, lay.rows);
  report(pass.macros(), pass.macros());
  return found;
}

}  // namespace MMD_ISA
}  // namespace detail
}  // namespace mmd
