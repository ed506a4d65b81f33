// SPDX-License-Identifier: MIT
// portable LEVEL: a program of one copy of part.cpp for each level takes the one that is named.
#include <cstdio>
#include <cstdlib>
#include <vector>

#include "part.hpp"

MMD_COPIES(part, best_part)

int main(int, char** argv) {
  const part best = best_part();
  const std::string wanted = *argv[1] ? argv[1] : "v" + std::to_string(mmd::processor_level());
  std::printf("%s, expected %s\n", best.isa.c_str(), wanted.c_str());
  if (!best.isa.starts_with(wanted)) return 1;
  std::vector<float> values(4 * 300);
  mmd::random_stream random(1, mmd::purpose::user);
  for (float& v : values) v = static_cast<float>(random.normal());
  const mmd::samples<float> x(std::span<const float>(values).first(4 * 150), 150, 4),
      y(std::span<const float>(values).subspan(4 * 150), 150, 4);
  return best.run(x, y).test.p_value == best_part_v1().run(x, y).test.p_value ? 0 : 1;
}
