/** `cloze data inspect`: what FASTA files or token shards hold: sequences, lengths, residues, and the loss of knowing frequencies only. */
import type { Contents, Inspection } from "@cloze/data/node";
import { stat } from "node:fs/promises";
import { command, type Command } from "../command.ts";
import { bytes, columns, counted, integer } from "../output.ts";

export const dataInspect: Command = command({
  arguments: { name: "FILE…", help: "FASTA files, plain or gzip, or NAME.json of token shards", min: 1, max: Infinity },
  options: {},
  examples: [
    { does: "Before training on a file", line: "cloze data inspect proteins.fasta" },
    { does: "Shards: checksums are compared too", line: "cloze data inspect shards/tokens.json --json" },
  ],
  async run({ args, path, status, print }) {
    const { inspect } = await import("@cloze/data/node"), results: Inspection[] = [];
    for (const [i, file] of args.entries()) {
      const line = status(), full = path(file), size = (await stat(full).catch(() => undefined))?.size ?? 0;
      const result = await inspect(full, { onRead: (read) => line.update(size === 0 ? 0 : read / size, file) }).finally(() => line.finish());
      results.push(result);
      if (i > 0) print("");
      for (const text of describe(file, size, result)) print(text);
    }
    return { json: { files: results } };
  },
});

function describe(file: string, size: number, result: Inspection): readonly string[] {
  if (result.kind === "fasta") {
    const { empty, unnamed, comments } = result.report;
    const odd = [empty > 0 ? `${integer(empty)} without residues` : "", unnamed > 0 ? `${integer(unnamed)} without a name` : "", comments > 0 ? counted(comments, "comment line") : ""].filter((text) => text !== "");
    return [`${file}: FASTA, ${bytes(size)}`, ...contents(result.contents), ...(odd.length > 0 ? [`  note       ${odd.join(", ")}`] : [])];
  }
  const { index, splits } = result, { tokenizer, splitRule } = index;
  return [
    `${file}: token shards of ${tokenizer.name} (${tokenizer.vocabularySize} tokens, ${index.dtype}), checksums match`,
    `  split by content: seed ${splitRule.seed}, valid ${splitRule.valid}, test ${splitRule.test}`,
    ...Object.entries(splits).flatMap(([split, held]) => ["", `${split}: ${counted(index.splits[split]?.shards.length ?? 0, "shard")}`, ...(held.sequences === 0 ? ["  empty"] : contents(held))]),
  ];
}

function contents({ sequences, residues, lengths, histogram, standardResidues, unigramEntropy }: Contents): readonly string[] {
  const shares = Object.entries(histogram).map(([name, count]) => [name.trim() === "" ? JSON.stringify(name) : name, (100 * count) / Math.max(1, residues)] as const);
  const cells = shares.map(([name, share]) => `${name} ${share >= 0.01 ? share.toFixed(2) : share.toExponential(0)}%`);
  const rows: (readonly string[])[] = [];
  for (let at = 0; at < cells.length; at += 7) rows.push(Array.from({ length: 7 }, (_, i) => cells[at + i] ?? ""));
  const length = (value: number): string => (Number.isInteger(value) ? integer(value) : value.toFixed(1));
  return [
    `  sequences  ${integer(sequences)}`,
    `  residues   ${integer(residues)}, ${residues === 0 ? "0.00" : ((100 * standardResidues) / residues).toFixed(2)}% of the twenty standard ones`,
    `  lengths    min ${length(lengths.min)}, 5% ${length(lengths.p05)}, median ${length(lengths.median)}, mean ${lengths.mean.toFixed(1)}, 95% ${length(lengths.p95)}, max ${length(lengths.max)}`,
    `  entropy    ${unigramEntropy.toFixed(4)} nats a residue: the loss of a model that knows frequencies only`,
    ...columns(rows).map((row, i) => `  ${i === 0 ? "shares   " : "         "}  ${row}`),
  ];
}
