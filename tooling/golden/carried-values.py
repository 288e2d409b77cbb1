"""Goldens of @cloze/data: numbers and dates of Parquet and JSON Lines, with the text that each of them has in Python.

Pinned: pyarrow==26.0.1, pandas==3.1.1, numpy==2.4.6 (checked below).
Run:    python tooling/golden/carried-values.py     (rewrites its files in packages/data/test/golden)

values-plain.parquet        each column twice: once with nulls, once without; PLAIN and DELTA encodings, pages of version 2
values-dictionary.parquet   the same with dictionaries, pages of version 1, and timestamps as INT96
values.json                 the text of each value, by column: Arrow's cast to string; of floats str() of numpy
values.jsonl                the columns that JSON has, as pandas writes them with digits unchanged

And in apps/cli/test/golden: carried.parquet as pandas writes it by default, and the same table as pandas writes it to CSV.
"""

import datetime
import decimal
import json
import pathlib

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

assert (pa.__version__, pd.__version__, np.__version__) == ("26.0.1", "3.1.1", "2.4.6"), "expected the pinned versions"
OUT = pathlib.Path(__file__).resolve().parents[2] / "packages/data/test/golden"

D = decimal.Decimal
BIG = 1234567890123456789
COLUMNS = {
    "int8": ([-128, 0, 127], pa.int8()),
    "int16": ([-32768, 1, 32767], pa.int16()),
    "int32": ([-(2**31), 5, 2**31 - 1], pa.int32()),
    "int64": ([-(2**63), BIG, 2**53 + 1], pa.int64()),
    "uint8": ([0, 200, 255], pa.uint8()),
    "uint16": ([0, 40000, 65535], pa.uint16()),
    "uint32": ([0, 2**31, 2**32 - 1], pa.uint32()),
    "uint64": ([0, 2**63 + 1, 2**64 - 1], pa.uint64()),
    "decimal_9_2": ([D("12.30"), D("-0.05"), D("0.00")], pa.decimal128(9, 2)),
    "decimal_18_4": ([D("123456789012.3456"), D("-1.0000"), D("0.0001")], pa.decimal128(18, 4)),
    "decimal_38_10": ([D("1234567890123456789012345678.0123456789"), D("-0.1000000000"), D("7")], pa.decimal128(38, 10)),
    "decimal_76_0": ([D("9" * 70), D("-1"), D("0")], pa.decimal256(76, 0)),
    "float16": ([np.float16(x) for x in (0.1, 1.0, 6e-5)], pa.float16()),
    "float32": ([0.1, -1.0, 1e-5], pa.float32()),
    "float64": ([0.1, 1.0, 1e-7], pa.float64()),
    "large_double": ([1e16, 123456789012345680.0, -0.0], pa.float64()),
    "bool": ([True, False, True], pa.bool_()),
    "date": ([datetime.date(2024, 2, 29), datetime.date(1969, 12, 31), datetime.date(9999, 12, 31)], pa.date32()),
    "time_ms": ([1, 86399999, 0], pa.time32("ms")),
    "time_us": ([1, 86399999999, 0], pa.time64("us")),
    "stamp_ms": ([0, -1, 1700000000123], pa.timestamp("ms")),
    "stamp_us": ([0, -1, 1700000000123456], pa.timestamp("us")),
    "stamp_ns": ([0, -1, 1700000000123456789], pa.timestamp("ns")),
    "stamp_utc": ([0, -1, 1700000000123456], pa.timestamp("us", "UTC")),
    "text": (["007", "1.0", ""], pa.string()),
    "binary": (["été".encode(), b"", b"\x00\xff"], pa.binary()),
    "fixed": ([b"\x00\xff", b"ab", b"\x01\x02"], pa.binary(2)),
    "list": ([[BIG, 1], [], [-1]], pa.list_(pa.int64())),
    "struct": ([{"n": BIG, "d": D("1.50")}, {"n": 1, "d": D("0.10")}, {"n": None, "d": None}],
               pa.struct([("n", pa.int64()), ("d", pa.decimal128(5, 2))])),
    "deep": ([[{"n": [BIG]}], [{"n": []}, {"n": [2]}], []], pa.list_(pa.struct([("n", pa.list_(pa.uint64()))]))),
}


def text(value, kind):
    if value is None:
        return None
    if pa.types.is_list(kind):
        return [text(each, kind.value_type) for each in value]
    if pa.types.is_struct(kind):
        return {field.name: text(value[field.name], field.type) for field in kind}
    if pa.types.is_floating(kind):
        return str({16: np.float16, 32: np.float32, 64: np.float64}[kind.bit_width](value))
    if pa.types.is_string(kind):
        return value
    if pa.types.is_fixed_size_binary(kind):
        return value.hex()
    if pa.types.is_binary(kind):
        try:
            return value.decode()
        except UnicodeDecodeError:
            return value.hex()
    array = value if isinstance(value, pa.Scalar) else pa.scalar(value, kind)
    return pc.cast(array, pa.string()).as_py()


def table(ns):
    arrays, fields = [], []
    for name, (values, kind) in COLUMNS.items():
        if name == "stamp_ns" and not ns:
            continue
        for suffix, held in (("", values), ("_null", [values[0], None, values[2]])):
            arrays.append(pa.array(held, kind))
            fields.append(pa.field(name + suffix, kind, nullable=suffix != "" or name in ("list", "struct", "deep")))
    return pa.Table.from_arrays(arrays, schema=pa.schema(fields))


def main():
    whole = table(True)
    # Three rows in two row groups, each value once.
    pq.write_table(whole, OUT / "values-plain.parquet", use_dictionary=False, data_page_version="2.0", row_group_size=2,
                   column_encoding={name: "DELTA_BINARY_PACKED" for name in ("int32", "int64", "uint64_null")})
    pq.write_table(whole, OUT / "values-dictionary.parquet", use_dictionary=True, data_page_version="1.0",
                   row_group_size=2, use_deprecated_int96_timestamps=True)
    texts = {name: [text(value if not pa.types.is_temporal(column.type) else column[i] if value is not None else None,
                         column.type) for i, value in enumerate(column.to_pylist())]
             for name, column in ((n, whole[n].combine_chunks()) for n in whole.column_names)}
    (OUT / "values.json").write_text(json.dumps(texts, indent=0) + "\n", encoding="utf-8")
    frame = pd.DataFrame({name: pd.array(COLUMNS[name][0], dtype=name if name.startswith("float") else name.capitalize()
                                         if not name.startswith("uint") else "UInt" + name[4:])
                          for name in ("int64", "uint64", "float64")})
    frame.to_json(OUT / "values.jsonl", orient="records", lines=True)
    cli = OUT.parents[3] / "apps/cli/test/golden"
    cli.mkdir(exist_ok=True)
    carried = pd.DataFrame({
        "id": np.array([BIG, -1, 2**63 - 1], np.int64),
        "unsigned": np.array([2**64 - 1, 0, 7], np.uint64),
        "price": [D("12.30"), D("0.05"), D("100.00")],
        "weight": [0.1, 1.0, 1e-07],
        "small": np.array([0.1, 2.5, 1.0], np.float32),
        "when": pd.to_datetime(["2024-02-29 12:00:00.123456", "1969-12-31 23:59:59.000001", "2000-01-01 00:00:00.5"]),
        "day": [datetime.date(2024, 2, 29), datetime.date(1970, 1, 1), datetime.date(1800, 1, 1)],
        "text": ["a film", "b", "a b"],
        "label": np.array([2**53 + 1, 2**53, 2**53 + 1], np.int64),
    })
    carried.to_parquet(cli / "carried.parquet")
    carried.to_csv(cli / "carried.csv", index=False)


if __name__ == "__main__":
    main()
