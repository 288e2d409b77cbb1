// A bench of the recipe family-tiny: what a model of one protein family, trained on a CPU in minutes, knows of it.
//
//   node bench/family.mjs --a3m FILE [--checkpoint RUN] [--threads 2] [--out bench/results/family.json]
//
// FILE is an alignment of homologs of one domain. The words of its headers say what the proteins do, and the rows of
// LABELS make classes of them. They are for the IIA domains of the sugar transport of bacteria (1,302 different
// sequences), of the examples of fair-esm (MIT licence, UniProt data under CC BY 4.0):
//   https://raw.githubusercontent.com/facebookresearch/esm/main/examples/data/hhblits_uniclust_2017_10_1a3a_1_A.a3m
//
// The gaps are removed, the recipe trains on nine tenths of the sequences without their headers, and the bench prints
// the validation loss beside the entropy of the residues' frequencies. Then the proteins with a class are classified in
// two ways: each by its five nearest others (cosine of standardised vectors), and by a linear classifier of the other
// four fifths (logistic regression, classes weighted alike). The vectors are the embeddings of two layers, those of the
// model before its training, the share of each residue, and the share of each pair of neighbours. Printed is the mean
// of the accuracies of the classes; chance is one third.
import { spawnSync } from "node:child_process";
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { cpus, tmpdir } from "node:os";
import { dirname, join, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";

const { values } = parseArgs({
  options: {
    a3m: { type: "string" },
    checkpoint: { type: "string" },
    recipe: { type: "string", default: "family-tiny" },
    threads: { type: "string", default: String(cpus().length) },
    out: { type: "string" },
  },
});
if (values.a3m === undefined) throw new Error("family: expected --a3m FILE. The first lines of this file say which.");

/** The first row whose words are in a header gives its class. Headers without any of them have none. */
const LABELS = [
  ["nitrogen regulation", /nitrogen|ptsn|ntr/],
  ["regulator of transcription", /antiterminat|operon regulator|prd domain|transcription|mtlr|levr|licabch/],
  ["transport", /mannitol|fructose|sugar|pts |phosphotransferase|eiia|permease|transport/],
];
const NEIGHBOURS = 5;
const RESIDUES = [..."ACDEFGHIKLMNPQRSTVWY"];

const proteins = new Map();
for (const record of readFileSync(values.a3m, "utf8").split(/^>/m).slice(1)) {
  const [header = "", ...lines] = record.split("\n");
  const sequence = lines
    .join("")
    .replace(/[^A-Za-z]/g, "")
    .toUpperCase();
  if (sequence.length >= 30 && !proteins.has(sequence)) proteins.set(sequence, header);
}
const sequences = [...proteins.keys()];
const classes = [...proteins.values()].map((header) => {
  const words = header.replace(/^\S+/, "").split(" OS=")[0].toLowerCase();
  return LABELS.find(([, pattern]) => pattern.test(words))?.[0];
});

const folder = mkdtempSync(join(tmpdir(), "cloze-family-"));
const bin = fileURLToPath(new URL("../apps/cli/bin/source.js", import.meta.url));
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

/** Vectors with mean 0 and deviation 1 in each dimension, then of length 1. */
function standardised(rows) {
  const width = rows[0].length;
  const mean = Array.from({ length: width }, (_, c) => rows.reduce((sum, row) => sum + row[c], 0) / rows.length);
  const deviation = mean.map((m, c) => Math.sqrt(rows.reduce((sum, row) => sum + (row[c] - m) ** 2, 0) / rows.length));
  return rows.map((row) => {
    const scaled = row.map((x, c) => (x - mean[c]) / (deviation[c] || 1));
    const length = Math.hypot(...scaled) || 1;
    return scaled.map((x) => x / length);
  });
}

/** The mean over the classes of the share of proteins whose neighbours have their class. */
function byNeighbours(vectors) {
  const chosen = classes.flatMap((name, i) => (name === undefined ? [] : [i]));
  const rows = standardised(chosen.map((i) => vectors[i]));
  const right = new Map(LABELS.map(([name]) => [name, []]));
  for (const [a, row] of rows.entries()) {
    const near = rows
      .map((other, b) => [b === a ? -Infinity : other.reduce((sum, x, c) => sum + x * row[c], 0), b])
      .sort((x, y) => y[0] - x[0])
      .slice(0, NEIGHBOURS);
    const votes = new Map();
    for (const [cosine, b] of near) {
      const name = classes[chosen[b]];
      votes.set(name, (votes.get(name) ?? 0) + 1 + cosine);
    }
    const [said] = [...votes].sort((x, y) => y[1] - x[1])[0];
    right.get(classes[chosen[a]]).push(said === classes[chosen[a]] ? 1 : 0);
  }
  const shares = [...right.values()].filter(({ length }) => length > 0);
  return shares.reduce((sum, each) => sum + each.reduce((a, b) => a + b, 0) / each.length, 0) / shares.length;
}

/** Five folds with the same share of each class, in a fixed order. */
function foldsOf(names) {
  const seen = new Map();
  return names.map((name) => {
    const count = seen.get(name) ?? 0;
    seen.set(name, count + 1);
    return count % 5;
  });
}

/** Weights [classes][width + 1] of a logistic regression, by Adam. `penalty` is of the squared weights. */
function logistic(rows, targets, count, { penalty = 0.0176, steps = 300, rate = 0.03 } = {}) {
  const width = rows[0].length + 1;
  const size = count * width;
  const [weights, first, second] = [0, 0, 0].map(() => new Float64Array(size));
  const frequency = Array.from({ length: count }, (_, k) => targets.filter((target) => target === k).length);
  for (let step = 1; step <= steps; step++) {
    const gradient = weights.map((w, i) => ((i + 1) % width === 0 ? 0 : penalty * w));
    for (const [r, row] of rows.entries()) {
      const chances = softmax(scores(weights, row, count));
      const weight = 1 / (count * frequency[targets[r]]);
      for (let k = 0; k < count; k++) {
        const error = weight * (chances[k] - (k === targets[r] ? 1 : 0));
        for (let c = 0; c < row.length; c++) gradient[k * width + c] += error * row[c];
        gradient[(k + 1) * width - 1] += error;
      }
    }
    for (let i = 0; i < size; i++) {
      first[i] = 0.9 * first[i] + 0.1 * gradient[i];
      second[i] = 0.999 * second[i] + 0.001 * gradient[i] ** 2;
      weights[i] -= (rate * first[i]) / (1 - 0.9 ** step) / (Math.sqrt(second[i] / (1 - 0.999 ** step)) + 1e-8);
    }
  }
  return weights;
}
const scores = (weights, row, count) =>
  Array.from({ length: count }, (_, k) => {
    const at = k * (row.length + 1);
    return row.reduce((sum, x, c) => sum + x * weights[at + c], weights[at + row.length]);
  });
function softmax(values) {
  const most = Math.max(...values);
  const powers = values.map((value) => Math.exp(value - most));
  const sum = powers.reduce((a, b) => a + b, 0);
  return powers.map((power) => power / sum);
}

/** The mean over the classes of the share of proteins that a linear classifier of the other folds gets right. */
function byLine(vectors) {
  const chosen = classes.flatMap((name, i) => (name === undefined ? [] : [i]));
  // Standardised numbers are of size 1, which unit vectors are not.
  const rows = standardised(chosen.map((i) => vectors[i])).map((row) => row.map((x) => x * Math.sqrt(row.length)));
  const targets = chosen.map((i) => LABELS.findIndex(([name]) => name === classes[i]));
  const folds = foldsOf(targets);
  const right = LABELS.map(() => []);
  for (let fold = 0; fold < 5; fold++) {
    const train = folds.flatMap((each, r) => (each === fold ? [] : [r]));
    const weights = logistic(
      train.map((r) => rows[r]),
      train.map((r) => targets[r]),
      LABELS.length,
    );
    for (const [r, each] of folds.entries()) {
      if (each !== fold) continue;
      const all = scores(weights, rows[r], LABELS.length);
      right[targets[r]].push(all.indexOf(Math.max(...all)) === targets[r] ? 1 : 0);
    }
  }
  const shares = right.filter(({ length }) => length > 0);
  return shares.reduce((sum, each) => sum + each.reduce((a, b) => a + b, 0) / each.length, 0) / shares.length;
}

const share = (sequence, word) => {
  let count = 0;
  for (let at = sequence.indexOf(word); at >= 0; at = sequence.indexOf(word, at + 1)) count++;
  return count / sequence.length;
};
const pairs = RESIDUES.flatMap((a) => RESIDUES.map((b) => a + b));

try {
  writeFileSync(join(folder, "family.fasta"), sequences.map((sequence, i) => `>p${i}\n${sequence}\n`).join(""));
  console.log(`${sequences.length} sequences, ${classes.filter((name) => name !== undefined).length} with a class`);
  const threads = ["--threads", values.threads];
  const run = values.checkpoint === undefined ? "run" : resolve(values.checkpoint);
  const trained =
    values.checkpoint === undefined
      ? cloze("pretrain", "family.fasta", "--recipe", values.recipe, "--out", "run", ...threads)
      : undefined;
  if (trained !== undefined)
    console.log(
      `${values.recipe}: ${trained.steps} steps in ${(trained.seconds / 60).toFixed(1)} min, validation loss ` +
        `${trained.evalLoss.toFixed(4)}, frequencies alone ${trained.unigramEntropy.toFixed(4)}`,
    );
  const untrained = ["--steps", "1", "--lr", "1e-12", "--adam-lr", "1e-12"];
  cloze("pretrain", "family.fasta", "--recipe", values.recipe, "--out", "new", ...untrained, ...threads);
  const embedded = (checkpoint, layer) => {
    cloze("embed", "family.fasta", "--checkpoint", checkpoint, "--layer", layer, "--out", "v.csv", ...threads);
    const [, ...rows] = readFileSync(join(folder, "v.csv"), "utf8").trimEnd().split("\n");
    return rows.map((line) => line.split(",").slice(1).map(Number));
  };
  const vectors = {
    "last layer": embedded(run, "-1"),
    "last but one": embedded(run, "-2"),
    "not trained": embedded("new", "-1"),
    residues: sequences.map((sequence) => RESIDUES.map((word) => share(sequence, word))),
    pairs: sequences.map((sequence) => pairs.map((word) => share(sequence, word))),
  };
  console.log(`${"".padEnd(14)}neighbours  linear`);
  const accuracy = {};
  for (const [name, rows] of Object.entries(vectors)) {
    const [near, line] = [byNeighbours(rows), byLine(rows)];
    accuracy[name] = { neighbours: near, linear: line };
    console.log(`${name.padEnd(14)}${near.toFixed(3).padStart(10)}  ${line.toFixed(3).padStart(6)}`);
  }
  if (values.out !== undefined) {
    mkdirSync(dirname(values.out), { recursive: true });
    const { steps, tokens, seconds, evalLoss, unigramEntropy } = trained ?? {};
    const result = { recipe: values.recipe, steps, tokens, seconds, evalLoss, unigramEntropy, accuracy };
    writeFileSync(values.out, `${JSON.stringify(result, null, 2)}\n`);
  }
} finally {
  rmSync(folder, { recursive: true, force: true });
}
