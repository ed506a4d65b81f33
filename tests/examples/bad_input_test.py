# SPDX-License-Identifier: MIT
"""Odd options, files and surroundings: every failure is one line on stderr that names what is wrong, and no file is harmed."""
import json
import math
import os
import resource
import signal
import struct
import subprocess
import unittest

from support import DATA, ProgramTest, normal_rows, npy, program

TEST, DETECT = "two_sample_test", "detect_machine_text"
SMALL = ["--steps", 40, "--batch", 50, "--hidden", 16, "--output-dim", 8, "--learning-rate", 0.003]


def content(path):
    with open(path, "rb") as f:
        return f.read()


class TwoSamples(ProgramTest):
    def setUp(self):
        super().setUp()
        self.x = self.write("x.npy", npy(normal_rows(20, 3)))
        self.y = self.write("y.npy", npy(normal_rows(15, 3, 1.0, 2)))

    def test_numbers_that_are_none_or_out_of_range(self):
        whole = {"permutations": ("-1", "1e3", "0x10", "010", "1.5", "nan", "100000001", "99999999999999999999"),
                 "seed": ("-1", "abc", "1.5", "18446744073709551616"), "threads": ("-1", "4097", "x")}
        for option, values in whole.items():
            for value in values:
                self.refuse(2, ["--" + option, value, "expected a whole number from"], TEST, self.x, self.y, "--%s=%s" % (option, value))
        for value in ("0", "1", "-0.5", "nan", "inf", "five", "0,05"):
            self.refuse(2, ["--alpha", value, "expected a number above 0 and below 1"], TEST, self.x, self.y, "--alpha=" + value)
        self.assertEqual(self.json(TEST, self.x, self.y, "--seed", 2**64 - 1, "--threads", 64)["seed"], 2**64 - 1)

    def test_shapes_and_values(self):
        w = self.write
        self.refuse(2, ["x.rows() = 0"], TEST, w("r0.npy", npy([], shape=(0, 3))), self.y)
        self.refuse(2, ["c0.npy", "without columns"], TEST, w("c0.npy", npy([], shape=(3, 0))), self.y)
        self.refuse(2, ["3.npy", "3 dimensions, expected 1 or 2"], TEST, w("3.npy", npy([[1.0] * 12], shape=(2, 2, 3))), self.y)
        self.refuse(2, ["big.npy", "truncated"], TEST, w("big.npy", npy([[1.0]], shape=(2**62, 2**62))), self.y)
        self.refuse(2, ["x(0, 2) = inf"], TEST, w("h.npy", npy([[1, 2, math.inf], [1, 2, 3]], "<f2")), self.y)
        for scale, kind in ((1e30, "<f4"), (1e-30, "<f4"), (1e-42, "<f4"), (1e15, "<f8")):
            a, b = ([[v * scale for v in row] for row in rows] for rows in (normal_rows(20, 3), normal_rows(20, 3, 2.0, 2)))
            r = self.json(TEST, w("a.npy", npy(a, kind)), w("b.npy", npy(b, kind)))
            self.assertLessEqual(r["p_value"], 0.01, scale)
        same = self.json(TEST, self.x, self.x)
        self.assertGreater(same["p_value"], 0.5)
        far = self.json(TEST, w("two.npy", npy(normal_rows(2, 3))), w("many.npy", npy(normal_rows(1500, 3, 0, 3))))
        self.assertTrue(0 < far["p_value"] <= 1)

    def test_odd_files(self):
        os.symlink("loop", self.path("loop"))
        self.refuse(2, ["loop", "symbolic links"], TEST, self.path("loop"), self.y)
        self.refuse(2, ["/dev/null"], TEST, "/dev/null", self.y)
        self.refuse(2, ["cannot be opened"], TEST, "", self.y)
        self.refuse(2, ["standard input", "twice"], TEST, "-", "-", stdin=content(self.x))
        os.mkfifo(self.path("pipe"))
        with subprocess.Popen(["sh", "-c", "cat '%s' > '%s'" % (self.x, self.path("pipe"))]):
            self.assertEqual(self.json(TEST, self.path("pipe"), self.y)["n"], 20)

    def test_output_that_cannot_be_written(self):
        def closed():
            os.close(1)
        r = subprocess.run([program(TEST), self.x, self.y], stderr=subprocess.PIPE, preexec_fn=closed, check=False)
        self.assertEqual((r.returncode, r.stderr.count(b"\n")), (3, 1), r.stderr)
        if os.path.exists("/dev/full"):
            for flag in ("--help", "--version"):
                with open("/dev/full", "wb") as full:
                    self.refuse(3, ["standard output"], TEST, flag, stdout=full)

    def test_another_language_changes_nothing(self):
        environment = dict(os.environ, LC_ALL="de_DE.UTF-8", LANG="de_DE.UTF-8")
        german = subprocess.run([program(TEST), self.x, self.y, "--alpha", "0.05"], stdout=subprocess.PIPE, env=environment, check=True).stdout.decode()
        self.assertNotRegex(german, r"\d,\d")


class Detector(ProgramTest):
    def setUp(self):
        super().setUp()
        self.human, self.machine = self.rows("h.npy", 300, 0.0, 1), self.rows("m.npy", 300, 0.8, 2)

    def rows(self, name, n, shift, seed, d=8):
        return self.write(name, npy(normal_rows(n, d, shift, seed)))

    def train(self, name="model.safetensors"):
        self.succeed(DETECT, "train", "--human", self.human, "--machine", self.machine, "--model", self.path(name), *SMALL)
        return self.path(name)

    def refuse_training(self, words, *options, code=2, human=None, machine=None):
        arguments = ["--human", human or self.human, "--machine", machine or self.machine, "--model", self.path("none.st"), *SMALL]
        self.refuse(code, words, DETECT, "train", *arguments, *options)
        self.assertFalse(os.path.exists(self.path("none.st")))

    def test_training_options(self):
        for option, value in (("steps", "0"), ("steps", "-1"), ("steps", "99999999999999999999"), ("epochs", "-1"), ("epochs", "1000000000000000000"),
                              ("batch", "1"), ("batch", "-5"), ("hidden", "0"), ("hidden", "1000000"), ("output-dim", "0"), ("seed", "-1"), ("threads", "9999")):
            base = [a for pair in zip(SMALL[::2], SMALL[1::2]) if pair[0] != "--" + option for a in pair]
            self.refuse(2, ["--" + option, value, "expected a whole number from"], DETECT, "train", "--human", self.human, "--machine", self.machine,
                        "--model", self.path("none.st"), *base, "--%s=%s" % (option, value))
        for value in ("nan", "-1", "0", "inf", "fast"):
            self.refuse(2, ["--learning-rate", value, "expected a finite number above 0"], DETECT, "train", "--human", self.human, "--machine", self.machine,
                        "--model", self.path("none.st"), "--learning-rate=" + value)
        self.refuse(2, ["learning_rate", "expected finite numbers"], DETECT, "train", "--human", self.human, "--machine", self.machine,
                    "--model", self.path("none.st"), *SMALL[:-2], "--learning-rate=1e30")
        self.refuse_training(["--objective", "MPP"], "--objective=MPP")
        self.refuse_training(["--style"], "--style")
        self.assertFalse(os.path.exists(self.path("none.st")))

    def test_training_samples(self):
        nan = normal_rows(300, 8)
        nan[123][4] = math.nan
        self.refuse_training(["n.npy(123, 4) = nan", "finite"], human=self.write("n.npy", npy(nan)))
        self.refuse_training(["z.npy.rows() = 0", "at least 1"], human=self.write("z.npy", npy([], shape=(0, 8))))
        self.refuse_training(["few.npy", "groups = 2"], machine=self.rows("few.npy", 2, 0, 3))
        self.refuse_training(["k.npy", "groups = 1"], human=self.write("k.npy", npy([[1.0] * 8] * 50)))
        self.refuse_training(["h.npy", "train text"], "--reference", self.human)
        self.refuse_training(["twice"], human="-", machine="-")
        self.refuse_training(["--machine", "h.npy", "another file"], machine=self.human)
        labels = self.rows("l.npy", 40, 0, 4)
        for label in ("Human", "HUMAN", "machine"):
            self.write("l.tsv", "label\n" + (label + "\n") * 40)
            self.refuse_training(["--human", "l.npy", '"%s"' % label, '"human"'], human=labels)
        self.write("l.tsv", "embedder\n" + "one\n" * 39 + "other\n")
        self.refuse_training(["l.tsv", "row 39 = other", "one"], human=labels)
        os.remove(self.path("l.tsv"))
        os.mkdir(self.path("l.tsv"))
        self.refuse_training(["l.tsv", "directory"], human=labels)

    def test_inputs_are_not_overwritten(self):
        before = content(self.human)
        for target in (self.human, os.path.join(self.folder, ".", "h.npy")):
            self.refuse(2, ["--model", "h.npy", "another file"], DETECT, "train", "--human", self.human, "--machine", self.machine, "--model", target, *SMALL)
        os.symlink("h.npy", self.path("link"))
        self.refuse(2, ["--model", "link", "another file"], DETECT, "train", "--human", self.human, "--machine", self.machine, "--model", self.path("link"), *SMALL)
        self.assertEqual(content(self.human), before)
        source = self.write("t.jsonl", '{"text": "one two three"}\n{"text": "four five"}\n')
        vocabulary = os.path.join(DATA, "vocabulary.safetensors")
        for output in (source, "-", "/dev/null", ""):
            self.refuse(2, ["--output"], DETECT, "embed", "--input", source, "--output", output, "--vocabulary", vocabulary)
        for target in (source, self.path("e.npy"), self.path("e.tsv")):
            self.refuse(2, ["--save-vocabulary", "another file"], DETECT, "embed", "--input", source, "--output", self.path("e.npy"), "--fit-on", source,
                        "--save-vocabulary", target)
        self.refuse(2, ["--style"], DETECT, "embed", "--input", source, "--output", self.path("e.npy"), "--vocabulary", vocabulary, "--style")
        self.assertEqual(content(source).count(b"\n"), 2)
        self.assertEqual(sorted(os.listdir(self.folder)), ["h.npy", "link", "m.npy", "t.jsonl"])

    def test_use_options(self):
        model, x = self.train(), self.rows("x.npy", 20, 0.3, 5)
        for value in ("0", "1", "-1", "nan", "half"):
            self.refuse(2, ["--fpr", value, "expected a number above 0 and below 1"], DETECT, "score", "--model", model, "--input", x, "--fpr=" + value)
        for value in ("0", "-3", "9223372036854775807", "99999999999999"):
            self.refuse(2, ["--permutations", value, "expected a whole number"], DETECT, "test", "--model", model, "--input", x, "--permutations=" + value)
        self.refuse(2, ["--calibration", "--documents"], DETECT, "test", "--model", model, "--input", x, "--calibration", self.human)
        self.refuse(2, ["r1.npy", "groups = 1"], DETECT, "score", "--model", model, "--input", x, "--reference", self.rows("r1.npy", 1, 0, 6))
        self.refuse(2, ["reference.rows() = 1"], DETECT, "test", "--model", model, "--input", x, "--reference", self.path("r1.npy"))
        for n in (2, 3):
            own = self.rows("r%d.npy" % n, n, 0, 6 + n)
            self.assertEqual(len(self.json(DETECT, "score", "--model", model, "--input", x, "--reference", own)["scores"]), 20)
            self.assertEqual(self.json(DETECT, "test", "--model", model, "--input", x, "--reference", own)["reference_n"], n)
        self.refuse(2, ["m.npy", "no other role"], DETECT, "score", "--model", model, "--input", self.machine)
        self.refuse(2, ["i.npy(0, 7) = inf"], DETECT, "score", "--model", model, "--input", self.write("i.npy", npy([[1.0] * 7 + [math.inf]], "<f2")))
        self.assertTrue(all(self.json(DETECT, "score", "--model", model, "--input", self.write("b.npy", npy([[1e30] * 8] * 2)))["machine"]))
        self.refuse(2, ["bogus"], DETECT, "bogus")

    def test_model_files_of_another_kind(self):
        model, x = self.train(), self.rows("x.npy", 20, 0.3, 5)
        good = content(model)
        length = struct.unpack("<Q", good[:8])[0]
        header = json.loads(good[8:8 + length])

        def changed(name, change):
            copy = json.loads(json.dumps(header))
            change(copy)
            text = json.dumps(copy).encode()
            text += b" " * (-len(text) % 8)
            return self.write(name, struct.pack("<Q", len(text)) + text + good[8 + length:])
        refuse = lambda words, path: self.refuse(2, words, DETECT, "score", "--model", path, "--input", x)
        refuse(["a.st", "metadata", "missing"], changed("a.st", lambda h: h.pop("__metadata__")))
        refuse(["b.st", "format version 2", "expected 1"], changed("b.st", lambda h: h["__metadata__"].update(format_version="2")))
        refuse(["c.st", "kind", '"pt"'], changed("c.st", lambda h: h["__metadata__"].update(format="pt")))
        refuse(["vocabulary.safetensors", "mmd vocabulary"], os.path.join(DATA, "vocabulary.safetensors"))
        for size in range(0, len(good), len(good) // 23):
            refuse(["t.st"], self.write("t.st", good[:size]))

    def test_texts_to_judge(self):
        model, report = self.train(), self.path("report")

        def refuse(words, human, machine):
            self.refuse(2, words, DETECT, "evaluate", "--model", model, "--human", human, "--machine", machine, "--report", report)
            self.assertFalse(os.path.exists(report))
        many, other = self.rows("eh.npy", 40, 0, 7), self.rows("em.npy", 40, 0.8, 8)
        few = ["up to 1 human texts", "at least 10"]
        refuse(["one.npy", *few], self.rows("one.npy", 1, 0, 9), other)
        refuse(["--machine", "eh.npy", "another file"], many, many)
        refuse(["h.npy", "no other role"], self.human, other)
        self.write("eh.tsv", "domain\n" + "news\n" * 40)
        self.write("em.tsv", "domain\n" + "mail\n" * 40)
        refuse(["2 domains", "up to 40 human texts", "and machine texts"], many, other)

    def test_documents_of_one_sentence(self):
        model = self.train()
        human, unknown = self.rows("c.npy", 100, 0, 10), self.rows("d.npy", 6, 0, 11)
        self.write("c.tsv", "doc\n" + "".join("c%d\n" % (i // 5) for i in range(100)))
        self.write("d.tsv", "doc\nalone\n" + "d\n" * 5)
        alone, five = self.json(DETECT, "test", "--model", model, "--documents", "--calibration", human, "--input", unknown)["documents"]
        self.assertEqual(alone, {"doc": "alone", "p_value": None, "statistic": None, "sentences": 1})
        self.assertTrue(0 < five["p_value"] <= 1 and five["sentences"] == 5)
        self.write("c.tsv", "doc\n" + "".join("c%d\n" % i for i in range(100)))
        self.refuse(2, ["usable length = 0", "at least 19"], DETECT, "test", "--model", model, "--documents", "--calibration", human, "--input", unknown)

    def test_a_limit_on_file_sizes_leaves_no_file(self):
        def limit():
            resource.setrlimit(resource.RLIMIT_FSIZE, (1000, 1000))
            signal.signal(signal.SIGXFSZ, signal.SIG_DFL)  # which Python ignores
        r = subprocess.run([program(DETECT), "train", "--human", self.human, "--machine", self.machine, "--model", self.path("model"), *map(str, SMALL)],
                           stdout=subprocess.PIPE, stderr=subprocess.PIPE, preexec_fn=limit, check=False)
        self.assertEqual((r.returncode, r.stdout), (3, b""), r.stderr)
        self.assertIn(b"model: cannot be written: File too large", r.stderr)
        self.assertEqual(sorted(os.listdir(self.folder)), ["h.npy", "m.npy"])

    def test_runs_that_write_the_same_model(self):
        runs = [subprocess.Popen([program(DETECT), "train", "--human", self.human, "--machine", self.machine, "--model", self.path("model"), "--seed", str(s),
                                  *map(str, SMALL)], stdout=subprocess.DEVNULL) for s in range(4)]
        self.assertEqual([run.wait() for run in runs], [0] * 4)
        self.assertEqual(self.json(DETECT, "info", "--model", self.path("model"))["dimension"], 8)
        self.assertEqual(sorted(os.listdir(self.folder)), ["h.npy", "m.npy", "model"])


if __name__ == "__main__":
    unittest.main()
