#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Times this library against another version of it, case by case in turn, so that the ratios hold on a machine that does other things as well.

    bench/compare/run.py OTHER [--rounds 7] [--cases SUBSTRING] [--compiler g++]

OTHER is the folder whose mmd/ holds the other version's headers. Prints the best time of each and their ratio (other / own: above 1, this one is
faster) as a Markdown table.
"""
import argparse
import pathlib
import subprocess
import tempfile

HERE = pathlib.Path(__file__).resolve().parent
OWN = HERE.parent.parent / "include"


class Candidate:
    def __init__(self, compiler, include, program):
        subprocess.run([compiler, "-std=c++20", "-O3", "-DNDEBUG", "-march=native", "-fopenmp", "-w", f"-I{include}", "-isystem",
                        "/usr/include/eigen3", str(HERE / "candidate.cpp"), "-o", str(program)], check=True)
        self.process = subprocess.Popen([str(program)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)

    def ask(self, line):
        self.process.stdin.write(line + "\n")
        self.process.stdin.flush()
        return self.process.stdout.readline().strip()

    def cases(self):
        names = [self.ask("list")]
        while names[-1]:
            names.append(self.process.stdout.readline().strip())
        return names[:-1]


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("other", type=pathlib.Path)
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--cases", default="")
    parser.add_argument("--compiler", default="g++")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        own = Candidate(arguments.compiler, OWN, pathlib.Path(folder) / "own")
        other = Candidate(arguments.compiler, arguments.other.resolve(), pathlib.Path(folder) / "other")
        print("| case | own, ms | other, ms | other / own |\n|---|---|---|---|")
        for case in own.cases():
            if arguments.cases not in case:
                continue
            times = [(float(own.ask(case)), float(other.ask(case))) for _ in range(arguments.rounds)]
            best_own, best_other = (min(each) for each in zip(*times))
            print(f"| {case} | {1e3 * best_own:.2f} | {1e3 * best_other:.2f} | {best_other / best_own:.2f} |", flush=True)
        for each in (own, other):
            each.process.stdin.close()
            each.process.wait()


if __name__ == "__main__":
    main()
