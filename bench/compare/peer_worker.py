# SPDX-License-Identifier: MIT
"""The process in which one Python peer runs. peers.py starts it in the virtual environment:

    peer_worker.py PEER THREADS

and speaks to it as to the C++ programs (server.hpp): a request is a line `verb key=value ...`, the answer one line of key=value, with `seconds`
for the work alone. A peer is a class with a method a verb; the method prepares and returns the work, a function without arguments.
"""
import os
import sys
import time

import numpy

FILES = {}


class Request:
    """The arguments of a request. Files are read once."""

    def __init__(self, words):
        self.values = dict(word.split("=", 1) for word in words)

    def __getitem__(self, key):
        return self.values[key]

    def count(self, key):
        return int(self.values[key])

    def number(self, key):
        return float(self.values[key])

    def numbers(self, key):
        return [float(value) for value in self.values[key].split(",")]

    def rows(self, key):
        path = self.values[key]
        if path not in FILES:
            FILES[path] = numpy.load(path)
        return FILES[path]


class Alibi:
    """alibi-detect's MMDDrift. The detector is made in the measured time: the PyTorch backend computes k(x, x) there."""

    def __init__(self, backend):
        from alibi_detect.cd import MMDDrift
        self.detector, self.backend = MMDDrift, backend

    def test(self, request):
        x, y, b = request.rows("x"), request.rows("y"), request.count("permutations")
        sigma = numpy.array([request.number("bandwidth")], dtype=numpy.float32)
        more = {"device": "cpu"}
        if self.backend == "keops":
            # As many permutations at a time as fit in a gigabyte: all copies of the rows of a batch are in memory at once.
            more["batch_size_permutations"] = max(1, 2**30 // (4 * (x.size + y.size)))

        def work():
            detector = self.detector(x, backend=self.backend, p_val=.05, sigma=sigma, n_permutations=b, **more)
            data = detector.predict(y)["data"]
            return {"statistic": data["distance"], "share": data["p_val"]}
        return work


class Hyppo:
    def __init__(self, threads):
        from hyppo.ksample import MMD
        self.mmd, self.threads = MMD, threads

    def test(self, request):
        x, y, b = request.rows("x"), request.rows("y"), request.count("permutations")
        gamma = 0.5 / request.number("bandwidth") ** 2

        def work():
            out = self.mmd(compute_kernel="rbf", bias=True, gamma=gamma).test(x, y, reps=b, workers=self.threads, auto=False)
            return {"correlation": out.stat, "p_value": out.pvalue}
        return work


class Frouros:
    """The test recomputes the kernel for every permutation, in processes of its own."""

    def __init__(self, threads):
        from functools import partial
        from frouros.callbacks import PermutationTestDistanceBased
        from frouros.detectors.data_drift import MMD
        from frouros.utils.kernels import rbf_kernel
        self.detector = lambda h, callbacks: MMD(kernel=partial(rbf_kernel, sigma=h), callbacks=callbacks)
        self.callback, self.threads = PermutationTestDistanceBased, threads

    def value(self, request):
        x, y, h = request.rows("x"), request.rows("y"), request.number("bandwidth")

        def work():
            detector = self.detector(h, None)
            detector.fit(X=x)
            return {"statistic": detector.compare(X=y)[0].distance}
        return work

    def test(self, request):
        x, y, h, b = request.rows("x"), request.rows("y"), request.number("bandwidth"), request.count("permutations")

        def work():
            detector = self.detector(h, [self.callback(num_permutations=b, num_jobs=self.threads, method="conservative", random_state=1)])
            detector.fit(X=x)
            distance, logs = detector.compare(X=y)
            return {"statistic": distance.distance, "p_value": logs["PermutationTestDistanceBased"]["p_value"]}
        return work


class Dcor:
    """The energy distance, which is MMD^2 with the kernel -|x - y|."""

    def __init__(self, threads):
        import dcor
        self.dcor, self.threads = dcor, threads

    def energy_value(self, request):
        x, y = request.rows("x").astype(float), request.rows("y").astype(float)
        return lambda: {"biased": self.dcor.energy_distance(x, y)}

    def energy_test(self, request):
        x, y, b = request.rows("x").astype(float), request.rows("y").astype(float), request.count("permutations")
        scale = len(x) * len(y) / (len(x) + len(y))

        def work():
            out = self.dcor.homogeneity.energy_test(x, y, num_resamples=b, random_state=1, n_jobs=self.threads)
            return {"statistic": out.statistic / scale, "p_value": out.pvalue}
        return work


class Goodpoints:
    """Compress Then Test: kernel thinning of 2 s bins to coresets, then a permutation test of the bins."""

    def __init__(self):
        from goodpoints import ctt
        self.ctt = ctt.ctt

    def binned_test(self, request):
        x, y, b = request.rows("x").astype(float), request.rows("y").astype(float), request.count("permutations")
        bandwidth = 2 ** .5 * request.number("bandwidth")  # its Gaussian is exp(-|x - y|^2 / lam^2)

        def work():
            out = self.ctt(x, y, request.count("compression"), B=b, s=request.count("bins") // 2, lam=bandwidth, null_seed=1,
                           statistic_seed=1)
            return {"biased": out.statistic_values, "p_value": (out.estimator_values >= out.statistic_values).mean()}
        return work


def peer_of(name, threads):
    if name.startswith("torch"):
        import torch_formulas
        return torch_formulas.make(name, threads)
    if name == "jax":
        import jax_formulas
        return jax_formulas.Formulas()
    return {"alibi-detect pytorch": lambda: Alibi("pytorch"), "alibi-detect keops": lambda: Alibi("keops"), "hyppo": lambda: Hyppo(threads),
            "frouros": lambda: Frouros(threads), "dcor": lambda: Dcor(threads), "goodpoints": Goodpoints}[name]()


def text_of(value):
    values = numpy.atleast_1d(numpy.asarray(value, dtype=float))
    return ",".join(f"{v:.17g}" for v in values)


def main():
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # what a peer prints must not get among the answers
    name, threads = sys.argv[1], int(sys.argv[2])
    peer = peer_of(name, threads)
    for line in sys.stdin:
        verb, *words = line.split()
        try:
            work = getattr(peer, verb)(Request(words))
            start = time.perf_counter()
            out = work()
            out = {"seconds": time.perf_counter() - start, **out}
            print(*(f"{key}={text_of(value)}" for key, value in out.items()), file=answers, flush=True)
        except (MemoryError, RuntimeError) as error:
            reason = str(error).splitlines()[0] if str(error) else type(error).__name__
            print(f"error={reason}", file=answers, flush=True)


if __name__ == "__main__":
    main()
