// SPDX-License-Identifier: MIT
// Shows that the thread sanitizer sees through OpenMP: the sum below is read after the barrier at the end of the parallel region, which is
// no race, and with an argument all threads add to one variable, which is one.
#include <cstdio>
#include <vector>

int main(int argc, char**) {
  std::vector<double> part(1000, 0.0);
  double shared = 0;
#pragma omp parallel for num_threads(4)
  for (int i = 0; i < 1000; ++i) {
    part[static_cast<std::size_t>(i)] = i;
    if (argc > 1) shared += i;
  }
  double sum = shared;
  for (const double p : part) sum += p;
  std::printf("%g\n", sum);
}
