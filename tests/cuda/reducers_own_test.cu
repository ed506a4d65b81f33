// SPDX-License-Identifier: MIT
// Reducers of a user's own, and what they need on the device.
#include <cmath>

#include "reducers.cuh"
#include "support/catch2.hpp"

namespace {

using mmd::index_t;

// One that keeps single values says where they belong, and has a part: the values of group 0 below the diagonal, row by row.
struct lower_triangle {
  index_t rows = 0;
  std::vector<double> values = {};
  [[maybe_unused]] static constexpr bool shared = true;
  void prepare(const mmd::layout& l) {
    rows = l.group_rows[0];
    values.assign(static_cast<std::size_t>(rows * (rows - 1) / 2), 0);
  }
  void merge(const lower_triangle&) {}
  std::uint64_t bytes(const mmd::layout&) const { return values.size() * sizeof(double); }

  struct place_below {
    template <class Put>
    MMD_HD void operator()(int group_i, index_t i, int group_j, index_t j, Put put) const {
      if (group_i == 0 && group_j == 0) put(j * (j - 1) / 2 + i);
    }
  };
  std::vector<double>& stored() { return values; }
  template <class Table>
  place_below places(const Table&) const {
    return {};
  }
};

// Sums of a function of K by rows and groups: the function is all it takes.
struct sums_of_squares {
  std::vector<double> sums = {};
  [[maybe_unused]] static constexpr bool shared = false;
  void prepare(const mmd::layout& l) { sums.assign(static_cast<std::size_t>(l.rows * l.groups()), 0); }
  void merge(const sums_of_squares&) {}
};
struct square {
  template <class T>
  __device__ T operator()(T k) const {
    return k * k;
  }
};

// Anything else: a part of its own. The largest |k| of every pair of groups.
struct largest_values {
  int groups = 0;
  std::vector<double> largest = {};
  [[maybe_unused]] static constexpr bool shared = false;
  void prepare(const mmd::layout& l) {
    groups = l.groups();
    largest.assign(static_cast<std::size_t>(groups * groups), 0);
  }
  void merge(const largest_values&) {}
};

}  // namespace

template <>
struct mmd::detail::device_part<sums_of_squares> : mmd::detail::row_sums_part<sums_of_squares, square> {
  using row_sums_part::row_sums_part;
};

template <>
class mmd::detail::device_part<largest_values> {
 public:
  using bits = unsigned long long;  // of doubles that are not negative: ordered as these, so that atomicMax is exact
  struct view {
    bits* largest;
    int groups;
    template <class T, int C>
    __device__ void add(const fragment<T, C>& k, const tile_place& p, unsigned char*) const {
      double found = 0;
      for (int a = 0; a < 8; ++a) {
        for (int b = 0; b < C; ++b) found = max(found, abs(static_cast<double>(k.v[a][b])));
      }
      atomicMax(&largest[p.group_i * groups + p.group_j], static_cast<bits>(__double_as_longlong(found)));
    }
  };
  device_part(device_context& on, largest_values& r, const layout&, const std::vector<panel>&, int, int)
      : on_(&on), r_(&r), largest_(upload(on, std::span<const double>(r.largest), "largest values")) {}
  static std::uint64_t bytes(const largest_values& r, const layout&, int, int) { return r.largest.size() * sizeof(double); }
  view on_stream(int) const { return {reinterpret_cast<bits*>(largest_.data()), r_->groups}; }
  void fold(int, const macro&, const pass_view&) {}
  void finish() {
    on_->order(1, 0);
    largest_.get(r_->largest, on_->stream(0));
  }

 private:
  device_context* on_;
  largest_values* r_;
  buffer<double> largest_;
};

TEMPLATE_TEST_CASE("a reducer of one's own that says where values belong runs on the device", "[cuda]", float, double) {
  const fed::problem<TestType> z({140, 20});
  fed::every_way(
      z, [] { return lower_triangle{}; },
      [&](const lower_triangle& r) {
        bool good = true;
        for (index_t j = 0; j < 140; ++j) {
          for (index_t i = 0; i < j; ++i) good = good && r.values[static_cast<std::size_t>(j * (j - 1) / 2 + i)] == z(i, j);
        }
        CHECK(good);
      },
      [](const auto& a, const auto& b) { CHECK(a.values == b.values); });
}

TEST_CASE("a reducer of one's own that sums a function of K by rows runs on the device", "[cuda]") {
  const fed::problem<double> z({140, 20});
  fed::every_way(
      z, [] { return sums_of_squares{}; },
      [&](const sums_of_squares& r) {
        bool good = true;
        for (index_t i = 0; i < z.rows; ++i) {
          double sum[2] = {};
          for (index_t j = 0; j < z.rows; ++j) sum[j < 140 ? 0 : 1] += z(i, j) * z(i, j);
          for (const index_t g : {0, 1})
            good = good && std::abs(r.sums[static_cast<std::size_t>(g * z.rows + i)] - sum[g]) <= 1e-13 * sum[g];
        }
        CHECK(good);
      },
      [](const auto& a, const auto& b) { CHECK(a.sums == b.sums); });
}

TEST_CASE("a reducer of one's own with a part of its own runs on the device", "[cuda]") {
  const fed::problem<float> z({140, 20});
  fed::every_way(
      z, [] { return largest_values{}; },
      [&](const largest_values& r) {
        double largest[2][2] = {};
        for (index_t i = 0; i < z.rows; ++i) {
          for (index_t j = i + 1; j < z.rows; ++j) largest[i >= 140][j >= 140] = std::max(largest[i >= 140][j >= 140], std::abs(z(i, j)));
        }
        CHECK(r.largest == std::vector<double>{largest[0][0], largest[0][1], 0, largest[1][1]});
      },
      [](const auto& a, const auto& b) { CHECK(a.largest == b.largest); });
}
