/** The progress of `cloze embed`: how much is computed, at what rate, and when the rest will be. */
import type { EmbedProgress } from "@cloze/inference";
import { formatCount, formatDuration } from "@cloze/trainer";
import { integer } from "./output.ts";
import type { Status } from "./status-line.ts";

export interface EmbedTotals {
  readonly texts: number;
  readonly residues: number;
  /** The name of a token in the plural: `residues`. */
  readonly noun: string;
}

/** Amounts per second, as `12.3/s, 4.56k residues/s`. */
export function ratesInWords({ texts, residues, noun }: EmbedTotals, seconds: number): string {
  const rate = texts / seconds;
  const shownRate = rate < 100 ? rate.toPrecision(2) : integer(Math.round(rate));
  return `${shownRate}/s  ${formatCount(residues / seconds)} ${noun}/s`;
}

/** A listener that shows `120/5,500  12/s  4.56k residues/s  ETA 7m 30s`. The time counts from this call. */
export function showEmbedProgress(
  line: Status,
  totals: EmbedTotals,
  now: () => number = () => performance.now() / 1000,
): (progress: EmbedProgress) => void {
  const started = now();
  return ({ texts, residues }) => {
    const seconds = Math.max(1e-3, now() - started);
    const share = residues / totals.residues;
    line.update(
      share,
      `${integer(texts)}/${integer(totals.texts)}  ${ratesInWords({ ...totals, texts, residues }, seconds)}  ` +
        `ETA ${formatDuration((seconds * (1 - share)) / share)}`,
    );
  };
}
