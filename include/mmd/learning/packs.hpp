// SPDX-License-Identifier: MIT
// Loops over the rows of matrices, a pack of the backend's numbers at a time. What a row does is a functor f(lanes, ...) of
// learning/rows.hpp, written once: on the host `lanes` are a thread with the backend's packs, on a device a warp that is a pack
// (backends/cuda/rows.cuh). Rows are cut into chunks by their number alone, and what chunks add up is merged in order: the same bits for
// any number of threads.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <span>
#include <vector>

#include "mmd/core/matrix.hpp"
#include "mmd/core/philox.hpp"
#include "mmd/engine/backend.hpp"

namespace mmd {
namespace detail {
inline namespace MMD_ISA {

// What a loop over packs reads and writes through: a whole pack, or the first `count` values of one, beyond which it reads zeros. Values
// of another type than the pack's are converted.
template <class V>
struct whole_pack {
  template <class T>
  [[gnu::always_inline]] static V load(const T* p) {
    return V::load_from(p);
  }
  template <class T>
  [[gnu::always_inline]] static void store(V v, T* p) {
    v.store_to(p);
  }
  [[gnu::always_inline]] static V only(V v) { return v; }
};
template <class V, class T>
struct part_of_pack {
  index_t count;
  template <class U>
  V load(const U* p) const {
    U x[V::width] = {};
    std::copy_n(p, count, x);
    return V::load_from(x);
  }
  template <class U>
  void store(V v, U* p) const {
    U x[V::width];
    v.store_to(x);
    std::copy_n(x, count, p);
  }
  V only(V v) const {  // zeros beyond `count`
    T x[V::width];
    v.store(x);
    return load(x);
  }
};

// f(k, access) for the packs that start at k = 0, V::width, ... of `width` values.
template <class T, class V, class F>
[[gnu::always_inline]] inline void for_each_pack(index_t width, const F& f) {
  index_t k = 0;
  for (; k + V::width <= width; k += V::width) f(k, whole_pack<V>{});
  if (k < width) f(k, part_of_pack<V, T>{width - k});
}

// What a dropout layer draws: number k of the stream (seed, dropout, step, layer and row) for column k. It keeps a value, times `kept`,
// where that is no less than `least`.
template <class T>
struct dropout_draws {
  std::uint64_t seed, step;
  std::uint32_t layer, least;
  T kept;

  dropout_draws(double probability, std::uint64_t of_seed, std::uint64_t of_step, int of_layer)
      : seed(of_seed),
        step(of_step),
        layer(static_cast<std::uint32_t>(of_layer)),
        least(static_cast<std::uint32_t>(std::ldexp(probability, 32))),
        kept(static_cast<T>(1 / (1 - probability))) {}
};

// The lanes of a loop on the host: one thread.
template <backend B>
struct host_lanes {
  template <class T>
  using pack = typename B::template pack<T>;

  // f(k, access) for packs of T that hold `width` values together.
  template <class T, class F>
  [[gnu::always_inline]] static void each(index_t width, const F& f) {
    for_each_pack<T, pack<T>>(width, f);
  }
  // A value of the whole row.
  template <class T>
  [[gnu::always_inline]] static void put(T value, T* to) {
    *to = value;
  }
  // to[k] = from[k step], k = 0 ... n - 1.
  template <class T>
  static void gather(const T* from, index_t step, index_t n, T* to) {
    for (index_t k = 0; k < n; ++k) to[k] = from[k * step];
  }
  // The mask of a row, `block` columns at a time: next(), then load(access, k) for its columns.
  template <class T>
  class mask {
   public:
    static constexpr index_t block = 64;

    mask(const dropout_draws<T>& draws, index_t row)
        : random_(draws.seed, purpose::dropout, draws.step, std::uint64_t{draws.layer} << 32 | static_cast<std::uint64_t>(row)),
          least_(draws.least),
          kept_(draws.kept) {}
    [[gnu::always_inline]] void next() {
      std::uint32_t drawn[block];
      random_.fill(drawn);
      for (index_t k = 0; k < block; ++k) values_[k] = static_cast<T>(drawn[k] >= least_) * kept_;
    }
    template <class At>
    [[gnu::always_inline]] pack<T> load(At at, index_t k) const {
      return at.load(values_ + k);
    }

   private:
    random_stream random_;
    std::uint32_t least_;
    T kept_, values_[block];
  };
};

inline constexpr index_t chunk_rows = 16, part_size = 8192;

// A value of type T in the memory that E is in, the raw pointer behind a pointer to such values, and a new shape for a matrix of them.
template <class E, class T>
using beside = std::conditional_t<on_device<E>, device<T>, T>;
template <class E>
[[gnu::always_inline]] inline auto* raw(E* p) {
  if constexpr (on_device<std::remove_const_t<E>>) {
    return raw_pointer(p);
  } else {
    return p;
  }
}
template <backend B, class M>
void reshape(const B& on, M& m, index_t rows, index_t cols) {
  if constexpr (on_device<typename M::Scalar>) {
    on.resize(m, rows, cols);
  } else {
    m.resize(rows, cols);
  }
}

// Values in the memory that the backend computes in, a view of which is the result: on the host the values themselves, on a device a copy
// in `memory`.
template <backend B, class T, class M>
auto placed(const B& on, std::span<const T> values, M& memory) {
  if constexpr (on_device<typename M::Scalar>) {
    on.put(values, memory);
    return std::span<const device<T>>(memory.data(), values.size());
  } else {
    return values;
  }
}

// A matrix of the host's, moved to the memory that the backend computes in.
template <backend B, class T>
auto moved_in(const B& on, matrix<T>&& values) {
  if constexpr (on_device<typename B::template element<T>>) {
    return on.upload(samples<T>(values));
  } else {
    return std::move(values);
  }
}
// A result in the memory that S is in.
template <class S, backend B, class M>
matrix_of<S> handed_back(const B& on, M&& result) {
  if constexpr (std::same_as<typename M::Scalar, S>) {
    return std::move(result);
  } else {
    return on.download(samples<typename M::Scalar>(result));
  }
}

// f(lanes, i) for each row i, in parallel by chunks; on a device where the values E are in its memory.
template <class E, backend B, class F>
void for_each_row(const B& on, index_t rows, const F& f) {
  if constexpr (on_device<E>) {
    on.for_each_row(rows, f);
  } else {
    on.for_each((rows + chunk_rows - 1) / chunk_rows, [&](index_t chunk) {
      for (index_t i = chunk * chunk_rows, end = std::min(rows, i + chunk_rows); i < end; ++i) f(host_lanes<B>{}, i);
    });
  }
}
// The same where every row adds to `width` sums: f(lanes, i, sums). `partials` receives the sums of each chunk, a row each.
template <class E, backend B, class F>
void sum_rows(const B& on, index_t rows, index_t width, matrix_of<E>& partials, const F& f) {
  if constexpr (on_device<E>) {
    on.sum_rows(rows, width, partials, f);
  } else {
    partials.resize((rows + chunk_rows - 1) / chunk_rows, width);
    on.for_each(partials.rows(), [&](index_t chunk) {
      E* const sums = partials.data() + chunk * width;
      std::fill_n(sums, width, E(0));
      for (index_t i = chunk * chunk_rows, end = std::min(rows, i + chunk_rows); i < end; ++i) f(host_lanes<B>{}, i, sums);
    });
  }
}
// f(lanes, first, count) for parts that make up 0 ... size - 1.
template <class E, backend B, class F>
void for_each_part(const B& on, index_t size, const F& f) {
  if constexpr (on_device<E>) {
    on.for_each_part(size, f);
  } else {
    on.for_each((size + part_size - 1) / part_size,
                [&](index_t part) { f(host_lanes<B>{}, part * part_size, std::min(part_size, size - part * part_size)); });
  }
}

// Whether all values are finite: times 0 they are then 0.
template <class V, class T>
bool all_finite(std::span<const T> values) {
  V zero[4] = {V(T(0)), V(T(0)), V(T(0)), V(T(0))};
  std::size_t k = 0;
  const auto width = static_cast<std::size_t>(V::width);
  for (; k + 4 * width <= values.size(); k += 4 * width) {
    for (std::size_t l = 0; l < 4; ++l) zero[l] = fma(V::load(values.data() + k + l * width), V(T(0)), zero[l]);
  }
  const V all = (zero[0] + zero[1]) + (zero[2] + zero[3]);
  T sum = all.sum();
  for (; k < values.size(); ++k) sum += values[k] * T(0);
  return sum == T(0);
}

// The same for a matrix in any memory.
template <backend B, class M>
bool all_finite_in(const B& on, const M& values) {
  using E = typename M::Scalar;
  if constexpr (on_device<E>) {
    return all_finite_in(on, on.download(samples<E>(values)));
  } else {
    return all_finite<typename B::template pack<E>>(std::span(values.values()));
  }
}
// A row of zeros.
template <class E, backend B>
void zeros(const B& on, matrix_of<E>& row, index_t size) {
  if constexpr (on_device<E>) {
    const matrix<host_value<E>> none(1, size);
    row = on.upload(samples<host_value<E>>(none));
  } else {
    row = matrix<E>(1, size);
  }
}

}  // namespace MMD_ISA
}  // namespace detail
}  // namespace mmd
