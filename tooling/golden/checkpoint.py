"""Goldens of @cloze/checkpoint: files that safetensors, torch and huggingface_hub write, and what they accept.

Pinned: safetensors==0.8.0, numpy==2.4.6, torch==2.15.0, transformers==5.23.0 (checked below).
Run:    python tooling/golden/checkpoint.py               (rewrites packages/checkpoint/test/golden)
        python tooling/golden/checkpoint.py verify DIR    (opens a checkpoint that cloze wrote, with safetensors and transformers)

all-dtypes.safetensors   every dtype, a scalar, empty tensors, names whose UTF-8 order is not their UTF-16 order
all-dtypes.json          the same tensors in another order, data as hex
half-floats.safetensors  8,192 f32 values at and between the edges, with numpy's f16 and torch's bf16 of them
half-floats.json         SHA-256 of all 65,536 f16 and bf16 values widened to f32, NaNs as 0x7fc00000
sharded/                 a state dict in four files, by huggingface_hub
headers.json             hand-made headers and whether safetensors opens them
"""

import hashlib
import json
import pathlib
import shutil
import struct
import sys

import numpy as np
import safetensors
import safetensors.torch
import torch
import transformers

PINNED = {"safetensors": "0.8.0", "numpy": "2.4.6", "torch": "2.15.0", "transformers": "5.23.0"}
FOUND = {m.__name__: m.__version__.split("+")[0] for m in (safetensors, np, torch, transformers)}
assert FOUND == PINNED, f"expected {PINNED}, got {FOUND}"
OUT = pathlib.Path(__file__).resolve().parents[2] / "packages/checkpoint/test/golden"
rng = np.random.default_rng(20240520)


def write_json(name, value):
    (OUT / name).write_text(json.dumps(value, indent=1) + "\n")


def raw(tensor):
    return tensor.contiguous().reshape(-1).view(torch.uint8).numpy().tobytes() if tensor.numel() else b""


def all_dtypes():
    names = {
        torch.float64: "F64", torch.float32: "F32", torch.float16: "F16", torch.bfloat16: "BF16",
        torch.int64: "I64", torch.int32: "I32", torch.int16: "I16", torch.int8: "I8",
        torch.uint64: "U64", torch.uint32: "U32", torch.uint16: "U16", torch.uint8: "U8", torch.bool: "BOOL",
    }  # fmt: skip
    tensors = {}
    for dtype, name in names.items():
        values = rng.integers(0, 2 if dtype == torch.bool else 100, size=(2, 3))
        tensors[f"plain.{name.lower()}"] = torch.from_numpy(values).to(dtype)
    tensors["scalar"] = torch.tensor(-1.5)
    tensors["empty"] = torch.zeros((0, 4))
    tensors["empty.u8"] = torch.zeros((3, 0), dtype=torch.uint8)
    tensors["__proto__"] = torch.tensor([7, -7], dtype=torch.int32)
    tensors["\U0001f600 beyond the plane"] = torch.tensor([1.0])
    tensors["\uff21 in the plane"] = torch.tensor([2.0])
    tensors['quote " backslash \\ tab \t'] = torch.tensor([3.0])
    safetensors.torch.save_file(tensors, OUT / "all-dtypes.safetensors", metadata={"format": "pt"})
    rows = [
        {"name": k, "dtype": names[v.dtype], "shape": list(v.shape), "hex": raw(v).hex()} for k, v in tensors.items()
    ]
    write_json("all-dtypes.json", sorted(rows, key=lambda row: hashlib.sha256(row["name"].encode()).digest()))


def half_floats():
    edges = []
    with np.errstate(over="ignore", invalid="ignore"):
        for half in rng.integers(0, 0x7C00, size=700):  # an f16, its neighbours, and the middle between them
            a, b = (np.array([half, half + 1], dtype=np.uint16).view(np.float16).astype(np.float32)).tolist()
            middle = np.float32((a + b) / 2 if np.isfinite(b) else 65520.0)
            edges += [a, middle, np.nextafter(middle, np.float32(0)), np.nextafter(middle, np.float32(np.inf))]
    edges += [0.0, 65504.0, 65519.996, 65520.0, 65536.0, 2.0**-24, 2.0**-25, 2.0**-14, np.inf, 3.4028234e38, 1e-45]
    edges += [
        float(np.nextafter(np.float32(2.0**-25), np.float32(1))),
        float(np.nextafter(np.float32(2.0**-14), np.float32(0))),
    ]
    f32 = np.array(edges, dtype=np.float32)
    bits = rng.integers(0, 0x7F800000, size=8192 // 2 - len(f32) - 64, dtype=np.uint32)
    ties = (rng.integers(0, 0x7F80, size=64, dtype=np.uint32) << 16) | 0x8000  # halfway between two bf16
    f32 = np.concatenate([f32, bits.view(np.float32), ties.view(np.float32)])
    f32 = np.concatenate([f32, -f32])
    assert f32.shape == (8192,) and not np.isnan(f32).any()
    with np.errstate(over="ignore"):
        f16 = f32.astype(np.float16)
    assert np.array_equal(torch.from_numpy(f32).to(torch.float16).view(torch.int16).numpy(), f16.view(np.int16))
    bf16 = torch.from_numpy(f32).to(torch.bfloat16)
    safetensors.torch.save_file(
        {"f32": torch.from_numpy(f32), "f16": torch.from_numpy(f16), "bf16": bf16}, OUT / "half-floats.safetensors"
    )
    every = np.arange(65536, dtype=np.uint16)
    wide = {
        "f16": every.view(np.float16).astype(np.float32),
        "bf16": torch.from_numpy(every.view(np.int16)).view(torch.bfloat16).float().numpy(),
    }
    digests = {}
    for name, values in wide.items():
        bits = values.view(np.uint32).copy()
        bits[np.isnan(values)] = 0x7FC00000
        digests[name] = hashlib.sha256(bits.tobytes()).hexdigest()
    write_json("half-floats.json", digests)


def sharded():
    from huggingface_hub import save_torch_state_dict

    shutil.rmtree(OUT / "sharded", ignore_errors=True)
    (OUT / "sharded").mkdir()
    state = {
        f"layer.{i}.weight": torch.from_numpy(rng.standard_normal((2 + i, 4)).astype(np.float32)) for i in (2, 0, 3, 1)
    }
    state["layer.0.steps"] = torch.tensor([1, 2, 3])
    state["big"] = torch.from_numpy(rng.standard_normal((10, 4)).astype(np.float32))
    save_torch_state_dict(state, OUT / "sharded", max_shard_size=128)
    write_json("sharded/order.json", list(state))


def headers():
    ok = {"dtype": "F32", "shape": [2], "data_offsets": [0, 8]}
    one = lambda **change: json.dumps({"a": {**ok, **change}})  # noqa: E731
    two = lambda a, b: json.dumps({"a": {**ok, "data_offsets": a}, "b": {**ok, "data_offsets": b}})  # noqa: E731
    cases = {
        "one tensor": (one(), 8),
        "trailing spaces": (one() + "     ", 8),
        "trailing newline": (one() + "\n", 8),
        "leading space": (" " + one(), 8),
        "no tensor": ("{}", 0),
        "no tensor, a byte of data": ("{}", 1),
        "metadata": ('{"__metadata__":{"format":"pt","":""},"a":%s}' % json.dumps(ok), 8),
        "metadata null": ('{"__metadata__":null,"a":%s}' % json.dumps(ok), 8),
        "metadata of a number": ('{"__metadata__":{"n":1},"a":%s}' % json.dumps(ok), 8),
        "metadata a list": ('{"__metadata__":[],"a":%s}' % json.dumps(ok), 8),
        "metadata a tensor": ('{"__metadata__":%s}' % json.dumps(ok), 8),
        "tensor twice": ('{"a":%s,"a":%s}' % (json.dumps(ok), json.dumps(ok)), 8),
        "metadata twice": ('{"__metadata__":{},"__metadata__":{},"a":%s}' % json.dumps(ok), 8),
        "metadata key twice": ('{"__metadata__":{"k":"1","k":"2"},"a":%s}' % json.dumps(ok), 8),
        "dtype twice": ('{"a":{"dtype":"F32","dtype":"I32","shape":[2],"data_offsets":[0,8]}}', 8),
        "unknown field": (one(extra=1), 8),
        "dtype unknown": (one(dtype="F33"), 8),
        "dtype lower case": (one(dtype="f32"), 8),
        "dtype a number": (one(dtype=32), 8),
        "dtype missing": ('{"a":{"shape":[2],"data_offsets":[0,8]}}', 8),
        "shape missing": ('{"a":{"dtype":"F32","data_offsets":[0,8]}}', 8),
        "offsets missing": ('{"a":{"dtype":"F32","shape":[2]}}', 8),
        "shape negative": (one(shape=[-2]), 8),
        "shape of a float": (one(shape=[2.0]), 8),
        "shape of an exponent": ('{"a":{"dtype":"F32","shape":[2e0],"data_offsets":[0,8]}}', 8),
        "shape minus zero": ('{"a":{"dtype":"F32","shape":[-0],"data_offsets":[0,0]}}', 0),
        "shape with a leading zero": ('{"a":{"dtype":"F32","shape":[02],"data_offsets":[0,8]}}', 8),
        "shape of a string": (one(shape=["2"]), 8),
        "shape too large": (one(shape=[3]), 8),
        "shape too small": (one(shape=[1]), 8),
        "shape overflow to the right size": (one(shape=[2**62 + 1, 4], data_offsets=[0, 16]), 16),
        "shape beyond u64": (one(shape=[2**64]), 8),
        "shape overflow times zero": (one(shape=[2**40, 2**40, 0], data_offsets=[0, 0]), 0),
        "shape zero times overflow": (one(shape=[0, 2**40, 2**40], data_offsets=[0, 0]), 0),
        "scalar": (one(shape=[], data_offsets=[0, 4]), 4),
        "many ones": (one(shape=[1] * 50 + [2]), 8),
        "offsets reversed": (one(data_offsets=[8, 0]), 8),
        "offsets of three": (one(data_offsets=[0, 8, 8]), 8),
        "offsets of one": (one(data_offsets=[0]), 8),
        "offsets of a float": (one(data_offsets=[0, 8.0]), 8),
        "offsets negative": (one(data_offsets=[-8, 0]), 8),
        "begin after a hole": (one(data_offsets=[1, 9]), 9),
        "past the end": (one(), 7),
        "data after the end": (one(), 9),
        "two in order": (two([0, 8], [8, 16]), 16),
        "two in reverse": (two([8, 16], [0, 8]), 16),
        "two overlapping": (two([0, 8], [4, 12]), 12),
        "two the same": (two([0, 8], [0, 8]), 8),
        "two with a hole": (two([0, 8], [9, 17]), 17),
        "empty in the middle of another": (json.dumps({"a": ok, "e": {**ok, "shape": [0], "data_offsets": [4, 4]}}), 8),
        "empty at the border": (json.dumps({"a": ok, "e": {**ok, "shape": [0], "data_offsets": [8, 8]}}), 8),
        "empty at the start": (json.dumps({"a": ok, "e": {**ok, "shape": [0], "data_offsets": [0, 0]}}), 8),
        "empty past the end": (json.dumps({"a": ok, "e": {**ok, "shape": [0], "data_offsets": [9, 9]}}), 8),
        "name empty": (json.dumps({"": ok}), 8),
        "name escaped": ('{"\\u0061\\ud83d\\ude00":%s}' % json.dumps(ok), 8),
        "name a lone surrogate": ('{"\\ud83d":%s}' % json.dumps(ok), 8),
        "name __proto__": (json.dumps({"__proto__": ok}), 8),
        "name with a raw newline": ('{"a\nb":%s}' % json.dumps(ok), 8),
        "a list": ("[]", 0),
        "a string": ('"a"', 0),
        "null": ("null", 0),
        "trailing comma": ('{"a":%s,}' % json.dumps(ok), 8),
        "comment": ('{/**/"a":%s}' % json.dumps(ok), 8),
        "single quotes": ("{'a':%s}" % json.dumps(ok), 8),
        "text after": (one() + "x", 8),
        "two objects": (one() + "{}", 8),
        "cut off": (one()[:-1], 8),
        "tensor null": ('{"a":null}', 0),
        "tensor a list": ('{"a":["F32",[2],[0,8]]}', 8),
        "deep nesting": ('{"a":' + "[" * 2000 + "]" * 2000 + "}", 0),
        "NaN": (one(shape=[float("nan")]), 8),
    }
    rows = []
    for name, (text, size) in cases.items():
        header = text.encode("utf-8", "surrogatepass")
        data = struct.pack("<Q", len(header)) + header + bytes(size)
        try:
            safetensors.deserialize(data)
            accepted = True
        except safetensors.SafetensorError:
            accepted = False
        rows.append({"name": name, "header": text, "dataBytes": size, "accepted": accepted})
    write_json("headers.json", rows)


def verify(directory):
    directory = pathlib.Path(directory)
    for file in sorted(directory.glob("*.safetensors")):
        with safetensors.safe_open(file, "pt") as opened:
            print(
                file.name,
                opened.metadata(),
                {k: (str(opened.get_tensor(k).dtype), list(opened.get_tensor(k).shape)) for k in opened.keys()},
            )
    if (directory / "config.json").exists():
        model, info = transformers.AutoModel.from_pretrained(directory, output_loading_info=True)
        print(
            type(model).__name__,
            info,
            {k: round(float(v.double().sum()), 6) for k, v in list(model.state_dict().items())[:4]},
        )


if sys.argv[1:2] == ["verify"]:
    verify(sys.argv[2])
else:
    OUT.mkdir(parents=True, exist_ok=True)
    for make in (all_dtypes, half_floats, sharded, headers):
        make()
