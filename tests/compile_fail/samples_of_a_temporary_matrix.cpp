// SPDX-License-Identifier: MIT
// The library's own matrix is no exception.
// EXPECT: deleted
#include "mmd/core/matrix.hpp"

int main() {
  const mmd::matrix<double> x(5, 2);
#ifdef MMD_FAILS
  const mmd::samples<double> view(mmd::matrix<double>(5, 2));
#else
  const mmd::samples<double> view(x);
#endif
  return static_cast<int>(view.rows() - x.rows());
}
