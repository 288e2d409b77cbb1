// A bench of the conversion of FASTA.gz to token shards, in MB of decompressed text a second, compared with other FASTA
// readers in Node. It prints JSON.
//
//   node bench/fasta.mjs [--file some.fasta.gz] [--residues 200000000] [--runs 3]       (after a build)
//
// Without --file it makes a file of random proteins with UniRef-like headers and lengths. Each contestant runs in its
// own process, in turn, `runs` times; the best time counts. Contestants:
//   gunzip            inflating only: the upper limit of one stream
//   cloze-shards      prepareShards: inflate, parse, hash, split, encode, write, sync
//   cloze-shards-raw  the same from plain text
//   cloze-parse       readFasta batches
//   readline-parse    the reader of node's own documentation: lines as strings, headers, joined sequences
//   readline-tokens   the same, with ids from a Map of characters in a Uint8Array; tokens stay in memory
import { execFileSync } from "node:child_process";
import { createReadStream, createWriteStream, mkdtempSync, rmSync, statSync } from "node:fs";
import { cpus, tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { pipeline } from "node:stream/promises";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { createGunzip, createGzip } from "node:zlib";
import { proteins } from "./random-proteins.mjs";

const { values } = parseArgs({
  options: {
    file: { type: "string" },
    residues: { type: "string", default: "200000000" },
    runs: { type: "string", default: "3" },
    only: { type: "string" },
    out: { type: "string" },
  },
});

const contestants = {
  async gunzip(file) {
    for await (const chunk of createReadStream(file, { highWaterMark: 1 << 18 }).pipe(
      createGunzip({ chunkSize: 1 << 20 }),
    ))
      void chunk;
  },
  "cloze-shards": prepare,
  "cloze-shards-raw": prepare,
  async "cloze-parse"(file) {
    const { readFasta } = await import("@cloze/data/node");
    let records = 0;
    for await (const batch of readFasta(file).batches()) records += batch.count;
    return { records };
  },
  async "readline-parse"(file) {
    let records = 0;
    let residues = 0;
    for await (const { sequence } of byLines(file)) {
      records++;
      residues += sequence.length;
    }
    return { records, residues };
  },
  async "readline-tokens"(file) {
    const { esm2 } = await import("@cloze/tokenizer-protein");
    const { vocabulary } = esm2();
    const ids = new Map(vocabulary.map((token, id) => [token, id]));
    let tokens = 0;
    for await (const { sequence } of byLines(file))
      tokens += Uint8Array.from(sequence, (residue) => ids.get(residue) ?? 3).length + 2;
    return { tokens };
  },
};

async function prepare(file) {
  const { prepareShards } = await import("@cloze/data/node");
  const { esm2 } = await import("@cloze/tokenizer-protein");
  const { index } = await prepareShards({
    files: [file],
    tokenizer: esm2(),
    out: values.out,
    split: { seed: 0, valid: 0.005, test: 0.005 },
  });
  return { records: index.counts.records, residues: index.counts.residues };
}

async function* byLines(file) {
  const source = createReadStream(file);
  const lines = createInterface({ input: file.endsWith(".gz") ? source.pipe(createGunzip()) : source });
  let header;
  let parts = [];
  for await (const line of lines) {
    if (!line.startsWith(">")) parts.push(line);
    else {
      if (header !== undefined) yield { header, sequence: parts.join("") };
      header = line.slice(1);
      parts = [];
    }
  }
  if (header !== undefined) yield { header, sequence: parts.join("") };
}

if (values.only !== undefined) {
  const start = performance.now();
  const result = await contestants[values.only](values.file);
  const seconds = (performance.now() - start) / 1000;
  console.log(JSON.stringify({ seconds, peakMb: Math.round(process.resourceUsage().maxRSS / 1024), ...result }));
} else {
  const folder = mkdtempSync(join(tmpdir(), "cloze-bench-"));
  try {
    const zipped = values.file ?? join(folder, "random.fasta.gz");
    const plain = join(folder, "plain.fasta");
    if (values.file === undefined)
      await pipeline(proteins(Number(values.residues)), createGzip({ level: 6 }), createWriteStream(zipped));
    await pipeline(createReadStream(zipped), createGunzip({ chunkSize: 1 << 20 }), createWriteStream(plain));
    const textMb = statSync(plain).size / 1e6;
    const runs = {};
    for (let run = 0; run < Number(values.runs); run++) {
      for (const name of Object.keys(contestants)) {
        const out = join(folder, "out");
        const file = name.endsWith("-raw") ? plain : zipped;
        rmSync(out, { recursive: true, force: true });
        const line = execFileSync(
          process.execPath,
          [fileURLToPath(import.meta.url), "--only", name, "--file", file, "--out", out],
          { encoding: "utf8" },
        );
        (runs[name] ??= []).push(JSON.parse(line));
      }
    }
    const results = Object.fromEntries(
      Object.entries(runs).map(([name, all]) => {
        const seconds = Math.min(...all.map((one) => one.seconds));
        return [
          name,
          {
            mbPerSecond: Math.round(textMb / seconds),
            seconds: all.map((one) => Number(one.seconds.toFixed(2))),
            peakMb: Math.max(...all.map((one) => one.peakMb)),
          },
        ];
      }),
    );
    console.log(
      JSON.stringify(
        {
          node: process.version,
          cpu: cpus()[0]?.model,
          cores: cpus().length,
          textMb: Math.round(textMb),
          gzipMb: Math.round(statSync(zipped).size / 1e6),
          results,
        },
        null,
        2,
      ),
    );
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}
