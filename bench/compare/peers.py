#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Times this library against others on the same arrays, in turn, after comparing what they compute. docs/peers.md says what each peer does.

    bench/compare/peers.py [--cases SUBSTRING] [--peers NAME,NAME] [--quick] [--publish]

Makes what it needs by itself under build/bench/: a virtual environment with the peers (requirements.txt, the rest held at resolved.txt: some
7 GB, because PyPI's PyTorch brings CUDA along) and two programs, this library's and naive Eigen's. Prints a table; writes
build/bench/peers/peers.json, with --publish bench/results/peers-<machine>.json as well, for bench/report.py. What fails, takes too long or too much
memory is an entry too.
"""
import argparse
import datetime
import hashlib
import json
import os
import pathlib
import shutil
import signal
import statistics
import subprocess
import sys
import venv

try:
    import numpy
    import peer_cases
except ImportError:
    numpy = peer_cases = None  # not before the virtual environment is there
import peer_process

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parent.parent
BUILD = ROOT / "build" / "bench" / "peers"
VENV = ROOT / "build" / "bench" / "peers-venv"
PYTHON = VENV / "bin" / "python"
# Peers that cannot be had from the package index: tried each time the environment is made, with what pip says.
MISSING = {"mmdagg": "aggregated tests", "mmdfuse": "aggregated tests", "autotst": "AutoML two-sample tests", "torch-two-sample": "MMD and energy tests"}
PACKAGES = {"torch": "torch", "torch.compile": "torch", "jax": "jax", "alibi-detect pytorch": "alibi-detect", "alibi-detect keops": "alibi-detect",
            "hyppo": "hyppo", "frouros": "frouros", "dcor": "dcor", "goodpoints": "goodpoints"}


def make_environment(resolve):
    """The virtual environment, made anew when the requirements changed. `resolve` lets pip choose what requirements.txt leaves open."""
    wanted = hashlib.sha256((HERE / "requirements.txt").read_bytes() + (HERE / "resolved.txt").read_bytes()).hexdigest()
    stamp = VENV / "made-from.txt"
    if not resolve and stamp.exists() and stamp.read_text() == wanted:
        return
    print(f"making {VENV.relative_to(ROOT)} (some minutes, 7 GB)", file=sys.stderr, flush=True)
    venv.create(VENV, clear=True, with_pip=True)
    held = [] if resolve else ["-c", str(HERE / "resolved.txt")]
    subprocess.run([PYTHON, "-m", "pip", "install", "-q", "-r", HERE / "requirements.txt", *held], check=True, stdout=sys.stderr)
    if resolve:
        names = subprocess.run([PYTHON, "-m", "pip", "freeze"], check=True, capture_output=True, text=True).stdout
        (HERE / "resolved.txt").write_text("".join(f"{line}\n" for line in names.splitlines() if "==" in line))
        return make_environment(False)
    reasons = {}
    for name in MISSING:
        tried = subprocess.run([PYTHON, "-m", "pip", "install", "-q", "--dry-run", "--no-deps", name], capture_output=True, text=True)
        reasons[name] = "" if tried.returncode == 0 else first_reason(tried.stderr)
    (VENV / "missing.json").write_text(json.dumps(reasons))
    stamp.write_text(wanted)


def first_reason(text):
    """pip's first complaint, without where it looked."""
    lines = [line.split("ERROR: ", 1)[1] for line in text.splitlines() if line.startswith("ERROR: ")]
    return (lines[0] if lines else "pip failed").split(" (from")[0]


def compile_program(name):
    """Compiles NAME.cpp unless the program is newer than every header."""
    program = BUILD / name
    sources = [HERE / f"{name}.cpp", HERE / "server.hpp", *(ROOT / "include").rglob("*.hpp")]
    if not program.exists() or program.stat().st_mtime < max(s.stat().st_mtime for s in sources):
        print(f"compiling {name}", file=sys.stderr, flush=True)
        compiler = [*(["ccache"] if shutil.which("ccache") else []), os.environ.get("CXX", "g++")]
        subprocess.run([*compiler, "-std=c++20", "-O3", "-DNDEBUG", "-march=native", "-fopenmp", "-w", f"-I{ROOT / 'include'}", f"-I{HERE}",
                        "-isystem", "/usr/include/eigen3", HERE / f"{name}.cpp", "-o", program], check=True)
    return program


class Contest:
    """All programs, started when they are first asked, and the cases run with them."""

    def __init__(self, options):
        self.options, self.programs, self.results, self.versions, self.foreseen = options, {}, [], versions(), {}

    def program(self, peer, threads):
        found = self.programs.get((peer, threads))
        if found is None or not found.alive():
            environment = dict(os.environ, CUDA_VISIBLE_DEVICES="", JAX_PLATFORMS="cpu", PYTHONWARNINGS="ignore", PYTHONDONTWRITEBYTECODE="1",
                               KEOPS_CACHE_FOLDER=str(BUILD / "keops"), TORCHINDUCTOR_CACHE_DIR=str(BUILD / "inductor"))
            for library in ("OMP", "MKL", "OPENBLAS", "NUMBA"):
                environment[f"{library}_NUM_THREADS"] = str(threads)
            command = {"mmd": [BUILD / "ours"], "naive Eigen": [BUILD / "naive_eigen"]}.get(
                peer, [PYTHON, HERE / "peer_worker.py", peer, str(threads)])
            with (BUILD / f"{peer.replace(' ', '-')}.log").open("ab") as log:
                found = peer_process.Program(command, environment, log, threads, self.options.memory * 2**30)
            self.programs[peer, threads] = found
        return found

    def file(self, array):
        rows, columns, seed, shift = array
        path = BUILD / f"{rows}x{columns}-{seed}-{shift}.npy"
        if not path.exists():
            with path.open("wb") as file:
                numpy.save(file, peer_cases.array(*array))
        return path

    def ask(self, case, peer, verb, x=None, y=None, **changes):
        arguments = {**case.arguments, **(case.peer_arguments if peer != "mmd" else {}), **changes}
        if "weights" in arguments:
            arguments["weights"] = BUILD / "weights.npy"
        x, y = self.file(x or case.x), self.file(y or case.y)
        words = [verb, f"x={x}", f"y={y}", f"threads={case.threads}"] + [f"{key}={value}" for key, value in arguments.items()]
        return self.program(peer, case.threads).ask(" ".join(words), self.options.limit)

    def check(self, case, peer, own, fields):
        """What is wrong with a peer's result, or nothing."""
        if case.check == "objective":
            everybody = {"steps": 5, "batch": case.x[0], "dropout": 0}
            own, fields = (self.ask(case, who, "train", **everybody)[0] for who in ("mmd", peer))
        return getattr(peer_cases, case.check)(own, fields, case.arguments.get("permutations"))

    def warm_up(self, case, peer, verb):
        """Imports, compilers and the like: on a few rows, or a few steps, or (scoring) as it is."""
        if verb in ("train", "score"):
            self.ask(case, peer, verb, **{"steps": 5} if verb == "train" else {})
        else:
            few = (64, *case.x[1:]), (64, *case.y[1:])
            self.ask(case, peer, verb, *few, **{"permutations": 9} if "permutations" in case.arguments else {}, **self.few_bins(peer))

    @staticmethod
    def few_bins(peer):
        return {"bins": 16, "compression": 1} if peer == "goodpoints" else {}

    def run(self, case):
        peers = [p for p in case.peers if not self.options.peers or p in self.options.peers]
        if not peers:
            return
        print(f"{case.name}", file=sys.stderr, flush=True)
        if case.verb in ("train", "score"):
            self.ask(case, "mmd", "initial_weights", to=BUILD / "weights.npy")
        own_fields, _ = self.ask(case, "mmd", case.verb)
        if "paired" in case.check:
            own_fields = {**self.ask(case, "mmd", "value")[0], **own_fields}
        own = Entry(case, "mmd", "", own_fields)
        entries = [own]
        for peer in peers:
            entry = Entry(case, peer, self.versions.get(peer, ""), {})
            entries.append(entry)
            try:
                self.run_peer(case, peer, entry, own)
            except peer_process.Failed as failure:
                entry.status, entry.note = failure.status, "; ".join(filter(None, (failure.note, entry.note)))
        for entry in entries:
            self.results.append(entry.record())
            print(entry.line(own), flush=True)

    def run_peer(self, case, peer, entry, own):
        verb = case.peer_verb or case.verb
        rate = self.foreseen.get((peer, case.verb, case.x[1]), 0)
        if case.cost and rate * case.cost > self.options.limit:
            raise peer_process.Failed("time", f"not run: some {rate * case.cost:.0f} s by the smaller sizes")
        self.warm_up(case, peer, verb)
        fields, memory = self.ask(case, peer, verb)
        wrong = self.check(case, peer, own.fields, fields)
        if wrong:
            raise peer_process.Failed("failed", f"another result: {wrong}")
        entry.fields, seconds = fields, fields["seconds"][0]
        entry.memory = memory
        if case.cost:
            self.foreseen[peer, case.verb, case.x[1]] = seconds / case.cost
        if case.verb == "train":
            seconds *= case.arguments["steps"]
        rounds = 1 if seconds > 8 else 3 if seconds > 1 else 7
        if rounds == 1:
            entry.seconds.append(fields["seconds"][0])
        for _ in range(rounds):
            own_fields, own_memory = self.ask(case, "mmd", case.verb)
            own.add(own_fields, own_memory)
            if rounds > 1:
                entry.add(*self.ask(case, peer, verb))

    def end(self):
        for program in self.programs.values():
            program.end()


class Entry:
    """What one candidate did in one case."""

    def __init__(self, case, peer, version, fields):
        self.case, self.peer, self.version, self.fields = case, peer, version, fields
        self.seconds, self.memory, self.status = [], 0, "ok"
        self.note = "" if peer == "mmd" else case.note_of(peer)

    def add(self, fields, memory):
        self.seconds.append(fields["seconds"][0])
        self.memory = max(self.memory, memory)

    def record(self):
        result = {key: values[0] if len(values) == 1 else values[:5] for key, values in self.fields.items() if key != "seconds"}
        entry = {"case": self.case.name, "peer": self.peer, "version": self.version,
                 "median_s": statistics.median(self.seconds) if self.seconds and self.status == "ok" else None,
                 "min_s": min(self.seconds) if self.seconds and self.status == "ok" else None, "runs": len(self.seconds),
                 "threads": self.case.threads, "result": result, "status": self.status, "note": self.note,
                 "memory_mib": round(self.memory, 1)}
        aim, group = self.case.aim_of(self.peer)
        return entry | ({"aim": aim, "group": group} if aim and self.peer != "mmd" else {})

    def line(self, own):
        if self.status != "ok" or not self.seconds:
            return f"| {self.case.name} | {self.peer} | {self.status} | | | {self.note} |"
        time, mine = statistics.median(self.seconds), statistics.median(own.seconds)
        return f"| {self.case.name} | {self.peer} | {1e3 * time:.3g} ms | {time / mine:.3g} | {self.memory:.0f} MiB | {self.note} |"


def versions():
    """Each peer's version, as it is installed."""
    show = "import importlib.metadata as m, sys; print(*(m.version(name) for name in sys.argv[1:]))"
    names = sorted(set(PACKAGES.values()))
    found = subprocess.run([PYTHON, "-c", show, *names], check=True, capture_output=True, text=True).stdout.split()
    eigen = pathlib.Path("/usr/include/eigen3/Eigen/src/Core/util/Macros.h")
    parts = [line.split()[-1] for line in eigen.read_text().splitlines() if line.startswith("#define EIGEN_") and "_VERSION " in line]
    version_of = dict(zip(names, found))
    return {peer: version_of[package] for peer, package in PACKAGES.items()} | {"naive Eigen": ".".join(parts[:3])}


def missing_entries():
    reasons = json.loads((VENV / "missing.json").read_text())
    return [{"case": "installation", "peer": name, "version": "", "median_s": None, "min_s": None, "runs": 0, "threads": 0, "result": {},
             "status": "failed", "note": f"{MISSING[name]}: not installable here: {reason}" if reason else f"{MISSING[name]}: no adapter yet"}
            for name, reason in reasons.items()]


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--cases", default="", help="only those with this in their names")
    parser.add_argument("--peers", type=lambda text: text.split(","), default=[], help="only these, by their names in the table")
    parser.add_argument("--quick", action="store_true", help="a tenth of the rows and draws: tries the machinery, measures nothing")
    parser.add_argument("--publish", action="store_true", help="keep the results in bench/results/")
    parser.add_argument("--threads", type=int, default=min(2, len(os.sched_getaffinity(0))))
    parser.add_argument("--limit", type=float, default=150, help="seconds a run may take")
    parser.add_argument("--memory", type=float, default=12, help="GiB a peer may take")
    parser.add_argument("--resolve", action="store_true", help="let pip choose anew what requirements.txt leaves open")
    options = parser.parse_args()
    if options.publish and (options.cases or options.peers or options.quick):
        parser.error("--publish wants all cases and peers")
    if pathlib.Path(sys.prefix) != VENV:
        BUILD.mkdir(parents=True, exist_ok=True)
        make_environment(options.resolve)
        for name in ("ours", "naive_eigen"):
            compile_program(name)
        # numpy comes with the peers, so the rest runs in their environment.
        os.execv(PYTHON, [str(PYTHON), str(HERE / "peers.py"), *sys.argv[1:]])
    measure(options)


def measure(options):
    sys.path.insert(0, str(HERE.parent))
    from reporting import results
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # so that no program is left behind
    contest = Contest(options)
    machine = results.machine()
    try:
        print("| case | peer | median | peer / own | memory | |\n|---|---|---|---|---|---|")
        for case in peer_cases.cases(options.quick, options.threads):
            if options.cases in case.name:
                contest.run(case)
    finally:
        contest.end()
    out = {"date": datetime.date.today().isoformat(),
           "about": f"{options.threads} threads of {machine['cpu']}, Python {sys.version.split()[0]}. " + (
               "**A quick trial run, not for quoting.** " if options.quick else "") + "Medians of 3 to 7 runs in turn; runs over 8 s once.",
           "environment": {key: value for key, value in machine.items() if key != "name"} | {
               "compiler": subprocess.run([os.environ.get("CXX", "g++"), "-dumpfullversion"], capture_output=True, text=True).stdout.strip()},
           "results": contest.results + missing_entries()}
    text = json.dumps(out, indent=1, ensure_ascii=False) + "\n"
    (BUILD / "peers.json").write_text(text, encoding="utf-8")
    if options.publish:
        (HERE.parent / "results" / f"peers-{machine['name']}.json").write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
