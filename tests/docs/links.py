#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Checks that what the Markdown files link to is there, and that docs/README.md names every page of docs/.

    links.py ROOT         prints one line a fault, exits 1 if there is one
    links.py --self-test  plants faults and checks that they are found
"""
import pathlib
import re
import sys
import tempfile

LINK = re.compile(r"\[[^\]]*\]\(([^)\s]+)\)")


def targets(page):
    """The files that a page links to."""
    text = re.sub(r"^```.*?^```$", "", page.read_text(encoding="utf-8"), flags=re.MULTILINE | re.DOTALL)
    links = [link.split("#")[0] for link in LINK.findall(text) if not re.match(r"[a-z]+:", link)]
    return {link: (page.parent / link).resolve() for link in links if link}


def check(root):
    pages = [*sorted(root.glob("*.md")), *sorted((root / "docs").rglob("*.md")), *sorted((root / "examples").rglob("*.md"))]
    faults = [f"{page.relative_to(root)}: links to {link}, which is not there"
              for page in pages for link, target in targets(page).items() if not target.exists()]
    index = root / "docs" / "README.md"
    named = set(targets(index).values())
    faults += [f"docs/README.md: does not name {page.name}" for page in sorted((root / "docs").glob("*.md"))
               if page != index and page.resolve() not in named]
    return faults


def self_test():
    with tempfile.TemporaryDirectory() as folder:
        root = pathlib.Path(folder)
        (root / "docs").mkdir()
        (root / "docs" / "page.md").write_text("[up](../README.md)\n")
        (root / "docs" / "README.md").write_text("[a](page.md#there) [web](https://example.org)\n```cpp\n[](auto x) {}(1);\n```\n")
        (root / "README.md").write_text("[docs](docs/README.md)\n")
        sound = check(root)
        (root / "README.md").write_text("[docs](docs/gone.md)\n")
        (root / "docs" / "forgotten.md").write_text("\n")
        found = check(root)
    expected = ["README.md: links to docs/gone.md, which is not there", "docs/README.md: does not name forgotten.md"]
    if sound or found != expected:
        print(f"expected no fault and then {expected}, got {sound} and {found}")
    return not sound and found == expected


def main():
    if sys.argv[1:] == ["--self-test"]:
        return 0 if self_test() else 1
    faults = check(pathlib.Path(sys.argv[1]).resolve())
    print("\n".join(faults))
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main())
