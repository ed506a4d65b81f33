#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Counts the n-grams of texts/*.txt from the recipe in docs/text.md, independently of the library; writes counts.tsv beside itself.

A line per text and class: text, class, then key:count in the order of the keys. Standard library only.
"""
import pathlib
import re
from collections import Counter

HERE = pathlib.Path(__file__).parent
MASK = (1 << 64) - 1
FUNCTION_WORDS = set((HERE / "function_words.txt").read_text().split())
# In latin-1 each byte is one character, so that regular expressions see bytes.
TOKEN = re.compile("[A-Za-z\x80-\xff]+(?:'[A-Za-z\x80-\xff]+)?|[0-9]+|[^ \t\n\v\f\r]", re.DOTALL)
LOWER = {ord(c): c.lower() for c in "ABCDEFGHIJKLMNOPQRSTUVWXYZ"}


def key(number, text):
    h = 1469598103934665603 ^ (number * 0x9E3779B97F4A7C15 & MASK)
    for byte in text.encode("latin-1"):
        h = (h ^ byte) * 1099511628211 & MASK
    for factor in (0xFF51AFD7ED558CCD, 0xC4CEB9FE1A85EC53):
        h = (h ^ h >> 33) * factor & MASK
    h ^= h >> 33
    return (number << 22) + h % (1 << 22)


def runs(units, n):
    return [" ".join(units[i:i + n]) for i in range(len(units) - n + 1)]


def characters(text):
    """Characters of UTF-8; stray continuation bytes belong to what stands before them."""
    return re.findall("[^\x80-\xbf][\x80-\xbf]*", text, re.DOTALL)


def classes(text):
    tokens = TOKEN.findall(text)
    words, skeleton, shape = [], [], []
    for token in tokens:
        lower = token.translate(LOWER)
        if token[0] in "0123456789":
            lower = "0"
        words.append(lower)
        is_word = re.match("[A-Za-z\x80-\xff]", token) is not None
        if not is_word or lower in FUNCTION_WORDS:
            skeleton.append(lower)
            shape.append(lower)
        else:
            capital = "A" <= token[0] <= "Z"
            starts = [i for i, c in enumerate(lower) if not "\x80" <= c <= "\xbf"]
            tail = lower[starts[-2]:] if len(starts) >= 2 else lower
            skeleton.append(("^" if capital else "-") + tail)
            shape.append("C" if capital else "x")
    folded = re.sub("[ \t\n\v\f\r]+", " ", re.sub("[0-9]", "0", text.translate(LOWER))).strip(" ")
    chars = characters(" " + folded + " ") if folded else []
    grams = {n: ["".join(chars[i:i + n]) for i in range(len(chars) - n + 1)] for n in (3, 4)}
    return [words, runs(words, 2), grams[3], grams[4], skeleton, runs(skeleton, 2), runs(shape, 2), runs(shape, 3)]


def main():
    lines = []
    for path in sorted((HERE / "texts").glob("*.txt")):
        for number, features in enumerate(classes(path.read_bytes().decode("latin-1"))):
            counts = Counter(key(number, feature) for feature in features)
            lines.append("\t".join([path.stem, str(number), *(f"{k}:{n}" for k, n in sorted(counts.items()))]) + "\n")
    (HERE / "counts.tsv").write_text("".join(lines))


if __name__ == "__main__":
    main()
