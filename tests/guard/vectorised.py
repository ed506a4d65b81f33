#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Reads the machine code of the hot loops: packed arithmetic as wide as the machine has, and no call to a function of the C library.

  vectorised.py SOURCE... -- COMPILER FLAGS...    compiles each source and looks at its hot functions
  vectorised.py --self-test -- COMPILER FLAGS...  a scalar exp, a scalar loop and a narrow one are found
"""
import concurrent.futures
import os
import pathlib
import re
import subprocess
import sys
import tempfile

# What holds a hot loop, by its name without arguments' types. Each must be found, so that a new name is not missed.
FLOATING = {
    "the values of a tile": r"evaluator<.*>::evaluate_strip\(",
    "products": r"\bmicro<",
    "sums by labels": r"\blabel_sums<.*>::look_up\(",
    "row sums": r"\badd_row_sums<",
    "the gradient of a tile": r"\bgradient_tile<.*>::operator\(\)\(",
}
INTEGER = {"random numbers": r"\bphilox_sequence\("}
C_LIBRARY = r"(exp|exp2|expm1|log|log1p|log2|pow|sqrt|fma|fmin|fmax|fabs|round|rint|nearbyint|floor|ldexp|scalbn|mem\w+)[fl]?(@plt)?"
ARITHMETIC = r"v?(add|sub|mul|div|sqrt|min|max|fn?m(add|sub)(132|213|231))"
PACKED_INTEGER = r"vp(mul\w+|add[dq]|sub[dq]|xor\w*|ternlog\w)"


def functions(code):
    """{name: [(address, instruction, operands, called)]} of objdump's output."""
    out, lines = {}, None
    for line in code.splitlines():
        if found := re.fullmatch(r"[0-9a-f]+ <(.*)>:", line):
            lines = out.setdefault(found[1], [])
        elif found := re.match(r" *([0-9a-f]+):\t(?:(?:bnd|lock|rep\w*|notrack) )*(\S+) *(.*)", line):
            lines.append([int(found[1], 16), found[2], found[3], ""])
        elif (found := re.search(r"R_X86_64_(?:PLT32|PC32|GOTPCRELX?)\t(.*?)(?:[-+]0x[0-9a-f]+)?$", line)) and lines:
            lines[-1][3] = found[1]
    return out


def innermost_loops(lines):
    """The instructions of the loops that hold no other loop: from a jump's target back to the jump."""
    spans = []
    for address, name, operands, _ in lines:
        if name.startswith("j") and (found := re.match(r"([0-9a-f]+) <", operands)):
            target = int(found[1], 16)
            if lines[0][0] <= target <= address:
                spans.append((target, address))
    inner = [s for s in spans if not any(o != s and s[0] <= o[0] and o[1] <= s[1] for o in spans)]
    return [line for line in lines if any(first <= line[0] <= last for first, last in inner)]


def faults(lines, integer, register):
    """What is wrong with one hot function."""
    loops = innermost_loops(lines)
    out = []
    called = sorted({c for *_, c in lines if re.fullmatch(C_LIBRARY, c) and not c.startswith("mem")})
    if called:
        out.append("calls " + ", ".join(called))
    if integer:
        packed = sum(bool(re.match(PACKED_INTEGER, name)) and register in operands for _, name, operands, _ in lines)
        return out if packed >= 8 else [*out, f"has only {packed} packed integer instructions on {register} registers"]
    wide = sum(bool(re.fullmatch(ARITHMETIC + "p[sd]", name)) and register in operands for _, name, operands, _ in loops)
    other = sum(bool(re.fullmatch(ARITHMETIC + "[ps][sd]", name)) for _, name, *_ in loops) - wide
    if other > wide:
        out.append(f"has {wide} operations on {register} registers and {other} scalar or narrow ones in its inner loops")
    return out


def look(source, compiler, wanted_floating, wanted_integer, register):
    """({what: functions found}, errors)"""
    with tempfile.TemporaryDirectory() as folder:
        object_file = str(pathlib.Path(folder, "object.o"))
        if subprocess.run([*compiler, "-c", source, "-o", object_file], check=False).returncode != 0:
            return {}, [f"error: {source} does not compile"]
        code = subprocess.run(["objdump", "-dr", "-C", "--no-show-raw-insn", object_file], capture_output=True, text=True, check=True)
    found, errors = {}, []
    for name, lines in functions(code.stdout).items():
        for wanted, integer in ((wanted_floating, False), (wanted_integer, True)):
            for what, pattern in wanted.items():
                if re.search(pattern, name) and ".cold" not in name:
                    found[what] = found.get(what, 0) + 1
                    errors += [f"error: {what}: {fault}: {name}" for fault in faults(lines, integer, register)]
    return found, errors


def check(sources, compiler, floating, integer):
    register = "%zmm" if "-march=x86-64-v4" in compiler else "%ymm" if "-march=x86-64-v3" in compiler else "%xmm"
    found, errors = {}, []
    with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
        for some, wrong in pool.map(lambda s: look(s, compiler, floating, integer, register), sources):
            errors += wrong
            for what, number in some.items():
                found[what] = found.get(what, 0) + number
    errors += [f"error: {what}: no function of this name" for what in {**floating, **integer} if what not in found]
    return found, errors


PLANTED = """
#include <cmath>
typedef float pack __attribute__((vector_size(BYTES)));
#define HOT [[gnu::noinline]]
HOT void sound(pack* a, int n) { for (int i = 0; i < n; ++i) a[i] = (a[i] * a[i] + a[i]) * (a[i] - a[i] * a[n]) * a[n] + a[n]; }
HOT void calls_exp(pack* a, float* b, int n) { sound(a, n); for (int i = 0; i < n; ++i) b[i] = std::exp(b[i]); }
HOT void one_at_a_time(float* a, int n) { for (int i = 8; i < n; ++i) a[i] = (a[i - 1] * a[i] + a[i]) * (a[i] - a[i - 2]); }
typedef float narrow __attribute__((vector_size(16)));
HOT void too_narrow(narrow* a, int n) { for (int i = 0; i < n; ++i) a[i] = (a[i] * a[i] + a[i]) * (a[i] - a[i] * a[n]) * a[n] + a[n]; }
HOT void no_integers(unsigned* a, int n) { for (int i = 8; i < n; ++i) a[i] = a[i - 1] * a[i] + a[i - 2]; }
"""


def self_test(compiler):
    size = 64 if "-march=x86-64-v4" in compiler else 32
    with tempfile.TemporaryDirectory() as folder:
        source = pathlib.Path(folder, "planted.cpp")
        source.write_text(PLANTED)
        for name, integer, said in [("sound", False, ""), ("calls_exp", False, "calls expf"), ("one_at_a_time", False, "scalar or narrow"),
                                    ("too_narrow", False, "has 0 operations"), ("no_integers", True, "packed integer"),
                                    ("not_there", False, "no function of this name")]:
            wanted = {name: rf"^{name}\("}
            command = [*compiler, f"-DBYTES={size}", "-mprefer-vector-width=512"]
            _, errors = check([str(source)], command, {} if integer else wanted, wanted if integer else {})
            if bool(errors) != bool(said) or said not in " ".join(errors):
                sys.exit(f"planted {name}: expected \"{said}\", got {errors}")
    print("every planted fault is found")


def main():
    split = sys.argv.index("--")
    sources, compiler = sys.argv[1:split], sys.argv[split + 1:]
    if sources == ["--self-test"]:
        self_test(compiler)
        return 0
    found, errors = check(sources, compiler, FLOATING, INTEGER)
    print("\n".join(errors))
    print("; ".join(f"{what}: {number} functions" for what, number in sorted(found.items())))
    return 1 if errors else 0


if __name__ == "__main__":
    sys.exit(main())
