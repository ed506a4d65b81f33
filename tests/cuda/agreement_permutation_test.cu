// SPDX-License-Identifier: MIT
// Every permutation test on the device against the CPU's on the same draws: equal p-values, and null statistics within the rounding.
#include <span>
#include <vector>

#include "agreement.cuh"
#include "mmd/inference/clustered_permutation_test.hpp"
#include "mmd/inference/gram_tests.hpp"
#include "mmd/inference/permutation_test.hpp"
#include "oracle/permutation.hpp"
#include "support/catch2.hpp"

namespace {
using namespace agreement;
using mmd::estimator;
using mmd::method;
using mmd::PermutationOptions;
using mmd::PermutationTest;

// Float sums of values of size 1 hold a statistic, a difference of their means, to some 1e-6.
template <class T>
inline constexpr double rounding = std::is_same_v<mmd::compute_type<T>, double> ? 1e-13 : 2e-6;

struct sizes {
  index_t n, m, d;
};

template <class T>
void compare(const PermutationOptions& options, const sizes& s, const cpu_results::any_kernel& k, double size, shape kind = shape::normal) {
  const auto x = rows<T>(s.n, s.d, 1, 0, kind), y = rows<T>(s.m, s.d, 2, 0.2, kind);
  const auto cpu = cpu_results::permutation_test<T>(options, x, y, k);
  const auto gpu_result = std::visit([&](const auto& kernel) { return PermutationTest{options}(gpu(), x, y, kernel); }, k);
  INFO("n = " << s.n << ", m = " << s.m << ", d = " << s.d << ", " << to_string(options.estimator) << ", " << to_string(cpu.method)
              << ", kernel " << k.index() << ", " << to_string(kind));
  INFO("p = " << gpu_result.p_value << " and " << cpu.p_value << ", T = " << gpu_result.statistic << " and " << cpu.statistic
              << ", tolerance " << gpu_result.tolerance << " and " << cpu.tolerance);
  CHECK(same_test(gpu_result, cpu, rounding<T> * size));
}

// The statistic and its tolerance by their definitions: what the CPU says is not taken on trust.
template <class T>
void check_definition(const mmd::TestResult& r, const matrix<T>& x, const matrix<T>& y, const ref::kernel_function& formula) {
  const gram_matrix g(as_rows(x), as_rows(y), formula);
  const auto k = oracle::make_kernel_matrix(g.rows(), [&](std::size_t i, std::size_t j) { return g.values[i][j]; });
  oracle::split in_x(g.rows());
  for (std::size_t i = 0; i < g.n; ++i) in_x[i] = true;
  const double eps = sizeof(T) == 2 ? static_cast<double>(std::numeric_limits<float>::epsilon())
                                    : static_cast<double>(std::numeric_limits<mmd::compute_type<T>>::epsilon());
  CHECK(near(r.statistic, oracle::mmd2(k, in_x, r.estimator == estimator::biased), rounding<T>));
  CHECK(near(r.tolerance, oracle::tolerance(k, in_x, eps), 1e-3 * r.tolerance));
}
}  // namespace

TEMPLATE_TEST_CASE("full, binned, subset and enumerated tests find the CPU's p-values", "", float, double) {
  using T = TestType;
  const mmd::gaussian k(3);
  for (const auto which : {estimator::unbiased, estimator::biased}) {
    for (const sizes s : {sizes{2, 2, 1}, {3, 4, 7}, {4, 3, 7}, {127, 129, 7}, {129, 20, 64}}) {
      for (const auto how : {method::automatic, method::full, method::subset}) {
        compare<T>({.permutations = 199, .seed = 5, .estimator = which, .method = how, .test = 3}, s, k, 1);
      }
    }
    for (const sizes s : {sizes{130, 131, 7}, {256, 128, 7}, {257, 60, 1}}) {
      compare<T>({.permutations = 199, .seed = 6, .estimator = which, .method = method::binned, .bins = 24}, s, k, 1);
    }
    compare<T>({.permutations = 99, .estimator = which, .method = method::enumerate}, {5, 4, 7}, k, 1);
  }
}

TEMPLATE_TEST_CASE("tests from halves find the CPU's p-values", "", mmd::float16, mmd::bfloat16) {
  for (const auto how : {method::full, method::subset, method::binned}) {
    compare<TestType>({.permutations = 99, .seed = 5, .method = how, .bins = 20}, {60, 90, 7}, mmd::gaussian(3), 1);
  }
}

TEMPLATE_TEST_CASE("tests with other kernels find the CPU's p-values", "", float, double) {
  using T = TestType;
  for (const auto how : {method::full, method::subset, method::binned}) {
    const PermutationOptions options{.permutations = 99, .seed = 7, .method = how, .bins = 20};
    compare<T>(options, {60, 90, 7}, mmd::laplace(5), 1);
    compare<T>(options, {60, 90, 7}, mmd::energy{}, 8);
    compare<T>(options, {60, 90, 7}, mmd::linear{}, 8);
  }
}

TEMPLATE_TEST_CASE("ties are counted as on the CPU", "", float, double) {
  using T = TestType;
  for (const auto how : {method::full, method::subset, method::enumerate}) {
    const sizes s = how == method::enumerate ? sizes{4, 5, 1} : sizes{40, 30, 1};
    for (const auto which : {estimator::unbiased, estimator::biased}) {
      const PermutationOptions options{.permutations = 199, .seed = 8, .estimator = which, .method = how};
      const auto x = rows<T>(s.n, s.d, 1, 0, shape::duplicates), y = rows<T>(s.m, s.d, 2, 0.2, shape::duplicates);
      const auto cpu = cpu_results::permutation_test<T>(options, x, y, mmd::gaussian(1));
      const auto found = PermutationTest{options}(gpu(), x, y, mmd::gaussian(1));
      INFO(to_string(how) << ", " << to_string(which));
      CHECK(found.p_value == cpu.p_value);  // the tolerance covers the rounding: nothing is undecided
      CHECK(same_test(found, cpu, rounding<T>));
    }
  }
}

TEST_CASE("the device's statistic and tolerance are those of the definition") {
  const auto check = [](auto number) {
    using T = decltype(number);
    const auto x = rows<T>(61, 7, 1), y = rows<T>(140, 7, 2, 0.3);
    for (const auto how : {method::full, method::subset}) {
      for (const auto which : {estimator::unbiased, estimator::biased}) {
        const PermutationTest test{{.permutations = 19, .estimator = which, .method = how}};
        check_definition(test(gpu(), x, y, mmd::gaussian(3)), x, y, ref::gaussian(3));
        check_definition(test(gpu(), x, y, mmd::laplace(6)), x, y, ref::laplace(6));
      }
    }
  };
  check(float{});
  check(double{});
  check(mmd::float16{});
}

TEST_CASE("samples on the device give the test of the same samples on the host, bit for bit") {
  const auto x = rows<float>(60, 7, 1), y = rows<float>(140, 7, 2, 0.3);
  for (const auto how : {method::full, method::subset, method::binned}) {
    const PermutationTest test{{.permutations = 99, .seed = 1, .method = how, .bins = 24}};
    const auto expected = test(gpu(), x, y, mmd::gaussian(3));
    everywhere(x, y, [&](const char* place, const auto& a, const auto& b) {
      INFO(place << ", " << to_string(how));
      const auto found = test(gpu(), a, b, mmd::gaussian(3));
      CHECK(found.null == expected.null);
      CHECK(found.p_value == expected.p_value);
    });
  }
}

TEST_CASE("a draw's statistic does not depend on how many draws there are, nor on the passes they come in") {
  const auto x = rows<float>(70, 3, 1), y = rows<float>(90, 3, 2);
  for (const auto how : {method::full, method::subset, method::binned}) {
    const auto all = PermutationTest{{.permutations = 300, .seed = 3, .method = how, .bins = 30}}(gpu(), x, y, mmd::gaussian(1));
    for (const index_t fewer : {1, 8, 33, 100}) {
      const auto some = PermutationTest{{.permutations = fewer, .seed = 3, .method = how, .bins = 30}}(gpu(), x, y, mmd::gaussian(1));
      INFO(to_string(how) << ", " << fewer << " draws");
      CHECK(some.statistic == all.statistic);
      CHECK(std::equal(some.null.begin(), some.null.end(), all.null.begin()));
    }
  }
  const mmd::cuda tight({.memory_limit = 2 * 6 * 64 * (4 * 8 + 512)});
  const PermutationTest test{{.permutations = 999, .seed = 3, .method = method::full}};
  CHECK(test(tight, x, y, mmd::gaussian(1)).null == test(gpu(), x, y, mmd::gaussian(1)).null);
}

TEMPLATE_TEST_CASE("clusters move whole, as on the CPU", "", float, double) {
  using T = TestType;
  const auto x = rows<T>(130, 7, 1), y = rows<T>(70, 7, 2, 0.2);
  std::vector<index_t> of_x, of_y;
  for (index_t i = 0; i < 130; ++i) of_x.push_back(i / 7);
  for (index_t i = 0; i < 70; ++i) of_y.push_back(1000 + i % 11);
  for (const auto which : {estimator::unbiased, estimator::biased}) {
    const PermutationOptions options{.permutations = 199, .seed = 2, .estimator = which};
    const mmd::gaussian k(3);
    const std::span<const index_t> ids_x(of_x), ids_y(of_y);
    const auto cpu = cpu_results::clustered_test<T>(options, x, y, ids_x, ids_y, k);
    CHECK(same_test(mmd::ClusteredPermutationTest{options}(gpu(), x, y, ids_x, ids_y, k), cpu, rounding<T>));
    const auto dx = gpu().upload(samples<T>(x)), dy = gpu().upload(samples<T>(y));
    CHECK(same_test(mmd::ClusteredPermutationTest{options}(gpu(), dx, dy, ids_x, ids_y, k), cpu, rounding<T>));
  }
}

TEST_CASE("more than 512 clusters are evaluated by labels, as on the CPU") {
  const auto x = rows<float>(560, 3, 1), y = rows<float>(500, 3, 2, 0.1);
  std::vector<index_t> of_x, of_y;
  for (index_t i = 0; i < 560; ++i) of_x.push_back(i / 2);
  for (index_t i = 0; i < 500; ++i) of_y.push_back(1000 + i / 2);
  const PermutationOptions options{.permutations = 49, .seed = 2};
  const std::span<const index_t> ids_x(of_x), ids_y(of_y);
  const auto cpu = cpu_results::clustered_test<float>(options, x, y, ids_x, ids_y, mmd::gaussian(2));
  CHECK(same_test(mmd::ClusteredPermutationTest{options}(gpu(), x, y, ids_x, ids_y, mmd::gaussian(2)), cpu, 2e-6));
}

TEMPLATE_TEST_CASE("tests on a Gram matrix of one's own are the CPU's, bit for bit", "", float, double) {
  using T = TestType;
  const auto z = rows<T>(90, 3, 1);
  mmd::gram<T> g;
  gpu().reduce(mmd::gaussian(1.5), mmd::pooled<T>{{samples<T>(z)}}, g);
  const matrix<T> gram(90, 90, g.values);
  for (const index_t n : {3, 30, 60}) {
    const PermutationOptions options{.permutations = 199, .seed = 4};
    const auto found = PermutationTest{options}.on_gram(gpu(), gram, n), cpu = cpu_results::test_on_gram<T>(options, gram, n);
    CHECK(found.null == cpu.null);
    CHECK(found.p_value == cpu.p_value);
  }
  const std::vector<mmd::IndexSets> tests{{{0, 5, 7}, {1, 2, 3, 4}}, {{10, 11, 12, 13, 14, 15}, {20, 21, 22, 23, 24, 25, 26, 27, 89}}};
  const mmd::GramTestOptions options{.permutations = 199, .seed = 9};
  const auto found = gram_subset_tests(gpu(), gram, tests, options), cpu = cpu_results::gram_tests<T>(options, gram, tests);
  for (std::size_t i = 0; i < tests.size(); ++i) {
    CHECK(found[i].p_value == cpu[i].p_value);
    CHECK(found[i].statistic == cpu[i].statistic);
  }
}
