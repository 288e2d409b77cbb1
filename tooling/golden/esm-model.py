"""Golden of an EsmModel of transformers that has a pooler and rotary frequencies of its own, as `cloze embed` and the library read it.

Pinned: torch==2.11.0, transformers==5.24.0, numpy==2.4.6 (checked below).
Run:    python tooling/golden/esm-model.py     (rewrites packages/models/test/golden/esm-model.json)

An encoder that was saved alone (names without `esm.`), with wide random weights, and with an inv_freq that no rope_theta gives. Python
opens it by EsmModel.from_pretrained. pooler_output and last_hidden_state are those of single rows without padding. Weights are
f16-representable (stored as f16), inv_freq and results are f32; base64, little-endian.
"""

import base64
import json
import pathlib
import tempfile

import numpy as np
import torch
import transformers
from safetensors.torch import load_file, save_file
from transformers import EsmConfig, EsmModel
from transformers.models.esm.configuration_esm import get_default_vocab_list

PINNED = {"torch": "2.11.0", "transformers": "5.24.0", "numpy": "2.4.6"}
FOUND = {m.__name__: m.__version__.split("+")[0] for m in (torch, transformers, np)}
assert FOUND == PINNED, f"expected {PINNED}, got {FOUND}"
OUT = pathlib.Path(__file__).resolve().parents[2] / "packages/models/test/golden/esm-model.json"
LETTERS = list(get_default_vocab_list())
PROTEINS = ["MKTAYIAKQRQISFVKSHFS", "GGSLW", "MKV<mask>LLAV"]


def encode(x, kind):
    array = np.ascontiguousarray(x.detach().float().numpy().astype(kind))
    return {"shape": list(array.shape), "data": base64.b64encode(array.tobytes()).decode()}


def wide(name, shape):
    norm = "norm" in name.lower()
    scale = 0.2 if norm or name.endswith("bias") else 1.5 / shape[-1] ** 0.5
    return (torch.randn(shape) * scale + (1.0 if norm and name.endswith("weight") else 0.0)).half().float()


def ids(protein):
    letters = protein.replace("<mask>", "?")
    return [0, *(LETTERS.index("<mask>" if c == "?" else c) for c in letters), 2]


if __name__ == "__main__":
    torch.set_num_threads(1)
    torch.manual_seed(20251201)
    config = EsmConfig(
        vocab_size=33, mask_token_id=32, pad_token_id=1, hidden_size=16, num_hidden_layers=2, num_attention_heads=2, intermediate_size=24,
        max_position_embeddings=66, position_embedding_type="rotary", token_dropout=True, emb_layer_norm_before=False,
        hidden_dropout_prob=0.0, attention_probs_dropout_prob=0.0, layer_norm_eps=1e-5,
    )  # fmt: skip
    model = EsmModel(config).eval()
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            parameter.copy_(wide(name, parameter.shape))
    with tempfile.TemporaryDirectory() as folder:
        model.save_pretrained(folder)
        path = pathlib.Path(folder) / "model.safetensors"
        tensors = load_file(path)
        frequencies = model.rotary_embeddings.inv_freq * 1.25
        stored = [name for name in tensors if name.endswith("inv_freq")]
        tensors.update({name: frequencies.clone() for name in stored or ["rotary_embeddings.inv_freq"]})
        save_file(tensors, path, metadata={"format": "pt"})
        opened = EsmModel.from_pretrained(folder).eval()
        assert torch.equal(opened.rotary_embeddings.inv_freq, frequencies)
        rows = []
        with torch.no_grad():
            for protein in PROTEINS:
                out = opened(input_ids=torch.tensor([ids(protein)]))
                rows.append(
                    {
                        "protein": protein,
                        "ids": ids(protein),
                        "pooler_output": encode(out.pooler_output[0], "<f4"),
                        "last_hidden_state": encode(out.last_hidden_state[0], "<f4"),
                    }
                )
        OUT.write_text(
            json.dumps(
                {
                    "pinned": PINNED,
                    "config": json.loads((pathlib.Path(folder) / "config.json").read_text()),
                    "weights": {n: encode(x, "<f4" if n.endswith("inv_freq") else "<f2") for n, x in tensors.items()},
                    "rows": rows,
                },
                separators=(",", ":"),
            )
            + "\n"
        )
    assert OUT.stat().st_size < 60_000, OUT.stat().st_size
