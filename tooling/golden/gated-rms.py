"""Goldens of @cloze/models/amplify and /neobert: a plain PyTorch implementation, from the description of the models, with random weights.

Pinned: torch==2.15.0, numpy==2.4.6 (checked below).
Run:    python tooling/golden/gated-rms.py     (rewrites packages/models/test/golden/gated-rms.json and gated-rms-gradients.json)

Both models are remote code upstream, so the oracle is written here from what is published of them: the names and shapes of their tensors,
pre-norm RMSNorm, SwiGLU, and rotary positions that turn neighbouring channels as one complex number. For each form (MODELS) a set of
weights under the published names; the logits of every sequence, of its classifiers, and the loss and its gradients in f64. Sequences are run
one by one, without padding and without any mask: what padded and packed rows must give too.

Weights are f16-representable (stored as f16); all else is f32, base64, little-endian.
"""

import base64
import json
import math
import pathlib

import numpy as np
import torch
from torch.nn.functional import cross_entropy, silu

PINNED = {"torch": "2.15.0", "numpy": "2.4.6"}
FOUND = {m.__name__: m.__version__.split("+")[0] for m in (torch, np)}
assert FOUND == PINNED, f"expected {PINNED}, got {FOUND}"
OUT = pathlib.Path(__file__).resolve().parents[2] / "packages/models/test/golden"
VOCAB, HIDDEN, HEADS, LAYERS, INTERMEDIATE, WIDTH, LABELS, PAD, MASK = 27, 12, 2, 2, 20, 16, 3, 0, 2
LENGTHS = [9, 6, 11]

SIZES = {
    "vocab_size": VOCAB, "hidden_size": HIDDEN, "num_hidden_layers": LAYERS, "num_attention_heads": HEADS, "intermediate_size": INTERMEDIATE,
    "pad_token_id": PAD, "max_length": 64, "norm_eps": 1e-5,
}  # fmt: skip
AMPLIFY = {
    "model_type": "AMPLIFY", **SIZES, "dropout_prob": 0, "hidden_act": "SwiGLU", "rms_norm": True, "layer_norm_after_embedding": False,
    "layer_norm_before_last_layer": True, "att_bias": False, "ffn_bias": False,
}  # fmt: skip
NEOBERT = {"model_type": "neobert", **SIZES}
MODELS = {
    "amplify": AMPLIFY,
    "amplify, norm of embeddings": {**AMPLIFY, "layer_norm_after_embedding": True},
    "amplify, no last norm": {**AMPLIFY, "layer_norm_before_last_layer": False},
    "amplify, biases": {**AMPLIFY, "att_bias": True, "ffn_bias": True},
    "amplify, eps": {**AMPLIFY, "norm_eps": 0.05},
    "neobert": NEOBERT,
    "neobert, eps": {**NEOBERT, "norm_eps": 0.05},
}


def encode(tensor, dtype):
    array = tensor.detach().numpy()
    return {"shape": list(array.shape), "data": base64.b64encode(array.astype(dtype).tobytes()).decode()}


def layout(c):
    """Every tensor of a checkpoint, with its shape."""
    neo = c["model_type"] == "neobert"
    base = "model." if neo else ""
    out = {f"{base}encoder.weight": (VOCAB, HIDDEN)}
    if c.get("layer_norm_after_embedding"):
        out["layer_norm_1.weight"] = (HIDDEN,)
    linears = {"qkv": (3 * HIDDEN, HIDDEN)} if neo else {name: (HIDDEN, HIDDEN) for name in "qkv"}
    for i in range(LAYERS):
        at = f"{base}transformer_encoder.{i}."
        for name, shape, bias in [
            *((n, s, c.get("att_bias")) for n, s in {**linears, "wo": (HIDDEN, HIDDEN)}.items()),
            ("ffn.w12", (2 * WIDTH, HIDDEN), c.get("ffn_bias")),
            ("ffn.w3", (HIDDEN, WIDTH), c.get("ffn_bias")),
        ]:
            out[f"{at}{name}.weight"] = shape
            if bias:
                out[f"{at}{name}.bias"] = shape[:1]
        out[f"{at}attention_norm.weight"] = out[f"{at}ffn_norm.weight"] = (HIDDEN,)
    if c.get("layer_norm_before_last_layer", True):
        out["model.layer_norm.weight" if neo else "layer_norm_2.weight"] = (HIDDEN,)
    for name, rows in (("decoder", VOCAB), ("dense", HIDDEN), ("classifier", LABELS)):
        out[f"{name}.weight"], out[f"{name}.bias"] = (rows, HIDDEN), (rows,)
    return out


def weights(c):
    def tensor(name, shape):
        if "norm" in name:
            return 1 + torch.randn(shape) * 0.3
        if len(shape) == 1:
            return torch.randn(shape) * 0.5
        return torch.randn(shape) * (1 if "encoder.weight" in name else 1.5 / shape[1] ** 0.5)

    return {name: tensor(name, shape).half().float() for name, shape in layout(c).items()}


class Model:
    def __init__(self, config, w):
        self.c, self.w, self.neo = config, w, config["model_type"] == "neobert"
        self.base = "model." if self.neo else ""

    def linear(self, x, name):
        y = x @ self.w[f"{name}.weight"].T
        bias = self.w.get(f"{name}.bias")
        return y if bias is None else y + bias

    def norm(self, x, name):
        return x * torch.rsqrt((x**2).mean(-1, keepdim=True) + self.c["norm_eps"]) * self.w[f"{name}.weight"]

    def turn(self, x):
        """[heads, seq, head]: channels 2c and 2c + 1 are a complex number, turned by position."""
        half = x.shape[-1] // 2
        angle = torch.arange(x.shape[1], dtype=x.dtype)[:, None] * 10000.0 ** (
            -torch.arange(half, dtype=x.dtype) / half
        )
        z = torch.complex(x[..., 0::2], x[..., 1::2]) * torch.polar(torch.ones_like(angle), angle)
        return torch.stack([z.real, z.imag], -1).flatten(-2)

    def attention(self, x, at):
        n = len(x)
        if self.neo:
            rows = self.linear(x, at + "qkv").view(n, HEADS, 3, HIDDEN // HEADS)
            q, k, v = (rows[:, :, i].transpose(0, 1) for i in range(3))
        else:
            q, k, v = (self.linear(x, at + name).view(n, HEADS, -1).transpose(0, 1) for name in "qkv")
        scores = self.turn(q) @ self.turn(k).transpose(1, 2) / math.sqrt(q.shape[-1])
        return self.linear((scores.softmax(-1) @ v).transpose(0, 1).reshape(n, HIDDEN), at + "wo")

    def encode(self, ids):
        x = self.w[f"{self.base}encoder.weight"][ids]
        if self.c.get("layer_norm_after_embedding"):
            x = self.norm(x, "layer_norm_1")
        for i in range(LAYERS):
            at = f"{self.base}transformer_encoder.{i}."
            x = x + self.attention(self.norm(x, at + "attention_norm"), at)
            a, g = self.linear(self.norm(x, at + "ffn_norm"), at + "ffn.w12").split(WIDTH, -1)
            x = x + self.linear(silu(a) * g, at + "ffn.w3")
        if not self.c.get("layer_norm_before_last_layer", True):
            return x
        return self.norm(x, "model.layer_norm" if self.neo else "layer_norm_2")

    def classify(self, x):
        return self.linear(torch.tanh(self.linear(x, "dense")), "classifier")


def sequences():
    rows, labels = [], []
    for n in LENGTHS:
        ids = torch.cat([torch.tensor([3]), torch.randint(5, VOCAB, (n - 2,)), torch.tensor([4])])
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


if __name__ == "__main__":
    torch.manual_seed(20240923)
    torch.set_num_threads(1)
    rows, labels = sequences()
    models, gradients = {}, {}
    for name, config in MODELS.items():
        single = weights(config)
        model = Model(config, single)
        states = [model.encode(ids) for ids in rows]
        models[name] = {
            "config": config,
            "weights": {key: encode(value, "<f2") for key, value in single.items()},
            "logits": [encode(model.linear(x, "decoder"), "<f4") for x in states],
            "classes": [encode(model.classify(x), "<f4") for x in states],
        }
        double = {key: value.double().requires_grad_() for key, value in single.items()}
        model = Model(config, double)
        z = torch.cat([model.linear(model.encode(ids), "decoder") for ids in rows])
        loss = cross_entropy(z, torch.cat(labels))
        loss.backward()
        found = {key: encode(value.grad, "<f4") for key, value in double.items() if value.grad is not None}
        gradients[name] = {"loss": loss.item(), "gradients": found}
    inputs = {"ids": [x.tolist() for x in rows], "labels": [x.tolist() for x in labels]}
    write("gated-rms.json", {**inputs, "models": models})
    write("gated-rms-gradients.json", {"models": gradients})
