# SPDX-License-Identifier: MIT
"""Writes beta_values.hpp: the beta distribution, Clopper-Pearson and beta-binomial values by mpmath with 60 digits.

Run as: python3 make_beta.py > beta_values.hpp      (mpmath 1.3.0; no other package)
"""
from mpmath import mp, mpf, betainc, beta, binomial

mp.dps = 60


def cdf(x, a, b):
    if a > 100 and a == int(a) and b == int(b):  # the binomial tail: exact where the hypergeometric series is slow
        n, x, j = int(a + b) - 1, mpf(x), int(a)
        term = binomial(n, j) * x**j * (1 - x) ** (n - j)
        total = mpf(0)
        while j <= n and (j < n * x + 10 or term > total * mpf(10) ** -55):
            total += term
            term *= x / (1 - x) * (n - j) / (j + 1)
            j += 1
        return total
    return betainc(a, b, 0, mpf(x), regularized=True)


def quantile(p, a, b):
    low, high = mpf(0), mpf(1)
    for _ in range(180):
        middle = (low + high) / 2
        if cdf(middle, a, b) < p:
            low = middle
        else:
            high = middle
    return (low + high) / 2


def band(n, a, b, level):
    mass = [binomial(n, x) * beta(x + a, n - x + b) / beta(a, b) for x in range(n + 1)]
    tail = (1 - mpf(level)) / 2
    low, below = 0, mpf(0)
    while low < n and below + mass[low] <= tail:
        below += mass[low]
        low += 1
    high, above = n, mpf(0)
    while high > 0 and above + mass[high] <= tail:
        above += mass[high]
        high -= 1
    return low, high


def show(v):
    return mp.nstr(v, 20)


print("// SPDX-License-Identifier: MIT")
print("// Written by make_beta.py (mpmath, 60 digits): see there. Not to be edited.")
print("#pragma once")
print("namespace golden {")
print("struct BetaValue {\n  double p_or_x, a, b, value;\n};")
print("struct IntervalValue {\n  int successes, trials;\n  double level, low, high;\n};")
print("struct BandValue {\n  int n;\n  double a, b, level;\n  int low, high;\n};")
print("inline constexpr BetaValue beta_cdf[] = {")
for a, b in [("1", "1"), ("0.5", "0.5"), ("2", "3"), ("8", "171"), ("1", "19"), ("50", "1"), ("120", "80"), ("9", "1991"), ("0.01", "4"), ("1500", "1700"), ("9000", "1000")]:
    for x in ["1e-6", "0.001", "0.03125", "0.25", "0.5", "0.46875", "0.875", "0.8984375", "0.999"]:
        v = cdf(mpf(float(x)), mpf(float(a)), mpf(float(b)))
        if v > mpf("1e-290"):
            print(f"    {{{x}, {a}, {b}, {show(v)}}},")
print("};")
print("inline constexpr BetaValue beta_quantile[] = {")
for a, b in [("1", "1"), ("0.5", "0.5"), ("8", "171"), ("1", "178"), ("1", "19"), ("100", "1901"), ("50", "1"), ("120", "80")]:
    for p in ["0.0005", "0.05", "0.5", "0.95", "0.9995"]:
        print(f"    {{{p}, {a}, {b}, {show(quantile(mpf(float(p)), mpf(float(a)), mpf(float(b))))}}},")
print("};")
print("inline constexpr IntervalValue clopper_pearson[] = {")
for x, n, level in [(0, 10, "0.95"), (10, 10, "0.95"), (3, 20, "0.95"), (100, 2000, "0.95"), (128, 2000, "0.999"), (1, 1, "0.9")]:
    t = (1 - mpf(float(level))) / 2
    low = mpf(0) if x == 0 else quantile(t, x, n - x + 1)
    high = mpf(1) if x == n else quantile(1 - t, x + 1, n - x)
    print(f"    {{{x}, {n}, {level}, {show(low)}, {show(high)}}},")
print("};")
print("inline constexpr BandValue beta_binomial_band[] = {")
for n, a, b, level in [(350, 8, 171, "0.999"), (350, 1, 178, "0.999"), (100, 5, 95, "0.9"), (1, 1, 19, "0.999"), (40, 20, 2, "0.99"), (2000, 50, 950, "0.95")]:
    low, high = band(n, a, b, float(level))
    print(f"    {{{n}, {a}, {b}, {level}, {low}, {high}}},")
print("};")
print("}  // namespace golden")
