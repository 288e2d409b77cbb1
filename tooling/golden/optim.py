"""Goldens of @cloze/optim: torch.optim.AdamW with clip_grad_norm_, and the schedules of transformers.

Pinned: torch==2.15.0, transformers==5.23.0 (checked below).
Run:    python tooling/golden/optim.py     (rewrites packages/optim/test/golden)

adamw.json      20 steps in f64 of three parameters, two decay groups, one of them at half the rate; the global norm is clipped
                at 1, which bites in some steps and not in others; gradients are sums with a weight that changes by step
schedules.json  multipliers at steps 0 to 100 of get_scheduler and its kin
"""

import json
import math
import pathlib

import torch
import transformers
from transformers import get_scheduler, get_wsd_schedule

PINNED = {"torch": "2.15.0", "transformers": "5.23.0"}
FOUND = {m.__name__: m.__version__.split("+")[0] for m in (torch, transformers)}
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
        sums = {name: f32(torch.randn(shape) * weight * (0.05 if t % 3 == 0 else 0.5)) for name, shape in shapes.items()}
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


def multipliers(make):
    optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=1.0)
    scheduler, values = make(optimizer), []
    for _ in range(101):
        values.append(scheduler.get_last_lr()[0])
        optimizer.step()
        scheduler.step()
    return values


def schedules():
    total, cases = 100, []

    def case(name, options, make, first=0):
        """`first`: from which step on the two are to agree (transformers' wsd warms up from the final ratio, ours from 0)."""
        cases.append({"name": name, "options": options, "total": total, "first": first, "multipliers": multipliers(make)})

    for warmup in (0, 10):
        options = {"warmup": warmup}
        case("constant", options, lambda o: get_scheduler("constant_with_warmup", o, warmup))
        case("linear", options, lambda o: get_scheduler("linear", o, warmup, total))
        case("cosine", options, lambda o: get_scheduler("cosine", o, warmup, total))
        case("inverse-sqrt", options, lambda o: get_scheduler("inverse_sqrt", o, warmup))
        for ours, theirs in (("wsd", "linear"), ("1-sqrt", "1-sqrt")):
            for final in (0.0, 0.1):
                case(
                    ours, {"warmup": warmup, "decay": 25, "final": final},
                    lambda o: get_wsd_schedule(o, warmup, 25, total, decay_type=theirs, min_lr_ratio=final),
                    first=warmup if final else 0,
                )  # fmt: skip
    case("cosine", {"warmup": 0.1, "final": 0.1}, lambda o: get_scheduler("cosine_with_min_lr", o, 10, total, scheduler_specific_kwargs={"min_lr_rate": 0.1}))
    return {"pinned": PINNED, "cases": cases}


if __name__ == "__main__":
    OUT.mkdir(parents=True, exist_ok=True)
    for name, value in (("adamw", adamw()), ("schedules", schedules())):
        assert all(math.isfinite(x) for case in value.get("cases", []) for x in case["multipliers"])
        (OUT / f"{name}.json").write_text(json.dumps(value, separators=(",", ":")) + "\n")
