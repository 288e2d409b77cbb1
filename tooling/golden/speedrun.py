"""Goldens of @cloze/models/speedrun: a plain PyTorch implementation, from the description of the model, with random weights.

Pinned: torch==2.15.0, numpy==2.4.6 (checked below).
Run:    python tooling/golden/speedrun.py     (rewrites packages/models/test/golden/speedrun*.json)

One set of weights and several sequences of different length; for each form of the model (MODELS) the logits of every sequence, in
f32, and the loss and its gradients in f64. Sequences are run one by one, without padding and without any mask: what padded and
packed rows must give too. Rotation is by complex numbers; token dropout scales by 1 - (share of masks), as the original does.

The patch U-net (PATCHES) has weights for each form, and widths written out: merging takes every second token and the one after it from a
list, with zeros after the last of an odd number; means are over the tokens that there are; what is expanded beyond the end is cut off.

Weights are f16-representable (stored as f16); all else is f32, base64, little-endian.
"""

import base64
import json
import math
import pathlib

import numpy as np
import torch
from torch.nn.functional import cross_entropy, gelu

PINNED = {"torch": "2.15.0", "numpy": "2.4.6"}
FOUND = {m.__name__: m.__version__.split("+")[0] for m in (torch, np)}
assert FOUND == PINNED, f"expected {PINNED}, got {FOUND}"
OUT = pathlib.Path(__file__).resolve().parents[2] / "packages/models/test/golden"
VOCAB, HIDDEN, HEADS, LAYERS, WIDE, CLS, PAD, EOS, MASK = 26, 12, 2, 4, 16, 0, 1, 2, 25
LENGTHS = [9, 6, 11]
PAIRED = 6  # heads of differential attention: three pairs

CONFIG = {
    "model_type": "cloze_speedrun", "vocab_size": VOCAB, "hidden_size": HIDDEN, "num_hidden_layers": LAYERS, "num_attention_heads": HEADS,
    "intermediate_size": WIDE, "max_position_embeddings": 64, "pad_token_id": PAD, "mask_token_id": MASK, "rms_norm_eps": 1e-6,
    "rope_theta": 10000.0, "unet": True, "value_embeddings": True, "token_dropout": False, "tie_word_embeddings": False, "head_dense": False,
    "logit_softcap": 30.0, "attention_softcap": 0.0, "window": 0, "differential_attention": False,
}  # fmt: skip
MODELS = {
    "default": {},
    "dense": {"head_dense": True},
    "tied": {"tie_word_embeddings": True},
    "tied dense": {"tie_word_embeddings": True, "head_dense": True},
    "token dropout": {"token_dropout": True},
    "attention softcap": {"attention_softcap": 1.5},
    "no softcap": {"logit_softcap": 0.0},
    "no unet": {"unet": False},
    "no value embeddings": {"value_embeddings": False},
    "window": {"window": 3},
    "differential": {"differential_attention": True, "num_attention_heads": PAIRED},
    "differential bounded": {
        "differential_attention": True,
        "num_attention_heads": PAIRED,
        "window": 4,
        "attention_softcap": 1.5,
    },
    "numbers": {"rms_norm_eps": 0.05, "rope_theta": 100.0, "logit_softcap": 3.0},
}

# Layers without the extra ones, widths by resolution, and those of the feed-forward block.
PATCHES = {
    "patch": {"layers": 6, "extra": 1, "widths": [12, 20, 24], "wide": [16, 32, 32], "config": {"patch_width_multiple": 4}},
    "patch projected": {
        "layers": 4, "extra": 0, "widths": [24, 24], "wide": [32, 32],
        "config": {"patch_width_multiple": 8, "num_attention_heads": PAIRED, "differential_attention": True, "window": 2, "head_dense": True},
    },
    "patch bare": {"layers": 4, "extra": 2, "widths": [12, 24], "wide": [16, 32], "config": {"patch_width_multiple": 4, "value_embeddings": False, "tie_word_embeddings": True}},
}  # fmt: skip


def encode(tensor, dtype):
    array = tensor.detach().numpy()
    return {"shape": list(array.shape), "data": base64.b64encode(array.astype(dtype).tobytes()).decode()}


def weights():
    def matrix(rows, columns, scale=1.5):
        return torch.randn(rows, columns) * scale / columns**0.5

    out = {"model.embeddings.tokens.weight": torch.randn(VOCAB, HIDDEN)}
    for i in range(LAYERS // 2):
        out[f"model.embeddings.values.{i}.weight"] = torch.randn(VOCAB, HIDDEN)
    out["model.skip_weights"] = torch.randn(LAYERS // 2) * 0.3 + 1
    for i in range(LAYERS):
        at = f"model.layers.{i}."
        out[at + "lambdas"] = torch.tensor([1.0, 0.0]) + torch.randn(2) * 0.3
        for name in ("query", "key", "value", "output"):
            out[f"{at}attention.{name}.weight"] = matrix(HIDDEN, HIDDEN)
        out[at + "attention.value_lambdas"] = 0.5 + torch.randn(2) * 0.2
        out[at + "mlp.up.weight"], out[at + "mlp.down.weight"] = matrix(WIDE, HIDDEN), matrix(HIDDEN, WIDE)
    out["lm_head.dense.weight"], out["lm_head.decoder.weight"] = matrix(HIDDEN, HIDDEN), matrix(VOCAB, HIDDEN)
    out["lm_head.decoder.bias"] = torch.randn(VOCAB) * 0.5
    own, head = torch.Generator().manual_seed(20241005), HIDDEN // PAIRED
    for i in range(LAYERS):
        at = f"model.layers.{i}.attention."
        for name in ("lambda_q1", "lambda_k1", "lambda_q2", "lambda_k2"):
            out[at + name] = torch.randn(head, generator=own) * 0.5
        out[at + "subln.weight"] = 1 + torch.randn(2 * head, generator=own) * 0.3
    return {name: value.half().float() for name, value in out.items()}


def patch_weights(form, config):
    def matrix(rows, columns, scale=1.5):
        return torch.randn(rows, columns) * scale / columns**0.5

    widths, half, heads = form["widths"], form["layers"] // 2, config["num_attention_heads"]
    out = {
        "model.embeddings.tokens.weight": torch.randn(VOCAB, HIDDEN),
        "model.skip_weights": torch.randn(half) * 0.3 + 1,
    }
    if widths[0] != HIDDEN:
        out["model.input.weight"], out["model.output.weight"] = matrix(widths[0], HIDDEN), matrix(HIDDEN, widths[0])
    for i in range(half - 1):
        out[f"model.merges.{i}.weight"] = matrix(widths[i + 1], 2 * widths[i])
        out[f"model.expansions.{i}.weight"] = matrix(2 * widths[i], widths[i + 1])
    for i in range(form["layers"] + form["extra"]):
        at, extra, level = f"model.layers.{i}.", i >= form["layers"], min(i, form["layers"] - 1 - i)
        width, wide = (HIDDEN, WIDE) if extra else (widths[level], form["wide"][level])
        for name in ("query", "key", "value", "output"):
            out[f"{at}attention.{name}.weight"] = matrix(width, width)
        out[at + "mlp.up.weight"], out[at + "mlp.down.weight"] = matrix(wide, width), matrix(width, wide)
        if config["differential_attention"]:
            for name in ("lambda_q1", "lambda_k1", "lambda_q2", "lambda_k2"):
                out[f"{at}attention.{name}"] = torch.randn(width // heads) * 0.5
            out[at + "attention.subln.weight"] = 1 + torch.randn(2 * width // heads) * 0.3
        if extra:
            continue
        out[at + "lambdas"] = torch.tensor([1.0, 0.0]) + torch.randn(2) * 0.3
        if width != HIDDEN:
            out[at + "x0.weight"] = matrix(width, HIDDEN)
        if config["value_embeddings"]:
            out[f"model.embeddings.values.{i}.weight"] = torch.randn(VOCAB, width)
            out[at + "attention.value_lambdas"] = 0.5 + torch.randn(2) * 0.2
    if config["head_dense"]:
        out["lm_head.dense.weight"], out["lm_head.decoder.bias"] = matrix(HIDDEN, HIDDEN), torch.randn(VOCAB) * 0.5
    if not config["tie_word_embeddings"]:
        out["lm_head.decoder.weight"] = matrix(VOCAB, HIDDEN)
    return {name: value.half().float() for name, value in out.items()}


class Model:
    def __init__(self, config, w):
        self.c, self.w = config, w

    def norm(self, x):
        return x * torch.rsqrt((x**2).mean(-1, keepdim=True) + self.c["rms_norm_eps"])

    def turn(self, x):
        """[heads, seq, head]: channel c of the first half and of the second are a complex number, turned by position."""
        half = x.shape[-1] // 2
        frequency = self.c["rope_theta"] ** (-torch.arange(half, dtype=x.dtype) / half)
        angle = torch.arange(x.shape[1], dtype=x.dtype)[:, None] * frequency
        z = torch.complex(x[..., :half], x[..., half:]) * torch.polar(torch.ones_like(angle), angle)
        return torch.cat([z.real, z.imag], -1)

    def attention(self, x, at, values, depth):
        heads, n = self.c["num_attention_heads"], len(x)
        split = lambda y, parts=heads: y.view(n, parts, -1).transpose(0, 1)  # noqa: E731
        q, k, v = (x @ self.w[f"{at}{name}.weight"].T for name in ("query", "key", "value"))
        q, k = split(q), split(k)
        q, k = self.turn(self.norm(q)), self.turn(self.norm(k))
        if values is not None:
            lambdas = self.w[at + "value_lambdas"]
            v = lambdas[0] * v + lambdas[1] * values
        scores = q @ k.transpose(1, 2) / math.sqrt(q.shape[-1])
        cap = self.c["attention_softcap"]
        if cap:
            scores = cap * torch.tanh(scores / cap)
        if self.c["window"]:
            place = torch.arange(n)
            scores = scores.masked_fill((place[:, None] - place[None, :]).abs() > self.c["window"], -math.inf)
        maps = scores.softmax(-1)
        out = (
            self.difference(maps, split(v, heads // 2), at, depth)
            if self.c["differential_attention"]
            else maps @ split(v)
        )
        return out.transpose(0, 1).reshape(n, -1) @ self.w[at + "output.weight"].T

    def difference(self, maps, v, at, depth):
        """maps [2 h, n, n], v [h, n, 2 d]: equations 1 to 3 of arXiv:2410.05258, the maps of a head one after the other."""
        w = lambda name: self.w[at + name]  # noqa: E731
        start = 0.8 - 0.6 * math.exp(-0.3 * depth)
        weight = (
            torch.exp(torch.dot(w("lambda_q1"), w("lambda_k1")))
            - torch.exp(torch.dot(w("lambda_q2"), w("lambda_k2")))
            + start
        )
        maps = maps.view(-1, 2, *maps.shape[1:])
        out = (maps[:, 0] - weight * maps[:, 1]) @ v
        out = out / torch.sqrt((out**2).mean(-1, keepdim=True) + 1e-5)
        return out * w("subln.weight") * (1 - start)

    def block(self, x, x0, i, values):
        at = f"model.layers.{i}."
        if x0 is not None:
            lambdas = self.w[at + "lambdas"]
            x = lambdas[0] * x + lambdas[1] * x0
        x = x + self.attention(self.norm(x), at + "attention.", values, i)
        up = self.norm(x) @ self.w[at + "mlp.up.weight"].T
        return x + up.relu() ** 2 @ self.w[at + "mlp.down.weight"].T

    def embed(self, ids):
        x = self.w["model.embeddings.tokens.weight"][ids]
        if self.c["token_dropout"]:
            masked = ids == MASK
            x = x.masked_fill(masked[:, None], 0.0) * (1 - masked.sum() / len(ids))
        return self.norm(x)

    def __call__(self, ids):
        w, c, half = self.w, self.c, LAYERS // 2
        x = x0 = self.embed(ids)
        tables = [w[f"model.embeddings.values.{i}.weight"][ids] if c["value_embeddings"] else None for i in range(half)]
        skips = []
        for i in range(half):
            x = self.block(x, x0, i, tables[i])
            skips.append(x)
        for i in range(half):
            if c["unet"]:
                x = x + w["model.skip_weights"][i] * skips.pop()
            x = self.block(x, x0, half + i, tables[half - 1 - i])
        return self.head(x)

    def head(self, x):
        w, c = self.w, self.c
        x = self.norm(x)
        if c["head_dense"]:
            x = gelu(x @ w["lm_head.dense.weight"].T)
        z = x @ w["model.embeddings.tokens.weight" if c["tie_word_embeddings"] else "lm_head.decoder.weight"].T
        if c["head_dense"]:
            z = z + w["lm_head.decoder.bias"]
        return c["logit_softcap"] * torch.tanh(z / c["logit_softcap"]) if c["logit_softcap"] else z


class PatchModel(Model):
    def __init__(self, form, config, w):
        super().__init__(config, w)
        self.layers, self.extra = form["layers"], form["extra"]

    def linear(self, x, name):
        return x @ self.w[f"model.{name}.weight"].T if f"model.{name}.weight" in self.w else x

    def merge(self, x, i):
        zero = torch.zeros_like(x[0])
        pairs = [torch.cat([x[p], x[p + 1] if p + 1 < len(x) else zero]) for p in range(0, len(x), 2)]
        return torch.stack(pairs) @ self.w[f"model.merges.{i}.weight"].T

    def expand(self, x, i, n):
        both = (patch @ self.w[f"model.expansions.{i}.weight"].T for patch in x)
        return torch.stack([half for pair in both for half in pair.chunk(2)][:n])

    def mean(self, x, times):
        for _ in range(times):
            x = torch.stack([x[p : p + 2].mean(0) for p in range(0, len(x), 2)])
        return x

    def step(self, x, x0, ids, i):
        level, at = min(i, self.layers - 1 - i), f"model.embeddings.values.{i}.weight"
        values = self.mean(self.w[at][ids], level) if self.c["value_embeddings"] else None
        return self.block(x, self.linear(self.mean(x0, level), f"layers.{i}.x0"), i, values)

    def __call__(self, ids):
        half, x0, skips = self.layers // 2, self.embed(ids), []
        x = self.linear(x0, "input")
        for i in range(half):
            x = self.step(x if i == 0 else self.merge(x, i - 1), x0, ids, i)
            skips.append(x)
        for i in range(half):
            skip, level = skips.pop(), half - 1 - i
            x = x if i == 0 else self.expand(x, level, len(skip))
            x = self.step(x + self.w["model.skip_weights"][i] * skip, x0, ids, half + i)
        x = self.linear(x, "output")
        for i in range(self.layers, self.layers + self.extra):
            x = self.block(x, None, i, None)
        return self.head(x)


def sequences():
    rows, labels = [], []
    for n in LENGTHS:
        ids = torch.cat([torch.tensor([CLS]), torch.randint(4, MASK, (n - 2,)), torch.tensor([EOS])])
        chosen = torch.randperm(n - 2)[:3] + 1
        label = torch.full((n,), -100)
        label[chosen] = ids[chosen]
        ids[chosen[:2]] = MASK
        rows.append(ids)
        labels.append(label)
    return rows, labels


def write(name, value):
    path = OUT / name
    path.write_text(json.dumps({"pinned": PINNED, **value}, separators=(",", ":")) + "\n")
    assert path.stat().st_size < 400_000, path


def differentiated(make, weights, rows, labels):
    double = {key: value.double().requires_grad_() for key, value in weights.items()}
    loss = cross_entropy(torch.cat([make(double)(ids) for ids in rows]), torch.cat(labels))
    loss.backward()
    return {
        "loss": loss.item(),
        "gradients": {key: encode(value.grad, "<f4") for key, value in double.items() if value.grad is not None},
    }


if __name__ == "__main__":
    torch.manual_seed(20241201)
    torch.set_num_threads(1)
    single, (rows, labels) = weights(), sequences()
    logits, gradients = {}, {}
    for name, changed in MODELS.items():
        config = {**CONFIG, **changed}
        logits[name] = [encode(Model(config, single)(ids), "<f4") for ids in rows]
        gradients[name] = differentiated(lambda w, c=config: Model(c, w), single, rows, labels)
    inputs = {"ids": [x.tolist() for x in rows], "labels": [x.tolist() for x in labels]}
    write(
        "speedrun.json",
        {
            "config": CONFIG,
            "models": MODELS,
            "weights": {k: encode(v, "<f2") for k, v in single.items()},
            **inputs,
            "logits": logits,
        },
    )
    write("speedrun-gradients.json", {"models": gradients})
    for name, form in PATCHES.items():
        config = {
            **CONFIG,
            "patch_unet": True,
            "num_hidden_layers": form["layers"],
            "num_extra_layers": form["extra"],
            **form["config"],
        }
        own, make = patch_weights(form, config), lambda w, f=form, c=config: PatchModel(f, c, w)
        found = {"logits": [encode(make(own)(ids), "<f4") for ids in rows], **differentiated(make, own, rows, labels)}
        stored = {k: encode(v, "<f2") for k, v in own.items()}
        write(f"speedrun-{name.replace(' ', '-')}.json", {"config": config, "weights": stored, **found})
