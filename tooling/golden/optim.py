"""Goldens of @cloze/optim: torch.optim.AdamW with clip_grad_norm_.

Pinned: torch==2.15.0 (checked below).
Run:    python tooling/golden/optim.py     (rewrites packages/optim/test/golden)

adamw.json      20 steps in f64 of three parameters, two decay groups, one of them at half the rate; the global norm is clipped
                at 1, which bites in some steps and not in others; gradients are sums with a weight that changes by step
"""

import json
import pathlib

import torch

PINNED = {"torch": "2.15.0"}
FOUND = {"torch": torch.__version__.split("+")[0]}
assert FOUND == PINNED, f"expected {PINNED}, got {FOUND}"
OUT = pathlib.Path(__file__).resolve().parents[2] / "packages/optim/test/golden"
STEPS = 20


def f32(tensor):
    """Numbers that both sides can hold."""
    return tensor.float().double()


def adamw():
    torch.manual_seed(20240520)
    shapes = {"dense.weight": (4, 3), "dense.bias": (4,), "table.weight": (5, 2)}
    start = {name: f32(torch.randn(shape)) for name, shape in shapes.items()}
    parameters = {name: value.clone().requires_grad_() for name, value in start.items()}
    groups = [
        {"params": [parameters["dense.bias"]], "weight_decay": 0.0},
        {"params": [parameters["table.weight"]], "weight_decay": 0.2},
        {"params": [parameters["dense.weight"]], "weight_decay": 0.1},
    ]
    optimizer = torch.optim.AdamW(groups, betas=(0.9, 0.98), eps=1e-8)
    steps = []
    for t in range(1, STEPS + 1):
        lr, weight = 0.01 * min(1.0, t / 5), float(3 + t % 4)
        sums = {
            name: f32(torch.randn(shape) * weight * (0.05 if t % 3 == 0 else 0.5)) for name, shape in shapes.items()
        }
        for name, parameter in parameters.items():
            parameter.grad = sums[name] / weight
        norm = torch.nn.utils.clip_grad_norm_(parameters.values(), 1.0)
        for group, scale in zip(optimizer.param_groups, (1.0, 0.5, 1.0)):
            group["lr"] = lr * scale
        optimizer.step()
        steps.append({
            "lr": lr, "weight": weight, "norm": norm.item(),
            "gradientSums": {name: value.flatten().tolist() for name, value in sums.items()},
            "parameters": {name: value.detach().flatten().tolist() for name, value in parameters.items()},
        })  # fmt: skip
    state = {
        kind: {name: optimizer.state[value][key].flatten().tolist() for name, value in parameters.items()}
        for kind, key in (("m", "exp_avg"), ("v", "exp_avg_sq"))
    }
    return {
        "pinned": PINNED, "beta1": 0.9, "beta2": 0.98, "eps": 1e-8, "maxNorm": 1.0, "shapes": shapes,
        "start": {name: value.flatten().tolist() for name, value in start.items()}, "steps": steps, "last": state,
    }  # fmt: skip


if __name__ == "__main__":
    OUT.mkdir(parents=True, exist_ok=True)
    (OUT / "adamw.json").write_text(json.dumps(adamw(), separators=(",", ":")) + "\n")
