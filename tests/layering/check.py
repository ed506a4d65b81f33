#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Checks the shape of the source tree: which floor may include which, what the oracles and mmd.hpp include, and the form of each file.

    check.py [ROOT]        checks the tree, prints one line a fault, exits 1 if there is one
    check.py --self-test   plants each kind of fault in a small tree and checks that it is found
"""
import pathlib
import re
import sys
import tempfile

# Each floor and the floors it may include besides itself: the ones below it. Hardware (backends) is chosen by the caller: the floors
# that hold statistics know only the concept in engine/.
FLOORS = {
    "core": set(),
    "kernels": {"core"},
    "engine": {"core", "kernels"},
    "backends": {"core", "kernels", "engine"},
    "estimators": {"core", "kernels", "engine"},
    "inference": {"core", "kernels", "engine", "estimators"},
    "learning": {"core", "kernels", "engine", "estimators", "inference"},
    "detection": {"core", "kernels", "engine", "estimators", "inference", "learning"},
    "io": {"core"},
    "text": {"core"},
    "models": {"core", "kernels", "engine", "estimators", "inference", "learning", "detection", "io", "text"},
}
EIGEN_FLOORS = {"backends"}
EIGEN_HEADER = "mmd/core/eigen.hpp"  # hands results back to users of Eigen; mmd.hpp alone brings it in
JSON_FLOORS = {"io", "models"}
CUDA_HEADER = re.compile(r"(cuda|cublas|cusolver|curand|mma|cooperative_groups|cub/|thrust/|nv/|device_|library_types)[\w/]*\.?\w*$")
CUDA_UMBRELLA = "mmd/cuda.cuh"
SOURCES = {".hpp", ".cpp", ".cuh", ".cu", ".py", ".cmake", ".sh"}
FOLDERS = ["include", "examples", "bench", "tests", "cmake", "scripts", ".ci", "docs/templates"]
MAX_LINES = 400
INCLUDE = re.compile(r'^\s*#\s*include\s*(["<])([^">]+)[">]', re.MULTILINE)


def includes(text):
    """The (is_quoted, path) of each #include."""
    return [(mark == '"', path) for mark, path in INCLUDE.findall(text)]


def check_header(path, text, faults):
    """A header of the library: `path` is relative to include/."""
    parts = path.parts
    floor = parts[1] if len(parts) > 2 else None
    if floor is not None and floor not in FLOORS:
        faults.append(f"include/{path}: the floor {floor!r} is not in the table of tests/layering/check.py")
        return
    if "#pragma once" not in text:
        faults.append(f"include/{path}: no #pragma once")
    for macro in re.findall(r"^\s*#\s*define\s+(\w+)", text, re.MULTILINE):
        if not macro.startswith("MMD_"):
            faults.append(f"include/{path}: the macro {macro} does not start with MMD_")
    if re.search(r"^(inline namespace MMD_ISA|MMD_BEGIN_ISA)[^}]*?^namespace detail", text, re.MULTILINE):
        faults.append(f"include/{path}: detail inside the ISA's namespace hides mmd::detail; write detail {{ inline namespace MMD_ISA {{")
    for quoted, target in includes(text):
        if target.startswith("mmd/") != quoted:
            faults.append(f'include/{path}: includes {target}: write "mmd/..." for own headers and <...> for all others')
        if quoted and floor is not None:
            below = target.split("/")
            below = below[1] if len(below) > 2 else target
            if below != floor and below not in FLOORS[floor] and target != "mmd/version.hpp":
                faults.append(f"include/{path}: floor {floor} includes {target}, but may include only {sorted(FLOORS[floor])}")
        eigen = target.startswith(("Eigen/", "unsupported/Eigen")) or target == EIGEN_HEADER and floor is not None
        if eigen and floor not in EIGEN_FLOORS and path.as_posix() != EIGEN_HEADER:
            faults.append(f"include/{path}: includes {target}, but Eigen is for {sorted(EIGEN_FLOORS)} only")
        if target.startswith("nlohmann/") and floor not in JSON_FLOORS:
            faults.append(f"include/{path}: includes {target}, but JSON is for {sorted(JSON_FLOORS)} only")
        if not quoted and CUDA_HEADER.match(target) and not (path.suffix == ".cuh" and path.as_posix().startswith("mmd/backends/cuda")):
            faults.append(f"include/{path}: includes {target}, but CUDA's headers are for mmd/backends/cuda*.cuh only")
        if path.suffix == ".hpp" and target.endswith(".cuh"):
            faults.append(f"include/{path}: a .hpp includes {target}, which only device code can be compiled with")
        if re.match(r"(CLI/|catch2/|benchmark/|gtest/)", target):
            faults.append(f"include/{path}: includes {target}, which the library does not depend on")


def reached(start, headers):
    """The headers that `start` brings in, itself among them."""
    seen, todo = set(), [start]
    while todo:
        name = todo.pop()
        if name not in seen:
            seen.add(name)
            todo += [target for _, target in includes(headers[name]) if target in headers]
    return seen


def check_device(headers, faults):
    """No .cuh brings in Eigen or the CPU backend, by whatever way; cuda.cuh brings in every .cuh."""
    for name in sorted(headers):
        if not name.endswith(".cuh"):
            continue
        for each in sorted(reached(name, headers)):
            if each.startswith("mmd/backends/cpu"):
                faults.append(f"include/{name}: brings in {each}, but device code knows nothing of the CPU backend")
            if any(target.startswith(("Eigen/", "unsupported/Eigen")) for _, target in includes(headers[each])):
                faults.append(f"include/{name}: brings in Eigen by {each}")
    if CUDA_UMBRELLA in headers:
        have = reached(CUDA_UMBRELLA, headers)
        faults += [f"include/{CUDA_UMBRELLA}: does not bring in {name}" for name in sorted(headers) if name.endswith(".cuh") and name not in have]


def check_umbrella(headers, faults):
    """mmd.hpp brings in every header but models/ and what needs JSON, and nothing more."""
    umbrella = "mmd/mmd.hpp"
    if umbrella not in headers:
        return

    def needs_json(name):
        return any(target.startswith("nlohmann/") for each in reached(name, headers) for _, target in includes(headers[each]))

    have = reached(umbrella, headers)
    want = {name for name in headers if name.endswith(".hpp") and not name.startswith("mmd/models/") and not needs_json(name)}
    faults += [f"include/{umbrella}: does not bring in {name}" for name in sorted(want - have)]
    faults += [f"include/{umbrella}: brings in {name}, which is not for it" for name in sorted(have - want)]


def check_oracle(path, text, faults):
    for quoted, target in includes(text):
        own = quoted and target.startswith("oracle/") and ".." not in target
        standard = not quoted and re.fullmatch(r"[a-z_]+(\.h)?", target)
        if not own and not standard:
            faults.append(f"{path}: an oracle includes {target}; it may include only the standard library and other oracles")


def check_form(path, text, faults, warnings):
    lines = text.splitlines()
    if not any("SPDX-License-Identifier: MIT" in line for line in lines[:3]):
        faults.append(f"{path}: no SPDX line on top")
    if len(lines) >= MAX_LINES:
        warnings.append(f"{path}: {len(lines)} lines; {MAX_LINES} is where a file should be split")


def check(root):
    """The faults and warnings of the tree at `root`."""
    faults, warnings, headers = [], [], {}
    for folder in FOLDERS:
        for path in sorted((root / folder).rglob("*")):
            script = path.suffix == "" and folder in ("scripts", ".ci")
            if not path.is_file() or not (path.suffix in SOURCES or path.name == "CMakeLists.txt" or script):
                continue
            text = path.read_text(encoding="utf-8")
            name = path.relative_to(root)
            check_form(name, text, faults, warnings)
            if folder == "include" and path.suffix in (".hpp", ".cuh"):
                header = path.relative_to(root / "include")
                headers[header.as_posix()] = text
                check_header(header, text, faults)
            if name.parts[:2] == ("tests", "oracle"):
                check_oracle(name, text, faults)
    check_umbrella(headers, faults)
    check_device(headers, faults)
    return faults, warnings


def self_test():
    spdx = "// SPDX-License-Identifier: MIT\n"
    good = {
        "include/mmd/mmd.hpp": spdx + '#pragma once\n#include "mmd/kernels/b.hpp"\n#include "mmd/io/npy.hpp"\n#include "mmd/backends/cpu.hpp"\n',
        "include/mmd/backends/cpu.hpp": spdx + "#pragma once\n#include <Eigen/Core>\n",
        "include/mmd/core/a.hpp": spdx + "#pragma once\n#include <vector>\n#define MMD_A 1\n",
        "include/mmd/kernels/b.hpp": spdx + '#pragma once\n#include "mmd/core/a.hpp"\n',
        "include/mmd/io/npy.hpp": spdx + '#pragma once\n#include "mmd/core/a.hpp"\n',
        "include/mmd/io/json.hpp": spdx + '#pragma once\n#include <nlohmann/json.hpp>\n#include "mmd/core/a.hpp"\n',
        "include/mmd/models/m.hpp": spdx + '#pragma once\n#include "mmd/io/json.hpp"\n',
        "include/mmd/cuda.cuh": spdx + '#pragma once\n#include "mmd/backends/cuda/a.cuh"\n',
        "include/mmd/backends/cuda/a.cuh": spdx + '#pragma once\n#include <cuda_runtime.h>\n#include "mmd/kernels/b.hpp"\n',
        "tests/oracle/naive.hpp": spdx + '#include <cmath>\n#include "oracle/other.hpp"\n',
        "tests/oracle/other.hpp": spdx,
        "scripts/test": "#!/usr/bin/env bash\n# SPDX-License-Identifier: MIT\n",
    }
    umbrella = good["include/mmd/mmd.hpp"]
    plants = {
        "an upward include": ("include/mmd/core/a.hpp", spdx + '#pragma once\n#include "mmd/kernels/b.hpp"\n', "floor core includes"),
        "io that knows kernels": ("include/mmd/io/npy.hpp", spdx + '#pragma once\n#include "mmd/kernels/b.hpp"\n', "floor io includes"),
        "hardware in a statistic": ("include/mmd/estimators/e.hpp", spdx + '#pragma once\n#include "mmd/backends/cpu.hpp"\n', "floor estimators"),
        "Eigen in a kernel": ("include/mmd/kernels/b.hpp", spdx + "#pragma once\n#include <Eigen/Core>\n", "Eigen is for"),
        "Eigen by way of core": ("include/mmd/kernels/b.hpp", spdx + '#pragma once\n#include "mmd/core/eigen.hpp"\n', "Eigen is for"),
        "JSON in core": ("include/mmd/core/a.hpp", spdx + "#pragma once\n#include <nlohmann/json.hpp>\n", "JSON is for"),
        "an unknown floor": ("include/mmd/attic/x.hpp", spdx + "#pragma once\n", "'attic' is not in the table"),
        "a leaking macro": ("include/mmd/core/a.hpp", spdx + "#pragma once\n#define MAX 1\n", "macro MAX"),
        "a second detail": ("include/mmd/core/a.hpp", spdx + "#pragma once\ninline namespace MMD_ISA {\nnamespace detail {}\n}\n", "hides mmd::detail"),
        "no include guard": ("include/mmd/core/a.hpp", spdx, "no #pragma once"),
        "own header in <>": ("include/mmd/kernels/b.hpp", spdx + "#pragma once\n#include <mmd/core/a.hpp>\n", "for own headers"),
        "a header left out of mmd.hpp": ("include/mmd/core/c.hpp", spdx + "#pragma once\n", "does not bring in mmd/core/c.hpp"),
        "models in mmd.hpp": ("include/mmd/mmd.hpp", umbrella + '#include "mmd/models/m.hpp"\n', "brings in mmd/models/m.hpp"),
        "CUDA in a kernel": ("include/mmd/kernels/b.hpp", spdx + "#pragma once\n#include <cuda_runtime.h>\n", "CUDA's headers are for"),
        "CUDA in cuda.cuh": ("include/mmd/cuda.cuh", spdx + '#pragma once\n#include "mmd/backends/cuda/a.cuh"\n#include <cublas_v2.h>\n', "CUDA's headers"),
        "device code in a .hpp": ("include/mmd/engine/e.hpp", spdx + '#pragma once\n#include "mmd/cuda.cuh"\n', "a .hpp includes mmd/cuda.cuh"),
        "Eigen in device code": ("include/mmd/backends/cuda/a.cuh", spdx + "#pragma once\n#include <Eigen/Core>\n", "brings in Eigen"),
        "the CPU in device code": ("include/mmd/backends/cuda/a.cuh", spdx + '#pragma once\n#include "mmd/mmd.hpp"\n', "brings in mmd/backends/cpu.hpp"),
        "a .cuh left out of cuda.cuh": ("include/mmd/backends/cuda/x.cuh", spdx + "#pragma once\n", "does not bring in mmd/backends/cuda/x.cuh"),
        "an oracle that reads the library": ("tests/oracle/naive.hpp", spdx + '#include "mmd/core/a.hpp"\n', "an oracle includes"),
        "an oracle that climbs out": ("tests/oracle/naive.hpp", spdx + '#include "oracle/../../include/mmd/core/a.hpp"\n', "an oracle includes"),
        "no licence line": ("scripts/test", "#!/usr/bin/env bash\n", "no SPDX line"),
    }
    failed = 0
    for name, (path, text, expected) in {"nothing": ("scripts/test", good["scripts/test"], None), **plants}.items():
        with tempfile.TemporaryDirectory() as folder:
            root = pathlib.Path(folder)
            for each, content in {**good, path: text}.items():
                (root / each).parent.mkdir(parents=True, exist_ok=True)
                (root / each).write_text(content, encoding="utf-8")
            faults, _ = check(root)
        if faults if expected is None else not any(expected in fault for fault in faults):
            failed += 1
            print(f"planted {name}: expected {expected!r}, got {faults}")
    return failed


def main():
    if sys.argv[1:] == ["--self-test"]:
        return 1 if self_test() else 0
    root = pathlib.Path(sys.argv[1] if len(sys.argv) > 1 else ".").resolve()
    faults, warnings = check(root)
    for line in warnings:
        print("warning:", line)
    for line in faults:
        print("error:", line)
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main())
