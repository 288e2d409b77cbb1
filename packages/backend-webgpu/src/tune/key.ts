/**
 * What a measurement holds for: products of one class on one device with one version of the templates. Sizes are
 * rounded up to powers of two, so that the 1,000 and the 1,024 tokens of two batches share it; what changes the
 * kernel's nature (layout, type, counts, row sums) is kept.
 */
import type { MatmulSpec } from "../matmul-spec.ts";

/** Raised when templates change such that old measurements mislead. */
export const templatesVersion = 1;

/** What an adapter tells of itself. */
export interface DeviceWords {
  readonly vendor: string;
  readonly architecture: string;
  readonly device: string;
  readonly description: string;
}

const bucket = (n: number): number => 2 ** Math.ceil(Math.log2(n));

/** `NT f32 b1 m1024 n256 k256 p3 t1 sums`. */
export function shapeClass(spec: MatmulSpec): string {
  const { batch, m, n, k, transposeA, transposeB, element, problems } = spec;
  const terms = problems.reduce((most, p) => Math.max(most, p.terms.length), 0);
  const sums = problems.some((p) => p.rowSums !== undefined) ? " sums" : "";
  return (
    `${transposeA ? "T" : "N"}${transposeB ? "T" : "N"} ${element} b${bucket(batch)} m${bucket(m)} n${bucket(n)} ` +
    `k${bucket(k)} p${problems.length} t${terms}${sums}`
  );
}

/** Adapter and driver, as the first part of every key, and, made safe for it, as a file's name. */
export const deviceKey = ({ vendor, architecture, device, description }: DeviceWords): string =>
  `v${templatesVersion}|${[vendor, architecture, device, description].join("|")}`;

export const tileKey = (words: DeviceWords, spec: MatmulSpec): string => `${deviceKey(words)}|${shapeClass(spec)}`;
