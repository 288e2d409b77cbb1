/**
 * A bench of @cloze/tokenizer-wordpiece: MB/s on one thread from text to ids and offsets, compared with
 * @huggingface/tokenizers and, with `--native`, the native `tokenizers`.
 *
 * Run: node bench/tokenizers.mjs [--corpus FILE] [--vocabulary DIR] [--native DIR] [--write], after a build. The DIR of
 * the vocabulary holds vocab.txt or tokenizer.json; the DIR of the native peer is its installed package. Without these
 * options the bench makes up a corpus and trains a vocabulary on it. All tokenizers get the same lines. First the ids
 * (and the native offsets) are compared line by line; a difference ends the run.
 *
 * Rounds take turns, so that a busy machine disturbs all. MB/s are bytes of UTF-8 per second of processor time.
 * "first" is the first pass of a new tokenizer, whose word cache is empty. "peak" is the largest resident memory (on
 * Linux) of a process that runs this contestant alone, twice, without the comparison (`--alone NAME`); every process
 * also holds the corpus and our tokenizer, whose files the peers read. `--write` writes the table to
 * bench/results/tokenizers.json.
 */
import { execFileSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { cpus, tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { Tokenizer as Peer } from "@huggingface/tokenizers";
import { wordPiece, wordPieceFromFiles } from "@cloze/tokenizer-wordpiece";
import { WordCounter, trainVocabulary } from "@cloze/tokenizer-wordpiece/train";

process.env.TOKENIZERS_PARALLELISM = "false";
const ROUNDS = 9;
const {
  values: { corpus, vocabulary, native, write, alone },
} = parseArgs({
  options: {
    corpus: { type: "string" },
    vocabulary: { type: "string" },
    native: { type: "string" },
    write: { type: "boolean", default: false },
    alone: { type: "string" },
  },
});

const text = corpus === undefined ? madeUp() : readFileSync(corpus, "utf8");
const lines = text.split("\n").filter((line) => line.trim() !== "");
const bytes = lines.reduce((sum, line) => sum + Buffer.byteLength(line), 0);
const files = vocabulary === undefined ? trained() : readFiles(vocabulary);
const started = cpuMs();
const ours = wordPieceFromFiles(files);
const loadMs = cpuMs() - started;
const json = ours.files()["tokenizer.json"];
const theirs =
  alone === undefined || alone.startsWith("@huggingface")
    ? new Peer(JSON.parse(json), JSON.parse(ours.files()["tokenizer_config.json"]))
    : undefined;
const nativePeer =
  native === undefined || !(alone ?? "native").startsWith("native")
    ? undefined
    : createRequire(import.meta.url)(resolve(native)).Tokenizer.fromString(json);

for (const line of alone === undefined ? lines : []) {
  const { ids } = ours.encode(line, { special: false });
  const peer = theirs.encode(line, { add_special_tokens: false }).ids;
  same(line, "ids", ids, peer);
  same(line, "encodeIds", ours.encodeIds(line), peer);
}
if (nativePeer !== undefined && alone === undefined) {
  const all = await nativePeer.encodeBatch(lines, { addSpecialTokens: false });
  for (const [i, line] of lines.entries()) {
    const { ids, offsets, words } = ours.encode(line, { special: false });
    const at = [0];
    for (const character of line) at.push(at.at(-1) + character.length);
    same(line, "native ids", ids, all[i].getIds());
    same(
      line,
      "native offsets",
      offsets,
      all[i]
        .getOffsets()
        .flat()
        .map((o) => at[o]),
    );
    same(line, "native words", words, all[i].getWordIds());
  }
}

const fresh = wordPieceFromFiles(files);
const runs = {
  "cloze encodeIds": () => {
    let n = 0;
    for (const line of lines) n += ours.encodeIds(line).length;
    return n;
  },
  "cloze encode (offsets, words, types)": () => {
    let n = 0;
    for (const line of lines) n += ours.encode(line).ids.length;
    return n;
  },
  "@huggingface/tokenizers encode": () => {
    let n = 0;
    for (const line of lines) n += theirs.encode(line).ids.length;
    return n;
  },
  ...(nativePeer === undefined
    ? {}
    : { "native tokenizers encodeBatch": async () => (await nativePeer.encodeBatch(lines)).length }),
};
if (alone !== undefined) {
  for (let round = 0; round < 2; round++) await runs[alone]();
  // Not maxRSS, which a process takes over from the process that started it.
  const [, kibibytes] = /VmHWM:\s+(\d+)/.exec(readFileSync("/proc/self/status", "utf8")) ?? [];
  console.log(JSON.stringify({ peakBytes: Number(kibibytes) * 1024 }));
  process.exit();
}
const first = await rate(() => {
  for (const line of lines) fresh.encodeIds(line);
});
const rates = Object.fromEntries(Object.keys(runs).map((name) => [name, []]));
for (let round = 0; round <= ROUNDS; round++)
  for (const [name, run] of Object.entries(runs)) {
    const speed = await rate(run);
    if (round > 0) rates[name].push(speed);
  }

const rows = Object.entries(rates).map(([name, all]) => {
  const sorted = all.toSorted((a, b) => a - b);
  return {
    name,
    medianMbPerS: round2(sorted[sorted.length >> 1]),
    bestMbPerS: round2(sorted.at(-1)),
    worstMbPerS: round2(sorted[0]),
    peakMiB: Math.round(peakOf(name) / 2 ** 20),
  };
});
const median = (name) => rows.find((row) => row.name === name).medianMbPerS;
const peer = median("@huggingface/tokenizers encode");
const ratios = {
  ids: round2(median("cloze encodeIds") / peer),
  firstPass: round2(first / peer),
  offsets: round2(median("cloze encode (offsets, words, types)") / peer),
};
const what =
  `${corpus === undefined ? "a made-up corpus" : corpus.split(/[\\/]/).at(-1)}, ${(bytes / 1e6).toFixed(2)} MB in ` +
  `${lines.length} lines; ${ours.vocabulary.length} tokens`;
console.log(
  `${cpus()[0]?.model ?? "unknown processor"}, node ${process.versions.node}; ${what}; ids equal on every line`,
);
console.log(`${"MB/s".padEnd(44)} median     best    worst  peak MiB`);
for (const { name, medianMbPerS, bestMbPerS, worstMbPerS, peakMiB } of rows)
  console.log(
    name.padEnd(40),
    ...[medianMbPerS, bestMbPerS, worstMbPerS].map((n) => n.toFixed(1).padStart(8)),
    String(peakMiB).padStart(8),
  );
console.log(
  `${"cloze encodeIds, first pass".padEnd(40)} ${first.toFixed(1).padStart(8)}   after ${loadMs.toFixed(0)} ms to load`,
);
console.log(
  `ratio to @huggingface/tokenizers: ${ratios.ids} x for ids, ${ratios.firstPass} x on the first pass, ` +
    `${ratios.offsets} x with offsets`,
);
if (write) {
  const result = {
    bench: "tokenizers",
    cpu: cpus()[0]?.model,
    node: process.version,
    date: new Date().toISOString(),
    corpus: what,
    rounds: ROUNDS,
    equal: true,
    rows,
    firstPassMbPerS: round2(first),
    loadMs: Math.round(loadMs),
    ratios,
  };
  writeFileSync(new URL("results/tokenizers.json", import.meta.url), `${JSON.stringify(result, null, 2)}\n`);
}

/** Bytes at most of a process that runs one contestant. It reads the vocabulary, so that it trains none. */
function peakOf(name) {
  const folder = mkdtempSync(join(tmpdir(), "cloze-tokenizers-"));
  for (const [file, content] of Object.entries(ours.files())) writeFileSync(join(folder, file), content);
  const given = Object.entries({ corpus, vocabulary: folder, native }).flatMap(([key, value]) =>
    value === undefined ? [] : [`--${key}`, value],
  );
  try {
    const said = execFileSync(process.execPath, [fileURLToPath(import.meta.url), ...given, "--alone", name]);
    return JSON.parse(said.toString()).peakBytes;
  } finally {
    rmSync(folder, { recursive: true });
  }
}

function cpuMs() {
  const { user, system } = process.cpuUsage();
  return (user + system) / 1e3;
}

async function rate(run) {
  const from = cpuMs();
  await run();
  return bytes / 1e3 / (cpuMs() - from);
}

function round2(n) {
  return Math.round(n * 100) / 100;
}

function same(line, what, a, b) {
  if (Array.from(a).join() !== Array.from(b).join())
    throw new Error(`${what} differ on ${JSON.stringify(line.slice(0, 200))}: the comparison would be void`);
}

function readFiles(dir) {
  const found = {};
  for (const file of ["tokenizer.json", "vocab.txt", "tokenizer_config.json", "special_tokens_map.json"]) {
    try {
      found[file] = readFileSync(join(dir, file), "utf8");
    } catch (error) {
      if (error.code !== "ENOENT") throw error;
    }
  }
  return found;
}

function trained() {
  const counter = new WordCounter();
  counter.add(text);
  return wordPiece({ vocabulary: trainVocabulary(counter.words(), { size: 8000 }) }).files();
}

/**
 * Two megabytes of words made from syllables, with word frequencies as in a language (Zipf), and with capitals,
 * accents, numbers, punctuation and some Chinese.
 */
function madeUp() {
  let state = 7;
  const below = (n) => (state = (state * 48271) % 2147483647) % n;
  const pick = (list) => list[below(list.length)];
  const syllables = [
    "an",
    "ber",
    "co",
    "de",
    "ed",
    "er",
    "fin",
    "gra",
    "he",
    "in",
    "ing",
    "ka",
    "lo",
    "mi",
    "na",
    "or",
    "pre",
    "qui",
    "ré",
    "st",
    "ti",
    "un",
    "ver",
    "ou",
    "xy",
    "ür",
  ];
  const words = Array.from({ length: 20_000 }, () =>
    Array.from({ length: 1 + below(4) }, () => pick(syllables)).join(""),
  );
  const word = () => {
    const rank = Math.floor(Math.exp((below(1e6) / 1e6) * Math.log(words.length))) - 1;
    const chosen = words[rank];
    const kind = below(60);
    return kind === 0
      ? String(below(3000))
      : kind === 1
        ? `${chosen}'s`
        : kind === 2
          ? "漢字"
          : kind < 9
            ? chosen[0].toUpperCase() + chosen.slice(1)
            : chosen;
  };
  let made = "";
  while (made.length < 2e6) {
    for (let n = 5 + below(60); n > 0; n--)
      made += word() + pick([" ", " ", " ", " ", " ", " ", ", ", ". ", " - ", "; "]);
    made += "\n";
  }
  return made;
}
