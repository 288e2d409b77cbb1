/**
 * The keys of measurements. A measurement is valid for one class of products, one device and one version of the
 * templates. A class rounds sizes up to powers of two, so that batches of 1,000 and of 1,024 tokens share it.
 * Properties that change the kernel (layout, type, counts, row sums) stay exact.
 */
import type { MatmulSpec } from "../matmul-spec.ts";

/** Increase this number when a change of templates makes old measurements wrong. */
export const templatesVersion = 1;

/** An adapter's description of itself. */
export interface DeviceWords {
  readonly vendor: string;
  readonly architecture: string;
  readonly device: string;
  readonly description: string;
}

const bucket = (n: number): number => 2 ** Math.ceil(Math.log2(n));

/** The class of a product: `NT f32 b1 m1024 n256 k256 p3 t1 sums`. */
export function shapeClass(spec: MatmulSpec): string {
  const { batch, m, n, k, transposeA, transposeB, element, problems } = spec;
  const terms = problems.reduce((most, p) => Math.max(most, p.terms.length), 0);
  const sums = problems.some((p) => p.rowSums !== undefined) ? " sums" : "";
  return (
    `${transposeA ? "T" : "N"}${transposeB ? "T" : "N"} ${element} b${bucket(batch)} m${bucket(m)} n${bucket(n)} ` +
    `k${bucket(k)} p${problems.length} t${terms}${sums}`
  );
}

/** Adapter and driver: the first part of every key, and, with safe characters, the name of a cache file. */
export const deviceKey = ({ vendor, architecture, device, description }: DeviceWords): string =>
  `v${templatesVersion}|${[vendor, architecture, device, description].join("|")}`;

export const tileKey = (words: DeviceWords, spec: MatmulSpec): string => `${deviceKey(words)}|${shapeClass(spec)}`;
