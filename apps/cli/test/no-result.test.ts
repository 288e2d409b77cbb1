/** What is no result: weights that are not finite, heads that nobody trained; and new weights on purpose, marked. */
import { existsSync, readFileSync } from "node:fs";
import { cp, mkdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { toFloat32 } from "@cloze/checkpoint";
import { readSafetensors, writeSafetensors } from "@cloze/checkpoint/node";
import { float16ToNumber, type HostTensor, type HostTensors } from "@cloze/graph";
import { headParameters, openModel, type Head } from "@cloze/models/families";
import { initialize } from "@cloze/nn";
import { esm2 } from "@cloze/tokenizer-protein";
import { tensorSources } from "@cloze/trainer";
import { beforeAll, describe, expect, it } from "vitest";
import { tinyConfig } from "./corpus.ts";
import { cli } from "./run-cli.ts";

const { run, write, dir } = cli();
const reference = ["--backend", "reference"];
const tokenizer = esm2();

/** A checkpoint folder of the tiny ESM-2, changed. */
async function checkpoint(
  name: string,
  {
    head = "masked-lm",
    json = {},
    change = (weights) => weights,
  }: { head?: Head; json?: object; change?: (weights: HostTensors) => HostTensors } = {},
): Promise<string> {
  const opened = await openModel({ ...tinyConfig, ...json });
  await mkdir(join(dir, name), { recursive: true });
  const parameters = new Map([...headParameters(opened.model, head, 2), ...opened.extraParameters]);
  await writeSafetensors(join(dir, name, "model.safetensors"), tensorSources(change(initialize(parameters, 1))));
  await writeFile(join(dir, name, "config.json"), opened.configText({ head }));
  for (const [file, text] of Object.entries(tokenizer.files())) await writeFile(join(dir, name, file), text);
  return name;
}

const norm = "esm.encoder.emb_layer_norm_after.weight";
const spoil = (weights: HostTensors): HostTensors => {
  const data = Float32Array.from((weights[norm] as HostTensor).data as Float32Array);
  data[3] = NaN;
  return { ...weights, [norm]: { dtype: "f32", shape: [16], data } };
};

beforeAll(async () => {
  write("p.fasta", ">first protein\nMKTAYIAK\n>second\nMKWWWWWWWWWWWW\n");
  write("ids.json", "[[0,20,15,11,2]]");
  write("t.csv", "text,label\nMKTAYIAK,LABEL_0\nMKWWWWWWWWWWWWWWWWWW,LABEL_1\n");
  await checkpoint("good");
  await checkpoint("bad", { change: spoil });
  await checkpoint("bad-task", { change: spoil, head: "sequence-classification" });
  await checkpoint("task", { head: "sequence-classification" });
});

describe("weights that are not finite", () => {
  it.each([
    ["embed", ["p.fasta", "--checkpoint", "bad", "--out", "o.npy"], "embed, first: expected finite numbers, got NaN"],
    ["logits", ["--checkpoint", "bad", "--ids", "ids.json", "--out", "o.safetensors"], "sequence 1, logits: expected"],
    ["fill-mask", ["--checkpoint", "bad", "MK<mask>"], 'fillMask, "MK<mask>": expected finite numbers'],
    ["predict", ["--checkpoint", "bad-task", "--data", "t.csv", "--out", "o.jsonl"], "t.csv, line 2: expected finite"],
    ["evaluate", ["--checkpoint", "bad-task", "--data", "t.csv"], "t.csv, line 2: expected finite"],
    ["evaluate", ["--checkpoint", "bad", "--data", "p.fasta"], "bad: expected a finite loss, got NaN"],
  ])("are refused by %s %j", async (command, args, says) => {
    const { code, err, out } = await run(command, ...args, ...reference);
    expect([code, out]).toEqual([2, ""]);
    expect(err).toContain(says);
    expect(err).toContain(`The weights are not finite: the tensor "${norm}" holds NaN at element 3`);
    for (const file of ["o.npy", "o.npy.ids.txt", "o.safetensors", "o.jsonl"])
      expect(existsSync(join(dir, file)), file).toBe(false);
  });

  it.each([
    ["checkpoint convert", ["bad", "new"]],
    ["checkpoint average", ["good", "bad", "--out", "new"]],
    ["checkpoint resize", ["bad", "new", "--tokenizer", "protbert"]],
    ["checkpoint grow", ["bad", "new", "--model", "bigger.json"]],
  ])("are refused by %s", async (command, args) => {
    write("bigger.json", JSON.stringify({ ...tinyConfig, num_hidden_layers: 3 }));
    const { code, err } = await run(...command.split(" "), ...args);
    expect([code, err.includes(norm), err.includes("NaN"), existsSync(join(dir, "new"))]).toEqual([
      2,
      true,
      true,
      false,
    ]);
  });
});

describe("quantised weights", () => {
  it.each(["embed", "checkpoint convert", "checkpoint average", "checkpoint resize"])(
    "are refused by %s",
    async (command) => {
      const folder = await checkpoint("i8");
      const name = "esm.encoder.layer.0.attention.self.query.weight";
      const tensors = [...(await readSafetensors(join(dir, "good", "model.safetensors"))).tensors.values()].map(
        (each) =>
          each.name === name
            ? { name, dtype: "I8" as const, shape: [16, 16], data: new Uint8Array(256).fill(3) }
            : each,
      );
      await writeSafetensors(join(dir, folder, "model.safetensors"), tensors);
      const args: Readonly<Record<string, readonly string[]>> = {
        embed: ["p.fasta", "--checkpoint", "i8", "--out", "o.npy", ...reference],
        "checkpoint convert": ["i8", "new"],
        "checkpoint average": ["i8", "i8", "--out", "new"],
        "checkpoint resize": ["i8", "new", "--tokenizer", "protbert"],
      };
      const { code, err } = await run(...command.split(" "), ...(args[command] ?? []));
      expect(code).not.toBe(0);
      expect(err).toContain(name);
      expect(err).toMatch(/expected floats.*got I8.*quantised/);
    },
  );

  it("are refused by the name of their method", async () => {
    await cp(join(dir, "good"), join(dir, "awq"), { recursive: true });
    const json = JSON.parse(await readFile(join(dir, "awq", "config.json"), "utf8")) as object;
    write("awq/config.json", JSON.stringify({ ...json, quantization_config: { quant_method: "awq", bits: 4 } }));
    const { code, err } = await run("embed", "p.fasta", "--checkpoint", "awq", "--out", "o.npy", ...reference);
    expect(code).not.toBe(0);
    expect(err).toContain("quantization_config: expected weights that are not quantised");
  });
});

describe("a head that nobody trained", () => {
  it("gives no contacts", async () => {
    const line = ["logits", "--checkpoint", "good", "--ids", "ids.json", "--out", "o.safetensors", "--contacts"];
    const { code, err } = await run(...line, ...reference);
    expect([code, err.includes("expected a trained contact head")]).toEqual([2, true]);
  });

  it("gives no pooled vectors and no tokens", async () => {
    const pooled = ["embed", "p.fasta", "--checkpoint", "good", "--out", "o.npy", "--pooling", "pooler"];
    expect((await run(...pooled, ...reference)).err).toContain(
      'expected the parameter "esm.pooler.dense.weight", got none',
    );
    const filled = await run("fill-mask", "--checkpoint", "task", "MK<mask>", ...reference);
    expect([filled.code, filled.err.includes('expected the parameter "lm_head.')]).toEqual([2, true]);
  });
});

describe("embed --untrained", () => {
  const embed = async (out: string, ...more: string[]): Promise<ReturnType<typeof run>> =>
    run("embed", "p.fasta", "--checkpoint", "only-config", "--tokenizer", "esm2", "--out", out, ...more, ...reference);
  const vectors = async (file: string): Promise<number[]> => {
    const found = (await readSafetensors(join(dir, file))).tensors.get("embeddings");
    return Array.from(toFloat32("F32", found?.data ?? new Uint8Array()));
  };

  it("draws new weights for a config.json, by a seed, and says so", async () => {
    await mkdir(join(dir, "only-config"), { recursive: true });
    write("only-config/config.json", JSON.stringify(tinyConfig));
    expect((await embed("a.safetensors")).code).toBe(2);
    const { code, err, json } = await embed("a.safetensors", "--untrained", "--json");
    expect(code, err).toBe(0);
    expect(err).toContain("untrained: new weights with seed 0");
    expect(json()).toMatchObject({ untrained: { seed: 0 }, sequences: 2 });
    const { metadata } = await readSafetensors(join(dir, "a.safetensors"));
    expect(metadata).toMatchObject({ untrained: "new weights with seed 0" });
    expect((await embed("b.safetensors", "--untrained")).out).toMatch(/untrained +new weights with seed 0/);
    await embed("c.safetensors", "--untrained", "--seed", "1");
    expect(await vectors("b.safetensors")).toEqual(await vectors("a.safetensors"));
    expect(await vectors("c.safetensors")).not.toEqual(await vectors("a.safetensors"));
    expect((await embed("d.npy", "--seed", "1")).code).toBe(2);
  });

  it("does not read the weights beside a config.json", async () => {
    const line = ["embed", "p.fasta", "--checkpoint", "bad", "--out", "e.safetensors", "--untrained"];
    expect((await run(...line, ...reference)).code).toBe(0);
    expect((await vectors("e.safetensors")).every(Number.isFinite)).toBe(true);
  });
});

it("embeds by the pooler and the rotary frequencies that an EsmModel stores: tooling/golden/esm-model.py", async () => {
  interface Encoded {
    readonly shape: readonly number[];
    readonly data: string;
  }
  const url = new URL("../../../packages/models/test/golden/esm-model.json", import.meta.url);
  const golden = JSON.parse(readFileSync(url, "utf8")) as {
    readonly config: object;
    readonly weights: Readonly<Record<string, Encoded>>;
    readonly rows: readonly { readonly protein: string; readonly pooler_output: Encoded }[];
  };
  const numbers = (name: string, { data }: Encoded): Float32Array => {
    const { buffer } = Uint8Array.from(Buffer.from(data, "base64"));
    return name.endsWith("inv_freq")
      ? new Float32Array(buffer)
      : Float32Array.from(new Uint16Array(buffer), float16ToNumber);
  };
  await mkdir(join(dir, "esm-model"), { recursive: true });
  write("esm-model/config.json", JSON.stringify(golden.config));
  const tensors = Object.entries(golden.weights).map(
    ([name, stored]) => [name, { dtype: "f32", shape: stored.shape, data: numbers(name, stored) }] as const,
  );
  await writeSafetensors(join(dir, "esm-model", "model.safetensors"), tensorSources(Object.fromEntries(tensors)));
  const rows = golden.rows.filter(({ protein }) => !protein.includes("<mask>"));
  write("q.fasta", rows.map(({ protein }, i) => `>${i}\n${protein}\n`).join(""));
  const line = ["embed", "q.fasta", "--checkpoint", "esm-model", "--tokenizer", "esm2", "--out", "q.safetensors"];
  const { code, err } = await run(...line, "--pooling", "pooler", ...reference);
  expect(code, err).toBe(0);
  const found = (await readSafetensors(join(dir, "q.safetensors"))).tensors.get("embeddings");
  const got = Array.from(toFloat32("F32", found?.data ?? new Uint8Array()));
  const expected = rows.flatMap(({ pooler_output: pooled }) => Array.from(numbers("inv_freq", pooled)));
  expect(Math.max(...expected.map((x, i) => Math.abs(x - (got[i] as number))))).toBeLessThan(2e-5);
});

describe("what rows cut off", () => {
  const cut = { records: 1, tokens: 7 };

  it("is said by predict and by evaluate, of a task", async () => {
    write(
      "task/task.json",
      JSON.stringify({ kind: "text-classification", labels: ["LABEL_0", "LABEL_1"], settings: {}, maxLength: 15 }),
    );
    const evaluated = ["evaluate", "--checkpoint", "task", "--data", "t.csv"];
    expect((await run(...evaluated, "--json", ...reference)).json()).toMatchObject({ cut });
    expect((await run(...evaluated, ...reference)).out).toContain("cut: 1 example to 15 tokens, 7 tokens left out");
    const predicted = ["predict", "--checkpoint", "task", "--data", "t.csv", "--out"];
    expect((await run(...predicted, "p.csv", "--json", ...reference)).json()).toMatchObject({ cut });
    expect((await run(...predicted, "p.csv", ...reference)).out).toContain(
      "cut: 1 record to 15 tokens, 7 tokens left out",
    );
    expect((await run(...predicted, "-", ...reference)).err).toContain("cut: 1 record");
  });

  it("is said by evaluate, of a pretrained model", async () => {
    const line = ["evaluate", "--checkpoint", "good", "--data", "p.fasta", "--max-length", "12", ...reference];
    const { json, err } = await run(...line, "--json");
    expect(json(), err).toMatchObject({ cut: { records: 1, tokens: 4 } });
    expect((await run(...line)).out).toContain("cut: 1 sequence to 12 tokens, 4 tokens left out");
  });
});
