/**
 * Chooses tiles by measuring: for each class of products, the fastest of the candidates whose result is the default
 * tile's. What is chosen never decides what is right: a tile with another result, or that the device refuses, is told
 * in the report and dropped.
 */
/// <reference types="@webgpu/types" />
import { tileCandidates, tileName, type Tile } from "../matmul/index.ts";
import type { PlainSizes } from "../matmul/run-part.ts";
import type { MatmulSpec } from "../matmul-spec.ts";
import type { Profile } from "../profile.ts";
import { tileKey, type DeviceWords } from "./key.ts";
import { fitting, openBench, tolerance } from "./measure.ts";
import type { TileCache } from "./tile-cache.ts";

export interface TuneOptions {
  /** Time for all measurements, compiling included. What it does not reach keeps its default tile. Default 20,000. */
  readonly budgetMs?: number;
  /** What to try, the tile to trust first. Default: `tileCandidates`. */
  readonly candidates?: (spec: MatmulSpec) => readonly [Tile, ...Tile[]];
  /** Hears each class as it is done. */
  readonly report?: (result: Tuned) => void;
}

export interface Tuned {
  readonly key: string;
  readonly tile: Tile;
  /** "cut short": the fastest of those that time was left for; not stored. */
  readonly from: "measured" | "cut short" | "cache" | "default";
  /** What was tried, the trusted one first; `refused` says why a tile cannot be taken. */
  readonly tried: readonly { readonly tile: Tile; readonly ms?: number; readonly refused?: string }[];
}

/** The stored tile of a spec, if the device still takes it: one of its candidates, with splits that k allows. */
export async function tunedTile(
  words: DeviceWords,
  profile: Profile,
  spec: MatmulSpec,
  cache: TileCache,
): Promise<Tile | undefined> {
  const tile = await cache.get(tileKey(words, spec));
  if (tile === undefined) return undefined;
  const form = (t: Tile): string =>
    JSON.stringify(Object.entries({ ...t, splits: 1 }).toSorted(([x], [y]) => (x < y ? -1 : 1)));
  return tileCandidates(spec, profile).some((t) => form(t) === form(tile)) &&
    tile.splits <= Math.max(1, Math.floor(spec.k / 64))
    ? tile
    : undefined;
}

/** One result per class of `specs`, in the order met; new ones are stored. */
export async function tuneMatmul(
  device: GPUDevice,
  profile: Profile,
  specs: readonly MatmulSpec[],
  cache: TileCache,
  options: TuneOptions = {},
): Promise<readonly Tuned[]> {
  const words = device.adapterInfo;
  const end = performance.now() + (options.budgetMs ?? 20_000);
  const results = new Map<string, Tuned>();
  for (const spec of specs) {
    const key = tileKey(words, spec);
    if (results.has(key)) continue;
    const known = await tunedTile(words, profile, spec, cache);
    const result: Tuned =
      known === undefined
        ? await measureClass(
            device,
            profile,
            spec,
            key,
            end,
            options.candidates?.(spec) ?? tileCandidates(spec, profile),
          )
        : { key, tile: known, from: "cache", tried: [] };
    if (result.from === "measured") await cache.set(key, result.tile);
    results.set(key, result);
    options.report?.(result);
  }
  return [...results.values()];
}

async function measureClass(
  device: GPUDevice,
  profile: Profile,
  spec: MatmulSpec,
  key: string,
  end: number,
  candidates: readonly [Tile, ...Tile[]],
): Promise<Tuned> {
  const [first, ...others] = candidates;
  const unmeasured: Tuned = { key, tile: first, from: "default", tried: [] };
  if (performance.now() >= end) return unmeasured;
  const sizes = fitting(
    sizesOf(spec),
    candidates.reduce((most, t) => Math.max(most, t.splits), 1),
    Math.min(profile.limits.bindingBytes, profile.limits.bufferBytes),
  );
  const bench = openBench(device, profile, sizes);
  try {
    const reference = await bench.measure(first, Infinity);
    const tried: { readonly tile: Tile; readonly ms?: number; readonly refused?: string }[] = [
      { tile: first, ms: reference.ms },
    ];
    let best = { tile: first, ms: reference.ms };
    let whole = true;
    for (const tile of others) {
      if (performance.now() >= end) {
        whole = false;
        break;
      }
      try {
        const { ms, sample } = await bench.measure(tile, 2 * best.ms);
        const off = difference(sample, reference.sample);
        if (off > tolerance(sizes)) {
          tried.push({ tile, ms, refused: `its result is off by ${off}, allowed ${tolerance(sizes)}` });
          continue;
        }
        tried.push({ tile, ms });
        if (ms < best.ms) best = { tile, ms };
      } catch (error) {
        tried.push({ tile, refused: `${tileName(tile)}: ${error instanceof Error ? error.message : String(error)}` });
      }
    }
    return { key, tile: best.tile, from: whole ? "measured" : "cut short", tried };
  } finally {
    bench.destroy();
  }
}

const sizesOf = ({ problems, ...rest }: MatmulSpec): PlainSizes => ({
  ...rest,
  problems: problems.length,
  terms: problems.reduce((most, p) => Math.max(most, p.terms.length), 1),
  rowSums: problems.some((p) => p.rowSums !== undefined),
});

function difference(x: Float32Array, y: Float32Array): number {
  let most = x.length === y.length ? 0 : Infinity;
  x.forEach((v, i) => {
    const off = Math.abs(v - (y[i] ?? Number.NaN));
    // A NaN is a difference too.
    if (!(off <= most)) most = Number.isNaN(off) ? Infinity : off;
  });
  return most;
}
