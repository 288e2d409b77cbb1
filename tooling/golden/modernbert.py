"""Goldens of @cloze/models/modernbert: the ModernBertFor* classes of transformers with random weights.

Pinned: torch==2.15.0, transformers==5.23.0, numpy==2.4.6 (checked by bert.py).
Run:    python tooling/golden/modernbert.py     (rewrites packages/models/test/golden/modernbert-*.json)

modernbert-base.json       four layers (global, local, local, global) with a window shorter than the texts, and every head on them:
                           weights, inputs with padding, logits, hidden states, attention maps; `alone` holds the masked-token logits
                           of single rows run without padding, what packed rows must give
modernbert-gradients.json  the losses of every head and their gradients, in f64: all of the masked-token loss, of the others the head's
modernbert-variants.json   the same weights under other configurations: biases, an untied decoder, other activations, other layers and
                           rotary bases in both layouts of config.json, the mean as pooling

Weights are f16-representable (stored as f16); all else is f32, base64, little-endian.
"""

import json

import torch
import transformers
from bert import CLS, FIRST, OUT, PAD, PINNED, SEP, VOCAB, encode, f32, logits_of, masked
from transformers import ModernBertConfig

SIZES = {
    "vocab_size": VOCAB, "hidden_size": 32, "num_hidden_layers": 4, "num_attention_heads": 4, "intermediate_size": 40,
    "max_position_embeddings": 64, "local_attention": 8, "global_attn_every_n_layers": 3, "hidden_activation": "gelu", "pad_token_id": PAD,
    "bos_token_id": CLS, "cls_token_id": CLS, "eos_token_id": SEP, "sep_token_id": SEP, "norm_eps": 1e-5,
}  # fmt: skip
LABELS = 3
LENGTHS = [19, 12, 7]
HEADS = {
    "masked-lm": "ModernBertForMaskedLM", "sequence-classification": "ModernBertForSequenceClassification",
    "token-classification": "ModernBertForTokenClassification", "question-answering": "ModernBertForQuestionAnswering",
    "multiple-choice": "ModernBertForMultipleChoice",
}  # fmt: skip
VARIANTS = {
    "biases": ("masked-lm", {"norm_bias": True, "attention_bias": True, "mlp_bias": True, "classifier_bias": True}),
    "untied, without a bias": ("masked-lm", {"tie_word_embeddings": False, "decoder_bias": False}),
    "activations": ("masked-lm", {"hidden_activation": "silu", "classifier_activation": "relu", "norm_eps": 0.05}),
    "older keys": ("masked-lm", {"global_attn_every_n_layers": 2, "global_rope_theta": 300.0, "local_rope_theta": 40.0, "local_attention": 5}),
    "newer keys": ("masked-lm", {
        "layer_types": ["sliding_attention", "full_attention", "full_attention", "sliding_attention"],
        "rope_parameters": {"full_attention": {"rope_type": "default", "rope_theta": 50.0}, "sliding_attention": {"rope_type": "default", "rope_theta": 3000.0}},
    }),
    "mean": ("sequence-classification", {"classifier_pooling": "mean"}),
}  # fmt: skip


def random_value(name, shape):
    norm = "norm" in name
    scale = 0.2 if norm or name.endswith("bias") else 1.5 / shape[-1] ** 0.5
    return (torch.randn(shape) * scale + (1.0 if norm and name.endswith("weight") else 0.0)).half().float()


def build(head, weights, **overrides):
    """A model with these weights; those it has and `weights` has not are drawn and put there, classifiers under `HEAD:`."""
    config = ModernBertConfig(
        **{
            **json.loads(json.dumps({**SIZES, **overrides})),
            "num_labels": 2 if head == "question-answering" else LABELS,
        }
    )
    config._attn_implementation = "eager"
    model = getattr(transformers, HEADS[head])(config).eval()
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            key = f"{head}:{name}" if name.startswith("classifier") else name
            if key not in weights:
                weights[key] = random_value(name, parameter.shape)
            parameter.copy_(weights[key])
    return model


def rows(lengths):
    """[CLS] A [SEP], padded."""
    lists = [[CLS, *torch.randint(FIRST, VOCAB, (n - 2,)).tolist(), SEP] for n in lengths]
    pad = lambda row, with_: row + [with_] * (max(lengths) - len(row))  # noqa: E731
    return {
        "ids": torch.tensor([pad(ids, PAD) for ids in lists]),
        "mask": torch.tensor([pad([1] * len(ids), 0) for ids in lists]),
    }


def run(model, batch, **more):
    return model(input_ids=batch["ids"], attention_mask=batch["mask"], **more)


def write(name, value):
    path = OUT / f"modernbert-{name}.json"
    path.write_text(json.dumps({"pinned": PINNED, **value}, separators=(",", ":")) + "\n")
    assert path.stat().st_size < 350_000, path


def base(weights):
    batch = rows(LENGTHS)
    question = {key: value.view(2, 3, -1) for key, value in rows([10, 9, 11, 10, 8, 11]).items()}
    heads = {
        head: {
            name: f32(x)
            for name, x in logits_of(
                run(build(head, weights), question if head == "multiple-choice" else batch)
            ).items()
        }
        for head in HEADS
    }
    model = build("masked-lm", weights)
    out = run(model, batch, output_hidden_states=True, output_attentions=True)
    alone = [
        f32(run(model, {key: value[row : row + 1, :n] for key, value in batch.items()}).logits[0])
        for row, n in enumerate(LENGTHS)
    ]
    return batch, question, {
        "config": {"model_type": "modernbert", "architectures": ["ModernBertForMaskedLM"], **SIZES, "id2label": {str(i): f"L{i}" for i in range(LABELS)}},
        "weights": {name: encode(value, "<f2") for name, value in weights.items()},
        "batch": {key: value.tolist() for key, value in batch.items()}, "choices": {key: value.tolist() for key, value in question.items()},
        "heads": heads, "alone": alone,
        "hidden_states": [f32(x) for x in out.hidden_states], "attentions": [f32(x) for x in out.attentions],
    }  # fmt: skip


def gradients(weights, batch, question):
    ids, labels = masked(batch)
    # transformers' span loss takes padding for possible answers; a row without any is the same everywhere.
    whole = {key: value[:1] for key, value in batch.items()}
    targets = {
        "masked-lm": {"labels": labels},
        "sequence-classification": {"labels": torch.tensor([2, 0, 1])},
        "token-classification": {"labels": torch.where(batch["mask"] == 1, batch["ids"] % LABELS, -100)},
        "question-answering": {"start_positions": torch.tensor([3]), "end_positions": torch.tensor([5])},
        "multiple-choice": {"labels": torch.tensor([2, 0])},
    }
    heads = {}
    for head, target in targets.items():
        model = build(head, weights).double()
        # The eager softmax is f32, where the mask of an f64 model is -inf: NaN at padding that sees nothing but padding.
        model.set_attn_implementation("sdpa")
        given = {"multiple-choice": question, "masked-lm": {**batch, "ids": ids}, "question-answering": whole}.get(
            head, batch
        )
        loss = run(model, given, **target).loss
        loss.backward()
        assert torch.isfinite(loss)
        kept = {
            name: f32(p.grad)
            for name, p in model.named_parameters()
            if head == "masked-lm" or not name.startswith("model.") or name.endswith("norm.weight")
        }
        heads[head] = {
            "loss": loss.item(),
            "targets": {key: value.tolist() for key, value in target.items()},
            "gradients": kept,
        }
    return {"ids": ids.tolist(), "heads": heads}


def variants(weights, batch):
    out = {}
    for name, (head, overrides) in VARIANTS.items():
        own = dict(weights)
        model = build(head, own, **overrides)
        new = {key: encode(value, "<f2") for key, value in own.items() if key not in weights}
        out[name] = {"head": head, "config": overrides, "weights": new, "logits": f32(run(model, batch).logits)}
    return {"variants": out}


if __name__ == "__main__":
    torch.set_num_threads(1)
    torch.manual_seed(20241218)
    weights = {}
    batch, question, golden = base(weights)
    write("base", golden)
    write("gradients", gradients(weights, batch, question))
    write("variants", variants(weights, batch))
