# SPDX-License-Identifier: MIT
import json
import os
import random
import signal
import subprocess
import time
import unittest

from support import DATA, ProgramTest, normal_rows, npy, program

NAME = "detect_machine_text"
SMALL = ["--steps", 60, "--batch", 50, "--hidden", 16, "--output-dim", 8, "--learning-rate", 0.003]
HUMAN_WORDS = "well i think we saw the old dog near that river and he ran off before my brother could shout at him again".split()
MACHINE_WORDS = "furthermore the comprehensive approach provides significant benefits and ensures robust outcomes across various important domains overall".split()


def texts(words, count, seed, label, length=40, doc=None):
    draw = random.Random(seed)
    return [{"text": " ".join(draw.choice(words) for _ in range(length)) + ".", "label": label, "id": "%s%d-%d" % (label, seed, i),
             **({"doc": "%s-%d-%d" % (doc[0], seed, i // doc[1])} if doc else {})} for i in range(count)]


def jsonl(records):
    return "".join(json.dumps(r) + "\n" for r in records)


def content(path):
    with open(path, "rb") as f:
        return f.read()


class DetectorTest(ProgramTest):
    def embeddings(self, name, n, shift, seed, d=8):
        return self.write(name, npy(normal_rows(n, d, shift, seed)))

    def train(self, model="m.safetensors", *extra):
        human, machine = self.embeddings("h.npy", 400, 0.0, 1), self.embeddings("m.npy", 400, 0.8, 2)
        self.succeed(NAME, "train", "--human", human, "--machine", machine, "--model", self.path(model), *SMALL, *extra)
        return self.path(model)

    def train_on_texts(self):
        human = self.write("h.jsonl", jsonl(texts(HUMAN_WORDS, 300, 1, "human")))
        machine = self.write("m.jsonl", jsonl(texts(MACHINE_WORDS + HUMAN_WORDS, 300, 2, "machine")))
        self.succeed(NAME, "train", "--human", human, "--machine", machine, "--model", self.path("t.safetensors"), *SMALL)
        return self.path("t.safetensors")


class Embeddings(DetectorTest):
    def test_scores_decisions_and_their_rate(self):
        model = self.train()
        human, machine = (self.embeddings(n, 300, s, seed) for n, s, seed in (("xh.npy", 0.0, 3), ("xm.npy", 0.8, 4)))
        h, m = (self.json(NAME, "score", "--model", model, "--input", x) for x in (human, machine))
        for r in (h, m):
            self.assertEqual(list(r)[:4], ["scores", "p_values", "machine", "fpr"])
            self.assertEqual((len(r["scores"]), r["fpr"]), (300, 0.05))
            for p, is_machine in zip(r["p_values"], r["machine"]):
                self.assertTrue(0 < p <= 1)
                self.assertIs(is_machine, p <= 0.05)
        higher = sum((a > b) + 0.5 * (a == b) for a in m["scores"] for b in h["scores"]) / 90000
        self.assertGreater(higher, 0.85)
        self.assertLessEqual(sum(h["machine"]), 60)  # of 300, with 40 calibration texts: far above any level that holds
        self.assertGreater(sum(m["machine"]), 90)
        self.assertIn("calibration", self.succeed(NAME, "score", "--model", model, "--input", human))
        other = self.embeddings("r.npy", 200, 0.0, 5)
        r = self.json(NAME, "score", "--model", model, "--input", human, "--reference", other)
        self.assertEqual(r["calibration"]["texts"], 100)

    def test_groups(self):
        model = self.train()
        r = self.json(NAME, "test", "--model", model, "--input", self.embeddings("g.npy", 12, 0.8, 6), "--seed", 4)
        self.assertEqual(list(r), ["p_value", "statistic", "n", "reference_n", "permutations", "method", "seed", "backend"])
        self.assertEqual((r["n"], r["reference_n"], r["permutations"], r["seed"]), (12, 40, 999, 4))
        self.assertLessEqual(r["p_value"], 0.01)
        null = [self.json(NAME, "test", "--model", model, "--input", self.embeddings("g%d.npy" % s, 12, 0.0, s))["p_value"] for s in range(20, 32)]
        self.assertLessEqual(sum(p <= 0.05 for p in null), 5)
        text = self.succeed(NAME, "test", "--model", model, "--input", self.path("g.npy"))
        self.assertIn("averages over", text)
        own = self.embeddings("own.npy", 60, 0.8, 8)
        self.assertGreater(self.json(NAME, "test", "--model", model, "--input", self.path("g.npy"), "--reference", own)["p_value"], 0.001)

    def test_reference_check(self):
        model = self.train()
        near, far = self.embeddings("near.npy", 40, 0.0, 9), self.embeddings("far.npy", 40, 1.5, 10)
        self.assertIs(self.json(NAME, "check", "--model", model, "--human", far)["fits"], False)
        self.assertIn("called machine-written", self.succeed(NAME, "check", "--model", model, "--human", near))

    def test_evaluation_and_report(self):
        model = self.train("m.safetensors", "--objective", "mmd")
        human, machine = self.embeddings("eh.npy", 120, 0.0, 11), self.embeddings("em.npy", 120, 0.8, 12)
        with open(self.path("em.tsv"), "w") as f:
            f.write("set\tsource\n" + "".join("%s\tgen-%d\n" % ("ab"[i % 2], i % 3) for i in range(120)))
        with open(self.path("eh.tsv"), "w") as f:
            f.write("set\tsource\n" + "a\thuman\n" * 120)
        report = self.path("report")
        r = self.json(NAME, "evaluate", "--model", model, "--human", human, "--machine", machine, "--report", report)
        self.assertGreater(r["auroc"], 0.85)
        self.assertTrue(r["auroc_interval"][0] < r["auroc"] < r["auroc_interval"][1])
        self.assertEqual((list(r["tpr"]), list(r["fpr"])), (["0.01", "0.05"], ["0.01", "0.05"]))
        self.assertEqual(list(r["groups"]), ["5", "10", "20"])
        for g in r["groups"].values():
            self.assertEqual(list(g), ["power", "power_interval", "type_1", "type_1_interval"])
            self.assertTrue(g["type_1_interval"][0] <= 0.05 + 0.03 and g["power"] > 0.5)
        self.assertEqual(list(r["sets"]), ["a", "b"])
        self.assertEqual(len(r["generators"]), 3)
        page = content(os.path.join(report, "report.html")).decode()
        for part in ("AUROC", "<svg", "gen-0", "MMD-D"):
            self.assertIn(part, page)
        for word in ("http://cdn", "https://", "<script src"):
            self.assertNotIn(word, page.replace("http://www.w3.org", ""))
        json.loads(content(os.path.join(report, "report.json")))
        self.assertEqual(sorted(os.listdir(os.path.join(report, "figures"))), ["history.svg", "power.svg", "roc.svg", "scores.svg"])

    def test_same_seed_same_model_on_any_number_of_threads(self):
        one, two = (content(self.train("m%d.safetensors" % t, "--seed", 5, "--threads", t)) for t in (1, 2))
        self.assertEqual(one, two)
        other = content(self.train("other.safetensors", "--seed", 6))
        self.assertNotEqual(one, other)

    def test_info(self):
        info = self.json(NAME, "info", "--model", self.train())
        self.assertEqual((info["dimension"], info["layers"], info["objective"]), (8, [8, 16, 8], "mpp"))
        self.assertEqual((info["reference_texts"], info["calibration_texts"]), (40, 40))

    def test_roles_and_dimensions_are_guarded(self):
        model = self.train()
        self.refuse(2, ["test text", "no other role"], NAME, "score", "--model", model, "--input", self.path("h.npy"))
        self.refuse(2, ["columns", "5", "8"], NAME, "score", "--model", model, "--input", self.embeddings("d5.npy", 9, 0, 13, d=5))
        text = self.write("x.jsonl", jsonl(texts(HUMAN_WORDS, 4, 20, "human")))
        self.refuse(2, ["x.jsonl", "embeddings"], NAME, "score", "--model", model, "--input", text)
        self.refuse(2, ["at least 2"], NAME, "test", "--model", model, "--input", self.embeddings("one.npy", 1, 0, 14))
        self.write("bad.tsv", "label\n" + "machine\n" * 9)
        self.refuse(2, ["--human", "machine"], NAME, "train", "--human", self.embeddings("bad.npy", 9, 0, 15), "--machine", self.path("m.npy"), "--model", self.path("q"))
        self.write("short.tsv", "group\nx\n")
        self.refuse(2, ["short.tsv", "rows"], NAME, "score", "--model", model, "--input", self.embeddings("short.npy", 9, 0, 16))
        self.assertFalse(os.path.exists(self.path("q")))

    def test_damaged_models_and_unwritable_targets(self):
        model = self.train()
        good = content(model)
        x = self.embeddings("x.npy", 9, 0, 17)
        self.refuse(2, ["t.model"], NAME, "score", "--model", self.write("t.model", good[:-7]), "--input", x)
        edited = bytearray(good)
        edited[-9] ^= 1
        self.refuse(2, ["e.model", "edited"], NAME, "score", "--model", self.write("e.model", bytes(edited)), "--input", x)
        self.refuse(2, ["x.npy"], NAME, "score", "--model", x, "--input", x)
        self.refuse(3, ["missing"], NAME, "train", "--human", self.path("h.npy"), "--machine", self.path("m.npy"), "--model", self.path("missing/m"), *SMALL)
        self.refuse(3, ["missing"], NAME, "evaluate", "--model", model, "--human", self.embeddings("eh.npy", 40, 0, 18), "--machine", self.embeddings("em.npy", 40, 0.8, 19),
                    "--report", self.path("missing/report"))
        self.refuse(3, ["/dev/full"], NAME, "train", "--human", self.path("h.npy"), "--machine", self.path("m.npy"), "--model", "/dev/full", *SMALL)
        self.refuse(2, ["--input"], NAME, "score", "--model", model)
        self.refuse(2, ["fpr"], NAME, "score", "--model", model, "--input", x, "--fpr", "2")

    def test_interrupt_leaves_no_file(self):
        human, machine = self.embeddings("h.npy", 400, 0.0, 1), self.embeddings("m.npy", 400, 0.8, 2)
        run = subprocess.Popen([program(NAME), "train", "--human", human, "--machine", machine, "--model", self.path("m.safetensors"), "--steps", "1000000"],
                               stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        time.sleep(1.5)
        run.send_signal(signal.SIGINT)
        out, errors = run.communicate(timeout=60)
        self.assertEqual((run.returncode, out), (130, b""), errors)
        self.assertIn(b"interrupted", errors)
        self.assertEqual(sorted(os.listdir(self.folder)), ["h.npy", "m.npy"])


class Texts(DetectorTest):
    def test_raw_texts_work_out_of_the_box(self):
        model = self.train_on_texts()
        human = self.write("xh.jsonl", jsonl(texts(HUMAN_WORDS, 60, 3, "human")))
        machine = self.write("xm.jsonl", jsonl(texts(MACHINE_WORDS + HUMAN_WORDS, 60, 4, "machine")))
        h, m = (self.json(NAME, "score", "--model", model, "--input", x)["scores"] for x in (human, machine))
        self.assertGreater(sum(a > b for a in m for b in h) / 3600, 0.95)
        self.assertLessEqual(self.json(NAME, "test", "--model", model, "--input", machine)["p_value"], 0.01)
        embedded = self.path("xh.npy")
        self.succeed(NAME, "embed", "--input", human, "--output", embedded, "--model", model)
        self.assertEqual(self.json(NAME, "score", "--model", model, "--input", embedded)["scores"], h)

    def test_documents(self):
        model = self.train_on_texts()
        calibration = self.write("c.jsonl", jsonl(texts(HUMAN_WORDS, 240, 5, "human", 8, ("c", 6))))
        unknown = texts(HUMAN_WORDS, 30, 6, "human", 8, ("human", 6)) + texts(MACHINE_WORDS, 30, 7, "machine", 8, ("machine", 6))
        long = [{"text": "we saw the dog.", "doc": "long"}] * 30
        r = self.json(NAME, "test", "--model", model, "--documents", "--calibration", calibration, "--input", self.write("d.jsonl", jsonl(unknown + long)))
        self.assertEqual(len(r["documents"]), 11)
        for d in r["documents"]:
            self.assertEqual(list(d), ["doc", "p_value", "statistic", "sentences"])
        machine = [d["p_value"] for d in r["documents"] if d["doc"].startswith("machine")]
        self.assertTrue(all(p <= 0.05 for p in machine), machine)
        self.assertIsNone([d for d in r["documents"] if d["doc"] == "long"][0]["p_value"])
        few = self.write("few.jsonl", jsonl(texts(HUMAN_WORDS, 60, 8, "human", 8, ("f", 6))))
        self.refuse(2, ["documents", "10", "19"], NAME, "test", "--model", model, "--documents", "--calibration", few, "--input", self.path("d.jsonl"))
        self.refuse(2, ["doc"], NAME, "test", "--model", model, "--documents", "--calibration", calibration, "--input", self.write("n.jsonl", jsonl(texts(HUMAN_WORDS, 6, 9, "human"))))

    def test_embedding_with_a_vocabulary_of_ones_own(self):
        source = self.write("s.jsonl", jsonl(texts(HUMAN_WORDS, 30, 1, "human")))
        vocabulary = self.path("v.safetensors")
        self.succeed(NAME, "embed", "--input", source, "--output", self.path("a.npy"), "--fit-on", source, "--save-vocabulary", vocabulary)
        self.succeed(NAME, "embed", "--input", source, "--output", self.path("b.npy"), "--vocabulary", vocabulary)
        self.assertEqual(content(self.path("a.npy")), content(self.path("b.npy")))
        self.assertTrue(content(self.path("a.tsv")).startswith(b"id\tlabel\tembedder\n"))
        self.succeed(NAME, "embed", "--input", source, "--output", self.path("demo.npy"), "--vocabulary", os.path.join(DATA, "vocabulary.safetensors"))
        self.refuse(2, ["fit-on"], NAME, "embed", "--input", source, "--output", self.path("c.npy"))
        self.refuse(2, ["UTF-8"], NAME, "embed", "--input", self.write("u.jsonl", b'{"text": "\xff"}\n'), "--output", self.path("c.npy"), "--vocabulary", vocabulary)
        self.refuse(2, ["text"], NAME, "embed", "--input", self.write("k.jsonl", '{"label": "human"}\n'), "--output", self.path("c.npy"), "--vocabulary", vocabulary)
        self.refuse(3, ["missing"], NAME, "embed", "--input", source, "--output", self.path("missing/c.npy"), "--vocabulary", vocabulary)
        self.assertFalse(os.path.exists(self.path("c.npy")))


class Demo(DetectorTest):
    def test_demo(self):
        output = self.succeed(NAME, "demo", "--output", self.path("out"), timeout=900)
        self.assertIn("AUROC", output)
        r = json.loads(content(os.path.join(self.path("out"), "report.json")))
        self.assertGreaterEqual(r["auroc"], 0.94)
        self.assertGreaterEqual(r["sets"]["closedllm"]["auroc"], 0.965)
        self.assertGreaterEqual(r["groups"]["5"]["power"], 0.92)
        self.assertGreaterEqual(r["groups"]["10"]["power"], 0.97)
        for g in r["groups"].values():
            self.assertTrue(0.03 <= g["type_1"] <= 0.07, g)
        check = r["conformal_check"]["0.05"]
        self.assertTrue(check["band_99.9"][0] <= check["false_positives"] <= check["band_99.9"][1], check)
        self.assertEqual(self.json(NAME, "info", "--model", os.path.join(self.path("out"), "model.safetensors"))["dimension"], 669)


if __name__ == "__main__":
    unittest.main()
