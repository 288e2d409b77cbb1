"""Goldens of @cloze/models/bert: the BertFor* classes of transformers with random weights.

Pinned: torch==2.15.0, transformers==5.23.0, numpy==2.4.6 (checked below).
Run:    python tooling/golden/bert.py     (rewrites packages/models/test/golden/bert-*.json)

bert-base.json       one small encoder and every head on it: weights, inputs with pairs and padding, logits, hidden states, attention
                     maps; `alone` holds the logits of single rows run without padding, what packed rows must give
bert-gradients.json  the losses of every head and their gradients, in f64: all of pretraining, of the others the head's own and the
                     embeddings' norm
bert-variants.json   the same weights under other configurations: activations, an untied decoder, another eps, no token types
bert-training.json   50 steps of pretraining (masked tokens and next sentence) from the same weights: batches and losses;
                     AdamW in two decay groups, linear warm-up and decay, clipping, no dropout, f32

Weights are f16-representable (stored as f16); all else is f32, base64, little-endian.
"""

import base64
import json
import pathlib

import numpy as np
import torch
import transformers
from transformers import BertConfig, get_linear_schedule_with_warmup

PINNED = {"torch": "2.15.0", "transformers": "5.23.0", "numpy": "2.4.6"}
FOUND = {m.__name__: m.__version__.split("+")[0] for m in (torch, transformers, np)}
assert FOUND == PINNED, f"expected {PINNED}, got {FOUND}"
OUT = pathlib.Path(__file__).resolve().parents[2] / "packages/models/test/golden"
PAD, CLS, SEP, MASK, FIRST, VOCAB = 0, 2, 3, 4, 5, 60

SIZES = {
    "vocab_size": VOCAB, "hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 4, "intermediate_size": 56,
    "max_position_embeddings": 20, "type_vocab_size": 2, "hidden_act": "gelu", "pad_token_id": PAD,
    "hidden_dropout_prob": 0.0, "attention_probs_dropout_prob": 0.0, "layer_norm_eps": 1e-12,
}  # fmt: skip
LABELS = 3
LENGTHS = [(7, 6), (5, 3), (4, 0)]  # of the first and the second text
HEADS = {
    "masked-lm": "BertForMaskedLM", "sentence-pair": "BertForNextSentencePrediction", "masked-lm+sentence-pair": "BertForPreTraining",
    "sequence-classification": "BertForSequenceClassification", "token-classification": "BertForTokenClassification",
    "question-answering": "BertForQuestionAnswering", "multiple-choice": "BertForMultipleChoice",
}  # fmt: skip
VARIANTS = {
    **{name: {"hidden_act": name} for name in ("gelu_new", "gelu_pytorch_tanh", "relu", "silu")},
    "untied": {"tie_word_embeddings": False},
    "eps": {"layer_norm_eps": 0.05},
    "no types": {},
}
TRAINING = {
    "steps": 50,
    "warmup": 10,
    "lr": 2e-3,
    "weight_decay": 0.01,
    "beta1": 0.9,
    "beta2": 0.999,
    "eps": 1e-8,
    "clip": 1.0,
}


def encode(tensor, dtype):
    array = tensor.detach().numpy()
    return {"shape": list(array.shape), "data": base64.b64encode(array.astype(dtype).tobytes()).decode()}


def f32(tensor):
    return encode(tensor, "<f4")


def config_of(**overrides):
    config = BertConfig(**{**SIZES, **overrides})
    config._attn_implementation = "eager"
    return config


def random_value(name, shape):
    norm = "LayerNorm" in name
    scale = 0.2 if norm or name.endswith("bias") else 1.5 / shape[-1] ** 0.5
    return (torch.randn(shape) * scale + (1.0 if norm and name.endswith("weight") else 0.0)).half().float()


def build(head, weights, **overrides):
    """A model with these weights; those it has and `weights` has not are drawn and put there, under `HEAD:` where heads share a name."""
    labels = 2 if head == "question-answering" else LABELS
    model = getattr(transformers, HEADS[head])(config_of(num_labels=labels, **overrides)).eval()
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            key = f"{head}:{name}" if name.startswith("classifier") else name
            if key not in weights:
                weights[key] = random_value(name, parameter.shape)
            parameter.copy_(weights[key])
    return model


def rows(lengths):
    """[CLS] A [SEP] B [SEP], or [CLS] A [SEP], padded."""
    lists = []
    for a, b in lengths:
        texts = [torch.randint(FIRST, VOCAB, (n,)).tolist() for n in (a, b)]
        ids = [CLS, *texts[0], SEP, *([*texts[1], SEP] if b else [])]
        lists.append((ids, [0] * (a + 2) + [1] * (len(ids) - a - 2)))
    longest = max(len(ids) for ids, _ in lists)
    pad = lambda row, with_: row + [with_] * (longest - len(row))  # noqa: E731
    return {
        "ids": torch.tensor([pad(ids, PAD) for ids, _ in lists]),
        "types": torch.tensor([pad(types, 0) for _, types in lists]),
        "mask": torch.tensor([pad([1] * len(ids), 0) for ids, _ in lists]),
    }


def masked(batch):
    """Labels of some tokens, which are replaced by [MASK]."""
    labels = torch.full_like(batch["ids"], -100)
    for row in range(len(labels)):
        places = [i for i, id in enumerate(batch["ids"][row].tolist()) if id >= FIRST]
        for i in torch.randperm(len(places))[: max(1, len(places) // 4)].tolist():
            labels[row, places[i]] = batch["ids"][row, places[i]]
    ids = torch.where(labels >= 0, torch.full_like(labels, MASK), batch["ids"])
    return ids, labels


def run(model, batch, types=True, **more):
    given = {"token_type_ids": batch["types"]} if types else {}
    return model(input_ids=batch["ids"], attention_mask=batch["mask"], **given, **more)


def logits_of(out):
    """Every output that is logits, by its name."""
    names = ("logits", "prediction_logits", "seq_relationship_logits", "start_logits", "end_logits")
    return {name: out[name] for name in names if name in out}


def write(name, value):
    path = OUT / f"bert-{name}.json"
    path.write_text(json.dumps({"pinned": PINNED, **value}, separators=(",", ":")) + "\n")
    assert path.stat().st_size < 300_000, path


def choices():
    """Two questions of three choices each."""
    batch = rows([(4, 3), (4, 2), (4, 4), (5, 2), (5, 3), (5, 1)])
    return {key: value.view(2, 3, -1) for key, value in batch.items()}


def base(weights):
    batch, question = rows(LENGTHS), choices()
    heads = {}
    for head in HEADS:
        model = build(head, weights)
        given = question if head == "multiple-choice" else batch
        heads[head] = {name: f32(value) for name, value in logits_of(run(model, given)).items()}
    model = build("masked-lm+sentence-pair", weights)
    out = run(model, batch, output_hidden_states=True, output_attentions=True)
    alone = []
    for row, n in enumerate(batch["mask"].sum(1).tolist()):
        single = run(model, {key: value[row : row + 1, :n] for key, value in batch.items()})
        alone.append(
            {
                "prediction_logits": f32(single.prediction_logits[0]),
                "seq_relationship_logits": f32(single.seq_relationship_logits[0]),
            }
        )
    pooled = model.bert(batch["ids"], attention_mask=batch["mask"], token_type_ids=batch["types"]).pooler_output
    return batch, question, {
        "config": {"model_type": "bert", "architectures": ["BertForPreTraining"], **SIZES, "id2label": {str(i): f"L{i}" for i in range(LABELS)}},
        "weights": {name: encode(value, "<f2") for name, value in weights.items()},
        "batch": {key: value.tolist() for key, value in batch.items()},
        "choices": {key: value.tolist() for key, value in question.items()},
        "heads": heads, "alone": alone, "pooled": f32(pooled),
        "hidden_states": [f32(x) for x in out.hidden_states], "attentions": [f32(x) for x in out.attentions],
    }  # fmt: skip


def gradients(weights, batch, question):
    ids, labels = masked(batch)
    corrupted = {**batch, "ids": ids}
    # transformers' span loss takes padding for possible answers; a row without any is the same everywhere.
    whole = {key: value[:1] for key, value in batch.items()}
    targets = {
        "masked-lm+sentence-pair": {"labels": labels, "next_sentence_label": torch.tensor([0, 1, 1])},
        "sequence-classification": {"labels": torch.tensor([2, 0, 1])},
        "token-classification": {"labels": torch.where(batch["mask"] == 1, batch["ids"] % LABELS, -100)},
        "question-answering": {"start_positions": torch.tensor([3]), "end_positions": torch.tensor([5])},
        "multiple-choice": {"labels": torch.tensor([2, 0])},
    }
    heads = {}
    for head, target in targets.items():
        model = build(head, weights).double()
        given = {"multiple-choice": question, "masked-lm+sentence-pair": corrupted, "question-answering": whole}.get(
            head, batch
        )
        loss = run(model, given, **target).loss
        loss.backward()
        kept = (
            lambda name: head == "masked-lm+sentence-pair"
            or "encoder" not in name
            and "embeddings.w" not in name
            and "_embeddings" not in name
        )  # noqa: E731
        heads[head] = {
            "loss": loss.item(), "targets": {key: value.tolist() for key, value in target.items()},
            "gradients": {name: f32(p.grad) for name, p in model.named_parameters() if p.grad is not None and kept(name)},
        }  # fmt: skip
    return {"ids": ids.tolist(), "heads": heads}


def variants(weights, batch):
    out = {}
    for name, overrides in VARIANTS.items():
        own = dict(weights)
        model = build("masked-lm", own, **overrides)
        new = {key: encode(value, "<f2") for key, value in own.items() if key not in weights}
        out[name] = {
            "config": overrides,
            "weights": new,
            "logits": f32(run(model, batch, types=name != "no types").logits),
        }
    return {"variants": out}


def training(weights):
    t = TRAINING
    model = build("masked-lm+sentence-pair", weights).train()
    decayed = [p for p in model.parameters() if p.dim() > 1]
    others = [p for p in model.parameters() if p.dim() <= 1]
    groups = [{"params": decayed, "weight_decay": t["weight_decay"]}, {"params": others, "weight_decay": 0.0}]
    optimizer = torch.optim.AdamW(groups, lr=t["lr"], betas=(t["beta1"], t["beta2"]), eps=t["eps"])
    scheduler = get_linear_schedule_with_warmup(optimizer, t["warmup"], t["steps"])
    steps = []
    for _ in range(t["steps"]):
        scheduler.step()  # the first update is not wasted on a rate of 0
        lengths = torch.randint(3, 7, (3, 2)).tolist()
        batch = rows(lengths)
        batch["ids"] = torch.where(batch["ids"] >= FIRST, FIRST + batch["ids"] % 8, batch["ids"])  # something to learn
        ids, labels = masked(batch)
        nsp = torch.randint(0, 2, (3,))
        out = run(model, {**batch, "ids": ids}, labels=labels, next_sentence_label=nsp)
        optimizer.zero_grad()
        out.loss.backward()
        norm = torch.nn.utils.clip_grad_norm_(model.parameters(), t["clip"])
        lr = optimizer.param_groups[0]["lr"]
        optimizer.step()
        steps.append({
            "ids": ids.tolist(), "types": batch["types"].tolist(), "mask": batch["mask"].tolist(), "labels": labels.tolist(),
            "next_sentence_label": nsp.tolist(), "loss": out.loss.item(), "norm": norm.item(), "lr": lr,
        })  # fmt: skip
    return {"options": t, "steps": steps}


if __name__ == "__main__":
    OUT.mkdir(parents=True, exist_ok=True)
    torch.set_num_threads(1)
    torch.manual_seed(20240520)
    weights = {}
    batch, question, golden = base(weights)
    write("base", golden)
    write("gradients", gradients(weights, batch, question))
    write("variants", variants(weights, batch))
    write("training", training(weights))
