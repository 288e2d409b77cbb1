// A bench of the gain by pretraining on little text. A BERT of 6 x 256 is pretrained for some minutes. Then it is
// fine-tuned on SST-2 and on WNUT17, from its weights and from new weights, with the same options. The bench prints
// each figure at once and writes all of them to --out.
//
//   node bench/text-transfer.mjs --data DIR [--minutes 20] [--seeds 3] [--epochs-share 1]
//     [--out bench/results/text-transfer.json]
//
// Run it after a build. DIR holds sst2/train.tsv and dev.tsv (text TAB label), wnut17/train.conll and dev.conll (word
// TAB tag), wikitext2-valid.txt and tinyshakespeare.txt. Pretraining also uses the texts of the training files, without
// their labels, but never the texts of the dev files.
//
// The first half of the time is MLM; the second half continues with MLM + NSP. NSP needs pairs of sentences, but most
// reviews are one sentence. So the texts of the tasks are cut into clauses, and NSP asks whether two clauses belong to
// one review. This prepares [CLS] for its later task.
import { spawnSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { cpus, tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";

const { values } = parseArgs({
  options: {
    data: { type: "string" },
    minutes: { type: "string", default: "20" },
    seeds: { type: "string", default: "3" },
    "epochs-share": { type: "string", default: "1" },
    out: { type: "string" },
    note: { type: "string", default: "" },
  },
});
if (values.data === undefined)
  throw new Error("text-transfer: expected --data DIR. The first lines of this file say what it holds.");
const bin = fileURLToPath(new URL("../apps/cli/bin/cloze.js", import.meta.url));
const folder = mkdtempSync(join(tmpdir(), "cloze-transfer-"));
const at = (name) => join(folder, name);
const read = (name) => readFileSync(join(values.data, name), "utf8").replace(/^\uFEFF/, "");
const BREAKS = new Set([",", "but", "--", ";", ":"]);

/** Splits a text into clauses of at least three words. A text with a single clause is split in the middle. */
function clauses(text) {
  const words = text.split(/\s+/).filter((word) => word !== "");
  const all = [[]];
  for (const word of words) {
    const last = all.at(-1);
    if (!BREAKS.has(word) || last.length < 3) last.push(word);
    else all.push(word === "but" ? [word] : []);
  }
  const end = all.length > 1 && all.at(-1).length < 3 ? all.pop() : [];
  all.at(-1).push(...end);
  const middle = all.length === 1 && words.length >= 4 ? words.length >> 1 : 0;
  return (middle > 0 ? [words.slice(0, middle), words.slice(middle)] : all).map((clause) => clause.join(" "));
}

/** Writes documents with one sentence a line and a blank line after each document. */
const write = (name, documents) =>
  writeFileSync(
    at(name),
    documents
      .filter((lines) => lines.some((line) => line !== ""))
      .map((lines) => `${lines.join("\n")}\n`)
      .join("\n"),
  );

function cloze(...args) {
  const { status, stdout, stderr } = spawnSync(process.execPath, [bin, ...args, "--json"], {
    cwd: folder,
    encoding: "utf8",
    maxBuffer: 1 << 28,
  });
  if (status !== 0)
    throw new Error(`cloze ${args.join(" ")} ended with ${status}: ${stderr.trim().split("\n").at(-1)}`);
  return JSON.parse(stdout.trim().split("\n").at(-1));
}

const TASKS = {
  sst2: [
    "--task",
    "text-classification",
    "--data",
    join(values.data, "sst2/train.tsv"),
    "--valid",
    join(values.data, "sst2/dev.tsv"),
    "--epochs",
    `${3 * values["epochs-share"]}`,
    "--batch",
    "32",
    "--lr",
    "3e-4",
  ],
  wnut17: [
    "--task",
    "token-classification",
    "--data",
    join(values.data, "wnut17/train.conll"),
    "--valid",
    join(values.data, "wnut17/dev.conll"),
    "--epochs",
    `${4 * values["epochs-share"]}`,
    "--batch",
    "16",
    "--lr",
    "5e-4",
  ],
};

try {
  write(
    "sst2.txt",
    read("sst2/train.tsv")
      .split("\n")
      .map((line) => clauses(line.split("\t")[0])),
  );
  write(
    "wnut17.txt",
    read("wnut17/train.conll")
      .split("\n\n")
      .map((sentence) =>
        clauses(
          sentence
            .split("\n")
            .map((line) => line.split("\t")[0])
            .join(" "),
        ),
      ),
  );
  write(
    "wiki.txt",
    read("wikitext2-valid.txt")
      .split("\n")
      .map((line) => line.trim())
      .filter((line) => !line.startsWith("="))
      .map((line) => line.split(/(?<= [.!?]) /)),
  );
  writeFileSync(at("shakespeare.txt"), read("tinyshakespeare.txt"));
  writeFileSync(
    at("config.json"),
    JSON.stringify({
      model_type: "bert",
      vocab_size: 6000,
      hidden_size: 256,
      num_hidden_layers: 6,
      num_attention_heads: 4,
      intermediate_size: 1024,
      max_position_embeddings: 256,
      type_vocab_size: 2,
      hidden_act: "gelu",
      hidden_dropout_prob: 0,
      attention_probs_dropout_prob: 0,
      layer_norm_eps: 1e-12,
      initializer_range: 0.02,
      pad_token_id: 0,
    }),
  );
  cloze(
    "tokenizer",
    "train",
    "--data",
    "wiki.txt",
    "sst2.txt",
    "wnut17.txt",
    "shakespeare.txt",
    "--size",
    "6000",
    "--out",
    "tokenizer",
  );
  const half = [
    "--tokenizer",
    "tokenizer",
    "--data",
    "0.35:wiki.txt",
    "0.5:sst2.txt",
    "0.05:wnut17.txt",
    "0.1:shakespeare.txt",
    "--max-length",
    "64",
    "--batch-tokens",
    "2048",
    "--lr",
    "8e-4",
    "--warmup",
    `${3 * values.minutes}`,
    "--budget",
    `${30 * values.minutes}s`,
    "--eval-every",
    "0",
    "--save-every",
    "0",
  ];
  const masks = { rate: 0.2 };
  const first = cloze(
    "pretrain",
    "--model",
    "config.json",
    ...half,
    "--objective-options",
    JSON.stringify(masks),
    "--final-lr",
    "0.4",
    "--out",
    "mlm",
  );
  const second = cloze(
    "pretrain",
    "--from",
    "mlm",
    ...half,
    "--objective",
    "mlm+nsp",
    "--objective-options",
    JSON.stringify({ mlm: masks }),
    "--seed",
    "1",
    "--out",
    "pretrained",
  );
  const pretraining = [first, second].map(({ steps, tokens, evalLoss }) => ({ steps, tokens, evalLoss }));
  console.log(JSON.stringify({ pretraining }));
  const results = [];
  for (const [task, options] of Object.entries(TASKS)) {
    for (const scratch of [false, true]) {
      const { figures, deviation, seeds } = cloze(
        "finetune",
        ...options,
        "--from",
        "pretrained",
        ...(scratch ? ["--scratch"] : []),
        "--model-options",
        '{"hidden_dropout_prob":0.1,"attention_probs_dropout_prob":0.1}',
        "--max-length",
        "64",
        "--seeds",
        values.seeds,
        "--out",
        `${task}-${scratch ? "new" : "pretrained"}`,
      );
      const metric = task === "sst2" ? "accuracy" : "f1";
      results.push({
        task,
        weights: scratch ? "new" : "pretrained",
        metric,
        mean: figures[metric],
        deviation: deviation?.[metric],
        seeds: seeds.map((seed) => seed.figures[metric]),
      });
      console.log(JSON.stringify(results.at(-1)));
    }
  }
  if (values.out !== undefined)
    writeFileSync(
      values.out,
      `${JSON.stringify(
        {
          node: process.version,
          cpu: cpus()[0]?.model,
          cores: cpus().length,
          minutes: Number(values.minutes),
          note: values.note,
          pretraining,
          results,
        },
        null,
        2,
      )}\n`,
    );
} finally {
  rmSync(folder, { recursive: true, force: true });
}
