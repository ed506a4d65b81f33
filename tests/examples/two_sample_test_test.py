# SPDX-License-Identifier: MIT
import math
import os
import unittest

from support import ProgramTest, normal_rows, npy

NAME = "two_sample_test"
FIELDS = ["statistic", "p_value", "threshold", "reject", "estimator", "method", "permutations", "seed", "n", "m", "d", "kernel", "backend", "seconds"]


def unbiased_gaussian(x, y, h):
    """MMD^2 by its definition, in double."""
    def k(a, b):
        return math.exp(-sum((s - t) ** 2 for s, t in zip(a, b)) / (2 * h * h))
    n, m = len(x), len(y)
    xx = sum(k(x[i], x[j]) for i in range(n) for j in range(n) if i != j) / (n * (n - 1))
    yy = sum(k(y[i], y[j]) for i in range(m) for j in range(m) if i != j) / (m * (m - 1))
    return xx + yy - 2 * sum(k(a, b) for a in x for b in y) / (n * m)


class TwoSampleTest(ProgramTest):
    def setUp(self):
        super().setUp()
        self.rows_x, self.rows_y = normal_rows(40, 3), normal_rows(30, 3, 1.0, 2)
        self.x = self.write("x.npy", npy(self.rows_x, "<f8"))
        self.y = self.write("y.npy", npy(self.rows_y, "<f8"))

    def test_fields_and_value(self):
        r = self.json(NAME, self.x, self.y, "--bandwidth", "1.5", "--seed", "3")
        self.assertEqual(list(r), FIELDS)
        self.assertAlmostEqual(r["statistic"], unbiased_gaussian(self.rows_x, self.rows_y, 1.5), delta=1e-12)
        self.assertEqual((r["n"], r["m"], r["d"], r["seed"], r["permutations"]), (40, 30, 3, 3, 999))
        self.assertEqual(r["kernel"], {"name": "gaussian", "bandwidth": 1.5})
        self.assertLessEqual(r["p_value"], 0.01)
        self.assertIs(r["reject"], True)

    def test_median_bandwidth(self):
        pooled = self.rows_x + self.rows_y
        distances = sorted(math.dist(pooled[i], pooled[j]) for i in range(len(pooled)) for j in range(i))
        middle = len(distances) // 2
        median = (distances[middle] + distances[~middle]) / 2
        self.assertAlmostEqual(self.json(NAME, self.x, self.y)["kernel"]["bandwidth"], median, delta=1e-12 * median)

    def test_every_kernel_method_and_estimator(self):
        for kernel in "gaussian laplace inverse_multiquadric rational_quadratic matern32 matern52 energy polynomial linear".split():
            r = self.json(NAME, self.x, self.y, "--kernel", kernel, "--permutations", 199)
            self.assertEqual(r["kernel"]["name"], kernel)
            self.assertEqual(r["kernel"]["bandwidth"] is None, kernel in ("energy", "polynomial", "linear"))
            self.assertTrue(0.005 <= r["p_value"] <= 0.05, (kernel, r["p_value"]))
        for method in ("full", "subset"):
            self.assertEqual(self.json(NAME, self.x, self.y, "--method", method)["method"], method)
        for estimator in ("unbiased", "biased"):
            self.assertEqual(self.json(NAME, self.x, self.y, "--estimator", estimator)["estimator"], estimator)

    def test_enumerates_small_samples(self):
        x, y = self.write("a.npy", npy(self.rows_x[:4])), self.write("b.npy", npy(self.rows_y[:4]))
        r = self.json(NAME, x, y, "--alpha", "0.2")
        self.assertEqual((r["method"], r["permutations"]), ("enumerate", 69))
        self.assertGreaterEqual(r["p_value"], 2 / 70)

    def test_same_seed_same_result_on_any_number_of_threads(self):
        a, b = (self.json(NAME, self.x, self.y, "--threads", t) for t in (1, 2))
        for r in (a, b):
            del r["seconds"]
        self.assertEqual(a, b)

    def test_types_orders_and_standard_input(self):
        expected = self.json(NAME, self.x, self.y, "--bandwidth", 2)["statistic"]
        fortran = self.write("f.npy", npy(self.rows_x, "<f8", fortran=True, version=2))
        self.assertEqual(self.json(NAME, fortran, self.y, "--bandwidth", 2)["statistic"], expected)
        with open(self.x, "rb") as f:
            piped = self.json(NAME, "-", self.y, "--bandwidth", 2, stdin=f.read())
        self.assertEqual(piped["statistic"], expected)
        half = self.write("h.npy", npy(self.rows_x, "<f2"))
        self.assertAlmostEqual(self.json(NAME, half, self.y, "--bandwidth", 2)["statistic"], expected, delta=1e-3)

    def test_readable_output(self):
        text = self.succeed(NAME, self.x, self.y)
        for word in ("p-value", "threshold", "40 x 3", "differ"):
            self.assertIn(word, text)
        self.assertIn("two_sample_test 0.", self.succeed(NAME, "--version"))

    def test_refuses_bad_input(self):
        w = self.write
        good = npy(self.rows_x)
        self.refuse(2, ["missing.npy"], NAME, self.path("missing.npy"), self.y)
        self.refuse(2, [self.folder], NAME, self.folder, self.y)
        self.refuse(2, ["t.npy"], NAME, w("t.npy", good[:-1]), self.y)
        self.refuse(2, ["i.npy", "integer"], NAME, w("i.npy", npy([[1, 2, 3]], "<i4")), self.y)
        self.refuse(2, ["e.npy", "endian"], NAME, w("e.npy", npy(self.rows_x, ">f4")), self.y)
        self.refuse(2, ["empty"], NAME, w("empty", b""), self.y)
        self.refuse(2, ["cols", "2", "3"], NAME, w("c.npy", npy(normal_rows(9, 2))), self.y)
        self.refuse(2, ["x.rows()", "1"], NAME, w("one.npy", npy(self.rows_x[:1])), self.y)
        self.refuse(2, ["x(1, 2)", "nan"], NAME, w("nan.npy", npy([[1, 2, 3], [1, 2, math.nan], [1, 1, 1]])), self.y)
        self.refuse(2, ["inf"], NAME, w("inf.npy", npy([[1, 2, 3], [1, 2, math.inf], [1, 1, 1]])), self.y)
        constant = w("k.npy", npy([[1, 2, 3]] * 20))
        self.refuse(2, ["coincide"], NAME, constant, constant)
        for h in ("0", "-1", "nan", "inf", "wide", "1x"):
            self.refuse(2, ["bandwidth", h], NAME, self.x, self.y, "--bandwidth=" + h)
        self.refuse(2, ["permutations", "0"], NAME, self.x, self.y, "--permutations", 0)
        self.refuse(2, ["bandwidth", "energy"], NAME, self.x, self.y, "--kernel", "energy", "--bandwidth", "1")
        self.refuse(2, ["bandwidth", "linear"], NAME, self.x, self.y, "--kernel", "linear", "--bandwidth", "median")
        self.refuse(2, ["kernel", "cosine"], NAME, self.x, self.y, "--kernel", "cosine")
        self.refuse(2, ["alpha"], NAME, self.x, self.y, "--permutations", 9, "--alpha", "0.05", "--json")
        self.refuse(2, ["alpha"], NAME, w("s.npy", npy(self.rows_x[:3])), w("r.npy", npy(self.rows_y[:3])))
        self.refuse(2, ["X"], NAME)

    def test_full_disk(self):
        if os.path.exists("/dev/full"):
            with open("/dev/full", "wb") as full:
                self.refuse(3, ["standard output"], NAME, self.x, self.y, stdout=full)


if __name__ == "__main__":
    unittest.main()
