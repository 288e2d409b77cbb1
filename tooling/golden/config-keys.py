"""Goldens of the config.json readers of @cloze/models: what each key of a config.json does to transformers' logits.

Pinned: torch==2.11.0, transformers==5.24.0, numpy==2.4.6 (checked below).
Run:    python tooling/golden/config-keys.py     (rewrites packages/models/test/golden/config-keys.json)

For BERT, ESM-2 and ModernBERT, one small checkpoint with wide random weights. Every variant is its config.json with one key, or a few
keys, more. Python opens each folder by AutoModelForMaskedLM.from_pretrained. The outcome is "raises" with the error's class, "same", or
the logits of one row, where they differ from those of the base. Weights are f16-representable (stored as f16); logits are f32, base64,
little-endian. Weights that a variant lacks ("missing") were drawn by Python, so that its logits mean nothing and are not kept.
"""

import base64
import json
import pathlib
import tempfile

import numpy as np
import torch
import transformers
from transformers import AutoConfig, AutoModelForMaskedLM

PINNED = {"torch": "2.11.0", "transformers": "5.24.0", "numpy": "2.4.6"}
FOUND = {m.__name__: m.__version__.split("+")[0] for m in (torch, transformers, np)}
assert FOUND == PINNED, f"expected {PINNED}, got {FOUND}"
OUT = pathlib.Path(__file__).resolve().parents[2] / "packages/models/test/golden/config-keys.json"
transformers.logging.set_verbosity(transformers.logging.CRITICAL)

SIZES = {"vocab_size": 20, "hidden_size": 16, "num_hidden_layers": 2, "num_attention_heads": 2, "intermediate_size": 24}
BASES = {
    "bert": {**SIZES, "max_position_embeddings": 24, "pad_token_id": 0, "hidden_dropout_prob": 0.0, "attention_probs_dropout_prob": 0.0},
    "esm": {
        **SIZES, "max_position_embeddings": 26, "pad_token_id": 1, "mask_token_id": 19, "position_embedding_type": "rotary",
        "token_dropout": True, "emb_layer_norm_before": False, "hidden_dropout_prob": 0.0, "attention_probs_dropout_prob": 0.0, "layer_norm_eps": 1e-5,
    },
    "modernbert": {
        **SIZES, "num_hidden_layers": 4, "max_position_embeddings": 64, "local_attention": 8, "pad_token_id": 1,
        "bos_token_id": 0, "cls_token_id": 0, "eos_token_id": 2, "sep_token_id": 2,
    },
}  # fmt: skip
IDS = [0, 5, 9, 17, 19, 6, 11, 8, 14, 7, 19, 4, 10, 16, 2]

ROPE = {"rope_type": "default", "rope_theta": 50.0}
COMMON = [
    *({key: value} for key, values in {
        "head_dim": [4, 8], "rope_theta": [50.0, 10_000.0], "partial_rotary_factor": [0.5, 1.0], "rope_scaling": [
            None, {"rope_type": "linear", "factor": 4.0}, {"type": "linear", "factor": 4.0}, {"type": "dynamic", "factor": 4.0},
            {"rope_type": "default"}, ROPE],
        "rope_parameters": [
            None, {}, ROPE, {"rope_theta": 50.0}, {"type": "default", "rope_theta": 50.0}, {"rope_type": "linear", "factor": 4.0, "rope_theta": 10_000.0},
            {"full_attention": ROPE}, {"sliding_attention": ROPE}, {"full_attention": ROPE, "sliding_attention": ROPE},
            {"full_attention": {"rope_type": "linear", "factor": 4.0}}, {"full_attention": {"type": "linear", "factor": 4.0}},
            {"full_attention": {"rope_theta": 50.0}}, {"full_attention": {**ROPE, "partial_rotary_factor": 0.5}},
            {"full_attention": {**ROPE, "factor": 4.0}}, {"full_attention": None, "sliding_attention": ROPE}, {"full_attention": ROPE, "rope_theta": 7.0}],
        "global_rope_theta": [50.0, None], "local_rope_theta": [50.0, None],
        "global_attn_every_n_layers": [1, 2, 0, None], "sliding_window": [1, 2, 4, None], "local_attention": [2, 3, None], "attention_window": [2],
        "attention_chunk_size": [4], "use_sliding_window": [True],
        "layer_types": [None, ["full_attention"] * 4, ["sliding_attention", "full_attention"] * 2, ["full_attention"] * 2, ["attention"] * 4, ["chunked_attention"] * 4],
        "per_layer_config": [{"0": {"num_attention_heads": 1}}], "position_embedding_type": ["absolute", "rotary", "relative_key", "relative_key_query", None],
        "hidden_act": ["gelu", "gelu_new", "gelu_fast", "gelu_python", "gelu_accurate", "gelu_pytorch_tanh", "gelu_python_tanh", "gelu_10", "quick_gelu", "relu", "relu2", "silu", "swish", "mish", "tanh", None],
        "hidden_activation": ["gelu_python", "silu", "quick_gelu", None], "classifier_activation": ["relu", "quick_gelu"], "hidden_activation_function": ["relu"],
        "tie_word_embeddings": [True, False], "tie_encoder_decoder": [True], "is_decoder": [False, True], "add_cross_attention": [False, True],
        "is_encoder_decoder": [False, True], "is_causal": [False, True], "use_bidirectional_attention": [False], "emb_layer_norm_before": [None, True],
        "token_dropout": [None, False, True], "pruned_heads": [{}, {"0": [0]}], "use_cache": [True, False], "chunk_size_feed_forward": [0, 3],
        "problem_type": [None, "regression"], "classifier_dropout": [None, 0.3], "torch_dtype": ["float32", None], "dtype": ["float32"],
        "layer_norm_eps": [0.5, None], "norm_eps": [0.5, None], "rms_norm_eps": [0.5], "layer_norm_epsilon": [0.5], "rms_norm": [True],
        "attention_bias": [True], "mlp_bias": [True], "norm_bias": [True], "classifier_bias": [True], "decoder_bias": [False],
        "classifier_pooling": ["mean", "cls"], "embedding_size": [8, 16], "type_vocab_size": [2], "initializer_range": [0.5], "initializer_cutoff_factor": [3.0],
        "gradient_checkpointing": [True], "output_attentions": [True], "output_hidden_states": [True], "output_past": [True], "return_dict": [False],
        "attn_implementation": ["eager"], "_attn_implementation": ["eager"], "_attn_implementation_internal": ["eager"], "reference_compile": [True],
        "deterministic_flash_attn": [True], "sparse_prediction": [True], "sparse_pred_ignore_index": [-1], "repad_logits_with_grad": [True],
        "mask_token_id": [5, None], "eos_token_id": [3, [2, 3]], "pad_token_id": [None], "num_labels": [5], "id2label": [{"0": "a", "1": "b", "2": "c"}],
        "directionality": ["bidi"], "pooler_fc_size": [768], "pooler_num_attention_heads": [12], "pooler_num_fc_layers": [3], "pooler_size_per_head": [128],
        "pooler_type": ["first_token_transform"], "finetuning_task": ["mnli"], "architectures": [None], "transformers_version": ["4.30.0"],
        "attention_dropout": [0.5], "embedding_dropout": [0.5], "mlp_dropout": [0.5], "hidden_dropout_prob": [0.5], "attention_probs_dropout_prob": [0.5],
        "quantization_config": [
            {"quant_method": "bitsandbytes", "load_in_8bit": True}, {"quant_method": "gptq", "bits": 4}, {"quant_method": "awq", "bits": 4},
            {"quant_method": "fp8"}, {"quant_method": "compressed-tensors"}, {"quant_method": "torchao"}],
        "hidden_size": [None], "num_hidden_layers": [None, 1], "vocab_size": [None], "intermediate_size": [None], "max_position_embeddings": [None],
        "is_folding_model": [True, None], "vocab_list": [["a"]], "esmfold_config": [{}], "my_own_note": ["kept"], "gated": [True], "activation": ["relu"],
    }.items() for value in values),
    {"rope_theta": 50.0, "rope_parameters": {"rope_type": "default"}},
    {"rope_theta": 50.0, "rope_scaling": {"rope_type": "linear", "factor": 4.0}},
    {"rope_theta": 50.0, "rope_parameters": {"full_attention": {"rope_type": "default"}}},
    {"global_rope_theta": 50.0, "local_rope_theta": 7.0},
    {"global_rope_theta": 7.0, "local_rope_theta": 7.0, "rope_parameters": {"full_attention": ROPE}},
    {"sliding_window": 2, "local_attention": 6}, {"global_attn_every_n_layers": 2, "layer_types": ["full_attention"] * 4},
]  # fmt: skip


def encode(x, kind):
    array = np.ascontiguousarray(x.detach().float().numpy().astype(kind))
    return {"shape": list(array.shape), "data": base64.b64encode(array.tobytes()).decode()}


def wide(name, shape):
    norm = "norm" in name.lower()
    scale = 0.2 if norm or name.endswith("bias") else 1.5 / shape[-1] ** 0.5
    return (torch.randn(shape) * scale + (1.0 if norm and name.endswith("weight") else 0.0)).half().float()


def base(kind, folder):
    torch.manual_seed(20251130)
    model = AutoModelForMaskedLM.from_config(AutoConfig.for_model(kind, **BASES[kind])).eval()
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            parameter.copy_(wide(name, parameter.shape))
    model.save_pretrained(folder)
    # The frequencies that transformers stores beside the weights of ESM-2 would win over rope_theta.
    path = pathlib.Path(folder) / "model.safetensors"
    tensors = {name: x for name, x in load(path).items() if not name.endswith("inv_freq")}
    save(tensors, path)
    return tensors


def load(path):
    from safetensors.torch import load_file

    return load_file(path)


def save(tensors, path):
    from safetensors.torch import save_file

    save_file(tensors, path, metadata={"format": "pt"})




def logits(folder):
    model, info = AutoModelForMaskedLM.from_pretrained(folder, output_loading_info=True)
    missing = {name for name in info["missing_keys"] if not name.endswith("inv_freq")}
    with torch.no_grad():
        out = model.eval()(input_ids=torch.tensor([IDS]), return_dict=True)
    return out.logits[0].float(), missing | {name for name, *_ in info["mismatched_keys"]}


def outcome(folder, given, changes, plain):
    path = pathlib.Path(folder) / "config.json"
    path.write_text(json.dumps({**given, **changes}))
    try:
        got, missing = logits(folder)
    except Exception as error:  # noqa: BLE001: whatever it raises is the outcome
        return {"raises": type(error).__name__}
    if missing:
        return {"missing": sorted(missing)[:3]}
    if got.shape == plain.shape and (got - plain).abs().max() < 1e-4:
        return {"same": True}
    return {"logits": encode(got, "<f4")}


def family(kind):
    with tempfile.TemporaryDirectory() as folder:
        weights = base(kind, folder)
        path = pathlib.Path(folder) / "config.json"
        given = {"model_type": kind, **BASES[kind]}
        path.write_text(json.dumps(given))
        plain, missing = logits(folder)
        assert not missing and torch.isfinite(plain).all(), missing
        return {
            "config": given,
            "weights": {name: encode(x, "<f2") for name, x in weights.items()},
            "logits": encode(plain, "<f4"),
            "variants": [{"changes": changes, **outcome(folder, given, changes, plain)} for changes in COMMON],
        }


if __name__ == "__main__":
    torch.set_num_threads(1)
    golden = {"pinned": PINNED, "ids": IDS, "families": {kind: family(kind) for kind in BASES}}
    OUT.write_text(json.dumps(golden, separators=(",", ":")) + "\n")
    assert OUT.stat().st_size < 350_000, OUT.stat().st_size
