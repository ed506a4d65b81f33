// SPDX-License-Identifier: MIT
// Rows of the host on their way to the device: gathered, whatever their strides and order, in chunks of pinned memory, while the chunk
// before is transferred.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstring>
#include <memory>
#include <type_traits>
#include <vector>

#include "mmd/backends/cuda/matrix.cuh"
#include "mmd/backends/cuda/packing.cuh"
#include "mmd/core/parallel.hpp"
#include "mmd/engine/panels.hpp"
#include "mmd/engine/spaces.hpp"

namespace mmd {
namespace detail {
inline namespace MMD_ISA {

// A rectangle of positions and columns.
struct row_block {
  index_t first, rows, first_column, columns;
};

// Writes the block's values, as stored, row after row to `to`.
template <class S>
void gather_as(int threads, const space_rows& from, const row_block& b, S* to) {
  constexpr index_t together = 64;  // rows: the lines that values a stride apart share stay near
  const auto copy = [&](index_t part) {
    const index_t first = part * together, count = std::min(together, b.rows - first);
    const S* row[together];
    index_t step[together];
    bool across = true;
    for (index_t i = 0; i < count; ++i) {
      const index_t position = b.first + first + i;
      index_t r = from.order->empty() ? position : (*from.order)[at(position)];
      std::size_t g = 0;
      while (r >= from.parts[g].rows) r -= from.parts[g++].rows;
      const stored_rows& rows = from.parts[g];
      row[i] = static_cast<const S*>(rows.data) + r * rows.row_stride + b.first_column * rows.col_stride;
      step[i] = rows.col_stride;
      across = across && rows.col_stride == 1;
    }
    S* const out = to + first * b.columns;
    if (across) {
      for (index_t i = 0; i < count; ++i) std::copy_n(row[i], b.columns, out + i * b.columns);
    } else {
      for (index_t k = 0; k < b.columns; ++k) {
        for (index_t i = 0; i < count; ++i) out[i * b.columns + k] = row[i][k * step[i]];
      }
    }
  };
  parallel_for(b.rows * b.columns < 1 << 15 ? 1 : threads, (b.rows + together - 1) / together, copy);
}
inline void gather_on_host(int threads, const space_rows& from, const row_block& b, std::byte* to) {
  switch (stored_rows::value_bytes(from.parts.front().type)) {
    case 8:
      return gather_as(threads, from, b, reinterpret_cast<double*>(to));
    case 4:
      return gather_as(threads, from, b, reinterpret_cast<float*>(to));
    default:
      return gather_as(threads, from, b, reinterpret_cast<float16*>(to));
  }
}

// Where a block goes on the device, and the bytes from one row of it to the next.
struct block_place {
  void* to;
  std::size_t pitch;
};
// Transfers the values of `whole`, as stored, in blocks that fit a pinned chunk, their rows multiples of `row_step` but for the last.
// place(b) says where block b goes; use(b) submits what is to be done there. All on the first stream; the values have been read on return.
template <class Place, class Use>
void transfer(device_context& context, int threads, const space_rows& from, const row_block& whole, index_t row_step, const Place& place,
              const Use& use) {
  if (whole.rows == 0 || whole.columns == 0) return;
  const index_t width = stored_rows::value_bytes(from.parts.front().type),
                fit = static_cast<index_t>(device_context::staging_bytes) / width;
  const index_t columns = std::min(whole.columns, fit / row_step / 32 * 32), rows = fit / columns / row_step * row_step;
  int which = 0;
  for (index_t k = 0; k < whole.columns; k += columns) {
    for (index_t r = 0; r < whole.rows; r += rows, which = 1 - which) {
      const row_block b{whole.first + r, std::min(rows, whole.rows - r), whole.first_column + k, std::min(columns, whole.columns - k)};
      std::byte* const chunk = context.staging(which).data();
      gather_on_host(threads, from, b, chunk);
      const block_place there = place(b);
      const std::size_t across = at(b.columns * width);
      check(cudaMemcpy2DAsync(there.to, there.pitch, chunk, across, across, at(b.rows), cudaMemcpyHostToDevice, context.stream(0)),
            "a transfer to the device");
      context.staged(which, context.stream(0));
      context.bytes_up += across * at(b.rows);
      use(b);
    }
  }
}

// A copy of x on the device. Its values have been read on return.
template <sample_number T>
DeviceMatrix<T> upload(const std::shared_ptr<device_context>& context, int threads, const samples<T>& x) {
  const auto turn = context->enter();
  DeviceMatrix<T> out(context, x.rows(), x.cols());
  const std::vector<index_t> as_they_are;
  const auto place = [&](const row_block& b) -> block_place {
    return {raw_pointer(out.data()) + b.first * x.cols() + b.first_column, at(x.cols()) * sizeof(T)};
  };
  transfer(*context, threads, space_rows{{stored_rows(x)}, &as_they_are, true}, {0, x.rows(), 0, x.cols()}, 1, place,
           [](const row_block&) {});
  return out;
}

// The values as a kernel reads them. Throws invalid_input unless they lie in the memory of the context's device.
template <class S>
device_rows<S> rows_on_device(const device_context& context, const samples<device<S>>& x) {
  if (x.rows() > 0 && x.cols() > 0) {
    cudaPointerAttributes where{};
    const cudaError_t code = cudaPointerGetAttributes(&where, x.data());
    if (code != cudaSuccess ||
        !(where.type == cudaMemoryTypeManaged || (where.type == cudaMemoryTypeDevice && where.device == context.number))) {
      cudaGetLastError();
      throw invalid_input("mmd: samples.data(), expected a pointer to the memory of device " + std::to_string(context.number));
    }
  }
  return {raw_pointer(x.data()), x.rows(), x.rowStride(), x.colStride()};
}

inline unsigned blocks_for(const device_context& context, index_t values) {
  return static_cast<unsigned>(std::min<index_t>((values + row_threads - 1) / row_threads, 32 * context.multiprocessors));
}
// The values of x, in its memory, as T and row after row.
template <class T, class S>
DeviceMatrix<T> converted_on_device(const std::shared_ptr<device_context>& context, const samples<device<S>>& x) {
  const auto turn = context->enter();
  DeviceMatrix<T> out(context, x.rows(), x.cols());
  if (out.size() > 0) {
    launch(copy_values<S, T>, blocks_for(*context, out.size()), row_threads, 0, context->stream(0), rows_on_device(*context, x), x.cols(),
           raw_pointer(out.data()));
  }
  return out;
}
// Where the rows of parts of the device's memory are for a kernel, while this lives. order: empty, or which rows.
template <class S>
class rows_of_parts {
 public:
  rows_of_parts(device_context& context, const std::vector<device_rows<S>>& parts, const std::vector<index_t>& order)
      : parts_(context, static_cast<index_t>(parts.size()), context.stream(0), "the groups' places"),
        order_(context, static_cast<index_t>(order.size()), context.stream(0), "the order of the rows") {
    parts_.put(parts, context.stream(0));
    order_.put(order, context.stream(0));
    reader = {{}, parts_.data(), order_.data(), 0, std::abs(parts[0].row_stride) < std::abs(parts[0].col_stride)};
  }
  row_reader<S> reader;

 private:
  buffer<device_rows<S>> parts_;
  buffer<index_t> order_;
};

// The rows of the groups, or those that z.order names, one after the other.
template <class S>
DeviceMatrix<S> joined_on_device(const std::shared_ptr<device_context>& context, const pooled<device<S>>& z) {
  const auto turn = context->enter();
  DeviceMatrix<S> out(context, z.order.empty() ? z.rows() : static_cast<index_t>(z.order.size()), z.cols());
  if (out.size() == 0) return out;
  std::vector<device_rows<S>> parts;
  for (const auto& g : z.groups) parts.push_back(rows_on_device(*context, g));
  const rows_of_parts<S> from(*context, parts, z.order);
  launch(join_rows<S>, blocks_for(*context, out.size()), row_threads, 0, context->stream(0), from.reader, out.rows(), out.cols(),
         raw_pointer(out.data()));
  return out;
}
// What maps are given of samples (engine/spaces.hpp).
struct convert_for_device {
  std::shared_ptr<device_context> context;
  template <class E>
  matrix_of<computed<E>> operator()(const samples<E>& x) const {
    if constexpr (on_device<E>) {
      return converted_on_device<compute_type<E>>(context, x);
    } else {
      return converted<compute_type<E>>(x);
    }
  }
};

// A copy of values on the device. Waits for all work before.
template <class T>
matrix<T> download(const std::shared_ptr<device_context>& context, const samples<device<T>>& x) {
  const auto turn = context->enter();
  matrix<T> out(x.rows(), x.cols());
  if (out.size() == 0) return out;
  const T* from = rows_on_device(*context, x).data;
  DeviceMatrix<T> dense;
  if (x.colStride() != 1 || (x.rowStride() != x.cols() && x.rows() > 1)) {
    dense = converted_on_device<T>(context, x);
    from = raw_pointer(dense.data());
  }
  context->get(out.data(), from, at(out.size()) * sizeof(T), context->stream(0));
  return out;
}

}  // namespace MMD_ISA
}  // namespace detail
}  // namespace mmd
