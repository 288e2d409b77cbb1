"""Goldens of the task metrics of @cloze/eval: the same predictions scored by scikit-learn, scipy, seqeval and the SQuAD scripts.

Pinned: scikit-learn==1.9.1, scipy==1.17.1, seqeval==1.2.2 (checked below), and the official evaluation scripts of SQuAD 1.1 and 2.0
        as github.com/huggingface/evaluate has them at a7dd3383 (metrics/squad/compute_score.py, metrics/squad_v2/compute_score.py),
        by checksum.
Run:    python tooling/golden/tasks.py SQUAD1.py SQUAD2.py     (rewrites packages/eval/test/goldens/tasks.json)
"""

import hashlib
import importlib.metadata
import importlib.util
import json
import pathlib
import random
import sys
import warnings

import numpy as np
import scipy.stats
from seqeval.metrics import accuracy_score as tag_accuracy
from seqeval.metrics.sequence_labeling import precision_recall_fscore_support as entity_default
from seqeval.metrics.v1 import precision_recall_fscore_support as entity_strict
from seqeval.scheme import IOB2, IOBES
from sklearn import metrics as sk

PINNED = {"scikit-learn": "1.9.1", "scipy": "1.17.1", "seqeval": "1.2.2"}
FOUND = {name: importlib.metadata.version(name) for name in PINNED}
assert FOUND == PINNED, f"expected {PINNED}, got {FOUND}"
SCRIPTS = {
    1: "6c27d9393600a8e6c665adb2dc2c966ae7c7a70960064eb032711dc58914956a",
    2: "a15fd71be3bc594a0a7efba3e070a25e984d75ed3a135663a75bc5c6e4cf57c8",
}
OUT = pathlib.Path(__file__).resolve().parents[2] / "packages/eval/test/goldens/tasks.json"
rng = np.random.default_rng(20240521)
draw = random.Random(20240521)
warnings.simplefilter("ignore")


def script(version):
    path = pathlib.Path(sys.argv[version])
    found = hashlib.sha256(path.read_bytes()).hexdigest()
    assert found == SCRIPTS[version], f"{path}: expected sha256 {SCRIPTS[version]}, got {found}"
    spec = importlib.util.spec_from_file_location(f"squad{version}", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def finite(value):
    return None if value is None or np.isnan(value) else float(value)


def scores(values):
    return dict(zip(("precision", "recall", "f1"), map(float, values[:3])))


def averages(compute, names):
    return {name: scores(compute(name)) for name in names}


def classification(name, classes, targets, predictions):
    def compute(average):
        return sk.precision_recall_fscore_support(targets, predictions, average=average, zero_division=0)

    each = sk.precision_recall_fscore_support(
        targets, predictions, labels=range(classes), average=None, zero_division=0
    )
    return {
        "name": name, "classes": classes, "targets": targets, "predictions": predictions,
        "expected": {
            "accuracy": float(sk.accuracy_score(targets, predictions)), "mcc": float(sk.matthews_corrcoef(targets, predictions)),
            **averages(compute, ("micro", "macro", "weighted")),
            "classes": [{"precision": p, "recall": r, "f1": f, "support": s} for p, r, f, s in zip(*(x.tolist() for x in each))],
        },
    }  # fmt: skip


def regression(name, targets, predictions):
    constant = len(set(targets)) == 1 or len(set(predictions)) == 1
    return {
        "name": name, "targets": targets, "predictions": predictions,
        "expected": {
            "mse": float(sk.mean_squared_error(targets, predictions)), "rmse": float(sk.root_mean_squared_error(targets, predictions)),
            "mae": float(sk.mean_absolute_error(targets, predictions)), "r2": float(sk.r2_score(targets, predictions)),
            "pearson": None if constant else finite(scipy.stats.pearsonr(targets, predictions).statistic),
            "spearman": None if constant else finite(scipy.stats.spearmanr(targets, predictions).statistic),
        },
    }  # fmt: skip


def multi_label(name, targets, predictions):
    targets, predictions = np.asarray(targets), np.asarray(predictions)

    def compute(average):
        return sk.precision_recall_fscore_support(targets, predictions, average=average, zero_division=0)

    return {
        "name": name, "labels": targets.shape[1], "targets": targets.ravel().tolist(), "predictions": predictions.ravel().tolist(),
        "expected": {
            **averages(compute, ("micro", "macro", "weighted", "samples")),
            "exactMatch": float(sk.accuracy_score(targets, predictions)), "hammingLoss": float(sk.hamming_loss(targets, predictions)),
        },
    }  # fmt: skip


def tags(letters, length):
    return [
        draw.choice(["O", "O", *(f"{p}-{t}" for p in letters for t in ("PER", "LOC", "ORG-X"))]) for _ in range(length)
    ]


def valid(scheme, length):
    """Tags that are well-formed, so that strict and lenient agree on the truth."""
    out = []
    while len(out) < length:
        kind, size = draw.choice(["PER", "LOC", "ORG-X"]), min(draw.randint(1, 3), length - len(out))
        if draw.random() < 0.5:
            out.append("O")
        elif scheme == "IOB2":
            out += [f"B-{kind}"] + [f"I-{kind}"] * (size - 1)
        else:
            out += [f"S-{kind}"] if size == 1 else [f"B-{kind}", *[f"I-{kind}"] * (size - 2), f"E-{kind}"]
    return out


def noisy(sentence, letters):
    return [draw.choice(tags(letters, 1)) if draw.random() < 0.25 else tag for tag in sentence]


def entity(name, scheme, targets, predictions):
    def compute(average):
        if scheme == "conll":
            return entity_default(targets, predictions, average=average, zero_division=0)
        return entity_strict(
            targets, predictions, average=average, zero_division=0, scheme={"IOB2": IOB2, "IOBES": IOBES}[scheme]
        )

    return {
        "name": name, "scheme": scheme, "targets": targets, "predictions": predictions,
        "expected": {**averages(compute, ("micro", "macro", "weighted")), "accuracy": float(tag_accuracy(targets, predictions))},
    }  # fmt: skip


def entities():
    cases = []
    for scheme, letters in (("IOB2", "BI"), ("IOBES", "BIES")):
        truth = [valid(scheme, draw.randint(3, 12)) for _ in range(20)]
        guess = [noisy(sentence, letters) for sentence in truth]
        cases += [
            entity(f"{scheme}, strict", scheme, truth, guess),
            entity(f"{scheme}, lenient", "conll", truth, guess),
        ]
        wild = [tags(letters, draw.randint(1, 9)) for _ in range(30)], [None] * 30
        other = [tags(letters, len(s)) for s in wild[0]]
        cases += [
            entity(f"{scheme} at random, strict", scheme, wild[0], other),
            entity(f"{scheme} at random, lenient", "conll", wild[0], other),
        ]
    cases.append(entity("bare letters", "conll", [["B", "I", "O", "I"]], [["B", "I", "O", "B"]]))
    return cases


ANSWERS = [
    "the cat",
    "Cat",
    "a big, black cat",
    "An apple",
    "ça a été",
    "1,000 km",
    "U.S.A.",
    "Straße",
    "  spaced\u00a0out\tnow ",
    "the",
    "...",
    "the U.S.A",
    "naïve café",
    "a_b the",
    "Ünder the Äpfel",
]


def squad(name, questions, threshold=None):
    squad1, squad2 = script(1), script(2)
    ids = [f"q{i}" for i in range(len(questions))]
    preds = {i: q["prediction"] for i, q in zip(ids, questions)}
    data = [{"paragraphs": [{"qas": [{"id": i, "answers": {"text": q["answers"]}} for i, q in zip(ids, questions)]}]}]
    has = {i: bool(q["answers"]) for i, q in zip(ids, questions)}
    na = {i: q.get("noAnswer", 0.0) for i, q in zip(ids, questions)}
    exact, f1 = squad2.get_raw_scores(data, preds)
    limit = float("inf") if threshold is None else threshold
    judged = [squad2.apply_no_ans_threshold(s, na, has, limit) for s in (exact, f1)]

    def part(qids=None):
        made = squad2.make_eval_dict(*judged, qid_list=qids)
        return {"exact": made["exact"] / 100, "f1": made["f1"] / 100, "questions": made["total"]}

    expected = part()
    if any(has.values()):
        expected["hasAnswer"] = part([i for i in ids if has[i]])
    if not all(has.values()):
        expected["noAnswer"] = part([i for i in ids if not has[i]])
    if all("noAnswer" in q for q in questions):
        best = {}
        squad2.find_all_best_thresh(best, preds, exact, f1, na, has)
        expected["best"] = {
            "exact": best["best_exact"] / 100, "exactThreshold": best["best_exact_thresh"],
            "f1": best["best_f1"] / 100, "f1Threshold": best["best_f1_thresh"],
        }  # fmt: skip
    case = {"name": name, "questions": questions, "expected": expected}
    if threshold is not None:
        case["threshold"] = threshold
    if all(any(squad2.normalize_answer(a) for a in q["answers"]) for q in questions) and threshold is None:
        plain = [
            {
                "paragraphs": [
                    {
                        "qas": [
                            {"id": i, "answers": [{"text": a} for a in q["answers"] if squad2.normalize_answer(a)]}
                            for i, q in zip(ids, questions)
                        ]
                    }
                ]
            }
        ]
        old = squad1.compute_score(plain, preds)
        case["squad1"] = {"exact": old["exact_match"] / 100, "f1": old["f1"] / 100}
    return case


def question(answerable, scored):
    answers = draw.sample(ANSWERS, draw.randint(1, 3)) if answerable else []
    guess = draw.choice([*answers, draw.choice(ANSWERS), f"{draw.choice(ANSWERS)} {draw.choice(ANSWERS)}", ""])
    return {
        "prediction": guess,
        "answers": answers,
        **({"noAnswer": round(draw.random() * (0.5 if answerable else 1), 3)} if scored else {}),
    }


def ids(classes, n, skill):
    targets = rng.integers(0, classes, size=n)
    return targets.tolist(), np.where(rng.random(n) < skill, targets, rng.integers(0, classes, size=n)).tolist()


y = rng.normal(size=40).round(4)
auc_cases = [
    ("no ties", rng.integers(0, 2, 50).tolist(), rng.normal(size=50).round(6).tolist()),
    ("many ties", rng.integers(0, 2, 60).tolist(), rng.integers(0, 5, 60).tolist()),
    ("perfect", [0, 0, 1], [0.1, 0.2, 0.3]),
]
parts = {
    "pinned": PINNED,
    "classification": [
        classification("two classes", 2, *ids(2, 60, 0.5)),
        classification("five classes", 5, *ids(5, 120, 0.4)),
        classification("a class never present nor predicted", 4, [0, 1, 3, 0, 1], [0, 3, 3, 0, 0]),
        classification("a class only predicted", 3, [0, 1, 1, 0], [2, 1, 0, 0]),
        classification("all of one class", 2, [1, 1, 1], [1, 1, 1]),
    ],
    "auc": [{"name": n, "targets": t, "scores": s, "expected": float(sk.roc_auc_score(t, s))} for n, t, s in auc_cases],
    "regression": [
        regression("close", y.tolist(), (y + 0.3 * rng.normal(size=40)).round(4).tolist()),
        regression("unrelated", y.tolist(), rng.normal(size=40).round(4).tolist()),
        regression("constant targets", [2.0, 2.0, 2.0], [1.0, 2.0, 3.0]),
        regression("constant targets, met", [2.0, 2.0], [2.0, 2.0]),
        regression("constant predictions", [1.0, 2.0, 4.0], [2.0, 2.0, 2.0]),
    ],
    "multiLabel": [
        multi_label("four labels", rng.integers(0, 2, (25, 4)), rng.integers(0, 2, (25, 4))),
        multi_label("labels that never occur, empty sets", [[1, 0, 0], [0, 0, 0], [1, 1, 0]], [[1, 0, 0], [0, 0, 0], [0, 1, 0]]),
    ],
    "entities": entities(),
    "squad": [
        squad("answerable", [question(True, False) for _ in range(60)]),
        squad("both kinds", [question(i % 3 > 0, True) for i in range(60)]),
        squad("both kinds, a threshold", [question(i % 3 > 0, True) for i in range(40)], 0.4),
        squad("nothing can be answered", [question(False, True) for _ in range(8)]),
    ],
    "normalize": [{"text": a, "expected": script(2).normalize_answer(a)} for a in [*ANSWERS, "", "A", "a a an the THE", "İstanbul", "ΣΑΣ", "x\x1cy\x85z", "[a]b{c}`d~", "a\u0301 the\u200b"]],
}  # fmt: skip
rows = (
    lambda v: "[\n" + ",\n".join("    " + json.dumps(x) for x in v) + "\n  ]" if isinstance(v, list) else json.dumps(v)
)
OUT.write_text("{\n" + ",\n".join(f'  "{k}": {rows(v)}' for k, v in parts.items()) + "\n}\n")
print(
    f"{OUT.name}: {', '.join(f'{len(v)} {k}' for k, v in parts.items() if isinstance(v, list))}, {OUT.stat().st_size} bytes"
)
