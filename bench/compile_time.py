#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""How long a file that runs a two-sample test takes to compile, against an empty file that includes Eigen/Dense, in turn, the best of some rounds.

    bench/compile_time.py [--compiler g++] [--rounds 5] [--flags "-O2 -march=native -fopenmp"] [--out FILE]

Exits 1 if the first takes more than 2.5 times the second and a second more. --out: also in the form of Google Benchmark's reports.
"""
import argparse
import json
import pathlib
import subprocess
import sys
import tempfile
import time

ROOT = pathlib.Path(__file__).resolve().parent.parent


def seconds(command):
    start = time.perf_counter()
    subprocess.run(command, check=True)
    return time.perf_counter() - start


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--compiler", default="g++")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--flags", default="-O2 -march=native -fopenmp")
    parser.add_argument("--out", type=pathlib.Path)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        empty = pathlib.Path(folder) / "empty.cpp"
        empty.write_text("#include <Eigen/Dense>\nint main() {}\n", encoding="utf-8")

        def command(source):
            flags = arguments.flags.split()
            include = ["-I", ROOT / "include", "-isystem", "/usr/include/eigen3"]
            return [arguments.compiler, "-std=c++20", *flags, *include, "-c", source, "-o", pathlib.Path(folder) / "object.o"]

        both = (command(ROOT / "examples/quickstart/quickstart.cpp"), command(empty))
        times = [[seconds(each) for each in both] for _ in range(arguments.rounds)]
    test, base = (min(each) for each in zip(*times))
    limit = 2.5 * base + 1
    if arguments.out:
        runs = [{"name": f"compile_time/{name}", "real_time": value, "time_unit": "s", "label": f"{arguments.compiler} {arguments.flags}"}
                for name, value in (("quickstart", test), ("eigen_alone", base))]
        arguments.out.write_text(json.dumps({"benchmarks": runs}), encoding="utf-8")
    print(f"{arguments.compiler} {arguments.flags}: quickstart {test:.2f} s, Eigen/Dense alone {base:.2f} s, limit {limit:.2f} s")
    return 0 if test <= limit else 1


if __name__ == "__main__":
    sys.exit(main())
