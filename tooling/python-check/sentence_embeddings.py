"""Compares sentence embeddings of `cloze embed` with those of torch, from the same checkpoint and the same texts.

    cloze embed texts.txt --checkpoint MODEL --out ours.npy --special --normalize
    python tooling/python-check/sentence_embeddings.py MODEL texts.txt ours.npy

MODEL is the folder of a BERT with its tokenizer (sentence-transformers' all-MiniLM-L6-v2, say); a line of the file is a text. Mean over
all tokens, special ones too, then length 1, as sentence-transformers does. Prints the largest difference; fails above 1e-5.
Needs torch, transformers, numpy; downloads nothing.
"""

import sys

import numpy as np
import torch
from transformers import AutoModel, AutoTokenizer

folder, texts_file, ours_file = sys.argv[1:4]
with open(texts_file, encoding="utf-8") as lines:
    texts = [line.strip() for line in lines if line.strip()]
ours = np.load(ours_file)
assert len(ours) == len(texts), f"expected {len(texts)} vectors, got {len(ours)}"
tokenizer, model = (
    AutoTokenizer.from_pretrained(folder, local_files_only=True),
    AutoModel.from_pretrained(folder, local_files_only=True).eval().float(),
)
length, worst, where = model.config.max_position_embeddings, 0.0, 0
with torch.no_grad():
    for start in range(0, len(texts), 32):
        batch = tokenizer(
            texts[start : start + 32], padding=True, truncation=True, max_length=length, return_tensors="pt"
        )
        states, mask = model(**batch).last_hidden_state, batch["attention_mask"].unsqueeze(-1).float()
        theirs = torch.nn.functional.normalize((states * mask).sum(1) / mask.sum(1), dim=1).numpy()
        off = np.abs(theirs - ours[start : start + 32]).max(axis=1)
        if off.max() > worst:
            worst, where = float(off.max()), start + int(off.argmax())
print(f"{len(texts)} texts, {ours.shape[1]} numbers each: largest difference {worst:.2e} (text {where + 1})")
sys.exit(worst > 1e-5)
