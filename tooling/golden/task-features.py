"""Goldens of @cloze/tasks: what transformers' tokenizer and the recipes of its examples make of questions and tagged words.

Pinned: transformers==5.23.0, tokenizers==0.23.3 (checked below).
Run:    python tooling/golden/task-features.py     (rewrites packages/tasks/test/golden/features.json)

questions  windows of (question, context) with overlap, and the tokens of the answer in each; [CLS] where it is not in the window
tags       labels of words at their first pieces, -100 elsewhere
Starts of answers count code points here and UTF-16 units there; both are written down.
"""

import json
import pathlib
import random
import tempfile

import tokenizers
import transformers

PINNED = {"transformers": "5.23.0", "tokenizers": "0.23.3"}
FOUND = {m.__name__: m.__version__ for m in (transformers, tokenizers)}
assert FOUND == PINNED, f"expected {PINNED}, got {FOUND}"
OUT = pathlib.Path(__file__).resolve().parents[2] / "packages/tasks/test/golden/features.json"
draw = random.Random(20240522)

PIECES = [
    "a",
    "an",
    "the",
    "cat",
    "dog",
    "lives",
    "in",
    "rome",
    "oslo",
    "who",
    "where",
    "is",
    "un",
    "##a",
    "##s",
    "##ly",
    "##ff",
    "##able",
    "b",
    "##b",
    "##o",
    "o",
    "n",
    "##n",
    ",",
    ".",
    "?",
    "'",
    "-",
    "1",
    "##2",
    "9",
    "é",
    "e",
    "猫",
    "😀",
]
VOCABULARY = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *PIECES]
WORDS = [
    "a",
    "an",
    "the",
    "cats",
    "Dog",
    "lives",
    "in",
    "Rome",
    "Oslo's",
    "unaffable",
    "bob",
    "ann",
    "12-9",
    "Éa",
    "猫猫",
    "😀",
    "xyz",
    "o.",
    "is,",
    "dogly",
]
folder = tempfile.mkdtemp()
pathlib.Path(folder, "vocab.txt").write_text("\n".join(VOCABULARY) + "\n")
tokenizer = transformers.BertTokenizerFast.from_pretrained(folder)


def utf16(text):
    return len(text.encode("utf-16-le")) // 2


def question(max_length, stride):
    words = [draw.choice(WORDS) for _ in range(draw.randint(5, 60))]
    first = draw.randrange(len(words))
    last = min(len(words) - 1, first + draw.randint(0, 4))
    joint = [draw.choice([" ", " ", "  ", "\t"]) for _ in words]
    context = "".join(w + s for w, s in zip(words, joint)).rstrip()
    start = len("".join(w + s for w, s in zip(words[:first], joint)))
    answer = "".join(w + s for w, s in zip(words[first : last + 1], joint[first:])).rstrip()
    asked = " ".join(draw.choice(["who", "where", "is", "the cat", "?"]) for _ in range(draw.randint(1, 4)))
    encoded = tokenizer(
        asked,
        context,
        truncation="only_second",
        max_length=max_length,
        stride=stride,
        return_overflowing_tokens=True,
        return_offsets_mapping=True,
    )
    spans = []
    for row, offsets in enumerate(encoded["offset_mapping"]):
        sequence = encoded.sequence_ids(row)
        open_, close = sequence.index(1), len(sequence) - 1 - sequence[::-1].index(1)
        end = start + len(answer)
        if offsets[open_][0] > start or offsets[close][1] < end:
            spans.append([0, 0])
            continue
        while open_ < len(offsets) and sequence[open_] == 1 and offsets[open_][0] <= start:
            open_ += 1
        while sequence[close] == 1 and offsets[close][1] >= end:
            close -= 1
        spans.append([open_ - 1, close + 1])
    return {
        "question": asked, "context": context, "answer": answer, "codePoint": start, "start": utf16(context[:start]),
        "maxLength": max_length, "stride": stride, "ids": encoded["input_ids"], "types": encoded["token_type_ids"], "spans": spans,
    }  # fmt: skip


def tags():
    words = [draw.choice(WORDS) for _ in range(draw.randint(1, 12))]
    labels = [draw.randrange(3) for _ in words]
    encoded = tokenizer(words, is_split_into_words=True)
    ids, before = [], None
    for word in encoded.word_ids():
        ids.append(-100 if word is None or word == before else labels[word])
        before = word
    return {"words": words, "labels": labels, "ids": encoded["input_ids"], "targets": ids}


parts = {
    "pinned": PINNED,
    "vocabulary": VOCABULARY,
    "questions": [question(*draw.choice([(24, 6), (32, 10), (48, 16), (64, 0)])) for _ in range(30)],
    "tags": [tags() for _ in range(20)],
}
rows = (
    lambda v: "[\n" + ",\n".join("    " + json.dumps(x, ensure_ascii=False) for x in v) + "\n  ]"
    if isinstance(v, list) and isinstance(v[0], dict)
    else json.dumps(v, ensure_ascii=False)
)
OUT.write_text("{\n" + ",\n".join(f'  "{k}": {rows(v)}' for k, v in parts.items()) + "\n}\n")
print(
    f"{OUT.name}: {len(parts['questions'])} questions in {sum(len(q['ids']) for q in parts['questions'])} windows, {len(parts['tags'])} sentences, {OUT.stat().st_size} bytes"
)
