"""Goldens of @cloze/data: permutations as numpy draws them, and the published split of protein sets.

Pinned: numpy==2.4.6 (checked below).
Run:    python tooling/golden/data-splits.py     (rewrites packages/data/test/golden/splits.json)

The split follows Hugging Face datasets: `shuffle(seed)` takes default_rng(seed).permutation(n), and `train_test_split(test_size=k,
seed=s)` takes permutation[:k] of default_rng(s) as the test part and the rest as the train part.
"""

import json
import pathlib

import numpy as np

assert np.__version__ == "2.4.6", f"expected numpy 2.4.6, got {np.__version__}"
OUT = pathlib.Path(__file__).resolve().parents[2] / "packages/data/test/golden/splits.json"


def permutation(seed, size):
    return np.random.default_rng(seed).permutation(size)


def held_out(rows, seed, size):
    order = permutation(seed, len(rows))
    return rows[order[size:]], rows[order[:size]]


def split(sizes, size):
    starts = np.cumsum([0, *sizes])
    rows = np.concatenate([start + permutation(11, n) for start, n in zip(starts, sizes)])
    _, held = held_out(rows, 22, size)
    valid, test = held_out(held, 33, -(-size // 2))
    return {"sizes": sizes, "heldOut": size, "valid": sorted(valid.tolist()), "test": sorted(test.tolist())}


def main():
    small = [
        {"seed": seed, "size": size, "values": permutation(seed, size).tolist()}
        for seed in (0, 11, 22, 33, 2**32 - 1)
        for size in (1, 2, 5, 1000)
    ]
    # Beyond two blocks of 2^20 swaps; entries at some places.
    size, places = 2_500_001, [0, 1, 2, 999, 20_000, 1_048_575, 1_048_576, 2_000_000, 2_500_000]
    large = {"seed": 22, "size": size, "places": places, "values": permutation(22, size)[places].tolist()}
    OUT.write_text(
        json.dumps(
            {
                "numpy": np.__version__,
                "small": small,
                "large": large,
                "splits": [split([5000], 200), split([3000, 400, 600], 101)],
            },
            separators=(",", ":"),
        )
        + "\n"
    )


main()
