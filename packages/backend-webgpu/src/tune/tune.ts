/**
 * The choice of tiles by measurement: for each class of products, the fastest candidate whose result agrees with that
 * of the default tile. A candidate with another result, or one that the device refuses, is dropped, and the report says
 * so.
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
  /** Time for all measurements, compilation included. Classes beyond it keep their default tile. Default 20,000. */
  readonly budgetMs?: number;
  /** The tiles to try. The first one is the reference for results. Default: `tileCandidates`. */
  readonly candidates?: (spec: MatmulSpec) => readonly [Tile, ...Tile[]];
  /** Gets the result of each class when it is done. */
  readonly report?: (result: Tuned) => void;
}

export interface Tuned {
  readonly key: string;
  readonly tile: Tile;
  /** "cut short": the time ended before all candidates ran. The tile is the fastest so far and is not stored. */
  readonly from: "measured" | "cut short" | "cache" | "default";
  /** The tried tiles, the reference first. `refused` says why a tile cannot be used. */
  readonly tried: readonly { readonly tile: Tile; readonly ms?: number; readonly refused?: string }[];
}

/** The stored tile of a spec, if it is still valid: it must be one of the candidates, with splits that k allows. */
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

/** One result for each class of `specs`, in the order of first occurrence. It stores new measurements. */
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
