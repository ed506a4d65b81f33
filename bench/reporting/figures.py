# SPDX-License-Identifier: MIT
"""Figures as gnuplot scripts that hold their own data, and as SVG. Each SVG begins with the hash of its script: whether it is up to date is
seen without drawing it again."""
import dataclasses
import hashlib
import subprocess

COLOURS = ["#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9", "#000000", "#8a6d3b", "#6a3d9a", "#b15928", "#33a02c", "#e31a1c",
           "#7f7f7f"]


@dataclasses.dataclass
class Figure:
    name: str
    title: str
    x: str
    y: str
    series: list  # (label, [(x, y), ...]) measured
    limits: list = dataclasses.field(default_factory=list)  # the same, drawn as dashed lines without points
    log: str = "xy"

    def script(self):
        lines = ["set terminal svg size 760,460 dynamic font 'sans-serif,13' background '#ffffff'", "set encoding utf8",
                 f"set title {quoted(self.title)}", f"set xlabel {quoted(self.x)}", f"set ylabel {quoted(self.y)}",
                 f"set logscale {self.log}", "set format x '%.0s%c'", "set format y '%.0s%c'",
                 "set grid lc rgb '#dddddd'", "set key outside right top", "set border 3", "set tics nomirror"]
        plots = []
        for number, (label, points) in enumerate([*self.series, *self.limits]):
            lines += [f"$data{number} << EOD", *(f"{x:.6g} {y:.6g}" for x, y in points), "EOD"]
            style = f"linespoints pt 7 ps 0.6 lw 2 lc rgb '{COLOURS[number % len(COLOURS)]}'"
            if number >= len(self.series):
                style = f"lines dt {2 + number - len(self.series)} lw 1.5 lc rgb '#555555'"
            plots.append(f"$data{number} using 1:2 with {style} title {quoted(label)}")
        return "\n".join(lines) + "\nplot " + ", \\\n  ".join(plots) + "\n"

    def mark(self):
        return f"<!-- {hashlib.sha256(self.script().encode()).hexdigest()} -->"

    def draw(self, folder):
        done = subprocess.run(["gnuplot"], input=self.script(), capture_output=True, text=True, check=False)
        if done.returncode != 0 or "</svg>" not in done.stdout:
            raise SystemExit(f"gnuplot: {self.name}: {done.stderr.strip()}")
        head, rest = done.stdout.split("\n", 1)
        (folder / f"{self.name}.svg").write_text(f"{head}\n{self.mark()}\n{rest}", encoding="utf-8")

    def is_drawn_in(self, folder):
        path = folder / f"{self.name}.svg"
        return path.exists() and path.read_text(encoding="utf-8").split("\n", 2)[1] == self.mark()


def quoted(text):
    return "'" + text.replace("'", "''") + "' noenhanced"


KERNELS = ["gaussian", "five_gaussians", "laplace", "inverse_multiquadric", "rational_quadratic", "matern32", "matern52", "energy", "polynomial",
           "linear", "gaussian_times_linear", "deep_kernel", "gaussian_on_network"]


def shown(name):
    return name.replace("_", " ")


def figures(results):
    """All figures that the results have data for."""
    made = []

    def along(key, value, *words, **sizes):
        return [(c.sizes[key], c[value]) for c in results.find(*words, **sizes) if c.get(value)]

    def add(name, title, x, y, series, limits=(), log="xy"):
        series = [(label, points) for label, points in series if len(points) > 1]
        if series:
            made.append(Figure(name, title, x, y, series, [limit for limit in limits if limit[1]], log))

    dimensions = sorted({c.sizes["d"] for c in results.find("kernel_sums", "gaussian", "float")})
    add("speed_over_n", "Gaussian kernel sums, float", "rows N", "pairs a second",
        [(f"d = {d}", along("N", "pairs/s", "kernel_sums", "gaussian", "float", d=d)) for d in dimensions])
    add("speed_over_d", "Kernel sums, float, N = 10,000", "features d", "pairs a second",
        [(shown(k), along("d", "pairs/s", "kernel_sums", k, "float", N=10000)) for k in KERNELS])

    # Against the floating-point operations that a pair needs: a ceiling of multiply-adds, a slope of kernel values.
    series, limits = [], []
    for number in ("float", "double"):
        points = [(2 * c.sizes["d"], c["FLOP/s"]) for c in results.find("kernel_sums", "gaussian", number, N=10000)]
        peak, exp = (results.value(key, "limits", name, number) for key, name in (("FLOP/s", "multiply_add"), ("values/s", "exp")))
        series.append((f"Gaussian, {number}", sorted(points)))
        if peak and exp and points:
            operations = [4 * 1.25**i for i in range(34)]
            limits.append((f"both at once, {number}", [(w, min(peak, w * exp)) for w in operations]))
            limits.append((f"one after the other, {number}", [(w, 1 / (1 / peak + 1 / (w * exp))) for w in operations]))
    add("roofline", "Multiply-adds and exponentials: roofline, N = 10,000", "operations a pair (2 d)", "FLOP/s", series, limits)

    time = along("N", "s", "scaling", d=64)
    memory = along("N", "peak_bytes", "scaling", d=64)
    if time:
        n, t = time[-1]
        add("scaling_time", "Gaussian kernel sums, float, d = 64", "rows N", "seconds", [("measured", time)],
            [("N² through the last", [(x, t * (x / n) ** 2) for x, _ in time])])
    if memory:
        n, m = memory[-1]
        add("scaling_memory", "Memory beyond the samples, d = 64", "rows N", "bytes", [("measured", memory)],
            [("N through the last", [(x, m * x / n) for x, _ in memory]), ("the samples", [(x, 256 * x) for x, _ in memory])])
    add("permutations", "Permutation tests, d = 64", "draws B", "seconds",
        [(f"{how}, {c[0] + c[1]:,} rows", along("B", "s", "permutation_test", how, n=c[0], m=c[1], d=64))
         for how, c in (("full", (500, 500)), ("full", (2000, 2000)), ("full", (5000, 5000)), ("binned", (5000, 5000)), ("subset", (20, 500)),
                        ("subset", (200, 4000)))])
    threads = [1, 2, 4, 8, 16, 32, 64]
    add("threads", "Speed-up by threads, modelled by counting pairs a part", "threads", "modelled speed-up",
        [(f"N = {c.sizes['N']:,}", [(t, c[f"modelled_speedup_{t}"]) for t in threads]) for c in results.find("parts")],
        [("one each", [(t, t) for t in threads])])
    return made
