/** `cloze estimate`: sizes that can be counted by hand, and time and money that follow from them. */
import { openModel } from "@cloze/models/families";
import { countParameters, maskedLmParameters } from "@cloze/nn";
import { describe, expect, it } from "vitest";
import { fasta, tinyConfig } from "./corpus.ts";
import { cli } from "./run-cli.ts";

const { run, write } = cli();
interface Estimated {
  readonly parameters: number;
  readonly flopsPerToken: number;
  readonly tokens: number;
  readonly tokensPerSecond: number;
  readonly seconds: number;
  readonly dollars: number;
  readonly mfu: number;
  readonly memory: Readonly<Record<string, number>>;
}

async function estimate(...more: string[]): Promise<Estimated> {
  write("tiny.json", JSON.stringify(tinyConfig));
  const { code, err, json } = await run("estimate", "--model", "tiny.json", "--max-length", "64", ...more, "--json");
  expect(code, err).toBe(0);
  return json() as object as Estimated;
}

describe("cloze estimate", () => {
  it("counts what stays in memory: parameters, moments, sums of gradients, averages", async () => {
    const opened = await openModel(tinyConfig);
    const trained = countParameters(maskedLmParameters(opened.model));
    const saved = (await estimate()).parameters;
    expect(saved).toBe(countParameters(new Map([...maskedLmParameters(opened.model), ...opened.extraParameters])));
    expect(saved).toBeGreaterThan(trained);
    const one = (await estimate("--batch-tokens", "512")).memory;
    const parts = (await estimate("--batch-tokens", "512", "--accumulate", "4")).memory;
    const averaged = (await estimate("--batch-tokens", "512", "--ema", "0.99")).memory;
    expect([one["parameters"], one["optimizer"], one["accumulated"]]).toEqual([4 * trained, 8 * trained, 0]);
    expect(averaged["optimizer"]).toBe(12 * trained + 4);
    // The sums also hold the loss, its weight, and the objective's metrics.
    expect((parts["accumulated"] as number) - 4 * trained).toBeGreaterThan(0);
    expect((parts["accumulated"] as number) - 4 * trained).toBeLessThan(64);
    expect(parts["temporaries"]).toBeLessThan(one["temporaries"] as number);
    for (const { total, ...sizes } of [one, parts, averaged])
      expect(Object.values(sizes).reduce((a, b) => a + b, 0)).toBe(total);
  });

  it("takes changes of the model's configuration", async () => {
    expect((await estimate("--model-options", '{"num_hidden_layers":3}')).parameters).toBeGreaterThan(
      (await estimate()).parameters,
    );
  });

  it("tells time and dollars of a run, by a speed that is known", async () => {
    const { tokens, flopsPerToken, seconds, dollars, mfu } = await estimate(
      "--tokens",
      "36M",
      "--tokens-per-second",
      "1000",
      "--device",
      "NVIDIA H200",
      "--price",
      "2",
    );
    expect([tokens, seconds, dollars]).toEqual([36_000_000, 36_000, 20]);
    expect(mfu).toBeCloseTo((1000 * flopsPerToken) / 67e12, 12);
    expect(flopsPerToken).toBe((await openModel(tinyConfig)).flopsPerToken(64));
  });

  it("takes a published model with the alphabet of its name", async () => {
    const count = async (...more: string[]): Promise<unknown> => {
      const { code, err, json } = await run(
        "estimate",
        "--model",
        "amplify-120m",
        "--max-length",
        "64",
        "--batch-tokens",
        "64",
        ...more,
        "--json",
      );
      expect(code, err).toBe(0);
      return json()["parameters"];
    };
    // The published vocabulary has 27 tokens, that of ESM-2 33.
    expect(await count()).toBe(118_276_507);
    expect(await count("--tokenizer", "esm2")).toBeGreaterThan(118_276_507);
  });

  it("or by a share of a device's peak, and says that it is taken to be so", async () => {
    const { tokensPerSecond, flopsPerToken } = await estimate(
      "--tokens",
      "1M",
      "--device",
      "A100",
      "--precision",
      "bf16",
      "--mfu",
      "0.5",
    );
    expect(tokensPerSecond).toBeCloseTo((0.5 * 312e12) / flopsPerToken, 3);
    const { out, code } = await run(
      "estimate",
      "--model",
      "tiny.json",
      "--tokens",
      "1M",
      "--device",
      "A100",
      "--price",
      "1.5",
      "--accumulate",
      "2",
    );
    expect(code).toBe(0);
    expect(out).toMatch(/tokens\/s, if it reaches 40\.0 % of its peak/);
    expect(Math.max(...out.split("\n").map((line) => line.length))).toBeLessThanOrEqual(80);
  });

  it("counts the tokens of data, and measures", async () => {
    write("data.fasta", fasta(50));
    const lengths = fasta(50)
      .split("\n")
      .filter((line) => line !== "" && !line.startsWith(">"))
      .map((line) => Math.min(64, line.length + 2));
    const { tokens, tokensPerSecond, seconds } = await estimate(
      "--data",
      "data.fasta",
      "--epochs",
      "3",
      "--measure",
      "--backend",
      "reference",
      "--batch-tokens",
      "128",
    );
    expect(tokens).toBe(3 * lengths.reduce((a, b) => a + b, 0));
    expect(tokensPerSecond).toBeGreaterThan(0);
    expect(seconds).toBeCloseTo(tokens / tokensPerSecond, 6);
  });

  it.each([
    [["--batch-tokens", "32", "--max-length", "64"], /less than one row of --max-length 64/],
    [["--tokens", "5", "--data", "data.fasta"], /got both/],
    [["--tokenizer", "nothing"], /tokenizer/],
    [["--prices", "none.yaml"], /got nothing there/],
    [["--objective", "mlx"], /--objective mlx/],
  ] as const)("refuses %j", async (more, message) => {
    const { code, err } = await run("estimate", "--model", "tiny.json", ...more);
    expect(code).not.toBe(0);
    expect(err).toMatch(message);
  });
});
