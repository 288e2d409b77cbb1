"""Goldens of entities by tag scheme: seqeval's scores, default and strict, of random and of well-formed tags.

Pinned: seqeval==1.2.2 (checked below).
Run:    python tooling/golden/tag-schemes.py     (rewrites packages/eval/test/goldens/tag-schemes.json)
        python tooling/golden/tag-schemes.py N   (writes N random sentences a scheme to stdout: a larger, uncommitted set)
"""

import importlib.metadata
import json
import pathlib
import random
import sys
import warnings

from seqeval.metrics.sequence_labeling import get_entities
from seqeval.metrics.sequence_labeling import precision_recall_fscore_support as default_scores
from seqeval.metrics.v1 import precision_recall_fscore_support as strict_scores
from seqeval.scheme import BILOU, IOB1, IOB2, IOBES, IOE1, IOE2, Tokens

assert importlib.metadata.version("seqeval") == "1.2.2"
warnings.simplefilter("ignore")
OUT = pathlib.Path(__file__).resolve().parents[2] / "packages/eval/test/goldens/tag-schemes.json"
SCHEMES = {"IOB1": (IOB1, "BI"), "IOB2": (IOB2, "BI"), "IOE1": (IOE1, "IE"), "IOE2": (IOE2, "IE"),
           "IOBES": (IOBES, "BIES"), "BILOU": (BILOU, "BILU")}  # fmt: skip
BIOES = {"L": "E", "U": "S"}
draw = random.Random(7)


def sentence(letters):
    types = draw.choice([("PER", "LOC"), ("PER", "LOC", "ORG-X"), ("A",)])
    share = draw.choice([0.1, 0.4])
    return [
        "O" if draw.random() < share else f"{draw.choice(letters)}-{draw.choice(types)}"
        for _ in range(draw.randint(1, 9))
    ]


def as_bioes(tags):
    """seqeval's default mode knows no L and no U."""
    return [BIOES.get(tag[0], tag[0]) + tag[1:] for tag in tags]


def entities(tags, scheme):
    strict = [[e.tag, e.start, e.end] for e in Tokens(tags, scheme).entities]
    lenient = [[kind, start, end + 1] for kind, start, end in get_entities(as_bioes(tags))]
    return {"tags": tags, "strict": strict, "lenient": lenient}


def scores(compute, targets, predictions, **more):
    def named(average):
        values = compute(targets, predictions, average=average, zero_division=0, **more)
        return dict(zip(("precision", "recall", "f1"), map(float, values[:3])))

    return {name: named(name) for name in ("micro", "macro", "weighted")}


def corpus(name, count):
    scheme, letters = SCHEMES[name]
    targets = [sentence(letters) for _ in range(count)]
    predictions = [
        [tag if draw.random() < 0.7 else sentence(letters)[0] for tag in sentence_tags] for sentence_tags in targets
    ]
    return {
        "scheme": name,
        "sentences": [entities(tags, scheme) for tags in targets],
        "predictions": predictions,
        "strict": scores(strict_scores, targets, predictions, scheme=scheme),
        "lenient": scores(default_scores, [as_bioes(t) for t in targets], [as_bioes(t) for t in predictions]),
    }


if len(sys.argv) > 1:
    json.dump([corpus(name, int(sys.argv[1])) for name in SCHEMES], sys.stdout)
else:
    OUT.write_text(json.dumps([corpus(name, 25) for name in SCHEMES], separators=(",", ":")) + "\n")
