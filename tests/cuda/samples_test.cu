// SPDX-License-Identifier: MIT
// Samples and matrices in the device's memory: types, copies, views, maps, and what is wrong with them.
#include <cmath>
#include <limits>
#include <type_traits>
#include <utility>
#include <vector>

#include "mmd/backends/cuda.cuh"
#include "mmd/core/philox.hpp"
#include "mmd/estimators/bandwidth.hpp"
#include "mmd/estimators/mmd.hpp"
#include "mmd/inference/permutation_test.hpp"
#include "mmd/inference/subset_reference.hpp"
#include "support/catch2.hpp"

namespace {
using namespace mmd;

static_assert(sample_number<device<float>> && sample_number<device<float16>> && !sample_number<device<index_t>> && !sample_number<int>);
static_assert(sizeof(device<double>) == 8 && alignof(device<float16>) == 2);
static_assert(!std::is_copy_constructible_v<device<float>> && !std::is_convertible_v<device<float>, float>);
static_assert(!std::is_constructible_v<samples<float>, device_samples<float>> &&
              !std::is_constructible_v<device_samples<float>, matrix<float>>);
static_assert(!std::is_constructible_v<device_samples<float>, const float*, index_t, index_t, index_t, index_t>);
static_assert(std::is_same_v<computed<device<float16>>, device<float>> && std::is_same_v<computed<bfloat16>, float>);
static_assert(std::is_same_v<matrix_of<device<double>>, DeviceMatrix<double>> && std::is_same_v<matrix_of<double>, matrix<double>>);
static_assert(sample_matrix<DeviceMatrix<float>> && owning_matrix<DeviceMatrix<float>> && !sample_matrix<DeviceMatrix<index_t>>);
static_assert(backend<cuda>);
template <class X>
concept host_reads = requires(const X& x) {
  x(0, 0);
};
static_assert(host_reads<samples<float>> && !host_reads<device_samples<float>>);

const cuda& gpu() {
  static const cuda on;
  return on;
}
template <class T>
matrix<T> normal_rows(index_t n, index_t d, std::uint64_t seed, double shift = 0) {
  random_stream random(seed, purpose::user, 2);
  matrix<T> out(n, d);
  for (index_t i = 0; i < out.size(); ++i) out.data()[i] = T(random.normal() + shift);
  return out;
}

// phi(x) = (2 x_0, x_1 + 1): on the host, and of device samples on the device.
template <class T>
__global__ void double_and_add(const T* x, index_t rows, index_t row_stride, index_t col_stride, T* out) {
  const index_t i = static_cast<index_t>(blockIdx.x * blockDim.x + threadIdx.x);
  if (i >= rows) return;
  out[2 * i] = 2 * x[i * row_stride];
  out[2 * i + 1] = x[i * row_stride + col_stride] + 1;
}
struct plane {
  template <class E>
  matrix_of<E> operator()(const samples<E>& x) const {
    if constexpr (on_device<E>) {
      DeviceMatrix<host_value<E>> out;
      gpu().resize(out, x.rows(), 2);
      // a map submits to the default stream, which the backend waits for
      detail::launch(double_and_add<host_value<E>>, static_cast<unsigned>((x.rows() + 63) / 64), 64, 0, nullptr, raw_pointer(x.data()),
                     x.rows(), x.rowStride(), x.colStride(), raw_pointer(out.data()));
      return out;
    } else {
      matrix<E> out(x.rows(), 2);
      for (index_t i = 0; i < x.rows(); ++i) {
        out(i, 0) = 2 * x(i, 0);
        out(i, 1) = x(i, 1) + 1;
      }
      return out;
    }
  }
};
struct estimates {
  double biased, variance, p_value;
  friend bool operator==(const estimates&, const estimates&) = default;
};
template <class X, class K>
estimates found(const X& x, const X& y, const K& k) {
  const auto e = Mmd{k}(gpu(), x, y);
  return {e.biased, e.variance, PermutationTest{{.permutations = 19}}(gpu(), x, y, k).p_value};
}
}  // namespace

TEMPLATE_TEST_CASE("values go to the device and come back, whatever their strides", "", float, double, float16, bfloat16) {
  using T = TestType;
  const auto x = normal_rows<T>(70, 5, 1);
  const auto there = gpu().upload(x);
  CHECK(there.rows() == 70);
  CHECK(gpu().download(there) == x);
  const samples<T> turned(x.data(), 5, 70, 1, 5), part = samples<T>(x).middle_rows(60, 10), last(x.data() + 4, 70, 1, 5, 1);
  for (const samples<T>& view : {turned, part, last}) {
    CHECK(gpu().download(gpu().upload(view)) == converted<T>(view));
    const device_samples<T> of_there(there.data() + (view.data() - x.data()), view.rows(), view.cols(), view.rowStride(), view.colStride());
    CHECK(gpu().download(of_there) == converted<T>(view));
  }
  CHECK(gpu().download(gpu().upload(matrix<T>(0, 4))).rows() == 0);
  CHECK(gpu().download(gpu().upload(matrix<T>(4, 0))).size() == 0);
}

TEST_CASE("wide and long matrices go up in chunks") {
  for (const auto& [rows, cols] : {std::pair<index_t, index_t>{2, (1 << 20) + 5}, {(1 << 20) + 5, 2}, {1500, 1500}}) {
    matrix<float> x(rows, cols);
    for (index_t i = 0; i < x.size(); ++i) x.data()[i] = static_cast<float>(i % 8191);
    CHECK(gpu().download(gpu().upload(x)) == x);
  }
}

TEST_CASE("matrices on the device are values: copied, moved, resized") {
  const auto x = normal_rows<float>(9, 4, 1), y = normal_rows<float>(3, 2, 2);
  auto a = gpu().upload(x);
  auto b = a;
  CHECK(b.data() != a.data());
  CHECK(gpu().download(b) == x);
  a = gpu().upload(y);
  CHECK(gpu().download(b) == x);
  b = a;
  CHECK(gpu().download(b) == y);
  const auto* const before = b.data();
  gpu().resize(b, 2, 3);
  CHECK(b.data() == before);
  gpu().resize(b, 9, 4);  // as large as it once was
  CHECK(b.data() == before);
  DeviceMatrix<float> c = std::move(b), none;
  CHECK(b.rows() == 0);
  CHECK(c.rows() == 9);
  none = c;
  CHECK(none.size() == 36);
  none = DeviceMatrix<float>();
  CHECK(none.size() == 0);
  const cuda another;
  auto elsewhere = another.upload(x);
  elsewhere = a;
  CHECK(another.download(elsewhere) == y);
  another.resize(elsewhere, 1, 1);
  CHECK(elsewhere.rows() == 1);
  CHECK_THROWS_WITH(gpu().resize(c, -1, 2), says("rows = -1"));
  CHECK_THROWS_AS(gpu().resize(c, index_t{1} << 60, 1 << 10), invalid_input);
  DeviceMatrix<index_t> numbers;
  gpu().put(std::span<const index_t>(std::vector<index_t>{3, 1, 2}), numbers);
  CHECK(numbers.cols() == 3);
}

TEST_CASE("a matrix keeps what the backend owns alive") {
  DeviceMatrix<float> kept;
  const auto x = normal_rows<float>(5, 5, 1);
  {
    const cuda on;
    kept = on.upload(x);
  }
  const auto copy = kept;
  CHECK(gpu().download(copy) == x);
}

TEST_CASE("rows of several groups, all or chosen, are joined where they lie") {
  const auto x = normal_rows<double>(6, 3, 1), y = normal_rows<double>(4, 3, 2);
  const auto dx = gpu().upload(x), dy = gpu().upload(y);
  for (const std::vector<index_t>& order : {std::vector<index_t>{}, {9, 0, 6, 5, 5}}) {
    const pooled<double> here{{samples<double>(x), samples<double>(y)}, order};
    const pooled<device<double>> there{{samples<device<double>>(dx), samples<device<double>>(dy)}, order};
    CHECK(gpu().download(gpu().joined(there)) == detail::joined_rows(gpu(), here));
  }
}

TEMPLATE_TEST_CASE("statistics of device samples have the bits of the same on the host, maps included", "", float, double, float16,
                   bfloat16) {
  using T = TestType;
  const auto x = normal_rows<T>(60, 3, 1), y = normal_rows<T>(45, 3, 2, 0.4);
  const auto dx = gpu().upload(x), dy = gpu().upload(y);
  const auto deep = (0.9 * on(plane{}, gaussian(1.5)) + 0.1) * gaussian(3);
  const auto several = on(plane{}, gaussian(2)) + polynomial(2, 0.1, 1) + laplace(2);
  CHECK(found(dx, dy, gaussian(2)) == found(x, y, gaussian(2)));
  CHECK(found(dx, dy, deep) == found(x, y, deep));
  CHECK(found(dx, dy, several) == found(x, y, several));
  CHECK(median_heuristic(gpu(), dx, dy) == median_heuristic(gpu(), x, y));
  CHECK(median_heuristic<laplace>(gpu(), dx, dy, {.max_rows = 50}) == median_heuristic<laplace>(gpu(), x, y, {.max_rows = 50}));
  const SubsetReference here(gpu(), x, gaussian(2));
  const SubsetReference there(gpu(), dx, gaussian(2));
  CHECK(there.test(gpu(), dy).p_value == here.test(gpu(), y).p_value);
}

TEST_CASE("features that exist already, on the device or on the host") {
  const auto x = normal_rows<float>(50, 3, 1), y = normal_rows<float>(30, 3, 2), f = normal_rows<float>(80, 4, 3);
  const auto dx = gpu().upload(x), dy = gpu().upload(y), df = gpu().upload(f);
  const auto here = Mmd{on(given(f), gaussian(2)) * gaussian(1)}(gpu(), x, y).biased;
  CHECK(Mmd{on(given(df), gaussian(2)) * gaussian(1)}(gpu(), dx, dy).biased == here);
  CHECK(Mmd{on(given(df), gaussian(2)) * gaussian(1)}(gpu(), x, y).biased == here);
  CHECK(Mmd{on(given(f), gaussian(2)) * gaussian(1)}(gpu(), dx, dy).biased == here);
  const auto few = gpu().upload(normal_rows<float>(79, 4, 3));
  CHECK_THROWS_WITH(Mmd{on(given(few), gaussian(2))}(gpu(), dx, dy), says("features.rows()") && says("79") && says("80"));
}

TEST_CASE("what is not finite is named by group, row and column") {
  const auto check = [](double value, const char* shown) {
    auto x = normal_rows<float>(50, 3, 1), y = normal_rows<float>(300, 3, 2);
    const auto dx = gpu().upload(x);
    y(270, 2) = static_cast<float>(value);
    y(290, 1) = static_cast<float>(value);
    const auto dy = gpu().upload(y);
    const auto wrong = says("mmd: samples of group 1(270, 2) = " + std::string(shown) + ", expected a finite number");
    CHECK_THROWS_AS(Mmd{gaussian(2)}(gpu(), dx, dy), invalid_input);
    CHECK_THROWS_WITH(Mmd{gaussian(2)}(gpu(), dx, dy), wrong);
    CHECK_THROWS_WITH(Mmd{laplace(2)}(gpu(), dx, dy), wrong);
    CHECK_THROWS_WITH(PermutationTest{}(gpu(), dx, dy, gaussian(2)), wrong);
    CHECK_THROWS_WITH(median_heuristic(gpu(), dx, dy), wrong);
    CHECK_THROWS_WITH(Mmd{gaussian(2)}(gpu(), x, y), says("y(270, 2) = " + std::string(shown)));
    CHECK_THROWS_WITH(Mmd{on(plane{}, gaussian(2))}(gpu(), dx, gpu().upload([&] {
                        y(270, 0) = static_cast<float>(value);
                        return y;
                      }())),
                      says("mapped features of group 1(270, 0) = " + std::string(shown)));
  };
  check(std::numeric_limits<double>::quiet_NaN(), "nan");
  check(std::numeric_limits<double>::infinity(), "inf");
  check(-std::numeric_limits<double>::infinity(), "-inf");
  auto halves = normal_rows<float16>(10, 2, 1);
  halves(3, 1).bits = 0x7e00;
  const auto dh = gpu().upload(halves);
  CHECK_THROWS_WITH(Mmd{gaussian(2)}(gpu(), dh, dh), says("samples of group 0(3, 1) = nan"));
}

TEST_CASE("double samples whose squares overflow are finite") {
  auto x = normal_rows<double>(20, 2, 1), y = normal_rows<double>(20, 2, 2);
  for (index_t i = 0; i < x.size(); ++i) x.data()[i] *= 1e200;
  const auto dx = gpu().upload(x), dy = gpu().upload(y);
  CHECK_NOTHROW(Mmd{gaussian(2)}(gpu(), dx, dy));
}

TEST_CASE("pointers to other memory are refused") {
  const auto x = normal_rows<float>(20, 2, 1);
  const device_samples<float> host(device_pointer(x.data()), 20, 2, 2, 1);
  const auto wrong = says("samples.data(), expected a pointer to the memory of device 0");
  CHECK_THROWS_WITH(Mmd{gaussian(2)}(gpu(), host, host), wrong);
  CHECK_THROWS_WITH(gpu().download(host), wrong);
  CHECK_THROWS_AS(device_samples<float>(nullptr, 2, 2, 2, 1), invalid_input);
}

TEST_CASE("shapes that do not fit are named as on the CPU") {
  const auto x = gpu().upload(normal_rows<float>(5, 2, 1)), wide = gpu().upload(normal_rows<float>(5, 3, 1)),
             none = gpu().upload(matrix<float>(0, 2)), one = gpu().upload(normal_rows<float>(1, 2, 1));
  CHECK_THROWS_WITH(Mmd{gaussian(1)}(gpu(), x, wide), says("y.cols() = 3"));
  CHECK_THROWS_WITH(Mmd{gaussian(1)}(gpu(), none, x), says("x.rows() = 0"));
  row_sums sums;
  gpu().reduce(gaussian(1), pool(one, x), sums);
  CHECK(sums(0, 0) == 0);
  CHECK(sums(0, 1) > 0);
  CHECK_THROWS_WITH(gpu().reduce(gaussian(1), pooled<device<float>>{}, sums), says("groups = 0"));
  CHECK_THROWS_WITH(gpu().reduce(gaussian(1), pooled<device<float>>{{samples<device<float>>(x)}, {0, 1}}, sums), says("order.size() = 2"));
}
