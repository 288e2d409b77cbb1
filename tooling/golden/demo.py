"""Goldens of the demo: what transformers makes of the bundled models (apps/demo/bundled).

Pinned: torch==2.11.0, transformers==5.24.0 (checked below).
Run:    python tooling/golden/demo.py      (rewrites apps/demo/test/bundled-golden.json)

Of the first bundled protein residue 21 is masked, and the 20 amino acids are ranked by their probability among all
tokens. Of the text view's sentence the mask is filled.
"""

import json
import pathlib

import torch
import transformers
from transformers import AutoTokenizer, BertForMaskedLM, EsmForMaskedLM

PINNED = {"torch": "2.11.0", "transformers": "5.24.0"}
FOUND = {"torch": torch.__version__.split("+")[0], "transformers": transformers.__version__}
assert FOUND == PINNED, f"expected {PINNED}, got {FOUND}"
DEMO = pathlib.Path(__file__).resolve().parents[2] / "apps/demo"
AT = 20
SENTENCE = "Miss [MASK] was at Netherfield."
TOP = 6


def guesses(folder, model, text, mask_at, wanted):
    tokenizer = AutoTokenizer.from_pretrained(folder)
    model = model.from_pretrained(folder, dtype=torch.float32).eval()
    ids = tokenizer(text, return_tensors="pt")
    if mask_at is not None:
        ids["input_ids"][0, mask_at] = tokenizer.mask_token_id
    place = (ids["input_ids"][0] == tokenizer.mask_token_id).nonzero()[0, 0]
    with torch.no_grad():
        probabilities = model(**ids).logits[0, place].softmax(-1)
    tokens = wanted or tokenizer.convert_ids_to_tokens(range(len(probabilities)))
    ranked = sorted(tokens, key=lambda token: -probabilities[tokenizer.convert_tokens_to_ids(token)])[:TOP]
    return [
        {"token": token, "probability": round(float(probabilities[tokenizer.convert_tokens_to_ids(token)]), 6)}
        for token in ranked
    ]


protein = DEMO / "bundled/protein"
sequence = json.loads((protein / "bundled.json").read_text())["examples"][0]["sequence"]
found = {
    "residue": AT,
    "protein": guesses(protein, EsmForMaskedLM, sequence, AT + 1, list("ACDEFGHIKLMNPQRSTVWY")),
    "sentence": SENTENCE,
    "text": guesses(DEMO / "bundled/text", BertForMaskedLM, SENTENCE, None, None),
}
(DEMO / "test/bundled-golden.json").write_text(json.dumps(found, indent=2) + "\n")
