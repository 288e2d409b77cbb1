// What a terminal shows while nothing can be measured yet; pipes and --json stay as quiet as they are.
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, expect, test } from "vitest";
import { main } from "../src/index.ts";

const dir = mkdtempSync(join(tmpdir(), "cloze-waiting-"));
afterAll(() => rmSync(dir, { recursive: true, force: true }));
const proteins = ["MKTAYIAKQRQISFVKSHFSRQ", "MKVLAAGIVGLLLA", "MADEEKLPPGWEKRM", "GSSGSSGMKLPP"];
writeFileSync(join(dir, "p.fasta"), proteins.map((text, i) => `>p${i}\n${text}\n`).join(""));
writeFileSync(join(dir, "t.csv"), "text,label\nMKTAYIAK,x\nMKVLAAGI,y\nGSSGSSGM,x\nMADEEKLP,y\n");
writeFileSync(
  join(dir, "tiny.json"),
  JSON.stringify({
    model_type: "esm",
    architectures: ["EsmForMaskedLM"],
    vocab_size: 33,
    hidden_size: 8,
    num_hidden_layers: 1,
    num_attention_heads: 2,
    intermediate_size: 16,
    max_position_embeddings: 64,
    pad_token_id: 1,
    mask_token_id: 32,
    position_embedding_type: "rotary",
    token_dropout: true,
    emb_layer_norm_before: false,
  }),
);

/** Stderr of a command, and what a screen still shows of it at the end. */
async function stderrOf(
  isTTY: boolean,
  ...argv: readonly string[]
): Promise<{ readonly all: string; readonly left: string }> {
  let all = "";
  const stderr = { isTTY, columns: 80, write: (text: string) => void (all += text) };
  const stdin = (async function* (): AsyncGenerator<Uint8Array> {})();
  const io = { stdout: { write: () => {} }, stderr, stdin, cwd: dir, env: {}, outputClosed: () => false };
  expect(await main(argv, io), all).toBe(0);
  const screen = all
    .split("\n")
    .map((line) => line.split("\r").reduce((shown, part) => part + shown.slice(part.length), ""));
  return { all, left: screen.map((line) => line.trimEnd()).join("\n") };
}

const small = ["--batch-tokens", "32", "--max-length", "16", "--backend", "reference"];
const pretrain = (...more: readonly string[]): readonly string[] => [
  "pretrain",
  "p.fasta",
  "--model",
  "tiny.json",
  "--steps",
  "1",
  "--valid",
  "0",
  ...small,
  ...more,
];

test.each([
  [
    "pretrain",
    pretrain("--out", "tty"),
    [
      "reading p.fasta",
      "packing rows",
      "starting the backend",
      "compiling the training step",
      "computing the first step",
    ],
  ],
  [
    "estimate --measure",
    ["estimate", "p.fasta", "--model", "tiny.json", "--measure", ...small],
    [
      "planning the memory of a step",
      "starting the backend",
      "compiling the training step",
      "computing a step to warm up",
      "measuring step 1 of 3",
      "measuring step 3 of 3",
      "counting the tokens of p.fasta",
    ],
  ],
  [
    "finetune",
    [
      "finetune",
      "t.csv",
      "--task",
      "text-classification",
      "--from",
      "tty",
      "--epochs",
      "1",
      "--backend",
      "reference",
      "--out",
      "f",
    ],
    ["starting the backend", "reading tty", "reading t.csv", "encoding the examples", "computing the first step"],
  ],
  [
    "embed",
    ["embed", "p.fasta", "--checkpoint", "tty", "--backend", "reference", "--out", "v.npy"],
    ["reading p.fasta"],
  ],
])("%s on a terminal", async (_, argv, said) => {
  const { all, left } = await stderrOf(true, ...argv);
  const places = said.map((text) => all.indexOf(text));
  expect(
    places.every((place) => place >= 0),
    `${said.join("; ")} in ${all}`,
  ).toBe(true);
  expect(places).toEqual(places.toSorted((a, b) => a - b));
  for (const text of said) expect(left).not.toContain(text);
  for (const line of all.split(/[\r\n]/))
    if (said.some((text) => line.startsWith(text))) expect(line.length).toBeLessThan(80);
});

test("a pipe and --json are quiet", async () => {
  for (const [tty, ...argv] of [
    [false, ...pretrain("--out", "pipe")],
    [true, ...pretrain("--out", "json", "--json")],
    [true, "estimate", "p.fasta", "--model", "tiny.json", "--measure", "--json", ...small],
  ] as const) {
    const { all } = await stderrOf(tty as boolean, ...(argv as readonly string[]));
    expect(all).not.toMatch(/reading|compiling|planning|packing|starting|counting/);
  }
});
