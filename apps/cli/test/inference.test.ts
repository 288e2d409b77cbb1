// embed, logits and fill-mask on a tiny ESM-2 with random weights, compared with each other and with the encoder
// itself.
import { mkdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { backend } from "@cloze/backend-reference";
import { toFloat32 } from "@cloze/checkpoint";
import { openSafetensors, readSafetensors, writeSafetensors } from "@cloze/checkpoint/node";
import type { HostTensors } from "@cloze/graph";
import { createEncoder } from "@cloze/inference";
import { esm2, esm2ConfigJson, esm2Configs } from "@cloze/models/esm2";
import { encoderInputs, initialize, parametersOf } from "@cloze/nn";
import { esm2 as esm2Tokenizer } from "@cloze/tokenizer-protein";
import { tensorSources } from "@cloze/trainer";
import { parquetReadObjects } from "hyparquet";
import { beforeAll, describe, expect, test } from "vitest";
import { cli } from "./run-cli.ts";

const { run, write, dir } = cli();
const tokenizer = esm2Tokenizer();
const config = { ...esm2Configs["esm2-8m"], layers: 2, hidden: 8, heads: 2, intermediate: 16, initializerRange: 0.3 };
const model = esm2(config);
const drawn = initialize(
  parametersOf((scope) => {
    const inputs = encoderInputs(scope.graph, 1, 4);
    const { last, attentions } = model.outputs(scope, inputs);
    model.predict(scope, last.reshape([-1, 8]));
    model.contacts(scope, inputs, attentions);
  }),
  5,
);
// A contact head as if it had been trained: a new one is zero, and refused.
const regression = { dtype: "f32", shape: [1, 4], data: Float32Array.of(0.5, -0.25, 1, 0.75) } as const;
const weights: HostTensors = { ...drawn, "esm.contact_head.regression.weight": regression };
const proteins = ["MKTAYIAKQRQISFVKSHFSRQLEERLGLIEVQ", "MK", "MKTAYIAK", "mkx-"];
const fasta = write(
  "p.fasta",
  proteins.map((text, i) => `>${["a", "b words", "a other words", ""][i]}\n${text}\n`).join(""),
);
const ids = ["a", "b", "a#2", "record-4"];

async function checkpoint(
  name: string,
  tensors: HostTensors = weights,
  json: object = esm2ConfigJson(config),
): Promise<string> {
  await mkdir(join(dir, name), { recursive: true });
  await writeSafetensors(join(dir, name, "model.safetensors"), tensorSources(tensors));
  await writeFile(join(dir, name, "config.json"), JSON.stringify(json));
  for (const [file, text] of Object.entries(tokenizer.files())) await writeFile(join(dir, name, file), text);
  return name;
}

const reference = ["--checkpoint", "model", "--backend", "reference"];
beforeAll(() => checkpoint("model"));

async function tensor(
  file: string,
  name: string,
): Promise<{ readonly shape: readonly number[]; readonly data: Float32Array }> {
  const found = (await readSafetensors(join(dir, file))).tensors.get(name);
  if (found === undefined) throw new Error(`${file} has no tensor ${name}`);
  return { shape: found.shape, data: toFloat32(found.dtype, found.data) };
}

async function direct<T>(use: (encoder: Awaited<ReturnType<typeof createEncoder>>) => AsyncIterable<T>): Promise<T[]> {
  const list: T[] = [];
  for await (const each of use(await createEncoder({ backend: backend(), model, weights, tokenizer }))) list.push(each);
  return list;
}

function close(a: ArrayLike<number>, b: ArrayLike<number>): void {
  expect(a.length).toBe(b.length);
  for (let i = 0; i < a.length; i++) expect(Math.abs((a[i] as number) - (b[i] as number))).toBeLessThan(1e-5);
}

async function mistake(argv: readonly string[], text: string): Promise<void> {
  const ran = await run(...argv);
  expect(ran).toMatchObject({ code: 2, out: "" });
  expect(ran.err.trimEnd().split("\n").at(-1)).toMatch(/^cloze: /);
  expect(ran.err).toContain(text);
}

describe("logits", () => {
  const rows = [
    [0, 20, 15, 11, 5, 2],
    [0, 20, 2],
    [0, 5, 32, 2, 1, 1],
  ];
  const real = [6, 3, 4];
  const all = ["--hidden-states", "--attentions", "--contacts"];

  test("rows of any length, with their inside, zero at padding", async () => {
    write("ids.json", JSON.stringify(rows));
    const ran = await run("logits", ...reference, "--ids", "ids.json", "--out", "new/l.safetensors", ...all, "--json");
    expect(ran.json()).toMatchObject({
      rows: 3,
      longest: 6,
      tokens: 13,
      backend: "reference",
      tensors: {
        logits: [3, 6, 33],
        "hidden_states.2": [3, 6, 8],
        "attentions.1": [3, 2, 6, 6],
        contacts: [3, 4, 4],
        lengths: [3],
      },
    });
    const expected = await direct((encoder) =>
      encoder.outputs(
        rows.map((row, r) => row.slice(0, real[r])),
        { logits: true, hiddenStates: true, attentions: true, contacts: true },
      ),
    );
    const logits = await tensor("new/l.safetensors", "logits");
    const maps = await tensor("new/l.safetensors", "attentions.0");
    const contacts = await tensor("new/l.safetensors", "contacts");
    const states = await tensor("new/l.safetensors", "hidden_states.1");
    expect([...(await readSafetensors(join(dir, "new/l.safetensors"))).tensors.keys()].sort()).toEqual([
      "attentions.0",
      "attentions.1",
      "contacts",
      "hidden_states.0",
      "hidden_states.1",
      "hidden_states.2",
      "lengths",
      "logits",
    ]);
    for (const [r, n] of real.entries()) {
      const row = logits.data.subarray(r * 6 * 33, (r + 1) * 6 * 33);
      close(row.subarray(0, n * 33), expected[r]?.logits?.data ?? []);
      expect(row.subarray(n * 33).every((x) => x === 0)).toBe(true);
      close(states.data.subarray(r * 48, r * 48 + n * 8), expected[r]?.hiddenStates?.[1]?.data ?? []);
      for (let h = 0; h < 2; h++)
        for (let q = 0; q < n; q++)
          close(
            maps.data.subarray(((r * 2 + h) * 6 + q) * 6, ((r * 2 + h) * 6 + q) * 6 + n),
            expected[r]?.attentions?.[0]?.data.subarray((h * n + q) * n, (h * n + q + 1) * n) ?? [],
          );
      for (let q = 0; q < n - 2; q++)
        close(
          contacts.data.subarray((r * 4 + q) * 4, (r * 4 + q) * 4 + n - 2),
          expected[r]?.contacts?.data.subarray(q * (n - 2), (q + 1) * (n - 2)) ?? [],
        );
    }
    const file = await openSafetensors(join(dir, "new/l.safetensors"));
    expect([...new Int32Array((await file.read("lengths")).buffer)]).toEqual(real);
    await file.close();
  });

  test("mistakes", async () => {
    const logits = (json: string, ...more: readonly string[]): string[] => [
      "logits",
      ...reference,
      "--ids",
      write("bad.json", json),
      "--out",
      "x.safetensors",
      ...more,
    ];
    await mistake(logits("[[0, 40]]"), "bad.json, [0][1]: expected a token id from 0 to 32, got 40");
    await mistake(logits("[0, 2]"), "got one list of numbers. Put it into brackets once more");
    await mistake(logits("[]"), "expected at least one list of token ids");
    await mistake(logits("[[0], []]"), "bad.json, [1]: expected at least one token id");
    await mistake(logits("{}"), "got an object");
    await mistake(logits("[[0, 1.5]]"), "got 1.5");
    await mistake(logits('[["M"]]'), 'got the text "M"');
    await mistake(logits("[[1, 1]]"), "got only the pad id 1");
    await mistake(logits("[[0, 2"), "bad.json: expected JSON");
    await mistake(logits("[[0, 2]]", "--contacts"), "[0]: --contacts: expected a residue");
    await mistake(["logits", ...reference, "--ids", "none.json", "--out", "x.safetensors"], "none.json");
    await mistake(
      ["logits", ...reference, "--ids", "bad.json", "--out", "x.npy"],
      "expected a name that ends in .safetensors",
    );
  });
});

describe("embed", () => {
  const body = (text: string): number => tokenizer.encode(text, { special: false }).ids.length;

  test("safetensors: a matrix and ids in the order of the input", async () => {
    const ran = await run("embed", fasta, ...reference, "--out", "mean.safetensors", "--json");
    expect(ran.json()).toMatchObject({
      sequences: 4,
      residues: 47,
      hidden: 8,
      pooling: "mean",
      layer: -1,
      duplicates: 1,
      unnamed: 1,
      issues: { replaced: { m: 1, k: 1, x: 1 } },
      long: { policy: "window", maxLength: 1024, windowed: 0, cut: 0 },
    });
    const { shape, data } = await tensor("mean.safetensors", "embeddings");
    const expected = await direct((encoder) => encoder.embed(proteins));
    expect(shape).toEqual([4, 8]);
    expected.forEach(({ vectors }, i) => close(data.subarray(i * 8, (i + 1) * 8), vectors.data));
    expect(JSON.parse((await readSafetensors(join(dir, "mean.safetensors"))).metadata["ids"] ?? "")).toEqual(ids);
  });

  test("safetensors per token: a tensor under each id", async () => {
    await run("embed", fasta, ...reference, "--out", "tokens.safetensors", "--pooling", "per-token", "--layer", "1");
    const expected = await direct((encoder) => encoder.embed(proteins, { pooling: "per-token", layer: 1 }));
    for (const [i, id] of ids.entries()) {
      const { shape, data } = await tensor("tokens.safetensors", id);
      expect(shape).toEqual([body(proteins[i] as string), 8]);
      close(data, expected[i]?.vectors.data ?? []);
    }
  });

  test(".npy: format 1.0, and ids beside it", async () => {
    for (const [pooling, rows] of [
      ["cls", 4],
      ["per-token", 47],
    ] as const) {
      await run("embed", "--data", fasta, ...reference, "--out", "v.npy", "--pooling", pooling);
      const bytes = await readFile(join(dir, "v.npy"));
      const start = 10 + bytes.readUInt16LE(8);
      expect(bytes.subarray(0, 8)).toEqual(Buffer.from("\x93NUMPY\x01\x00", "latin1"));
      expect(start % 64).toBe(0);
      expect(bytes.subarray(10, start).toString()).toMatch(
        new RegExp(`^\\{'descr': '<f4', 'fortran_order': False, 'shape': \\(${rows}, 8\\), \\} *\\n$`),
      );
      const expected = await direct((encoder) => encoder.embed(proteins, { pooling }));
      close(
        new Float32Array(new Uint8Array(bytes.subarray(start)).buffer),
        expected.flatMap(({ vectors }) => [...vectors.data]),
      );
      const lines = (await readFile(join(dir, "v.npy.ids.txt"), "utf8")).split("\n");
      expect(lines.pop()).toBe("");
      expect(lines).toEqual(
        pooling === "cls"
          ? ids
          : ids.flatMap((id, i) => Array.from({ length: body(proteins[i] as string) }, (_, k) => `${id}\t${k + 1}`)),
      );
    }
  });

  test("Parquet: id, length, embedding", async () => {
    for (const pooling of ["mean", "per-token"] as const) {
      await run("embed", fasta, ...reference, "--out", "v.parquet", "--pooling", pooling);
      const bytes = new Uint8Array(await readFile(join(dir, "v.parquet")));
      const found = (await parquetReadObjects({ file: bytes.buffer })) as readonly Readonly<Record<string, unknown>>[];
      expect(found.map(({ id, length }) => [id, length])).toEqual(
        ids.map((id, i) => [id, body(proteins[i] as string)]),
      );
      const expected = await direct((encoder) => encoder.embed(proteins, { pooling }));
      found.forEach(({ embedding }, i) =>
        close((embedding as number[] | number[][]).flat(), expected[i]?.vectors.data ?? []),
      );
    }
  });

  test("long sequences by policy, reported", async () => {
    const windowed = await run("embed", fasta, ...reference, "--out", "w.npy", "--max-length", "12");
    expect(windowed.out).toContain("in windows  1 sequence, 4 windows of at most 12 tokens");
    const cut = await run(
      "embed",
      fasta,
      ...reference,
      "--out",
      "t.safetensors",
      "--max-length",
      "12",
      "--long",
      "truncate",
      "--pooling",
      "per-token",
    );
    expect(cut.out).toContain("truncated  1 sequence to 12 tokens, 23 residues left out");
    expect((await tensor("t.safetensors", "a")).shape).toEqual([10, 8]);
    await mistake(
      ["embed", fasta, ...reference, "--out", "x.npy", "--max-length", "12", "--long", "error"],
      "a: expected at most 10 residues, got 33",
    );
  });

  test("mistakes", async () => {
    const embed = (file: string, out: string, ...more: readonly string[]): string[] => [
      "embed",
      file,
      ...reference,
      "--out",
      out,
      ...more,
    ];
    await mistake(embed(fasta, "x.xlsx"), "expected a name that ends in .safetensors, .npy, .parquet");
    await mistake(embed(fasta, "x.npy", "--layer", "3"), "layer: expected a whole number from -3 to 2");
    await mistake(
      embed(write("e.fasta", ">a\nMK\n>b c\n>d\nM\n"), "x.npy"),
      "e.fasta, record 2 (b): expected residues, got none",
    );
    await mistake(embed(write("none.fasta", ""), "x.npy"), "expected at least one sequence, got none");
    await mistake(["embed", ...reference, "--out", "x.npy"], "embed: FILE… or --data is required");
  });
});

describe("fill-mask", () => {
  test("a table for people, everything as JSON", async () => {
    const text = "MK<mask>AY<mask>";
    const ran = await run("fill-mask", text, "MK<mask>", ...reference, "--top", "2");
    const lines = ran.out.trimEnd().split("\n");
    expect(lines.every((line) => line.length <= 80)).toBe(true);
    expect(lines[0]).toBe(text);
    expect(lines[1]).toMatch(/^place {2}token +probability$/);
    expect(lines[2]).toMatch(/^ {4}3 {2}\S+ +\d+\.\d\d %$/);
    expect(lines.length).toBe(2 + 4 + 1 + 2 + 2);
    const { texts } = (await run("fill-mask", text, ...reference, "--json")).json() as {
      readonly texts: readonly {
        readonly filled: string;
        readonly masks: readonly {
          readonly position: number;
          readonly candidates: readonly { readonly token: string }[];
        }[];
      }[];
    };
    expect(texts[0]?.masks.map(({ position, candidates }) => [position, candidates.length])).toEqual([
      [3, 5],
      [6, 5],
    ]);
    expect(texts[0]?.filled).toBe(
      `MK${texts[0]?.masks[0]?.candidates[0]?.token}AY${texts[0]?.masks[1]?.candidates[0]?.token}`,
    );
  });

  test("mistakes", async () => {
    await mistake(["fill-mask", "MKT", ...reference], "expected <mask> in the text, got none");
    await mistake(["fill-mask", "M<mask>", ...reference, "--top", "0"], "--top: expected a whole number, at least 1");
  });
});

describe("checkpoints of others", () => {
  const logits = async (name: string): Promise<Float32Array> => {
    await run(
      "logits",
      "--checkpoint",
      name,
      "--backend",
      "reference",
      "--ids",
      write("i.json", "[[0, 20, 15, 2]]"),
      "--out",
      `${name}.safetensors`,
    );
    return (await tensor(`${name}.safetensors`, "logits")).data;
  };

  test("norms under their names of old, tied copies, the encoder alone", async () => {
    const old = Object.fromEntries(
      Object.entries(weights).map(([name, value]) => [
        name.replace(/\.LayerNorm\.weight$/, ".LayerNorm.gamma").replace(/\.LayerNorm\.bias$/, ".LayerNorm.beta"),
        value,
      ]),
    );
    await checkpoint("old", {
      ...old,
      "lm_head.decoder.weight": weights["esm.embeddings.word_embeddings.weight"] as HostTensors[string],
    });
    expect(await logits("old")).toEqual(await logits("model"));
    await checkpoint(
      "bare",
      Object.fromEntries(
        Object.entries(weights).flatMap(([name, value]) => (name.startsWith("esm.") ? [[name.slice(4), value]] : [])),
      ),
    );
    await run("embed", fasta, "--checkpoint", "bare", "--backend", "reference", "--out", "bare.npy");
    await run("embed", fasta, ...reference, "--out", "whole.npy");
    expect(await readFile(join(dir, "bare.npy"))).toEqual(await readFile(join(dir, "whole.npy")));
    await mistake(
      ["fill-mask", "M<mask>", "--checkpoint", "bare", "--backend", "reference"],
      'expected the parameter "lm_head.dense.weight", got none',
    );
  });

  test("its own rotary frequencies", async () => {
    const slow: HostTensors[string] = { dtype: "f32", shape: [2], data: Float32Array.of(1, 0.02) };
    await checkpoint("slow", { ...weights, "esm.encoder.layer.0.attention.self.rotary_embeddings.inv_freq": slow });
    const [theirs] = await (async () => {
      const list: Float32Array[] = [];
      const encoder = await createEncoder({
        backend: backend(),
        model: esm2(config, { ropeFrequencies: [1, Math.fround(0.02)] }),
        weights,
        tokenizer,
      });
      for await (const { data } of encoder.logits([[0, 20, 15, 2]])) list.push(data);
      return list;
    })();
    close(await logits("slow"), theirs ?? []);
    expect(await logits("slow")).not.toEqual(await logits("model"));
  });

  test("mistakes", async () => {
    const fill = (name: string): string[] => ["fill-mask", "M<mask>", "--checkpoint", name, "--backend", "reference"];
    await mistake(fill("nowhere"), "expected a checkpoint folder, found nothing there");
    await mistake(fill(fasta), "expected a checkpoint folder, got a file");
    await mkdir(join(dir, "hollow"));
    await mistake(fill("hollow"), "got one without config.json");
    await writeFile(join(dir, "hollow/config.json"), JSON.stringify(esm2ConfigJson(config)));
    await mistake(fill("hollow"), "expected model.safetensors, got none");
    await writeFile(join(dir, "hollow/pytorch_model.bin"), "");
    await mistake(fill("hollow"), "AutoModelForMaskedLM.from_pretrained(DIR).save_pretrained(DIR)");
    await writeFile(join(dir, "hollow/config.json"), '{"model_type":"t5"}');
    await mistake(fill("hollow"), 'got "t5". Other families cannot be opened yet');
    await mistake(
      fill(await checkpoint("fewer", weights, { ...esm2ConfigJson(config), num_hidden_layers: 1 })),
      "Check that config.json belongs to these tensors",
    );
    await mistake(
      fill(await checkpoint("more", weights, { ...esm2ConfigJson(config), num_hidden_layers: 3 })),
      "got no such tensor",
    );
    const { "esm.contact_head.regression.weight": _, ...headless } = weights;
    await mistake(
      fill(await checkpoint("extra", headless, { ...esm2ConfigJson(config), num_hidden_layers: 1 })),
      "the model of config.json has no such parameter",
    );
    const table = weights["esm.embeddings.word_embeddings.weight"] as HostTensors[string];
    await mistake(
      fill(
        await checkpoint("untied", {
          ...weights,
          "lm_head.decoder.weight": { ...table, data: Float32Array.from(table.data, (x) => x + 1) },
        }),
      ),
      "expected a copy of",
    );
  });
});
