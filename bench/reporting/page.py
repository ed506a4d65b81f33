# SPDX-License-Identifier: MIT
"""docs/performance.md from the results: tables here, prose from bench/reporting/performance.md.in."""
import math
import re

from reporting import figures as drawing

PROTOTYPE_PEAK = 236e9  # FLOP/s of the machine on which the aim in seconds was set


def number(value, digits=3):
    """Three digits that mean something, with thousands set apart."""
    if value is None:
        return "–"
    if value == 0:
        return "0"
    places = digits - 1 - math.floor(math.log10(abs(value)))
    return f"{round(value, places):,.{max(places, 0)}f}"


def duration(value):
    if value is None:
        return "–"
    for factor, unit in ((1, "s"), (1e3, "ms"), (1e6, "µs")):
        if value * factor >= 0.9995:
            return f"{number(value * factor)} {unit}"
    return f"{number(value * 1e9)} ns"


def scaled(value, unit=""):
    """12.3 G and the like."""
    if value is None:
        return "–"
    for factor, prefix in ((1e12, "T"), (1e9, "G"), (1e6, "M"), (1e3, "k")):
        if value >= factor:
            return f"{number(value / factor)} {prefix}{unit}"
    return f"{number(value)} {unit}".strip()


def percent(value):
    return "–" if value is None else f"{100 * value:.0f} %"


def table(head, rows):
    """A Markdown table; nothing where there are no rows."""
    if not rows:
        return "(not in this run)"
    lines = ["| " + " | ".join(head) + " |", "|" + "---|" * len(head)]
    return "\n".join(lines + ["| " + " | ".join(row) + " |" for row in rows])


def exponent(points):
    """The slope of the least-squares line through the logarithms."""
    if len(points) < 2:
        return None
    logs = [(math.log(x), math.log(y)) for x, y in points]
    mean_x, mean_y = (sum(each) / len(logs) for each in zip(*logs))
    return sum((x - mean_x) * (y - mean_y) for x, y in logs) / sum((x - mean_x) ** 2 for x, _ in logs)


def machine(r):
    s = r.summary
    caches = ", ".join(f"{name} {size // 1024:,} KiB" for name, size in s["caches"].items())
    trial = "**A quick trial run, not for quoting.** " if s["quick"] else ""
    return (f"{trial}{s['date']}; {s['machine']['cpus']} cores of {s['machine']['cpu']}{', a virtual machine' if s['machine']['virtual'] else ''}, "
            f"{s['machine']['memory_gib']} GiB; {caches}. {s['compiler']}, -O3 -march=native, `mmd::isa` = {s['isa']}, {s['threads']} threads. "
            f"Load average when the run began: {s['load_at_start']}.")


def aims(r, peers):
    """(id, what, wanted, found as text, met) of each aim that was measured."""
    found = []

    def add(what, wanted, value, met, shown=percent):
        if value is not None:
            found.append((what, wanted, shown(value), met(value)))

    def times(value):
        return f"{value:.2f} ×"

    def share(at_least):
        return lambda value: value >= at_least

    for d, wanted in ((768, 0.85), (384, 0.85), (64, 0.75)):
        add(f"Gaussian sums, d = {d}: of the multiply-add peak", f"≥ {wanted:.0%}".replace("%", " %"),
            r.value("of_peak", "kernel_sums", "gaussian", "float", N=10000, d=d), share(wanted))
    add("Gaussian sums, d = 16: of the limit, multiply-adds and then exp", "≥ 85 %", r.value("of_limit", "kernel_sums", "gaussian", "float", N=10000, d=16),
        share(0.85))
    for d in (384, 768):
        add(f"d = {d}: half of the fastest BLAS's full product / these sums", "≥ 1 ×",
            r.value("half_product/own", "aims", "half_product", d=d), share(1), times)
    for d in (64, 384):
        add(f"five Gaussians / one, d = {d}", "≤ 1.3 ×", r.value("own/one", "aims", "five_gaussians", d=d), lambda v: v <= 1.3, times)
    for d in (384, 768):
        add(f"deep kernel / its two products, d = {d} and 128", "≤ 1.1 ×", r.value("own/two", "aims", "deep_kernel", d=d),
            lambda v: v <= 1.1, times)
    add("binned test / its kernel sums, N = 10,000, d = 768, B = 999", "≤ 1.05 ×", r.value("own/sums", "aims", "binned_test"),
        lambda v: v <= 1.05, times)
    peak = r.value("FLOP/s", "limits", "multiply_add", "float")
    if peak:
        most = 0.5 * PROTOTYPE_PEAK / peak
        add("full test, N = 10,000, d = 64, B = 999", f"≤ {duration(most)} (.5 s at 236 GFLOP/s)", r.value("s", "aims", "full_test", N=10000),
            lambda v: v <= most, duration)
    add("tests of 10 rows against 500, B = 999, a second", "≥ 20,000", r.value("tests/s", "aims", "document_tests"), share(20000), number)
    time, memory = ([(c.sizes["N"], c[key]) for c in r.find("scaling") if c.sizes["N"] >= 10000 and c.get(key)] for key in ("s", "peak_bytes"))
    add("exponent of time over N, from 10,000 on", "2 ± .1", exponent(time), lambda v: abs(v - 2) <= 0.1, lambda v: f"{v:.2f}")
    add("exponent of memory over N, from 10,000 on", "1 ± .1", exponent(memory), lambda v: v <= 1.1, lambda v: f"{v:.2f}")
    whole, part = (next((c for c in r.summary["large"] if c["rows"] == n and c["storage"] == "f32"), None) for n in (10**6, 10**5))
    if whole and part:
        add("N = 1,000,000, d = 64: peak memory of the process", "< 2 GB", whole["peak_bytes"], lambda v: v < 2e9, lambda v: scaled(v, "B"))
        for what, key in (("MMD² and variance", "estimate"), ("binned test", "test")):
            add(f"the same, {what}: time / that at the rate of N = 100,000", "≤ 1.1 ×",
                part[f"{key}_pairs_per_second"] / whole[f"{key}_pairs_per_second"], lambda v: v <= 1.1, times)
    for what, wanted, shown_value, met in peer_aims(peers):
        found.append((what, wanted, shown_value, met))
    return found


def ratios(peers):
    """(case, peer's entry, own entry, peer / own) of each."""
    own = {e["case"]: e for e in peers if e["peer"] == "mmd"}
    for e in peers:
        if e["peer"] != "mmd":
            mine = own.get(e["case"])
            ok = e["status"] == "ok" and mine is not None and mine["status"] == "ok"
            yield e["case"], e, mine, e["median_s"] / mine["median_s"] if ok else None


def peer_aims(peers):
    groups = {}
    for _, e, _, ratio in ratios(peers):
        if e.get("aim") and ratio is not None:
            key = (e.get("group", e["case"]), float(e["aim"]))
            groups.setdefault(key, []).append((ratio, e["peer"], e["case"]))
    for (group, aim), found in groups.items():
        ratio, peer, case = min(found)
        detail = f"{number(ratio)} × ({peer}" + (f", {case})" if group != case else ")")
        yield f"faster than {group}", f"≥ {number(aim, 2)} ×", detail, ratio >= aim


def peers_tables(peers):
    rows, lost = [], []
    for case, e, mine, ratio in ratios(peers):
        taken = duration(e["median_s"]) if e["status"] == "ok" else {"memory": "out of memory", "time": "out of time"}.get(e["status"], "failed")
        name = f"{e['peer']} {e.get('version') or ''}".strip()
        note = e.get("note") or ""
        rows.append([case, name, taken, duration(mine["median_s"]) if mine and mine["status"] == "ok" else "–",
                     f"**{number(ratio)}**" if ratio else "–", str(e.get("threads", "–")), note])
        if ratio is not None and ratio < 1:
            lost.append(f"- {case}: {name} takes {percent(ratio)} of this library's time. {note}".rstrip())
    wins = "Cases in which a peer is faster:\n\n" + "\n".join(lost) if lost else "No peer is faster in any case that it could run."
    return table(["case", "peer", "peer's time", "own time", "peer / own", "threads", "note"], rows) + "\n\n" + (wins if rows else "")


def kernels(r):
    rows = []
    for number_type in ("float", "double", "float16", "bfloat16"):
        for kernel in drawing.KERNELS:
            cells = []
            for d in (16, 64, 384, 768):
                case = r.one("kernel_sums", kernel, number_type, N=10000, d=d)
                cells.append(f"{duration(case['s'])} ({percent(case.get('of_limit'))})" if case else "–")
            if any(cell != "–" for cell in cells):
                rows.append([drawing.shown(kernel), number_type, *cells])
    return table(["N = 10,000", "", "d = 16", "d = 64", "d = 384", "d = 768"], rows)


def sizes(r):
    cases = r.find("kernel_sums", "gaussian", "float")
    columns = sorted({c.sizes["d"] for c in cases})
    rows = []
    for n in sorted({c.sizes["N"] for c in cases}):
        found = {c.sizes["d"]: c for c in cases if c.sizes["N"] == n}
        rows.append([f"{n:,}", *(f"{duration(found[d]['s'])} ({percent(found[d].get('of_limit'))})" if d in found else "–" for d in columns)])
    return table(["N", *(f"d = {d:,}" for d in columns)], rows)


def isas(r):
    rows = []
    for c in r.find("instruction_sets"):
        rows.append([c.words[1], c.words[3], f"{c.sizes['d']}", duration(c["s"]), scaled(c.get("FLOP/s"), "FLOP/s"), scaled(c.get("peak"), "FLOP/s"),
                     percent(c.get("of_peak")), percent(c.get("of_limit"))])
    return table(["`mmd::isa`", "", "d", "time", "rate", "its own peak", "of the peak", "of the limit"], rows)


def limits(r):
    rows = []
    for c in r.find("limits"):
        rate, unit = next(((c[key], key) for key in ("FLOP/s", "values/s", "bytes/s") if c.get(key)), (None, ""))
        rows.append([" ".join(drawing.shown(word) for word in c.words[1:]), scaled(rate, unit)])
    return table(["limit", "measured"], rows)


def products(r):
    rows = []
    for c in r.find("full_product"):
        rows.append([c.get("label") or c.words[2], c.words[1], f"{c.sizes['N']:,}", f"{c.sizes['d']:,}", duration(c["s"]),
                     scaled(c.get("FLOP/s"), "FLOP/s"), percent(c.get("of_peak"))])
    return table(["full product Z Zᵀ by", "", "N", "d", "time", "rate", "of the peak"], rows)


def gemm(r):
    return table(["own product", "m × n × k", "time", "of the peak", "fastest BLAS / own"],
                 [[c.words[1], f"{c.sizes['m']} × {c.sizes['n']} × {c.sizes['k']}", duration(c["s"]), percent(c.get("of_peak")),
                   f"{c['blas_s'] / c['s']:.2f}"] for c in r.find("gemm")])


def cases_of(*words, columns):
    """A table of all cases that begin with these words: name and sizes, and the columns (head, key, shown by)."""
    def make(r):
        rows = []
        for c in r.find(*words):
            name = " ".join(drawing.shown(word) for word in c.words[1:])
            arguments = ", ".join(f"{key} = {value:,}" for key, value in c.sizes.items())
            rows.append([name, arguments, *(show(c.get(key)) for _, key, show in columns)])
        return table(["", "", *(head for head, _, _ in columns)], rows)
    return make


def batches(r):
    """Tests a second: a row for each kind of draws, n and B, a column for each reference."""
    found = r.find("batches")
    references = sorted({c.sizes["R"] for c in found})
    rows = []
    for words, n, b in sorted({(c.words[1], c.sizes.get("n", c.sizes.get("g")), c.sizes["B"]) for c in found}):
        cells = {c.sizes["R"]: c for c in found if (c.words[1], c.sizes.get("n", c.sizes.get("g")), c.sizes["B"]) == (words, n, b)}
        rows.append([drawing.shown(words), str(n), f"{b:,}", *(number(cells[x].get("tests/s")) if x in cells else "" for x in references)])
    return table(["tests a second", "n or g", "B", *(f"R = {x:,}" for x in references)], rows)


def scaling(r):
    found = r.find("scaling")
    rows = []
    for before, c in zip([None, *found], found):
        def slope(key):
            if before is None or not before.get(key) or not c.get(key):
                return "–"
            return f"{exponent([(before.sizes['N'], before[key]), (c.sizes['N'], c[key])]):.2f}"
        rows.append([f"{c.sizes['N']:,}", duration(c["s"]), slope("s"), percent(c.get("of_limit")), scaled(c.get("peak_bytes"), "B"),
                     slope("peak_bytes"), scaled(256 * c.sizes["N"], "B")])
    text = table(["N", "time", "exponent from the row above", "of the limit", "memory beyond the samples", "exponent", "the samples"], rows)
    for start in (320, 10000):
        time, memory = ([(c.sizes["N"], c[key]) for c in found if c.sizes["N"] >= start and c.get(key)] for key in ("s", "peak_bytes"))
        if len(time) > 1 and len(memory) > 1:
            text += (f"\n\nFitted over N = {time[0][0]:,} … {time[-1][0]:,}: time ∝ N^{exponent(time):.2f}, memory ∝ N^{exponent(memory):.2f}.")
    return text


def threads(r):
    return table(["measured", "", "one thread", "two threads", "speed-up"],
                 [[drawing.shown(c.words[1]), ", ".join(f"{key} = {value:,}" for key, value in c.sizes.items()), duration(c["one_thread_s"]),
                   duration(c["s"]), f"{c['speedup_2']:.2f}"] for c in r.find("threads")])


def parts(r):
    teams = [2, 4, 8, 16, 32, 64]
    return table(["modelled", "parts", "pairs", "largest part", *(f"{t} threads" for t in teams)],
                 [[f"N = {c.sizes['N']:,}, d = {c.sizes['d']}", number(c["parts"]), scaled(c["pairs"]), scaled(c["largest_part"]),
                   *(f"{c[f'modelled_speedup_{t}']:.1f}" for t in teams)] for c in r.find("parts")])


def large(r):
    return table(["N", "d", "stored as", "MMD² and variance", "rate", "binned test, B = 999", "rate", "peak memory of the process", "the samples alone"],
                 [[f"{c['rows']:,}", str(c["columns"]), c["storage"], duration(c["estimate_seconds"]),
                   scaled(c["estimate_pairs_per_second"], "pairs/s"), duration(c["test_seconds"]), scaled(c["test_pairs_per_second"], "pairs/s"),
                   scaled(c["peak_bytes"], "B"), scaled(c["peak_bytes_with_samples_alone"], "B")] for c in r.summary["large"]])


TIME, RATE, LIMIT, MEMORY = ("time", "s", duration), ("pairs/s", "pairs/s", scaled), ("of the limit", "of_limit", percent), (
    "memory", "peak_bytes", lambda v: scaled(v, "B"))
SECTIONS = {
    "kernels": kernels, "sizes": sizes, "instruction_sets": isas, "limits": limits, "products": products, "gemm": gemm, "scaling": scaling,
    "threads": threads, "parts": parts, "large": large,
    "estimators": cases_of("estimators", columns=[TIME, RATE, LIMIT, MEMORY]),
    "permutations": cases_of("permutation_test", columns=[TIME, ("draws/s", "draws/s", scaled), LIMIT, MEMORY]),
    "batches": batches,
    "training": cases_of("training_step", columns=[TIME, ("FLOP/s", "FLOP/s", scaled), LIMIT, MEMORY]),
    "forward": cases_of("perceptron_forward", columns=[TIME, ("texts/s", "texts/s", scaled), LIMIT]),
    "scoring": cases_of("scoring", columns=[TIME, ("texts/s", "texts/s", scaled), LIMIT]),
    "compile_time": cases_of("compile_time", columns=[TIME, ("with", "label", str)]),
    "loading": cases_of("loading", columns=[TIME, ("bytes/s", "bytes/s", lambda v: scaled(v, "B/s")), ("of a plain read", "of_limit", percent)]),
}


def page(template, results, peers, peers_about, drawn, device):
    """The page's text. Each {{name}} of the template is a table or a figure, {{figure NAME}}."""
    held = aims(results, peers)
    text = {name: make(results) for name, make in SECTIONS.items()}
    text["machine"] = machine(results)
    text["aims"] = table(["aim", "wanted", "measured", ""], [[what, wanted, found, "met" if met else "**not met**"]
                                                                for what, wanted, found, met in held])
    text["met"] = f"{sum(met for *_, met in held)} of {len(held)} are met."
    text["peers"] = peers_tables(peers)
    text["peers_about"] = peers_about
    text["device"] = device
    text["results_file"] = f"bench/results/{results.summary['machine']['name']}.json"
    for figure in drawn:
        text[f"figure {figure.name}"] = f"![{figure.title}](performance/{figure.name}.svg)"

    def fill(match):
        name = match.group(1)
        if name.startswith("figure ") and name not in text:
            return "(no figure: not in this run)"
        return text[name]
    return re.sub(r"\{\{([^}]+)\}\}", fill, template)
