# SPDX-License-Identifier: MIT
"""The figures of one run of the suite: from Google Benchmark's reports to one compact file, and questions to it."""
import json
import os
import re

LEFT_OUT = {"name", "run_name", "run_type", "repetitions", "repetition_index", "threads", "iterations", "real_time", "cpu_time", "time_unit",
            "family_index", "per_family_instance_index", "aggregate_name"}
UNIT = {"ns": 1e-9, "us": 1e-6, "ms": 1e-3, "s": 1.0}


def rounded(value):
    """Four digits; whole numbers without a point."""
    if isinstance(value, float):
        value = float(f"{value:.4g}")
        return int(value) if value.is_integer() else value
    return value


def machine():
    """What the figures depend on; no name of the machine itself."""
    fields = {}
    with open("/proc/cpuinfo", encoding="utf-8") as file:
        for line in file:
            if ":" in line:
                key, value = (part.strip() for part in line.split(":", 1))
                fields.setdefault(key, value)
    cpus = len(os.sched_getaffinity(0))
    cpu = fields.get("model name") or fields.get("CPU part", "unknown")
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    family = [fields[key] for key in ("cpu family", "model") if key in fields]
    slug = re.sub(r"[^a-z0-9]+", "-", " ".join([cpu, *family, f"{cpus}cpu"]).lower()).strip("-")
    described = cpu + (f" (family {family[0]}, model {family[1]})" if len(family) == 2 else "")
    return {"name": slug, "cpu": described, "cpus": cpus, "memory_gib": round(memory / 2**30),
            "virtual": "hypervisor" in fields.get("flags", "").split()}


def device(context):
    """The device and what its programs were made with."""
    def version(number):
        return f"{int(number) // 1000}.{int(number) % 1000 // 10}"
    return {"name": re.sub(r"[^a-z0-9]+", "-", context["device"].lower()).strip("-"), "device": context["device"],
            "multiprocessors": int(context["device_multiprocessors"]), "capability": context["device_capability"],
            "memory_gib": round(int(context["device_memory"]) / 2**30), "l2_mib": round(int(context["device_l2"]) / 2**20),
            "runtime": version(context["cuda_runtime"]), "driver": version(context["cuda_driver"]), "nvcc": context.get("nvcc", ""), "tiny": context.get("tiny") == "yes"}


def collect(reports):
    """One summary from the paths of Google Benchmark's reports."""
    cases, contexts = {}, []
    for path in reports:
        text = path.read_text(encoding="utf-8")
        if not text.strip():
            continue  # no case of this program was asked for
        report = json.loads(text)
        context = report.get("context")
        if context:
            contexts.append(context)
        for run in report["benchmarks"]:
            if run.get("run_type") == "aggregate" or run.get("error_occurred"):
                continue
            name = re.sub(r"/(iterations:\d+|manual_time|real_time)", "", run["name"])
            if name.startswith("instruction_sets/"):
                name = name.replace("/", f"/{context['mmd_isa']}/", 1)
            values = {"s": run["real_time"] * UNIT[run["time_unit"]]}
            values.update({key: value for key, value in run.items() if key not in LEFT_OUT})
            cases[name] = {key: rounded(value) for key, value in values.items()}
    if not cases:
        raise SystemExit("no case ran: does the filter match a name?")
    on_device = next((c for c in contexts if "device" in c), None)
    native = next((c for c in contexts if "instruction_sets" not in c.get("executable", "")), contexts[0])
    described = {"device": device(on_device)} if on_device else {}
    return described | {"machine": machine(), "date": min(c["date"] for c in contexts)[:10], "compiler": native["compiler"], "isa": native["mmd_isa"],
            "threads": int(native["threads"]), "quick": native["quick"] == "yes",
            "caches": {f"L{c['level']} {c['type'].lower()}": c["size"] for c in native.get("caches", [])},
            "load_at_start": rounded(contexts[0].get("load_avg", [0.0])[0]), "cases": dict(sorted(cases.items()))}


def write(summary, path):
    """One case a line, so that two runs can be compared with diff."""
    head = json.dumps({key: value for key, value in summary.items() if key != "cases"}, indent=1)[:-2]
    lines = [f"  {json.dumps(name)}: {json.dumps(values)}" for name, values in summary["cases"].items()]
    path.write_text(head + ',\n "cases": {\n' + ",\n".join(lines) + "\n }\n}\n", encoding="utf-8")


class Case:
    def __init__(self, name, values):
        self.name, self.values = name, values
        parts = name.split("/")
        self.words = [part for part in parts if ":" not in part]
        self.sizes = {key: int(value) for key, value in (part.split(":") for part in parts if ":" in part)}

    def __getitem__(self, key):
        return self.values[key]

    def get(self, key):
        return self.values.get(key)


class Results:
    def __init__(self, summary):
        self.summary = summary
        self.cases = [Case(name, values) for name, values in summary["cases"].items()]

    def find(self, *words, **sizes):
        """The cases whose names begin with these words and that have these sizes, the smallest first."""
        found = [c for c in self.cases
                 if c.words[:len(words)] == list(words) and all(c.sizes.get(key) == value for key, value in sizes.items())]
        return sorted(found, key=lambda c: (c.words, list(c.sizes.values())))

    def one(self, *words, **sizes):
        found = [c for c in self.find(*words, **sizes) if len(c.words) == len(words)]
        return found[0] if found else None

    def value(self, key, *words, **sizes):
        case = self.one(*words, **sizes)
        return case.get(key) if case else None
