"""Goldens of @cloze/tokenizer-bpe, from Python tokenizers and transformers.

Versions: python 3.11, transformers 5.23.0, tokenizers 0.23.3.
Run from the repository root:  python tooling/golden/tokenizer-bpe.py

A small byte-level BPE is trained by Python and put into three pipelines: ModernBERT's, RoBERTa's and one that ignores merges. What Python
makes of nasty and random texts (ids, offsets, words, types, windows, decoded text) must equal ours, and so must its merges. The files
that our tokenizer writes are loaded by tokenizers and transformers here, and must give equal ids.
"""

import json
import random
import subprocess
import tempfile
from pathlib import Path

import tokenizers
import transformers
from tokenizers import AddedToken, Tokenizer, decoders, models, normalizers, pre_tokenizers, processors, trainers
from transformers import AutoTokenizer, PreTrainedTokenizerFast

assert transformers.__version__ == "5.23.0" and tokenizers.__version__ == "0.23.3", (
    "other versions than the golden was made with"
)

OUT = Path("packages/tokenizer-bpe/test/golden/tokenizers.json")
SPECIAL = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]

DUMP = """
import { readFileSync } from "node:fs";
import { bpeFromFiles } from "./packages/tokenizer-bpe/src/index.ts";
const all = JSON.parse(readFileSync(0, "utf8"));
console.log(JSON.stringify(Object.fromEntries(Object.entries(all).map(([name, files]) => [name, bpeFromFiles(files).files()]))));
"""

NASTY = [
    "",
    " ",
    "  ",
    "\n\t\r\n",
    "hello world",
    "Hello, World!",
    " hello",
    "  hello",
    "   hello  world   ",
    "hello ",
    "hello\n\nworld",
    "\n hello",
    " \n",
    "tab\tseparated\t\ttext",
    "line\r\nends\rhere\n",
    "isn't it? Don't! I'll they've we're 'twas 'S 's",
    "1,000.50 $5 50% a-b a_b #tag @you",
    "x2y 3z 4",
    "...",
    " ?! ?!",
    "a.b.c",
    "snake_case camelCase",
    "café CAFÉ cafe\u0301 Cafe\u0301\u0323",
    "naïve façade Ångström \u212bngström",
    "\u1e9b\u0323 \ufb01ne",
    "o\u0302\u0323 ô\u0323 \u1ed9 o\u0323\u0302",
    "a\u0344 \u0344 u\u0344\u0301",
    "e\u0301\u0301\u0301 e\u0327\u0301\u0327",
    "\u0958 \u09dc\u093c \u0f73\u0f71\u0f75",
    "\u1100\u1161\u11a8 \uac00\u11a8 각\u1161",
    "\u2126 \u212a \u2329 \u037e \u0387 \u1fef",
    "\U0001d15e\U0001d165 \U0002f800\U0002f8ff",
    "\u0301start \u0301",
    " \u0301x",
    "!\u0301? <\u0338 =\u0338",
    "\u09c7\u09be \u0dd9\u0dca\u0dcf \u1b05\u1b35 \U00011131\U00011127",
    "日本語のテキスト",
    "漢字kanji漢字 中文。English，中文",
    "한국어",
    "ไทย ภาษา",
    "हिन्दी देवनागरी",
    "العربية مَرْحَبًا",
    "עִבְרִית",
    "ΑΣ ΟΔΟΣ ς Straße",
    "😀 👍🏽 👩\u200d👩\u200d👧\u200d👦 🏳\ufe0f\u200d🌈 🇩🇪",
    "x👩\u200d🔬y  😀😀",
    "😀",
    "𝒜𝔅ℂ 𝟘 ½ ² Ⅷ ㊿",
    "☃ ♥ → ∑ €",
    "\U0001f9ec\U0001f1e9",
    "\u00e9\u0120\u010a \u0143",
    "\x00a\x01b\x7fc\x80d",
    "a\ufffdb",
    "a\u200bb\u200cc\u200dd\u2060e\ufefff",
    "\ufeffstart",
    "a\u00adb",
    "\ue000\U000f0000\U0010ffff",
    "a\u0085b\x0bc\x0cd\x1ce",
    "a\u00a0b\u2003c\u3000d\u2028e\u1680f\u180eg",
    "a \u00a0 b \u3000\u3000c",
    "\u0085\ufeff \u0085x",
    "\ufdd0\uffff",
    "[MASK]",
    "a[MASK]b",
    "the  [MASK] of [MASK][MASK] [SEP] [CLS]x [UNK] [PAD]",
    "a \u00a0\n[MASK] b",
    "   [MASK]  ",
    " [MASK]",
    "\t\t[MASK]x",
    "[MASK",
    "[mask]",
    "[[MASK]]",
    "<|padding|> [unused0]x",
    "def f():\n    return 1\n\tpass\n        # eight",
    "a\t\tb  c   d    e     f",
    "mail |||EMAIL_ADDRESS|||, or|||EMAIL_ADDRESS||| ",
    "left <left> right <right>  x",
    "solo solos solo. caf\u00e9! Ca\u1e69 Cas\u0307\u0323",
    "the the the and of the aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa",
    "x" * 200,
    "ab" * 90 + " " + "é" * 70,
]


def corpus(draw: random.Random) -> str:
    words = "the of and to in a is that for it as was with be by on not he his but at are this have from or had an they which one you were all her she there would their we him been has when who will no more if out so said what up its about into than them can only other new some time could these two may then do first any my now such like our over man me even most made after also did many must before back see through way where get much go well your know should down work year because come people just state still good those life long world hello each use".split()
    stems = words + [
        "café",
        "naïve",
        "日本",
        "漢字",
        "中文",
        "straße",
        "привет",
        "мир",
        "😀",
        "👍",
        "return",
        "def",
        "self",
        "mask",
        "token",
    ]
    lines = []
    for _ in range(260):
        line = " ".join(
            draw.choice(stems[: draw.randrange(1, len(stems) + 1)])
            + draw.choice(["", "", "", "s", "ing", "ed", ",", ".", "'s", "'t"])
            for _ in range(draw.randrange(3, 12))
        )
        lines.append(
            draw.choice(["", "", "  ", "\t"])
            + (line[0].upper() + line[1:])
            + draw.choice(["", ".", " 42", " (x)", "\r"])
        )
    return "\n".join(lines)


def trained(
    lines: list[str], size: int, min_frequency: int, prefix: bool = False, normalizer: bool = True
) -> Tokenizer:
    backend = Tokenizer(models.BPE())
    if normalizer:
        backend.normalizer = normalizers.NFC()
    backend.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=prefix)
    backend.train_from_iterator(
        lines,
        trainers.BpeTrainer(
            vocab_size=size,
            min_frequency=min_frequency,
            special_tokens=SPECIAL,
            initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
            show_progress=False,
        ),
    )
    return backend


def model_of(backend: Tokenizer, **options) -> models.BPE:
    model = json.loads(backend.to_str())["model"]
    return models.BPE(vocab=model["vocab"], merges=[tuple(m) for m in model["merges"]], **options)


def pipelines(base: Tokenizer) -> dict[str, Tokenizer]:
    cls, sep = base.token_to_id("[CLS]"), base.token_to_id("[SEP]")
    tokens = [AddedToken(t, special=True, normalized=False, lstrip=t == "[MASK]") for t in SPECIAL]
    template = processors.TemplateProcessing(
        single="[CLS] $A [SEP]", pair="[CLS] $A [SEP] $B:1 [SEP]:1", special_tokens=[("[CLS]", cls), ("[SEP]", sep)]
    )
    modern = Tokenizer(model_of(base))
    modern.normalizer, modern.pre_tokenizer, modern.decoder, modern.post_processor = (
        normalizers.NFC(),
        pre_tokenizers.ByteLevel(add_prefix_space=False, trim_offsets=True),
        decoders.ByteLevel(),
        template,
    )
    modern.add_special_tokens(
        tokens
        + [
            AddedToken("<|padding|>", special=True, normalized=False),
            AddedToken("<left>", lstrip=True, special=True, normalized=False),
            AddedToken("<right>", rstrip=True, special=True, normalized=False),
        ]
    )
    modern.add_tokens(
        [AddedToken(" " * n, normalized=True) for n in range(8, 1, -1)]
        + [
            AddedToken("\t\t", normalized=True),
            AddedToken("|||EMAIL_ADDRESS|||", normalized=True),
            AddedToken("Ca\u1e69", normalized=True),
            AddedToken("solo", single_word=True, normalized=True),
        ]
        + [AddedToken(f"[unused{n}]", normalized=True) for n in range(3)]
    )
    roberta = Tokenizer(model_of(base))
    roberta.pre_tokenizer, roberta.decoder, roberta.post_processor = (
        pre_tokenizers.ByteLevel(add_prefix_space=True),
        decoders.ByteLevel(),
        processors.RobertaProcessing(("[SEP]", sep), ("[CLS]", cls), trim_offsets=True, add_prefix_space=True),
    )
    roberta.add_special_tokens(tokens)
    whole = Tokenizer(model_of(base, ignore_merges=True, unk_token="[UNK]"))
    # Tokens that no merge makes, and a vocabulary that lacks some bytes.
    model = json.loads(whole.to_str())["model"]
    vocab = {
        t: i
        for i, t in enumerate(
            [t for t in sorted(model["vocab"], key=model["vocab"].get) if t not in ("\u0142", "\u0144", "\u00e3")]
            + ["zebra", "Ġzebras", "hellx"]
        )
    }
    usable = [m for m in model["merges"] if m[0] in vocab and m[1] in vocab and m[0] + m[1] in vocab]
    whole.model = models.BPE(vocab=vocab, merges=[tuple(m) for m in usable], ignore_merges=True, unk_token="[UNK]")
    whole.normalizer, whole.pre_tokenizer, whole.decoder = (
        normalizers.Sequence([normalizers.NFC()]),
        pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=True),
        decoders.ByteLevel(),
    )
    whole.post_processor = processors.Sequence(
        [
            processors.ByteLevel(trim_offsets=True, add_prefix_space=False),
            processors.TemplateProcessing(
                single="[CLS] $A [SEP]",
                pair="[CLS] $A [SEP] $B [SEP]",
                special_tokens=[("[CLS]", whole.token_to_id("[CLS]")), ("[SEP]", whole.token_to_id("[SEP]"))],
            ),
        ]
    )
    whole.add_special_tokens(tokens)
    return {"modern": modern, "roberta": roberta, "whole": whole}


def random_text(draw: random.Random, vocab: list[str]) -> str:
    blocks = [
        (0x20, 0x7F),
        (0, 0x80),
        (0x80, 0x250),
        (0x300, 0x370),
        (0x370, 0x600),
        (0x590, 0x700),
        (0x900, 0xE80),
        (0x1100, 0x1200),
        (0x1E00, 0x2000),
        (0x2000, 0x2100),
        (0x2100, 0x3040),
        (0x4E00, 0x4E40),
        (0xAC00, 0xAC40),
        (0xF900, 0xFB00),
        (0xFE00, 0x10000),
        (0x1D100, 0x1D200),
        (0x1F600, 0x1F680),
        (0x2F800, 0x2FA20),
    ]
    out = ""
    for _ in range(draw.randrange(1, 9)):
        if draw.random() < 0.5:
            out += draw.choice(vocab)
        else:
            low, high = draw.choice(blocks)
            out += "".join(chr(draw.randrange(low, high)) for _ in range(draw.randrange(1, 5)))
        out += draw.choice(["", " ", "\u0301", "  "])
    return out


def parts(encoding) -> dict:
    none = lambda values: [-1 if v is None else v for v in values]
    return {
        "ids": encoding.ids,
        "offsets": [at for pair in encoding.offsets for at in pair],
        "types": encoding.type_ids,
        "words": none(encoding.word_ids),
        "sequences": none(encoding.sequence_ids),
    }


def plain_case(backend, text) -> dict:
    p = parts(backend.encode(text))
    return {
        "ids": p["ids"],
        "offsets": p["offsets"],
        "words": p["words"],
        "decoded": backend.decode(p["ids"], skip_special_tokens=False),
    }


def cut_case(draw, backend, texts) -> dict | None:
    words = draw.random() < 0.2
    pick = lambda: draw.choice(texts)
    text, pair = pick(), pick() if draw.random() < 0.6 else None
    if words:
        text, pair = text.split(" "), pair.split(" ") if pair is not None else None
    special = draw.random() < 0.8
    options = {
        "max_length": draw.randrange(4, 24),
        "stride": draw.randrange(0, 3),
        "strategy": draw.choice(["longest_first", "longest_first", "only_first", "only_second"]),
        "direction": draw.choice(["right", "left"]),
    }
    given = {
        "text": text,
        "pair": pair,
        "special": special,
        "maxLength": options["max_length"],
        "stride": options["stride"],
        "truncate": options["strategy"].replace("_", "-"),
        "truncateSide": options["direction"],
    }
    try:
        backend.enable_truncation(**options)
        encoding = (
            backend.encode(text, pair, is_pretokenized=words, add_special_tokens=special)
            if pair is not None
            else backend.encode(text, is_pretokenized=words, add_special_tokens=special)
        )
    except BaseException:  # Rust panics among them: a stride that is no stride, a text too short to cut
        return {**given, "refused": True}
    finally:
        backend.no_truncation()
    rows = [parts(e) for e in [encoding, *encoding.overflowing]]
    if any(len(row["ids"]) > options["max_length"] for row in rows) or sum(len(row["ids"]) for row in rows) > 200:
        return None  # no room at all: Python gives the whole text as its own overflow, we refuse; and long ones say nothing more
    return {**given, "rows": rows}


def main() -> None:
    draw = random.Random(5)
    text = corpus(draw)
    base = trained(text.split("\n"), 600, 2)
    vocab = sorted(base.get_vocab(), key=base.get_vocab().get)
    words = [
        "the",
        "hello",
        "world",
        " the",
        "café",
        "zebra",
        " zebras",
        "hellx",
        "日本",
        "[MASK]",
        "[SEP]",
        "solo",
        "Ca\u1e69",
        "Cas\u0307\u0323",
        "    ",
        "'s",
        "😀",
    ] + [v.replace("\u0120", " ") for v in vocab[280:] if v.replace("\u0120", "").isascii()]
    texts = NASTY + [random_text(draw, words) for _ in range(90)]
    # Characters that newer versions of Unicode added are told apart by engines, not by us.
    known = {"tokenizers": tokenizers.__version__, "transformers": transformers.__version__}
    golden = {**known, "texts": texts, "configs": {}}
    backends = pipelines(base)
    files = {
        name: {
            "tokenizer.json": backend.to_str(),
            "tokenizer_config.json": json.dumps(
                {
                    "tokenizer_class": "PreTrainedTokenizerFast",
                    "model_input_names": ["input_ids", "attention_mask"],
                    "model_max_length": 8192,
                    "unk_token": "[UNK]",
                    "pad_token": "[PAD]",
                    "cls_token": "[CLS]",
                    "sep_token": "[SEP]",
                    "mask_token": {"content": "[MASK]", "lstrip": True},
                }
            ),
        }
        for name, backend in backends.items()
    }
    npx = ["npx", "--no-install", "tsx", "--conditions=@cloze/source", "--input-type=module", "-e", DUMP]
    ours = json.loads(subprocess.run(npx, check=True, capture_output=True, text=True, input=json.dumps(files)).stdout)
    with tempfile.TemporaryDirectory() as temporary:
        for name, backend in backends.items():
            folder = Path(temporary) / name
            folder.mkdir()
            for file, content in ours[name].items():
                (folder / file).write_text(content, encoding="utf-8", newline="")
            again, fast = (
                Tokenizer.from_str(ours[name]["tokenizer.json"]),
                PreTrainedTokenizerFast.from_pretrained(folder),
            )
            (folder / "config.json").write_text(json.dumps({"model_type": "modernbert"}))
            auto = AutoTokenizer.from_pretrained(folder)
            for t in texts:
                p = parts(backend.encode(t))
                assert p == parts(again.encode(t)), (name, t)
                assert p["ids"] == fast(t)["input_ids"] == auto(t)["input_ids"], (name, t)
            assert (fast.mask_token, fast.pad_token, fast.cls_token, fast.sep_token, fast.unk_token) == (
                "[MASK]",
                "[PAD]",
                "[CLS]",
                "[SEP]",
                "[UNK]",
            )
            saved = folder / "saved"
            auto.save_pretrained(saved)
            golden["configs"][name] = {
                "files": files[name],
                "savedFromOurs": {
                    p.name: p.read_text(encoding="utf-8") for p in sorted(saved.iterdir()) if p.name != "config.json"
                },
                "cases": [plain_case(backend, t) for t in texts],
                "cuts": [c for c in (cut_case(draw, backend, texts) for _ in range(90)) if c is not None]
                if name == "modern"
                else [],
            }
    runs = []
    for size, frequency, prefix in [(600, 2, False), (420, 0, False), (900, 4, True)]:
        model = json.loads(trained(text.split("\n"), size, frequency, prefix).to_str())["model"]
        runs.append(
            {
                "size": size,
                "minFrequency": frequency,
                "addPrefixSpace": prefix,
                "vocabulary": sorted(model["vocab"], key=model["vocab"].get),
                "merges": [" ".join(m) for m in model["merges"]],
            }
        )
    golden["training"] = {"text": text, "runs": runs}
    OUT.write_text(
        json.dumps(golden, separators=(",", ":"), ensure_ascii=True)
        .replace('{"ids"', '\n{"ids"')
        .replace('{"text"', '\n{"text"')
        + "\n"
    )


main()
