"""Goldens of @cloze/eval: the same predictions scored by scikit-learn and scipy.

Pinned: scikit-learn==1.9.1, scipy==1.17.1, numpy==2.4.6 (checked below).
Run:    python tooling/golden/eval.py      (rewrites packages/eval/test/goldens/metrics.json)

Every case is made of batches {targets, predictions, lossSum}; the expected numbers are those of all batches together.
Losses are scikit-learn's log_loss on drawn probabilities: unnormalised per batch, normalised for the whole case.
"""

import json
import pathlib
import warnings

import numpy as np
import scipy
import scipy.stats
import sklearn
from sklearn.metrics import accuracy_score, log_loss, matthews_corrcoef, precision_recall_fscore_support

PINNED = {"scikit-learn": "1.9.1", "scipy": "1.17.1", "numpy": "2.4.6"}
FOUND = {"scikit-learn": sklearn.__version__, "scipy": scipy.__version__, "numpy": np.__version__}
assert FOUND == PINNED, f"expected {PINNED}, got {FOUND}"
OUT = pathlib.Path(__file__).resolve().parents[2] / "packages/eval/test/goldens/metrics.json"
rng = np.random.default_rng(20240520)
# A class without predictions, a constant list: scikit-learn and scipy warn and return the number that we want.
warnings.simplefilter("ignore")


def case(name, classes, targets, predictions, cuts=()):
    targets, predictions = np.asarray(targets), np.asarray(predictions)
    p = rng.dirichlet(np.full(classes, 0.5), size=len(targets)) + 1e-3
    p /= p.sum(axis=1, keepdims=True)
    labels = np.arange(classes)

    def nats(rows, normalize):
        if classes == 1:
            return 0.0
        return float(log_loss(targets[rows], p[rows], normalize=normalize, labels=labels))

    bounds = [0, *cuts, len(targets)]
    rows = [np.arange(a, b) for a, b in zip(bounds, bounds[1:])]
    precision, recall, f1, _ = precision_recall_fscore_support(
        targets, predictions, labels=labels, average="weighted", zero_division=0
    )
    return {
        "name": name,
        "classes": classes,
        "batches": [
            {"targets": targets[r].tolist(), "predictions": predictions[r].tolist(), "lossSum": nats(r, False)}
            for r in rows
        ],
        "expected": {
            "loss": nats(np.arange(len(targets)), True),
            "accuracy": float(accuracy_score(targets, predictions)),
            "precision": float(precision),
            "recall": float(recall),
            "f1": float(f1),
            "mcc": float(matthews_corrcoef(targets, predictions)),
            "tokens": len(targets),
        },
    }


def draw(classes, n, skill):
    targets = rng.choice(classes, size=n, p=rng.dirichlet(np.full(classes, 2.0)))
    guesses = rng.integers(0, classes, size=n)
    return targets, np.where(rng.random(n) < skill, targets, guesses)


def spearman_case(name, x, y):
    rho = float(scipy.stats.spearmanr(x, y).statistic)
    return {
        "name": name,
        "x": np.asarray(x).tolist(),
        "y": np.asarray(y).tolist(),
        "expected": None if np.isnan(rho) else rho,
    }


cases = [
    case("two classes", 2, *draw(2, 40, 0.6), cuts=(7, 8)),
    case("33 classes, four uneven batches", 33, *draw(33, 400, 0.5), cuts=(1, 60, 333)),
    case("33 classes, no skill", 33, *draw(33, 200, 0.0)),
    case("a class never predicted", 3, [0, 1, 2, 2, 1, 0, 2], [0, 1, 1, 0, 1, 0, 0]),
    case("a class never present", 3, [0, 1, 1, 0, 1], [2, 1, 1, 0, 2]),
    case("a class neither present nor predicted", 5, [0, 1, 3, 0, 4], [0, 1, 3, 1, 0]),
    case("all targets one class", 4, [2, 2, 2, 2], [2, 0, 2, 1]),
    case("all predictions one class", 4, [0, 1, 2, 3, 1], [1, 1, 1, 1, 1]),
    case("all one class, all right", 4, [3, 3, 3], [3, 3, 3]),
    case("all wrong", 3, [0, 1, 2, 0], [1, 2, 0, 2]),
    case("perfect", 4, [0, 1, 2, 3, 2], [0, 1, 2, 3, 2]),
    case("a single token, right", 5, [4], [4]),
    case("a single token, wrong", 5, [4], [1]),
    case("one class only", 1, [0, 0], [0, 0]),
]
ties = rng.integers(0, 6, size=60)
spearman = [
    spearman_case("no ties", rng.normal(size=50).round(6), rng.normal(size=50).round(6)),
    spearman_case("many ties", ties, ties + rng.integers(0, 5, size=60)),
    spearman_case("reversed", [1, 2, 3, 4, 5], [5, 4, 3, 2, 1]),
    spearman_case("two pairs", [1, 2], [7, 9]),
    spearman_case("one list constant", [1, 2, 3], [4, 4, 4]),
    spearman_case("signed zero is a tie", [0.0, -0.0, 1.0], [1.0, 2.0, 3.0]),
]
counts = [rng.integers(0, 10_000, size=33).tolist(), [5, 5], [1, 0, 0], [3, 0, 9, 1]]
entropy = [{"counts": c, "expected": float(scipy.stats.entropy(c))} for c in counts]

parts = {"pinned": PINNED, "cases": cases, "spearman": spearman, "entropy": entropy}
rows = (
    lambda v: "[\n" + ",\n".join("    " + json.dumps(x) for x in v) + "\n  ]" if isinstance(v, list) else json.dumps(v)
)
OUT.write_text("{\n" + ",\n".join(f'  "{k}": {rows(v)}' for k, v in parts.items()) + "\n}\n")
print(
    f"{OUT.name}: {len(cases)} cases, {len(spearman)} rank correlations, {len(entropy)} entropies, {OUT.stat().st_size} bytes"
)
