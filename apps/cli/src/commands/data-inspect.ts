/**
 * The command `cloze data inspect`: shows the contents of sequence files, text files or token shards: documents,
 * lengths, tokens, and the entropy of the token frequencies (the loss of a model that knows only these frequencies).
 */
import type { Contents, DocumentInspection, Inspection, LengthSummary } from "@cloze/data/node";
import { stat } from "node:fs/promises";
import { command, type Command } from "../command.ts";
import { DATA_HELP, FILTER_OPTIONS, READING_OPTIONS, readingOf } from "../data-options.ts";
import { resolveData } from "../data-sources.ts";
import { bytes, columns, counted, innerStopsIn, integer } from "../output.ts";

export const dataInspect: Command = command({
  arguments: { name: "FILE…", option: "data", min: 0, max: Infinity },
  options: {
    data: { kind: "list", value: "FILE", required: true, help: DATA_HELP },
    ...READING_OPTIONS,
    dedup: { ...FILTER_OPTIONS.dedup, help: "count documents whose text was there before" },
  },
  examples: [
    { does: "Before training on a file", line: "cloze data inspect proteins.fasta" },
    { does: "Reviews in a column of a table", line: "cloze data inspect reviews.csv --field review --dedup" },
    { does: "Shards: checksums are compared too", line: "cloze data inspect shards/tokens.json --json" },
  ],
  async run({ options, path, status, print, io }) {
    const { inputOf, inspect, inspectDocuments } = await import("@cloze/data/node");
    const results: (Inspection | DocumentInspection)[] = [];
    for (const { name, shards, sources } of await resolveData({
      names: options.data,
      format: options.format,
      path,
      env: io.env,
      stdin: io.stdin,
      where: "",
    })) {
      for (const source of sources.length === 0 ? [undefined] : sources) {
        const line = status();
        const size = source?.bytes ?? (await stat(shards ?? "").catch(() => undefined))?.size ?? 0;
        const onRead = (read: number): void => line.update(size === 0 ? 0 : read / size, name);
        const reading =
          source === undefined || source.format === "fasta"
            ? inspect(shards ?? (source === undefined ? name : inputOf(source)), { onRead })
            : inspectDocuments(source, { ...readingOf(options, false), dedup: options.dedup, onRead });
        const result = await reading.finally(() => line.finish());
        if (results.length > 0) print("");
        results.push(result);
        const shown = sources.length > 1 || name === "-" ? (source?.name ?? name) : name;
        // Of a pipe only the text that came through it has a size.
        const total = size === 0 && result.kind !== "shards" ? result.report.bytes : size;
        for (const text of describe(shown, total, result)) print(text);
      }
    }
    return { json: { files: results } };
  },
});

function describe(file: string, size: number, result: Inspection | DocumentInspection): readonly string[] {
  if (result.kind === "text") return ofText(file, size, result);
  if (result.kind === "fasta") {
    const { empty, unnamed, comments } = result.report;
    const odd = [
      empty > 0 ? `${integer(empty)} without residues` : "",
      unnamed > 0 ? `${integer(unnamed)} without a name` : "",
      comments > 0 ? counted(comments, "comment line") : "",
      result.innerStops === undefined ? "" : innerStopsIn(result.innerStops),
    ].filter((text) => text !== "");
    return [
      `${file}: FASTA, ${bytes(size)}`,
      ...contents(result.contents),
      ...(odd.length > 0 ? [`  note       ${odd.join(", ")}`] : []),
    ];
  }
  const { index, splits } = result;
  const { tokenizer, splitRule } = index;
  return [
    `${file}: token shards, checksums match`,
    `  tokenizer ${tokenizer.name}, ${integer(tokenizer.vocabularySize)} tokens, stored as ${index.dtype}`,
    "hash" in splitRule
      ? `  split by content: seed ${splitRule.seed}, valid ${splitRule.valid}, test ${splitRule.test}`
      : `  split by row: ${integer(splitRule.heldOut)} held out, seeds ${splitRule.seeds.shuffle}, ` +
        `${splitRule.seeds.heldOut}, ${splitRule.seeds.halves}`,
    ...Object.entries(splits).flatMap(([split, held]) => {
      const shards = index.splits[split]?.shards ?? [];
      const sentences = shards.reduce((n, shard) => n + (shard.sentences?.count ?? 0), 0);
      return [
        "",
        `${split}: ${counted(shards.length, "shard")}`,
        ...(held.sequences === 0
          ? ["  empty"]
          : index.reading !== undefined && tokenizer.vocabularySize > 256
            ? ofTokens(held, sentences)
            : contents(held)),
      ];
    }),
  ];
}

const FORMAT_NAMES = {
  text: "text",
  jsonl: "JSONL",
  csv: "CSV",
  tsv: "TSV",
  parquet: "Parquet",
  fasta: "FASTA",
} as const;

function ofText(
  file: string,
  size: number,
  { format, report, lengths, sentenceLengths, duplicates }: DocumentInspection,
): readonly string[] {
  const notes = [
    report.empty > 0 ? `${integer(report.empty)} empty` : "",
    duplicates !== undefined ? counted(duplicates, "duplicate") : "",
    report.invalid > 0 ? `${counted(report.invalid, "invalid UTF-8 sequence")}` : "",
  ].filter((text) => text !== "");
  return [
    `${file}: ${FORMAT_NAMES[format]}, ${bytes(size)}`,
    `  documents  ${integer(report.records)}`,
    `  sentences  ${integer(report.sentences)}`,
    `  characters ${integer(report.characters)}`,
    `  documents' lengths in characters`,
    `    ${quantiles(lengths)}`,
    `  sentences' lengths in characters`,
    `    ${quantiles(sentenceLengths)}`,
    ...(notes.length > 0 ? [`  note       ${notes.join(", ")}`] : []),
  ];
}

/**
 * The lines for shards of a text vocabulary. They count different tokens, but list no shares by name: the tokens are
 * ids.
 */
function ofTokens({ sequences, residues, lengths, histogram }: Contents, sentences: number): readonly string[] {
  const counts = Object.values(histogram);
  const entropy = counts.reduce((sum, count) => sum - (count / residues) * Math.log(count / residues), 0);
  return [
    `  documents  ${integer(sequences)}`,
    `  sentences  ${integer(sentences)}`,
    `  tokens     ${integer(residues)}, ${integer(counts.length)} different ones`,
    `  lengths    ${quantiles(lengths)}`,
    `  entropy    ${entropy.toFixed(4)} nats a token: the loss of knowing frequencies only`,
  ];
}

const length = (value: number): string => (Number.isInteger(value) ? integer(value) : value.toFixed(1));
const quantiles = ({ min, p05, median, mean, p95, max }: LengthSummary): string =>
  `min ${length(min)}, 5% ${length(p05)}, median ${length(median)}, mean ${mean.toFixed(1)}, 95% ${length(p95)}, ` +
  `max ${length(max)}`;

function contents({
  sequences,
  residues,
  lengths,
  histogram,
  standardResidues,
  unigramEntropy,
}: Contents): readonly string[] {
  const shares = Object.entries(histogram).map(
    ([name, count]) =>
      [name.trim() === "" ? JSON.stringify(name) : name, (100 * count) / Math.max(1, residues)] as const,
  );
  const cells = shares.map(([name, share]) => `${name} ${share >= 0.01 ? share.toFixed(2) : share.toExponential(0)}%`);
  const rows: (readonly string[])[] = [];
  for (let at = 0; at < cells.length; at += 7) rows.push(Array.from({ length: 7 }, (_, i) => cells[at + i] ?? ""));
  return [
    `  sequences  ${integer(sequences)}`,
    `  residues   ${integer(residues)}, ` +
      `${residues === 0 ? "0.00" : ((100 * standardResidues) / residues).toFixed(2)}% of the twenty standard ones`,
    `  lengths    ${quantiles(lengths)}`,
    `  entropy    ${unigramEntropy.toFixed(4)} nats a residue: the loss of a model that knows frequencies only`,
    ...columns(rows).map((row, i) => `  ${i === 0 ? "shares   " : "         "}  ${row}`),
  ];
}
