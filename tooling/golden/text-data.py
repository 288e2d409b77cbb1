"""Goldens of @cloze/data: Parquet as Apache Arrow writes it, and CSV and TSV as Python's csv module does.

Pinned: pyarrow==21.0.0 (checked below).
Run:    python tooling/golden/text-data.py     (rewrites packages/data/test/golden)

CODEC.parquet      60 rows in row groups of 25: id, text (with nulls, dictionary-encoded where it pays), sentences (a list of texts)
table.csv, .tsv    the same rows, quoted where csv finds it necessary; "text" and its JSON-encoded sentences
rows.json          what they all hold
"""

import csv
import json
import pathlib

import pyarrow as pa
import pyarrow.parquet as pq

assert pa.__version__ == "21.0.0", f"expected pyarrow 21.0.0, got {pa.__version__}"
OUT = pathlib.Path(__file__).resolve().parents[2] / "packages/data/test/golden"

PIECES = [
    "plain words",
    "a, b",
    'he said "no"',
    '"',
    "two\nlines",
    "tab\there",
    "été 蛋白 😀",
    "",
    "  spaces  ",
    "'single'",
    "a;b|c",
    'ends with quote"',
]


def rows():
    for i in range(60):
        sentences = [PIECES[(i * 5 + k * 7) % len(PIECES)] for k in range(i % 4)]
        text = None if i % 13 == 6 else " ".join(PIECES[(i + k) % len(PIECES)] for k in range(1 + i % 3))
        yield {"id": i, "text": text, "sentences": sentences}


def main():
    OUT.mkdir(parents=True, exist_ok=True)
    all_rows = list(rows())
    schema = pa.schema([("id", pa.int64()), ("text", pa.string()), ("sentences", pa.list_(pa.string()))])
    for codec in ("none", "snappy", "gzip", "brotli", "zstd", "lz4"):
        large = codec in ("zstd", "brotli")  # large_string, data pages of version 2, no dictionary
        table = pa.Table.from_pylist(all_rows, schema=schema)
        if large:
            table = table.set_column(1, "text", table["text"].cast(pa.large_string()))
        pq.write_table(
            table,
            OUT / f"{codec}.parquet",
            compression=codec,
            row_group_size=25,
            data_page_version="2.0" if large else "1.0",
            use_dictionary=not large,
        )
    for name, dialect in (("table.csv", "excel"), ("table.tsv", "excel-tab")):
        with open(OUT / name, "w", newline="", encoding="utf-8") as file:
            writer = csv.writer(file, dialect)
            writer.writerow(["id", "text", "sentences"])
            for row in all_rows:
                writer.writerow([row["id"], row["text"] or "", json.dumps(row["sentences"], ensure_ascii=False)])
    (OUT / "rows.json").write_text(json.dumps(all_rows, ensure_ascii=False, indent=0) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
