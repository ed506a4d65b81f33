#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Code that must not compile, and what the compiler must then say.

    check.py [--self-test] CASE... -- COMPILER FLAGS...

Each case is a program that compiles as it stands, and with -DMMD_FAILS does not; every `// EXPECT: regex` line of it must then match
the compiler's messages. That it compiles without MMD_FAILS shows that the failure is the intended one.
"""
import concurrent.futures
import os
import pathlib
import re
import subprocess
import sys
import tempfile


def compiled(command, case, *flags):
    done = subprocess.run([*command, *flags, "-fsyntax-only", str(case)], capture_output=True, text=True, check=False)
    return done.returncode == 0, done.stderr


def fault(command, case):
    """What is wrong with a case, or None."""
    expected = re.findall(r"^// EXPECT: (.+)$", case.read_text(encoding="utf-8"), re.MULTILINE)
    if not expected:
        return "no // EXPECT: line"
    good, said = compiled(command, case)
    if not good:
        return f"does not compile even without MMD_FAILS:\n{said}"
    good, said = compiled(command, case, "-DMMD_FAILS")
    if good:
        return "compiles, but must not"
    missing = [each for each in expected if not re.search(each, said)]
    return f"the messages do not match {missing}:\n{said}" if missing else None


def check(command, cases):
    with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
        return {case: found for case, found in zip(cases, pool.map(lambda case: fault(command, case), cases)) if found}


def self_test(command):
    planted = {
        "good": ("// EXPECT: missing_name\nint main() {\n#ifdef MMD_FAILS\n  missing_name();\n#endif\n}\n", None),
        "compiles": ("// EXPECT: anything\nint main() {}\n", "compiles, but must not"),
        "other_message": ("// EXPECT: two words\nint main() {\n#ifdef MMD_FAILS\n  missing_name();\n#endif\n}\n", "do not match"),
        "never_compiles": ("// EXPECT: missing_name\nint main() { missing_name(); }\n", "even without MMD_FAILS"),
        "expects_nothing": ("int main() {}\n", "no // EXPECT"),
    }
    failed = False
    with tempfile.TemporaryDirectory() as folder:
        for name, (text, expected) in planted.items():
            case = pathlib.Path(folder) / f"{name}.cpp"
            case.write_text(text, encoding="utf-8")
            found = fault(command, case)
            if found if expected is None else not found or expected not in found:
                print(f"planted {name}: expected {expected!r}, got {found!r}")
                failed = True
    return failed


def main():
    split = sys.argv.index("--")
    arguments, command = sys.argv[1:split], sys.argv[split + 1 :]
    if arguments == ["--self-test"]:
        return 1 if self_test(command) else 0
    cases = [pathlib.Path(each) for each in arguments]
    faults = check(command, cases)
    for case, found in faults.items():
        print(f"{case.name}: {found}")
    print(f"{len(cases) - len(faults)} of {len(cases)} cases fail to compile with the message they should ({command[0]})")
    return 1 if faults or not cases else 0


if __name__ == "__main__":
    sys.exit(main())
