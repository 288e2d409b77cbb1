/**
 * One writer to a folder: a second command is refused at once and names the first; and a command that ends by a mistake
 * leaves what was there before, so that the mended command works with the same --out.
 */
import { execFile } from "node:child_process";
import { cpSync, existsSync, mkdirSync, readdirSync, rmSync, utimesSync, writeFileSync } from "node:fs";
import { hostname } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { lock, ownerTag } from "@cloze/lock";
import { beforeAll, describe, expect, it } from "vitest";
import { cli } from "./run-cli.ts";

const START = fileURLToPath(new URL("start.mjs", import.meta.url));
const TSX = import.meta.resolve?.("tsx") ?? new URL("../../../node_modules/tsx/dist/loader.mjs", import.meta.url).href;
const RUNS = fileURLToPath(new URL("old-runs/", import.meta.url));
const { dir, run, write } = cli();

/** A tiny model on a few proteins, on the interpreter. */
const TRAIN = [
  "pretrain --model model.json --batch-tokens 64 --max-length 32 --seed 1 --steps 2",
  "--eval-every 0 --save-every 1 --backend reference",
]
  .join(" ")
  .split(" ");
const PROTEINS = [...TRAIN, "--data", "data.fasta"];
const FINETUNE = "finetune --task text-classification --from base --epochs 1 --batch 64 --backend reference".split(" ");

beforeAll(() => {
  for (const name of ["model.json", "data.fasta"]) cpSync(join(RUNS, "esm2-adamw-in-parts", name), join(dir, name));
  for (const name of ["base", "train.tsv", "valid.tsv", "tokenizer", "data.txt"])
    cpSync(join(RUNS, "finetune-frozen", name), join(dir, name), { recursive: true });
  cpSync(join(dir, "base/checkpoints/step-1"), join(dir, "checkpoint"), { recursive: true });
});

interface Ended {
  readonly code: number;
  readonly err: string;
}

const started = (argv: readonly string[]): Promise<Ended> =>
  new Promise((done) => {
    execFile(
      process.execPath,
      ["--import", TSX, "--conditions=@cloze/source", START, ...argv],
      { cwd: dir },
      (error, _, err) => done({ code: error === null ? 0 : Number(error.code), err }),
    );
  });

const REFUSED =
  /expected to be the only one that writes .*, got process \d+ on .*, since 2.*: cloze .*\. Wait until it ends/;

describe("processes that begin at once", () => {
  const onlyOne = async (argv: readonly string[], count: number): Promise<void> => {
    const all = await Promise.all(Array.from({ length: count }, () => started(argv)));
    const codes = all.map(({ code }) => code).sort();
    expect(codes, all.map(({ err }) => err).join("\n")).toEqual([0, ...Array<number>(count - 1).fill(2)]);
    for (const { code, err } of all) if (code === 2) expect(err).toMatch(/REFUSED|got process|got one/);
  };

  it("with one --out, and with one --resume, are one run", { timeout: 180_000 }, async () => {
    const long = PROTEINS.map((word) => (word === "2" ? "40" : word));
    await onlyOne([...long, "--out", "runs/raced"], 4);
    await onlyOne(["pretrain", "--resume", "runs/raced", "--steps", "80"], 3);
    const { code, err } = await run("pretrain", "--resume", "runs/raced", "--steps", "81");
    expect(code, err).toBe(0);
  });

  it("without a name are runs of their own", { timeout: 180_000 }, async () => {
    const all = await Promise.all([started(PROTEINS), started(PROTEINS), started(PROTEINS)]);
    expect(all.map(({ code }) => code)).toEqual([0, 0, 0]);
    expect(
      readdirSync(join(dir, "runs"))
        .filter((name) => name.startsWith("model-"))
        .sort(),
    ).toEqual(["model-1", "model-2", "model-3"]);
  });
});

describe("what another process writes is refused:", () => {
  const SHARDS = ["data", "prepare", "data.fasta", "--valid", "0.2", "--out", "held/shards"];
  const cases: Readonly<Record<string, { readonly file: string; readonly argv: readonly string[] }>> = {
    "pretrain --out": { file: "held/a/.lock", argv: [...PROTEINS, "--out", "held/a"] },
    "finetune --out": { file: "held/b/.lock", argv: [...FINETUNE, "--data", "train.tsv", "--out", "held/b"] },
    "quickstart --out": { file: "held/c/.lock", argv: ["quickstart", "--steps", "1", "--out", "held/c"] },
    "data prepare": { file: "held/shards/tokens.lock", argv: SHARDS },
    "data prepare --world": {
      file: "held/shards/parts.parts/part-000000.lock",
      argv: [...SHARDS, "--name", "parts", "--world", "1"],
    },
    "tokenizer train": {
      file: "held/tokens/.lock",
      argv: ["tokenizer", "train", "--data", "data.txt", "--size", "60", "--out", "held/tokens"],
    },
    embed: {
      file: "held/.vectors.npy.lock",
      argv: ["embed", "data.txt", "--checkpoint", "base", "--out", "held/vectors.npy", "--backend", "reference"],
    },
    "checkpoint convert": {
      file: "held/.converted.lock",
      argv: ["checkpoint", "convert", "checkpoint", "held/converted"],
    },
    "checkpoint average": {
      file: "held/.mean.lock",
      argv: ["checkpoint", "average", "checkpoint", "checkpoint", "--out", "held/mean"],
    },
  };
  for (const [name, { file, argv }] of Object.entries(cases))
    it(name, async () => {
      const path = join(dir, file);
      mkdirSync(dirname(path), { recursive: true });
      const held = lock(path, "test", "it", { command: "cloze something else" });
      expect(await run(...argv)).toMatchObject({ code: 2, err: expect.stringMatching(REFUSED) });
      held.release();
      // A dead owner's lock, with the pid of a process that lives now, is no obstacle.
      if (process.platform === "linux")
        writeFileSync(path, JSON.stringify({ owner: ownerTag().replace(/^(.{8}-\d+)-\d+/, "$1-1"), host: hostname() }));
      const ended = await run(...argv);
      expect(ended.code, ended.err).toBe(0);
      expect(existsSync(path)).toBe(false);
    });

  it("a run whose owner is on another host, until it gives no sign for long", async () => {
    expect((await run(...PROTEINS, "--out", "held/far")).code).toBe(0);
    const path = join(dir, "held/far/.lock");
    writeFileSync(
      path,
      JSON.stringify({
        owner: ownerTag().replace(/^.{8}/, "00000000"),
        pid: 9,
        host: "far",
        since: "then",
        command: "cloze",
      }),
    );
    const resume = ["pretrain", "--resume", "held/far", "--steps", "3"];
    expect((await run(...resume)).err).toMatch(
      /got process 9 on far, since then: cloze\. .* If that process has ended, remove .*\.lock/,
    );
    utimesSync(path, 1e9, 1e9);
    expect((await run(...resume)).code).toBe(0);
  });
});

/** All paths below the folder. */
const paths = (): readonly string[] => readdirSync(dir, { recursive: true, encoding: "utf8" }).sort();

describe("a mistake leaves nothing behind:", () => {
  const nan = `{"architectures":["EsmForMaskedLM"],"model_type":"esm","hidden_size":8`;
  const bad: Readonly<Record<string, readonly string[]>> = {
    "pretrain: no data": [...TRAIN, "--data", "absent.fasta"],
    "pretrain: empty data": [...TRAIN, "--data", "empty.fasta"],
    "pretrain: data of another kind": [...TRAIN, "--data", "broken.jsonl"],
    "pretrain: too few to hold out": [...TRAIN, "--data", "one.fasta", "--valid", "0.05"],
    "pretrain: no such model": [...PROTEINS, "--model", "esm9-8m"],
    "pretrain: a model that is no JSON": [...PROTEINS, "--model", "broken.json"],
    "pretrain: no such objective": [...PROTEINS, "--objective", "nothing"],
    "pretrain: options the objective has not": [...PROTEINS, "--objective-options", '{"rat":1}'],
    "pretrain: a row above a step": [...PROTEINS, "--max-length", "128"],
    "pretrain: no such checkpoint": [...PROTEINS, "--from", "absent"],
    "pretrain: a tokenizer that is none": [...PROTEINS, "--tokenizer", "base"],
    "pretrain: two lengths": [...PROTEINS, "--tokens", "100"],
    "pretrain: a price list that is absent": [...PROTEINS, "--prices", "absent.json"],
    "pretrain: not a number at the first step": [
      ...PROTEINS,
      "--lr",
      "1e38",
      "--clip",
      "0",
      "--warmup",
      "0",
      "--steps",
      "9",
    ],
    "finetune: no task": ["finetune", "--from", "base", "--data", "train.tsv"],
    "finetune: no data": [...FINETUNE, "--data", "absent.tsv"],
    "finetune: empty data": [...FINETUNE, "--data", "empty.tsv"],
    "finetune: bad columns": [...FINETUNE, "--data", "train.tsv", "--columns", "a,b,c,d"],
    "finetune: a label that is unknown": [...FINETUNE, "--data", "train.tsv", "--valid", "odd.tsv"],
    "finetune: labels that the data has not": [...FINETUNE, "--data", "train.tsv", "--labels", "x", "y"],
    "finetune: weights of no class": [...FINETUNE, "--data", "train.tsv", "--class-weights", "zzz=2"],
    "finetune: no such figure": [...FINETUNE, "--data", "train.tsv", "--valid", "valid.tsv", "--metric", "bleu"],
    "finetune: patience without validation": [...FINETUNE, "--data", "train.tsv", "--patience", "2"],
    "finetune: parts that do not divide": [...FINETUNE, "--data", "train.tsv", "--batch", "8", "--accumulate", "3"],
    "finetune: more layers than there are": [...FINETUNE, "--data", "train.tsv", "--freeze", "99"],
    "finetune: model options that do not fit": [
      ...FINETUNE,
      "--data",
      "train.tsv",
      "--model-options",
      '{"hidden_size":64}',
    ],
    "finetune: no such checkpoint": [...FINETUNE, "--from", "absent", "--data", "train.tsv"],
    "finetune: another task's option": [...FINETUNE, "--data", "train.tsv", "--no-answer"],
    "data prepare: no data": ["data", "prepare", "absent.fasta"],
    "data prepare: empty data": ["data", "prepare", "empty.fasta"],
    "data prepare: a rank too many": ["data", "prepare", "data.fasta", "--rank", "2", "--world", "2"],
    "data prepare: broken rows": ["data", "prepare", "broken.jsonl", "--tokenizer", "base/checkpoints/step-1"],
    "data prepare: broken rows in parts": [
      "data",
      "prepare",
      "broken.jsonl",
      "--tokenizer",
      "base/checkpoints/step-1",
      "--world",
      "1",
    ],
    "data prepare: no clusters": ["data", "prepare", "data.fasta", "--clusters", "absent.tsv"],
    "data prepare: clusters of another table": [
      "data",
      "prepare",
      "data.fasta",
      "--clusters",
      "train.tsv",
      "--cluster-fields",
      "8,9",
    ],
    "data prepare: a record too long": ["data", "prepare", "data.fasta", "--max-record", "3"],
    "tokenizer train: no data": ["tokenizer", "train", "--data", "absent.txt"],
    "tokenizer train: empty data": ["tokenizer", "train", "--data", "empty.txt"],
    "checkpoint average: one that is absent": ["checkpoint", "average", "checkpoint", "absent"],
  };
  const named: Readonly<Record<string, readonly string[]>> = {
    "embed: no data": ["embed", "absent.txt", "--checkpoint", "base", "--out", "OUT/v.npy"],
    "embed: no checkpoint": ["embed", "data.txt", "--checkpoint", "absent", "--out", "OUT/v.npy"],
    "embed: an ending that is none": ["embed", "data.txt", "--checkpoint", "base", "--out", "OUT/v.xyz"],
    "predict: no task": ["predict", "--checkpoint", "base", "--data", "train.tsv", "--out", "OUT/p.csv"],
    "checkpoint convert: no checkpoint": ["checkpoint", "convert", "absent", "OUT/c"],
    "checkpoint resize: no tokens": ["checkpoint", "resize", "checkpoint", "OUT/c"],
    "checkpoint grow: nothing to grow": ["checkpoint", "grow", "checkpoint", "OUT/c"],
    "objective new: a bad name": ["objective", "new", "A B", "--out", "OUT/o"],
  };
  const mended: Readonly<Record<string, readonly string[]>> = {
    pretrain: PROTEINS,
    finetune: [...FINETUNE, "--data", "train.tsv", "--valid", "valid.tsv"],
    "data prepare": ["data", "prepare", "data.fasta", "--valid", "0.2"],
    "tokenizer train": ["tokenizer", "train", "--data", "data.txt", "--size", "60"],
    "checkpoint average": ["checkpoint", "average", "checkpoint", "checkpoint"],
  };

  beforeAll(() => {
    for (const name of ["empty.fasta", "empty.tsv", "empty.txt"]) write(name, "");
    write("one.fasta", ">a\nMKTAYIAKQRQISFVKSHFSRQ\n");
    write("broken.jsonl", '{"text":"a b"}\n{"text":\n');
    write("broken.json", nan);
    write("odd.tsv", "text\tlabel\nthe film\tneither\n");
  });

  for (const [name, argv] of [
    ...Object.entries(bad).map(([name, argv]) => [name, [...argv, "--out", "deep/er/out"]] as const),
    ...Object.entries(named).map(([name, argv]) => [name, argv.map((word) => word.replace("OUT", "deep/er"))] as const),
  ])
    it(name, async () => {
      const before = paths();
      const { code, err } = await run(...argv);
      expect(code, err).toBe(2);
      expect(paths()).toEqual(before);
      const kind = name.slice(0, name.indexOf(":"));
      const again = mended[kind];
      if (again === undefined) return;
      const { code: now, err: said } = await run(...again, "--out", "deep/er/out");
      expect(now, said).toBe(0);
      rmSync(join(dir, "deep"), { recursive: true });
    });

  it("files of the user that were in the folder stay, and so does a run that has done steps", async () => {
    mkdirSync(join(dir, "mine"));
    write("mine/notes.txt", "mine");
    expect((await run(...FINETUNE, "--data", "absent.tsv", "--out", "mine")).code).toBe(2);
    expect(readdirSync(join(dir, "mine"))).toEqual(["notes.txt"]);
    expect((await run(...PROTEINS, "--out", "mine")).code).toBe(0);
    expect((await run(...PROTEINS, "--out", "mine")).err).toMatch(
      /expected a folder without a run, got one\. Continue it/,
    );
    expect(readdirSync(join(dir, "mine"))).toContain("checkpoints");
  });
});
