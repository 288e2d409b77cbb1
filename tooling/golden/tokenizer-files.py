"""Goldens of the readers of tokenizer files, from Python transformers: which tokens a folder's files name, and their ids.

Versions: python 3.11, transformers 5.24.0, tokenizers 0.23.3.
Run from the repository root:  python tooling/golden/tokenizer-files.py

For each kind of tokenizer it draws folders: vocab.txt with line ends, blanks and empty lines; added_tokens.json,
added_tokens_decoder, special_tokens_map.json; flags that say the same as tokenizer.json and flags that do not; classes and model
types. AutoTokenizer opens each folder, and what it makes of some texts must be what our reader makes of them. Folders that Python
refuses are left out, and so are those in which it gives one id to two tokens. "vocabularies" holds the parts that all folders share:
in a file of a folder, "@name" stands for one of them.
"""

import json
import os
import random
import tempfile
from pathlib import Path

os.environ["HF_HUB_OFFLINE"] = "1"

import tokenizers
import transformers
from transformers import AutoTokenizer

assert transformers.__version__ == "5.24.0" and tokenizers.__version__ == "0.23.3", (
    "other versions than the golden was made with"
)
transformers.logging.set_verbosity_error()

BERT = (
    ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "the", "cat", "Cat", "co", "##vid", "##s", "sat", "x", "café", "cafe"]
    + ["a", "##a", "b", "##b", "##c", "c", "é", "日", "😀", "new", "york", "ß", "ss", "##ß", "<", "##>", ">", "_", "1"]
    + ["-", "."]
)
ESM = ["<cls>", "<pad>", "<eos>", "<unk>", *"LAGVSERTIDPKQNFYMHWCXBUZO.-", "<null_1>", "<mask>"]
PROTBERT = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *"LAGVESIKRDTPNQFYMHCWXUBZO"]
MERGES = [("t", "h"), ("th", "e"), ("Ġ", "the"), ("c", "a"), ("ca", "t"), ("Ġ", "c"), ("Ã", "©"), ("Ġc", "o")]


def byte_characters() -> list[str]:
    own = [*range(33, 127), *range(161, 173), *range(174, 256)]
    others = iter(range(256, 512))
    return [chr(byte if byte in own else next(others)) for byte in range(256)]


ROBERTA = ["<s>", "<pad>", "</s>", "<unk>", *byte_characters(), *(a + b for a, b in MERGES), "<mask>"]
WORDS = ["covid", "Covid", "COVID", "New York", "<x>", "[E1]", "cat", "Cats", "😀😀", "日本", "a b", "_z", "<y> ", "the"]
RESIDUES = ["covid", "LA", "<x>", "J", "[E1]", "KK", "😀"]
draw = random.Random(14)
some = lambda chance: draw.random() < chance
drawn = lambda words, most: draw.sample(words, draw.randrange(0, most + 1))


def form(content: str, keys: tuple[str, ...] = ("lstrip", "rstrip", "single_word")) -> dict:
    flags = {key: False for key in ("lstrip", "rstrip", "single_word")} | {key: some(0.25) for key in keys}
    special = some(0.3)
    return {"content": content, **flags, "normalized": not special, "special": special}


def added_files(size: int, words: list[str]) -> tuple[dict, dict]:
    """Files and the configuration that name added tokens behind `size` tokens."""
    files, config = {}, {}
    contents = drawn(words, 4)
    ids = list(range(size, size + len(contents)))
    if some(0.2):
        ids = [id + draw.randrange(0, 99) for id in ids]
    named = {content: id for content, id in zip(contents, ids) if ids.count(id) == 1}
    where = draw.choice(["file", "file", "decoder", "decoder", "both", "nowhere"])
    if where in ("file", "both"):
        files["added_tokens.json"] = json.dumps(named)
    if where in ("decoder", "both"):
        # EsmTokenizer has a rule of its own for single_word: spaces at both sides
        keys = ("lstrip", "rstrip") if size == len(ESM) else ("lstrip", "rstrip", "single_word")
        config["added_tokens_decoder"] = {str(id): form(content, keys) for content, id in named.items()}
    if some(0.25):
        files["special_tokens_map.json"] = json.dumps({"additional_special_tokens": drawn(words, 2)})
    if some(0.15):
        config["additional_special_tokens"] = drawn(words, 2)
    return files, config


def lines(vocabulary: list[str], leading: bool = False) -> str:
    tokens = list(vocabulary)
    if some(0.2):
        tokens.insert(draw.randrange(5, len(tokens)), "")
    if some(0.15):
        tokens.append(tokens[6])
    if some(0.1):
        tokens[0] = "\ufeff" + tokens[0]
    end = draw.choice(["\n", "\n", "\r\n"])
    blank = lambda: draw.choice(["", "", " ", "\t"])
    return end.join((blank() if leading else "") + token + blank() for token in tokens) + draw.choice(["", end, end])


def json_tokens(vocabulary: list[str], special: int, words: list[str]) -> list[dict]:
    plain = {"single_word": False, "lstrip": False, "rstrip": False, "normalized": False, "special": True}
    return [{"id": id, "content": vocabulary[id], **plain} for id in range(special)] + [
        {"id": len(vocabulary) + i, **form(content)} for i, content in enumerate(drawn(words, 3))
    ]


def wordpiece() -> dict:
    files, config = added_files(len(BERT), WORDS)
    classes = ["BertTokenizer", "BertTokenizerFast", "DistilBertTokenizer", "ElectraTokenizer", "MobileBertTokenizer"]
    name = draw.choice([*classes, "ConvBertTokenizer", "PreTrainedTokenizerFast", "MyTokenizer", None, None])
    if name is not None:
        config["tokenizer_class"] = name
    for key in ("do_lower_case", "strip_accents", "tokenize_chinese_chars"):
        if some(0.5):
            config[key] = some(0.5)
    if some(0.5) or name in ("PreTrainedTokenizerFast", "MyTokenizer"):
        template = lambda *ids: [
            {"Sequence": {"id": id, "type_id": 0}} if len(id) == 1 else {"SpecialToken": {"id": id, "type_id": 0}}
            for id in ids
        ]
        files["tokenizer.json"] = json.dumps(
            {
                "version": "1.0",
                "truncation": None,
                "padding": None,
                "added_tokens": json_tokens(BERT, 5, WORDS),
                "normalizer": {
                    "type": "BertNormalizer",
                    "clean_text": True,
                    "handle_chinese_chars": some(0.5),
                    "strip_accents": draw.choice([True, False, None]),
                    "lowercase": some(0.5),
                },
                "pre_tokenizer": {"type": "BertPreTokenizer"},
                "post_processor": {
                    "type": "TemplateProcessing",
                    "single": template("[CLS]", "A"),
                    "pair": template("A", "B"),
                    "special_tokens": {"[CLS]": {"id": "[CLS]", "ids": [2], "tokens": ["[CLS]"]}},
                },
                "decoder": {"type": "WordPiece", "prefix": "##", "cleanup": True},
                "model": "@wordpiece",
            }
        )
    if "tokenizer.json" not in files:
        files["vocab.txt"] = lines(BERT)
    files["config.json"] = json.dumps({"model_type": draw.choice(["bert", "bert", "distilbert", "electra", "my-model"])})
    if config or some(0.5):
        files["tokenizer_config.json"] = json.dumps(config)
    pieces = [*WORDS, *WORDS, "the", "cat", "sat", "co", "vid", "CAFÉ", "cafe\u0301", "s", "日", "😀", "[MASK]", "."]
    return {"files": files, "texts": [text(pieces, ["", " ", "  ", "\t"]) for _ in range(3)]}


def bpe() -> dict:
    files, config = added_files(len(ROBERTA), WORDS)
    if some(0.5):
        config["add_prefix_space"] = some(0.5)
    if some(0.3):
        config["trim_offsets"] = some(0.5)
    model_type = "roberta"
    if some(0.5):
        files |= {"vocab.json": '"@vocabulary"', "merges.txt": '"@merges"'}
        name = draw.choice(["RobertaTokenizer", "RobertaTokenizerFast", None])
    else:
        name = draw.choice(["PreTrainedTokenizerFast", "RobertaTokenizer", None])
        model_type = draw.choice(["modernbert", "roberta"])
        roles = {"unk_token": "<unk>", "pad_token": "<pad>", "cls_token": "<s>", "sep_token": "</s>"}
        config |= {**roles, "mask_token": "<mask>"}
        byte_level = {"type": "ByteLevel", "add_prefix_space": some(0.5), "trim_offsets": True, "use_regex": True}
        roberta = {"sep": ["</s>", 2], "cls": ["<s>", 0], "trim_offsets": some(0.5), "add_prefix_space": some(0.5)}
        files["tokenizer.json"] = json.dumps(
            {
                "version": "1.0",
                "truncation": None,
                "padding": None,
                "added_tokens": json_tokens(ROBERTA, 4, WORDS),
                "normalizer": draw.choice([{"type": "NFC"}, None]),
                "pre_tokenizer": byte_level,
                "post_processor": {"type": "RobertaProcessing", **roberta},
                "decoder": byte_level,
                "model": "@bpe",
            }
        )
    if name is not None:
        config["tokenizer_class"] = name
    files["config.json"] = json.dumps({"model_type": model_type})
    files["tokenizer_config.json"] = json.dumps(config)
    pieces = [*WORDS, *WORDS, "the", " the", "cat", "<mask>", "é", "e\u0301", "😀", "x"]
    return {"files": files, "texts": [text(pieces, ["", " ", "  ", "\t"]) for _ in range(3)]}


def protein() -> dict:
    esm = some(0.6)
    files, config = added_files(len(ESM) if esm else len(PROTBERT), [w for w in RESIDUES if esm or w != "J"])
    if esm:
        if some(0.5):
            config["tokenizer_class"] = "EsmTokenizer"
    else:
        config |= {"tokenizer_class": "BertTokenizer", "do_lower_case": False}
    files["config.json"] = json.dumps({"model_type": "esm" if esm else "bert"})
    files["vocab.txt"] = lines(ESM, leading=True) if esm else lines(PROTBERT)
    if config:
        files["tokenizer_config.json"] = json.dumps(config)
    return {"files": files, "spaced": not esm}


def text(pieces: list[str], spaces: list[str]) -> str:
    return "".join(draw.choice(pieces) + draw.choice(spaces) for _ in range(draw.randrange(2, 8)))


SHARED = {
    "wordpiece": {
        "type": "WordPiece",
        "unk_token": "[UNK]",
        "continuing_subword_prefix": "##",
        "max_input_chars_per_word": 100,
        "vocab": {token: id for id, token in enumerate(BERT)},
    },
    "bpe": {
        "type": "BPE",
        "dropout": None,
        "unk_token": None,
        "continuing_subword_prefix": None,
        "end_of_word_suffix": None,
        "fuse_unk": False,
        "byte_fallback": False,
        "ignore_merges": False,
        "vocab": {token: id for id, token in enumerate(ROBERTA)},
        "merges": [f"{a} {b}" for a, b in MERGES],
    },
    "vocabulary": {token: id for id, token in enumerate(ROBERTA)},
    "merges": "#version: 0.2\n" + "".join(f"{a} {b}\n" for a, b in MERGES),
}


def written(content: str) -> str:
    for name, value in SHARED.items():
        if content == f'"@{name}"':
            return value if isinstance(value, str) else json.dumps(value)
        content = content.replace(f'"@{name}"', json.dumps(value))
    return content


def opened(case: dict) -> dict | None:
    """The case with what Python makes of it, or None where Python does not open or use the folder."""
    with tempfile.TemporaryDirectory() as folder:
        for name, content in case["files"].items():
            Path(folder, name).write_text(written(content), encoding="utf-8", newline="")
        try:
            tokenizer = AutoTokenizer.from_pretrained(folder)
        except Exception:
            return None
    added = tokenizer.added_tokens_decoder
    ids = {**tokenizer.get_vocab(), **getattr(tokenizer, "_added_tokens_encoder", {})}
    # one id for two tokens (an id without a token shifts those that Python gives): ours is an error
    if len(set(ids.values())) < len(ids):
        return None
    texts = case.get("texts")
    if texts is None:
        pieces = [*(str(t) for t in added.values() if str(t) not in ("[UNK]", "<unk>")), *"MKTLAAQYCX"]
        texts = [text(pieces, [" "] if case["spaced"] else ["", "", " "]) for _ in range(3)]
    cases = []
    for each in texts:
        try:
            encoding = tokenizer(each, return_offsets_mapping=True) if tokenizer.is_fast else tokenizer(each)
        except BaseException:  # a panic of Rust among them
            return None
        offsets = [at for pair in encoding["offset_mapping"] for at in pair] if tokenizer.is_fast else None
        cases.append({"text": each, "ids": encoding["input_ids"], **({} if offsets is None else {"offsets": offsets})})
    flags = lambda t: [t.special, t.single_word, t.lstrip, t.rstrip]
    return {
        "files": case["files"],
        "class": type(tokenizer).__name__,
        "length": max(ids.values()) + 1,
        "added": {str(t): [id, *map(int, flags(t))] for id, t in added.items()},
        "special": sorted(id for id, t in added.items() if t.special),
        "cases": cases,
    }


def main() -> None:
    for name, make, count in [("wordpiece", wordpiece, 70), ("bpe", bpe, 50), ("protein", protein, 60)]:
        cases: list[dict] = []
        while len(cases) < count:
            case = opened(make())
            if case is not None:
                cases.append(case)
        used = json.dumps([case["files"] for case in cases])
        golden = {
            "transformers": transformers.__version__,
            "tokenizers": tokenizers.__version__,
            "shared": {key: value for key, value in SHARED.items() if f"@{key}" in used},
            "folders": cases,
        }
        out = Path(f"packages/tokenizer-{name}/test/golden/files.json")
        out.write_text(
            json.dumps(golden, separators=(",", ":"), ensure_ascii=True).replace('{"files"', '\n{"files"') + "\n"
        )
        print(out, out.stat().st_size)


main()
