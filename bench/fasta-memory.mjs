// A bench of memory: the peak resident size while a separate process prepares a large FASTA file (default 2 GB, gzip or
// plain). It prints JSON.
//
//   node bench/fasta-memory.mjs [--gb 2] [--plain] [--giant]
//
// Run it after a build. It needs disk space for the file and removes the file. --giant puts two records of 100 million
// residues into the middle.
import { execFileSync } from "node:child_process";
import { createWriteStream, mkdtempSync, rmSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { pipeline } from "node:stream/promises";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { createGzip } from "node:zlib";
import { proteins } from "./random-proteins.mjs";

const { values } = parseArgs({
  options: {
    gb: { type: "string", default: "2" },
    plain: { type: "boolean", default: false },
    giant: { type: "boolean", default: false },
    file: { type: "string" },
    out: { type: "string" },
  },
});

if (values.file !== undefined) {
  const { prepareShards } = await import("@cloze/data/node");
  const { esm2 } = await import("@cloze/tokenizer-protein");
  const start = performance.now();
  const { index } = await prepareShards({ files: [values.file], tokenizer: esm2(), out: values.out });
  const { records, residues } = index.counts;
  console.log(
    JSON.stringify({
      peakMb: Math.round(process.resourceUsage().maxRSS / 1024),
      seconds: (performance.now() - start) / 1000,
      records,
      residues,
    }),
  );
} else {
  const folder = mkdtempSync(join(tmpdir(), "cloze-memory-"));
  const file = join(folder, values.plain ? "big.fasta" : "big.fasta.gz");
  let text = 0;
  const content = function* () {
    const counted = function* (chunks) {
      for (const chunk of chunks) {
        text += chunk.length;
        yield chunk;
      }
    };
    const residues = (Number(values.gb) * 1e9) / 1.33; // headers and line ends are the rest
    yield* counted(proteins(residues / 2, { seed: 1 }));
    if (values.giant) {
      for (let n = 0; n < 2; n++)
        yield* counted([
          Buffer.from(`>giant${n}\n`),
          ...Array(100).fill(Buffer.from(`${"ACDEFGHIKL".repeat(100_000)}\n`)),
        ]);
    }
    yield* counted(proteins(residues / 2, { seed: 2 }));
  };
  try {
    await pipeline(content(), ...(values.plain ? [] : [createGzip({ level: 1 })]), createWriteStream(file));
    const line = execFileSync(
      process.execPath,
      [fileURLToPath(import.meta.url), "--file", file, "--out", join(folder, "out")],
      { encoding: "utf8" },
    );
    const result = JSON.parse(line);
    console.log(
      JSON.stringify({
        node: process.version,
        textMb: Math.round(text / 1e6),
        fileMb: Math.round(statSync(file).size / 1e6),
        ...result,
        mbPerSecond: Math.round(text / 1e6 / result.seconds),
      }),
    );
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}
