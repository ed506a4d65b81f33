// SPDX-License-Identifier: MIT
// How a tile is added to the quadratic forms of labels: without a product.
#pragma once

#include <algorithm>
#include <bit>
#include <cstdint>
#include <utility>

#include "mmd/backends/cpu/panels.hpp"
#include "mmd/core/simd.hpp"
#include "mmd/engine/reducers.hpp"

namespace mmd {
namespace detail {
inline namespace MMD_ISA {

// K_IJ v_J for many columns v of labels 0 and 1, by tables instead of multiply-adds (the "method of the four Russians": Arlazarov, Dinic,
// Kronrod and Faradzev, Soviet Math. Dokl. 11, 1970): for every four neighbouring columns of K the sums over all their subsets are stored
// once, and four labels of v say which of these sixteen vectors to add. One addition does the work of four multiply-adds, and no arithmetic
// but additions in T is done; sums of 64 columns of K are added up in double. Every column of labels takes its additions in the same order
// wherever it stands.
template <class T>
class label_sums {
 public:
  static void add(quadratic_forms& r, const tile<T>& t) {
    alignas(64) T tables[groups * entries * strip_rows];
    alignas(64) std::uint64_t of_i[chunk], of_j[chunk];
    alignas(64) double total[chunk];
    const index_t columns = r.labels->columns(), block = label_matrix::block;
    for (index_t first = 0; first < columns; first += chunk) {
      const index_t count = std::min(chunk, columns - first), whole = (count + block - 1) / block * block;
      std::fill_n(total, whole, 0.0);
      for (int i = 0; i < t.I.rows; i += 64) {
        align(*r.labels, t.I, i, first, whole, of_i);
        for (int j = 0; j < t.J.rows; j += 64) {
          align(*r.labels, t.J, j, first, whole, of_j);
          for (int s = 0; s < std::min(64, t.I.rows - i); s += strip_rows) {
            tabulate(t, i + s, j, tables);
            look_up(tables, of_i, s, of_j, count, total);
          }
        }
      }
      const double times = t.diagonal ? 1 : 2;  // a diagonal tile holds both orders
      for (index_t c = 0; c < count; ++c) r.value[at(first + c)] += times * total[c];
    }
  }

 private:
  using S = simd<T>;
  typedef std::uint64_t words __attribute__((vector_size(MMD_SIMD_BYTES)));
  static constexpr int W = S::width, groups = 16, entries = 16;                                          // of four columns of K; of a table
  static constexpr int strip_bytes = 128, strip_rows = strip_bytes / sizeof(T), packs = strip_rows / W;  // tables of a strip: 32 KiB
  static constexpr index_t chunk = 1024;  // columns of labels for which tables are made

  static words load(const std::uint64_t* p) {
    words v;
    __builtin_memcpy(&v, p, sizeof v);
    return v;
  }
  // out[c]: the labels of rows `from` ... `from` + 63 of a panel in column first + c, 0 beyond the end of the panel.
  static void align(const label_matrix& labels, const panel& p, int from, index_t first, index_t count, std::uint64_t* out) {
    const index_t row = p.first + from;
    const auto shift = static_cast<std::uint64_t>(row % 64);
    const std::uint64_t inside = p.rows - from >= 64 ? ~std::uint64_t{0} : (std::uint64_t{1} << (p.rows - from)) - 1;
    for (index_t b = 0; b < count; b += label_matrix::block) {
      const std::uint64_t *low = labels.word(row / 64, first + b), *high = labels.word(row / 64 + 1, first + b);
      for (index_t c = 0; c < label_matrix::block; c += MMD_SIMD_BYTES / 8) {
        const words both = (load(low + c) >> shift | load(high + c) << 1 << (63 - shift)) & inside;
        __builtin_memcpy(out + b + c, &both, sizeof both);
      }
    }
  }

  // Entry e of table g, at out + (16 g + e) strip_rows: the sum of columns j + 4 g + l of K over the bits l of e, rows i ... of the tile.
  // Columns from t.J.rows on count as 0.
  static void tabulate(const tile<T>& t, int i, int j, T* out) {
    for (int g = 0; g < groups; ++g, j += 4, out += entries * strip_rows) {
      for (int p = 0; p < packs; ++p) {
        S sum[entries];
        sum[0] = S(T(0));
        sum[0].store(out + p * W);
#pragma GCC unroll 4
        for (int l = 0; l < 4; ++l) {
          const S k = j + l < t.J.rows ? S::load(t.k + static_cast<index_t>(j + l) * t.ld + i + p * W) : S(T(0));
#pragma GCC unroll 8
          for (int e = 0; e < 1 << l; ++e) {
            sum[e + (1 << l)] = sum[e] + k;
            sum[e + (1 << l)].store(out + (e + (1 << l)) * strip_rows + p * W);
          }
        }
      }
    }
  }

  // total[c] += the sum over rows and columns of the tables' strip whose labels, bits of of_i[c] >> s and of_j[c], are both 1.
  [[gnu::noinline]] static void look_up(const T* tables, const std::uint64_t* of_i, int s, const std::uint64_t* of_j, index_t count,
                                        double* total) {
    constexpr int log_bytes = std::bit_width(static_cast<unsigned>(strip_bytes)) - 1;
    for (index_t c = 0; c < count; ++c) {
      const std::uint64_t j = of_j[c];
      typename S::raw sum[packs] = {};
#pragma GCC unroll 16
      for (int g = 0; g < groups; ++g) {
        const std::uint64_t shifted = 4 * g < log_bytes ? j << (log_bytes - 4 * g) : j >> (4 * g - log_bytes);
        const auto* entry = reinterpret_cast<const char*>(tables + g * entries * strip_rows) + (shifted & 15u << log_bytes);
#pragma GCC unroll 8
        for (int p = 0; p < packs; ++p) sum[p] = here((S(sum[p]) + S::load(reinterpret_cast<const T*>(entry) + p * W)).v);
      }
      S chosen = T(0);
#pragma GCC unroll 8
      for (int p = 0; p < packs; ++p) chosen += where_labelled(static_cast<std::uint32_t>(of_i[c] >> (s + p * W)), sum[p]);
      total[c] += static_cast<double>(chosen.sum());
    }
  }
  // Makes the compiler add up the packs side by side: GCC 12 would keep sixteen addresses instead.
  [[gnu::always_inline]] static typename S::raw here(typename S::raw v) {
#if defined(__x86_64__)
    __asm__("" : "+v"(v));
#elif defined(__aarch64__)
    __asm__("" : "+w"(v));
#endif
    return v;
  }
  // Lane l of v where bit l of the labels is set, else 0. Compares halves of double lanes: SSE2 has no comparison of 64 bits.
  [[gnu::always_inline]] static S where_labelled(std::uint32_t labels, typename S::raw v) {
    typedef std::uint32_t bits __attribute__((vector_size(MMD_SIMD_BYTES)));
    constexpr int each = sizeof(T) / 4;
    const bits lane = []<int... l>(std::integer_sequence<int, l...>) { return bits{(1u << (l / each))...}; }
    (std::make_integer_sequence<int, MMD_SIMD_BYTES / 4>{});
    return (typename S::raw)((bits)(((labels - bits{}) & lane) == lane) & (bits)v);
  }
};

}  // namespace MMD_ISA
}  // namespace detail

inline namespace MMD_ISA {

template <class T>
void add(quadratic_forms& r, const tile<T>& t) {
  detail::label_sums<T>::add(r, t);
}

}  // namespace MMD_ISA
}  // namespace mmd
