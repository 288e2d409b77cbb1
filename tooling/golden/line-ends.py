"""Goldens of @cloze/data: line ends as Python and pandas read them: LF, CRLF, CR, mixed, also inside quotes.

Pinned: pandas==3.1.1 (checked below).
Run:    python tooling/golden/line-ends.py     (rewrites packages/data/test/golden/line-ends.json)

lines   [text, the lines of io with universal newlines]
tables  [text of CSV, the rows of pandas' read_csv, every field a text]
"""

import io
import json
import pathlib
import random

import pandas as pd

assert pd.__version__ == "3.1.1", f"expected pandas 3.1.1, got {pd.__version__}"
OUT = pathlib.Path(__file__).resolve().parents[2] / "packages/data/test/golden/line-ends.json"
ENDS = ["\n", "\r\n", "\r"]


def lines(text):
    with io.TextIOWrapper(io.BytesIO(text.encode()), encoding="utf-8-sig", newline=None) as file:
        return [line.removesuffix("\n") for line in file]


def table(draw):
    def field():
        return "".join(draw.choice(["a", "b ", "é", ",", '"', *ENDS]) for _ in range(draw.randrange(1, 5)))

    def quote(text):
        return '"' + text.replace('"', '""') + '"' if any(c in text for c in ',"\r\n') else text

    rows = [[field(), field()] for _ in range(draw.randrange(1, 5))]
    text = "x,y" + draw.choice(ENDS)
    for i, row in enumerate(rows):
        last = i == len(rows) - 1
        text += ",".join(map(quote, row)) + ("" if last and draw.random() < 0.3 else draw.choice(ENDS))
    return rows, text


def main():
    draw = random.Random(7)
    texts = ["", "\r", "\n", "\r\n", "\n\r", "a\rb", "a\r\nb\r", "\ufeffa\r\r\nb", "a\n\r\r\nb\r\n\r"]
    texts += ["".join(draw.choice(["a", "é", " ", *ENDS]) for _ in range(draw.randrange(1, 9))) for _ in range(60)]
    tables = []
    for _ in range(60):
        rows, text = table(draw)
        read = pd.read_csv(io.BytesIO(text.encode()), dtype=str, keep_default_na=False).values.tolist()
        assert read == rows, (text, read, rows)
        tables.append([text, rows])
    golden = {"lines": [[text, lines(text)] for text in texts], "tables": tables}
    OUT.write_text(json.dumps(golden, ensure_ascii=True, indent=0) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
