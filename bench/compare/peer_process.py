# SPDX-License-Identifier: MIT
"""A program that answers requests, within a limit of time and one of memory."""
import contextlib
import ctypes
import os
import pathlib
import select
import signal
import subprocess
import time

PAGE = os.sysconf("SC_PAGE_SIZE")


class Failed(Exception):
    """`status` is time, memory or failed."""

    def __init__(self, status, note):
        super().__init__(note)
        self.status, self.note = status, note


class Program:
    """Runs in a process group of its own, and is stopped while others are timed: threads that wait for work would take their time."""

    def __init__(self, command, environment, log, threads, memory_limit):
        self.memory_limit, self.received = memory_limit, b""
        self.process = subprocess.Popen(command, env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=log,
                                        start_new_session=True, preexec_fn=lambda: prepare(threads))

    def ask(self, request, limit):
        """The fields of the answer, and how much memory the program took for it at most, in MiB."""
        self.signal(signal.SIGCONT)
        before = self.start_of_peak()
        try:
            self.process.stdin.write(request.encode() + b"\n")
            self.process.stdin.flush()
            line = self.line(time.monotonic() + limit, limit)
        except (BrokenPipeError, EOFError):
            raise self.given_up("failed", f"ended with code {self.process.wait()}") from None
        memory = max(0, self.status("VmHWM") - before) / 2**20
        self.signal(signal.SIGSTOP)
        fields = dict(field.split("=", 1) for field in line.split(" ")) if not line.startswith("error=") else {"error": line[6:]}
        if "error" in fields:
            short = fields["error"][:200]
            raise Failed("memory" if "alloc" in short.lower() or "memory" in short.lower() else "failed", short)
        return {key: [float(v) for v in value.split(",")] for key, value in fields.items()}, memory

    def line(self, deadline, limit):
        while b"\n" not in self.received:
            if select.select([self.process.stdout], [], [], 0.25)[0]:
                more = os.read(self.process.stdout.fileno(), 1 << 16)
                if not more:
                    raise EOFError
                self.received += more
            elif time.monotonic() > deadline:
                raise self.given_up("time", f"stopped after {limit:.0f} s")
            elif self.resident() > self.memory_limit:
                raise self.given_up("memory", f"stopped at {self.memory_limit / 2**30:.0f} GiB")
        line, self.received = self.received.split(b"\n", 1)
        return line.decode()

    def given_up(self, status, note):
        self.end()
        return Failed(status, note)

    def members(self):
        for folder in pathlib.Path("/proc").glob("[0-9]*"):
            with contextlib.suppress(OSError):
                if os.getpgid(int(folder.name)) == self.process.pid:
                    yield folder

    def resident(self):
        """Bytes that the program and its children have in memory; what they share is counted once a process."""
        total = 0
        for folder in self.members():
            with contextlib.suppress(OSError):
                total += int((folder / "statm").read_text().split()[1]) * PAGE
        return total

    def status(self, field):
        with contextlib.suppress(OSError):
            for line in pathlib.Path(f"/proc/{self.process.pid}/status").read_text().splitlines():
                if line.startswith(field + ":"):
                    return int(line.split()[1]) * 1024
        return 0

    def start_of_peak(self):
        with contextlib.suppress(OSError):
            pathlib.Path(f"/proc/{self.process.pid}/clear_refs").write_text("5")
        return self.status("VmRSS")

    def signal(self, number):
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.process.pid, number)

    def alive(self):
        return self.process.poll() is None

    def end(self):
        self.signal(signal.SIGKILL)
        self.process.wait()
        self.process.stdin.close()
        self.process.stdout.close()


def prepare(threads):
    """In the program's process: so many cores, and an end when this one ends, which a stopped program would outlive."""
    os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[:threads])
    set_parent_death_signal = 1
    ctypes.CDLL(None).prctl(set_parent_death_signal, signal.SIGKILL)
