/**
 * Published sizes by name have their own vocabulary. The counts are those of transformers 5.24:
 * AutoModelForMaskedLM.from_config(config) of the same config.json, parameters() summed. AMPLIFY's, NeoBERT's and the
 * speedrun encoder's are those that their authors publish.
 */
import { countParameters } from "@cloze/nn";
import { describe, expect, it } from "vitest";
import { modelSource, parametersOfSource } from "../src/model-sources.ts";
import { fasta, tinyConfig } from "./corpus.ts";
import { cli } from "./run-cli.ts";

const { run, write } = cli();

const COUNTS = {
  "bert-tiny": 4_416_698,
  "bert-mini": 11_201_594,
  "bert-small": 28_795_194,
  "bert-medium": 41_404_730,
  "bert-base-uncased": 109_514_298,
  "bert-base-cased": 108_340_804,
  "bert-large-uncased": 335_174_458,
  "bert-large-cased": 333_610_308,
  "minilm-l6": 22_744_506,
  "minilm-l12": 33_391_290,
  protbert: 419_933_214,
  "modernbert-base": 149_655_232,
  "modernbert-large": 395_881_664,
  "ettin-17m": 16_913_600,
  "ettin-32m": 32_081_344,
  "ettin-68m": 68_457_664,
  "ettin-150m": 149_655_232,
  "ettin-400m": 395_881_664,
  "ettin-1b": 1_031_314_112,
  "esm2-8m": 7_512_474,
  "esm2-35m": 33_501_394,
  "esm2-150m": 148_140_154,
  "esm2-650m": 651_043_254,
  "esm2-3b": 2_839_005_634,
  "esm2-15b": 15_129_100_194,
  "amplify-120m": 118_276_507,
  "amplify-350m": 354_008_667,
  neobert: 245_136_954,
  "speedrun-133m": 132_475_500,
} as const;

const small = ["--max-length", "16", "--batch-tokens", "16", "--json"];

describe("a published size without a tokenizer", () => {
  it.each(Object.entries(COUNTS))("%s has %i parameters", async (model, count) => {
    const source = await modelSource({ model, path: (given) => given, zeroInitHead: false });
    expect(countParameters(parametersOfSource(source))).toBe(count);
  });

  it.each(["bert-tiny", "ettin-17m", "esm2-8m"] as const)("is estimated so: %s", async (model) => {
    const { code, err, json } = await run("estimate", "--model", model, ...small);
    expect(code, err).toBe(0);
    expect(json()).toMatchObject({ parameters: COUNTS[model] });
  });

  it("says whose vocabulary an estimate counts", async () => {
    const own = await run("estimate", "--model", "bert-tiny", ...small.slice(0, -1));
    expect(own.out).toMatch(/vocabulary +30,522 tokens, the model's own/);
    const given = await run("estimate", "--model", "bert-tiny", "--tokenizer", "esm2", ...small.slice(0, -1));
    expect(given.out).toMatch(/vocabulary +33 tokens, those of esm2/);
  });

  it.each(["bert-tiny", "minilm-l6", "modernbert-base", "ettin-17m", "neobert"])(
    "is not trained with an alphabet that nobody asked for: %s",
    async (model) => {
      write("some.fasta", fasta(4));
      for (const command of ["pretrain", "estimate"]) {
        const more = command === "pretrain" ? ["--steps", "1", "--out", "run"] : [];
        const { code, err } = await run(command, "--model", model, "--data", "some.fasta", ...more);
        expect(code).toBe(2);
        expect(err).toContain(`--model ${model}: expected --tokenizer`);
      }
    },
  );

  it("takes the alphabet of a config.json by its size, or asks", async () => {
    write("some.fasta", fasta(4));
    const line = ["--data", "some.fasta", "--max-length", "16", "--batch-tokens", "16", "--json"];
    const sized = async (vocab: number): Promise<{ code: number; err: string }> => {
      write("sized.json", JSON.stringify({ ...tinyConfig, vocab_size: vocab }));
      return run("estimate", "--model", "sized.json", ...line);
    };
    expect((await sized(33)).code).toBe(0);
    expect((await sized(64)).code).toBe(0);
    const asked = await sized(30_522);
    expect([asked.code, asked.err]).toEqual([2, expect.stringContaining("--model sized.json: expected --tokenizer")]);
  });
});
