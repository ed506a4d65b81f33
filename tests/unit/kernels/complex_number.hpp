// SPDX-License-Identifier: MIT
// A complex number for a kernel to compute with: k(u + ih) has k'(u) h as its imaginary part, without a difference that cancels.
#pragma once

#include <complex>

struct complex_number {
  std::complex<double> v;
  complex_number(double x) : v(x) {}
  complex_number(std::complex<double> z) : v(z) {}
  friend complex_number operator+(complex_number a, complex_number b) { return a.v + b.v; }
  friend complex_number operator-(complex_number a, complex_number b) { return a.v - b.v; }
  friend complex_number operator*(complex_number a, complex_number b) { return a.v * b.v; }
  friend complex_number operator/(complex_number a, complex_number b) { return a.v / b.v; }
  friend complex_number operator-(complex_number a) { return -a.v; }
  friend complex_number fma(complex_number a, complex_number b, complex_number c) { return a.v * b.v + c.v; }
  friend complex_number exp(complex_number a) { return std::exp(a.v); }
  friend complex_number log(complex_number a) { return std::log(a.v); }
  friend complex_number sqrt(complex_number a) { return std::sqrt(a.v); }
};
