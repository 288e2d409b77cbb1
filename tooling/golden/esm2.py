"""Goldens of @cloze/models/esm2: transformers' EsmForMaskedLM with random weights.

Pinned: torch==2.15.0, transformers==5.23.0, numpy==2.4.6 (checked below).
Run:    python tooling/golden/esm2.py     (rewrites packages/models/test/golden/esm2-*.json)

Four small models, each in two files: esm2-NAME.json (config.json, weights, inputs, outputs) and esm2-NAME.gradients.json; and
esm2-heads.json, a model with the heads of EsmForSequenceClassification and EsmForTokenClassification.

head20    head dimension 20, three layers, padding
head24    head dimension 24, two layers, padding
half      head dimension 16, rotary frequencies rounded to f16 as in the published checkpoints
variants  no token dropout, a norm after the embeddings, an untied decoder, another rotary base

Weights are f16-representable (stored as f16); all else is f32, base64, little-endian. `alone` holds the logits of single rows run
without padding: what packed rows must give.
"""

import base64
import json
import pathlib

import numpy as np
import torch
import transformers
from transformers import EsmConfig, EsmForMaskedLM, EsmForSequenceClassification, EsmForTokenClassification

PINNED = {"torch": "2.15.0", "transformers": "5.23.0", "numpy": "2.4.6"}
FOUND = {m.__name__: m.__version__.split("+")[0] for m in (torch, transformers, np)}
assert FOUND == PINNED, f"expected {PINNED}, got {FOUND}"
OUT = pathlib.Path(__file__).resolve().parents[2] / "packages/models/test/golden"
PAD, CLS, EOS, MASK = 1, 0, 2, 32

ESM2 = {"token_dropout": True, "emb_layer_norm_before": False, "layer_norm_eps": 1e-5}
MODELS = {
    "head20": ({**ESM2, "hidden_size": 40, "num_hidden_layers": 3, "num_attention_heads": 2, "intermediate_size": 80}, [14, 9, 4]),
    "head24": ({**ESM2, "hidden_size": 48, "num_hidden_layers": 2, "num_attention_heads": 2, "intermediate_size": 96}, [11, 13]),
    "half": ({**ESM2, "hidden_size": 48, "num_hidden_layers": 2, "num_attention_heads": 3, "intermediate_size": 64}, [12, 6, 7, 12]),
    "variants": (
        {"token_dropout": False, "emb_layer_norm_before": True, "layer_norm_eps": 1e-12, "tie_word_embeddings": False,
         "rope_theta": 500.0, "hidden_size": 40, "num_hidden_layers": 2, "num_attention_heads": 2, "intermediate_size": 40},
        [10, 8],
    ),
}  # fmt: skip


def encode(tensor, dtype):
    array = tensor.detach().numpy()
    return {"shape": list(array.shape), "data": base64.b64encode(array.astype(dtype).tobytes()).decode()}


def f32(tensor):
    return encode(tensor, "<f4")


def build(overrides, kind=EsmForMaskedLM):
    config = EsmConfig(
        vocab_size=33, pad_token_id=PAD, mask_token_id=MASK, position_embedding_type="rotary",
        hidden_dropout_prob=0.0, attention_probs_dropout_prob=0.0, **overrides,
    )  # fmt: skip
    config._attn_implementation = "eager"
    model = kind(config).eval()
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            norm = "norm" in name.lower()
            scale = 0.3 if norm or name.endswith("bias") else 2.0 / parameter.shape[-1] ** 0.5
            value = torch.randn(parameter.shape) * scale + (1.0 if norm and name.endswith("weight") else 0.0)
            parameter.copy_(value.half().float())
    return config, model


def batch(lengths):
    ids = torch.full((len(lengths), max(lengths)), PAD)
    labels = torch.full_like(ids, -100)
    for row, n in enumerate(lengths):
        residues = torch.randint(4, 24, (n - 2,))
        ids[row, :n] = torch.cat([torch.tensor([CLS]), residues, torch.tensor([EOS])])
        chosen = torch.randperm(n - 2)[: max(1, (n - 2) // 4)] + 1
        labels[row, chosen] = ids[row, chosen]
        ids[row, chosen[: len(chosen) - row % 2]] = MASK  # the last one stays as it is in odd rows
    return ids, (ids != PAD).long(), labels


def golden(name, overrides, lengths):
    config, model = build(overrides)
    inverse = model.esm.rotary_embeddings.inv_freq
    if name == "half":
        inverse.copy_(inverse.half().float())
    ids, mask, labels = batch(lengths)
    out = model(ids, attention_mask=mask, labels=labels, output_hidden_states=True, output_attentions=True)
    out.loss.backward()
    alone = [model(ids[row : row + 1, :n]).logits[0] for row, n in enumerate(lengths)]
    contacts = model.predict_contacts(ids, mask)
    parameters = {
        k: v for k, v in model.named_parameters() if k != "lm_head.decoder.weight" or not config.tie_word_embeddings
    }
    wanted = [
        "vocab_size",
        "hidden_dropout_prob",
        "attention_probs_dropout_prob",
        "pad_token_id",
        "mask_token_id",
        "position_embedding_type",
    ]
    written = {key: config.to_dict()[key] for key in [*wanted, *overrides]}
    head = {"pinned": PINNED, "config": {"model_type": "esm", "architectures": ["EsmForMaskedLM"], **written}}
    body = {
        "weights": {k: encode(v, "<f2") for k, v in parameters.items()},
        "inverse_frequencies": f32(inverse),
        "ids": ids.tolist(), "attention_mask": mask.tolist(), "labels": labels.tolist(),
        "loss": out.loss.item(), "logits": f32(out.logits), "alone": [f32(x) for x in alone],
        "hidden_states": [f32(x) for x in out.hidden_states], "attentions": [f32(x) for x in out.attentions],
        "contacts": f32(contacts),
    }  # fmt: skip
    gradients = {k: f32(v.grad) for k, v in parameters.items() if v.grad is not None}
    for suffix, value in (("", {**head, **body}), (".gradients", {**head, "gradients": gradients})):
        path = OUT / f"esm2-{name}{suffix}.json"
        path.write_text(json.dumps(value, separators=(",", ":")) + "\n")
        assert path.stat().st_size < 300_000, path


def heads():
    overrides = {
        **ESM2,
        "hidden_size": 16,
        "num_hidden_layers": 1,
        "num_attention_heads": 2,
        "intermediate_size": 24,
        "num_labels": 3,
    }
    ids, mask, _ = batch([9, 6])
    out = {}
    for head, kind in (
        ("sequence-classification", EsmForSequenceClassification),
        ("token-classification", EsmForTokenClassification),
    ):
        config, model = build(overrides, kind)
        weights = {k: encode(v, "<f2") for k, v in model.named_parameters()}
        out[head] = {"weights": weights, "logits": f32(model(ids, attention_mask=mask).logits)}
    wanted = [
        "model_type",
        "vocab_size",
        "hidden_dropout_prob",
        "attention_probs_dropout_prob",
        "pad_token_id",
        "mask_token_id",
        "position_embedding_type",
        "id2label",
    ]
    written = {key: config.to_dict()[key] for key in [*wanted, *overrides] if key != "num_labels"}
    golden = {"pinned": PINNED, "config": written, "ids": ids.tolist(), "attention_mask": mask.tolist(), "heads": out}
    (OUT / "esm2-heads.json").write_text(json.dumps(golden, separators=(",", ":")) + "\n")


if __name__ == "__main__":
    OUT.mkdir(parents=True, exist_ok=True)
    for seed, (name, (overrides, lengths)) in enumerate(MODELS.items()):
        torch.manual_seed(20240520 + seed)
        golden(name, overrides, lengths)
    torch.manual_seed(20240520 + len(MODELS))
    heads()
