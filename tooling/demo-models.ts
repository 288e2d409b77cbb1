/**
 * The maker of apps/demo/bundled: the two small models that the demo's page shows before any training.
 *
 *   npx tsx --conditions=@cloze/source tooling/demo-models.ts protein RUN
 *   npx tsx --conditions=@cloze/source tooling/demo-models.ts text RUN
 *
 * trains the model in the new folder RUN with the command line, on one thread of ONNX Runtime; takes about ten minutes
 * each on a free core. Where RUN is there, an unfinished run is resumed, and a finished one is taken as it is. The
 * weights are written in f16, in the Hugging Face layout, with the loss of these f16 weights on what was held out. The
 * same machine gives the same bytes; another one gives sums in another order, and so slightly other weights.
 */
import { execFileSync } from "node:child_process";
import { cpSync, existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { encodeSafetensors, parseSafetensors } from "../packages/checkpoint/src/index.ts";
import { splitOf } from "../packages/data/src/index.ts";
import { readFasta } from "../packages/data/src/node.ts";

const root = fileURLToPath(new URL("..", import.meta.url));
const SAMPLE = join(root, "apps/cli/sample/uniprot-sample.fasta.gz");
const AUSTEN = join(root, "apps/demo/sample/austen.txt");
/** Number of training rows in the bundled metrics.jsonl, about. */
const ROWS = 240;
const EXAMPLES = 16;
const FILES = words(
  "config.json model.safetensors tokenizer.json vocab.txt tokenizer_config.json special_tokens_map.json",
);
/** The split of the command line. */
const SPLIT = { seed: 0, valid: 0.05 };

interface Example {
  readonly name: string;
  readonly sequence: string;
}

interface Recipe {
  /** The page's settings that come nearest to the run. */
  readonly settings: Readonly<Record<string, string | number>>;
  /** The data in words, for the page. */
  readonly data: string;
  readonly file: string;
  readonly length: number;
  /** Options of `cloze pretrain`; `tokenizer` is the folder of a new tokenizer. */
  readonly options: (tokenizer: string) => readonly string[];
  readonly vocabulary?: number;
  readonly evaluateEvery: number;
  /** What the view shows before there is data. */
  readonly examples: () => Promise<readonly Example[]>;
}

const RECIPES: Readonly<Record<string, Recipe>> = {
  protein: {
    settings: {
      side: "protein",
      size: "tiny",
      objective: "mlm",
      optimizer: "adamw",
      lr: 3e-3,
      steps: 6000,
      length: 256,
      rows: 16,
      seed: 0,
    },
    data: "5,201 proteins of UniProt (UniProt Consortium, CC BY 4.0), the sample less what was held out",
    file: "cloze://sample",
    length: 256,
    options: () => ["--model", join(root, "apps/cli/sample/esm2-quickstart.json"), "--warmup", "0.05"],
    evaluateEvery: 250,
    examples: heldOutProteins,
  },
  text: {
    settings: {
      side: "text",
      size: "tiny",
      objective: "mlm",
      optimizer: "muon",
      lr: 0.02,
      steps: 1500,
      length: 128,
      rows: 16,
      seed: 0,
    },
    data: "the beginning of Pride and Prejudice (Jane Austen; public domain), the sample less what was held out",
    file: AUSTEN,
    length: 128,
    vocabulary: 1000,
    options: (tokenizer) => [
      ...words("--model bert-tiny --adam-lr 1e-3 --warmup 0.05 --tokenizer"),
      tokenizer,
      "--model-options",
      '{"hidden_dropout_prob":0,"attention_probs_dropout_prob":0}',
    ],
    evaluateEvery: 100,
    examples: async () => [],
  },
};

async function make(side: string, recipe: Recipe, run: string, scratch: string): Promise<void> {
  const { settings, data, file, length, options, vocabulary, evaluateEvery, examples } = recipe;
  const tokenizer = join(scratch, "tokenizer");
  if (!existsSync(run)) {
    if (vocabulary !== undefined)
      cloze("tokenizer", "train", "--data", file, "--size", String(vocabulary), "--out", tokenizer);
    const { lr, steps, optimizer, rows, seed } = settings as Readonly<Record<string, string>>;
    cloze(
      "pretrain",
      "--data",
      file,
      "--out",
      run,
      ...options(tokenizer),
      ...words(`--steps ${steps} --batch-tokens ${Number(rows) * length} --max-length ${length}`),
      ...words(`--optimizer ${optimizer} --lr ${lr} --seed ${seed}`),
      ...words(`--eval-every ${evaluateEvery} --save-every 500 --keep 1 --backend onnxruntime --threads 1`),
    );
  } else if (lastStep(run) < Number(settings["steps"])) cloze("pretrain", "--resume", run);

  const converted = join(scratch, "f16");
  cloze("checkpoint", "convert", run, converted, "--dtype", "f16");
  withoutFrequencies(join(converted, "model.safetensors"));
  rmSync(join(converted, "cloze-manifest.json")); // It has the length of the file before.
  const evaluation = JSON.parse(
    cloze(
      "evaluate",
      "--checkpoint",
      converted,
      "--data",
      file,
      ...words(`--split valid --max-length ${length} --backend onnxruntime --threads 1 --json`),
    )
      .trimEnd()
      .split("\n")
      .at(-1) as string,
  ) as { readonly loss: number; readonly unigramEntropy: number };

  const out = join(root, "apps/demo/bundled", side);
  rmSync(out, { recursive: true, force: true });
  mkdirSync(out, { recursive: true });
  const there = readdirSync(converted);
  for (const name of FILES) if (there.includes(name)) cpSync(join(converted, name), join(out, name));
  writeFileSync(join(out, "metrics.jsonl"), thinned(readFileSync(join(run, "metrics.jsonl"), "utf8")));
  const about = {
    settings,
    data,
    parameters: parametersOf(join(out, "model.safetensors")),
    validLoss: rounded(evaluation.loss),
    unigramEntropy: rounded(evaluation.unigramEntropy),
    examples: await examples(),
  };
  writeFileSync(join(out, "bundled.json"), `${JSON.stringify(about, undefined, 2)}\n`);
  console.log(`apps/demo/bundled/${side}: loss ${about.validLoss}, unigram entropy ${about.unigramEntropy}`);
}

function words(text: string): readonly string[] {
  return text.split(" ");
}

/** Runs the command from its sources, shows its progress, and returns its output. */
function cloze(...words: readonly string[]): string {
  return execFileSync(process.execPath, [join(root, "apps/cli/bin/source.js"), ...words], {
    encoding: "utf8",
    stdio: ["ignore", "pipe", "inherit"],
    maxBuffer: 2 ** 28,
  });
}

interface Row {
  readonly type: string;
  readonly step: number;
  readonly tokens: number;
  readonly loss: number;
  readonly accuracy?: number;
  readonly time: { readonly elapsed: number };
}

const rowsOf = (text: string): readonly Row[] =>
  text
    .trimEnd()
    .split("\n")
    .map((line) => JSON.parse(line) as Row);

const lastStep = (run: string): number => rowsOf(readFileSync(join(run, "metrics.jsonl"), "utf8")).at(-1)?.step ?? 0;
const rounded = (value: number): number => Number(value.toFixed(4));

/** All evaluations, and evenly chosen training steps, with the numbers that the page's chart needs. */
function thinned(text: string): string {
  const rows = rowsOf(text);
  const every = Math.ceil(rows.filter(({ type }) => type === "train").length / ROWS);
  return rows
    .filter(({ type, step }) => type === "eval" || (type === "train" && (step % every === 0 || step === 1)))
    .map(({ type, step, tokens, loss, time }) =>
      JSON.stringify({ type, step, tokens, loss: rounded(loss), time: { elapsed: Math.round(time.elapsed) } }),
    )
    .map((line) => `${line}\n`)
    .join("");
}

/** Takes out the rotary frequencies: rounded to f16 they would be others than those of the training. */
function withoutFrequencies(file: string): void {
  const parsed = parseSafetensors(readFileSync(file), file);
  const kept = [...parsed.entries]
    .filter(([name]) => !name.endsWith("rotary_embeddings.inv_freq"))
    .map(([name, { dtype, shape }]) => ({ name, dtype, shape, data: parsed.read(name) }));
  writeFileSync(file, encodeSafetensors(kept));
}

/** Number of values in a safetensors file, from its header. */
function parametersOf(file: string): number {
  const bytes = readFileSync(file);
  const length = Number(bytes.readBigUInt64LE(0));
  const header = JSON.parse(bytes.toString("utf8", 8, 8 + length)) as Record<string, { readonly shape?: number[] }>;
  return Object.entries(header).reduce(
    (sum, [name, { shape = [] }]) => sum + (name === "__metadata__" ? 0 : shape.reduce((a, b) => a * b, 1)),
    0,
  );
}

/** Held-out proteins that fit into the view. */
async function heldOutProteins(): Promise<readonly Example[]> {
  const found: Example[] = [];
  for await (const { header, sequence } of readFasta(SAMPLE).records()) {
    if (sequence.length < 60 || sequence.length > 200 || splitOf(sequence, SPLIT) !== "valid") continue;
    found.push({ name: header.slice(0, 80), sequence: new TextDecoder().decode(sequence) });
    if (found.length === EXAMPLES) break;
  }
  return found;
}

const [side = "", run] = process.argv.slice(2);
const recipe = RECIPES[side];
if (recipe === undefined || run === undefined) {
  console.error("usage: npx tsx --conditions=@cloze/source tooling/demo-models.ts protein|text RUN");
  process.exit(2);
}
const scratch = mkdtempSync(join(tmpdir(), "cloze-demo-model-"));
try {
  await make(side, recipe, run, scratch);
} finally {
  rmSync(scratch, { recursive: true, force: true });
}
