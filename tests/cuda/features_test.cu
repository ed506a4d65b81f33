// SPDX-License-Identifier: MIT
// Packed features on the device, against the same by definition.
#include <algorithm>
#include <cmath>
#include <limits>
#include <span>
#include <utility>
#include <vector>

#include "mmd/backends/cuda/features.cuh"
#include "mmd/core/philox.hpp"
#include "support/catch2.hpp"

namespace {
using namespace mmd;
namespace d = mmd::detail;
using d::at;

struct problem {
  std::vector<index_t> groups;
  index_t cols;
  index_t rows() const {
    index_t n = 0;
    for (const index_t g : groups) n += g;
    return n;
  }
};

// Where a group's values lie in `memory`: by rows with a gap, by columns, backwards.
enum class lying { rows, apart, columns, backwards };

template <class S>
struct stored {
  std::vector<S> memory;
  index_t first, rows, cols, row_stride, col_stride;
  samples<S> view() const { return {memory.data() + first, rows, cols, row_stride, col_stride}; }
};
template <class S>
stored<S> random_rows(index_t n, index_t cols, lying how, std::uint64_t seed) {
  random_stream random(seed, purpose::user, 11);
  const index_t row_stride = how == lying::columns ? 1
                             : how == lying::apart ? cols + 3
                                                   : cols,
                col_stride = how == lying::columns ? n + 1 : 1, sign = how == lying::backwards ? -1 : 1;
  stored<S> out{std::vector<S>(at((n + 1) * (cols + 3)), S(std::numeric_limits<float>::quiet_NaN())),
                how == lying::backwards ? (n - 1) * cols : 0,
                n,
                cols,
                sign * row_stride,
                col_stride};
  for (index_t i = 0; i < n; ++i) {
    for (index_t k = 0; k < cols; ++k) out.memory[at(out.first + i * out.row_stride + k * col_stride)] = S(3 + random.normal());
  }
  return out;
}

// What was packed, on the host again.
template <class T>
struct packed {
  std::vector<T> z, norm;
  double largest;
  index_t width;
  friend bool operator==(const packed&, const packed&) = default;
};
template <class T>
packed<T> brought(const d::device_features<T>& f, cudaStream_t stream) {
  packed<T> out{std::vector<T>(at(f.z.size())), std::vector<T>(at(f.norm.size())), f.largest_norm, f.d_padded};
  f.z.get(out.z, stream);
  f.norm.get(out.norm, stream);
  return out;
}

d::device_context& device_of_all() {
  static d::device_context context(0);
  return context;
}

// Packs groups of the host, or copies of them on the device at the same strides.
template <class T, class S>
packed<T> pack(const std::vector<stored<S>>& groups, const std::vector<index_t>& order, bool centre, bool on_the_device,
               bool twice = false) {
  d::device_context& context = device_of_all();
  const auto turn = context.enter();
  std::vector<d::buffer<S>> memory;
  std::vector<index_t> sizes;
  d::space_rows rows{{}, &order, true};
  for (const auto& g : groups) {
    sizes.push_back(g.rows);
    if (!on_the_device) {
      rows.parts.push_back(g.view());
      continue;
    }
    auto& b = memory.emplace_back(context, static_cast<index_t>(g.memory.size()), context.stream(0), "samples");
    b.put(g.memory, context.stream(0));
    const S* const first = b.data() + g.first;
    rows.parts.push_back(device_samples<S>(device_pointer(first), g.rows, g.cols, g.row_stride, g.col_stride));
  }
  layout lay;
  if (!order.empty()) sizes = {static_cast<index_t>(order.size())};
  const auto panels = d::cut_groups(sizes, panel_rows, lay);
  d::buffer<panel> there(context, static_cast<index_t>(panels.size()), context.stream(0), "panels");
  there.put(panels, context.stream(0));
  const d::packer packer(context, 2, lay, panels, there);
  if (twice) {
    const auto plain = packer.pack<T, S>(rows, false);
    return brought(packer.pack<T, S>(rows, centre, &plain), context.stream(0));
  }
  return brought(packer.pack<T, S>(rows, centre), context.stream(0));
}

template <class T, class S>
void compare(const packed<T>& found, const std::vector<stored<S>>& groups, const std::vector<index_t>& order, bool centre) {
  std::vector<std::pair<std::size_t, index_t>> row_of;  // position -> group, row
  std::vector<index_t> sizes;
  std::vector<samples<S>> view;
  for (std::size_t g = 0; g < groups.size(); ++g) {
    view.push_back(groups[g].view());
    sizes.push_back(groups[g].rows);
    for (index_t i = 0; i < groups[g].rows; ++i) row_of.emplace_back(g, i);
  }
  if (!order.empty()) {
    auto moved = row_of;
    for (std::size_t p = 0; p < order.size(); ++p) moved[p] = row_of[at(order[p])];
    row_of = moved;
    sizes = {static_cast<index_t>(row_of.size())};
  }
  const index_t cols = groups[0].cols, width = (cols + 7) / 8 * 8;
  REQUIRE(found.width == width);
  std::vector<long double> mean(at(cols));
  for (const auto& [g, i] : row_of) {
    for (index_t k = 0; k < cols; ++k) mean[at(k)] += static_cast<long double>(static_cast<double>(view[g](i, k)));
  }
  for (auto& m : mean) m = centre ? m / static_cast<long double>(row_of.size()) : 0;

  std::size_t position = 0;
  index_t packed_row = 0;
  double worst = 0, worst_norm = 0, largest = 0;
  bool zeros = true;
  for (const index_t size : sizes) {
    for (index_t r = 0; r < (size + 127) / 128 * 128; ++r, ++packed_row) {
      const T* const z = &found.z[at(packed_row * width)];
      double norm = 0;
      for (index_t k = 0; k < width; ++k) {
        if (r < size && k < cols) {
          const auto& [g, i] = row_of[position];
          const auto expected = static_cast<double>(static_cast<long double>(static_cast<double>(view[g](i, k))) - mean[at(k)]);
          worst = std::max(worst, std::abs(static_cast<double>(z[k]) - expected) / 8);
          norm += static_cast<double>(z[k]) * static_cast<double>(z[k]);
        } else {
          zeros = zeros && z[k] == 0;
        }
      }
      worst_norm = std::max(worst_norm, std::abs(static_cast<double>(found.norm[at(packed_row)]) - norm) / (norm + 1e-300));
      zeros = zeros && (r < size || found.norm[at(packed_row)] == 0);
      largest = std::max(largest, norm);
      position += r < size;
    }
  }
  REQUIRE(packed_row * width == static_cast<index_t>(found.z.size()));
  const double eps = static_cast<double>(std::numeric_limits<T>::epsilon());
  CHECK(zeros);
  CHECK(worst <= (centre ? eps : 0));
  CHECK(worst_norm <= (sizeof(T) == 4 ? 1 : 100) * eps);  // sums of doubles, in another order
  CHECK(found.largest == Approx(largest).epsilon(1e-13));
}

template <class T, class S>
void check(const problem& p, lying how, bool ordered) {
  std::vector<stored<S>> groups;
  for (std::size_t g = 0; g < p.groups.size(); ++g) groups.push_back(random_rows<S>(p.groups[g], p.cols, how, 7 + g));
  std::vector<index_t> order;
  if (ordered) order = random_stream(5, purpose::user).permutation(p.rows());
  for (const bool centre : {false, true}) {
    INFO(p.rows() << " rows in " << p.groups.size() << " groups, d = " << p.cols << ", lying " << static_cast<int>(how) << ", ordered "
                  << ordered << ", centred " << centre);
    const auto from_host = pack<T>(groups, order, centre, false), from_device = pack<T>(groups, order, centre, true);
    compare(from_host, groups, order, centre);
    CHECK(from_host == from_device);
    if (centre) CHECK(pack<T>(groups, order, true, false, true) == from_host);
  }
}
}  // namespace

TEMPLATE_TEST_CASE("features are those of the samples, centred, in panels filled up with zeros", "", float, double, float16, bfloat16) {
  using S = TestType;
  using T = compute_type<S>;
  for (const index_t cols : {1, 7, 8, 9, 31, 33, 70}) check<T, S>({{129, 5}, cols}, lying::rows, cols % 2 == 1);
  for (const lying how : {lying::apart, lying::columns, lying::backwards}) {
    check<T, S>({{130, 1, 127, 128}, 5}, how, false);
    check<T, S>({{130, 1, 127, 128}, 5}, how, true);
  }
  check<T, S>({{1}, 1}, lying::rows, false);
  check<T, S>({{1, 1}, 3}, lying::columns, true);
}

TEST_CASE("float samples are packed as doubles without a loss") {
  check<double, float>({{70, 200}, 11}, lying::apart, true);
  check<double, float16>({{70, 200}, 11}, lying::columns, false);
  check<double, bfloat16>({{70, 200}, 11}, lying::rows, false);
}

TEST_CASE("more rows and more columns than a chunk of pinned memory holds") {
  check<float, float>({{300}, 9001}, lying::rows, false);  // 128 rows of so many columns do not fit
  check<double, double>({{3, 140}, 5001}, lying::rows, true);
  check<float, float>({{2200, 30}, 500}, lying::rows, false);  // several chunks of rows
}

TEST_CASE("with an order nothing tells how rows were split into groups") {
  const auto all = random_rows<float>(300, 6, lying::rows, 3);
  std::vector<stored<float>> one{all}, three;
  index_t first = 0;
  for (const index_t size : {17, 200, 83}) {
    three.push_back({all.memory, first * 6, size, 6, 6, 1});
    first += size;
  }
  const auto order = random_stream(9, purpose::user).permutation(300);
  for (const bool on_the_device : {false, true}) {
    CHECK(pack<float>(one, order, true, on_the_device) == pack<float>(three, order, true, on_the_device));
  }
}

TEST_CASE("a mean is exact to the last bits far from the origin, and magnitudes beyond float's show") {
  std::vector<stored<float>> far{random_rows<float>(1000, 3, lying::rows, 1)};
  for (float& v : far[0].memory) v += 30000;
  compare(pack<float>(far, {}, true, false), far, {}, true);
  std::vector<stored<float>> large{random_rows<float>(10, 2, lying::rows, 1)};
  for (float& v : large[0].memory) v *= 1e30f;
  const auto p = pack<float>(large, {}, false, true);
  CHECK(p.largest > 1e59);
  CHECK(p.largest < 1e63);
}
