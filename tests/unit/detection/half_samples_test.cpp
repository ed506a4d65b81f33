// SPDX-License-Identifier: MIT
// Detection on half samples: the bits of the same values stored as float.
#include "mmd/backends/cpu.hpp"
#include "mmd/detection/document_test.hpp"
#include "mmd/detection/group_evaluation.hpp"
#include "mmd/detection/group_test.hpp"
#include "mmd/detection/reference_detector.hpp"
#include "mmd/learning/deep_kernel.hpp"
#include "support/catch2.hpp"
#include "support/halves.hpp"

using namespace mmd;

TEMPLATE_TEST_CASE("scores and group tests of half samples are those of the same floats", "", float16, bfloat16) {
  const support::half_and_float<TestType> reference(90, 50, 8, 1), texts(30, 40, 8, 2);
  const cpu on;
  const gaussian k(2);
  CHECK(ReferenceDetector(on, k, reference.x).scores(on, texts.x) == ReferenceDetector(on, k, reference.float_x).scores(on, texts.float_x));
  CHECK(ReferenceDetector(on, k, reference.x, reference.y).scores(on, texts.y) ==
        ReferenceDetector(on, k, reference.float_x, reference.float_y).scores(on, texts.float_y));
  const GroupTest half(on, k, reference.x, {.permutations = 199});
  const GroupTest wide(on, k, reference.float_x, {.permutations = 199});
  const auto found = half(on, texts.x).test, expected = wide(on, texts.float_x).test;
  CHECK(found.null == expected.null);
  CHECK(found.p_value == expected.p_value);
  CHECK(kernel_matrix(on, k, texts.x) == kernel_matrix(on, k, texts.float_x));

  std::vector<index_t> doc;
  for (index_t i = 0; i < 40; ++i) doc.push_back(i / 4);
  const auto statistics = DocumentStatistics(on, k, reference.x)(on, texts.y, doc);
  const auto of_floats = DocumentStatistics(on, k, reference.float_x)(on, texts.float_y, doc);
  REQUIRE(statistics.size() == 10);
  for (std::size_t i = 0; i < 10; ++i) CHECK(statistics[i].statistic == of_floats[i].statistic);

  Roles roles;
  roles.assign(role::reference, TextIds::of_rows(reference.x));
  CHECK_THROWS_AS(roles.assign(role::calibration, TextIds::of_rows(reference.float_x)), invalid_input);
}
