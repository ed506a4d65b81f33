#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Puts the figures of the benchmarks together and makes docs/performance.md of them.

    report.py collect FOLDER SUMMARY   one compact file from Google Benchmark's reports in FOLDER
    report.py publish SUMMARY          keeps it as bench/results/<machine>.json, then as `write`; one of a device, with what lies beside it,
                                       as bench/results/device-<device>.json
    report.py large LINES              keeps what large_sample printed, one line a run, as bench/results/large-<machine>.json
    report.py write                    docs/performance.md and docs/performance/*.svg from bench/results/ (the newest machine's)
    report.py check                    exits 1 unless both are what `write` would make of the results
    report.py aims SUMMARY             prints what a device's summary comes to against its aims; exits 1 where one is not met
    report.py --self-test              makes a page of made-up results and checks that a changed figure is noticed

Beside <machine>.json lie, where they were measured, peers-<machine>.json and large-<machine>.json. A device's summary takes in peers.json and
checks.json of its folder (bench/compare/device.py, scripts/bench-gpu).
"""
import json
import pathlib
import sys
import tempfile

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE))
sys.dont_write_bytecode = True
from reporting import device, figures, page, results as kept  # noqa: E402

TEMPLATE = HERE / "reporting" / "performance.md.in"


def load(path):
    return json.loads(path.read_text(encoding="utf-8"))


def newest(folder):
    """The summary of the machine that was measured last."""
    summaries = [load(path) for path in sorted(folder.glob("*.json")) if not path.name.startswith(("peers-", "large-", "device-"))]
    if not summaries:
        raise SystemExit(f"no results in {folder}: run scripts/bench --publish")
    return max(summaries, key=lambda s: s["date"])


def device_section(folder):
    """Of the device that was measured last."""
    summaries = [load(path) for path in sorted(folder.glob("device-*.json"))]
    if not summaries:
        return device.section(None, [], [])
    summary = max(summaries, key=lambda s: s["date"])
    return device.section(kept.Results(summary), summary.get("peers", []), summary.get("checks", []))


def with_neighbours(path):
    """A device's summary with the peers and the checks that lie beside it."""
    summary = load(path)
    beside = {kind: path.with_name(f"{kind}.json") for kind in ("peers", "checks")}
    cases = summary.pop("cases")
    return summary | {kind: load(file) for kind, file in beside.items() if file.exists()} | {"cases": cases}


def made(folder):
    """The page and the figures that the results come to."""
    summary = newest(folder)
    beside = {kind: folder / f"{kind}-{summary['machine']['name']}.json" for kind in ("peers", "large")}
    found = {kind: load(path) if path.exists() else [] for kind, path in beside.items()}
    peers, about = found["peers"], ""
    if isinstance(peers, dict):
        about = f"{peers.get('date', '')[:10]}: {peers['about']}" if peers.get("about") else peers.get("date", "")[:10]
        peers = peers["results"]
    summary["large"] = found["large"]
    r = kept.Results(summary)
    drawn = figures.figures(r)
    return page.page(TEMPLATE.read_text(encoding="utf-8"), r, peers, about, drawn, device_section(folder)), drawn


def write(folder, docs):
    text, drawn = made(folder)
    svgs = docs / "performance"
    svgs.mkdir(parents=True, exist_ok=True)
    for old in svgs.glob("*.svg"):
        if old.stem not in {f.name for f in drawn}:
            old.unlink()
    for figure in drawn:
        figure.draw(svgs)
    (docs / "performance.md").write_text(text, encoding="utf-8")


def faults(folder, docs):
    text, drawn = made(folder)
    svgs = docs / "performance"
    found = []
    there = docs / "performance.md"
    if not there.exists() or there.read_text(encoding="utf-8") != text:
        found.append("docs/performance.md is not what the results come to")
    found += [f"docs/performance/{f.name}.svg is not what the results come to" for f in drawn if not f.is_drawn_in(svgs)]
    names = {f.name for f in drawn}
    return found + [f"docs/performance/{path.name} belongs to no figure" for path in sorted(svgs.glob("*.svg")) if path.stem not in names]


def made_up_device():
    context = {"device": "made-up device", "device_multiprocessors": "2", "device_capability": "9.0", "device_memory": str(2**36),
               "device_l2": str(2**25), "cuda_runtime": "13000", "cuda_driver": "13000"}
    cases = {"aims/half_product/tf32/N:100000/d:768": {"s": 1, "own/half_product": 1.2}, "aims/exponentials/accurate/N:100000/d:16": {"s": 1, "of_exp": 0.5},
             "training_step/float/d:768/batch:200": {"s": 1e-3}, "limits/exp/float": {"s": 1, "values/s": 1e12},
             "kernel_sums/gaussian/float/tf32/fused/N:100000/d:768": {"s": 1}, "kernel_sums/gaussian/float/tf32/fused/N:32768/d:96": {"s": 1}}
    return {"device": kept.device(context), "date": "2000-01-01", "quick": False,
            "peers": [{"case": "training_step/float/d:768/batch:200", "peer": "torch", "version": "1", "median_s": 3e-3, "status": "ok"}],
            "checks": [{"what": "racecheck", "status": "passed"}], "cases": cases}


def self_test():
    cases = {f"kernel_sums/gaussian/float/N:{n}/d:{d}": {"s": n * n * d * 1e-11, "pairs/s": 1e11 / d, "FLOP/s": 2e11, "of_limit": 0.9}
             for n in (4096, 10000) for d in (16, 64)}
    summary = {"machine": {"name": "made-up", "cpu": "none", "cpus": 2, "memory_gib": 1, "virtual": False}, "date": "2000-01-01",
               "compiler": "none", "isa": "none", "threads": 2, "quick": False, "caches": {}, "load_at_start": 0, "cases": cases}
    peer = {"case": "sums", "peer": "slow", "version": "1", "median_s": 2, "min_s": 2, "runs": 3, "threads": 2, "status": "ok", "note": ""}
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        kept.write(summary, folder / "made-up.json")
        entries = [peer | {"peer": "mmd", "median_s": 1}, peer, peer | {"peer": "quick", "median_s": 0.5}, peer | {"peer": "big", "status": "memory"}]
        (folder / "peers-made-up.json").write_text(json.dumps(entries), encoding="utf-8")
        write(folder, folder / "docs")
        text = (folder / "docs" / "performance.md").read_text(encoding="utf-8")
        for wanted in ("| **2.00** |", "quick 1 takes 50 % of this library's time", "out of memory", "speed_over_n.svg"):
            if wanted not in text:
                raise SystemExit(f"the page lacks {wanted!r}")
        if device.NOT_MEASURED not in text:
            raise SystemExit("the page does not say that no device was measured")
        kept.write(made_up_device(), folder / "device-none.json")
        write(folder, folder / "docs")
        text = (folder / "docs" / "performance.md").read_text(encoding="utf-8")
        for wanted in ("| 1.20 × | met |", "| 50 % | **not met** |", "| **3.00** |", "made-up device: 2 multiprocessors", "| racecheck | passed |"):
            if wanted not in text:
                raise SystemExit(f"the device's section lacks {wanted!r}")
        sound = faults(folder, folder / "docs")
        cases["kernel_sums/gaussian/float/N:4096/d:16"]["pairs/s"] *= 2
        cases["kernel_sums/gaussian/float/N:10000/d:16"]["s"] *= 2
        kept.write(summary, folder / "made-up.json")
        found = faults(folder, folder / "docs")
    if sound or len(found) != 2:
        raise SystemExit(f"expected no fault and then two, got {sound} and {found}")


def main():
    arguments = sys.argv[1:]
    folder, docs = HERE / "results", HERE.parent / "docs"
    if arguments == ["--self-test"]:
        self_test()
    elif arguments[:1] == ["collect"] and len(arguments) == 3:
        made_here = {"summary.json", "peers.json", "checks.json"}
        reports = [path for path in sorted(pathlib.Path(arguments[1]).glob("*.json")) if path.name not in made_here]
        kept.write(kept.collect(reports), pathlib.Path(arguments[2]))
    elif arguments[:1] == ["publish"] and len(arguments) == 2:
        summary = with_neighbours(pathlib.Path(arguments[1]))
        if summary.get("device", {}).get("tiny"):
            raise SystemExit("not published: a run with --tiny measures nothing")
        folder.mkdir(exist_ok=True)
        name = f"device-{summary['device']['name']}" if "device" in summary else summary["machine"]["name"]
        kept.write(summary, folder / f"{name}.json")
        write(folder, docs)
    elif arguments[:1] == ["aims"] and len(arguments) == 2:
        summary = with_neighbours(pathlib.Path(arguments[1]))
        held = device.aims(kept.Results(summary), summary.get("peers", []))
        for what, wanted, found, met in held:
            print(f"{'met    ' if met else 'NOT MET'}  {what}: {found}, wanted {wanted}")
        return 0 if held and all(met for *_, met in held) else 1
    elif arguments[:1] == ["large"] and len(arguments) == 2:
        runs = [json.loads(line) for line in pathlib.Path(arguments[1]).read_text(encoding="utf-8").splitlines()]
        text = ",\n ".join(json.dumps(run) for run in runs)
        (folder / f"large-{kept.machine()['name']}.json").write_text(f"[{text}]\n", encoding="utf-8")
        write(folder, docs)
    elif arguments == ["write"]:
        write(folder, docs)
    elif arguments == ["check"]:
        found = faults(folder, docs)
        print("\n".join(found))
        return 1 if found else 0
    else:
        print(__doc__)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
