"""A checkpoint that cloze trained, in Python and back: tokenizer and masked-token logits.

    python tooling/python-check/checkpoint.py CHECKPOINT TEXTS npx cloze

CHECKPOINT is a folder with weights and tokenizer, TEXTS a file with a text on each line, and the rest is the command that runs cloze.
Checks that transformers opens both without a warning; that the ids of every text are the same; that the logits of the first texts
agree within 1e-4; and that cloze, given what transformers saved of the model and its tokenizer, gives the same ids and logits again.
Needs torch, transformers, safetensors; downloads nothing.
"""

import json
import logging
import pathlib
import subprocess
import sys
import tempfile
import warnings

import torch
import transformers
from safetensors.torch import load_file
from transformers import AutoModelForMaskedLM, AutoModelForPreTraining, AutoTokenizer

checkpoint, texts_file, *cloze = sys.argv[1:]
ROWS = 48
torch.set_num_threads(1)


class Heard(logging.Handler):
    def __init__(self):
        super().__init__(logging.WARNING)
        self.said = []

    def emit(self, record):
        self.said.append(record.getMessage())


heard = Heard()
transformers.logging.get_logger().addHandler(heard)
transformers.logging.disable_progress_bar()
failed = []


def check(what, good, figure):
    print(f"{what}: {figure}{'' if good else '   NOT AS IT SHOULD BE'}")
    if not good:
        failed.append(what)


def run(*arguments):
    return subprocess.run([*cloze, *map(str, arguments)], check=True, capture_output=True, text=True).stdout


def ids_of(folder):
    printed = json.loads(run("tokenize", "--tokenizer", folder, "--file", texts_file, "--json").splitlines()[-1])
    return [sequence["ids"] for sequence in printed["sequences"]]


def logits_of(folder, work):
    out = work / "logits.safetensors"
    run("logits", "--checkpoint", folder, "--ids", work / "ids.json", "--out", out)
    return load_file(out)["logits"]


with tempfile.TemporaryDirectory() as temporary, warnings.catch_warnings(record=True) as caught:
    warnings.simplefilter("always")
    work, config = pathlib.Path(temporary), json.loads((pathlib.Path(checkpoint) / "config.json").read_text())
    pretraining = config["architectures"][0].endswith("ForPreTraining")
    tokenizer = AutoTokenizer.from_pretrained(checkpoint, local_files_only=True)
    auto = AutoModelForPreTraining if pretraining else AutoModelForMaskedLM
    model, info = auto.from_pretrained(checkpoint, local_files_only=True, output_loading_info=True)
    said = [
        *heard.said,
        *(str(w.message) for w in caught),
        *(f"{kind}: {names}" for kind, names in info.items() if names),
    ]
    check(f"{type(model).__name__} and {type(tokenizer).__name__} opened", not said, "; ".join(said) or "no warning")

    with open(texts_file, encoding="utf-8") as lines:
        texts = [line.strip() for line in lines if line.strip()]
    heard.said.clear()
    theirs, ours = [tokenizer(text)["input_ids"] for text in texts], ids_of(checkpoint)
    wrong = [i for i, (a, b) in enumerate(zip(theirs, ours)) if a != b]
    check(
        "ids",
        len(ours) == len(theirs) and not wrong,
        f"{sum(map(len, theirs))} of {len(texts)} texts, {len(wrong)} texts differ"
        + (f", first text {wrong[0] + 1}" if wrong else ""),
    )

    rows = [row[: min(128, config.get("max_position_embeddings", 128))] for row in theirs[:ROWS]]
    (work / "ids.json").write_text(json.dumps(rows))
    there = logits_of(checkpoint, work)
    with torch.no_grad():
        outs = [model.eval().float()(input_ids=torch.tensor([row])) for row in rows]
    logits = [(out.prediction_logits if pretraining else out.logits)[0] for out in outs]
    worst = max((a - there[i, : len(a)]).abs().max().item() for i, a in enumerate(logits))
    check("logits", worst <= 1e-4, f"{len(rows)} texts, largest difference {worst:.1e}")

    model.save_pretrained(work / "again")
    tokenizer.save_pretrained(work / "again")
    back = logits_of(work / "again", work)
    check(
        "the way back",
        ids_of(work / "again") == ours and torch.equal(back, there),
        f"ids and logits, largest difference {(back - there).abs().max().item():.1e}",
    )
sys.exit(len(failed) > 0)
