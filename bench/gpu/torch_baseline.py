"""The steps and products of bench.mjs in PyTorch, on the same shapes; JSON of the same schema.

    python torch_baseline.py --out torch.json [--quick] [--parts matmul,attention,step] [--modes f32,tf32,bf16] [--steps NAME,...]
                             [--rounds 10] [--no-compile]

f32: float32 everywhere; tf32: the same with TF32 products; bf16: autocast. A step is forward, backward, clipping to norm 1 and
fused AdamW, compiled (torch.compile), with SDPA attention, the head on the predicted 15 % of positions only, tied embeddings:
what bench.mjs trains. Dropout is 0 in both. Token dropout of ESM-2 (a factor for each token) is in both as well.
Written for torch 2.4 or newer. Times: CUDA events are not used; both benches read the clock around synchronised work.
"""

import argparse, datetime, json, math, platform, subprocess, time

import torch
import torch.nn as nn
import torch.nn.functional as F

WORKLOADS = {  # name: layers, hidden, heads, rows, length
    "tiny 2x64": (2, 64, 4, 2, 64),
    "esm2-8m 64x512": (6, 320, 20, 64, 512),
    "esm2-150m 16x512": (30, 640, 20, 16, 512),
    "esm2-650m 8x512": (33, 1280, 20, 8, 512),
}
VOCAB, MASK = 33, 32


def slots_of(tokens):
    """Prediction slots, as the objective sizes them."""
    return math.ceil((math.ceil(0.15 * tokens) + 8) / 8) * 8


def flops_per_token(layers, hidden, length, predicted=0.15):
    per_layer = 2 * (4 * hidden**2 + 2 * hidden * 4 * hidden) + 4 * length * hidden
    return 3 * (layers * per_layer + predicted * 2 * (hidden**2 + hidden * VOCAB))


def rotate(x, cos, sin):
    a, b = x.chunk(2, dim=-1)
    return torch.cat((a * cos - b * sin, b * cos + a * sin), dim=-1)


class Layer(nn.Module):
    def __init__(self, hidden, heads):
        super().__init__()
        self.heads = heads
        self.attention_norm, self.norm = nn.LayerNorm(hidden, eps=1e-5), nn.LayerNorm(hidden, eps=1e-5)
        self.qkv, self.out = nn.Linear(hidden, 3 * hidden), nn.Linear(hidden, hidden)
        self.up, self.down = nn.Linear(hidden, 4 * hidden), nn.Linear(4 * hidden, hidden)

    def forward(self, x, cos, sin):
        rows, length, hidden = x.shape
        q, k, v = (
            self.qkv(self.attention_norm(x))
            .view(rows, length, 3, self.heads, hidden // self.heads)
            .permute(2, 0, 3, 1, 4)
        )
        mixed = F.scaled_dot_product_attention(rotate(q, cos, sin).to(v.dtype), rotate(k, cos, sin).to(v.dtype), v)
        x = x + self.out(mixed.transpose(1, 2).reshape(rows, length, hidden))
        return x + self.down(F.gelu(self.up(self.norm(x))))


class Encoder(nn.Module):
    def __init__(self, layers, hidden, heads, length):
        super().__init__()
        self.embed = nn.Embedding(VOCAB, hidden)
        nn.init.normal_(self.embed.weight, std=0.02)
        self.layers = nn.ModuleList(Layer(hidden, heads) for _ in range(layers))
        self.last, self.head_norm = nn.LayerNorm(hidden, eps=1e-5), nn.LayerNorm(hidden, eps=1e-5)
        self.dense, self.bias = nn.Linear(hidden, hidden), nn.Parameter(torch.zeros(VOCAB))
        for module in self.modules():
            if isinstance(module, nn.Linear):
                nn.init.normal_(module.weight, std=0.02)
                nn.init.zeros_(module.bias)
        half = hidden // heads // 2
        angles = torch.arange(length)[:, None] * 10_000.0 ** (-torch.arange(half) / half)[None]
        self.register_buffer("cos", angles.cos())
        self.register_buffer("sin", angles.sin())

    def forward(self, ids, index, targets):
        kept = (ids != MASK).float()
        x = self.embed(ids) * (kept * (0.88 * ids.shape[1] / kept.sum(1, keepdim=True)))[..., None]
        for layer in self.layers:
            x = layer(x, self.cos, self.sin)
        picked = self.last(x).flatten(0, 1)[index]
        logits = F.linear(self.head_norm(F.gelu(self.dense(picked))), self.embed.weight, self.bias)
        return F.cross_entropy(logits.float(), targets)


class Clock:
    def __init__(self, device):
        self.device = device

    def sync(self):
        if self.device.type == "cuda":
            torch.cuda.synchronize()

    def runs(self, run, rounds):
        """Median of single runs that are waited for, and time per run of many in a row, in ms."""
        for _ in range(3):
            run()
        single = []
        for _ in range(rounds):
            self.sync()
            began = time.perf_counter()
            run()
            self.sync()
            single.append((time.perf_counter() - began) * 1e3)
        began = time.perf_counter()
        for _ in range(rounds):
            run()
        self.sync()
        return {
            "ms": sorted(single)[(rounds - 1) // 2],
            "minMs": min(single),
            "pipelinedMs": (time.perf_counter() - began) * 1e3 / rounds,
        }


MODES = {"f32": (False, None), "tf32": (True, None), "bf16": (True, torch.bfloat16)}


def matmuls(device, mode, quick):
    dtype = MODES[mode][1] or torch.float32
    shapes = (
        [(64, 64, 64, "NN"), (96, 132, 70, "NT")]
        if quick
        else [
            (1024, 1024, 1024, "NN"),
            (4096, 4096, 4096, "NN"),
            (4096, 4096, 4096, "NT"),
            (4096, 4096, 4096, "TN"),
            (8192, 1280, 1280, "NT"),
            (8192, 5120, 1280, "NT"),
            (8192, 1280, 5120, "NT"),
            (8192, 1280, 5120, "NN"),
            (1280, 1280, 8192, "TN"),
            (5120, 1280, 8192, "TN"),
            (32768, 320, 320, "NT"),
            (320, 320, 32768, "TN"),
            (5000, 33, 1280, "NT"),
        ]
    )
    clock = Clock(device)
    for m, n, k, layout in shapes:
        a = torch.rand((k, m) if layout[0] == "T" else (m, k), device=device).to(dtype) - 0.5
        b = torch.rand((n, k) if layout[1] == "T" else (k, n), device=device).to(dtype) - 0.5
        left, right = (a.T if layout[0] == "T" else a), (b.T if layout[1] == "T" else b)
        ms = clock.runs(lambda: left @ right, 3 if quick else 50)["pipelinedMs"]
        yield {"kind": "matmul", "name": f"{m}x{n}x{k} {layout}", "ms": ms, "tflops": 2 * m * n * k / ms / 1e9}


def attentions(device, mode, quick, rounds):
    dtype = MODES[mode][1] or torch.float32
    sizes = [(1, 2, 64, 32)] if quick else [(8, 20, 1024, 64), (64, 20, 512, 16), (2, 12, 8192, 64)]
    clock = Clock(device)
    for batch, heads, seq, head_dim in sizes:
        q, k, v, ct = (
            torch.randn(batch, heads, seq, head_dim, device=device, dtype=dtype, requires_grad=i < 3) for i in range(4)
        )
        for backward in (False, True):

            def run():
                y = F.scaled_dot_product_attention(q, k, v)
                if backward:
                    torch.autograd.grad(y, (q, k, v), ct)

            times = clock.runs(run, rounds)
            flops = (14 if backward else 4) * seq**2 * head_dim * batch * heads
            yield {
                "kind": "attention",
                "name": f"{batch}x{heads}x{seq}x{head_dim} full {'forward and backward' if backward else 'forward'}",
                **times,
                "tflops": flops / times["pipelinedMs"] / 1e9,
            }


def training(device, mode, name, rounds, compiled):
    layers, hidden, heads, rows, length = WORKLOADS[name]
    autocast, tokens = MODES[mode][1], rows * length
    torch.manual_seed(1)
    model = Encoder(layers, hidden, heads, length).to(device)
    decayed = [p for p in model.parameters() if p.ndim >= 2]
    rest = [p for p in model.parameters() if p.ndim < 2]
    optimizer = torch.optim.AdamW(
        [{"params": decayed, "weight_decay": 0.01}, {"params": rest, "weight_decay": 0.0}],
        lr=1e-4,
        betas=(0.9, 0.98),
        eps=1e-8,
        fused=True,
    )
    ids = torch.randint(4, 24, (rows, length), device=device)
    targets = torch.randint(4, 24, (slots_of(tokens),), device=device)
    index = torch.randperm(tokens, device=device)[: len(targets)].sort().values
    ids.view(-1)[index[: int(0.8 * len(index))]] = MASK
    loss_of = torch.compile(model) if compiled else model
    last = [float("nan")]

    def run():
        with torch.autocast(device.type, dtype=autocast or torch.bfloat16, enabled=autocast is not None):
            loss = loss_of(ids, index, targets)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        optimizer.zero_grad(set_to_none=True)
        last[0] = loss.detach()

    if device.type == "cuda":
        torch.cuda.reset_peak_memory_stats()
    began = time.perf_counter()
    run()
    first, compile_ms = float(last[0]), (time.perf_counter() - began) * 1e3
    times = Clock(device).runs(run, rounds)
    seconds = times["pipelinedMs"] / 1e3
    return {
        "kind": "step",
        "name": name,
        **times,
        "tokensPerSecond": tokens / seconds,
        "tflops": tokens * flops_per_token(layers, hidden, length) / seconds / 1e12,
        "compileMs": compile_ms,
        "losses": [first, float(last[0])],
        **({"peakBytes": torch.cuda.max_memory_allocated()} if device.type == "cuda" else {}),
    }


def driver():
    try:
        return subprocess.run(
            ["nvidia-smi", "--query-gpu=name,driver_version,clocks.max.sm,power.limit", "--format=csv,noheader"],
            capture_output=True,
            text=True,
            check=True,
        ).stdout.strip()
    except (OSError, subprocess.CalledProcessError):
        return "no nvidia-smi"


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--out")
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--parts", default="matmul,attention,step")
    parser.add_argument("--modes", default="f32,tf32,bf16")
    parser.add_argument("--steps")
    parser.add_argument("--rounds", type=int)
    parser.add_argument("--no-compile", action="store_true")
    options = parser.parse_args()
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    rounds = options.rounds or (2 if options.quick else 20)
    steps = (
        options.steps.split(",")
        if options.steps
        else [name for name in WORKLOADS if name.startswith("tiny") == options.quick]
    )
    rows = []
    report = {
        "bench": "gpu",
        "engine": "torch",
        "commit": f"torch {torch.__version__}",
        "date": datetime.datetime.now(datetime.timezone.utc).isoformat(),
        "runtime": f"python {platform.python_version()}",
        "device": torch.cuda.get_device_name() if device.type == "cuda" else "CPU",
        "driver": driver(),
        "quick": options.quick,
        "options": vars(options),
        "rows": rows,
    }

    def keep(made, mode):
        for row in made:
            row = {**row, "mode": mode, "ok": True}
            rows.append(row)
            print(
                row["kind"],
                mode,
                row["name"],
                f"{row.get('pipelinedMs', row['ms']):.3f} ms",
                f"{row['tflops']:.2f} TFLOP/s",
                f"{row['tokensPerSecond']:.0f} tokens/s" if "tokensPerSecond" in row else "",
                flush=True,
            )
            if options.out:
                with open(options.out, "w") as file:
                    json.dump(report, file, indent=1)

    for mode in options.modes.split(","):
        torch.backends.cuda.matmul.allow_tf32 = torch.backends.cudnn.allow_tf32 = MODES[mode][0]
        if "matmul" in options.parts:
            keep(matmuls(device, mode, options.quick), mode)
        if "attention" in options.parts:
            keep(attentions(device, mode, options.quick, rounds), mode)
        if "step" in options.parts:
            for name in steps:
                keep([training(device, mode, name, rounds, not options.no_compile)], mode)
                torch._dynamo.reset()


if __name__ == "__main__":
    main()
