// Every command that reads files reads pipes: a FIFO (which is what `<(zcat a.gz)` and /dev/stdin are), and standard
// input. Oracle: the same command on the file. What must be read twice is refused.
import { execFileSync, spawn } from "node:child_process";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { gzipSync } from "node:zlib";
import { headParameters, openModel } from "@cloze/models/families";
import { initialize } from "@cloze/nn";
import { esm2 } from "@cloze/tokenizer-protein";
import { saveCheckpoint } from "@cloze/trainer";
import { beforeAll, describe, expect, test } from "vitest";
import { cli } from "./run-cli.ts";

const { run, piped, write, dir } = cli();
const REFERENCE = ["--backend", "reference"] as const;

const fasta = Array.from({ length: 40 }, (_, i) => `>p${i} x\nMKT${"AYIAKQRQ".slice(i % 8)}LL\n`).join("");
const table = `text,label\n${Array.from({ length: 12 }, (_, i) => `MKT${"AY".repeat(i % 3)},${i % 2}\n`).join("")}`;
const jsonl = Array.from({ length: 6 }, (_, i) => `{"id":${i},"text":"MKT${"AY".repeat(i % 3)}"}\n`).join("");
const words = "one two three\ntwo three\n\nthree four\n".repeat(5);

let fifos = 0;
/** A FIFO, and the process that writes the file to it once. */
function fifoOf(content: string | Uint8Array): string {
  const name = `fifo-${fifos++}`;
  write(`${name}.content`, content);
  execFileSync("mkfifo", [join(dir, name)]);
  spawn("sh", ["-c", `cat ${name}.content > ${name}`], { cwd: dir, stdio: "ignore" }).unref();
  return name;
}

type Way = (argv: (name: string) => readonly string[], content: string, file: string) => ReturnType<typeof run>;
const WAYS: readonly Way[] = [
  (argv, _, file) => run(...argv(file)),
  (argv, content) => run(...argv(fifoOf(gzipSync(content)))),
  (argv, content) => piped(content, ...argv("-")),
  (argv, _, file) => run(...argv(`${file}.gz`)),
  (argv, content) => run(...argv(fifoOf(content))),
  (argv, content) => piped(gzipSync(content), ...argv("-")),
];
/** For commands that take seconds. */
const SOME = WAYS.slice(0, 3);

/** What a command says of a file, a FIFO, standard input, and of each plain or gzip. The first is the plain file. */
async function everyWay(
  file: string,
  content: string,
  argv: (name: string) => readonly string[],
  ways: readonly Way[] = WAYS,
): Promise<readonly { readonly code: number; readonly out: string; readonly err: string }[]> {
  write(file, content);
  write(`${file}.gz`, gzipSync(content));
  const ran: Awaited<ReturnType<Way>>[] = [];
  for (const way of ways) ran.push(await way(argv, content, file));
  return ran;
}

beforeAll(async () => {
  const tokenizer = esm2();
  const opened = await openModel({
    model_type: "esm",
    vocab_size: tokenizer.vocabulary.length,
    pad_token_id: 1,
    mask_token_id: 32,
    hidden_size: 8,
    num_hidden_layers: 1,
    num_attention_heads: 2,
    intermediate_size: 16,
    max_position_embeddings: 66,
    position_embedding_type: "rotary",
    token_dropout: true,
    hidden_dropout_prob: 0,
    attention_probs_dropout_prob: 0,
  });
  await saveCheckpoint(join(dir, "base"), {
    source: { name: "base", model: opened.model, configText: opened.configText(), buffers: {}, maxLength: 64 },
    weights: initialize(headParameters(opened.model, "masked-lm", 2), 1),
    tokenizerFiles: tokenizer.files(),
  });
  write("train.csv", table);
  const tuned = await run(
    "finetune",
    "--task",
    "text-classification",
    "--from",
    "base",
    "--data",
    "train.csv",
    "--out",
    "tuned",
    "--epochs",
    "1",
    ...REFERENCE,
  );
  expect(tuned, tuned.err).toMatchObject({ code: 0 });
});

describe("pipes", () => {
  test("data inspect", async () => {
    const [file, ...others] = await everyWay("a.fasta", fasta, (name) => ["data", "inspect", name]);
    expect(file?.out).toContain("sequences  40");
    const body = (out = ""): string => out.split("\n").slice(1).join("\n");
    for (const other of others) expect(body(other.out)).toBe(body(file?.out));
    for (const other of others) expect(other.out).toMatch(/: FASTA, \d{3} B/);
  });

  test("data prepare, in one pass; what takes two is refused", async () => {
    let n = 0;
    const ran = await everyWay("b.fasta", fasta, (name) => [
      "data",
      "prepare",
      name,
      "--out",
      `shards-${n++}`,
      "--valid",
      "0.2",
      "--name",
      "t",
    ]);
    for (const [i, each] of ran.entries()) {
      expect(each, each.err).toMatchObject({ code: 0 });
      for (const split of ["train", "valid"])
        expect(readFileSync(join(dir, `shards-${i}/t_${split}_000000.bin`))).toEqual(
          readFileSync(join(dir, `shards-0/t_${split}_000000.bin`)),
        );
    }
    // Another pipe is not taken for the one that these shards are of.
    const again = await piped(fasta, "data", "prepare", "-", "--out", "shards-4", "--valid", "0.2", "--name", "t");
    expect(again.err).toMatch(/holds shards of other inputs/);
    write("clusters.tsv", "c\tm\nA\tp0\n");
    for (const rest of [
      ["--split", "published"],
      ["--world", "1"],
      ["--clusters", "clusters.tsv"],
    ]) {
      const refused = await piped(fasta, "data", "prepare", "-", "--out", "refused", ...rest);
      expect(refused).toMatchObject({ code: 2 });
      expect(refused.err).toMatch(/standard input: expected a file, since .* got a pipe.*Save it to a file first/);
    }
  });

  test("embed, whose two readings are one of a pipe", async () => {
    let n = 0;
    const ran = await everyWay("c.fasta", fasta, (name) => [
      "embed",
      name,
      "--checkpoint",
      "base",
      "--out",
      `e-${n++}.npy`,
      ...REFERENCE,
    ]);
    for (const [i, each] of ran.entries()) {
      expect(each, each.err).toMatchObject({ code: 0 });
      for (const file of ["npy", "npy.ids.txt"])
        expect(readFileSync(join(dir, `e-${i}.${file}`))).toEqual(readFileSync(join(dir, `e-0.${file}`)));
    }
    const lines = await piped("MKT\nAAA\n", "embed", "-", "--checkpoint", "base", "--out", "l.npy", ...REFERENCE);
    expect(lines.err).toMatch(/standard input: expected a name that ends in .* Name its format \(--format\)/);
    expect(
      await piped(
        "MKT\nAAA\n",
        "embed",
        "-",
        "--format",
        "text",
        "--checkpoint",
        "base",
        "--out",
        "l.npy",
        ...REFERENCE,
      ),
    ).toMatchObject({ code: 0 });
    expect(readFileSync(join(dir, "l.npy.ids.txt"), "utf8")).toBe("1\n2\n");
  });

  test("predict, with the header and the columns of a file", async () => {
    const common = ["predict", "--checkpoint", "tuned", "--out", "-", ...REFERENCE];
    const [rows, ...others] = await everyWay("d.jsonl", jsonl, (name) => [
      ...common,
      "--data",
      name,
      "--format",
      "jsonl",
    ]);
    expect(rows?.out.split("\n")).toHaveLength(7);
    for (const other of others) expect(other.out).toBe(rows?.out);
    const [csv, ...rest] = await everyWay("d.csv", "MKT\nMKTAY\n", (name) => [
      ...common,
      "--data",
      name,
      "--format",
      "csv",
    ]);
    expect(csv?.out).toContain('{"text":"MKTAY",');
    for (const other of rest) expect(other.out).toBe(csv?.out);
  });

  test("evaluate and finetune, of a task and of an objective", async () => {
    const figures = async (name: string, file: string, content: string): Promise<void> => {
      const [first, ...others] = await everyWay(
        file,
        content,
        (data) => [
          "evaluate",
          "--checkpoint",
          name,
          "--data",
          data,
          "--format",
          file.split(".")[1] as string,
          ...REFERENCE,
        ],
        SOME,
      );
      expect(first, first?.err).toMatchObject({ code: 0 });
      for (const other of others) expect(other.out).toBe(first?.out);
    };
    await figures("tuned", "e.csv", table);
    await figures("base", "e.fasta", fasta);
    let n = 0;
    const tuned = await everyWay(
      "f.csv",
      table,
      (name) => [
        "finetune",
        "--task",
        "text-classification",
        "--from",
        "base",
        "--data",
        name,
        "--format",
        "csv",
        "--out",
        `tuned-${n++}`,
        "--epochs",
        "1",
        ...REFERENCE,
      ],
      SOME,
    );
    for (const [i, each] of tuned.entries()) {
      expect(each, each.err).toMatchObject({ code: 0 });
      const weights = (run: string): Buffer => readFileSync(join(dir, run, "model/model.safetensors"));
      expect(weights(`tuned-${i}`).equals(weights("tuned-0"))).toBe(true);
    }
  });

  test("pretrain and estimate", async () => {
    let n = 0;
    const ran = await everyWay(
      "g.fasta",
      fasta,
      (name) => [
        "pretrain",
        "--from",
        "base",
        "--data",
        name,
        "--out",
        `pre-${n++}`,
        "--steps",
        "2",
        "--valid",
        "0",
        "--max-length",
        "32",
        "--batch-tokens",
        "64",
        ...REFERENCE,
      ],
      SOME,
    );
    for (const [i, each] of ran.entries()) {
      expect(each, each.err).toMatchObject({ code: 0 });
      const weights = (run: string): Buffer => readFileSync(join(dir, run, "checkpoints/step-2/model.safetensors"));
      expect(weights(`pre-${i}`).equals(weights("pre-0"))).toBe(true);
    }
    const counted = await everyWay(
      "h.fasta",
      fasta,
      (name) => ["estimate", "--model", "esm2-8m", "--data", name],
      SOME,
    );
    for (const each of counted) expect(each.out).toBe(counted[0]?.out);
    expect(counted[0]).toMatchObject({ code: 0 });
  });

  test("tokenize, tokenizer train, logits and a configuration", async () => {
    const lists = await everyWay("i.fasta", fasta, (name) => ["tokenize", "--file", name]);
    expect(lists[0]?.out).toContain("40 sequences");
    for (const each of lists) expect(each.out).toBe(lists[0]?.out);
    let n = 0;
    const trained = await everyWay("w.txt", words, (name) => [
      "tokenizer",
      "train",
      "--data",
      name,
      "--size",
      "40",
      "--out",
      `words-${n++}`,
    ]);
    for (const [i, each] of trained.entries()) {
      expect(each, each.err).toMatchObject({ code: 0 });
      expect(readFileSync(join(dir, `words-${i}/vocab.txt`))).toEqual(readFileSync(join(dir, "words-0/vocab.txt")));
    }
    expect((await piped('{"text":"a"}\n', "tokenizer", "train", "--data", "-", "--out", "w")).err).toMatch(
      /expected text, got what looks like JSONL\. Name its format: --format jsonl/,
    );
    write("wide.txt", Buffer.from("\ufeffone two\n", "utf16le"));
    expect((await run("tokenizer", "train", "--data", "wide.txt", "--out", "w")).err).toMatch(/UTF-16; convert it/);
    n = 0;
    const outputs = await everyWay("ids.json", "\ufeff[[0, 20, 15, 2],\r\n [0, 5, 2]]\r", (name) => [
      "logits",
      "--checkpoint",
      "base",
      "--ids",
      name,
      "--out",
      `l-${n++}.safetensors`,
      ...REFERENCE,
    ]);
    for (const [i, each] of outputs.entries()) {
      expect(each, each.err).toMatchObject({ code: 0 });
      expect(readFileSync(join(dir, `l-${i}.safetensors`))).toEqual(readFileSync(join(dir, "l-0.safetensors")));
    }
    const config = "\ufeffcheckpoint: base\rdata: [i.fasta]\r\nbackend: reference\r";
    for (const each of await everyWay("c.yaml", config, (name) => ["evaluate", "--config", name], SOME))
      expect(each, each.err).toMatchObject({ code: 0 });
  });

  test("fill-mask reads lines from standard input", async () => {
    const common = ["fill-mask", "--checkpoint", "base", ...REFERENCE];
    const said = await run(...common, "MK<mask>", "<mask>A");
    expect(said).toMatchObject({ code: 0 });
    expect((await piped("MK<mask>\r\n\r<mask>A", ...common, "-")).out).toBe(said.out);
    expect((await piped("\n", ...common, "-")).err).toMatch(/expected texts from standard input, got none/);
  });

  test("stops: dropped at the end, told with their place inside", async () => {
    write("stops.fasta", ">a\nMKT**\n>b\nMK*T*\n");
    expect((await run("tokenize", "--file", "stops.fasta")).out).toContain("<cls> M K T <eos>\n0 20 15 11 2\n");
    const told = /a stop \(\*\) before a residue in 1 record, first in \S*stops\.fasta, record 2, residue 3/;
    for (const argv of [
      ["data", "inspect", "stops.fasta"],
      ["data", "prepare", "stops.fasta", "--out", "stops", "--valid", "0"],
      ["embed", "stops.fasta", "--checkpoint", "base", "--out", "stops.npy", ...REFERENCE],
    ])
      expect((await run(...argv)).out, argv.join(" ")).toMatch(told);
    const trained = await run(
      "pretrain",
      "--from",
      "base",
      "--data",
      "stops.fasta",
      "--out",
      "s",
      "--steps",
      "1",
      "--valid",
      "0",
      "--max-length",
      "32",
      "--batch-tokens",
      "64",
      ...REFERENCE,
    );
    expect(trained.err).toMatch(told);
  });

  test("a pipe that is named twice is refused: its second reading would find nothing", async () => {
    const twice = fifoOf(table);
    for (const argv of [
      ["data", "inspect", twice, twice],
      ["embed", twice, twice, "--checkpoint", "base", "--out", "x.npy", ...REFERENCE],
      ["evaluate", "--checkpoint", "tuned", "--data", twice, twice, ...REFERENCE],
      [
        "finetune",
        "--task",
        "regression",
        "--from",
        "base",
        "--data",
        twice,
        "--valid",
        twice,
        "--out",
        "x",
        ...REFERENCE,
      ],
      ["tokenizer", "train", "--data", twice, twice, "--out", "x"],
    ]) {
      const ran = await run(...argv);
      expect(ran.err, argv.join(" ")).toMatch(/expected each pipe once, got the one that .* reads already/);
    }
    expect((await piped(table, "data", "inspect", "-", "-")).err).toMatch(/expected each pipe once/);
    execFileSync("cat", [join(dir, twice)]);
  });

  test("process substitution and /dev/stdin, as a shell gives them", () => {
    write("s.fasta.gz", gzipSync(fasta));
    const command = `${process.execPath} ${fileURLToPath(new URL("../bin/source.js", import.meta.url))} data inspect`;
    const out = execFileSync("bash", ["-c", `${command} <(zcat s.fasta.gz); zcat s.fasta.gz | ${command} /dev/stdin`], {
      cwd: dir,
      encoding: "utf8",
    });
    expect(out.match(/sequences {2}40/g)).toHaveLength(2);
  });
});
