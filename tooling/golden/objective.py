"""Goldens of @cloze/objective: torch.nn.functional.cross_entropy with label smoothing, in f64.

Pinned: torch==2.15.0 (checked below).
Run:    python tooling/golden/objective.py     (rewrites packages/objective/test/golden/label-smoothing.json)

Each case has logits [n, vocab], targets [n], the smoothing, the loss of each row, and the gradient of the rows' sum.
"""

import json
import pathlib

import torch

assert torch.__version__.split("+")[0] == "2.15.0", f"expected torch 2.15.0, got {torch.__version__}"
OUT = pathlib.Path(__file__).resolve().parents[2] / "packages/objective/test/golden/label-smoothing.json"


def case(smoothing, rows, vocab, scale):
    # Numbers that both sides can hold.
    logits = (torch.randn(rows, vocab) * scale).float().double().requires_grad_()
    targets = torch.randint(vocab, (rows,))
    losses = torch.nn.functional.cross_entropy(logits, targets, reduction="none", label_smoothing=smoothing)
    losses.sum().backward()
    return {
        "smoothing": smoothing,
        "logits": logits.tolist(),
        "targets": targets.tolist(),
        "losses": losses.tolist(),
        "gradient": logits.grad.tolist(),
    }


torch.set_num_threads(1)
torch.manual_seed(20240520)
cases = [case(0.0, 3, 5, 1.0), case(0.1, 5, 7, 1.0), case(0.1, 4, 33, 6.0), case(0.6, 2, 3, 30.0)]
OUT.parent.mkdir(parents=True, exist_ok=True)
OUT.write_text(json.dumps(cases) + "\n")
