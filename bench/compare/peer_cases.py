# SPDX-License-Identifier: MIT
"""What peers.py compares: cases, the arrays they read, and when results count as equal."""
import dataclasses
import math

import numpy

FULL_TEST = ["torch", "jax", "naive Eigen", "alibi-detect pytorch", "alibi-detect keops", "frouros"]
FAST = ["torch", "jax", "naive Eigen"]
BOUNDS = {"alibi-detect pytorch": (100, "alibi-detect"), "alibi-detect keops": (100, "alibi-detect"), "hyppo": (100, "hyppo")}
NOTES = {
    "alibi-detect pytorch": "copies the permuted N × N matrix for each draw",
    "alibi-detect keops": "no N × N matrix; the kernel again for each draw",
    "frouros": "the kernel again for each draw, in float64",
    "hyppo": "the matrix in float64, permuted for each draw; statistic: a correlation",
    "dcor": "float64",
}


@dataclasses.dataclass
class Case:
    name: str
    verb: str
    x: tuple  # rows, columns, seed, shift of the first 20 columns
    y: tuple
    peers: list
    arguments: dict = dataclasses.field(default_factory=dict)
    peer_verb: str = ""      # where it differs from `verb`
    peer_arguments: dict = dataclasses.field(default_factory=dict)
    aim: float = 0           # how many times faster this library should be
    group: str = ""          # what the aim is about, over several cases
    threads: int = 2
    note: str = ""
    check: str = ""          # how results are compared: the name of a function below
    cost: float = 0          # proportional to the work, to foresee what will not end in time

    def aim_of(self, peer):
        """(aim, group) for a peer's entry."""
        if self.verb == "test" and peer in BOUNDS:
            return BOUNDS[peer]
        return self.aim, self.group

    def note_of(self, peer):
        return "; ".join(note for note in (self.note, NOTES.get(peer, "") if "test" in self.verb else "") if note)


def size(rows):
    return f"{rows:,}"


def cases(quick, threads):
    """All cases. `quick`: a tenth of the rows and draws, to try the machinery."""
    small = 10 if quick else 1
    found = []

    def two_samples(rows, d):
        return {"x": (rows // 2 // small, d, 1, 0), "y": (rows // 2 // small, d, 2, 0)}

    def title(what, rows, d, draws=0, used=threads):
        parts = [what, f"N = {size(rows // small)}", f"d = {d}"] + ([f"B = {draws}"] if draws else [])
        return ", ".join(parts) + ("" if used == threads else f", {used} thread")

    def test(rows, d, draws, peers, used=threads):
        found.append(Case(title("permutation test", rows, d, draws, used), "test", **two_samples(rows, d), peers=peers,
                          arguments={"bandwidth": math.sqrt(d), "permutations": draws}, aim=10, group="the fastest peer's permutation test",
                          threads=used, check="unbiased_and_p", cost=rows**2 * draws))

    draws = 99 if quick else 999
    for rows in (2000, 5000, 10000):
        test(rows, 64, draws, FULL_TEST)
    test(5000, 768, draws, FAST)
    test(5000, 64, draws, FAST, 1)
    test(2000, 64, 199 if not quick else 19, ["hyppo"])
    for b in (49 if quick else 50, draws):
        found.append(Case(title("the paper's test", 5000, 64, b), "test", **two_samples(5000, 64), peers=["torch"],
                          arguments={"bandwidth": 8, "permutations": b}, peer_verb="paired_test", aim=10, group="the paper's permutation test",
                          check="paired_and_p", note="peer: U statistic without k(x_i, y_i)"))
    found.append(Case(title("binned permutation test", 10000, 64, draws), "binned_test", **two_samples(10000, 64), peers=["goodpoints"],
                      arguments={"bandwidth": 8, "permutations": draws}, peer_arguments={"bins": 256 // small, "compression": 2},
                      check="same_decision", note="peer: Compress Then Test, 256 bins thinned to coresets: an approximate statistic"))
    found.append(Case(title("exact test, binned here and full there", 10000, 64, draws), "binned_test", **two_samples(10000, 64), peers=FAST,
                      arguments={"bandwidth": 8, "permutations": draws}, peer_verb="test", check="same_statistic",
                      note="own: 256 bins of rows change sides, exact as well"))
    found.append(Case(title("energy test", 2000, 64, 199), "energy_test", **two_samples(2000, 64), peers=["dcor"],
                      arguments={"permutations": 199}, check="energy_and_p"))
    for rows in (2000, 5000):
        found.append(Case(title("tests at ten bandwidths", rows, 64, draws), "many_tests", **two_samples(rows, 64), peers=["jax"],
                          arguments={"bandwidths": ",".join(f"{4 * 4 ** (i / 9):.9g}" for i in range(10)), "permutations": draws},
                          check="statistics", note="peer: MMD-FUSE's formula, one p-value; own: ten full tests, no aggregation"))
    for rows, d in ((2000, 64), (10000, 64), (10000, 768)):
        found.append(Case(title("MMD²", rows, d), "value", **two_samples(rows, d), peers=FAST + ["frouros"] * (d == 64),
                          arguments={"bandwidth": math.sqrt(d)}, check="unbiased", cost=rows**2))
    for used in (threads, 1) if threads > 1 else (1,):
        extra = "" if used == threads else f", {used} thread"
        found.append(Case("training step, 200 + 200 rows, 669-256-128" + extra, "train", (1000, 669, 3, 0), (1000, 669, 4, .5),
                          ["torch", "torch.compile"], {"steps": 25 if quick else 105, "batch": 200, "dropout": 0.3},
                          peer_arguments={"weights": "weights"}, aim=3, group="PyTorch's training step", threads=used, check="objective",
                          note="forward, MMD-MP's J over all pairs, backward, Adam"))
    found.append(Case(f"scoring {size(10000 // small)} texts against 300", "score", (10000 // small, 669, 5, 0), (300, 669, 3, 0),
                      ["torch", "torch.compile"], {"sigma": 20}, peer_arguments={"weights": "weights"}, aim=1.5,
                      group="PyTorch's scoring of texts", check="scores", note="669 features, the network and the deep kernel"))
    return found


def array(rows, columns, seed, shift):
    """Standard normal, the first 20 columns moved."""
    values = numpy.random.default_rng(seed).standard_normal((rows, columns), dtype=numpy.float32)
    values[:, :20] += numpy.float32(shift)
    return values


# When results are equal. `own` and `peer` are the fields of the answers; what is returned says what is wrong, or nothing.
# A float kernel matrix of values near .4 holds MMD^2, a difference of three means of them, to some 1e-6.

def near(own, peer, tolerance, what):
    return "" if abs(own - peer) <= tolerance else f"{what} {peer:.6g}, expected {own:.6g} ± {tolerance:.1g}"


def p_values(own, peer, draws):
    """Both estimate one p by `draws` draws: four standard errors of their difference. A share of draws gets its + 1 first. This library's
    tolerance for ties is left out: it is part of its definition of p, and no peer has one."""
    expected = own["p_without_tolerance"][0]
    p = peer["p_value"][0] if "p_value" in peer else (peer["share"][0] * draws + 1) / (draws + 1)
    middle = (expected + p) / 2
    return near(expected, p, 4 * math.sqrt(2 * middle * (1 - middle) / draws) + 2 / draws, "p")


def unbiased(own, peer, _):
    return near(own["unbiased"][0], peer["statistic"][0], 5e-6, "MMD²")


def unbiased_and_p(own, peer, draws):
    if "correlation" in peer:  # hyppo: the same test, another scale
        return p_values(own, peer, draws)
    return same_statistic(own, peer, draws) or p_values(own, peer, draws)


def same_statistic(own, peer, _):
    return near(own["statistic"][0], peer["statistic"][0], 5e-6, "MMD²")


def paired_and_p(own, peer, draws):
    return near(own["paired"][0], peer["paired"][0], 5e-6, "MMD² without pairs") or p_values(own, peer, draws)


def energy_and_p(own, peer, draws):
    return near(own["statistic"][0], peer["statistic"][0], 2e-5, "energy distance") or p_values(own, peer, draws)


def same_decision(own, peer, _):
    return "" if (own["p_value"][0] <= .05) == (peer["p_value"][0] <= .05) else "another decision at 5 %"


def statistics(own, peer, _):
    return next((wrong for a, b in zip(own["statistics"], peer["statistics"]) if (wrong := near(a, b, 5e-6, "MMD²"))), "")


def objective(own, peer, _):
    """Five steps from the same weights on all rows without dropout."""
    return next((wrong for a, b in zip(own["objective"], peer["objective"]) if (wrong := near(a, b, 1e-4 * abs(a), "J"))), "")


def scores(own, peer, _):
    return next((wrong for a, b in zip(own["scores"], peer["scores"]) if (wrong := near(a, b, 1e-5, "score"))), "")
