// A bench of preparing protein sets at scale: throughput and peak memory for plain FASTA, gzip FASTA, Parquet, and
// plain FASTA by two processes. It prints JSON lines. It writes bench/results/data-prepare.json with the hours and
// dollars that 393 G residues would take.
//
//   node bench/data-prepare.mjs [--gb 5] [--cases fasta,fasta-2,gzip,parquet] [--dollars 0.05] [--note TEXT]
//
// Run it after a build. --gb is the size of the text. --dollars is the price of one core for one hour. --lines FILE
// adds the printed lines of earlier calls to the results. The temporary folder needs four times the size and is
// removed.
//
//   hours = 393e9 / (residues per second) / 3600              wall clock, on the machine as busy as it was
//   core hours = 393e9 / (residues per core second) / 3600    processor time of all threads and processes
//   dollars = core hours * (dollars per core and hour)
//
// The times include reading from the disk but not downloading.
import { spawn } from "node:child_process";
import { once } from "node:events";
import {
  closeSync,
  createReadStream,
  createWriteStream,
  mkdirSync,
  mkdtempSync,
  openSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
  writeSync,
} from "node:fs";
import { cpus, loadavg, tmpdir } from "node:os";
import { join } from "node:path";
import { pipeline } from "node:stream/promises";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { createGzip } from "node:zlib";
import { proteins } from "./random-proteins.mjs";

const BFD_RESIDUES = 393e9; // ProtTrans: BFD has 2.1 G sequences of 393 G residues
const { values } = parseArgs({
  options: {
    gb: { type: "string", default: "5" },
    cases: { type: "string", default: "fasta,fasta-2,gzip,parquet" },
    dollars: { type: "string", default: "0.05" },
    note: { type: "string", default: "" },
    tmp: { type: "string", default: tmpdir() },
    file: { type: "string" },
    out: { type: "string" },
    rank: { type: "string" },
    lines: { type: "string" },
  },
});

if (values.file !== undefined) {
  const { prepareDocuments, prepareParts, prepareShards, resolveSources } = await import("@cloze/data/node");
  const { esm2 } = await import("@cloze/tokenizer-protein");
  const sources = await resolveSources([values.file]);
  const common = { tokenizer: esm2(), out: values.out };
  if (values.rank !== undefined)
    await prepareParts({ ...common, sources, rank: Number(values.rank), world: 2, partBytes: 2.5e8 });
  else if (sources[0].format === "parquet") await prepareDocuments({ ...common, sources });
  else await prepareShards({ ...common, files: [values.file] });
  const { maxRSS, userCPUTime, systemCPUTime } = process.resourceUsage();
  console.log(JSON.stringify({ peakMb: Math.round(maxRSS / 1024), cpuSeconds: (userCPUTime + systemCPUTime) / 1e6 }));
} else {
  const earlier =
    values.lines === undefined
      ? []
      : readFileSync(values.lines, "utf8")
          .trim()
          .split("\n")
          .map((line) => JSON.parse(line));
  const folder = mkdtempSync(join(values.tmp, "cloze-prepare-"));
  const fasta = join(folder, "data.fasta");
  const bytes = Number(values.gb) * 1e9;
  const results = [...earlier];
  try {
    // The file repeats a block of about 50 MB, so that generating it takes no longer than reading it.
    const block = Buffer.concat([...proteins(4e7, { seed: 1 })]);
    const sequences = [];
    const descriptor = openSync(fasta, "w");
    for (const record of block.toString("latin1").split(">").slice(1)) {
      const end = record.indexOf("\n");
      sequences.push([record.slice(0, record.indexOf(" ")), record.slice(end + 1).replaceAll("\n", "")]);
    }
    const perBlock = sequences.reduce((n, [, sequence]) => n + sequence.length, 0);
    const blocks = Math.ceil(bytes / block.length);
    const residues = blocks * perBlock;
    for (let i = 0; i < blocks; i++) for (let at = 0; at < block.length;) at += writeSync(descriptor, block, at);
    closeSync(descriptor);
    for (const which of values.cases.split(",").filter((each) => each !== "")) {
      let file = fasta;
      if (which === "gzip")
        await pipeline(createReadStream(fasta), createGzip({ level: 1 }), createWriteStream((file = `${fasta}.gz`)));
      if (which === "parquet") await writeParquet((file = join(folder, "data.parquet")), sequences, blocks);
      const out = join(folder, which);
      const started = performance.now();
      const load = loadavg()[0];
      mkdirSync(out);
      const done = await Promise.all(
        (which === "fasta-2" ? ["0", "1"] : [undefined]).map((rank) =>
          child(["--file", file, "--out", out, ...(rank === undefined ? [] : ["--rank", rank])]),
        ),
      );
      const seconds = (performance.now() - started) / 1000;
      const cpuSeconds = done.reduce((n, each) => n + each.cpuSeconds, 0);
      const perSecond = residues / seconds;
      const coreHours = BFD_RESIDUES / (residues / cpuSeconds) / 3600;
      results.push({
        case: which,
        fileMb: Math.round(statSync(file).size / 1e6),
        residues,
        seconds: +seconds.toFixed(1),
        residuesPerSecond: Math.round(perSecond),
        peakMb: done.map(({ peakMb }) => peakMb),
        residuesPerCoreSecond: Math.round(residues / cpuSeconds),
        cores: +(cpuSeconds / seconds).toFixed(2),
        loadBefore: load,
        hoursFor393G: +(BFD_RESIDUES / perSecond / 3600).toFixed(1),
        coreHoursFor393G: +coreHours.toFixed(1),
        dollarsFor393G: +(coreHours * Number(values.dollars)).toFixed(2),
      });
      console.log(JSON.stringify(results.at(-1)));
      rmSync(out, { recursive: true });
      if (file !== fasta) rmSync(file);
    }
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
  const machine = { node: process.version, cpu: cpus()[0]?.model, cores: cpus().length };
  writeFileSync(
    fileURLToPath(new URL("./results/data-prepare.json", import.meta.url)),
    `${JSON.stringify(
      { ...machine, note: values.note, dollarsPerCoreHour: Number(values.dollars), results },
      null,
      2,
    )}\n`,
  );
}

async function child(args) {
  const running = spawn(process.execPath, [...process.execArgv, fileURLToPath(import.meta.url), ...args], {
    stdio: ["ignore", "pipe", "inherit"],
  });
  let text = "";
  running.stdout.on("data", (chunk) => {
    text += chunk;
  });
  const [code] = await once(running, "close");
  if (code !== 0) throw new Error(`expected the preparation to end well, got exit code ${code}.`);
  return JSON.parse(text);
}

/** Writes a Parquet file of id and sequence, as in published sets. Each row group is one block. */
async function writeParquet(file, sequences, blocks) {
  const { ParquetWriter, fileWriter, schemaFromColumnData } = await import("hyparquet-writer");
  const columnData = [
    { name: "id", data: sequences.map(([id]) => id) },
    { name: "sequence", data: sequences.map(([, sequence]) => sequence) },
  ];
  const writer = new ParquetWriter({ writer: fileWriter(file), schema: schemaFromColumnData({ columnData }) });
  for (let i = 0; i < blocks; i++) await writer.write({ columnData, rowGroupSize: sequences.length });
  await writer.finish();
}
