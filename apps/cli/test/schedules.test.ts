/**
 * `cloze pretrain` with values that change over the run: killed and resumed, reported, planned; and wrong schedules.
 */
import { spawn } from "node:child_process";
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { readMetrics, withoutTime } from "@cloze/trainer";
import { beforeAll, describe, expect, it } from "vitest";
import { cli } from "./run-cli.ts";

const { dir, run, write } = cli();
const entry = fileURLToPath(new URL("./start.mjs", import.meta.url));
const config = {
  model_type: "cloze_speedrun",
  vocab_size: 33,
  pad_token_id: 1,
  mask_token_id: 32,
  hidden_size: 16,
  num_hidden_layers: 2,
  num_attention_heads: 2,
  intermediate_size: 32,
  max_position_embeddings: 64,
};
const recipe = `model: tiny.json
data: [data.fasta]
tokens: 6000
batch-tokens: { 0: 256, 0.4: 512 }
max-length: "0:32,0.3:64"
window: { 0: 4, 0.6: 16 }
rope-base: 0:100,0.3:1000
objective: 0:mlm,0.75:masked-diffusion
objective-options: '{"mlm":{"rate":"0:0.3,1:0.1"}}'
optimizer: muon
muon-momentum: 0:0.8,1:0.95
weight-decay: { 0: 0.1, 1: 0 }
eval-every: 6
save-every: 4
threads: 1
`;
const rows = (out: string): string[] => readMetrics(join(dir, out, "metrics.jsonl")).rows.map(withoutTime);

/** Runs the command in a process of its own and kills it when metrics.jsonl has `after` lines. */
function killed(after: number, out: string): Promise<NodeJS.Signals | null> {
  const file = join(dir, out, "metrics.jsonl");
  const child = spawn(
    process.execPath,
    [
      "--import",
      import.meta.resolve("tsx"),
      "--conditions=@cloze/source",
      entry,
      "pretrain",
      "--config",
      "recipe.yaml",
      "--out",
      out,
    ],
    { cwd: dir, stdio: "ignore" },
  );
  const timer = setInterval(() => {
    if (existsSync(file) && readFileSync(file, "utf8").split("\n").length > after) child.kill("SIGKILL");
  }, 5);
  return new Promise(
    (done) =>
      void child.on("close", (_, signal) => {
        clearInterval(timer);
        done(signal);
      }),
  );
}

beforeAll(() => {
  write("tiny.json", JSON.stringify(config));
  write("bert.json", JSON.stringify({ ...config, model_type: "bert", type_vocab_size: 2 }));
  write("recipe.yaml", recipe);
  write(
    "data.fasta",
    Array.from({ length: 240 }, (_, i) => `>${i}\n${"MKVLAAGIC".repeat(7).slice(i % 9, 20 + ((i * 7) % 40))}\n`).join(
      "",
    ),
  );
});

describe("schedules of pretrain", () => {
  it("are told where they change, kept in the run's config, and survive a kill bit for bit", async () => {
    const straight = await run("pretrain", "--config", "recipe.yaml", "--out", "straight", "--json");
    expect(straight.code, straight.err).toBe(0);
    expect(straight.json()["tokens"]).toBeGreaterThanOrEqual(6000);
    expect(straight.err).toContain(
      "over the run: batch-tokens 0:256,0.4:512; max-length 0:32,0.3:64; window 0:4,0.6:16; rope-base " +
        "0:100,0.3:1000; objective 0:mlm,0.75:masked-diffusion",
    );
    const told = readMetrics(join(dir, "straight", "metrics.jsonl")).rows.filter((row) => row["window"] !== undefined);
    expect(
      told.map(({ batchTokens, maxLength, window, ropeBase, objective }) => [
        batchTokens,
        maxLength,
        window,
        ropeBase,
        objective,
      ]),
    ).toEqual([
      [256, 32, 4, 100, "mlm"],
      [256, 64, 4, 1000, "mlm"],
      [512, 64, 4, 1000, "mlm"],
      [512, 64, 16, 1000, "mlm"],
      [512, 64, 16, 1000, "masked-diffusion"],
    ]);
    expect(straight.err).toMatch(
      /step \d+: batch-tokens 512, max-length 64, window 16, rope-base 1000, objective masked-diffusion/,
    );
    expect(readFileSync(join(dir, "straight", "config.yaml"), "utf8")).toMatch(/^batch-tokens: 0:256,0.4:512$/m);
    expect(JSON.parse(readFileSync(join(String(straight.json()["checkpoint"]), "config.json"), "utf8"))).toMatchObject({
      window: 16,
      rope_theta: 1000,
    });
    expect(await killed(13, "broken")).toBe("SIGKILL");
    const resumed = await run("pretrain", "--resume", "broken");
    expect(resumed.code, resumed.err).toBe(0);
    expect(rows("broken")).toEqual(rows("straight"));
    expect((await run("pretrain", "--resume", "straight", "--window", "0:4,0.5:16")).err).toMatch(
      /the run was made with --window 0:4,0.6:16, this says 0:4,0.5:16/,
    );
  }, 120_000);

  it("are planned, stage by stage", async () => {
    const { code, out, err } = await run(
      "pretrain",
      "--model",
      "tiny.json",
      "--data",
      "data.fasta",
      "--steps",
      "4",
      "--batch-tokens",
      "64",
      "--max-length",
      "32",
      "--window",
      "0:4,0.5:8",
      "--plan",
      "--json",
    );
    expect(code, err).toBe(0);
    const { plans } = JSON.parse(out.trimEnd().split("\n").at(-1) as string) as {
      readonly plans: readonly { readonly program: string; readonly stage: object }[];
    };
    expect(plans.map(({ program, stage }) => [program, stage])).toEqual([
      ["step", { window: 4 }],
      ["step", { window: 8 }],
    ]);
  });

  it.each([
    [["--window", "0.5:4,0.2:8"], /--window: expected places in rising order, got 0.2 after 0.5/],
    [["--window", "0:4,half:8"], /--window: expected at:value,at:value, got "half:8"/],
    [
      ["--batch-tokens", "0:64,0.5:few"],
      /--batch-tokens: expected a whole number such as 512 or 64k, at least 8, got "few"/,
    ],
    [["--weight-decay", "0:0.1,1:-1"], /--weight-decay: expected a number, at least 0, got "-1"/],
    [["--max-length", "0:32,0.5:128"], /--max-length: expected at most 64, the longest row of the model, got 128/],
    [["--model", "bert.json", "--window", "0:4,0.5:8"], /bert: expected .* got window 4/],
    [
      ["--batch-tokens", "0:32,0.5:64", "--max-length", "64"],
      /--batch-tokens 32 is less than one row of --max-length 64/,
    ],
    [["--objective", "0:mlm,0.5:nsp"], /expected objectives that read the same rows, got mlm and nsp/],
    [
      ["--objective", "0:mlm,0.5:masked-diffusion", "--objective-options", '{"rate":0.2}'],
      /the options of each objective under its name, mlm, masked-diffusion, got "rate"/,
    ],
    [["--steps", "4", "--tokens", "1k"], /expected one of --steps, --epochs, --tokens and --budget/],
    [["--config", "wrong.yaml"], /wrong\.yaml, line 1: window: expected a whole number, at least 0, got "wide"/],
  ] as const)("%j: one clear line, exit 2", async (args, message) => {
    write("wrong.yaml", "window: { 0: 4, 0.5: wide }\n");
    const model = args[0] === "--model" ? [] : ["--model", "tiny.json"];
    const { code, err } = await run("pretrain", ...model, "--data", "data.fasta", ...args);
    expect(err).toMatch(message);
    expect(code).toBe(2);
  });
});
