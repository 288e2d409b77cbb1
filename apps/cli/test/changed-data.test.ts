/**
 * A resumed run reads what it read when it began. Every kind of change is found and named; a file that only moved, or
 * was copied, is the same file.
 */
import { execFileSync } from "node:child_process";
import { createHash } from "node:crypto";
import {
  appendFileSync,
  cpSync,
  mkdtempSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  utimesSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { readMetrics } from "@cloze/trainer";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { main, type Io } from "../src/index.ts";

const RUNS = fileURLToPath(new URL("old-runs/", import.meta.url));
const temporary = mkdtempSync(join(tmpdir(), "cloze-changed-"));
afterAll(() => rmSync(temporary, { recursive: true, force: true }));

interface Ended {
  readonly code: number;
  readonly err: string;
}

const run = (cwd: string, ...argv: readonly string[]): Promise<Ended> => piped(cwd, new Uint8Array(), ...argv);

async function piped(cwd: string, input: Uint8Array, ...argv: readonly string[]): Promise<Ended> {
  let err = "";
  const io: Io = {
    stdout: { write: () => undefined },
    stderr: { write: (text) => void (err += text) },
    stdin: (async function* () {
      if (input.length > 0) yield input;
    })(),
    cwd,
    env: { HF_HUB_OFFLINE: "1", HF_HOME: "/nonexistent" },
    outputClosed: () => false,
  };
  return { code: await main(argv, io), err };
}

/** The folders that the runs begin in, by name; each case works on a copy. */
const BEGUN = {
  fasta: "--model esm.json --data a.fasta b.fasta",
  text: "--model bert.json --tokenizer tokenizer --data data.txt",
  jsonl: "--model bert.json --tokenizer tokenizer --data rows.jsonl",
  csv: "--model bert.json --tokenizer tokenizer --data rows.csv",
  mixed: "--model esm.json --data 0.7:a.fasta 0.3:b.fasta",
  shards: "--model esm.json --data shards/tokens.json",
  from: "--from base --data data.txt",
} as const;
type Begun = keyof typeof BEGUN;
const COMMON =
  "--objective mlm --valid 0.2 --batch-tokens 64 --max-length 32 --steps 1 --eval-every 0 --save-every 1 --backend reference --out run";

beforeAll(async () => {
  const files = join(temporary, "files");
  const protein = join(RUNS, "esm2-adamw-in-parts");
  const text = join(RUNS, "finetune-frozen");
  for (const name of ["base", "tokenizer", "data.txt", "train.tsv", "valid.tsv"])
    cpSync(join(text, name), join(files, name), { recursive: true });
  cpSync(join(protein, "model.json"), join(files, "esm.json"));
  cpSync(join(text, "model.json"), join(files, "bert.json"));
  cpSync(join(protein, "data.fasta"), join(files, "a.fasta"));
  const records = readFileSync(join(protein, "data.fasta"), "utf8").split(/^(?=>)/m);
  writeFileSync(join(files, "b.fasta"), records.toReversed().slice(0, 30).join(""));
  const lines = readFileSync(join(files, "data.txt"), "utf8")
    .split("\n")
    .filter((line) => line !== "");
  writeFileSync(join(files, "rows.jsonl"), lines.map((each) => `${JSON.stringify({ text: each })}\n`).join(""));
  writeFileSync(join(files, "rows.csv"), `text\n${lines.map((each) => `"${each.replaceAll('"', '""')}"\n`).join("")}`);
  expect((await run(files, "data", "prepare", "a.fasta", "--valid", "0.2", "--out", "shards")).code).toBe(0);
  for (const [name, options] of Object.entries(BEGUN)) {
    const cwd = join(temporary, name);
    cpSync(files, cwd, { recursive: true });
    const { code, err } = await run(cwd, "pretrain", ...options.split(" "), ...COMMON.split(" "));
    expect(code, err).toBe(0);
  }
  const cwd = join(temporary, "finetune");
  cpSync(files, cwd, { recursive: true });
  const { code, err } = await run(
    cwd,
    ..."finetune --task text-classification --from base --data train.tsv --valid valid.tsv --epochs 2 --batch 64 --backend reference --out run".split(
      " ",
    ),
  );
  expect(code, err).toBe(0);
}, 180_000);

let copies = 0;
function copyOf(name: Begun | "finetune"): string {
  const cwd = join(temporary, `${name}-${copies++}`);
  cpSync(join(temporary, name), cwd, { recursive: true });
  return cwd;
}

const resume = (cwd: string, ...more: readonly string[]): Promise<{ readonly code: number; readonly err: string }> =>
  run(cwd, "pretrain", "--resume", "run", ...(more.includes("--steps") ? [] : ["--steps", "2"]), ...more);

/** Another byte in place of one; size and time stay. */
function edit(path: string, from: string | RegExp = /[A-Z](?=[A-Z]*\s*$)/, to = "W"): void {
  const { atime, mtime } = statSync(path);
  const text = readFileSync(path, "utf8");
  const edited = text.replace(from, to);
  expect(edited).not.toBe(text);
  writeFileSync(path, edited);
  utimesSync(path, atime, mtime);
}

const short = (bytes: Uint8Array): string => createHash("sha256").update(bytes).digest("hex").slice(0, 12);

describe("is refused, and accepted on demand:", () => {
  const cases: Readonly<Record<string, readonly [Begun, (cwd: string) => unknown, RegExp]>> = {
    "a FASTA file edited in place, its time set back": [
      "fasta",
      (cwd) => edit(join(cwd, "a.fasta")),
      /training data .*a\.fasta: was [\d,]+ bytes, SHA-256 [0-9a-f]{12}, is [\d,]+ bytes, SHA-256/,
    ],
    "a file appended to": [
      "fasta",
      (cwd) => appendFileSync(join(cwd, "b.fasta"), ">x\nMKT\n"),
      /training data .*b\.fasta: was/,
    ],
    "a file cut short": [
      "text",
      (cwd) => writeFileSync(join(cwd, "data.txt"), readFileSync(join(cwd, "data.txt")).subarray(0, 4000)),
      /training data .*data\.txt: was 5,831 bytes, .*, is 4,000 bytes/,
    ],
    "rows of JSON Lines": [
      "jsonl",
      (cwd) => edit(join(cwd, "rows.jsonl"), "the", "teh"),
      /training data .*rows\.jsonl: was/,
    ],
    "rows of CSV": ["csv", (cwd) => edit(join(cwd, "rows.csv"), "the", "teh"), /training data .*rows\.csv: was/],
    "the order of files": [
      "fasta",
      (cwd) => {
        renameSync(join(cwd, "a.fasta"), join(cwd, "c.fasta"));
        renameSync(join(cwd, "b.fasta"), join(cwd, "a.fasta"));
        renameSync(join(cwd, "c.fasta"), join(cwd, "b.fasta"));
      },
      /training data: the order was/,
    ],
    "shards prepared anew": [
      "shards",
      async (cwd) => {
        edit(join(cwd, "a.fasta"));
        await run(cwd, "data", "prepare", "a.fasta", "--valid", "0.2", "--out", "shards", "--overwrite");
      },
      /training data .*tokens\.json: was SHA-256/,
    ],
    "the vocabulary of the tokenizer": [
      "text",
      (cwd) => edit(join(cwd, "tokenizer/vocab.txt"), "the", "eht"),
      /tokenizer .*vocab\.txt: was/,
    ],
    "the model's configuration": [
      "fasta",
      (cwd) => edit(join(cwd, "esm.json"), /0\.0|1e-05|false/, "true"),
      /model .*esm\.json: was/,
    ],
    "the starting checkpoint": [
      "from",
      (cwd) => appendFileSync(join(cwd, "base/checkpoints/step-1/config.json"), " "),
      /starting checkpoint .*config\.json: was/,
    ],
    "the run's options": [
      "fasta",
      (cwd) => edit(join(cwd, "run/config.yaml"), /^clip: 1$/m, "clip: 2"),
      /options .*config\.yaml: was/,
    ],
  };
  for (const [name, [begun, change, message]] of Object.entries(cases))
    it(name, async () => {
      const cwd = copyOf(begun);
      await change(cwd);
      const { code, err } = await resume(cwd);
      expect(code).toBe(2);
      expect(err).toMatch(/--resume .*: expected what the run began with, got changes: /);
      expect(err).toMatch(message);
      expect(err).toMatch(/go on with the change: --accept-changed-data/);
      expect(readMetrics(join(cwd, "run/metrics.jsonl")).rows.at(-1)?.step).toBe(1);
      if (!["the order of files", "a file cut short", "a FASTA file edited in place, its time set back"].includes(name))
        return;
      const accepted = await resume(cwd, "--accept-changed-data");
      expect(accepted.code, accepted.err).toBe(0);
      expect(accepted.err).toMatch(/accepted: training data/);
      const { accepted: log } = JSON.parse(readFileSync(join(cwd, "run/inputs.json"), "utf8")) as {
        accepted: object[];
      };
      expect(log).toEqual([{ at: expect.any(String), step: 1, changes: [expect.stringMatching(/^training data/)] }]);
      expect(readMetrics(join(cwd, "run/metrics.jsonl")).rows.find(({ step }) => step === 2)).toMatchObject({
        acceptedChanges: expect.stringMatching(/^training data/),
      });
      // The change is now what the run reads.
      expect((await resume(cwd, "--steps", "3")).code).toBe(0);
    });

  it("one of the files is gone: its new path is asked for", async () => {
    const cwd = copyOf("fasta");
    rmSync(join(cwd, "b.fasta"));
    expect((await resume(cwd)).err).toMatch(/b\.fasta: expected a .*got nothing there\. Did you mean /);
  });

  it("a shard replaced, by the file that is not the index's", async () => {
    const cwd = copyOf("shards");
    const path = join(cwd, "shards/tokens_train_000000.bin");
    const bytes = readFileSync(path);
    bytes[bytes.length - 3] = (bytes[bytes.length - 3] as number) ^ 1;
    writeFileSync(path, bytes);
    expect(await resume(cwd)).toMatchObject({ code: 2, err: expect.stringMatching(/tokens_train_000000\.bin/) });
  });

  it("the files of a fine-tuning", async () => {
    for (const [file, message] of [
      ["train.tsv", /training data .*train\.tsv: was/],
      ["valid.tsv", /validation data .*valid\.tsv: was/],
      ["base/checkpoints/step-1/vocab.txt", /vocab\.txt: expected/],
    ] as const) {
      const cwd = copyOf("finetune");
      edit(join(cwd, file), /[a-z](?=\s*$)|[01]\s*$/, "1");
      const { code, err } = await run(cwd, "finetune", "--resume", "run");
      expect(code).toBe(2);
      expect(err).toMatch(message);
    }
    const cwd = copyOf("finetune");
    appendFileSync(join(cwd, "train.tsv"), "the a cat\teven\n");
    const { code, err } = await run(cwd, "finetune", "--resume", "run", "--accept-changed-data");
    expect(code, err).toBe(0);
  });

  it("--accept-changed-data without a run to resume is a mistake", async () => {
    const cwd = copyOf("fasta");
    const { code, err } = await run(
      cwd,
      "pretrain",
      "--model",
      "esm.json",
      "--data",
      "a.fasta",
      "--accept-changed-data",
    );
    expect(code).toBe(2);
    expect(err).toMatch(/--accept-changed-data: expected it with --resume, got a new run/);
  });
});

describe("is the same data:", () => {
  it("untouched, or copied, so that its time is another", async () => {
    const cwd = copyOf("fasta");
    const { code, err } = await resume(cwd);
    expect(code, err).toBe(0);
    expect(err).not.toMatch(/accepted|no record/);
  });

  it("moved: its new path is given once, and kept", async () => {
    const cwd = copyOf("mixed");
    renameSync(join(cwd, "a.fasta"), join(cwd, "moved.fasta"));
    const { code, err } = await resume(cwd, "--data", "0.7:moved.fasta", "0.3:b.fasta");
    expect(code, err).toBe(0);
    expect((await resume(cwd, "--steps", "3")).code).toBe(0);
    const other = await resume(cwd, "--steps", "4", "--data", "0.6:moved.fasta", "0.4:b.fasta");
    expect(other).toMatchObject({ code: 2, err: expect.stringMatching(/weight 0\.7, is .*weight 0\.6/) });
  });

  it("a model's configuration that is gone, once the run has its own", async () => {
    const cwd = copyOf("fasta");
    rmSync(join(cwd, "esm.json"));
    const { code, err } = await resume(cwd);
    expect(code, err).toBe(0);
  });

  it("of a run without a record: a line says so, and the record begins", async () => {
    const cwd = copyOf("fasta");
    rmSync(join(cwd, "run/inputs.json"));
    expect((await resume(cwd)).err).toMatch(/has no record of the data it began with/);
    edit(join(cwd, "a.fasta"));
    expect((await resume(cwd, "--steps", "3")).code).toBe(2);
  });
});

it("data from a pipe is compared when it is read", async () => {
  const cwd = copyOf("fasta");
  const input = readFileSync(join(cwd, "a.fasta"));
  const begin = `pretrain --model esm.json --data - --format fasta ${COMMON.replace("--out run", "--out piped")}`;
  const began = await piped(cwd, input, ...begin.split(" "));
  expect(began.code, began.err).toBe(0);
  const on = ["pretrain", "--resume", "piped", "--steps", "2"];
  const other = await piped(cwd, input.subarray(0, 2500), ...on);
  expect(other).toMatchObject({ code: 2, err: expect.stringMatching(/training data .*: was a stream of examples/) });
  const same = await piped(cwd, input, ...on);
  expect(same.code, same.err).toBe(0);
});

it("the record holds sizes and hashes of all bytes", () => {
  const { inputs } = JSON.parse(readFileSync(join(temporary, "fasta/run/inputs.json"), "utf8")) as {
    inputs: { role: string; name: string; id: string; bytes?: number }[];
  };
  const bytes = readFileSync(join(temporary, "fasta/a.fasta"));
  expect(inputs[0]).toMatchObject({
    role: "training data",
    bytes: bytes.length,
    // sha256sum of coreutils
    id: execFileSync("sha256sum", [join(temporary, "fasta/a.fasta")], { encoding: "utf8" }).split(" ")[0],
  });
  expect(inputs[0]?.id.slice(0, 12)).toBe(short(bytes));
  expect(inputs.map(({ role }) => role)).toEqual(["training data", "training data", "tokenizer", "model", "options"]);
});
