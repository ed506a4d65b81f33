#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Counts the instructions of a few fixed small runs and compares them with the recorded figures of instructions.json.

Times on a shared machine are noise; the number of instructions of one thread is not. Counted are those of the program's own code (the library
is in its headers), inside the run alone: what the C library does depends on the machine. Figures hold for one major version of one
compiler; with another the check is skipped.

  instructions.py [PROGRAM]            fails where a run takes over 3 % more than recorded, says where one takes over 3 % less
  instructions.py --update [PROGRAM]   records what it counts
  instructions.py --self-test PROGRAM  the comparison sees planted changes, and the counting is the same twice
Without PROGRAM it builds and takes build/release/tests/guard/guard.
"""
import argparse
import concurrent.futures
import json
import os
import pathlib
import re
import subprocess
import sys
import tempfile

HERE = pathlib.Path(__file__).resolve().parent
RECORDED = HERE / "instructions.json"
TOLERANCE = 0.03
SKIPPED = 77


def own_instructions(profile, program):
    """The sum over the functions of `program` in callgrind's output; calls' inclusive costs are left out."""
    names, total, own, after_call = {}, 0, False, False
    for line in profile.splitlines():
        if line.startswith("ob="):
            number, name = re.fullmatch(r"ob=(\(\d+\)) ?(.*)", line).groups()
            names.setdefault(number, name)
            own = names[number] == program
        elif found := re.match(r"c(?:ob)=(\(\d+\)) (.+)", line):
            names.setdefault(*found.groups())
        elif line.startswith("calls="):
            after_call = True
        elif re.match(r"[+*\-\d]", line):
            if own and not after_call:
                total += int(line.split()[1]) if " " in line else 0
            after_call = False
    return total


def count(program, run):
    with tempfile.TemporaryDirectory() as folder:
        out = pathlib.Path(folder, "profile")
        command = ["valgrind", "--tool=callgrind", f"--callgrind-out-file={out}", "--toggle-collect=guarded_run", program, run]
        # The same size of environment and no settings of the user's: neither changes what is counted.
        done = subprocess.run(command, capture_output=True, text=True, env={"PATH": os.environ["PATH"]}, check=False)
        if done.returncode != 0:
            sys.exit(f"error: {' '.join(command)}\n{done.stdout}{done.stderr}")
        total = own_instructions(out.read_text(), program)
        if total == 0:
            sys.exit(f"error: {run}: no instructions of {program} in callgrind's output")
        return total


def count_all(program):
    compiler, *runs = subprocess.run([program], capture_output=True, text=True, check=True).stdout.splitlines()
    with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
        return compiler, dict(zip(runs, pool.map(lambda run: count(program, run), runs)))


def compare(recorded, counted):
    """(failures, notes), as lines."""
    failures, notes = [], []
    for run in sorted(recorded.keys() | counted.keys()):
        if run not in counted or run not in recorded:
            failures.append(f"{run}: {'not recorded' if run in counted else 'recorded, but there is no such run'}")
            continue
        ratio = counted[run] / recorded[run]
        line = f"{run}: {counted[run]:,} instructions, recorded {recorded[run]:,} ({100 * (ratio - 1):+.1f} %)"
        if ratio > 1 + TOLERANCE:
            failures.append(line)
        elif ratio < 1 - TOLERANCE:
            notes.append(line)
        else:
            print(line)
    return failures, notes


def self_test(program):
    profile = "ob=(1) /p\nfn=(1) f\n1 10\ncob=(2) /lib\ncfn=(2) g\ncalls=1 5\n2 1000\n+1 5\nob=(2)\nfn=(2)\n1 1000\nob=(1)\nfn=(1)\n* 7\n"
    assert own_instructions(profile, "/p") == 22, own_instructions(profile, "/p")
    assert compare({"a": 1000}, {"a": 1029}) == ([], [])
    assert len(compare({"a": 1000}, {"a": 1031})[0]) == 1
    assert len(compare({"a": 1000}, {"a": 969})[1]) == 1
    assert len(compare({"a": 1000}, {})[0]) == len(compare({}, {"a": 1000})[0]) == 1
    run = "test/small/N=40"
    once, twice = count(program, run), count(program, run)
    assert once == twice, (once, twice)
    print("planted changes are seen; the same run counts the same twice")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("program", nargs="?")
    parser.add_argument("--update", action="store_true")
    parser.add_argument("--self-test", action="store_true")
    args = parser.parse_args()
    if not args.program:
        root = HERE.parent.parent
        if not (root / "build/release/CMakeCache.txt").exists():
            subprocess.run(["cmake", "-S", root, "-B", root / "build/release", "-G", "Ninja", "-DCMAKE_BUILD_TYPE=Release"], check=True)
        subprocess.run(["cmake", "--build", root / "build/release", "--target", "guard"], check=True)
        args.program = root / "build/release/tests/guard/guard"
    program = str(pathlib.Path(args.program).resolve())
    if args.self_test:
        return self_test(program)
    recorded = json.loads(RECORDED.read_text()) if RECORDED.exists() else {"compiler": "", "instructions": {}}
    compiler, counted = None, None
    if args.update:
        compiler, counted = count_all(program)
        compare(recorded["instructions"], counted)
        RECORDED.write_text(json.dumps({"compiler": compiler, "instructions": counted}, indent=2) + "\n")
        print(f"recorded in {RECORDED.relative_to(HERE.parent.parent)}")
        return 0
    compiler = subprocess.run([program], capture_output=True, text=True, check=True).stdout.splitlines()[0]
    if compiler.split(".")[0] != recorded["compiler"].split(".")[0]:
        print(f"skipped: the figures are of {recorded['compiler']}, this program of {compiler}")
        return SKIPPED
    failures, notes = compare(recorded["instructions"], count_all(program)[1])
    for line in notes:
        print(f"less than recorded, so record it (tests/guard/instructions.py --update): {line}")
    for line in failures:
        print(f"error: {line}")
    if failures:
        print("If the change is worth it, record it: tests/guard/instructions.py --update")
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
