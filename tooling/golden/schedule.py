"""Goldens of @cloze/schedule: the learning-rate schedules of transformers.

Pinned: torch==2.15.0, transformers==5.23.0 (checked below).
Run:    python tooling/golden/schedule.py     (rewrites packages/schedule/test/golden)

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
OUT = pathlib.Path(__file__).resolve().parents[2] / "packages/schedule/test/golden"


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
        cases.append(
            {"name": name, "options": options, "total": total, "first": first, "multipliers": multipliers(make)}
        )

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
    case(
        "cosine",
        {"warmup": 0.1, "final": 0.1},
        lambda o: get_scheduler("cosine_with_min_lr", o, 10, total, scheduler_specific_kwargs={"min_lr_rate": 0.1}),
    )
    for cycles in (2, 3):
        options = {"warmup": 10, "cycles": cycles}
        case(
            "cosine",
            options,
            lambda o: get_scheduler(
                "cosine_with_restarts", o, 10, total, scheduler_specific_kwargs={"num_cycles": cycles}
            ),
        )
    return {"pinned": PINNED, "cases": cases}


if __name__ == "__main__":
    OUT.mkdir(parents=True, exist_ok=True)
    value = schedules()
    assert all(math.isfinite(x) for case in value["cases"] for x in case["multipliers"])
    (OUT / "schedules.json").write_text(json.dumps(value, separators=(",", ":")) + "\n")
