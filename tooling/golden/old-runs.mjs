/**
 * Makes the run folders of apps/cli/test/old-runs: small runs, each stopped in the middle, with the log of its next
 * steps. `apps/cli/test/old-runs.test.ts` resumes them.
 *
 *   node --import tsx --conditions=@cloze/source tooling/golden/old-runs.mjs [NAME...]
 *
 * The folders are the work of an old version of cloze, and their purpose is to stay that. Run the script for a new
 * case, by its name; never make a committed folder anew because its test fails.
 *
 * A case is a command that trains for six steps and saves a checkpoint after the third. The script runs it, keeps the
 * log of the last three steps in `next.json`, and takes everything after step 3 away, as if the run had been killed
 * there.
 */
import { cpSync, existsSync, mkdirSync, mkdtempSync, readFileSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { main } from "../../apps/cli/src/index.ts";
import { readMetrics, withoutTime } from "../../packages/trainer/src/index.ts";
import { fasta, tinyConfig } from "../../apps/cli/test/corpus.ts";

const STOPPED_AT = 3;
const home = fileURLToPath(new URL("../../apps/cli/test/old-runs/", import.meta.url));

const words = "the a cat dog bird sees hears likes red small old tree house river and or quickly slowly".split(" ");
const text = Array.from({ length: 60 }, (_, i) =>
  Array.from({ length: 3 }, (_x, line) =>
    Array.from(
      { length: 5 + ((i + line) % 4) },
      (_y, k) => words[(i * 7 + line * 5 + k * (3 + (i % 5))) % words.length],
    ).join(" "),
  ).join("\n"),
).join("\n\n");
const vocabulary = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", ...words].join("\n") + "\n";
const labelled = Array.from({ length: 24 }, (_, i) => {
  const words3 = [words[(i * 5) % 17], words[(i * 3 + 1) % 17], words[(i * 11 + 2) % 17]];
  return `${words3.join(" ")}\t${i % 2 === 0 ? "even" : "odd"}\n`;
}).join("");

const dropout = { hidden_dropout_prob: 0.1, attention_probs_dropout_prob: 0.1 };
const bert = {
  model_type: "bert",
  vocab_size: 5 + words.length,
  hidden_size: 16,
  num_hidden_layers: 2,
  num_attention_heads: 2,
  intermediate_size: 32,
  max_position_embeddings: 32,
  type_vocab_size: 2,
  ...dropout,
};
const sizes = { hidden_size: 16, num_hidden_layers: 2, num_attention_heads: 2, intermediate_size: 32 };
const amplify = { model_type: "AMPLIFY", ...sizes, vocab_size: 27, max_length: 64, pad_token_id: 0 };
const neobert = { model_type: "neobert", ...sizes, vocab_size: 33, max_length: 64, pad_token_id: 1 };
const speedrun = {
  model_type: "cloze_speedrun",
  ...sizes,
  vocab_size: 33,
  pad_token_id: 1,
  mask_token_id: 32,
  max_position_embeddings: 64,
};

const every = "--backend reference --save-every 3 --eval-every 3 --out run";
const pretrain = (options) => `pretrain --model model.json --steps 6 ${options} ${every}`;
const proteins = { "data.fasta": fasta(60) };
const rows = "--data data.fasta --max-length 32 --batch-tokens 128";
const texts = { "data.txt": text, "tokenizer/vocab.txt": vocabulary, "model.json": JSON.stringify(bert) };
const textRows = "--data data.txt --tokenizer tokenizer --max-length 32 --batch-tokens 128";

/** @type {Record<string, { files: Record<string, string>, commands: string[] }>} */
const CASES = {
  "esm2-adamw-in-parts": {
    files: { ...proteins, "model.json": JSON.stringify({ ...tinyConfig, ...dropout }) },
    commands: [pretrain(`${rows} --accumulate 2 --lr 0.01`)],
  },
  "bert-mlm-nsp": {
    files: texts,
    commands: [pretrain(`${textRows} --objective mlm+nsp --lr 0.01`)],
  },
  "esm2-muon-ema-f16": {
    files: { ...proteins, "model.json": JSON.stringify(tinyConfig) },
    commands: [pretrain(`${rows} --optimizer muon --ema 0.9 --precision f16`)],
  },
  "speedrun-in-stages": {
    files: { ...proteins, "model.json": JSON.stringify(speedrun) },
    commands: [
      pretrain(
        "--data data.fasta --optimizer muon --muon-momentum 0:0.8,1:0.95 " +
          "--batch-tokens 0:128,0.6:256 --max-length 0:32,0.8:64 --window 0:4,0.4:16",
      ),
    ],
  },
  "amplify-muon": {
    files: { ...proteins, "model.json": JSON.stringify(amplify) },
    commands: [pretrain(`${rows} --tokenizer amplify --optimizer muon`)],
  },
  "neobert-muon": {
    files: { ...proteins, "model.json": JSON.stringify(neobert) },
    commands: [pretrain(`${rows} --tokenizer esm2 --optimizer muon`)],
  },
  "finetune-frozen": {
    files: { ...texts, "train.tsv": labelled, "valid.tsv": labelled },
    commands: [
      `pretrain --model model.json --steps 1 --backend reference --out base ${textRows}`,
      "finetune --task text-classification --from base --freeze 1 --lr 0.01 --data train.tsv --valid valid.tsv " +
        "--batch 8 --epochs 2 --eval-every 3 --backend reference --out run",
    ],
  },
};

const asked = process.argv.slice(2);
for (const [name, { files, commands }] of Object.entries(CASES))
  if (asked.length === 0 || asked.includes(name)) await make(name, files, commands);

async function make(name, files, commands) {
  const dir = mkdtempSync(join(tmpdir(), "cloze-old-run-"));
  for (const [path, content] of Object.entries(files)) {
    mkdirSync(join(dir, path, ".."), { recursive: true });
    writeFileSync(join(dir, path), content);
  }
  let err = "";
  const io = {
    stdout: { write: () => {} },
    stderr: { write: (line) => void (err += line) },
    stdin: (async function* () {})(),
    cwd: dir,
    env: { HF_HUB_OFFLINE: "1", HF_HOME: "/nonexistent" },
    outputClosed: () => false,
  };
  for (const command of commands) if ((await main(command.split(" "), io)) !== 0) throw new Error(`${name}: ${err}`);

  const run = join(dir, "run");
  const log = join(run, "metrics.jsonl");
  const { rows: all } = readMetrics(log);
  const next = all.filter(({ step }) => step > STOPPED_AT).map(withoutTime);
  const kept = readFileSync(log, "utf8")
    .split("\n")
    .filter((line) => line !== "" && JSON.parse(line).step <= STOPPED_AT);
  writeFileSync(log, `${kept.join("\n")}\n`);
  for (const folder of readdirSync(join(run, "checkpoints")))
    if (folder !== `step-${STOPPED_AT}`) rmSync(join(run, "checkpoints", folder), { recursive: true });
  for (const folder of [run, join(dir, "base")])
    for (const file of existsSync(folder) ? readdirSync(folder) : [])
      if (["report.html", "model"].includes(file) || file.startsWith("events."))
        rmSync(join(folder, file), { recursive: true });
  rmSync(join(home, name), { recursive: true, force: true });
  cpSync(dir, join(home, name), { recursive: true });
  writeFileSync(join(home, name, "next.json"), `${JSON.stringify(next, null, 1)}\n`);
  rmSync(dir, { recursive: true });
  console.log(name, next.length, "rows");
}
