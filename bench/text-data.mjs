// A bench of text data: throughput and peak memory of reading text and of preparing shards from it. Each format runs in
// its own process. It prints JSON lines.
//
//   node bench/text-data.mjs [--mb 500] [--formats text,jsonl,csv,parquet] [--dedup]
//
// Run it after a build. It needs twice --mb of disk space. MB are those of the file; the uncompressed text of a Parquet
// file is about twice as large. peakMb is the largest resident size of the process.
import { execFileSync } from "node:child_process";
import { createWriteStream, mkdtempSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Readable } from "node:stream";
import { pipeline } from "node:stream/promises";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";

const { values } = parseArgs({
  options: {
    mb: { type: "string", default: "500" },
    formats: { type: "string", default: "text,jsonl,csv,parquet" },
    dedup: { type: "boolean", default: false },
    file: { type: "string" },
    out: { type: "string" },
    vocab: { type: "string" },
  },
});

let state = 1;
const draw = (below) => ((state = (Math.imul(state, 1664525) + 1013904223) >>> 0) >>> 8) % below;
const words = Array.from({ length: 20_000 }, (_, i) =>
  Array.from({ length: 2 + (i % 9) }, () => String.fromCharCode(97 + draw(26))).join(""),
);

/** A document of 1 to 12 sentences. Some words are more frequent than others, as in a language. */
const document = () =>
  Array.from({ length: 1 + draw(12) }, () => {
    const chosen = Array.from({ length: 5 + draw(25) }, () => words[Math.floor(draw(1000) ** 2 / 50 / (1 + draw(8)))]);
    return `${chosen.join(" ")}.`;
  });

const WRITERS = {
  text: (sentences) => `${sentences.join("\n")}\n\n`,
  jsonl: (sentences) => `${JSON.stringify({ id: draw(1e6), text: sentences.join("\n") })}\n`,
  csv: (sentences) => `${draw(1e6)},"${sentences.join("\n")}"\n`,
};

async function* chunks(format, bytes) {
  if (format === "csv") yield "id,text\n";
  for (let written = 0; written < bytes;) {
    let chunk = "";
    while (chunk.length < 1 << 20) chunk += WRITERS[format](document());
    written += chunk.length;
    yield chunk;
  }
}

async function writeParquet(file, bytes) {
  const { parquetWriteBuffer } = await import("hyparquet-writer");
  const texts = [];
  for (let written = 0; written < bytes;) {
    const text = document().join("\n");
    texts.push(text);
    written += text.length;
  }
  writeFileSync(
    file,
    new Uint8Array(parquetWriteBuffer({ columnData: [{ name: "text", data: texts }], rowGroupSize: 10_000 })),
  );
}

if (values.file !== undefined) {
  const { prepareDocuments, readDocuments, resolveSources } = await import("@cloze/data/node");
  const sources = await resolveSources([values.file]);
  const peakMb = () => Math.round(process.resourceUsage().maxRSS / 1024);
  const mb = sources[0].bytes / 1e6;
  const read = performance.now();
  const reader = readDocuments(sources[0]);
  for await (const batch of reader.batches()) void batch;
  const readSeconds = (performance.now() - read) / 1000;
  const readPeakMb = peakMb();
  const { wordPieceFromFiles } = await import("@cloze/tokenizer-wordpiece");
  const { readFileSync } = await import("node:fs");
  const tokenizer = wordPieceFromFiles({ "vocab.txt": readFileSync(values.vocab, "utf8") });
  const prepare = performance.now();
  const { index } = await prepareDocuments({ sources, tokenizer, out: values.out, filter: { dedup: values.dedup } });
  const seconds = (performance.now() - prepare) / 1000;
  const tokens = Object.values(index.splits).reduce((n, split) => n + split.tokens, 0);
  console.log(
    JSON.stringify({
      mb: Math.round(mb),
      documents: index.counts.records,
      readMbPerSecond: Math.round(mb / readSeconds),
      readPeakMb,
      prepareMbPerSecond: +(mb / seconds).toFixed(1),
      tokensPerSecond: Math.round(tokens / seconds),
      preparePeakMb: peakMb(),
    }),
  );
} else {
  const folder = mkdtempSync(join(tmpdir(), "cloze-text-"));
  const vocab = join(folder, "vocab.txt");
  const letters = "abcdefghijklmnopqrstuvwxyz".split("");
  writeFileSync(
    vocab,
    [
      ...new Set([
        "[PAD]",
        "[UNK]",
        "[CLS]",
        "[SEP]",
        "[MASK]",
        ".",
        ...letters,
        ...letters.map((letter) => `##${letter}`),
        ...words.slice(0, 12_000),
      ]),
    ].join("\n"),
  );
  try {
    for (const format of values.formats.split(",")) {
      const file = join(folder, `data.${format === "text" ? "txt" : format}`);
      const bytes = Number(values.mb) * 1e6;
      if (format === "parquet") await writeParquet(file, bytes);
      else await pipeline(Readable.from(chunks(format, bytes)), createWriteStream(file));
      const line = execFileSync(
        process.execPath,
        [
          ...process.execArgv,
          fileURLToPath(import.meta.url),
          "--file",
          file,
          "--out",
          join(folder, format),
          "--vocab",
          vocab,
          ...(values.dedup ? ["--dedup"] : []),
        ],
        { encoding: "utf8" },
      );
      console.log(
        JSON.stringify({
          node: process.version,
          format,
          fileMb: Math.round(statSync(file).size / 1e6),
          ...JSON.parse(line),
        }),
      );
      rmSync(file);
    }
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}
