// SPDX-License-Identifier: MIT
// Samples stored in two bytes: a pass over them has the bits of a pass over the same values stored as float.
#include <cmath>
#include <cstring>
#include <numeric>
#include <string>
#include <vector>

#include "oracle/half.hpp"
#include "support.hpp"
#include "support/catch2.hpp"

using namespace mmd;
using namespace backends_test;

namespace {

// The same bits; NaN is NaN.
bool same_bits(const std::vector<double>& a, const std::vector<double>& b) {
  if (a.size() != b.size()) return false;
  for (std::size_t i = 0; i < a.size(); ++i) {
    if (a[i] != b[i] && !(std::isnan(a[i]) && std::isnan(b[i]))) return false;
  }
  return true;
}

// What one pass leaves.
struct outcome {
  layout lay;
  row_sums sums = {}, absolute = {.absolute = true};
  block_sums bins = {};
  gram<float> values = {};

  template <class T>
  outcome(const pooled<T>& z, const auto& k) {
    for (index_t left = z.rows(), b = 1; left > 0; left -= b, b = std::min<index_t>(left, b % 50 + 7))
      bins.bin_rows.push_back(std::min(b, left));
    lay = cpu{.threads = 2}.reduce(k, z, sums, absolute, bins, values);
  }
  bool operator==(const outcome& o) const {
    const std::vector<double> own(values.values.begin(), values.values.end()), other(o.values.values.begin(), o.values.values.end());
    return same_bits(sums.sums, o.sums.sums) && same_bits(absolute.sums, o.absolute.sums) && same_bits(bins.sums, o.bins.sums) &&
           same_bits(lay.diagonal, o.lay.diagonal) && same_bits(own, other);
  }
};

template <class H>
std::vector<matrix<H>> half_rows(const std::vector<index_t>& rows, index_t d, double scale = 1) {
  std::vector<matrix<H>> out;
  for (std::size_t g = 0; g < rows.size(); ++g) {
    out.push_back(converted<H>(normal_rows<double>(rows[g], d, 3 + g, scale, .3 * static_cast<double>(g))));
  }
  return out;
}
template <class H>
std::vector<matrix<float>> as_floats(const std::vector<matrix<H>>& groups) {
  std::vector<matrix<float>> out;
  for (const auto& g : groups) out.push_back(converted<float>(g));
  return out;
}
// Of the same values stored as float.
template <class H>
outcome of_floats(const std::vector<matrix<H>>& groups, const auto& k) {
  const auto floats = as_floats(groups);
  return outcome(pool_of(floats), k);
}
std::vector<index_t> shuffled(index_t rows) { return random_stream(9, purpose::row_order).permutation(rows); }
}  // namespace

TEMPLATE_TEST_CASE("rows of every storage type are read as the values that they hold", "", float16, bfloat16) {
  const auto format = std::is_same_v<TestType, float16> ? oracle::binary16 : oracle::bfloat16;
  std::vector<TestType> all(65536);
  for (std::size_t i = 0; i < all.size(); ++i) all[i].bits = static_cast<std::uint16_t>(i);
  const auto wrong = [&](const samples<TestType>& row, index_t first, index_t n) {
    const std::vector<index_t> order;
    const detail::row_source source{{row}, &order};
    std::vector<double> out(static_cast<std::size_t>(n));
    source.row(0).read(first, n, out.data());
    int count = 0;
    for (index_t k = 0; k < n; ++k) {
      const double expected = format.value(row(0, first + k).bits), found = out[static_cast<std::size_t>(k)];
      count += std::isnan(expected) ? !std::isnan(found) : found != expected || std::signbit(found) != std::signbit(expected);
    }
    return count;
  };
  CHECK(wrong(samples<TestType>(all.data(), 1, 65536, 65536, 1), 0, 65536) == 0);
  CHECK(wrong(samples<TestType>(all.data(), 1, 65536 / 3, 1, 3), 0, 65536 / 3) == 0);
  CHECK(wrong(samples<TestType>(all.data() + 65535, 1, 65536, 1, -1), 0, 65536) == 0);
  int short_rows = 0;
  for (index_t n = 0; n < 40; ++n) short_rows += wrong(samples<TestType>(all.data() + 1000, 1, 60, 60, 1), n % 7, n);
  CHECK(short_rows == 0);
}

TEMPLATE_TEST_CASE("half samples have the bits of the same values as float, over edges of packs and tiles", "", float16, bfloat16) {
  struct shape {
    std::vector<index_t> rows;
    index_t d;
  };
  for (const auto& [rows, d] :
       std::vector<shape>{{{1, 1}, 1}, {{31, 33}, 16}, {{127, 129}, 7}, {{128, 128}, 64}, {{257, 64}, 65}, {{20, 10}, 530}, {{5, 22}, 0}}) {
    INFO(rows[0] << " + " << rows[1] << " rows, d = " << d);
    const auto groups = half_rows<TestType>(rows, d);
    const auto floats = as_floats(groups);
    auto half = pool_of(groups);
    auto wide = pool_of(floats);
    CHECK(outcome(half, gaussian(2)) == outcome(wide, gaussian(2)));
    half.order = wide.order = shuffled(wide.rows());
    CHECK(outcome(half, gaussian(2)) == outcome(wide, gaussian(2)));
    CHECK(outcome(half, mixture(laplace(3), polynomial(2, .01))) == outcome(wide, mixture(laplace(3), polynomial(2, .01))));
  }
}

TEMPLATE_TEST_CASE("half samples of any strides", "", float16, bfloat16) {
  const index_t n = 150, d = 21;
  const auto x = std::move(half_rows<TestType>({n}, d).front());
  matrix<TestType> by_columns(d, n), spread(2 * n, 3 * d);
  for (index_t i = 0; i < n; ++i) {
    for (index_t k = 0; k < d; ++k) by_columns(k, i) = spread(2 * i, 3 * k) = x(i, k);
  }
  const outcome wanted = of_floats<TestType>({x}, gaussian(3));
  CHECK(outcome(pooled<TestType>{{samples<TestType>(by_columns.data(), n, d, 1, n)}}, gaussian(3)) == wanted);
  CHECK(outcome(pooled<TestType>{{samples<TestType>(spread.data(), n, d, 6 * d, 3)}}, gaussian(3)) == wanted);
  const std::vector<index_t> upwards = [&] {
    std::vector<index_t> order(static_cast<std::size_t>(n));
    std::iota(order.rbegin(), order.rend(), 0);
    return order;
  }();
  const samples<TestType> backwards(x.data() + (n - 1) * d, n, d, -d, 1);
  CHECK(outcome(pooled<TestType>{{backwards}, upwards}, gaussian(3)) == wanted);
}

TEMPLATE_TEST_CASE("maps read half samples as float", "", float16, bfloat16) {
  const auto groups = half_rows<TestType>({70, 60}, 9);
  const auto floats = as_floats(groups);
  const auto map = [](const samples<float>& x) {
    matrix<float> out(x.rows(), 4);
    for (index_t i = 0; i < x.rows(); ++i) {
      for (index_t k = 0; k < 4; ++k) out(i, k) = x(i, k) * x(i, k + 1);
    }
    return out;
  };
  const auto view = [](const samples<float>& x) { return samples<float>(x.data() + 2, x.rows(), 3, x.rowStride(), x.colStride()); };
  const auto features = normal_rows<float>(130, 5, 8);
  const auto k = on(map, gaussian(1)) * on(view, laplace(2)) + on(given(features), gaussian(3)) * gaussian(4);
  CHECK(outcome(pool_of(groups), k) == outcome(pool_of(floats), k));
  row_sums r;
  const auto half = cpu{}.plan(k, pool_of(groups), r), wide = cpu{}.plan(k, pool_of(floats), r);
  CHECK(half.bytes == wide.bytes + 130 * 9 * sizeof(float));  // the copy that the maps read
}

TEMPLATE_TEST_CASE("the plan of a pass counts float copies of half samples", "", float16, bfloat16) {
  const auto groups = half_rows<TestType>({500, 300}, 40);
  const auto floats = as_floats(groups);
  row_sums r;
  const auto half = cpu{}.plan(gaussian(1), pool_of(groups), r), wide = cpu{}.plan(gaussian(1), pool_of(floats), r);
  CHECK(half.bytes == wide.bytes);
  CHECK(half.bytes > 800 * 40 * sizeof(float));
  CHECK(half.result_bytes == wide.result_bytes);
  CHECK(half.parts == wide.parts);
}

TEST_CASE("half samples whose values leave float's range are evaluated in double") {
  const auto far = half_rows<bfloat16>({40, 30}, 6, 1e20);
  CHECK(outcome(pool_of(far), gaussian(1e20)) == of_floats(far, gaussian(1e20)));
  const auto large = half_rows<float16>({40, 30}, 6, 1e4);
  const polynomial steep(6);
  const outcome found(pool_of(large), steep);
  CHECK(found == of_floats(large, steep));
  CHECK(std::isfinite(found.sums(0, 0)));
}

TEMPLATE_TEST_CASE("NaN and infinity in half samples", "", float16, bfloat16) {
  for (const float value : {std::nanf(""), HUGE_VALF, -HUGE_VALF}) {
    auto groups = half_rows<TestType>({140, 9}, 5);
    groups[0](130, 2) = TestType(value);
    CHECK(outcome(pool_of(groups), gaussian(1)) == of_floats(groups, gaussian(1)));
    const auto z = pool_of(groups);
    const std::string text = std::isnan(value) ? "nan" : value > 0 ? "inf" : "-inf";
    CHECK(message_of<invalid_input>([&] { check_samples(z.groups[0], z.groups[1]); }) ==
          "mmd: x(130, 2) = " + text + ", expected a finite number");
  }
  auto fine = half_rows<TestType>({1, 1}, 67);
  fine[0](0, 66) = TestType(std::is_same_v<TestType, float16> ? 65504.0 : 3e38);
  CHECK_NOTHROW(check_sample(samples<TestType>(fine[0]), "x"));
  fine[0](0, 66).bits |= 0x7c00;
  fine[0](0, 66).bits |= std::is_same_v<TestType, float16> ? 0 : 0x7f80;
  CHECK_THROWS_AS(check_sample(samples<TestType>(fine[0]), "x"), invalid_input);
}

TEMPLATE_TEST_CASE("the gradient by half samples is that by the same floats, as float", "", float16, bfloat16) {
  const auto groups = half_rows<TestType>({60, 75}, 11);
  const auto floats = as_floats(groups);
  pair_weights weights;
  weights.ww = {1, -1, -1, 2};
  weights.wp = {.5, 1, 1, -1};
  for (index_t i = 0; i < 135; ++i) {
    weights.w.push_back(1 + .01 * static_cast<double>(i));
    weights.p.push_back(std::sin(static_cast<double>(i)));
  }
  const kernel_gradient<float> half = cpu{}.gradient(gaussian(2), pool_of(groups), weights);
  const kernel_gradient<float> wide = cpu{}.gradient(gaussian(2), pool_of(floats), weights);
  REQUIRE(half.features.size() == 1);
  CHECK(half.features[0] == wide.features[0]);
  CHECK(half.scales == wide.scales);
}
