"""The character tables of @cloze/tokenizer-wordpiece, read off Python tokenizers code point by code point.

Versions: python 3.11, tokenizers 0.23.3.
Run from the repository root:  python tooling/golden/tokenizer-wordpiece-tables.py

`tokenizers` has categories of one Unicode version, decompositions of another and lower case of a third; what a JavaScript
engine calls punctuation or a mark is yet another. So the tables are what the library does, not what a standard says.
Also writes a digest over what the library makes of every code point, which a test compares with ours.
"""

import hashlib
import json
import unicodedata
from pathlib import Path

import tokenizers
from tokenizers import normalizers, pre_tokenizers

assert tokenizers.__version__ == "0.23.3", "another version than the tables were made with"

OUT = Path("packages/tokenizer-wordpiece/src/unicode-tables.ts")
DIGESTS = Path("packages/tokenizer-wordpiece/test/golden/code-points.json")
SURROGATES = range(0xD800, 0xE000)
POINTS = [c for c in range(0x110000) if c not in SURROGATES]


def bert(**on):
    return normalizers.BertNormalizer(
        **{"clean_text": False, "handle_chinese_chars": False, "strip_accents": False, "lowercase": False, **on}
    )


CLEAN, STRIP, LOWER = bert(clean_text=True), bert(strip_accents=True), bert(lowercase=True)
CHINESE, NFD, WORDS = bert(handle_chinese_chars=True), normalizers.NFD(), pre_tokenizers.BertPreTokenizer()


def ranges(points):
    """Runs as "gap length gap length …" in base 36: the gap is counted from the end of the run before."""
    out, end = [], 0
    for c in points:
        if out and c == end:
            out[-1][1] += 1
        else:
            out.append([c - end, 1])
        end = c + 1
    return " ".join(f"{base36(gap)} {base36(length)}" for gap, length in out)


def base36(n):
    digits = "0123456789abcdefghijklmnopqrstuvwxyz"
    return digits[n] if n < 36 else base36(n // 36) + digits[n % 36]


def combining_class(c):
    """The class by which the library reorders: Python's, unless the library's older Unicode lacks the character."""
    given = unicodedata.combining(chr(c))
    if given == 0:
        return 0
    # A mark of a lower class moves before it if the library knows the class; one of class 1 has nothing lower, so ask the other way.
    if given > 1:
        return given if NFD.normalize_str("a" + chr(c) + "\u0334") == "a\u0334" + chr(c) else 0
    return given if NFD.normalize_str("a\u0301" + chr(c)) == "a" + chr(c) + "\u0301" else 0


def wrapped(text, width=108):
    lines, line = [], ""
    for word in text.split(" "):
        if len(line) + len(word) + 1 > width:
            lines.append(line + " ")
            line = word
        else:
            line = f"{line} {word}" if line else word
    return " +\n".join(f'  "{part}"' for part in [*lines, line])


def main():
    dropped = [c for c in POINTS if CLEAN.normalize_str(chr(c)) == ""]
    pieces = {c: len(WORDS.pre_tokenize_str(f"a{chr(c)}b")) for c in POINTS}
    spaces = [c for c in POINTS if pieces[c] == 2]
    punctuation = [c for c in POINTS if pieces[c] == 3]
    chinese = [c for c in POINTS if CHINESE.normalize_str(chr(c)) != chr(c)]
    marks = [c for c in POINTS if STRIP.normalize_str(chr(c)) == "" and NFD.normalize_str(chr(c)) == chr(c)]
    composed = [
        0x105C9,
        0x105E4,
        0x11383,
        0x11385,
        0x1138E,
        0x11391,
        0x113C5,
        0x113C7,
        0x113C8,
        0x11938,
        *range(0x16121, 0x16129),
        *range(0x16D68, 0x16D6B),
    ]
    assert all(NFD.normalize_str(chr(c)) == chr(c) for c in composed)
    by_class = {}
    for c in POINTS:
        if value := combining_class(c):
            by_class.setdefault(value, []).append(c)
    tables = {
        "DROPPED": ("Controls, formats, private use, U+0000 and U+FFFD: cleaned away.", ranges(dropped)),
        "SPACES": (
            "White space. U+000B, U+000C and U+0085 among it are controls, and gone where text is cleaned.",
            ranges(spaces),
        ),
        "PUNCTUATION": ("A word of its own each. ASCII symbols count, other symbols do not.", ranges(punctuation)),
        "CHINESE": ("The blocks that BERT puts spaces around.", ranges(chinese)),
        "MARKS": ("Non-spacing marks: what accent stripping strips.", ranges(marks)),
        "COMPOSED": ("Characters that newer versions of Unicode decompose and the library does not.", ranges(composed)),
    }
    text = (
        "/**\n * What Python `tokenizers` 0.23.3 takes each character for, as runs `gap length gap length …` in base 36, gaps counted from the end of\n"
        " * the run before. Written by tooling/golden/tokenizer-wordpiece-tables.py: do not edit.\n */\n"
    )
    for name, (doc, value) in tables.items():
        text += f"\n/** {doc} */\nexport const {name}: string =\n{wrapped(value)};\n"
    text += "\n/** Runs by canonical combining class, for the classes other than 0. */\nexport const COMBINING: readonly (readonly [combiningClass: number, runs: string])[] = [\n"
    text += "".join(
        f'  [{value}, "{ranges(points)}"],\n'
        if len(ranges(points)) < 90
        else f"  [{value},\n{wrapped(ranges(points))}],\n"
        for value, points in sorted(by_class.items())
    )
    text += "];\n"
    OUT.write_text(text)
    # Only characters that every supported engine knows.
    assigned = [c for c in POINTS if unicodedata.category(chr(c)) not in ("Cn", "Co")]
    digests = {
        "tokenizers": tokenizers.__version__,
        "unicode": unicodedata.unidata_version,
        "assigned": ranges(assigned),
    }
    for name, normalizer in {
        "uncased": normalizers.BertNormalizer(),
        "cased": normalizers.BertNormalizer(lowercase=False),
        "accented": normalizers.BertNormalizer(strip_accents=False),
    }.items():
        digest = hashlib.sha256()
        for c in assigned:
            words = [w for w, _ in WORDS.pre_tokenize_str(normalizer.normalize_str(f"a{chr(c)}b"))]
            digest.update(("|".join(words) + "\n").encode())
        digests[name] = digest.hexdigest()
    DIGESTS.write_text(json.dumps(digests, indent=2) + "\n")


main()
