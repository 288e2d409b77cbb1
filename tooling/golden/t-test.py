"""Goldens of @cloze/eval: one-sided t-tests by scipy.

Pinned: scipy==1.17.1, numpy==2.4.6 (checked below).
Run:    python tooling/golden/t-test.py      (rewrites packages/eval/test/goldens/t-test.json)
"""

import json
import pathlib

import numpy as np
import scipy
import scipy.stats

PINNED = {"scipy": "1.17.1", "numpy": "2.4.6"}
FOUND = {"scipy": scipy.__version__, "numpy": np.__version__}
assert FOUND == PINNED, f"expected {PINNED}, got {FOUND}"
OUT = pathlib.Path(__file__).resolve().parents[2] / "packages/eval/test/goldens/t-test.json"
rng = np.random.default_rng(20240520)

samples = []
for n in (2, 3, 4, 5, 10, 40, 300):
    for shift in (-3.0, -0.5, 0.0, 0.7, 5.0):
        values = np.round(rng.normal(2.86, 0.004, n), 6)
        target = float(np.round(2.86 - shift * 0.004, 6))
        found = scipy.stats.ttest_1samp(values, target, alternative="less")
        samples.append(
            {"values": values.tolist(), "target": target, "t": float(found.statistic), "p": float(found.pvalue)}
        )

cdf = [
    {"t": t, "degrees": d, "p": float(scipy.stats.t.cdf(t, d))}
    for d in (1, 2, 3, 7, 30, 250)
    for t in (-40.0, -9.5, -2.0, -0.1, 0.0, 0.3, 1.0, 6.0)
]
OUT.write_text(json.dumps({"samples": samples, "cdf": cdf}, indent=1) + "\n")
