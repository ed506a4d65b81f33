// SPDX-License-Identifier: MIT
// The features of one space on the device, packed for the products: panel after panel of 128 rows, row-major, filled up with zeros.
#pragma once

#include <cmath>
#include <cstdint>
#include <string>
#include <vector>

#include "mmd/backends/cuda/upload.cuh"

namespace mmd {
namespace detail {
inline namespace MMD_ISA {

// Panel p takes packed rows 128 p ... 128 p + 127. d_padded: a multiple of 8.
template <class T>
struct device_features {
  index_t d = 0, d_padded = 0, rows = 0;  // packed rows
  buffer<T> z;                            // rows x d_padded
  buffer<T> norm;                         // squared norms of the packed rows, summed in double
  double largest_norm = 0;                // of them, before rounding to T; NaN if a value is

  device_features() = default;
  static index_t padded(index_t d) { return (d + 7) / 8 * 8; }
  device_features(device_context& context, index_t features, index_t packed)
      : d(features),
        d_padded(padded(features)),
        rows(packed),
        z(context, rows * d_padded, context.stream(0), "packed features"),
        norm(context, rows, context.stream(0), "squared norms") {}
};

// Means are taken in so many chunks at most, whatever the sizes.
inline constexpr index_t most_mean_chunks = 256;
inline index_t panels_of_chunk(index_t panels) { return (panels + most_mean_chunks - 1) / most_mean_chunks; }
inline index_t mean_chunks(index_t panels) { return (panels + panels_of_chunk(panels) - 1) / panels_of_chunk(panels); }

// What packing takes on the device: what stays, and what is there meanwhile.
inline std::uint64_t device_features_bytes(index_t panels, index_t d, std::uint64_t value_bytes) {
  return static_cast<std::uint64_t>(panels * panel_rows * (device_features<float>::padded(d) + 1)) * value_bytes;
}
inline std::uint64_t packing_bytes(index_t rows, index_t panels, index_t d) {
  const auto bytes = [](index_t count) { return static_cast<std::uint64_t>(count) * sizeof(double); };
  return device_context::staging_bytes + bytes(rows) + bytes((mean_chunks(panels) + 1) * d + panels * panel_rows / 8 + 1);
}

// Packs spaces from the host or the device. `panels`: those of the host, and a copy on the device.
class packer {
 public:
  packer(device_context& context, int threads, const layout& lay, const std::vector<panel>& panels, const buffer<panel>& on_device)
      : context_(context), threads_(threads), rows_(lay.rows), panels_(panels), there_(on_device) {}

  // S: the number type of the space's rows. as_they_are: the same space packed without centring, where there is such.
  template <class T, class S>
  device_features<T> pack(const space_rows& from, bool centre, const device_features<T>* as_they_are = nullptr) const {
    const stored_rows& first = from.parts.front();
    device_features<T> out(context_, first.cols, static_cast<index_t>(panels_.size()) * panel_rows);
    if (as_they_are) {
      check(cudaMemcpyAsync(out.z.data(), as_they_are->z.data(), out.z.bytes(), cudaMemcpyDeviceToDevice, context_.stream(0)),
            "copying features");
    } else if (first.in_device) {
      take<S>(from, out);
    } else {
      receive<S>(from, out);
    }
    finish(out, centre);
    if (!std::isfinite(out.largest_norm)) name_invalid<S>(from);
    return out;
  }

 private:
  device_context& context_;
  int threads_;
  index_t rows_;
  const std::vector<panel>& panels_;
  const buffer<panel>& there_;

  static dim3 grid(index_t panels, index_t columns) {
    return dim3(static_cast<unsigned>(panels * (panel_rows / row_tile)), static_cast<unsigned>((columns + row_tile - 1) / row_tile));
  }
  // Rows of the host: a group at a time, as its panels but the last are full and so blocks of panels are blocks of rows.
  template <class S, class T>
  void receive(const space_rows& from, const device_features<T>& out) const {
    const index_t room = std::min(static_cast<index_t>(device_context::staging_bytes / sizeof(S)), rows_ * out.d);
    const buffer<S> chunk(context_, room, context_.stream(0), "a chunk of samples");
    for (std::size_t p = 0, next = 0; p < panels_.size(); p = next) {
      while (next < panels_.size() && panels_[next].group == panels_[p].group) ++next;
      const index_t begin = panels_[p].first, rows = panels_[next - 1].first + panels_[next - 1].rows - begin;
      const auto place = [&](const row_block& b) -> block_place { return {chunk.data(), at(b.columns) * sizeof(S)}; };
      transfer(context_, threads_, from, {begin, rows, 0, out.d}, panel_rows, place, [&](const row_block& b) {
        const index_t panel_of_block = static_cast<index_t>(p) + (b.first - begin) / panel_rows,
                      count = (b.rows + panel_rows - 1) / panel_rows,
                      write = b.first_column + b.columns == out.d ? out.d_padded - b.first_column : b.columns;
        launch(gather_rows<S, T>, grid(count, write), row_threads, 0, context_.stream(0),
               row_reader<S>{{chunk.data(), b.rows, b.columns, 1}, nullptr, nullptr, b.first, false}, there_.data(), panel_of_block,
               b.first_column, b.columns, write, out.z.data(), out.d_padded);
      });
    }
  }
  // Rows of the device.
  template <class S, class T>
  void take(const space_rows& from, const device_features<T>& out) const {
    const cudaStream_t stream = context_.stream(0);
    std::vector<device_rows<S>> parts;
    for (const stored_rows& part : from.parts) parts.push_back(rows_on_device<S>(context_, part.as<device<S>>()));
    const rows_of_parts<S> where(context_, parts, *from.order);
    launch(gather_rows<S, T>, grid(static_cast<index_t>(panels_.size()), out.d_padded), row_threads, 0, stream, where.reader, there_.data(),
           index_t{0}, index_t{0}, out.d, out.d_padded, out.z.data(), out.d_padded);
  }
  template <class T>
  void finish(device_features<T>& out, bool centre) const {
    const cudaStream_t stream = context_.stream(0);
    const index_t panels = static_cast<index_t>(panels_.size()), chunks = mean_chunks(panels), blocks = out.rows / (row_threads / 32);
    buffer<double> sums, mean, largest(context_, blocks + 1, stream, "largest norms");
    if (centre && out.d > 0) {
      sums = buffer<double>(context_, chunks * out.d, stream, "sums of columns");
      mean = buffer<double>(context_, out.d, stream, "means of columns");
      launch(sum_columns<T>, dim3(static_cast<unsigned>((out.d + row_tile - 1) / row_tile), static_cast<unsigned>(chunks)), row_threads, 0,
             stream, out.z.data(), out.d_padded, out.d, out.rows, panels_of_chunk(panels) * panel_rows, sums.data());
      launch(mean_of_chunks<double>, static_cast<unsigned>((out.d + row_threads - 1) / row_threads), row_threads, 0, stream, sums.data(),
             chunks, out.d, static_cast<double>(rows_), mean.data());
    }
    launch(centre_rows<T>, static_cast<unsigned>(blocks), row_threads, 0, stream, out.z.data(), out.d_padded, out.d, there_.data(),
           mean.data(), out.norm.data(), largest.data());
    launch(largest_of<double>, 1, row_threads, 0, stream, largest.data(), blocks);
    largest.get(std::span(&out.largest_norm, 1), blocks, stream);
  }

  // Throws invalid_input where a value is not finite, of samples on the device or of what maps made; samples of the host were looked at
  // there, where the statistic asks for it.
  template <class S>
  void name_invalid(const space_rows& from) const {
    for (std::size_t g = 0; g < from.parts.size(); ++g) {
      const stored_rows& part = from.parts[g];
      if (!part.in_device) {
        if (!from.raw) check_sample(part.as<S>(), "mapped features");
        continue;
      }
      const cudaStream_t stream = context_.stream(0);
      constexpr unsigned long long none = ~0ull;
      unsigned long long first = none;
      buffer<unsigned long long> found(context_, 1, stream, "the place of a value");
      found.put(std::span(&first, 1), stream);
      launch(first_invalid<S>, static_cast<unsigned>(4 * context_.multiprocessors), row_threads, 0, stream,
             rows_on_device<S>(context_, part.as<device<S>>()), part.cols, found.data());
      found.get(std::span(&first, 1), 0, stream);
      if (first == none) continue;
      const index_t row = static_cast<index_t>(first) / part.cols, column = static_cast<index_t>(first) % part.cols;
      S value{};
      context_.get(&value, static_cast<const S*>(part.data) + row * part.row_stride + column * part.col_stride, sizeof value, stream);
      const std::string name = from.raw ? "samples of group " + std::to_string(g) : "mapped features of group " + std::to_string(g);
      reject((name + "(" + std::to_string(row) + ", " + std::to_string(column) + ")").c_str(), number_as<double>(value), "a finite number");
    }
  }
};

// Packs every space as T, as the slots read it: one transfer or gathering for each space. E: the number type of the samples.
template <class T, class E, class Convert>
std::vector<device_features<T>> pack_on_device(const packer& pack, const space_sources<E, Convert>& sources, const space_numbers& numbers) {
  std::vector<device_features<T>> packed(numbers.packings.size());
  std::vector<const device_features<T>*> as_they_are(sources.spaces.size());
  for (const bool centre : {false, true}) {
    for (std::size_t q = 0; q < packed.size(); ++q) {
      if (numbers.packings[q].centre != centre) continue;
      const std::size_t space = at(numbers.packings[q].space);
      const space_rows& rows = sources.spaces[space];
      packed[q] = rows.raw ? pack.pack<T, host_value<E>>(rows, centre, as_they_are[space])
                           : pack.pack<T, compute_type<E>>(rows, centre, as_they_are[space]);
      if (!centre) as_they_are[space] = &packed[q];
    }
  }
  return packed;
}

}  // namespace MMD_ISA
}  // namespace detail
}  // namespace mmd
