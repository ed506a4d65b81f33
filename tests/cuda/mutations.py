#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Bugs planted in the device code, one at a time: each must make a test of the device fail.

    mutations.py [--quick] [--only WORD] [--jobs N] -- COMPILE... -- LINK...
    mutations.py --check        only looks whether the text that each would replace still stands there, once
    mutations.py --self-test -- COMPILE... -- LINK...

COMPILE is a compiler and its flags, without -I of the library; LINK what follows the object file. Each bug is planted in a copy of include/, the
test file that must find it is compiled against that copy and run on the emulated device, in order and, if that passes, shuffled. Exit 1 if one is
not found, if its text is gone, or if a test fails on sound code.
"""
import argparse
import concurrent.futures
import os
import pathlib
import shutil
import subprocess
import sys
import tempfile

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(pathlib.Path(__file__).parent))
from mutations_list import MUTATIONS  # noqa: E402

TIMEOUT = 600


def rotten(mutations, root=ROOT):
    """What is wrong with the texts that are to be replaced."""
    faults = []
    for m in mutations:
        path = root / "include/mmd" / m.file
        count = path.read_text(encoding="utf-8").count(m.text) if path.is_file() else -1
        if count != 1:
            faults.append(f"{m.name}: its text stands {count} times in {m.file}" if count >= 0 else f"{m.name}: there is no {m.file}")
    return faults


def build(include, test, program, compile_with, link_with):
    source = ROOT / "tests/cuda" / f"{test}_test.cu"
    command = [*compile_with, f"-I{include}", "-x", "c++", "-c", str(source), "-o", f"{program}.o"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode == 0:
        done = subprocess.run([*compile_with, f"{program}.o", *link_with, "-o", str(program)], capture_output=True, text=True, check=False)
    return "" if done.returncode == 0 else "\n".join(line for line in done.stderr.splitlines() if "error" in line)[:500] or "does not compile"


def run(program, only, seed):
    """How a run went wrong, or an empty text."""
    environment = {**os.environ, "CUDA_SHIM_SEED": str(seed), "OMP_NUM_THREADS": "1"}
    try:
        done = subprocess.run([str(program), *([only] if only else [])], capture_output=True, text=True, check=False, env=environment, timeout=TIMEOUT)
    except subprocess.TimeoutExpired:
        return "timeout"
    if "No test cases matched" in done.stdout + done.stderr or "No tests ran" in done.stdout + done.stderr:
        raise SystemExit(f"error: no test matches {only!r}")
    if done.returncode == 0:
        return ""
    return "killed" if done.returncode < 0 else "failed"


def sound(test, filters, folder, compile_with, link_with):
    """What is wrong without a bug."""
    program = folder / f"sound-{test}"
    faults = [build(ROOT / "include", test, program, compile_with, link_with)]
    for only in filters:
        for seed in () if faults[0] else (0, 1):
            faults.append(run(program, only, seed))
    return [f"{test} fails without a bug: {fault}" for fault in faults if fault]


def found(m, folder, compile_with, link_with):
    """How a bug was found: '' if it was not, None if it does not compile."""
    own = folder / m.name.replace(" ", "-").replace("/", "-")
    shutil.copytree(ROOT / "include", own / "include")
    path = own / "include/mmd" / m.file
    path.write_text(path.read_text(encoding="utf-8").replace(m.text, m.replacement), encoding="utf-8")
    try:
        fault = build(own / "include", m.test, own / "test", compile_with, link_with)
        if fault:
            return None, fault
        for seed in (0, 1):
            if how := run(own / "test", m.only, seed):
                return how + (" (shuffled)" if seed else ""), ""
        return "", ""
    finally:
        shutil.rmtree(own)


def plant(mutations, compile_with, link_with, jobs):
    faults = rotten(mutations)
    mutations = [m for m in mutations if not any(fault.startswith(m.name + ":") for fault in faults)]
    with tempfile.TemporaryDirectory() as name, concurrent.futures.ThreadPoolExecutor(jobs) as pool:
        folder = pathlib.Path(name)
        work = {pool.submit(found, m, folder, compile_with, link_with): m for m in mutations}
        tests = {}
        for m in mutations:
            tests.setdefault(m.test, set()).add(m.only)
        check = [pool.submit(sound, test, sorted(filters), folder, compile_with, link_with) for test, filters in tests.items()]
        for done in concurrent.futures.as_completed(work):
            m = work[done]
            how, said = done.result()
            result = how or ("NOT FOUND" if how == "" else "DOES NOT COMPILE: " + said)
            print(f"{m.name:56} {m.test:24} {result}", flush=True)
            if not how:
                faults.append(f"{m.name}: {result}")
        faults += [fault for done in check for fault in done.result()]
    return faults


def self_test(compile_with, link_with):
    """A change of nothing is not found, a text that is gone is reported."""
    first = next(m for m in MUTATIONS if m.quick)
    nothing = first._replace(name="nothing", replacement=first.text)
    gone = first._replace(name="gone", text=first.text + " no longer there")
    faults = plant([nothing, gone], compile_with, link_with, 1)
    return [] if len(faults) == 2 and "stands 0 times" in faults[0] and "NOT FOUND" in faults[1] else ["the self-test's bugs gave: " + str(faults)]


def main():
    arguments = sys.argv[1:]
    parts = [[]]
    for each in arguments:
        if each == "--" and len(parts) < 3:
            parts.append([])
        else:
            parts[-1].append(each)
    parser = argparse.ArgumentParser()
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--check", action="store_true")
    parser.add_argument("--self-test", action="store_true")
    parser.add_argument("--only", default="")
    parser.add_argument("--jobs", type=int, default=len(os.sched_getaffinity(0)))
    options = parser.parse_args(parts[0])
    compile_with, link_with = (parts + [[], []])[1:3]
    if options.check:
        faults = rotten(MUTATIONS)
    elif options.self_test:
        faults = self_test(compile_with, link_with)
    else:
        chosen = [m for m in MUTATIONS if options.only in m.name and (m.quick or not options.quick)]
        faults = plant(chosen, compile_with, link_with, options.jobs)
        print(f"{len(chosen)} bugs, {len(faults)} faults")
    for fault in faults:
        print("error:", fault)
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main())
