# SPDX-License-Identifier: MIT
"""The device's section of docs/performance.md, and what its backend is held to."""
from reporting.page import duration, percent, scaled, table

NOT_MEASURED = ("No device was measured: nothing is claimed of the device backend's speed. `scripts/bench-gpu` measures all of it on a machine with a GPU, in "
                "eight minutes and without a network; `scripts/bench --backend cuda --publish` puts the figures here.")
PRECISIONS = ("accurate", "tf32", "bf16")


def times(value):
    return f"{value:.2f} ×"


def aims(r, peers):
    """(what, wanted, found as text, met) of each aim."""
    found = []

    def add(what, wanted, value, met, shown=times):
        found.append((what, wanted, "not measured", False) if value is None else (what, wanted, shown(value), met(value)))

    for precision, name in (("tf32", "TF32"), ("accurate", "fp32")):
        add(f"Gaussian sums, N = 100,000, d = 768, {name}: time / half of cuBLAS's for the full product", "≤ 1.3 ×",
            r.value("own/half_product", "aims", "half_product", precision, d=768), lambda v: v <= 1.3)
    add("Gaussian sums, N = 100,000, d = 16: of the limit of exponentials", "≥ 60 %", r.value("of_exp", "aims", "exponentials", "accurate"),
        lambda v: v >= 0.6, percent)
    add("binned test / its kernel sums, N = 100,000, d = 768, B = 999", "≤ 1.1 ×", r.value("own/sums", "aims", "binned_test", N=100000, d=768),
        lambda v: v <= 1.1)
    add("PyTorch's training step (eager), 200 + 200 rows of 768 / own", "≥ 2 ×", ratio(r, peers, "training_step/float/d:768/batch:200", "torch"),
        lambda v: v >= 2)
    return found


def ratio(r, peers, name, peer):
    own = next((c["s"] for c in r.cases if c.name == name), None)
    other = next((p["median_s"] for p in peers if p["case"] == name and p["peer"] == peer and p["status"] == "ok"), None)
    return other / own if own and other else None


def about(r):
    d = r.summary["device"]
    trial = "**A quick trial run, not for quoting.** " if r.summary["quick"] else ""
    trial = "**Sizes that mean nothing: this run tries the machinery.** " if d["tiny"] else trial
    nvcc = f"nvcc {d['nvcc']}, " if d["nvcc"] else ""
    return (f"{trial}{r.summary['date']}; {d['device']}: {d['multiprocessors']} multiprocessors, compute capability {d['capability']}, {d['memory_gib']} GiB, second "
            f"cache {d['l2_mib']} MiB; {nvcc}CUDA {d['runtime']}, driver for {d['driver']}. Samples lie on the device. Times between CUDA events, medians, the second "
            "cache filled with something else before each run.")


def sums(r):
    rows = []
    for kernel in ("gaussian", "five_gaussians", "deep_kernel", "laplace"):
        for number in ("float", "double", "float16", "bfloat16"):
            for precision in PRECISIONS:
                for product in ("fused", "library", "automatic"):
                    for n in (10000, 100000):
                        cells = [r.one("kernel_sums", kernel, number, precision, product, N=n, d=d) for d in (16, 64, 384, 768)]
                        if any(cells):
                            rows.append([kernel.replace("_", " "), f"{n:,}", number, precision, product,
                                         *(f"{duration(c['s'])}" if c else "–" for c in cells)])
    return table(["kernel", "N", "", "arithmetic", "product", "d = 16", "d = 64", "d = 384", "d = 768"], rows)


def crossovers(r):
    rows = []
    for precision in PRECISIONS:
        for product in ("fused", "library"):
            found = {c.sizes["d"]: c["s"] for c in r.find("kernel_sums", "gaussian", "float", precision, product, N=32768)}
            if found:
                rows.append([precision, product, *(duration(found.get(d)) for d in (8, 32, 96, 128, 192, 256, 512, 1024))])
    return table(["arithmetic", "product", *(f"d = {d:,}" for d in (8, 32, 96, 128, 192, 256, 512, 1024))], rows)


def cases(r, group, head, columns):
    rows = [[" ".join(word.replace("_", " ") for word in c.words[1:]), ", ".join(f"{key} = {value:,}" for key, value in c.sizes.items()),
             *(shown(c.get(key)) for _, key, shown in columns)] for c in r.find(group)]
    return table([*head, *(title for title, _, _ in columns)], rows)


def peers_table(r, peers):
    rows = []
    for p in peers:
        own = next((c["s"] for c in r.cases if c.name == p["case"]), None)
        taken = duration(p["median_s"]) if p["status"] == "ok" else p["status"]
        shown = f"**{p['median_s'] / own:.2f}**" if own and p["status"] == "ok" else "–"
        rows.append([p["case"], f"{p['peer']} {p.get('version', '')}".strip(), taken, duration(own), shown, p.get("note", "")])
    return table(["case", "peer", "peer's time", "own time", "peer / own", "note"], rows)


def checks_text(checks):
    """What scripts/bench-gpu saw besides figures: tests and sanitizers."""
    return table(["check", "result", ""], [[c["what"], c["status"], c.get("note", "")] for c in checks])


def section(r, peers, checks):
    """The text of the section; `r` is None where no device was measured."""
    if r is None:
        return NOT_MEASURED
    time = ("time", "s", duration)
    held = aims(r, peers)
    parts = [about(r), "What the device backend is held to:", table(["aim", "wanted", "measured", ""],
             [[what, wanted, found, "met" if met else "**not met**"] for what, wanted, found, met in held])]
    if checks:
        parts += ["Tests and sanitizers in the same sitting:", checks_text(checks)]
    parts += ["Against others on the same device, arrays already there:", peers_table(r, peers),
              "Limits, measured in the same run:", limits(r),
              "cuBLAS's full product, N × N × d:", cases(r, "full_product", ["", ""], [time, ("rate", "FLOP/s", lambda v: scaled(v, "FLOP/s"))]),
              "Kernel sums, one pass over all pairs:", sums(r),
              "Where the two products change places, N = 32,768:", crossovers(r),
              "Permutation tests:", cases(r, "permutation_test", ["method", ""], [time, ("draws/s", "draws/s", scaled)]),
              "Training, and the network forward:", cases(r, "training_step", ["", ""], [time, ("FLOP/s", "FLOP/s", scaled)]),
              cases(r, "perceptron_forward", ["", ""], [time, ("texts/s", "texts/s", scaled)]),
              "Scoring:", cases(r, "scoring", ["", ""], [time, ("texts/s", "texts/s", scaled)]),
              "Transfers and allocations:", cases(r, "transfers", ["", ""], [time, ("bytes/s", "bytes/s", lambda v: scaled(v, "B/s"))]),
              cases(r, "allocations", ["", ""], [time])]
    return "\n\n".join(parts)


def limits(r):
    rows = []
    for c in r.find("limits"):
        rate, unit = next(((c[key], key) for key in ("FLOP/s", "values/s", "bytes/s") if c.get(key)), (None, ""))
        rows.append([" ".join(word.replace("_", " ") for word in c.words[1:]), scaled(rate, unit)])
    return table(["limit", "measured"], rows)
