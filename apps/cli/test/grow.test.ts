/**
 * A larger model from a smaller one on the command line: the small model is trained, grown and evaluated, and the large
 * model is trained further. Also AMPLIFY from its config.json.
 */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { beforeAll, describe, expect, test } from "vitest";
import { fasta } from "./corpus.ts";
import { cli } from "./run-cli.ts";

const { run, write, dir } = cli();
const sizes = { model_type: "AMPLIFY", vocab_size: 27, pad_token_id: 0, max_length: 64, embedding_init_range: 0.5 };
const small = { ...sizes, hidden_size: 32, num_hidden_layers: 2, num_attention_heads: 2, intermediate_size: 96 };
const train = [
  "--data",
  "data.fasta",
  "--batch-tokens",
  "256",
  "--max-length",
  "64",
  "--threads",
  "1",
  "--backend",
  "onnxruntime",
  "--json",
];

async function ok(...argv: readonly string[]): Promise<Readonly<Record<string, unknown>>> {
  const { code, err, json } = await run(...argv);
  expect(code, err).toBe(0);
  return json();
}
const loss = async (checkpoint: string): Promise<number> =>
  Number(
    (
      await ok(
        "evaluate",
        "--checkpoint",
        checkpoint,
        "--data",
        "data.fasta",
        "--backend",
        "onnxruntime",
        "--threads",
        "1",
        "--json",
      )
    )["loss"],
  );

let trained = Number.NaN;
beforeAll(async () => {
  write("data.fasta", fasta(40));
  write("small.json", JSON.stringify(small));
  await ok(
    "pretrain",
    "--model",
    "small.json",
    "--tokenizer",
    "amplify",
    "--lr",
    "0.01",
    "--steps",
    "60",
    "--out",
    "runs/small",
    ...train,
  );
  trained = await loss("runs/small");
  expect(trained).toBeLessThan(Math.log(27) - 0.2);
}, 60_000);

describe("checkpoint grow", () => {
  test("of twice the width: the loss of the small model, to the digits of f32", async () => {
    write("wide.json", JSON.stringify({ ...small, hidden_size: 64, num_attention_heads: 4, intermediate_size: 192 }));
    expect(
      await ok("checkpoint", "grow", "runs/small", "wide", "--model", "wide.json", "--noise", "0", "--json"),
    ).toMatchObject({ model: "wide", layers: [0, 1], fresh: [] });
    expect(Math.abs((await loss("wide")) - trained)).toBeLessThan(1e-4);
  });

  test("wider by a part and deeper: better than a new one, and trained on", async () => {
    write(
      "large.json",
      JSON.stringify({
        ...small,
        num_hidden_layers: 3,
        hidden_size: 48,
        num_attention_heads: 3,
        intermediate_size: 144,
      }),
    );
    const { out, err } = await run("checkpoint", "grow", "runs/small", "large", "--model", "large.json");
    expect(out, err).toMatch(/^large: [\d,]+ parameters grown to [\d,]+\n {2}layers +3, each made of: 0 1 1\n$/);
    // A new model takes all 27 tokens for equally likely: its loss is ln 27.
    expect(await loss("large")).toBeLessThan(Math.log(27) - 0.3);
    expect(
      await ok("pretrain", "--from", "large", "--lr", "0.003", "--steps", "4", "--out", "runs/on", ...train),
    ).toMatchObject({ steps: 4 });
    expect(await loss("runs/on")).toBeLessThan(Math.log(27) - 0.3);
  });

  test("to a published size: with the vocabulary of the small one, and its tokenizer", async () => {
    write(
      "esm.json",
      JSON.stringify({
        model_type: "esm",
        position_embedding_type: "rotary",
        vocab_size: 30,
        pad_token_id: 0,
        mask_token_id: 4,
        hidden_size: 32,
        num_hidden_layers: 2,
        num_attention_heads: 4,
        intermediate_size: 64,
        max_position_embeddings: 66,
      }),
    );
    await ok(
      "pretrain",
      "--model",
      "esm.json",
      "--tokenizer",
      "protbert",
      "--steps",
      "1",
      "--out",
      "runs/esm",
      ...train,
    );
    const { fresh } = await ok("checkpoint", "grow", "runs/esm", "esm2-8m", "--model", "esm2-8m", "--json");
    expect(fresh).toEqual(["esm.contact_head.regression.weight", "esm.contact_head.regression.bias"]);
    expect(JSON.parse(readFileSync(join(dir, "esm2-8m", "config.json"), "utf8"))).toMatchObject({
      vocab_size: 30,
      pad_token_id: 0,
      mask_token_id: 4,
      hidden_size: 320,
      num_hidden_layers: 6,
    });
    expect(await ok("tokenize", "MKT", "--tokenizer", "esm2-8m", "--json")).toEqual(
      await ok("tokenize", "MKT", "--tokenizer", "protbert", "--json"),
    );
  });

  test.each([
    [["runs/small", "x"], "--model"],
    [
      ["runs/small", "x", "--model", "esm2-8m"],
      "grow: expected two models of one family, got AMPLIFY and esm. Choose a larger AMPLIFY.",
    ],
    [["runs/small", "x", "--model", "amplify-121m"], "--model amplify-121m: expected bert-tiny"],
    [
      ["runs/small", "runs", "--model", "amplify-120m"],
      "checkpoint grow: expected a new folder to write, got runs, which holds",
    ],
    [["nowhere", "x", "--model", "amplify-120m"], "checkpoint grow nowhere: expected a checkpoint folder"],
  ])("what makes no sense is one line: %j", async (argv, message) => {
    const { code, err } = await run("checkpoint", "grow", ...argv);
    expect([code, err.trim().split("\n").length]).toEqual([2, 1]);
    expect(err).toContain(message);
  });
});
