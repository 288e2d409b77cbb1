"""Goldens of `convertCheckpoint`: checkpoints of other libraries, and what Hugging Face's classes hold of the same weights.

Pinned: torch==2.15.0, transformers==5.23.0, fair-esm==2.0.0, safetensors==0.8.0; tensorflow==2.21.0 for the second stage, which
        cannot live in one environment with the first (checked below).
Run:    python tooling/golden/convert.py models        (rewrites packages/checkpoint/test/golden/convert)
        python tooling/golden/convert.py tensorflow    (then, in the other environment)

fair-esm.safetensors   the state_dict of fair-esm's own ESM2 class, random weights
esm-hf.safetensors     the state_dict of EsmForMaskedLM with the same weights, put in place by the mapping below
esm.json               token ids, and fair-esm's logits and contacts for them
bert-tf.npz, -z.npz    a BertForPreTraining under TensorFlow's names (the mapping below), stored and deflated
bert-hf.safetensors    its state_dict
bert.json              token ids, types, mask, and transformers' logits
tf1/bert_model.ckpt.*  tf.compat.v1.train.Saver of the same arrays, with what an optimizer leaves
tf2/ckpt-1.*           tf.train.Checkpoint: the same kind of file, with its notes, in other names
"""

import json
import os
import pathlib
import re
import sys

import numpy as np

OUT = pathlib.Path(__file__).resolve().parents[2] / "packages/checkpoint/test/golden/convert"


def pinned(**versions):
    from importlib.metadata import version

    for name, wanted in versions.items():
        found = version(name.replace("_", "-")).split("+")[0]
        assert found == wanted, f"{name}: expected {wanted}, got {found}"


def save(model, name, tied):
    """The state_dict, tied copies once. (save_pretrained of this version gives norms their names of old.)"""
    from safetensors.torch import save_file

    save_file(
        {k: v.clone().contiguous() for k, v in model.state_dict().items() if k not in tied},
        OUT / name,
        metadata={"format": "pt"},
    )
    os.chmod(OUT / name, 0o644)


def esm_parts():
    import torch
    import esm
    from esm.model.esm2 import ESM2
    from safetensors.torch import save_file
    from transformers import EsmConfig, EsmForMaskedLM

    torch.manual_seed(0)
    theirs = ESM2(
        num_layers=2,
        embed_dim=16,
        attention_heads=2,
        alphabet=esm.data.Alphabet.from_architecture("ESM-1b"),
        token_dropout=True,
    ).eval()
    with torch.no_grad():
        for name, p in theirs.named_parameters():
            p.copy_((torch.randn_like(p) * 0.2 + ("norm" in name and name.endswith("weight"))).half().float())
    state = {k: v.clone().contiguous() for k, v in theirs.state_dict().items()}
    save_file(state, OUT / "fair-esm.safetensors")
    os.chmod(OUT / "fair-esm.safetensors", 0o644)

    config = EsmConfig(
        vocab_size=33,
        hidden_size=16,
        num_hidden_layers=2,
        num_attention_heads=2,
        intermediate_size=64,
        max_position_embeddings=1026,
        position_embedding_type="rotary",
        mask_token_id=32,
        pad_token_id=1,
        token_dropout=True,
        emb_layer_norm_before=False,
        layer_norm_eps=1e-5,
        hidden_dropout_prob=0.0,
        attention_probs_dropout_prob=0.0,
        attn_implementation="eager",
    )
    model = EsmForMaskedLM(config).eval()
    modules = {"query": "self_attn.q_proj", "key": "self_attn.k_proj", "value": "self_attn.v_proj"}
    with torch.no_grad():
        model.esm.embeddings.word_embeddings.weight.copy_(state["embed_tokens.weight"])
        for i, layer in enumerate(model.esm.encoder.layer):
            pairs = [(getattr(layer.attention.self, k), v) for k, v in modules.items()] + [
                (layer.attention.output.dense, "self_attn.out_proj"),
                (layer.attention.LayerNorm, "self_attn_layer_norm"),
                (layer.intermediate.dense, "fc1"),
                (layer.output.dense, "fc2"),
                (layer.LayerNorm, "final_layer_norm"),
            ]
            for module, name in pairs:
                module.weight.copy_(state[f"layers.{i}.{name}.weight"])
                module.bias.copy_(state[f"layers.{i}.{name}.bias"])
        for module, name in [
            (model.esm.encoder.emb_layer_norm_after, "emb_layer_norm_after"),
            (model.esm.contact_head.regression, "contact_head.regression"),
            (model.lm_head.dense, "lm_head.dense"),
            (model.lm_head.layer_norm, "lm_head.layer_norm"),
        ]:
            module.weight.copy_(state[f"{name}.weight"])
            module.bias.copy_(state[f"{name}.bias"])
        model.lm_head.bias.copy_(state["lm_head.bias"])
    ids = torch.tensor([[0, 20, 15, 11, 32, 19, 12, 2], [0, 5, 6, 32, 8, 2, 1, 1]])
    with torch.no_grad():
        out = theirs(ids, repr_layers=[2], return_contacts=True)
        ours = model(ids, attention_mask=(ids != 1).long()).logits
    there = ids != 1
    assert (out["logits"] - ours)[there].abs().max() < 1e-5
    save(model, "esm-hf.safetensors", {"lm_head.decoder.weight"})
    json.dump(
        {"ids": ids[:1].tolist(), "logits": out["logits"][:1].tolist(), "contacts": out["contacts"][:1].tolist()},
        open(OUT / "esm.json", "w"),
    )


def tf_name(name):
    """The variable of google-research/bert for a parameter of transformers, and whether it is transposed; None for tied copies."""
    if name.startswith("cls.predictions.decoder"):
        return None, False
    fixed = {
        "cls.predictions.bias": "cls/predictions/output_bias",
        "cls.seq_relationship.weight": "cls/seq_relationship/output_weights",
        "cls.seq_relationship.bias": "cls/seq_relationship/output_bias",
    }
    if name in fixed:
        return fixed[name], False
    if re.fullmatch(r"bert\.embeddings\.\w+_embeddings\.weight", name):
        return name[: -len(".weight")].replace(".", "/"), False
    name = name.replace("LayerNorm.weight", "LayerNorm.gamma").replace("LayerNorm.bias", "LayerNorm.beta")
    turned = name.endswith(".weight")
    return re.sub(r"\.weight$", ".kernel", re.sub(r"layer\.(\d+)", r"layer_\1", name)).replace(".", "/"), turned


def bert_parts():
    import torch
    from transformers import BertConfig, BertForPreTraining

    torch.manual_seed(1)
    sizes = dict(
        vocab_size=30,
        hidden_size=12,
        num_hidden_layers=2,
        num_attention_heads=3,
        intermediate_size=20,
        max_position_embeddings=16,
        type_vocab_size=2,
    )
    model = BertForPreTraining(BertConfig(**sizes)).eval()
    with torch.no_grad():
        for p in model.parameters():
            p.copy_((torch.randn_like(p) * 0.2).half().float())
    arrays = {}
    for name, p in model.named_parameters():
        theirs, turned = tf_name(name)
        if theirs is not None:
            arrays[theirs] = (
                p.detach().numpy().T if turned else p.detach().numpy()
            )  # a transposed view is stored in Fortran order
    np.savez(OUT / "bert-tf.npz", **arrays)
    np.savez_compressed(OUT / "bert-tf-z.npz", **{k: np.ascontiguousarray(v) for k, v in arrays.items()})
    save(model, "bert-hf.safetensors", {"cls.predictions.decoder.weight", "cls.predictions.decoder.bias"})
    ids, types, mask = (
        [[2, 7, 8, 3, 9, 3], [2, 5, 3, 11, 3, 0]],
        [[0, 0, 0, 0, 1, 1], [0, 0, 0, 1, 1, 0]],
        [[1] * 6, [1] * 5 + [0]],
    )
    with torch.no_grad():
        out = model(torch.tensor(ids), token_type_ids=torch.tensor(types), attention_mask=torch.tensor(mask))
    json.dump(
        {
            "ids": ids,
            "types": types,
            "mask": mask,
            "logits": out.prediction_logits.tolist(),
            "next": out.seq_relationship_logits.tolist(),
        },
        open(OUT / "bert.json", "w"),
    )
    os.makedirs(OUT / "tf1", exist_ok=True)
    json.dump(
        {
            "attention_probs_dropout_prob": 0.0,
            "hidden_act": "gelu",
            "hidden_dropout_prob": 0.1,
            "initializer_range": 0.02,
            **sizes,
        },
        open(OUT / "tf1/bert_config.json", "w"),
        indent=2,
    )


def tensorflow_parts():
    os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"
    import tensorflow as tf

    arrays = {k: np.ascontiguousarray(v) for k, v in np.load(OUT / "bert-tf.npz").items()}
    with tf.Graph().as_default(), tf.compat.v1.Session() as session:
        variables = [tf.compat.v1.get_variable(k, initializer=v) for k, v in arrays.items()]
        variables.append(
            tf.compat.v1.get_variable("bert/pooler/dense/kernel/adam_m", initializer=np.zeros((3, 2), np.float32))
        )
        variables.append(
            tf.compat.v1.get_variable("bert/pooler/dense/kernel/adam_v", initializer=np.zeros((3, 2), np.float32))
        )
        variables.append(tf.compat.v1.get_variable("global_step", initializer=np.int64(7)))
        session.run(tf.compat.v1.global_variables_initializer())
        tf.compat.v1.train.Saver(variables).save(
            session, str(OUT / "tf1/bert_model.ckpt"), write_meta_graph=False, write_state=False
        )
    os.makedirs(OUT / "tf2", exist_ok=True)
    tf.train.Checkpoint(a=tf.Variable([1.5, -2.0]), b=tf.Variable([[1, 2], [3, 4]], dtype=tf.int64)).write(
        str(OUT / "tf2/ckpt-1")
    )


os.makedirs(OUT, exist_ok=True)
if sys.argv[1:] == ["models"]:
    pinned(torch="2.15.0", transformers="5.23.0", fair_esm="2.0.0", safetensors="0.8.0")
    esm_parts()
    bert_parts()
elif sys.argv[1:] == ["tensorflow"]:
    from importlib.metadata import distributions

    found = {
        d.metadata["Name"]: d.version
        for d in distributions()
        if d.metadata["Name"] in ("tensorflow", "tensorflow-cpu", "tensorflow_cpu")
    }
    assert set(found.values()) == {"2.21.0"}, f"tensorflow: expected 2.21.0, got {found}"
    tensorflow_parts()
else:
    sys.exit(__doc__)
