"""Goldens of @cloze/tokenizer-protein, from Python transformers.

Versions: python 3.11, transformers 5.24.0, tokenizers 0.23.3.
Run from the repository root:  python tooling/golden/tokenizer-protein.py

For each alphabet it writes the files of our own tokenizer to a folder, loads them with AutoTokenizer, and records what Python
makes of a list of nasty texts ("auto": must equal ours, text by text) beside what the upstream tokenizer makes of them
("upstream": where ours differs, a test says so). It also records the files that Python saves, for our reader.
"""

import json
import random
import re
import subprocess
import tempfile
from pathlib import Path

import tokenizers
import transformers
from tokenizers import Regex, models, pre_tokenizers, processors
from transformers import AutoTokenizer, BertTokenizer, EsmTokenizer, PreTrainedTokenizerFast

assert transformers.__version__ == "5.24.0" and tokenizers.__version__ == "0.23.3", (
    "other versions than the golden was made with"
)

OUT = Path("packages/tokenizer-protein/test/golden/transformers.json")
NAMES = ("esm2", "protbert", "amplify")
# The model type beside the tokenizer files in a checkpoint: transformers consults it when it picks a class.
MODEL_TYPE = {"esm2": "esm", "protbert": "bert", "amplify": None}

DUMP = """
import { amplify, esm2, protbert } from "./packages/tokenizer-protein/src/index.ts";
console.log(JSON.stringify(Object.fromEntries([esm2(), protbert(), amplify()].map((t) => [t.name, t.files()]))));
"""

TEXTS = [
    "",
    "MKTAYIAKQRQISFVKSHFSRQLEERLGLIEVQ",
    "ACDEFGHIKLMNPQRSTVWY",
    "mktayiak",
    "MKtaYI",
    "UZOBX",
    "uzobx",
    "J",
    "MJJK",
    "jj",
    "MKT*",
    "MKT**",
    "M*KT",
    "M*KT*",
    "*",
    "**",
    "* *",
    "MKT***",
    "MKT* *\n*",
    "M**KT**<mask>**",
    "MKT* \n",
    "MKT*\r\n",
    "M-KT",
    "M.KT",
    "M..--KT",
    "-",
    ".",
    "M|KT",
    "M K T",
    " MKT ",
    "MK\tT\nAY\r\nIA",
    "MK\u00a0T",
    "MK\u2028T\u3000A",
    "\ufeffMKT",
    "MK\u0085T",
    "M\u200bK",
    " ",
    "MKT<mask>YIA",
    "MKT <mask> YIA",
    "<mask>",
    "<mask><mask>",
    "MKT[MASK]YIA",
    "M K [MASK] A",
    "<MASK>",
    "mkt<mask>yia",
    "MKT*<mask>YIA*",
    "MKT*[MASK]YIA*",
    "<cls>MKT<eos>",
    "[CLS]MKT[SEP]",
    "<null_1>M",
    "<unk>",
    "[UNK]M",
    "<pad>",
    "<bos>M<eos>",
    "M<K",
    "M1K2",
    "M_K",
    "M\u00c9K",
    "M\u00dfK",
    "\u0131K\u017f",
    "M\U0001f9ecK",
    "\u041cK",
    "M\u0130K",
    "a\u0301K",
    "M\x00K",
    "\\d+",
    "M$K^",
    "##A",
    "M##K",
]


def random_texts(count: int) -> list[str]:
    draw = random.Random(5)
    pieces = (
        list("LAGVSERTIDPKQNFYMHWCXBUZOJ") * 3
        + list("lagvxbuzoj*.-| \n\t|1\u00e9\u2028")
        + ["<mask>", "[MASK]", "<null_1>", "*", "*"]
    )
    return ["".join(draw.choice(pieces) for _ in range(draw.randrange(1, 40))) for _ in range(count)]


def write(folder: Path, files: dict[str, str]) -> Path:
    folder.mkdir(parents=True)
    for name, text in files.items():
        (folder / name).write_text(text, encoding="utf-8", newline="")
    return folder


def saved(tokenizer, folder: Path) -> dict[str, str]:
    tokenizer.save_pretrained(folder)
    return {p.name: p.read_text(encoding="utf-8") for p in sorted(folder.iterdir())}


def plain(vocab: list[str], start: str, end: str) -> PreTrainedTokenizerFast:
    """One character, one token, nothing else: what AMPLIFY's own tokenizer does with a list of residues."""
    ids = {t: i for i, t in enumerate(vocab)}
    backend = tokenizers.Tokenizer(models.WordLevel(ids, unk_token="<unk>"))
    backend.pre_tokenizer = pre_tokenizers.Split(Regex("[\\s\\S]"), "isolated")
    backend.post_processor = processors.TemplateProcessing(
        single=f"{start} $A {end}", special_tokens=[(start, ids[start]), (end, ids[end])]
    )
    return PreTrainedTokenizerFast(
        tokenizer_object=backend,
        unk_token="<unk>",
        pad_token="<pad>",
        mask_token="<mask>",
        bos_token=start,
        eos_token=end,
    )


def case(auto, upstream, text: str) -> dict:
    encoded = auto(text, return_offsets_mapping=True)
    ids = encoded["input_ids"]
    return {
        "text": text,
        "auto": {
            "ids": ids,
            "offsets": [at for pair in encoded["offset_mapping"] for at in pair],
            "decoded": auto.decode(ids),
            "decodedPlain": auto.decode(ids, skip_special_tokens=True),
        },
        "upstream": {"ids": upstream(text)},
    }


def main() -> None:
    npx = ["npx", "--no-install", "tsx", "--conditions=@cloze/source", "--input-type=module", "-e", DUMP]
    ours = json.loads(subprocess.run(npx, check=True, capture_output=True, text=True).stdout)
    golden = {"transformers": transformers.__version__, "tokenizers": tokenizers.__version__, "alphabets": {}}
    with tempfile.TemporaryDirectory() as temporary:
        root = Path(temporary)
        for name in NAMES:
            folder = write(root / name, ours[name])
            if MODEL_TYPE[name]:
                (folder / "config.json").write_text(json.dumps({"model_type": MODEL_TYPE[name]}))
            auto = AutoTokenizer.from_pretrained(folder)
            vocab = (folder / "vocab.txt").read_text().splitlines()
            if name == "esm2":
                native = EsmTokenizer.from_pretrained(
                    write(root / "esm2-native", {"vocab.txt": ours[name]["vocab.txt"]})
                )
                upstream = lambda text: native(text)["input_ids"]
            elif name == "protbert":
                native = BertTokenizer.from_pretrained(
                    write(root / "protbert-native", {"vocab.txt": ours[name]["vocab.txt"]}), do_lower_case=False
                )
                # As its model card says: a space between residues, and X for the rare ones.
                upstream = lambda text: native(" ".join(re.sub(r"[UZOB]", "X", text)))["input_ids"]
            else:
                native = plain(vocab, "<bos>", "<eos>")
                upstream = lambda text: native(text)["input_ids"]
            golden["alphabets"][name] = {
                "class": type(auto).__name__,
                "vocabSize": len(auto),
                "special": {
                    role: getattr(auto, role + "_id")
                    for role in (
                        "pad_token",
                        "unk_token",
                        "mask_token",
                        "cls_token",
                        "sep_token",
                        "bos_token",
                        "eos_token",
                    )
                    if getattr(auto, role)
                },
                "specialIds": sorted(auto.all_special_ids),
                "modelInputs": list(auto("MK").keys()),
                "ourFiles": ours[name],
                "savedFromOurs": saved(auto, root / f"{name}-saved"),
                "savedFromUpstream": saved(native, root / f"{name}-native-saved"),
                "cases": [case(auto, upstream, text) for text in TEXTS + random_texts(40)],
            }
    OUT.parent.mkdir(parents=True, exist_ok=True)
    OUT.write_text(
        json.dumps(golden, indent=None, separators=(",", ":"), ensure_ascii=True).replace('{"text"', '\n{"text"') + "\n"
    )


main()
