#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Times others on a device, on arrays that already lie there: PyTorch, as it is and compiled, and KeOps, where they can be imported.

    bench/compare/device.py [--out FILE] [--seconds LIMIT] [--device cuda] [--tiny]

The formulas are those of torch_formulas.py: the paper's training step, the permutation test by one product of the kernel matrix with the
labels, and MMD^2. Cases bear the names of bench/cuda's, so that report.py can set one against the other. MMD^2 is compared with fp64 before
it is timed. What cannot be imported or fails is an entry with its reason. Needs nothing but what is installed: no network.
"""
import argparse
import json
import pathlib
import statistics
import sys
import time

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE))
sys.dont_write_bytecode = True


class Request:
    """What the formulas take, from memory."""

    def __init__(self, arrays, **values):
        self.arrays, self.values = arrays, values

    def __getitem__(self, key):
        return str(self.values.get(key, key))

    def rows(self, key):
        return self.arrays[key]

    def count(self, key):
        return int(self.values[key])

    def number(self, key):
        return float(self.values[key])


class Run:
    def __init__(self, options):
        self.options, self.entries, self.start = options, [], time.monotonic()

    def left(self):
        return self.options.seconds - (time.monotonic() - self.start)

    def add(self, case, peer, version, status, note="", times=()):
        entry = {"case": case, "peer": peer, "version": version, "median_s": statistics.median(times) if times else None,
                 "runs": len(times), "status": status, "note": note}
        self.entries.append(entry)
        shown = f"{1e3 * entry['median_s']:.3g} ms" if times else status
        print(f"{case:60} {peer:16} {shown} {note}", flush=True)

    def measure(self, case, peer, version, prepare, synchronize, own_seconds=False):
        """prepare() gives the work; its own time where it reports one."""
        if self.left() <= 0:
            self.add(case, peer, version, "time", "no time left")
            return
        try:
            work = prepare()
            for _ in range(1 if self.options.tiny else 2):
                work()
            synchronize()
            times, begin = [], time.monotonic()
            while len(times) < 3 or (len(times) < 50 and time.monotonic() - begin < 0.5):
                at = time.perf_counter()
                out = work()
                synchronize()
                times.append(out["seconds"] if own_seconds else time.perf_counter() - at)
                if self.options.tiny or self.left() <= 0:
                    break
            self.add(case, peer, version, "ok", "", times)
        except Exception as error:  # a peer's failure is a result
            reason = (str(error).splitlines() or [type(error).__name__])[0][:200]
            self.add(case, peer, version, "memory" if "memory" in reason.lower() else "failed", reason)


def normal(numpy, rows, d, seed):
    return numpy.random.default_rng(seed).standard_normal((rows, d), dtype=numpy.float32)


def check(numpy, torch_formulas, bandwidth):
    """What is wrong with the peer's MMD^2 on a few hundred rows."""
    x, y = normal(numpy, 300, 8, 1), normal(numpy, 200, 8, 2) + numpy.float32(0.3)
    found = torch_formulas.Formulas(lambda f: f).value(Request({"x": x, "y": y}, bandwidth=bandwidth))()["statistic"]
    z = numpy.concatenate([x, y]).astype(float)
    k = numpy.exp(-((z[:, None] - z[None]) ** 2).sum(2) / (2 * bandwidth**2))
    numpy.fill_diagonal(k, 0)
    n, m = len(x), len(y)
    expected = k[:n, :n].sum() / (n * (n - 1)) + k[n:, n:].sum() / (m * (m - 1)) - 2 * k[:n, n:].mean()
    return "" if abs(found - expected) < 5e-6 else f"MMD² {found:.6g}, expected {expected:.6g}"


def torch_cases(run):
    try:
        import numpy
        import torch
    except ImportError as error:
        run.add("training_step", "torch", "", "missing", f"not installed: {error}")
        return
    device = run.options.device
    if device == "cuda" and not torch.cuda.is_available():
        run.add("training_step", "torch", torch.__version__, "missing", "this PyTorch sees no device")
        return
    import torch_formulas
    torch_formulas.DEVICE = device
    torch.set_default_device(device)
    synchronize = torch.cuda.synchronize if device == "cuda" else (lambda: None)
    few = 50 if run.options.tiny else 1
    version = torch.__version__
    wrong = check(numpy, torch_formulas, 3.0)
    if wrong:
        run.add("MMD²", "torch", version, "failed", f"another result: {wrong}")
        return

    def steps(peer, d, batch):
        hidden, output = 256, 128
        weights = hidden * d + hidden + 2 * hidden + output * hidden + output
        arrays = {"x": normal(numpy, 2048, d, 1), "y": normal(numpy, 2048, d, 2) + numpy.float32(0.1),
                  "weights": normal(numpy, 1, weights, 3) / numpy.float32(d**0.5)}
        request = Request(arrays, steps=6 if few > 1 else 105, batch=batch // (8 if few > 1 else 1), dropout=0)
        return torch_formulas.make(peer, torch.get_num_threads()).train(request)

    for batch, d in ((200, 669), (200, 768), (1024, 768)):
        for peer in ("torch", "torch.compile"):
            run.measure(f"training_step/float/d:{d}/batch:{batch}", peer, version, lambda: steps(peer, d, batch), synchronize, own_seconds=True)
    for d in (64, 768):
        n = 5000 // few
        arrays = {"x": normal(numpy, n, d, 1), "y": normal(numpy, n, d, 2)}
        request = Request(arrays, bandwidth=d**0.5, permutations=999 // few)
        formulas = torch_formulas.Formulas(lambda f: f)
        run.measure(f"permutation_test/full/accurate/n:5000/m:5000/d:{d}/B:999", "torch", version, lambda: formulas.test(request), synchronize)
        run.measure(f"paper_test/n:5000/m:5000/d:{d}/B:999", "torch", version, lambda: formulas.paired_test(request), synchronize)
        run.measure(f"kernel_sums/gaussian/float/accurate/automatic/N:10000/d:{d}", "torch", version, lambda: formulas.value(request), synchronize)


def keops_cases(run):
    try:
        import pykeops
        import torch
        from pykeops.torch import LazyTensor
    except Exception as error:  # it compiles when it is imported
        run.add("kernel_sums", "keops", "", "missing", f"not installed: {(str(error).splitlines() or ['?'])[0][:200]}")
        return
    device = run.options.device
    for d in (16, 64):
        n = 100_000 // (100 if run.options.tiny else 1)

        def prepare():
            z = torch.randn(n, d, device=device)
            a, b = LazyTensor(z[:, None, :]), LazyTensor(z[None, :, :])
            k = (-((a - b) ** 2).sum(-1) / (4 * d)).exp()
            return lambda: k.sum(1)
        run.measure(f"kernel_sums/gaussian/float/accurate/automatic/N:100000/d:{d}", "keops", pykeops.__version__, prepare,
                    torch.cuda.synchronize if device == "cuda" else (lambda: None))


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=pathlib.Path, help="a JSON file of all entries")
    parser.add_argument("--seconds", type=float, default=90, help="no case is started later than that")
    parser.add_argument("--device", default="cuda", help="cpu tries the machinery")
    parser.add_argument("--tiny", action="store_true", help="sizes that mean nothing")
    run = Run(parser.parse_args())
    torch_cases(run)
    keops_cases(run)
    if run.options.out:
        run.options.out.write_text(json.dumps(run.entries, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
