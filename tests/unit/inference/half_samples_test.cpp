// SPDX-License-Identifier: MIT
// Tests of half samples: the bits of the same values stored as float, the tolerance for ties included.
#include "mmd/backends/cpu.hpp"
#include "mmd/inference/clustered_permutation_test.hpp"
#include "mmd/inference/subset_reference.hpp"
#include "support/catch2.hpp"
#include "support/halves.hpp"

using namespace mmd;

namespace {
bool equal(const TestResult& a, const TestResult& b) {
  return a.statistic == b.statistic && a.null == b.null && a.tolerance == b.tolerance && a.p_value == b.p_value && a.method == b.method;
}
}  // namespace

TEMPLATE_TEST_CASE("permutation tests of half samples are those of the same floats, by every method", "", float16, bfloat16) {
  const support::half_and_float<TestType> s(90, 70, 9), few(5, 4, 3), uneven(8, 120, 3);
  for (const method how : {method::full, method::binned, method::subset}) {
    const PermutationTest test({.permutations = 199, .method = how, .bins = 20});
    CHECK(equal(test(s.x, s.y, gaussian(2)), test(s.float_x, s.float_y, gaussian(2))));
    CHECK(equal(test(s.x, s.y, polynomial(2, .1)), test(s.float_x, s.float_y, polynomial(2, .1))));
  }
  const PermutationTest automatic({.permutations = 199, .estimator = estimator::biased});
  const TestResult enumerated = automatic(few.x, few.y, laplace(1));
  CHECK(enumerated.method == method::enumerate);
  CHECK(equal(enumerated, automatic(few.float_x, few.float_y, laplace(1))));
  CHECK(equal(automatic(uneven.x, uneven.y, gaussian(1)), automatic(uneven.float_x, uneven.float_y, gaussian(1))));
  const auto map = [](const samples<float>& x) { return samples<float>(x.data() + 1, x.rows(), 2, x.rowStride(), x.colStride()); };
  CHECK(equal(automatic(s.x, s.y, on(map, gaussian(1))), automatic(s.float_x, s.float_y, on(map, gaussian(1)))));
}

TEMPLATE_TEST_CASE("tests of clusters and batches of half samples are those of the same floats", "", float16, bfloat16) {
  const support::half_and_float<TestType> s(60, 80, 6), reference(100, 12, 6, 2);
  std::vector<index_t> of_x, of_y;
  for (index_t i = 0; i < 60; ++i) of_x.push_back(i / 3);
  for (index_t i = 0; i < 80; ++i) of_y.push_back(100 + i / 5);
  const ClusteredPermutationTest test({.permutations = 199});
  CHECK(equal(test(s.x, s.y, of_x, of_y, gaussian(2)), test(s.float_x, s.float_y, of_x, of_y, gaussian(2))));

  const cpu on;
  const SubsetReference half(on, reference.x, gaussian(2));
  const SubsetReference wide(on, reference.float_x, gaussian(2));
  STATIC_REQUIRE(std::is_same_v<std::decay_t<decltype(half.reference())>, matrix<TestType>>);
  const BatchOptions options{.permutations = 199};
  CHECK(equal(half.test(on, reference.y, options), wide.test(on, reference.float_y, options)));
  const auto batch = half.test(on, std::vector{samples<TestType>(s.x), samples<TestType>(reference.y)}, options);
  const auto floats = wide.test(on, std::vector{samples<float>(s.float_x), samples<float>(reference.float_y)}, options);
  REQUIRE(batch.size() == 2);
  CHECK((equal(batch[0], floats[0]) && equal(batch[1], floats[1])));
}

TEMPLATE_TEST_CASE("the tolerance for ties of half samples is that of float arithmetic", "", float16, bfloat16) {
  const support::half_and_float<TestType> s(40, 40, 3);
  const TestResult result = PermutationTest({.permutations = 99})(s.x, s.y, gaussian(1));
  CHECK(result.tolerance > 0);
  CHECK(result.tolerance <= 32 * 0x1p-23 * 4);
}
