// SPDX-License-Identifier: MIT
#include <cmath>
#include <cstdio>
#include <limits>
#include <span>
#include <vector>

#include "part.hpp"

namespace {

int failures = 0;
void check(bool good, const char* what) {
  if (!good) {
    std::printf("failed: %s\n", what);
    ++failures;
  }
}

}  // namespace

int main() {
  if (!__builtin_cpu_supports(MMD_WIDE_NEEDS)) {
    std::printf("this machine has no " MMD_WIDE_NEEDS "\n");
    return 77;
  }
  const part baseline = baseline_part(), wide = wide_part();
  std::printf("%s and %s\n", baseline.isa.c_str(), wide.isa.c_str());
  check(baseline.isa == "v1_serial", "the baseline part kept its own code");
  check(wide.isa == MMD_WIDE_ISA, "the wide part kept its own code");

  mmd::random_stream random(1, mmd::purpose::user);
  std::vector<float> values(3 * 300);
  for (float& v : values) v = static_cast<float>(random.normal());
  const std::span<const float> all(values);
  const mmd::samples<float> x(all.first(3 * 140), 140, 3), y(all.subspan(3 * 140), 160, 3);
  const results a = baseline.run(x, y), b = wide.run(x, y);
  check(std::abs(a.estimate.unbiased - b.estimate.unbiased) < 1e-6, "the parts agree on MMD^2");
  check(a.test.p_value == b.test.p_value, "the parts agree on the p-value");
  check(a.test.null.size() == b.test.null.size(), "the parts drew the same number of labellings");

  values[0] = std::numeric_limits<float>::quiet_NaN();
  for (const part& p : {baseline, wide}) {
    try {
      p.run(x, y);
      check(false, "a value that is not finite is refused");
    } catch (const mmd::invalid_input& e) {
      check(std::string(e.what()).find("x(0, 0) = nan") != std::string::npos, e.what());
    }
  }
  return failures ? 1 : 0;
}
