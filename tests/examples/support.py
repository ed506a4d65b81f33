# SPDX-License-Identifier: MIT
"""Runs the example programs as a user would, on files made here with the standard library alone."""
import json
import os
import random
import struct
import subprocess
import tempfile
import unittest

BIN = os.environ["MMD_EXAMPLES"]  # the folder of the built examples
DATA = os.environ["MMD_DEMO_DATA"]
PREFIX = os.environ.get("MMD_PREFIX", "")  # of their files' names


def program(name):
    return os.path.join(BIN, name, PREFIX + name)


def npy(rows, dtype="<f4", fortran=False, version=1, shape=None):
    """The bytes of a .npy file holding the rows."""
    n, d = len(rows), len(rows[0]) if rows else 0
    shape = shape if shape is not None else (n, d)
    header = "{'descr': '%s', 'fortran_order': %s, 'shape': %s, }" % (dtype, fortran, shape)
    header += " " * ((-(len(header) + 1 + (10 if version == 1 else 12))) % 64) + "\n"
    length = struct.pack("<H" if version == 1 else "<I", len(header))
    code = {"<f2": "<e", "<f4": "<f", "<f8": "<d", "<i4": "<i", ">f4": ">f"}[dtype]
    order = [rows[i][k] for k in range(d) for i in range(n)] if fortran else [v for r in rows for v in r]
    return b"\x93NUMPY" + bytes([version, 0]) + length + header.encode() + b"".join(struct.pack(code, v) for v in order)


def normal_rows(n, d, shift=0.0, seed=1):
    draw = random.Random(seed)
    return [[draw.gauss(shift, 1) for _ in range(d)] for _ in range(n)]


class ProgramTest(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = folder.name

    def path(self, name):
        return os.path.join(self.folder, name)

    def write(self, name, content):
        with open(self.path(name), "wb" if isinstance(content, bytes) else "w") as f:
            f.write(content)
        return self.path(name)

    def run_program(self, name, *arguments, stdin=None, stdout=subprocess.PIPE, timeout=300):
        return subprocess.run([program(name), *map(str, arguments)], input=stdin, stdout=stdout, stderr=subprocess.PIPE, timeout=timeout, check=False)

    def succeed(self, name, *arguments, **options):
        r = self.run_program(name, *arguments, **options)
        self.assertEqual(r.returncode, 0, r.stderr.decode())
        return r.stdout.decode()

    def json(self, name, *arguments, **options):
        return json.loads(self.succeed(name, *arguments, "--json", **options), parse_constant=self.fail)

    def refuse(self, code, words, name, *arguments, **options):
        """The program ends with this code, prints nothing on stdout, and one line on stderr that holds all the words."""
        r = self.run_program(name, *arguments, **options)
        message = r.stderr.decode()
        self.assertEqual(r.returncode, code, message)
        if r.stdout is not None:
            self.assertEqual(r.stdout, b"")
        self.assertEqual(message.count("\n"), 1, message)
        for word in words:
            self.assertIn(word, message)
