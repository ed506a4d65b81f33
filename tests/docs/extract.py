#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""The programs in the documentation: every ```cpp block of a Markdown file that holds a main().

    extract.py ROOT TARGET              writes each as a file under TARGET, unless it stands there already, and prints the files' names: .cu where
                                        it includes a .cuh
    extract.py --same README PROGRAM    checks that the first such block of README is PROGRAM, its licence line aside
"""
import pathlib
import re
import sys

BLOCK = re.compile(r"^```cpp\n(.*?)^```$", re.MULTILINE | re.DOTALL)


def programs(page):
    text = page.read_text(encoding="utf-8")
    return [block for block in BLOCK.findall(text) if re.search(r"\bint main\(", block)]


def extract(root, target):
    target.mkdir(parents=True, exist_ok=True)
    for page in [*sorted(root.glob("*.md")), *sorted((root / "docs").rglob("*.md"))]:
        name = "_".join(page.relative_to(root).with_suffix("").parts)
        for number, program in enumerate(programs(page), 1):
            ending = "cu" if re.search(r'#include [<"][^>"]*\.cuh[>"]', program) else "cpp"
            file = target / f"{name}_{number}.{ending}"
            if not file.exists() or file.read_text(encoding="utf-8") != program:
                file.write_text(program, encoding="utf-8")
            print(file.as_posix())


def same(readme, program):
    shown = programs(readme)[0]
    lines = program.read_text(encoding="utf-8").splitlines(keepends=True)
    kept = "".join(line for line in lines if "SPDX-License-Identifier" not in line)
    if shown != kept:
        print(f"the first program of {readme.name} differs from {program.name}:\n{shown}\n--- {program.name}\n{kept}")
    return shown == kept


def main():
    if sys.argv[1] == "--same":
        return 0 if same(pathlib.Path(sys.argv[2]), pathlib.Path(sys.argv[3])) else 1
    extract(pathlib.Path(sys.argv[1]), pathlib.Path(sys.argv[2]))
    return 0


if __name__ == "__main__":
    sys.exit(main())
