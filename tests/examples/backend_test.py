# SPDX-License-Identifier: MIT
"""--backend: with a device its results are the CPU's within rounding; without one, `cuda` fails in one line and `auto` says that it uses the CPU.

MMD_DEVICE says how the programs were built: "none" without CUDA, "emulated" with device code that runs on the CPU, "cuda" by nvcc, for a device that
may not be there.
"""
import json
import os
import re
import unittest

from support import ProgramTest, normal_rows, npy

TEST, DETECT = "two_sample_test", "detect_machine_text"
DEVICE = os.environ.get("MMD_DEVICE", "none")
SMALL = ["--steps", 3, "--batch", 24, "--hidden", 16, "--output-dim", 8, "--learning-rate", 0.003]
WITHOUT_CUDA = "this program was built without CUDA"


class BackendTest(ProgramTest):
    def setUp(self):
        super().setUp()
        self.x, self.y = self.write("x.npy", npy(normal_rows(40, 3))), self.write("y.npy", npy(normal_rows(30, 3, 0.5, 2)))

    def with_device(self, name, *arguments):
        r = self.run_program(name, *arguments, "--backend", "cuda")
        if DEVICE == "cuda" and r.returncode == 3 and b"device can be used" in r.stderr:
            self.skipTest(r.stderr.decode())
        self.assertEqual((r.returncode, r.stderr), (0, b""), r.stderr.decode())
        return r.stdout.decode()


@unittest.skipIf(DEVICE == "cuda", "there may be a device")
class NoDevice(BackendTest):
    """Each reason why there is none."""

    def reasons(self):
        if DEVICE == "none":
            yield WITHOUT_CUDA
        else:
            for code, name in ((100, "cudaErrorNoDevice"), (35, "cudaErrorInsufficientDriver"), (34, "cudaErrorStubLibrary")):
                os.environ["MMD_EMULATED_ERROR"] = str(code)
                self.addCleanup(os.environ.pop, "MMD_EMULATED_ERROR", None)
                yield name

    def test_cuda_fails_in_one_line(self):
        for reason in self.reasons():
            self.refuse(3, ["two_sample_test: --backend cuda: ", reason], TEST, self.x, self.y, "--backend", "cuda")
            self.refuse(3, ["--backend cuda: ", reason], TEST, self.x, self.y, "--backend", "cuda", "--json")
            self.refuse(3, ["--backend cuda: ", reason], DETECT, "train", "--human", self.x, "--machine", self.y, "--model", self.path("m"), "--backend", "cuda")
            self.assertFalse(os.path.exists(self.path("m")))

    def test_auto_uses_the_cpu_and_says_so(self):
        on_cpu = self.json(TEST, self.x, self.y, "--backend", "cpu")
        for reason in self.reasons():
            r = self.run_program(TEST, self.x, self.y, "--backend", "auto", "--json")
            message = r.stderr.decode()
            self.assertEqual((r.returncode, message.count("\n")), (0, 1), message)
            for word in ("two_sample_test: --backend auto: on the CPU", reason):
                self.assertIn(word, message)
            result = self.json(TEST, self.x, self.y, "--backend", "auto")
            for run in (result, on_cpu):
                run.pop("seconds", None)
            self.assertEqual(result, on_cpu)
            self.assertEqual(result["backend"], "cpu")

    def test_a_failure_stays_one_line(self):
        for _ in self.reasons():
            self.refuse(2, ["none.npy"], TEST, self.path("none.npy"), self.y, "--backend", "auto")
            if os.path.exists("/dev/full"):
                with open("/dev/full", "wb") as full:
                    self.refuse(3, ["standard output"], TEST, self.x, self.y, "--backend", "auto", stdout=full)
        self.refuse(2, ["--backend", "gpu", "auto"], TEST, self.x, self.y, "--backend", "gpu")

    def test_who_did_not_ask_hears_it_only_of_a_program_with_device_code(self):
        for reason in self.reasons():
            r = self.run_program(TEST, self.x, self.y)
            self.assertEqual((r.returncode, reason in r.stderr.decode()), (0, DEVICE != "none"))
        self.assertEqual(self.run_program(TEST, self.x, self.y, "--backend", "cpu").stderr, b"")


@unittest.skipIf(DEVICE == "none", "built without CUDA")
class Device(BackendTest):
    def same(self, device, cpu, share, path=""):
        """Equal but for rounding: numbers within `share` of the largest magnitude they may have, 1."""
        if isinstance(cpu, dict):
            self.assertEqual(list(device), list(cpu), path)
            for key in cpu:
                if key not in ("seconds", "backend"):
                    self.same(device[key], cpu[key], share, path + "/" + key)
        elif isinstance(cpu, list):
            self.assertEqual(len(device), len(cpu), path)
            for i, (a, b) in enumerate(zip(device, cpu)):
                self.same(a, b, share, "%s/%d" % (path, i))
        elif isinstance(cpu, float):
            self.assertAlmostEqual(device, cpu, delta=share * max(1, abs(cpu)), msg=path)
        else:
            self.assertEqual(device, cpu, path)

    def compare(self, share, name, *arguments):
        device = json.loads(self.with_device(name, *arguments, "--json"))
        cpu = self.json(name, *arguments, "--backend", "cpu")
        self.assertEqual((device["backend"], cpu["backend"]), ("cuda", "cpu"))
        if "p_value" in cpu:
            self.assertEqual(device["p_value"], cpu["p_value"])
        self.same(device, cpu, share)
        return cpu

    def test_kernels(self):
        for kernel in "gaussian laplace inverse_multiquadric rational_quadratic matern32 matern52 energy polynomial linear".split():
            self.compare(1e-5, TEST, self.x, self.y, "--kernel", kernel, "--permutations", 99)

    def test_types_methods_and_estimators(self):
        x, y = self.write("x8.npy", npy(normal_rows(40, 3), "<f8")), self.write("y8.npy", npy(normal_rows(30, 3, 0.5, 2), "<f8"))
        self.compare(1e-12, TEST, x, y)
        for method in ("full", "subset"):
            self.compare(1e-12, TEST, x, y, "--method", method, "--estimator", "biased")
        small = self.write("a.npy", npy(normal_rows(4, 3))), self.write("b.npy", npy(normal_rows(5, 3, 1, 2)))
        self.assertEqual(self.compare(1e-5, TEST, *small, "--bandwidth", 2)["method"], "enumerate")
        many = self.write("c.npy", npy(normal_rows(150, 5))), self.write("d.npy", npy(normal_rows(130, 5, 0.1, 2)))
        self.compare(1e-5, TEST, *many, "--bandwidth", 2, "--method", "binned", "--permutations", 199)

    def test_auto_takes_the_device(self):
        r = self.run_program(TEST, self.x, self.y, "--backend", "auto", "--json")
        if r.stderr:
            self.assertEqual(DEVICE, "cuda", r.stderr)
            self.skipTest(r.stderr.decode())
        self.assertIn(b'"backend":"cuda"', r.stdout)

    def test_a_kernel_of_ones_own(self):
        r = self.run_program("custom_kernel_cuda")
        if DEVICE == "cuda" and r.returncode == 3 and b"device can be used" in r.stderr:
            self.skipTest(r.stderr.decode())
        self.assertEqual((r.returncode, r.stderr), (0, b""))
        cpu, cuda = re.findall(r"^(?:cpu |cuda): MMD\^2 = (\S+), p = (\S+)$", r.stdout.decode(), re.MULTILINE)
        self.assertEqual(cpu[1], cuda[1])
        self.assertAlmostEqual(float(cpu[0]), float(cuda[0]), delta=1e-5)
        self.assertGreater(float(cpu[0]), 1e-3)

    def test_bad_input(self):
        self.with_device(TEST, self.x, self.y)
        bad = self.write("bad.npy", npy([[1, 2, float("nan")]] * 3))
        self.refuse(2, ["y(0, 2) = nan"], TEST, self.x, bad, "--backend", "cuda")

    def test_detector(self):
        human, machine = (self.write(n + ".npy", npy(normal_rows(120, 6, s, seed))) for n, s, seed in (("h", 0, 3), ("m", 0.8, 4)))
        model = self.path("model.safetensors")
        text = self.with_device(DETECT, "train", "--human", human, "--machine", machine, "--model", model, *SMALL)
        self.assertIn("checkpoint", text)
        group, other = self.write("g.npy", npy(normal_rows(12, 6, 0.8, 5))), self.write("o.npy", npy(normal_rows(25, 6, 0, 6)))
        self.compare(1e-4, DETECT, "score", "--model", model, "--input", group)
        self.compare(1e-4, DETECT, "test", "--model", model, "--input", group, "--permutations", 199)
        self.compare(1e-4, DETECT, "check", "--model", model, "--human", other)
        self.compare(1e-3, DETECT, "evaluate", "--model", model, "--human", other, "--machine", group, "--report", self.path("report"))


if __name__ == "__main__":
    unittest.main()
