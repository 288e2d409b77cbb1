/**
 * Every recipe in the package: the facts that its header must have, its options, its model, its length. Some tiny
 * recipes are trained.
 */
import { readFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { expect, describe, it, test } from "vitest";
import { optimizerOf } from "../src/optimizers.ts";
import { recipeFigures } from "../src/recipe-figures.ts";
import { pretrainOptions, readRecipe, recipeNames } from "../src/recipes.ts";
import { cli } from "./run-cli.ts";

const { dir, run, write } = cli();
const path = (given: string): string => resolve(dir, given);
const names = await recipeNames();

/** Parameters: published counts, or counts of the published configurations. */
const PUBLISHED: Readonly<Record<string, number>> = {
  "esm2-8m": 7_512_474,
  "esm2-35m": 33_501_394,
  "esm2-150m": 148_140_154,
  "esm2-650m": 651_042_593 + 20 * 33 + 1,
  "speedrun-133m": 132_475_500,
  "speedrun-2025": 133_065_357,
  "modernbert-base": 149_655_232,
  "modernbert-base-context": 149_655_232,
  "modernbert-base-decay": 149_655_232,
  "modernbert-large": 395_881_664,
  "ettin-17m": 16_913_600,
  "ettin-150m": 149_655_232,
  "bert-base": 110_106_428,
  "amplify-120m": 118_276_507,
  neobert: 221_665_536 + 30_522 * 768 + 30_522,
  protbert: 419_933_214,
};

/** Tokens of the published runs. The test allows a difference of one in a hundred. */
const TOKENS: Readonly<Record<string, number>> = {
  "esm2-8m": 1.05e12,
  "speedrun-133m": 20_000 * 524_288,
  "speedrun-2025": 25_000 * 262_144,
  "speedrun-patch": 50_000 * 1_048_576,
  "modernbert-base": 1.719e12,
  "bert-base": 900_000 * 256 * 128 + 100_000 * 256 * 512,
  "amplify-120m": 1e6 * 4096 * 512,
  neobert: 2.1e12,
  protbert: 300_000 * 15_000 * 512 + 100_000 * 2_500 * 2_048,
};

describe.each(names)("%s", (name) => {
  it("says what it is, its options resolve, and its model has the parameters that its header says", async () => {
    const recipe = await readRecipe(name, path);
    const { parameters, tokens, steps } = await recipeFigures(recipe, { path, cwd: dir });
    const text = recipe.header.join("\n");
    const options = pretrainOptions(recipe.options);
    expect(recipe.summary.length, recipe.summary).toBeLessThanOrEqual(39);
    for (const line of recipe.header) expect(line.length, line).toBeLessThanOrEqual(78);
    expect(Number(/Parameters: ([\d,]+)/.exec(text)?.[1]?.replaceAll(",", ""))).toBe(parameters);
    if (name in PUBLISHED) expect(parameters).toBe(PUBLISHED[name]);
    if (name in TOKENS) expect(Math.abs((tokens as number) / (TOKENS[name] as number) - 1)).toBeLessThan(0.01);
    if (!name.endsWith("-tiny"))
      for (const part of ["Source: ", "Data: ", "Differs: ", "Never run"]) expect(text).toContain(part);
    else if (name === "family-tiny") expect([options.data, parameters < 2e6]).toEqual([[], true]);
    else if (name !== "bert-base-tiny")
      expect([options.data, (steps as number) <= 300, parameters < 2e6]).toEqual([["cloze://sample"], true, true]);
    expect(optimizerOf(options).name).toContain(options.optimizer);
  });
});

test("the list and every page fit 80 columns, and their JSON is whole", async () => {
  const list = await run("recipe", "list");
  expect(list.code, list.err).toBe(0);
  expect(
    list.out
      .trimEnd()
      .split("\n")
      .map((line) => line.split(" ")[0]),
  ).toEqual(["recipe", ...names]);
  for (const line of list.out.split("\n")) expect(line.length, line).toBeLessThanOrEqual(80);
  for (const name of names) {
    const { code, out, err } = await run("recipe", "show", name, "--plot");
    expect(code, err).toBe(0);
    for (const line of out.split("\n")) expect(line.length, line).toBeLessThanOrEqual(80);
  }
  const json = (await run("recipe", "show", "speedrun-2025", "--json")).json() as {
    readonly options: object;
    readonly quantities: readonly { readonly name: string; readonly values: readonly number[] }[];
  };
  expect(json.options).toMatchObject({
    "batch-tokens": 262_144,
    "model-options": { head_dense: true },
    "objective-options": { rate: "0:0.1,2500:0.2" },
  });
  const values = Object.fromEntries(json.quantities.map(({ name, values: all }) => [name, all]));
  expect(Object.keys(values)).toEqual(["lr", "adam-lr", "embedding-lr", "head-lr", "muon-momentum", "window", "rate"]);
  expect([values["rate"]?.[0], values["rate"]?.[5], values["rate"]?.[10], values["rate"]?.[60]]).toEqual([
    0.1,
    expect.closeTo(0.15, 9),
    expect.closeTo(0.2, 9),
    0.2,
  ]);
  expect([values["window"]?.[0], values["window"]?.[100], values["lr"]?.[4], values["lr"]?.[100]]).toEqual([
    1023,
    2047,
    expect.closeTo(0.05, 9),
    0,
  ]);
});

describe("charts", () => {
  it("draw what changes, where it changes", async () => {
    write(
      "mine.yaml",
      "# mine\nmodel: esm2-8m\nsteps: 1000\nschedule: constant\nwarmup: 0\nbatch-tokens: { 0: 1024, 0.5: 2048 " +
        "}\nobjective: 0:mlm,0.75:masked-diffusion\n",
    );
    const { out } = await run("recipe", "show", "mine.yaml", "--plot");
    const lines = out.split("\n");
    const at = lines.indexOf("batch-tokens");
    const bars = lines.slice(at + 1, at + 5).map((line) => line.slice(12).padEnd(68));
    expect(lines.slice(at + 1, at + 5).map((line) => line.slice(0, 12))).toEqual([
      "     2,048 |",
      "           |",
      "           |",
      "     1,024 |",
    ]);
    expect(bars).toEqual([
      " ".repeat(34) + "█".repeat(34),
      " ".repeat(34) + "█".repeat(34),
      " ".repeat(34) + "█".repeat(34),
      "▁".repeat(34) + "█".repeat(34),
    ]);
    expect(lines[lines.indexOf("objective") + 1]).toMatch(/^ {11}\|mlm─+┤masked-diffusi?o?n?/);
  });

  it("say so where nothing changes, or where nobody knows when", async () => {
    write("plain.yaml", "# plain\nschedule: constant\nwarmup: 0\n");
    expect((await run("recipe", "show", "plain.yaml", "--plot")).out).toContain("Nothing changes over the run.");
    expect(
      (
        await run(
          "recipe",
          "show",
          write("epochs.yaml", "# epochs\nwindow: { 0: 4, 300: 8 }\nmodel: speedrun-133m\n"),
          "--plot",
        )
      ).out,
    ).toMatch(/window\n +changes at steps, and how many there will be/);
  });
});

describe("training by a recipe", () => {
  it.each(["esm2-8m-tiny", "speedrun-2025-tiny", "modernbert-base-tiny", "protbert-tiny"])(
    "%s: two steps, flags beat it",
    async (name) => {
      const { code, err, json } = await run(
        "pretrain",
        "--recipe",
        name,
        "--steps",
        "2",
        "--batch-tokens",
        "1024",
        "--max-length",
        "128",
        "--valid",
        "0.005",
        "--backend",
        "onnxruntime",
        "--threads",
        "1",
        "--out",
        name,
        "--json",
      );
      expect(code, err).toBe(0);
      expect(json()["steps"]).toBe(2);
      expect(json()["parameters"]).toBe(
        (await recipeFigures(await readRecipe(name, path), { path, cwd: dir })).parameters,
      );
      expect(readFileSync(join(dir, name, "config.yaml"), "utf8")).toMatch(/^model-options: '\{"hidden_size":128,/m);
    },
    60_000,
  );

  it("takes a file, which --config and flags beat", async () => {
    write(
      "recipe.yaml",
      "# small\nmodel: esm2-8m\nmodel-options: { hidden_size: 16, num_hidden_layers: 1, num_attention_heads: 2, " +
        "intermediate_size: 16 }\ndata: cloze://sample\nsteps: 5\nvalid: 0\nlr: 0.5\nbatch-tokens: 64\nmax-length: " +
        "64\n",
    );
    write("over.yaml", "steps: 3\nlr: 0.25\n");
    const { code, err, json } = await run(
      "pretrain",
      "--recipe",
      "./recipe.yaml",
      "--config",
      "over.yaml",
      "--lr",
      "0.001",
      "--backend",
      "reference",
      "--out",
      "beaten",
      "--json",
    );
    expect(code, err).toBe(0);
    expect(json()["steps"]).toBe(3);
    expect(readFileSync(join(dir, "beaten", "config.yaml"), "utf8")).toMatch(/^lr: 0.001$/m);
  }, 60_000);

  it.each([
    [
      ["--recipe", "esm2-8m-tny"],
      /recipe esm2-8m-tny: expected one of amplify-120m, .*, got neither\. Did you mean esm2-8m-tiny\?/,
    ],
    [["--recipe", "none.yaml"], /recipe none\.yaml: expected a YAML file there, got nothing/],
    [["--recipe", "wrong.yaml"], /wrong\.yaml, line 2: unknown key "stepz"\. Did you mean steps\?/],
    [["--recipe", "bert-base-tiny"], /--data is required/],
    [["--model-options", "four"], /--model-options: expected a JSON object .*, got "four"/],
    [
      ["--data", "cloze://sample", "--model-options", '{"num_layers":4}'],
      /--model-options: expected keys of a config\.json of the family "esm", got "num_layers"\. There are: .*num_hidden_layers/,
    ],
    [
      ["--data", "cloze://sample", "--model-options", '{"pad_token_id":4}'],
      /--model-options: expected no pad_token_id, which is not to be changed/,
    ],
    [
      [
        "--optimizer",
        "adamw",
        "--head-lr",
        "0.1",
        "--data",
        "cloze://sample",
        "--model",
        "esm2-8m",
        "--model-options",
        '{"hidden_size":16,"num_hidden_layers":1,"num_attention_heads":2}',
      ],
      /--head-lr: expected --optimizer muon, .* got adamw/,
    ],
  ] as const)("%j: one clear line, exit 2", async (args, message) => {
    write("wrong.yaml", "# wrong\nstepz: 4\n");
    const { code, err } = await run("pretrain", "--out", "none", ...args);
    expect(err).toMatch(message);
    expect(code).toBe(2);
  });
});

test("the recipe for text: a tokenizer and a text of one's own, as its header says", async () => {
  const sentence = (i: number): string =>
    `the ${["cat", "dog", "bird"][i % 3]} ${["sat", "ran", "slept"][(i * 7) % 3]} on the ${["mat", "hill"][i % 2]} .`;
  write(
    "text.txt",
    Array.from({ length: 30 }, (_, d) => Array.from({ length: 12 }, (__, i) => sentence(d + i)).join("\n")).join(
      "\n\n",
    ),
  );
  expect((await run("tokenizer", "train", "--data", "text.txt", "--size", "60", "--out", "tokenizer")).code).toBe(0);
  const { code, err, json } = await run(
    "pretrain",
    "--recipe",
    "bert-base-tiny",
    "--data",
    "text.txt",
    "--tokenizer",
    "tokenizer",
    "--steps",
    "12",
    "--valid",
    "0.2",
    "--backend",
    "onnxruntime",
    "--threads",
    "1",
    "--out",
    "bert",
    "--json",
  );
  expect(code, err).toBe(0);
  expect(
    [json()["steps"], err.includes("over the run: batch-tokens 0:1024,0.9:2048; max-length 0:64,0.9:128")],
    err,
  ).toEqual([12, true]);
}, 60_000);

test("a recipe that begins as a smaller model: grown by its name, trained from there", async () => {
  const quick = [
    "--steps",
    "1",
    "--batch-tokens",
    "256",
    "--max-length",
    "64",
    "--rope-base",
    "10000",
    "--valid",
    "0",
    "--backend",
    "reference",
  ];
  const small =
    '{"hidden_size":8,"num_hidden_layers":2,"num_attention_heads":1,"intermediate_size":8,' +
    '"max_position_embeddings":64}';
  const large =
    '{"hidden_size":16,"num_hidden_layers":3,"num_attention_heads":2,"intermediate_size":16,' +
    '"max_position_embeddings":64}';
  const base = await run(
    "pretrain",
    "--recipe",
    "modernbert-base-tiny",
    "--model-options",
    small,
    ...quick,
    "--out",
    "base",
  );
  expect(base.code, base.err).toBe(0);
  const grown = await run(
    "checkpoint",
    "grow",
    "base",
    "grown",
    "--recipe",
    "modernbert-large-tiny",
    "--model-options",
    large,
    "--no-keep-sums",
  );
  expect(grown.code, grown.err).toBe(0);
  expect(JSON.parse(readFileSync(join(dir, "grown", "config.json"), "utf8"))).toMatchObject({
    hidden_size: 16,
    layer_types: ["full_attention", "sliding_attention", "sliding_attention"],
  });
  const trained = await run(
    "pretrain",
    "--recipe",
    "modernbert-large-tiny",
    "--model-options",
    large,
    ...quick,
    "--from",
    "grown",
    "--out",
    "large",
  );
  expect(trained.code, trained.err).toBe(0);
}, 60_000);
