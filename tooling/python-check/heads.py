"""Opens the checkpoints of save-heads.ts with transformers' Auto classes: without a warning, with the same logits, and saves them again.

    node --import tsx --conditions=@cloze/source tooling/python-check/save-heads.ts DIR
    python tooling/python-check/heads.py DIR

Each is then saved by transformers to DIR/NAME/again, for `cloze` to open (the way back). Prints a line for each; fails above 1e-4, on a
missing, unexpected or mismatched tensor, and on any warning. Needs torch, transformers; downloads nothing.
"""

import json
import logging
import pathlib
import sys
import warnings

import torch
import transformers

AUTO = {
    "ForMaskedLM": transformers.AutoModelForMaskedLM, "ForPreTraining": transformers.AutoModelForPreTraining,
    "ForNextSentencePrediction": transformers.AutoModelForNextSentencePrediction, "ForSequenceClassification": transformers.AutoModelForSequenceClassification,
    "ForTokenClassification": transformers.AutoModelForTokenClassification, "ForQuestionAnswering": transformers.AutoModelForQuestionAnswering,
    "ForMultipleChoice": transformers.AutoModelForMultipleChoice,
}  # fmt: skip


class Heard(logging.Handler):
    """Every warning that transformers logs."""

    def __init__(self):
        super().__init__(logging.WARNING)
        self.said = []

    def emit(self, record):
        self.said.append(record.getMessage())


heard = Heard()
transformers.logging.get_logger().addHandler(heard)
transformers.logging.disable_progress_bar()
torch.set_num_threads(1)
failed = 0
for folder in sorted(path.parent for path in pathlib.Path(sys.argv[1]).glob("*/expected.json")):
    expected, config = (json.loads((folder / name).read_text()) for name in ("expected.json", "config.json"))
    architecture = config["architectures"][0]
    auto = next(auto for ending, auto in AUTO.items() if architecture.endswith(ending))
    heard.said.clear()
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        model, info = auto.from_pretrained(folder, local_files_only=True, output_loading_info=True)
    said = [
        *heard.said,
        *(str(w.message) for w in caught),
        *(f"{kind}: {names}" for kind, names in info.items() if names),
    ]
    assert type(model).__name__ == architecture, f"{type(model).__name__} is not {architecture}"
    if expected.get("labels"):
        assert [model.config.id2label[i] for i in range(len(expected["labels"]))] == expected["labels"]
    ids = torch.tensor([expected["ids"]])
    given = {"token_type_ids": torch.tensor([expected["types"]])} if "types" in expected else {}
    if architecture.endswith("MultipleChoice"):
        ids, given = ids[None], {key: value[None] for key, value in given.items()}
    with torch.no_grad():
        out = model.eval()(input_ids=ids, attention_mask=torch.ones_like(ids), **given)
    worst = max(
        (out[name].flatten() - torch.tensor(values)).abs().max().item() for name, values in expected["outputs"].items()
    )
    bad = worst > 1e-4 or said
    failed += bool(bad)
    print(f"{folder.name}: {architecture}, largest difference {worst:.1e}{'; ' + '; '.join(said) if said else ''}")
    model.save_pretrained(folder / "again")
sys.exit(failed > 0)
