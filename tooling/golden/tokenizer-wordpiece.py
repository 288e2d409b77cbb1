"""Goldens of @cloze/tokenizer-wordpiece, from Python tokenizers and transformers.

Versions: python 3.11, transformers 5.23.0, tokenizers 0.23.3.
Run from the repository root:  python tooling/golden/tokenizer-wordpiece.py

The files that our tokenizer writes are loaded with BertTokenizerFast and AutoTokenizer, and what Python makes of nasty and random
texts (ids, offsets, words, types, windows, decoded text) must equal ours; so must a vocabulary that Python's trainer makes when it is
told the order of the `##` characters, which it otherwise takes from its hash table. The files that Python saves are kept for our reader.
"""

import json
import random
import subprocess
import tempfile
from pathlib import Path

import tokenizers
import transformers
from tokenizers import AddedToken, Tokenizer, models, normalizers, pre_tokenizers, trainers
from transformers import AutoTokenizer, BertTokenizerFast

assert transformers.__version__ == "5.23.0" and tokenizers.__version__ == "0.23.3", (
    "other versions than the golden was made with"
)

OUT = Path("packages/tokenizer-wordpiece/test/golden/tokenizers.json")
SPECIAL = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
CONFIGS = {"uncased": {}, "cased": {"lowercase": False}, "accented": {"stripAccents": False}}
ADDED = [
    "New York",
    "Straße",
    AddedToken("solo", single_word=True),
    AddedToken("<left>", lstrip=True, normalized=False),
    AddedToken("<right>", rstrip=True, normalized=False),
    "漢字",
]

DUMP = """
import { readFileSync } from "node:fs";
import { wordPiece } from "./packages/tokenizer-wordpiece/src/index.ts";
const { vocabulary, configs } = JSON.parse(readFileSync(0, "utf8"));
console.log(JSON.stringify(Object.fromEntries(Object.entries(configs).map(([name, config]) => [name, wordPiece({ name, vocabulary, ...config }).files()]))));
"""

NASTY = [
    "",
    " ",
    "\n\t\r\n",
    "hello world",
    "Hello, World!",
    "HELLO",
    "isn't it? Don't!",
    "1,000.50 $5 50% a-b a_b #tag @you",
    "state-of-the-art",
    "...",
    "?!",
    "a.b.c",
    "café CAFÉ cafe\u0301 Cafe\u0301\u0323",
    "naïve façade Ångström \u212bngström",
    "\u0130stanbul DI\u0130",
    "ΑΣ ΟΔΟΣ ς",
    "Straße STRASSE ẞ",
    "\ufb01ne \ufb03",
    "ǆ ǅ Ǆ",
    "ŉ ﬀ Ａ１",
    "日本語のテキスト",
    "漢字kanji漢字",
    "中文。English，中文",
    "\u3400\u4dbf\u9fff\ua000",
    "\U00020000\U0002a6d6\U0002b740\U0002b920\U0002f800",
    "\uf900\ufa0e\ufacf",
    "한국어 각\u1100\u1161\u11a8",
    "ไทย ภาษา",
    "हिन्दी देवनागरी",
    "العربية مَرْحَبًا ـ",
    "עִבְרִית",
    "\u0e33\u0eb3",
    "\ua9c0\ua9b3\ua9c0 \u1b44\u1b34",
    "a\u302e\u0301\u302fb",
    "\U0001d165\U0001d16e\u0301x",
    "\u0f73\u0f71\u0f75 \u0344",
    "😀 👍🏽 👩\u200d👩\u200d👧\u200d👦 🏳\ufe0f\u200d🌈 🇩🇪",
    "x👩\u200d🔬y",
    "☃ ♥ → ∑ €",
    "𝒜𝔅ℂ 𝟘",
    "\U0001f9ec\U0001f1e9",
    "\x00a\x01b\x7fc\x80d",
    "a\ufffdb",
    "a\u200bb\u200cc\u200dd\u2060e\ufefff",
    "\ufeffstart",
    "a\u00adb",
    "x\ufe0fy",
    "\ue000\U000f0000\U0010ffff",
    "a\u0085b\x0bc\x0cd",
    "a\u00a0b\u2003c\u3000d\u2028e\u1680f",
    "\ufdd0\uffff",
    "e\u0300\u0301\u0302\u0303",
    "\u0301start \u0301",
    "!\u0301?",
    "a\u0338=\u0338 \u2260 \u226e \u1fef \u037e \u0387",
    "x" * 100,
    "x" * 101,
    "é" * 100,
    "e\u0301" * 100,
    "e\u0301" * 101,
    "\U0001f600" * 100 + "x",
    "x\u200d" * 100,
    "ab" * 50 + "!" + "ab" * 51,
    "[MASK]",
    "a[MASK]b",
    "the [mask] [MASK][MASK] [SEP] [CLS]x [UNK] [PAD]",
    "[MASK",
    "MASK]",
    "[[MASK]]",
    "##ing ##a",
    "un##able",
    "[unused1]",
    "I live in New York, new  york; NEW YORK",
    "Solo solos solo",
    "a <left> b <right>  c",
    "x漢字y",
    "StraßeStrasse strasse",
    "unaffable unaffables",
    "zzzz qqqq",
    "\U0001d7d8",
    "tab\tseparated\ttext",
    "line\r\nends\rhere\n",
]


def vocabulary(draw: random.Random) -> list[str]:
    letters = (
        [chr(c) for c in range(0x21, 0x7F)]
        + list("éüßİıςσαβοд中文日本語漢字的한국ไทयहनदीاعرمعب€→∑☃½ﬁ𝒜😀👍👩🏽🏳🌈ａ１")
        + [chr(c) for c in range(0x1100, 0x1110)]
        + ["\u1161", "\u11a8", "\u094d", "\u3400", "\U00020000", "\u8c48", "\u0301", "\u0bcd"]
    )
    lower = [c for c in "abcdefghijklmnopqrstuvwxyz"]
    words = [
        "hello",
        "world",
        "cafe",
        "café",
        "Hello",
        "un",
        "##aff",
        "##able",
        "##ables",
        "is",
        "##n",
        "it",
        "do",
        "don",
        "don't",
        "New",
        "new",
        "york",
        "York",
        "live",
        "in",
        "the",
        "state",
        "of",
        "art",
        "solo",
        "##s",
        "naive",
        "strasse",
        "stra",
        "##ße",
        "odos",
        "日本",
        "##本",
        "mask",
        "##k",
        "text",
        "line",
        "ends",
        "here",
        "start",
        "fine",
        "kanji",
        "english",
        "English",
        "stanbul",
        "##stanbul",
    ]
    syllables = sorted(
        {
            prefix + "".join(draw.choice(lower) for _ in range(draw.choice([2, 2, 3])))
            for _ in range(500)
            for prefix in (draw.choice(["", "##"]),)
        }
    )
    tokens = (
        SPECIAL
        + ["[unused1]"]
        + letters
        + ["##" + c for c in lower[:23] + list("éσα語字국ทहاع😀👩🏽") + ["\u1161", "\u11a8", "\u0301", "\u094d"]]
        + words
        + syllables
    )
    return list(dict.fromkeys(tokens))


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
        (0x1AB0, 0x2000),
        (0x2000, 0x2100),
        (0x2100, 0x3040),
        (0x4E00, 0x4E40),
        (0xA800, 0xAC00),
        (0xAC00, 0xAC40),
        (0xF900, 0xFB00),
        (0xFE00, 0x10000),
        (0x1D100, 0x1D200),
        (0x1F600, 0x1F680),
        (0x2F800, 0x2FA20),
        (0xE0000, 0xE0200),
    ]
    out = ""
    for _ in range(draw.randrange(1, 9)):
        if draw.random() < 0.55:
            out += draw.choice(vocab).removeprefix("##")
        else:
            low, high = draw.choice(blocks)
            out += "".join(chr(draw.randrange(low, high)) for _ in range(draw.randrange(1, 5)))
        out += draw.choice(["", " "])
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


def plain_case(fast, text) -> dict:
    backend = fast._tokenizer
    backend.no_truncation()
    encoding = backend.encode(text)
    p = parts(encoding)
    decoded = backend.decode(encoding.ids, skip_special_tokens=False)
    return {
        "ids": p["ids"],
        "offsets": p["offsets"],
        "words": p["words"],
        "decoded": decoded,
        "clean": fast.decode(encoding.ids, skip_special_tokens=True, clean_up_tokenization_spaces=True),
    }


def cut_case(draw, fast, texts) -> dict | None:
    backend, words = fast._tokenizer, draw.random() < 0.2
    pick = lambda: draw.choice(texts)
    text, pair = pick(), pick() if draw.random() < 0.6 else None
    if words:
        text, pair = text.split(" "), pair.split(" ") if pair is not None else None
    special = draw.random() < 0.8
    options = {
        "max_length": draw.randrange(4, 16),
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
    if any(row["sequences"].count(-1) == 0 and len(row["ids"]) > options["max_length"] for row in rows) or any(
        len(row["ids"]) > options["max_length"] for row in rows
    ):
        return None  # no room at all: Python gives the whole text as its own overflow, we refuse
    return {**given, "rows": rows}


def training() -> dict:
    draw = random.Random(11)
    stems = ["".join(draw.choice("abcdeiorstlnüé漢") for _ in range(draw.randrange(1, 7))) for _ in range(300)]
    endings = ["", "", "s", "ing", "ed", "er", "ly", "'s", ","]
    text = "\n".join(
        " ".join(draw.choice(stems[: draw.randrange(1, 300)]) + draw.choice(endings) for _ in range(12))
        for _ in range(90)
    )
    runs = []
    for options in [
        {"size": 400, "minFrequency": 2},
        {"size": 300, "minFrequency": 0},
        {"size": 1200, "minFrequency": 3},
        {"size": 250, "minFrequency": 2, "lowercase": False, "initialTokens": ["stern", "##ling"]},
    ]:
        backend = Tokenizer(models.WordPiece(unk_token="[UNK]"))
        backend.normalizer = normalizers.BertNormalizer(lowercase=options.get("lowercase", True))
        backend.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
        words = [w for w, _ in backend.pre_tokenizer.pre_tokenize_str(backend.normalizer.normalize_str(text))]
        first = sorted({c for w in words for c in w})
        later = sorted({c for w in words for c in w[1:]})
        order = SPECIAL + options.get("initialTokens", []) + first + ["##" + c for c in later]
        backend.train_from_iterator(
            text.split("\n"),
            trainers.WordPieceTrainer(
                vocab_size=options["size"],
                min_frequency=options["minFrequency"],
                special_tokens=order,
                show_progress=False,
            ),
        )
        vocab = backend.get_vocab()
        runs.append({**options, "vocabulary": sorted(vocab, key=vocab.get)})
    return {"text": text, "runs": runs}


def saved(tokenizer, folder: Path) -> dict[str, str]:
    tokenizer.save_pretrained(folder)
    return {p.name: p.read_text(encoding="utf-8") for p in sorted(folder.iterdir()) if p.name != "config.json"}


def main() -> None:
    draw = random.Random(3)
    vocab = vocabulary(draw)
    npx = ["npx", "--no-install", "tsx", "--conditions=@cloze/source", "--input-type=module", "-e", DUMP]
    ours = json.loads(
        subprocess.run(
            npx, check=True, capture_output=True, text=True, input=json.dumps({"vocabulary": vocab, "configs": CONFIGS})
        ).stdout
    )
    texts = NASTY + [random_text(draw, vocab) for _ in range(60)]
    golden = {
        "transformers": transformers.__version__,
        "tokenizers": tokenizers.__version__,
        "vocabulary": vocab,
        "texts": texts,
        "configs": {},
    }
    with tempfile.TemporaryDirectory() as temporary:
        for name in CONFIGS:
            folder = Path(temporary) / name
            folder.mkdir()
            for file, content in ours[name].items():
                (folder / file).write_text(content, encoding="utf-8", newline="")
            (folder / "config.json").write_text(json.dumps({"model_type": "bert"}))
            fast, auto = BertTokenizerFast.from_pretrained(folder), AutoTokenizer.from_pretrained(folder)
            assert all(fast(t)["input_ids"] == auto(t)["input_ids"] for t in texts)
            # vocab.txt alone, as the oldest checkpoints have it.
            (folder / "alone").mkdir()
            (folder / "alone" / "vocab.txt").write_text(ours[name]["vocab.txt"], encoding="utf-8", newline="")
            flags = {
                "do_lower_case": CONFIGS[name].get("lowercase", True),
                "strip_accents": CONFIGS[name].get("stripAccents"),
            }
            old = BertTokenizerFast.from_pretrained(folder / "alone", **flags)
            assert all(fast(t)["input_ids"] == old(t)["input_ids"] for t in texts)
            golden["configs"][name] = {
                "class": type(auto).__name__,
                "savedFromOurs": saved(auto, folder / "saved"),
                "cases": [plain_case(fast, t) for t in texts],
                "cuts": [c for c in (cut_case(draw, fast, texts) for _ in range(60)) if c is not None]
                if name == "uncased"
                else [],
            }
            if name == "uncased":
                fast.add_tokens(ADDED)
                fast.add_special_tokens({"additional_special_tokens": ["<ent>"]})
                golden["added"] = {
                    "saved": saved(fast, folder / "added"),
                    "cases": [plain_case(fast, t) for t in [*texts, "<ent> New York<ent>"]],
                }
    golden["training"] = training()
    OUT.write_text(
        json.dumps(golden, separators=(",", ":"), ensure_ascii=True)
        .replace('{"ids"', '\n{"ids"')
        .replace('{"text"', '\n{"text"')
        + "\n"
    )


main()
